#!/bin/bash
# SPDX-License-Identifier: MIT
#
# fuzz.sh - ./dev fuzz: libFuzzer with ASan and UBSan on the software SMMUv3, on page
# tables, on a driver with a guest that wants out, on command queues in a guest's hands, and
# on both
#
#   fuzz.sh [TARGET...] [--time SECONDS] [--merge]
#
# TARGET: regs, tables, device, pt, guest, queues, cmdqv (default: all, one after the other, 60 s each). What
# is found new stays in build/fuzz; --merge makes tests/fuzz/corpus the
# smallest set that reaches as much. A crash is printed with its file, and
# running build/fuzz/TARGET FILE does it again.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tools/dev/lib.sh"
cd "$top" || exit 1
seconds=60
merge=
targets=()
while [ $# -gt 0 ]; do
	case $1 in
	--time) seconds=${2:?--time needs seconds}; shift ;;
	--time=*) seconds=${1#--time=} ;;
	--merge) merge=1 ;;
	regs | tables | device | pt | guest | queues | cmdqv) targets+=("$1") ;;
	*) die "usage: ./dev fuzz [regs|tables|device|pt|guest|queues|cmdqv]... [--time SECONDS] [--merge]" ;;
	esac
	shift
done
[ ${#targets[@]} -gt 0 ] || targets=(regs tables device pt guest queues cmdqv)
command -v clang >/dev/null || need test
out=build/fuzz
mkdir -p "$out"
rc=0

# the smallest set that reaches as much, as hex, a line each
merge_into() {
	local counters

	rm -rf "$out/merged-$1"
	mkdir -p "$out/merged-$1"
	# fifteen instances of the same code, a driver and what it drives: how often a line
	# runs is not worth a file
	case $1 in pt | cmdqv) counters=0 ;; esac
	"$out/$1" -merge=1 -use_counters="${counters:-1}" -max_len=4096 \
		"$out/merged-$1" "$out/corpus-$1" >>"$out/$1.log" 2>&1 || return 1
	for f in "$out/merged-$1"/*; do
		od -An -v -tx1 "$f" | tr -d ' \n'
		echo
	done >"tests/fuzz/corpus/$1.hex"
}

library() {
	local room

	for room in src/{core,smmuv3,pt,port}; do
		sed "s,^,$room/," "$room/SOURCES"
	done
}

# what a target is made of, and how long its inputs are
sources_of() {
	case $1 in
	pt) echo tests/fuzz/pt.c src/pt/*.c src/pt/inst/*.c -lcmocka ;;
	queues) echo tests/fuzz/queues.c sim/smmuv3/*.c ;;
	guest | cmdqv) echo "tests/fuzz/$1.c" $(library) sim/smmuv3/*.c -lcmocka ;;
	*) echo tests/fuzz/sim.c sim/smmuv3/*.c sim/dev/atc.c ;;
	esac
}

for t in "${targets[@]}"; do
	src=$(sources_of "$t")
	max=16384 hang=10
	[ "$t" != pt ] || max=768 hang=60
	[ "$t" != cmdqv ] || max=4096
	clang -g -O1 -std=gnu11 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-DTARGET="${t^^}" -Iinclude -I. $src -o "$out/$t" || exit 1
	clang -O1 -std=gnu11 -DTARGET="${t^^}" -Iinclude -I. tests/fuzz/replay.c $src \
		-o "$out/replay-$t" || exit 1
	mkdir -p "$out/corpus-$t"
	"$out/replay-$t" "tests/fuzz/corpus/$t.hex" "$out/corpus-$t"
	say "fuzz $t, $seconds s"
	"$out/$t" -max_total_time="$seconds" -max_len=$max -timeout=$hang -print_final_stats=1 \
		-artifact_prefix="$out/crash-$t-" "$out/corpus-$t" >"$out/$t.log" 2>&1 || rc=1
	grep -E 'ERROR|SUMMARY|Test unit|number_of_exec|new_units|runtime error' "$out/$t.log"
	grep -E 'cov:' "$out/$t.log" | tail -1
	[ -z "$merge" ] || merge_into "$t" || rc=1
done
exit "$rc"
