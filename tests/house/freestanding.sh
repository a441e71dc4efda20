#!/bin/sh
# SPDX-License-Identifier: MIT
# include/ and the freestanding folders compile without a C library, for each
# architecture, with each compiler that is here; and the objects of all of them
# together want nothing from outside but what compilers call on their own.
. "$(dirname "$0")/lib.sh"

cd "$root" || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
flags="-std=c11 -ffreestanding -fno-common -O2 -Wall -Wextra -Wvla -Wmissing-prototypes
	-Wstrict-prototypes -Werror -Wno-unused-parameter -Iinclude -I."

sources() {
	for list in src/core/SOURCES src/pt/SOURCES src/smmuv3/SOURCES src/port/SOURCES; do
		[ -f "$list" ] || continue
		sed 's/#.*//;/^[ 	]*$/d' "$list" | while read -r f; do
			echo "${list%/*}/$f"
		done
	done
}

# Every public header alone, and twice.
headers() {
	find include -name '*.h' | sort | while read -r h; do
		f=$tmp/$(echo "$h" | tr /. __).c
		printf '#include <%s>\n#include <%s>\nextern int unused;\n' \
			"${h#include/}" "${h#include/}" >"$f"
		echo "$f"
	done
}

# The compiler's own headers, the C library's not.
compiler() {
	case $1 in
	clang-*) echo "clang --target=${1#clang-}-none-elf -nostdlibinc" ;;
	gcc-*)
		if [ "${1#gcc-}" = "$(uname -m)" ]; then
			cc=gcc
		else
			cc=${1#gcc-}-linux-gnu-gcc
		fi
		command -v "$cc" >/dev/null || return 1
		echo "$cc -nostdinc -isystem $("$cc" -print-file-name=include)" ;;
	esac
}

# mem* by any compiler; on aarch64 gcc, atomics that ask which CPU this is; the
# linker's own table where position-independent code is the default
outside='^(mem(cpy|set|move|cmp)|__aarch64_[a-z]+[0-9]+_[a-z_]+|_GLOBAL_OFFSET_TABLE_)$'

{ sources; headers; } >"$tmp/list"
n=0
wrong=0
echo "1..6"
for c in gcc-x86_64 gcc-aarch64 gcc-riscv64 clang-x86_64 clang-aarch64 clang-riscv64; do
	n=$((n + 1))
	cc=$(compiler "$c")
	if [ -z "$cc" ] || ! command -v "${cc%% *}" >/dev/null; then
		echo "ok $n - $c # SKIP no such compiler here"
		continue
	fi
	mkdir "$tmp/$c"
	# shellcheck disable=SC2016
	if ! xargs -P "$(nproc)" -I{} sh -c '
		o=$1/$(echo "$2" | tr / _).o; shift 2
		"$@" -c -o "$o"' sh "$tmp/$c" {} $cc $flags {} <"$tmp/list" >"$tmp/$c.log" 2>&1; then
		head -n 30 "$tmp/$c.log"
		echo "not ok $n - $c compiles"
		wrong=$((wrong + 1))
		continue
	fi
	nm -u "$tmp/$c"/src_*.o 2>/dev/null | awk '/^ +U /{ print $2 }' | sort -u >"$tmp/undefined"
	nm --defined-only "$tmp/$c"/src_*.o 2>/dev/null | awk 'NF == 3 { print $3 }' |
		sort -u >"$tmp/defined"
	want=$(comm -23 "$tmp/undefined" "$tmp/defined" | grep -v -E "$outside")
	if [ -n "$want" ]; then
		echo "$want"
		echo "not ok $n - $c needs the above from outside"
		wrong=$((wrong + 1))
	else
		echo "ok $n - $c: $(wc -l <"$tmp/list") files"
	fi
done
[ "$wrong" = 0 ]
