#!/bin/sh
# SPDX-License-Identifier: MIT
# hostile.sh UIOMMU VMM MACHINE EXPECTED SEED [ARG...] - the guests' drivers on virtual SMMUs that are
# late, on a driver whose SMMU takes every liberty: all is as with kind ones
set -eu
. "$(dirname "$0")/../demo/common.sh"

command -v dtc >/dev/null || { echo "there is no dtc"; exit 77; }
again="tests/vmm/hostile.sh $*"
uiommu=$1 vmm=$2 machine=$3 expected=$4 seed=$5
shift 5
printf '/include/ "%s"\n&smmu { uiommu,hostile-seed = <%s>; };\n' "$machine" "$seed" \
	>"$work/machine.dts"
want 0 "$uiommu" run --quiet --machine "$work/machine.dts" -- "$vmm" --hostile "$seed" "$@"
diff -u "$expected" "$work/out" >&2 || fail "it says something else with seed $seed"
[ ! -s "$work/err" ] || fail "something is on stderr: $(cat "$work/err")"
nothing_left "the VMM"
[ $failed -eq 0 ] || echo "again: $again"
exit $failed
