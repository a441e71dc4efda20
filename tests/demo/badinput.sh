#!/bin/sh
# SPDX-License-Identifier: MIT
# badinput.sh UIOMMU PROG - the tool's own bad input: sentences and exit statuses
set -eu
. "$(dirname "$0")/common.sh"
uiommu=$1

# one sentence on stderr, starting with our name
sentence() {
	says err "$1"
	n=$(grep -c '^uiommu' "$work/err")
	[ "$n" -eq 1 ] || fail "$n sentences instead of one for: $1"
}

want 0 "$uiommu" --version
says out "uiommu "
want 0 "$uiommu" --help
says out "run [OPTION...] -- PROGRAM"
want 0 "$uiommu" run --help
says out "--machine"

want 2 "$uiommu"
sentence "which command?"
want 2 "$uiommu" dance
sentence 'there is no command "dance"'
want 2 "$uiommu" run
sentence "which program?"
want 2 "$uiommu" run --show=never true
sentence "takes nothing or \`every'"
want 2 "$uiommu" run --frobnicate true

want 127 "$uiommu" run --quiet -- "$work/no-such-program"
sentence "no-such-program"
want 127 "$uiommu" run --quiet -- no-such-program-in-path
sentence "no-such-program-in-path"
: >"$work/plain"
want 126 "$uiommu" run --quiet -- "$work/plain"
sentence "plain"

want 0 "$uiommu" run --quiet -- true
want 1 "$uiommu" run --quiet -- false
want 3 "$uiommu" run --quiet -- sh -c 'exit 3'
[ ! -s "$work/err" ] || fail "--quiet is not"
want 0 "$uiommu" run -- true --quiet
says err "software IOMMU"

# machine files
want 125 "$uiommu" run --machine "$work/none.dts" true
sentence "none.dts: No such file or directory"
: >"$work/empty.dts"
want 125 "$uiommu" run --machine "$work/empty.dts" true
sentence "empty.dts is not devicetree source"
want 125 "$uiommu" run --machine / true
sentence "machine file /: Is a directory"
printf '\320\015\376\355xxxx' >"$work/cut.dtb"
want 125 "$uiommu" run --machine "$work/cut.dtb" true
sentence "damaged or cut short"
dts=$(dirname "$0")/../../machine/default.dts
sed 's/reg = <0x0 0x2b400000 0x0 0x20000>;//' "$dts" >"$work/noreg.dts"
want 125 "$uiommu" run --machine "$work/noreg.dts" true
sentence "/iommu@2b400000: property reg is missing"
sed 's/pci1234,11e8/pci8086,0b25/' "$dts" >"$work/device.dts"
want 125 "$uiommu" run --machine "$work/device.dts" true
sentence '"pci8086,0b25" is no device known here'
sed 's/0x00020000 0x0/0x00010000 0x0/' "$dts" >"$work/twice.dts"
want 125 "$uiommu" run --machine "$work/twice.dts" true
sentence "which edu@0,0 has already"
want 125 env PATH=/nonexistent "$uiommu" run --machine "$dts" true
sentence "there is no dtc to compile it"
want 0 "$uiommu" run --quiet --machine "$dts" true
dtc -q -I dts -O dtb -o "$work/good.dtb" "$dts"
want 0 "$uiommu" run --quiet --machine "$work/good.dtb" true
sed 's/pci1234,11e8"/&; status = "disabled"/' "$dts" >"$work/nothing.dts"
want 0 "$uiommu" run --quiet --machine "$work/nothing.dts" true

nothing_left "the tool"
exit $failed
