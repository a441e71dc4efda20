#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bench-pt.sh - ./dev bench pt: our page tables beside Linux's, in one process
#
# Linux's io-pgtable-arm.c and generic_pt come out of Debian's linux-source-7.3, are
# unpacked below build/ and compiled there with headers of our own (bench/shim); none
# of it enters the repository. Everything is built with gcc and with clang, with the
# kernel's own options. Exit: 0 measured, 77 (after one sentence) no source to be had.

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
dir=$top/build/bench-pt
src=$dir/linux-source-$linux

# The files that are compiled, and the headers that they may see as they are; every
# other include is the shim.
whole='linux/io-pgtable.h linux/generic_pt/common.h linux/generic_pt/iommu.h
	linux/iommu.h linux/bitfield.h linux/args.h linux/stringify.h linux/sizes.h'

get_source() {
	local deb

	[ -f "$src/drivers/iommu/io-pgtable-arm.c" ] && return
	mkdir -p "$dir"
	[ "$(uname -m)" = x86_64 ] || skip "the comparison with Linux is made for x86_64"
	command -v apt-get >/dev/null || skip "linux-source-$linux is a Debian package, and there is no apt-get here"
	say "linux-source-$linux from $suite (160 MB, once)"
	deb=$("$top/tools/dev/apt-derive.sh" download "linux-source-$linux" "$suite" "$dir" 2>"$dir/get.log") ||
		skip "$(tail -n 1 "$dir/get.log")"
	dpkg-deb --fsys-tarfile "$deb" |
		tar -xO "./usr/src/linux-source-$linux.tar.xz" |
		tar -xJ -C "$dir" "linux-source-$linux/drivers/iommu" \
			"linux-source-$linux/include" || skip "cannot unpack $deb"
	rm -f "$deb"
}

# A directory of headers: links to those above, and a line for each other name that
# the sources include.
make_headers() {
	local inc=$dir/include h

	rm -rf "$inc"
	for h in $whole; do
		mkdir -p "$inc/${h%/*}"
		ln -s "$src/include/$h" "$inc/$h"
	done
	grep -hoE '^#include <[^>]+>' "$src"/drivers/iommu/io-pgtable-arm.c \
		"$src"/drivers/iommu/iommu-pages.h "$src"/drivers/iommu/generic_pt/*.h \
		"$src"/drivers/iommu/generic_pt/fmt/*.h $(printf "$src/include/%s " $whole) |
		sed 's/.*<//;s/>//' | sort -u | while read -r h; do
		[ -e "$inc/$h" ] && continue
		mkdir -p "$inc/$(dirname "$h")"
		echo '#include "bench/shim/kernel.h"' >"$inc/$h"
	done
	# the C library's errno.h asks for this one
	echo '#include <asm-generic/errno.h>' >"$inc/linux/errno.h"
}

# As the kernel compiles them; -w because these are not our warnings.
kernel_flags="-std=gnu11 -O2 -fno-strict-aliasing -fno-delete-null-pointer-checks
	-fno-common -mno-sse -mno-mmx -mno-sse2 -mno-avx -mno-red-zone -fno-pie -w
	-Werror=implicit-function-declaration"

build() {
	local cc=$1 o=$dir/$1 f name

	mkdir -p "$o"
	for f in "$top"/src/pt/gather.c "$top"/src/pt/inst/{arm_s1_4k,x86_64,vtd_ss,amd_v1,riscv_sv}.c; do
		name=$(basename "$f" .c)
		"$cc" -std=c11 -ffreestanding -O2 -mno-sse -mno-mmx -mno-sse2 -mno-avx -fno-pie -mno-red-zone \
			-I"$top/include" -c "$f" -o "$o/$name.o" || return 1
	done
	"$cc" $kernel_flags -I"$top" -I"$dir/include" -I"$src/drivers/iommu" \
		-c "$top/bench/shim/io_pgtable_arm.c" -o "$o/peer_arm.o" || return 1
	for f in x86_64 vtdss amdv1 riscv64; do
		"$cc" $kernel_flags -I"$top" -I"$dir/include" -I"$src/drivers/iommu/generic_pt/fmt" \
			-DPEER_SOURCE="\"iommu_$f.c\"" "-DPEER_$f" \
			-c "$top/bench/shim/generic_pt.c" -o "$o/peer_$f.o" || return 1
	done
	"$cc" -std=gnu11 -O2 -fno-pie -no-pie -Wall -Wextra -Wno-unused-parameter -I"$top/include" \
		-I"$top" -DCOMPILER="\"$cc\"" "$top/bench/pt_peers.c" "$o"/*.o -pthread -lm -o "$o/pt_peers"
}

# Instructions of one map and one unmap: the slope between two run lengths, so that
# start-up does not count. Zeroing of new tables is memset's and left out.
count() {
	valgrind --tool=callgrind --callgrind-out-file="$dir/callgrind.out" \
		--toggle-collect="$4" "$1" instr "$2" "$3" 1 2>&1 |
		sed -n 's/.*Collected : *\([0-9]*\).*/\1/p'
}

instructions() {
	local names=("1x4K" "16x4K" "256x4K" "512x4K" "512x4K dropped" "1x2M" "16x2M" "1x1G")
	local calls=(2048 496 128 64 64 2048 240 1024) r p m u

	command -v valgrind >/dev/null || { say "no valgrind: instructions are not counted"; return; }
	echo "instructions a call (callgrind, with the caller's loop around it), $2: map/unmap"
	printf '  %-16s' ''
	for p in $peers; do printf ' %13s' "${p%:*}"; done
	echo
	for r in 0 1 2 3 5 6 7; do
		printf '  %-16s' "${names[$r]}"
		for p in $peers; do
			m=$(count "$1" "${p%:*}" "$r" "${p#*:}_map")
			u=$(count "$1" "${p%:*}" "$r" "${p#*:}_unmap")
			printf ' %13s' "$((m / calls[r]))/$((u / calls[r]))"
		done
		echo
	done
}
peers="arm_s1_4k:our io-pgtable-arm:arm x86_64:our generic_pt_x86_64:peer"

need bench
get_source
make_headers
rc=0
for cc in gcc clang; do
	command -v $cc >/dev/null || { say "no $cc: not measured with it"; continue; }
	build $cc || die "$cc cannot build the comparison"
	"$dir/$cc/pt_peers" "$@" || rc=1
	[ $# = 0 ] && instructions "$dir/$cc/pt_peers" $cc
done
exit $rc
