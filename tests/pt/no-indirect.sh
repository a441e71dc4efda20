#!/bin/sh
# SPDX-License-Identifier: MIT
# The walker must have folded into each instance: no indirect call but the host's, and
# nothing that calls itself.
# usage: no-indirect.sh REPO
#
# A copy of the sources gets its calls of the host turned into calls of functions
# named host_*; every indirect call or jump that is left then is the walker's.
set -eu
repo=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

mkdir "$tmp/src"
cp -R "$repo/src/pt" "$repo/src/port" "$tmp/src"
cat >"$tmp/direct.h" <<'END'
#include <stddef.h>
void *host_table_alloc(void *ctx, size_t bytes);
void *host_table_alloc_raw(void *ctx, size_t bytes);
void host_table_free(void *ctx, void *p, size_t bytes);
void host_cache_clean(void *ctx, const void *p, size_t bytes);
END
sed -i -E 's/\bh(ost)?->(table_alloc|table_alloc_raw|table_free|cache_clean)\(/host_\2(/g' \
	"$tmp/src/pt/walker.h" "$tmp/src/port/port.h"

# indirect calls, and jumps that are not returns
indirect='call +\*|jmp +\*|\*%|\bblr\b|\bbraa?\b|\bbr\s+x|\bjalr\s|\bjr\s+[^r]'
bad=0 checked=0
for cc in gcc clang aarch64-linux-gnu-gcc riscv64-linux-gnu-gcc; do
	command -v "$cc" >/dev/null || { echo "no $cc: not checked with it"; continue; }
	objdump=${cc%gcc}objdump
	[ "$cc" = clang ] && objdump=objdump
	for src in "$tmp"/src/pt/inst/*.c; do
		# one format of each kind with all; every instance with what is shipped
		case ${src##*/}:$cc in
		arm_s2_4k.c:* | amd_v1.c:*) opts='-O1 -O2 -Os' ;;
		*:gcc | *:clang | riscv_sv.c:*) opts=-O2 ;;
		*) continue ;;
		esac
		for opt in $opts; do
			"$cc" -std=c11 -ffreestanding -fno-pic "$opt" -I"$repo/include" \
				-include "$tmp/direct.h" -c "$src" -o "$tmp/o.o"
			# riscv64: auipc + jalr or jr with a relocation is direct
			"$objdump" -dr "$tmp/o.o" | awk '
				/R_RISCV_CALL/ { direct = 1; print; next }
				/jalr|jr/ && direct { direct = 0; next }
				{ print }' >"$tmp/dis"
			# a function that calls itself, by way of others or not: tsort names it
			if ! awk '
				/^[0-9a-f]+ <.*>:$/ { f = $2; gsub(/[<>:]/, "", f); next }
				/<[A-Za-z0-9_]+>/ && /call|jmp|[ \t]bl?[ \t]|jal/ {
					if (match($0, /<[A-Za-z0-9_]+>/)) {
						g = substr($0, RSTART + 1, RLENGTH - 2)
						print f, g == f && !/call|[ \t]bl[ \t]|jal/ ? f "-inside" : g
						if (g == f && /call|[ \t]bl[ \t]|jal/) print f, f "+", f "+", f
					}
				}' "$tmp/dis" | tsort >/dev/null 2>"$tmp/loop"; then
				echo "FAIL $cc $opt ${src##*/}: recursion:"
				cat "$tmp/loop"
				bad=1
			fi
			# the calls of the host must be there, or nothing was checked
			grep -q 'host_table_alloc' "$tmp/dis"
			if grep -E "$indirect" "$tmp/dis"; then
				echo "FAIL $cc $opt ${src##*/}: an indirect call is left"
				bad=1
			fi
			checked=$((checked + 1))
		done
	done
done
echo "$checked objects checked"
exit $bad
