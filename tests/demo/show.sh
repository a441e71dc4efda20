#!/bin/sh
# SPDX-License-Identifier: MIT
# show.sh UIOMMU TOPOLOGY - when a tree is drawn, and with which characters
set -eu
. "$(dirname "$0")/common.sh"
uiommu=$1 topology=$2

trees() {
	grep -c 'devices -> domains' "$work/err" || :
}

want 0 "$uiommu" run --quiet -- "$topology"
[ ! -s "$work/err" ] || fail "something is shown that nobody asked for: $(cat "$work/err")"

want 0 "$uiommu" run --quiet --show -- "$topology"
[ "$(trees)" -eq 1 ] || fail "$(trees) trees instead of the complete one"

# two binds, four attaches, four detaches, two unbinds: those that change something
want 0 "$uiommu" run --quiet --show=every -- "$topology"
[ "$(trees)" -ge 8 ] || fail "$(trees) trees for eight changes"

export LC_ALL=C.UTF-8
want 0 "$uiommu" run --quiet --show -- "$topology"
export LC_ALL=C
says err "├── PASID 0x11     → IOAS"
says out "✓"

# a program that ends without taking anything apart: its death does
want 137 "$uiommu" run --quiet --show -- "$3" killed
[ "$(trees)" -eq 1 ] || fail "$(trees) trees of a program that was killed"
says err "at the end: nothing is attached, 0 faults"

nothing_left "the tool"
exit $failed
