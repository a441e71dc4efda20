#!/bin/sh
# SPDX-License-Identifier: MIT
# hostile.sh UIOMMU VMM MACHINE EXPECTED SEED - the guests' drivers on virtual SMMUs that are
# late, on a driver whose SMMU takes every liberty: all is as with kind ones
set -eu
. "$(dirname "$0")/../demo/common.sh"

command -v dtc >/dev/null || { echo "there is no dtc"; exit 77; }
printf '/include/ "%s"\n&smmu { uiommu,hostile-seed = <%s>; };\n' "$3" "$5" >"$work/machine.dts"
want 0 "$1" run --quiet --machine "$work/machine.dts" -- "$2" --hostile "$5"
diff -u "$4" "$work/out" >&2 || fail "it says something else with seed $5"
[ ! -s "$work/err" ] || fail "something is on stderr: $(cat "$work/err")"
nothing_left "the VMM"
[ $failed -eq 0 ] || echo "again: tests/vmm/hostile.sh $*"
exit $failed
