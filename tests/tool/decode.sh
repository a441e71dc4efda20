#!/bin/sh
# SPDX-License-Identifier: MIT
# decode.sh UIOMMU - `uiommu decode` on text as people have it
set -eu
here=$(dirname "$0")
. "$here/lib.sh"
uiommu=$1
data=$here/data

decode() {
	want 0 "$uiommu" decode "$@"
}

# text on standard input
text() {
	printf '%s\n' "$@" >"$work/in"
	want 0 "$uiommu" decode "$work/in"
}

# ---- three from public logs, as they were ----

decode "$data/ex1.txt"
says out "arm-smmu-v3.5.auto: F_TRANSLATION: nothing is mapped at this address"
says out "StreamID  0x20600: more than 16 bits: not a bare RID"
says out "access    unprivileged write"
says out "stage     1"
says out "IOVA      0xff9bc000"
says out "stalled   no"
says out "1. DMA after dma_unmap"
says_not out "if StreamID = RID"
says_not out PASID
says_not out IPA

decode "$data/ex2.txt"
says out "StreamID  0x3102: 31:00.2 if StreamID = RID"
says out "STALLED with tag 0x7f"
says out "waits for a CMD_RESUME"
says out "access    unprivileged read"
says out "IOVA      0x0"
says out "1. The device was given no address"

decode "$data/ex3.txt"
says out "C_BAD_STREAMID: no stream table entry is reachable for it"
says out "StreamID  0x100: 01:00.0 if StreamID = RID"
says out "truncated record: 1 of its 4 words"
says_not out access
says_not out IOVA

# ---- who is behind a StreamID ----

decode --machine "$data/two-segments.dts" "$data/ex1.txt"
says out "StreamID  0x20600: 0001:06:00.0 behind /iommu@50000000"
decode --machine "$here/../../machine/default.dts" "$data/ex3.txt"
says out "StreamID  0x100: 0000:01:18.0 behind /iommu@2b400000"
text "event 0x02 received:" 0x0000000900000002
want 0 "$uiommu" decode --machine "$data/two-segments.dts" "$work/in"
says out "StreamID  0x9: /gpu@80000000 behind /iommu@40000000"
text "event 0x02 received:" 0x0900000000000002
want 0 "$uiommu" decode --machine "$data/two-segments.dts" "$work/in"
says out "nobody's: no device is mapped to it"
want 125 "$uiommu" decode --machine "$work/none.dts" "$data/ex1.txt"
says err "none.dts: No such file or directory"

# ---- quoted in a mail: two SMMUs interleaved, a blank in a word, a wrapped line ----

decode --json "$data/mixed.txt"
json '.schema' uiommu-decode/1
json '[.items[].name] | join(" ")' "F_TRANSLATION F_PERMISSION C_BAD_STREAMID GERROR CMDQ error \
CMDQ error command in error CMD_TLBI_NH_VA CMD_SYNC timeout event queue overflow"
json '.items[0].raw | join(" ")' "0x2060000000010 0x20000000000 0xff9bc000 0x0"
json '.items[1].raw | join(" ")' "0x10000005813 0x20000000000 0x12345000 0x0"
json '.items[1].fields.PASID.value' 0x5
json '.items[1].fields.StreamID.text' "0000:01:00.0, says the log"
json '.items[2].smmu' /soc/iommu@5000000
json '[.items[] | select(.cut)] | length' 0
json '.items[4].fields.ERR.text' \
	"CERROR_ATC_INV_SYNC: a device did not answer an ATC invalidation in time"
json '.items[7].fields.Address.value' 0x12345000

# ---- the driver's own decoding, the record itself is gone ----

decode --json "$data/said.txt"
json '.items[0].fields.access.text' "privileged read of instructions (execute)"
json '.items[0].fields.IPA.value' 0x8000f000
json '.items[0].fields.stalled.value' 0x3
json '.items[1].fields.FetchAddr.value' 0x8000f000
json '.items[1].fields.PASID' null

# ---- entries as hex dumps of many makes ----

decode "$data/ste.txt"
says out "STE: DMA is translated at stage 1"
says out "S1ContextPtr  0x40000000"
says out "S1CDMax       0xa: 1024 CDs"
says out "CD: an address space, ASID 1"
says out "TTB0      0x43210000"
says_not out TTB1
for dump in xxd od-x8 od-x4 hexdump-C gdb xp; do
	decode --json "$data/ste-$dump.txt"
	json '.items[0] | .name + " " + .fields.S1ContextPtr.value + " " + .fields.S1DSS.text' \
		"STE 0x40000000 SSID0"
	json '.items | length' 1
done
decode --as cd "$data/ste-gdb.txt"
says out "CD: not valid (V = 0)"

# ---- fields only where the event has them ----

text "event 0x08 received:" 0x0000010000007008 0xffffffffffffffff 0xffffffffffffffff 0xffffffffffffffff
says out "C_BAD_SUBSTREAMID"
says out "PASID     0x7"
says_not out access
says_not out IOVA
says_not out stalled
text "event 0x10 received:" 0x0000010000007010 0x0000020800001234 0x1000 0x00000000fffff000
says_not out PASID
says_not out IPA
says_not out 0x1234
text "event 0x10 received:" 0x0000010000007010 0x0000028800000000 0x1000 0x00000000fffff000
says out "IPA       0xfffff000"
says out "1. The IPA is not mapped at stage 2"
text "event 0x0b received:" 0x000001000000000b 0x0000010800000000 0x1000 0x00000000fffff008
says out "FetchAddr  0xfffff008"
says_not out IPA
says_not out stalled
text "event 0xe3 received:" 0x00000100000000e3
says out "IMPDEF_EVENT3"
text "event 0x55 received:" 0x0000010000000055 0 0 0
says out "event 0x55: not an event known here"

# ---- cut, wrapped, strange ----

text "event 0x10 received:" 0x0000010000000010 0x0000020000000000 0x00000000ff9b
says out "Word 3 has only 12 digits"
says_not out "IOVA      "
text "event 0x10 received:" 0x00000100 00000010 0x0000020000000000 0x00000000ff9b1000 0x0000000000000000
says out "IOVA      0xff9b1000"
text "event 0x10 received: 0x0000010000000010 0x0000020000000000 0x00000000ff9b1000 0x0"
says out "IOVA      0xff9b1000"
text "event 0x13 received:" 0x0000010000000010
says out "The text says event 0x13, the record itself 0x10"
text "cmd: 0x0000000000000046 0x0000000000000000"
says out "CMD_SYNC"
text 0x0000000000000046 0x0000000000000000
says out "Nothing says what these words are"
text "arm-smmu-v3 x: unexpected global error reported (0x"
says out "Cut short"
: >"$work/in"
want 1 "$uiommu" decode "$work/in"
says out "Nothing was found"
printf 'hello\n' >"$work/in"
want 1 "$uiommu" decode --json "$work/in"
json '.items | length' 0
printf '0x1234567812345678 0x1 0x2\n' >"$work/in"
want 1 "$uiommu" decode "$work/in"
says out "3 hex words: not recognised"
want 0 "$uiommu" decode - <"$data/ex1.txt"
want 2 "$uiommu" decode --as table
want 125 "$uiommu" decode "$work/none"
says err "none: No such file or directory."
exit $failed
