#!/bin/bash
# SPDX-License-Identifier: MIT
#
# peers-dts.sh - ./dev peers dts: `uiommu show' of every devicetree of Linux 7.3 that
# has an arm,smmu-v3, out of Debian's linux-source-7.3 (160 MB; a part of it stays
# unpacked below build/peers)
#
# Each goes through cpp and dtc as a kernel build does. show must read it, find an
# SMMU in it, and end with 0 or with 1 and a finding. Exit: 0, 1, or 77 after one
# sentence.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tools/dev/lib.sh"
cd "$top" || exit 1

linux=7.3 suite=trixie-backports dir=$top/build/peers
tree=$dir/dts-$linux src=$dir/dts-$linux/linux-source-$linux

skip() {
	printf '%s\n' "$*"
	exit 77
}

get_tree() {
	local deb

	[ -d "$src" ] && return
	mkdir -p "$tree"
	say "linux-source-$linux from $suite (160 MB, once)"
	deb=$("$top/tools/dev/apt-derive.sh" download "linux-source-$linux" "$suite" "$dir" 2>"$dir/get.log") ||
		skip "$(tail -n 1 "$dir/get.log")"
	dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/linux-source-$linux.tar.xz" |
		tar -xJ -C "$tree" --wildcards "linux-source-$linux/arch/*/boot/dts" \
			"linux-source-$linux/include/dt-bindings" \
			"linux-source-$linux/include/uapi/linux/input-event-codes.h" \
			"linux-source-$linux/scripts/dtc/include-prefixes" ||
		skip "cannot unpack $deb"
	rm -f "$deb"
}

# Files with an SMMUv3, and files that include one of those, and so on.
with_smmu() {
	local found new

	found=$(grep -rl 'arm,smmu-v3' arch/*/boot/dts --include='*.dts*')
	while :; do
		new=$(sed 's|.*/||' <<<"$found" | sort -u | sed 's|.*|[/"<]&[">]|' |
			grep -rlf - arch/*/boot/dts --include='*.dts*')
		new=$(sort -u <<<"$found
$new")
		[ "$new" != "$found" ] || break
		found=$new
	done
	grep '\.dts$' <<<"$found"
}

compile() {
	cpp -nostdinc -undef -D__DTS__ -x assembler-with-cpp -I scripts/dtc/include-prefixes \
		-I "${1%/*}" "$1" 2>"$tree/log" | dtc -q -I dts -O dtb -i "${1%/*}" -o "$tree/dtb" - 2>>"$tree/log"
}

log=$( (need demo) 2>&1) || skip "$log"
build_run || exit 1
get_tree
cd "$src" || exit 1
uiommu=$top/build/release/tools/uiommu/uiommu read=0 others=0 failed=0 findings=0
for f in $(with_smmu); do
	if ! compile "$f"; then
		echo "$f: $(head -n 1 "$tree/log")"
		failed=$((failed + 1))
		continue
	fi
	if ! grep -qa 'arm,smmu-v3' "$tree/dtb"; then	# taken out again
		others=$((others + 1))
		continue
	fi
	"$uiommu" show --json "$tree/dtb" >"$tree/out" 2>"$tree/log"
	rc=$?
	if [ $rc -gt 1 ] || ! grep -q '"base"' "$tree/out" ||
		{ [ $rc = 1 ] && ! grep -q '"severity": "error"' "$tree/out"; }; then
		echo "$f: exit status $rc: $(tail -n 1 "$tree/log")"
		failed=$((failed + 1))
	fi
	read=$((read + 1))
	findings=$((findings + $(grep -c '"severity": "\(error\|warning\)"' "$tree/out")))
done
echo "$read devicetrees of Linux $linux with an SMMUv3 shown, $findings errors and warnings found in them; $failed failed"
[ $read -gt 100 ] && [ $failed = 0 ]
