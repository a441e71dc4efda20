#!/bin/sh
# SPDX-License-Identifier: MIT
# topology.sh UIOMMU TOPOLOGY [OPTION...] - the demo says what it must say: its own
# checks, the tree when it was complete, and the three blocked DMAs in words
set -eu
. "$(dirname "$0")/common.sh"
here=$(dirname "$0")
uiommu=$1 topology=$2
shift 2

want 0 "$uiommu" run --quiet --show "$@" -- "$topology"
diff -u "$here/topology.out" "$work/out" >&2 || fail "another story"
case " $* " in
*" --no-io-uring "*)
	says err "has no io_uring to pin memory with"
	sed '/has no io_uring to pin memory with/d' "$work/err" >"$work/err2"
	mv "$work/err2" "$work/err"
	;;
esac
# A fault is told by another thread than the one that draws.
sort "$here/topology.err" >"$work/wanted"
sort "$work/err" | diff -u "$work/wanted" - >&2 || fail "another tree, or other faults"
grep -v fault: "$here/topology.err" >"$work/wanted"
grep -v fault: "$work/err" | diff -u "$work/wanted" - >&2 || fail "a tree in another order"
nothing_left "the demo"
exit $failed
