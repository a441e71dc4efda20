#!/bin/sh
# SPDX-License-Identifier: MIT
# dump.sh UIOMMU MACHINE - a dump has the registers of command queues for VMs, each by the
# number of its interface or queue, and is read as ever
set -eu
. "$(dirname "$0")/../demo/common.sh"
uiommu=$1 machine=$2

command -v dtc >/dev/null || { echo "there is no dtc"; exit 77; }

# reg NAME VALUE: as in the note of the dump, which is text
reg() {
	grep -aqxF "reg 0 $1 $2" "$work/dump" && return
	fail "$1 is not $2 but: $(grep -aF "reg 0 $1 " "$work/dump" || echo not there)"
}

value() {
	grep -aF "reg 0 $1 " "$work/dump" | sed 's/.* //'
}

want 0 "$uiommu" run --quiet --machine "$machine" -- "$uiommu" dump --tables -o "$work/dump"
reg CR0ACK "$(value CR0)"
# four interfaces, eight queues
reg CMDQV_PARAM 0x4231
reg CMDQV_STATUS 0x1
reg 'CMDQV_CMDQ_ERR_MAP[3]' 0x0
# the first is the host's own (HYP_OWN), and one queue of it
reg 'VINTF_CONFIG[0]' 0x20001
reg 'VINTF_STATUS[0]' 0x10001
reg 'CMDQV_CMDQ_ALLOC[0]' 0x1
reg 'VCMDQ_STATUS[0]' 0x1
[ "$(value 'VCMDQ_PROD[0]')" != 0x0 ] || fail "nothing was ever given to the first queue"
reg 'VCMDQ_CONS[0]' "$(value 'VCMDQ_PROD[0]')"
[ "$(value 'VCMDQ_BASE[0]')" != 0x0 ] || fail "it is nowhere"
# the others are nobody's
for i in 1 2 3; do
	reg "VINTF_CONFIG[$i]" 0x0
	reg "VINTF_SID_MATCH[$i][0]" 0x0
done
reg 'CMDQV_CMDQ_ALLOC[7]' 0x18002	# the second of interface 3, not given to it
reg 'VCMDQ_CONFIG[7]' 0x0
for none in 'VINTF_CONFIG[4]' 'VCMDQ_CONS[8]' 'CMDQV_CMDQ_ALLOC[8]'; do
	[ -z "$(value "$none")" ] || fail "$none is there"
done
want 1 "$uiommu" show "$work/dump"	# StreamIDs of this machine are beyond its SMMU
says out "edu@0,0"

# an SMMU without them has none
want 0 "$uiommu" run --quiet -- "$uiommu" dump --tables -o "$work/dump"
reg CR0ACK "$(value CR0)"
! grep -aq '^reg 0 \(CMDQV\|VINTF\|VCMDQ\)' "$work/dump" || fail "there are queues for VMs"
exit $failed
