#!/bin/bash
# SPDX-License-Identifier: MIT
#
# demo-check.sh - runs ./dev demo and holds what it says against tests/demo/
#
# topology.out is the program's output, topology.err what `uiommu run --show` adds
# after the line that says what the program runs on. Prints TAP.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tools/dev/lib.sh"
want=$top/tests/demo/topology
got=$top/build/test/demo
n=0
failed=0

check() {	# what, and a command
	local what=$1

	n=$((n + 1))
	shift
	if "$@"; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		failed=1
	fi
}

need demo
build_run examples/topology
mkdir -p "${got%/*}"
LC_ALL=C timeout 60 "$top/dev" demo </dev/null >"$got.out" 2>"$got.err"
rc=$?
cat "$got.out" "$got.err"
check "./dev demo exits with 0" [ "$rc" = 0 ]
check "it says once that the IOMMU is software" \
	[ "$(grep -c '^uiommu: .*software IOMMU' "$got.err")" = 1 ]
sed -i '/^uiommu: .*software IOMMU/d' "$got.err"
check "the program's own checks are as expected" diff -u "$want.out" "$got.out"
check "tree and faults are as expected" diff -u "$want.err" "$got.err"
echo "1..$n"
exit $failed
