#!/bin/bash
# SPDX-License-Identifier: MIT
#
# size.sh - ./dev size: what the freestanding library takes, by flavour
#
# Text (code and constants) and data of what is linked: -Os for aarch64, sections that
# nothing refers to are dropped, nothing but the library counts. Stack: the deepest way
# from a public function, by the compiler's own numbers; a call through a pointer counts
# as the deepest function of a table format or of the driver; the host's are not in.
# "lto": the same with link-time optimization. Exit 1: stage 2 alone is too large.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tools/dev/lib.sh"
cd "$top" || exit 1
out=$top/build/size
export CCACHE_DISABLE=1		# it keeps no call graphs
limit=32768

log=$( (need qemu) 2>&1) || { printf '%s\n' "$log"; exit 77; }
cc=aarch64-linux-gnu-gcc
flags="-std=c11 -ffreestanding -fno-common -Os -ffunction-sections -fdata-sections
	-fno-asynchronous-unwind-tables -fno-unwind-tables -fno-pic -fno-stack-protector
	-mstrict-align -mgeneral-regs-only -mno-outline-atomics -Iinclude"

all() {
	local room

	for room in src/core src/pt src/smmuv3 src/port; do
		sed "s/#.*//;/^[ 	]*\$/d;s,^,$room/," "$room/SOURCES"
	done
}

# what a flavour is made of, and what its embedder calls
sources() {
	case $1 in
	everything) all ;;
	tables) all | grep -E '^src/(port/|pt/gather|pt/inst/arm_s1_4k\.c)' ;;
	driver) all | grep -vE '^src/(core/(dma|iova|pci)|pt/inst/(amd|riscv|vtd|x86|.*_52))' ;;
	stage2) all | grep -vxFf src/smmuv3/SMALL; echo src/smmuv3/absent.c ;;
	esac
}

lifecycle="uiommu_create uiommu_destroy uiommu_smmuv3_probe uiommu_smmuv3_remove uiommu_smmuv3_poll
	uiommu_device_add uiommu_device_remove uiommu_domain_alloc_paging uiommu_domain_free
	uiommu_map uiommu_unmap uiommu_iova_to_phys uiommu_attach_device_pasid
	uiommu_detach_device_pasid uiommu_replace_device_pasid uiommu_domain_identity
	uiommu_domain_blocked"

roots() {
	case $1 in
	everything) nm -g --defined-only "$out/$1"/*.o | awk 'NF == 3 { print $3 }' | sort -u ;;
	tables) echo uiommu_pt_arm_s1_4k_ops ;;
	*) echo "$lifecycle" ;;
	esac
}

compile() {	# DIR FLAVOUR FLAGS...
	local dir=$1

	sources "$2" | xargs -P "$(nproc)" -I{} sh -c '
		o=$1/$(echo "$2" | tr / _).o f=$2; shift 2
		case $f in src/port/*) set -- "$@" -fno-lto -fno-builtin -fno-tree-loop-distribute-patterns ;; esac
		exec "$@" -c "$f" -o "$o"' sh "$dir" {} $cc $flags "${@:3}"
}

# the text and data of FLAVOUR
linked() {
	local dir=$out/$1 r
	local -a u=()

	shift
	for r in $(roots "${dir##*/}"); do
		u+=("-Wl,-u,$r")
	done
	$cc $flags "$@" -nostdlib -static -Wl,--gc-sections -Wl,--build-id=none -Wl,-e,0 \
		-Wl,--unresolved-symbols=ignore-all "${u[@]}" -o "$dir/all.elf" "$dir"/*.o 2>"$dir/log" ||
		return
	size "$dir/all.elf" | awk 'NR == 2 { print $1, $2 + $3 }'
}

# The deepest stack from one of the roots, of the compiler's call graphs.
deepest() {
	cat "$1"/*.ci | roots="$(roots "${1##*/}")" awk '
		function deep(f,   i, d, best, n, t) {
			if (f in memo)
				return memo[f]
			if (busy[f])
				return 0
			busy[f] = 1
			n = split(calls[f], t, " ")
			for (i = 1; i <= n; i++) {
				d = t[i] == "__indirect_call" ? most[room[f]] : deep(t[i])
				if (d > best)
					best = d
			}
			busy[f] = 0
			return memo[f] = frame[f] + best
		}
		match($0, /title: "[^"]*"/) {
			f = substr($0, RSTART + 8, RLENGTH - 9)
			if (match($0, /[0-9]+ bytes/))
				frame[f] = substr($0, RSTART, RLENGTH) + 0
			if (match($0, /src\/[a-z0-9]+\//))
				room[f] = substr($0, RSTART, RLENGTH)
		}
		/^edge:/ {
			match($0, /sourcename: "[^"]*"/); a = substr($0, RSTART + 13, RLENGTH - 14)
			match($0, /targetname: "[^"]*"/); b = substr($0, RSTART + 13, RLENGTH - 14)
			calls[a] = calls[a] " " b
		}
		END {
			# through pointers the core calls the driver, and that calls the tables
			for (f in frame)
				if (room[f] == "src/pt/" && deep(f) > most["src/smmuv3/"])
					most["src/smmuv3/"] = deep(f)
			delete memo
			for (f in frame)
				if (room[f] == "src/smmuv3/" && deep(f) > most["src/core/"])
					most["src/core/"] = deep(f)
			delete memo
			n = split(ENVIRON["roots"], r, /[ \t\n]+/)
			worst = 0
			for (f in frame)
				for (i = 1; i <= n; i++)
					if ((f == r[i] || r[i] ~ /_ops$/) && deep(f) > worst)
						worst = deep(f)
			print worst
		}'
}

row() {	# FLAVOUR NAME FLAGS...
	local dir=$out/$1 plain lto stack

	rm -rf "$dir"
	mkdir -p "$dir"
	compile "$dir" "$1" -fcallgraph-info=su "${@:3}" || exit 1
	plain=$(linked "$1" "${@:3}")
	stack=$(deepest "$dir")
	rm -f "$dir"/*.o
	compile "$dir" "$1" -flto "${@:3}" || exit 1
	[ "$1" = everything ] && lto=- || lto=$(linked "$1" -flto "${@:3}")
	printf '%-44s %8s %6s %8s %6s\n' "$2" "${plain% *}" "${plain#* }" "${lto% *}" "$stack"
	small=${lto% *}
}

printf '%-44s %8s %6s %8s %6s\n' flavour text data "lto text" stack
row everything "everything"
row tables "page tables alone, one instance"
row driver "driver and core, Arm's tables"
row stage2 "driver and core, stage 2 alone (SMALL)" -DUIOMMU_CONFIG_STAGE2_ONLY
[ "$small" -lt "$limit" ] && exit
echo "stage 2 alone: $small bytes of text, $limit is the limit"
exit 1
