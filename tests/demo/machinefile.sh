#!/bin/sh
# SPDX-License-Identifier: MIT
# machinefile.sh UIOMMU DEFAULT_DTS - functions with one StreamID are one group, and what
# a group keeps free is what each of them says
set -eu
. "$(dirname "$0")/common.sh"
uiommu=$1

{
	cat "$2"
	cat <<-'TEXT'
	/ {
		reserved-memory {
			#address-cells = <2>;
			#size-cells = <2>;
			ranges;
			h1: h1 { iommu-addresses = <&e1 0 0x0 0xfee00000 0x0 0x100000>; };
			h2: h2 { iommu-addresses = <&e2 0 0x0 0x5000000 0x0 0x1000>; };
		};
		pcie@30000000 {
			iommu-map-mask = <0xff>;
			iommu-map = <0x0 &smmu 0x40 0x200>;
			pci@1,0 { e1: edu@0,0 { memory-region = <&h1>; }; };
			pci@2,0 { e2: edu@0,0 { memory-region = <&h2>; }; };
		};
	};
	TEXT
} >"$work/m.dts"

want 0 "$uiommu" run --quiet --machine "$work/m.dts" -- sh -c '
	cd /sys/bus/pci/devices/0000:02:00.0/iommu_group
	ls devices
	cat reserved_regions'
cat >"$work/expected" <<-'TEXT'
0000:01:00.0
0000:02:00.0
0x0000000005000000 0x0000000005000fff reserved
0x0000000008000000 0x00000000080fffff msi
0x00000000fee00000 0x00000000feefffff reserved
TEXT
cmp -s "$work/out" "$work/expected" || {
	fail "the group is not as the machine file says:"
	cat "$work/out" >&2
}
nothing_left "the tool"
exit $failed
