#!/bin/bash
# SPDX-License-Identifier: MIT
#
# peers.sh - ./dev peers: programs that others wrote, unmodified, on our machine
#
#   peers.sh vfio-setup   tools/testing/selftests/vfio/vfio_iommufd_setup_test of
#                         Linux 7.3, out of Debian's linux-source-7.3
#   peers.sh dts          peers-dts.sh: `uiommu show' of Linux's devicetrees
#
# The source is downloaded and built once, below build/peers; the kernel's own
# Makefiles do the building. Exit: 0 all passed, 1 not, 77 (after one sentence)
# the source cannot be had here.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tools/dev/lib.sh"
cd "$top" || exit 1

skip() {
	printf '%s\n' "$*"
	exit 77
}

linux=7.3
suite=trixie-backports
dir=$top/build/peers
binary=$dir/vfio_iommufd_setup_test-$linux
wanted=6
# the first device of the machine that is built in
bdf=${VFIO_SELFTESTS_BDF:-0000:01:00.0}

source_arch() {
	case $(uname -m) in
	x86_64) echo x86 ;;
	aarch64) echo arm64 ;;
	*) return 1 ;;
	esac
}

# The part of the tree that headers_install and this one suite read; its drivers'
# register headers are links to the kernel's own.
tree_parts() {
	local p

	for p in Makefile Kbuild Kconfig scripts include usr tools "arch/$arch" \
		arch/Kconfig drivers/dma/ioat drivers/dma/idxd \
		drivers/net/ethernet/intel/igb; do
		echo "linux-source-$linux/$p"
	done
}

unpack_source() {
	local deb=$1

	rm -rf "$dir/linux-source-$linux"
	dpkg-deb --fsys-tarfile "$deb" |
		tar -xO "./usr/src/linux-source-$linux.tar.xz" |
		tar -xJ -C "$dir" $(tree_parts)
}

# make's own words if it fails
quietly() {
	"$@" >"$dir/build.log" 2>&1 || { tail -n 20 "$dir/build.log"; return 1; }
}

build_suite() {
	local src=$dir/linux-source-$linux o=$dir/out

	mkdir -p "$o"
	quietly make -s -C "$src" ARCH="$arch" headers_install &&
	quietly make -s -C "$src/tools/testing/selftests/vfio" ARCH="$arch" \
		OUTPUT="$o" "$o/vfio_iommufd_setup_test" &&
	mv "$o/vfio_iommufd_setup_test" "$binary"
}

get_vfio_setup() {
	local deb log

	[ -x "$binary" ] && return
	arch=$(source_arch) || skip "Linux's vfio suite does not build for $(uname -m)"
	command -v apt-get >/dev/null || skip "linux-source-$linux is a Debian package, and there is no apt-get here"
	log=$( (need peers) 2>&1) || skip "$log"
	mkdir -p "$dir"
	say "linux-source-$linux from $suite (160 MB, once)"
	deb=$("$top/tools/dev/apt-derive.sh" download "linux-source-$linux" "$suite" "$dir" 2>"$dir/get.log") ||
		skip "$(tail -n 1 "$dir/get.log")"
	say "building vfio_iommufd_setup_test of ${deb##*/}"
	unpack_source "$deb" || skip "cannot unpack $deb"
	build_suite || exit 1
	basename "$deb" .deb >"$binary.from"
	rm -rf "$dir/linux-source-$linux" "$dir/out" "$deb"
}

vfio_setup() {
	local log=$dir/vfio-setup.log rc passed

	get_vfio_setup
	build_run
	say "vfio_iommufd_setup_test $bdf, built from $(cat "$binary.from"), unmodified"
	timeout 300 "$top/build/release/tools/uiommu/uiommu" run --quiet -- "$binary" "$bdf" 2>&1 \
		</dev/null | tee "$log"
	rc=${PIPESTATUS[0]}
	passed=$(grep -c '^ok [0-9]' "$log")
	[ "$rc" = 0 ] && [ "$passed" = "$wanted" ] && ! grep -q '^not ok' "$log" && return
	echo "vfio-setup: $passed of $wanted passed, exit status $rc"
	return 1
}

case ${1:-} in
vfio-setup) vfio_setup ;;
dts) exec "$top/tools/dev/peers-dts.sh" ;;
*) die "usage: ./dev peers vfio-setup|dts" ;;
esac
