#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh UIOMMU VMM MACHINE EXPECTED [ARG...] - the example VMM says what it must, and no
# more, on whatever it is run; ARG... are its options
set -eu
. "$(dirname "$0")/../demo/common.sh"
uiommu=$1 vmm=$2 machine=$3 expected=$4
shift 4

command -v dtc >/dev/null || { echo "there is no dtc"; exit 77; }
want 0 "$uiommu" run --quiet --machine "$machine" -- "$vmm" "$@"
diff -u "$expected" "$work/out" >&2 || fail "it says something else with: $*"
[ ! -s "$work/err" ] || fail "something is on stderr: $(cat "$work/err")"
nothing_left "the VMM"
exit $failed
