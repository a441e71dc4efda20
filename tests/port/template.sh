#!/bin/sh
# SPDX-License-Identifier: MIT
# host/template compiles for every CPU, with nothing from outside. (That the library
# too wants nothing but mem* is house/freestanding's to check.)
# usage: template.sh REPO
set -eu
repo=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
built=0

build() {	# CC FLAGS...
	command -v "$1" >/dev/null || { echo "no $1, left out"; return 0; }
	"$@" -std=c11 -ffreestanding -fno-common -fno-stack-protector -O2 -Wall -Wextra -Werror \
		-Wno-unused-parameter -I"$repo/include" -c "$repo/host/template/template.c" \
		-o "$tmp/template.o"
	if nm -u "$tmp/template.o" | grep -v -E ' (memset|memcpy)$' | grep .; then
		echo "$*: wants the above"
		exit 1
	fi
	echo "$*: compiles"
	built=$((built + 1))
}

build gcc
build clang
build aarch64-linux-gnu-gcc
build clang --target=aarch64-none-elf
build riscv64-linux-gnu-gcc
build clang --target=riscv64-none-elf
[ "$built" -gt 0 ] || { echo "no compiler at all"; exit 77; }
