#!/bin/bash
# SPDX-License-Identifier: MIT
#
# qemu-kernel.sh - ./dev qemu kernel: Debian's arm64 kernel behind QEMU's SMMUv3,
# looked at from outside by `uiommu walk' and `show'
#
# $QEMU is the emulator. The kernel, and a busybox to run on it, come as packages
# of the same suite and architecture arm64 (about 95 MB, once) and are unpacked below
# build/qemu-kernel. Exit: 0, 1, or 77 after one sentence.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tools/dev/lib.sh"
cd "$top" || exit 1

skip() {
	printf '%s\n' "$*"
	exit 77
}

dir=$top/build/qemu-kernel
code=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
case $code in bookworm | '') suite=bookworm-backports base=bookworm ;; *) suite=$code base=$code ;; esac
export UIOMMU_APT_ARCH=arm64

derive() {
	"$top/tools/dev/apt-derive.sh" "$@" 2>"$dir/get.log" || skip "$(tail -n 1 "$dir/get.log")"
}

# unpack PACKAGE SUITE PATTERN...: what of it is needed
unpack() {
	local deb

	deb=$(derive download "$1" "$2" "$dir") || skip "$deb"
	shift 2
	dpkg --fsys-tarfile "$deb" | tar -x -C "$dir/new" --wildcards "$@" ||
		die "cannot unpack $deb"
	rm -f "$deb"
}

get_kernel() {
	local package

	[ -d "$dir/root" ] && return
	say "Debian's arm64 kernel from $suite into build/qemu-kernel (about 95 MB, once)"
	rm -rf "$dir"
	mkdir -p "$dir/new"
	package=$(derive needs linux-image-arm64 "$suite" | grep -m 1 '^linux-image-') ||
		skip "linux-image-arm64 of $suite does not say which kernel it is: $(tail -n 1 "$dir/get.log")"
	unpack "$package" "$suite" './boot/vmlinuz*' './lib/modules/*/kernel/drivers/nvme/*' \
		'./lib/modules/*/kernel/drivers/block/*' './lib/modules/*/kernel/drivers/firmware/*' \
		'./lib/modules/*/kernel/crypto/*' './lib/modules/*/kernel/lib/*'
	unpack busybox-static "$base" './bin/busybox'
	mv "$dir/new" "$dir/root"
}

command -v python3 >/dev/null || skip "no python3 to speak to QEMU with"
command -v dpkg >/dev/null || skip "no dpkg to unpack a kernel with"
log=$( (need demo) 2>&1) || skip "$log"
build_run || exit 1
get_kernel
run=$(mktemp -d build/qemu-kernel/run-XXXXXX) || exit 1	# the name of a socket is short
trap 'rm -rf "$run"' EXIT
python3 tools/dev/qemu-kernel.py "$QEMU" "$dir/root" build/release/tools/uiommu/uiommu "$run"
