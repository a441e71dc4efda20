#!/bin/bash
# SPDX-License-Identifier: MIT
#
# qemu.sh - ./dev qemu: the driver's object files on QEMU's model of the SMMUv3
#
#   qemu.sh smoke   host/baremetal/qemu-virt-aarch64, booted bare
#   qemu.sh kernel  qemu-kernel.sh: Debian's kernel, and `uiommu walk' of its memory
#
# Wants a QEMU whose SMMUv3 has both stages (9.1 or newer). One that is installed
# is used; otherwise the archive's (bookworm-backports) is unpacked, with the
# libraries that this machine lacks, below build/qemu: nothing on the system
# changes and nobody need be root. Exit: 0, 1, or 77 after one sentence.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tools/dev/lib.sh"
cd "$top" || exit 1

skip() {
	printf '%s\n' "$*"
	exit 77
}

# the oldest release whose own QEMU is new enough is trixie
code=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
case $code in bookworm | '') suite=bookworm-backports ;; *) suite=$code ;; esac
dir=$top/build/qemu
board=host/baremetal/qemu-virt-aarch64

new_enough() {
	local v

	v=$("$1" --version 2>/dev/null | sed -n 's/^QEMU emulator version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
	[ -n "$v" ] && [ $((${v% *} * 100 + ${v#* })) -ge 901 ]
}

# The unpacked one, with the libraries that came with it, as one command.
use_unpacked() {
	local root=$dir/root libs

	[ -x "$root/usr/bin/qemu-system-aarch64" ] || return
	libs=$(find "$root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
	qemu=$dir/qemu-system-aarch64
	cat >"$qemu" <<-TEXT
	#!/bin/sh
	export LD_LIBRARY_PATH='$libs' QEMU_MODULE_DIR=/nonexistent
	exec '$root/usr/bin/qemu-system-aarch64' -L '$root/usr/share/qemu' "\$@"
	TEXT
	chmod +x "$qemu"
	new_enough "$qemu"
}

find_qemu() {
	local log

	qemu=qemu-system-aarch64
	new_enough "$qemu" && return
	use_unpacked && return
	command -v apt-get >/dev/null ||
		skip "no qemu-system-aarch64 of version 9.1 or newer, and no apt-get to get one with"
	say "qemu-system-arm from $suite into build/qemu (about 20 MB, once)"
	rm -rf "$dir"
	mkdir -p "$dir"
	"$top/tools/dev/apt-derive.sh" tree qemu-system-arm "$suite" "$dir" >"$dir/get.log" 2>&1 ||
		skip "$(tail -n 1 "$dir/get.log")"
	use_unpacked || skip "the qemu of $suite does not run here: $("$qemu" --version 2>&1 | head -n 1)"
}

smoke() {
	local log elf=$top/build/baremetal/smoke.elf rc

	[ -f "$board/build.sh" ] || skip "this checkout has no $board"
	log=$( (need qemu) 2>&1) || skip "$log"
	find_qemu
	say "building $board"
	mkdir -p "${elf%/*}"
	"./$board/build.sh" "${elf%/*}" || exit 1
	say "$("$qemu" --version | head -n 1), -M virt,iommu=smmuv3"
	QEMU=$qemu "./$board/run.sh" "$elf"
	rc=$?
	case $rc in
	0) return ;;
	124) echo "smoke: it did not end in time" ;;
	*) echo "smoke: exit status $rc" ;;
	esac
	return 1
}

case ${1:-} in
smoke) smoke ;;
kernel)
	find_qemu
	QEMU=$qemu exec "$top/tools/dev/qemu-kernel.sh" ;;
*) die "usage: ./dev qemu smoke|kernel" ;;
esac
