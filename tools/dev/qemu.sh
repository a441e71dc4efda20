#!/bin/bash
# SPDX-License-Identifier: MIT
#
# qemu.sh - ./dev qemu: the driver's object files on QEMU's model of the SMMUv3, and
# that model against ours
#
#   qemu.sh                 all of it
#   qemu.sh sample          all of it, fewer random configurations: ./dev test's part
#   qemu.sh smoke           host/baremetal/qemu-virt-aarch64, booted bare
#   qemu.sh sva             the same; the SMMU walks the CPU's own tables
#   qemu.sh scenarios       tests/scenarios, on QEMU and in a process: the same transcript
#   qemu.sh disk            an NVMe drive behind it: stage 1, stage 2, both
#   qemu.sh small           the build for stage 2 alone, booted
#   qemu.sh differ [COUNT [RUN]]   random configurations through both
#   qemu.sh --seed N [--reads]     one of them, and what both make of it
#   qemu.sh kernel          qemu-kernel.sh: Debian's kernel, and `uiommu walk' of its memory
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

# build NAME [SOURCE...]: build/baremetal/NAME.elf
build() {
	local log

	[ -f "$board/build.sh" ] || skip "this checkout has no $board"
	log=$( (need qemu) 2>&1) || skip "$log"
	[ -n "${qemu:-}" ] || find_qemu
	shift
	mkdir -p "$out"
	"./$board/build.sh" "$out" "$@" >"$out/build.log" 2>&1 ||
		{ tail -n 30 "$out/build.log"; exit 1; }
}

# boot NAME [OPTION...]: what it says on the console; the image's exit code
boot() {
	local name=$1

	shift
	QEMU=$qemu TIMEOUT=300 "./$board/run.sh" "$out/$name.elf" "$@" | tr -d '\r'
	return "${PIPESTATUS[0]}"
}

cases=0
failed=0

# TAP lines, for ./dev test
passed() {	# exit status, what
	cases=$((cases + 1))
	if [ "$1" = 0 ]; then
		echo "ok $cases - $2"
	else
		echo "not ok $cases - $2"
		failed=1
	fi
}

# The numbers of its own lines are made ours.
image() {	# NAME [SOURCE...]
	local rc name=$1

	build "$@"
	say "$("$qemu" --version | head -n 1), -M virt,iommu=smmuv3"
	boot "$name" >"$out/$name.log"
	rc=$?
	grep -vE '^(ok|FAIL) [0-9]+ - ' "$out/$name.log"
	while IFS= read -r line; do
		case $line in ok*) passed 0 "${line#* - }" ;; *) passed 1 "${line#* - }" ;; esac
	done < <(grep -E '^(ok|FAIL) [0-9]+ - ' "$out/$name.log")
	[ "$rc" = 0 ] || passed 1 "$name ends with 0 (124: not in time), not $rc"
}

smoke() {
	image smoke
}

sva() {
	image sva "$top/$board/sva.c"
}

shared="baremetal disk gen differ raw text all driver caches errors"

# The images of tests/scenarios, and the process that plays the same.
scenario_image() {
	[ -z "${have_image:-}" ] || return
	# shellcheck disable=SC2086
	build baremetal $(printf "$top/tests/scenarios/%s.c " $shared)
	configure release &&
		ninja_quiet release tests/scenarios/compare tests/scenarios/transcript \
			tests/scenarios/image || exit 1
	have_image=1
}

compare=build/release/tests/scenarios/compare

# differ COUNT RUN READS: the lines are kept for a look
differ() {
	local log=$out/differ.$2.$3.log rc options=

	scenario_image
	# the engine takes 100 ms of the machine's time for a DMA, an instruction here 1 us
	[ "$3" = 0 ] || options="-icount shift=10"
	# shellcheck disable=SC2086
	boot baremetal $options -append "differ run=$2 count=$1 reads=$3" >"$log" 2>"$out/qemu.err"
	rc=$?
	[ "$rc" = 0 ] && [ "$(tail -n 1 "$log")" = end ]
	passed $? "QEMU lives through $1 random configurations ($([ "$3" = 0 ] && echo writes ||
		echo reads), run $2)"
	[ "$rc" = 0 ] || tail -n 3 "$out/qemu.err"
	"$compare" "$2" "$3" <"$log" >"$log.result"
	rc=$?
	cat "$log.result"
	passed $rc "no difference that is not explained"
}

# The lines of both; what differs must be what is listed, to the last line.
scenarios() {
	local rc

	scenario_image
	boot baremetal -append scenarios >"$out/scenarios.qemu" 2>"$out/qemu.err"
	rc=$?
	[ "$rc" = 0 ] || tail -n 3 "$out/qemu.err"
	build/release/tests/scenarios/transcript >"$out/scenarios.ours"
	diff "$out/scenarios.ours" "$out/scenarios.qemu" | grep '^[<>]' >"$out/scenarios.diff"
	grep '^[<>]' tests/scenarios/differences.txt | diff - "$out/scenarios.diff"
	passed $? "the scenarios: $(wc -l <"$out/scenarios.qemu") lines on QEMU, $(grep -c '^[<>]' \
		tests/scenarios/differences.txt) listed differences"
	passed $rc "and an end"
}

# The build for stage 2 alone boots, too. "./dev size" tells its size.
small() {
	LIBFLAGS="-DUIOMMU_CONFIG_STAGE2_ONLY -flto" LEAVE_OUT=$top/src/smmuv3/SMALL \
		INSTEAD=src/smmuv3/absent.c OPT=-Os image small "$top/tests/scenarios/small.c"
}

# A disk that we made is read through stage 1, stage 2 and both, and written back.
disk() {
	local file=$out/disk.img sum log=$out/disk.log rc way

	scenario_image
	sum=$(build/release/tests/scenarios/image make "$file" "$run") || die "no room for $file"
	DISK=$file boot baremetal -append disk >"$log" 2>"$out/qemu.err"
	rc=$?
	cat "$log"
	for way in "stage 1" "stage 2" both; do
		grep -qx "$way: sum $sum, written back" "$log" && grep -qx "$way: 0 faults" "$log"
		passed $? "NVMe through $way reads what was put there, $sum"
		grep -qx "$way: a block to a page that is not mapped: faults" "$log"
		passed $? "and nothing else"
	done
	build/release/tests/scenarios/image check "$file"
	passed $? "what it wrote is in the image"
	[ "$rc" = 0 ] && grep -qx "0 allocations are left" "$log"
	passed $? "and it ends"
}

one_seed() {
	scenario_image
	"$compare" --show "$1" "$2"
	# shellcheck disable=SC2046
	echo "QEMU: $(boot baremetal $([ "$2" = 0 ] || echo -icount shift=10) \
		-append "differ seed=$1 reads=$2" | sed -n 's/^c 0 //p')"
}

finish() {
	echo "1..$cases"
	exit "$failed"
}

out=$top/build/baremetal
run=${UIOMMU_SEED:-1}
case ${1:-all} in
smoke) smoke ;;
sva) sva ;;
kernel)
	find_qemu
	QEMU=$qemu exec "$top/tools/dev/qemu-kernel.sh" ;;
scenarios) scenarios ;;
disk) disk ;;
small) small ;;
differ) differ "${2:-20000}" "${3:-$run}" 0 ;;
--seed)
	[ $# -gt 1 ] || die "--seed wants a number"
	one_seed "$2" "$([ "${3:-}" = --reads ] && echo 1 || echo 0)"
	exit ;;
sample)
	smoke
	sva
	scenarios
	disk
	small
	differ 5000 "$run" 0
	differ 40 "$run" 1 ;;
all)
	smoke
	sva
	scenarios
	disk
	small
	differ 25000 "$run" 0
	differ 300 "$run" 1 ;;
*) die "usage: ./dev qemu [sample | smoke | sva | scenarios | disk | small | kernel | differ [COUNT [RUN]] | --seed N [--reads]]" ;;
esac
finish
