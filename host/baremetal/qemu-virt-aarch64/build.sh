#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: build.sh OUTDIR [CC [LD]]     makes OUTDIR/smoke.elf
#
# The library's part are the same sources, from the same SOURCES lists and with the
# same language flags as everywhere, compiled for this CPU. CC may be clang.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
out=$1
cc=${2:-aarch64-linux-gnu-gcc}
ld=${3:-aarch64-linux-gnu-ld}

# freestanding_args of the top meson.build
lib="-std=c11 -ffreestanding -fno-common"
cpu="-O2 -fno-pic -fno-stack-protector -mstrict-align -mgeneral-regs-only"
warn="-Wall -Wextra -Werror -Wno-unused-parameter"
case $cc in
*clang*) cpu="$cpu --target=aarch64-none-elf" mem="-fno-builtin" ;;
*) cpu="$cpu -mno-outline-atomics" mem="-fno-builtin -fno-tree-loop-distribute-patterns" ;;
esac

mkdir -p "$out"
rm -rf "$out/lib" "$out/board"
mkdir "$out/lib" "$out/board"
for room in src/core src/pt src/smmuv3 src/port; do
	extra=
	[ $room = src/port ] && extra=$mem
	while read -r f; do
		case $f in '' | '#'*) continue ;; esac
		o=$out/lib/$(echo "$room/${f%.c}" | tr / _).o
		# shellcheck disable=SC2086
		"$cc" $lib $cpu $warn $extra -I"$top/include" -c "$top/$room/$f" -o "$o"
	done <"$top/$room/SOURCES"
done
for f in start.S board.c pci.c host.c smoke.c; do
	# shellcheck disable=SC2086
	"$cc" $lib $cpu $warn -I"$top/include" -c "$here/$f" -o "$out/board/${f%.*}.o"
done
"$ld" -T "$here/link.ld" --no-warn-rwx-segments -o "$out/smoke.elf" "$out"/board/*.o "$out"/lib/*.o

# what the library brings into this image
if command -v size >/dev/null; then
	size -t "$out"/lib/*.o | awk 'END { printf "library: %d bytes of text, %d of data\n", $1, $2 + $3 }'
fi
