#!/bin/bash
# SPDX-License-Identifier: MIT
#
# cross.sh - ./dev cross [CPU...]: the library on the CPUs that it is for
#
# For aarch64, riscv64 and x86-64: the freestanding library and host/template, a port
# in which every function is empty, link into a program with nothing from outside;
# and the page-table tests that are quick pass on that CPU, in qemu's user emulation where it is not
# ours. Exit: 0, 1, or 77 after one sentence.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tools/dev/lib.sh"
cd "$top" || exit 1
out=$top/build/cross
cache=
command -v ccache >/dev/null && cache=ccache
export cache
n=0
failed=0

log=$( (need cross) 2>&1) || { printf '%s\n' "$log"; exit 77; }

passed() {
	n=$((n + 1))
	[ "$1" = 0 ] && echo "ok $n - $2" && return
	echo "not ok $n - $2"
	failed=1
}

lib_sources() {
	local room

	for room in src/core src/pt src/smmuv3 src/port; do
		sed "s/#.*//;/^[ 	]*\$/d;s,^,$room/," "$room/SOURCES"
	done
}

# objects DIR CC...: the library's, one after another's name
objects() {
	local dir=$1

	shift
	rm -rf "$dir"
	mkdir -p "$dir"
	lib_sources | xargs -P "$(nproc)" -I{} sh -c '
		o=$1/$(echo "$2" | tr / _).o f=$2; shift 2
		mem=; case $f in src/port/*) mem="-fno-builtin -fno-tree-loop-distribute-patterns" ;; esac
		exec $cache "$@" $mem -c "$f" -o "$o"' sh "$dir" {} "$@"
}

# What an embedder does first: link it into a kernel that has nothing yet.
empty_port() {	# CPU CC...
	local cpu=$1 dir=$out/$1/port

	shift
	objects "$dir" "$@" -std=c11 -ffreestanding -fno-common -O2 -fno-stack-protector -Iinclude &&
		"$@" -std=c11 -ffreestanding -O2 -fno-stack-protector -Iinclude \
			-c host/template/template.c -o "$dir/template.o" &&
		"$@" -std=c11 -ffreestanding -O2 -fno-stack-protector -Iinclude \
			-c tests/cross/empty.c -o "$dir/empty.o" &&
		"$@" -nostdlib -static -Wl,-e,start -Wl,--build-id=none -o "$out/$cpu/empty.elf" "$dir"/*.o
	passed $? "$cpu: links into the empty port"
}

# What a CPU's own tables are; emulated, all of them take minutes.
only() {
	case $1 in aarch64) echo "arm_s1_4k " ;; riscv64) echo "riscv_sv " ;; esac
}

# pt_tests CPU RUN CC...: RUN is the emulator, empty for none
pt_tests() {
	local cpu=$1 run=$2 dir=$out/$1 t args rc

	shift 2
	for t in map unmap golden fail dirty kept noncoherent; do
		args=
		[ "$t" != golden ] || args=$(echo tests/golden/pt-*.txt)
		# shellcheck disable=SC2086
		"$@" -std=gnu11 -O2 -static -w -Itests/cross -Iinclude -I. -o "$dir/pt-$t" "tests/pt/$t.c" \
			"$dir"/port/src_p*.o &&
			PT_ONLY=$(only "$cpu") timeout 240 $run "$dir/pt-$t" $args >"$dir/pt-$t.log" 2>&1
		rc=$?
		passed $rc "$cpu: pt/$t"
		[ "$rc" = 0 ] || tail -n 5 "$dir/pt-$t.log"
	done
}

# Our own CPU needs no emulator.
emulator() {
	[ "$1" = "$(uname -m)" ] || echo "qemu-$1"
}

compiler() {
	[ "$1" = "$(uname -m)" ] && echo gcc || echo "$1-linux-gnu-gcc"
}

[ $# -gt 0 ] || set -- aarch64 riscv64 x86_64
for cpu; do
	command -v "$(compiler $cpu)" >/dev/null || {
		echo "ok $((n += 1)) - $cpu # SKIP no $(compiler $cpu) here"
		continue
	}
	outline=
	[ $cpu != aarch64 ] || outline=-mno-outline-atomics
	# shellcheck disable=SC2086
	empty_port $cpu "$(compiler $cpu)" $outline
	pt_tests $cpu "$(emulator $cpu)" "$(compiler $cpu)"
done
echo "1..$n"
exit $failed
