#!/bin/sh
# SPDX-License-Identifier: MIT
# walk.sh UIOMMU - `uiommu walk' from the outside, on tables written here word by word
set -eu
. "$(dirname "$0")/lib.sh"
uiommu=$1
mem=$work/mem

# word OFFSET VALUE (16 digits): little-endian into the memory file
word() {
	rest=$2
	bytes=
	while [ -n "$rest" ]; do
		bytes="\\0$(printf %03o "0x${rest%"${rest#??}"}")$bytes"
		rest=${rest#??}
	done
	printf '%b' "$bytes" |
		dd of="$mem" bs=8 seek=$(($1 / 8)) conv=notrunc status=none
}

truncate -s 65536 "$mem"
# at 0x80000000: 16 STEs; the third has one CD at +0x1000, tables from +0x2000 on
word 0x80 000000008000100b
word 0x1000 00016205c0003510
word 0x1008 0000000080002000
word 0x1018 00000000000000ff
word 0x2000 0000000080003003
word 0x3000 0000000080004003
word 0x4008 0000000080005003
word 0x5000 00000000800087c3
word 0x5008 0000000080009743

# walk STATUS OPTION...
walk() {
	status=$1
	shift
	want "$status" "$uiommu" walk --mem "0x80000000:$mem" --reg STRTAB_BASE=0x80000000 \
		--reg STRTAB_BASE_CFG=4 "$@"
}

walk 0 --sid 2 --iova 0x200123
says out "STE: of StreamID 0x2"
says out "at            0x80000080"
says out "CD: number 0"
says out "stage 1 level 3: page"
says out "output: the DMA goes to 0x80008123"
says out "memory        Normal, write-back, inner shareable"
says out "unprivileged  read execute"
says out "privileged    read execute"
walk 0 --sid 2 --iova 0x200123 --json
json .schema uiommu-walk/1
json .result.pa 0x80008123
json '[.steps[].kind] | join(" ")' \
	"ste cd s1-descriptor s1-descriptor s1-descriptor s1-descriptor end"
json '.steps[5].fields.at.value' 0x80005000
walk 1 --sid 2 --iova 0x200123 --write
says out "F_PERMISSION"
says out "To blame: AP[2] (bit 7) is 1: read-only."
walk 0 --sid 2 --iova 0x201000 --write
says out "unprivileged  read write execute"
says out "privileged    read write"
says_not out "privileged    read write execute"
walk 1 --sid 2 --iova 0x202000
says out "F_TRANSLATION"
says out "To blame: bit 0 (valid) of the level 3 descriptor at 0x80005010 is 0"
walk 1 --sid 1 --iova 0
says out "C_BAD_STE"
says out "STE.V (bit 0) is 0"
walk 1 --sid 16 --iova 0
says out "C_BAD_STREAMID"
walk 1 --sid 2 --pasid 1 --iova 0
says out "C_BAD_SUBSTREAMID"
says out "PASID     0x1"
walk 0 --sid 1 --iova 0x1234 --reg CR0=0
says out "memory    as the device says, unless GBPA overrides it"
says out "the DMA goes to 0x1234"
word 0x4008 0000000090005003
walk 1 --sid 2 --iova 0x200123
says out "F_WALK_EABT"
says out "FetchAddr  0x90005000"
word 0x1010 0800000000000000
walk 3 --sid 2 --iova 0x200123
says out "not explained: STE.S1PIE, CD.PIE"

want 2 "$uiommu" walk
says err "--live, --dump or --mem is needed"
walk 2 --sid two --iova 0
says err "is not a number"
walk 2 --sid 2 --iova 0 --reg CMDQ_BASE=0
says err "does not matter for a walk"
want 125 "$uiommu" walk --mem "0:$work/none"
says err "none: No such file or directory."
exit $failed
