#!/bin/sh
# SPDX-License-Identifier: MIT
# What an instance costs: bytes of text and the deepest stack of one call, for each;
# and that Arm stage 2 with 4 KiB stays under 8 KiB where bytes count.
# usage: size.sh REPO
set -eu
repo=$1
cc=aarch64-linux-gnu-gcc
command -v "$cc" >/dev/null || { echo "no $cc: nothing to measure with"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

bad=0
printf '%-16s %8s %8s   (%s -Os)\n' instance text stack "$cc"
for src in "$repo"/src/pt/inst/*.c; do
	name=$(basename "$src" .c)
	"$cc" -std=c11 -ffreestanding -Os -fstack-usage -I"$repo/include" -c "$src" -o o.o
	s=$(aarch64-linux-gnu-size o.o | awk 'NR == 2 { print $1 }')
	stack=$(cat ./*.su | awk -F '\t' '$2 > n { n = $2 } END { print n }')
	if grep -q dynamic ./*.su; then
		echo "FAIL $name: a stack frame without a bound"
		bad=1
	fi
	rm -f ./*.su
	printf '%-16s %8d %8d\n' "$name" "$s" "$stack"
	if [ "$name" = arm_s2_4k ] && [ "$s" -ge 8192 ]; then
		echo "FAIL $name: $s bytes of text, 8192 are too many"
		bad=1
	fi
done
exit $bad
