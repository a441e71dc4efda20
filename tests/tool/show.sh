#!/bin/sh
# SPDX-License-Identifier: MIT
# show.sh UIOMMU TOPO - `uiommu show': pictures of machines, and what is wrong with them
set -eu
here=$(dirname "$0")
. "$here/lib.sh"
uiommu=$1
topo=$2
default=$here/../../machine/default.dts

# ---- a machine where all is well ----

want 0 "$uiommu" show "$here/data/two-segments.dts"
cat >"$work/wanted" <<'TREE'
/iommu@40000000
|-- /pcie@60000000
|   `-- 0000:00:00.0 to 0000:ff:1f.7: StreamID 0x10000 to 0x1ffff
`-- /gpu@80000000
    |-- StreamID 0x7
    `-- StreamID 0x9
/iommu@50000000
`-- /pcie@70000000
    `-- 0001:00:00.0 to 0001:ff:1f.7: StreamID 0x20000 to 0x2ffff
TREE
diff "$work/wanted" "$work/out" >&2 || fail "the tree is another"
want 0 "$uiommu" show --machine "$default" --json
json .schema uiommu-show/1
json '.devices[3] | .name + " " + .sid' "edu@0,0 0x140"
json '[.findings[].rule] | unique | join(" ")' unmapped
json '.smmus[0].sidsize' 10

# ---- what bites ----

# machine HOST_PROPERTIES [MORE_NODES]: one SMMU, one PCI host
machine() {
	cat >"$work/m.dts" <<DTS
/dts-v1/;
/ {
	#address-cells = <2>;
	#size-cells = <2>;
	smmu: iommu@40000000 {
		compatible = "arm,smmu-v3";
		reg = <0x0 0x40000000 0x0 0x20000>;
		#iommu-cells = <1>;
	};
	other: iommu@50000000 {
		compatible = "arm,mmu-500";
		reg = <0x0 0x50000000 0x0 0x20000>;
		#iommu-cells = <2>;
	};
	pcie@60000000 {
		device_type = "pci";
		reg = <0x0 0x60000000 0x0 0x10000000>;
		#address-cells = <3>;
		#size-cells = <2>;
		bus-range = <0 3>;
		$1
	};
	$2
};
DTS
	shift 2
	want "$@"
}

machine 'iommu-map = <0 &smmu 0 0x100>; iommu-map-mask = <0xff>;' '' \
	0 "$uiommu" show "$work/m.dts"
says out "(0x0000) and 0000:01:00.0 (0x0100) both become StreamID 0x0 of /iommu@40000000, because \
iommu-map-mask drops bits of the RID"
says out "256 StreamIDs of /pcie@60000000 are shared"
machine 'iommu-map = <0 &smmu 0 0x100>; iommu-map-mask = <0xff>;
	a@0 { reg = <0x0000 0 0 0 0>; }; b@0 { reg = <0x10000 0 0 0 0>; };' '' \
	1 "$uiommu" show "$work/m.dts"
says out "error: 0000:00:00.0 (0x0000) and 0000:01:00.0 (0x0100) both"
machine 'iommu-map = <0 &smmu 0 0x100>;' '' 0 "$uiommu" show "$work/m.dts"
says out "RIDs 0x0100 to 0x03ff (0000:01:00.0 to 0000:03:1f.7) have no StreamID"
machine 'iommu-map = <0 &smmu 0 0x400>, <0x200 &smmu 0x1000 0x100>;' '' \
	1 "$uiommu" show "$work/m.dts"
says out "two entries cover the same IDs: 0x0+0x400 and 0x200+0x100; the first counts"
machine 'iommu-map = <0 &smmu 0xff00 0x400>;' '' 0 "$uiommu" show "$work/m.dts"
machine 'iommu-map = <0 &smmu 0xff00 0x400>;' '' 1 "$uiommu" show --sidsize 16 "$work/m.dts"
says out "StreamIDs up to 0x102ff go to /iommu@40000000, which has only 16 bits"
machine 'iommu-map = <0 &smmu 0 0x400>;' 'dev@1 { iommus = <&smmu 0x20>; };' \
	0 "$uiommu" show "$work/m.dts"
says out "0000:00:04.0 (0x0020) and /dev@1 (0x0000) both become StreamID 0x20"
machine 'iommu-map = <0 &smmu 0 0x400>;' 'dev@1 { iommus = <&other 1 2>, <&smmu 0x8000>; };' \
	0 "$uiommu" show "$work/m.dts"
says out "1 entry leads to an IOMMU that is no arm,smmu-v3"
says out "/dev@1: iommus leads to /iommu@50000000"
says out "StreamID 0x8000"
machine 'iommu-map = <0 &smmu 0 0x400 7>;' '' 1 "$uiommu" show "$work/m.dts"
says out "iommu-map has 5 cells"
machine 'iommu-map = <0 77 0 0x400>;' '' 1 "$uiommu" show "$work/m.dts"
says out "phandle 0x4d, which no node has"
machine 'iommu-map = <0x100 &smmu 0 0>;' '' 1 "$uiommu" show "$work/m.dts"
says out "covers 0x0 RIDs from 0x100: none"
machine 'iommu-map = <0x108 &smmu 0 0x8>; iommu-map-mask = <0xff>;' '' \
	1 "$uiommu" show "$work/m.dts"
says out "the entry never matches as meant"
machine '' 'dma@1 { #dma-cells = <1>; iommu-map = <1 &smmu 0x801 0x1f>; };' \
	0 "$uiommu" show "$work/m.dts"
says out "IDs 0x1 to 0x1f: StreamID 0x801 to 0x81f"
machine '' '' 0 "$uiommu" show "$work/m.dts"
says out "nothing maps its RIDs"

# ---- IORT ----

"$topo" "$work/iort" || fail "no table"
want 0 "$uiommu" show "$work/iort"
says out "SMMUv3 at 0x2b400000"
says out '`-- 0001:06:00.0 to 0001:06:1f.7: StreamID 0x20600 to 0x206ff'
says out '\_SB_.GPU0'
says out "reserved memory 0x88000000 + 0x10000"
want 0 "$uiommu" decode --iort "$work/iort" "$here/data/ex1.txt"
says out "StreamID  0x20600: 0001:06:00.0 behind SMMUv3 at 0x2b400000"
want 0 "$uiommu" show "$here/data/qemu-virt-iort.bin"
says out "SMMUv3 at 0x9050000"
says out "0000:00:00.0 to 0000:00:1f.7: StreamID 0x0 to 0xff"
head -c 150 "$work/iort" >"$work/short"
want 1 "$uiommu" show --iort "$work/short"
says out "The IORT says it has 324 bytes, and there are 150"
says out "it is longer than the table"
want 125 "$uiommu" show --iort "$default"
says err "does not begin with IORT"

# ---- sysfs ----

sys=$work/sys
mkdir -p "$sys/dev/a" "$sys/dev/b" "$sys/iommu/smmu3.0" "$sys/groups/0/devices" \
	"$sys/groups/1/devices"
ln -s ../../iommu/smmu3.0 "$sys/dev/a/iommu"
ln -s ../../iommu/smmu3.0 "$sys/dev/b/iommu"
ln -s ../../../dev/a "$sys/groups/0/devices/0000:01:00.0"
ln -s ../../../dev/b "$sys/groups/1/devices/gpu.0"
want 0 "$uiommu" show --sysfs="$sys/groups"
says out "smmu3.0"
says out "0000:01:00.0, group 0"
says out "gpu.0, group 1"
want 125 "$uiommu" show --sysfs="$sys/none"
says err "No such file or directory"

# ---- pictures ----

want 0 "$uiommu" show --dot "$default"
says out 'label="/iommu@2b400000"'
says out 'tooltip="StreamID = RID - 0x0100 + 0x40"'
if command -v dot >/dev/null; then
	want 0 "$uiommu" show --svg "$default"
	says out "<svg"
	says out '<title>StreamID = RID - 0x0100 + 0x40</title>'
	cp "$work/out" "$work/a.svg"
	want 0 "$uiommu" show --html "$default"
	says out '<div>StreamID = RID - 0x0100 + 0x40</div>'
	says out '<div>StreamID 0x140 = RID 0x0200 - 0x0100 + 0x40</div>'
	says out '<div>no entry maps RID 0x0008</div>'
	says out '<details><summary>/iommu@2b400000</summary><table id="table-smmu0">'
	says_not out "<script"
	says_not out 'src="http'
	! command -v xmllint >/dev/null || want 0 xmllint --noout --nonet "$work/a.svg"
fi
want 125 env PATH=/nonexistent "$uiommu" show --svg "$work/iort"
says err "there is no dot"
want 2 "$uiommu" show
want 2 "$uiommu" show --sidsize 40 "$default"
exit $failed
