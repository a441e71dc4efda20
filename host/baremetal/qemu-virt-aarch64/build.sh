#!/bin/sh
# SPDX-License-Identifier: MIT
# usage: build.sh OUTDIR [SOURCE...]     makes OUTDIR/smoke.elf
#
# Other SOURCEs, with a main() and what it needs, in place of smoke.c: OUTDIR/NAME.elf,
# where NAME is that of the first without its ending.
#
# The library's part are the same sources, from the same SOURCES lists and with the
# same language flags as everywhere, compiled for this CPU. $CC may be clang. $LIBFLAGS
# are more flags for everything, $LEAVE_OUT is a file that lists sources of it to leave
# out, $INSTEAD are sources that stand in for them: how an embedder makes it smaller.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
out=$1
shift
[ $# -gt 0 ] || set -- "$here/smoke.c"
cc=${CC:-aarch64-linux-gnu-gcc}
if command -v ccache >/dev/null; then cache=ccache; else cache=; fi
ld=${LD:-aarch64-linux-gnu-ld}

# freestanding_args of the top meson.build
lib="-std=c11 -ffreestanding -fno-common"
cpu="-fno-pic -fno-stack-protector -mstrict-align -mgeneral-regs-only ${OPT:--O2}"
warn="-Wall -Wextra -Werror -Wno-unused-parameter"
case $cc in
*clang*) cpu="$cpu --target=aarch64-none-elf" mem="-fno-builtin" ;;
*) cpu="$cpu -mno-outline-atomics" mem="-fno-builtin -fno-tree-loop-distribute-patterns" ;;
esac

name=$(basename "$1")
name=${name%.*}
obj=$out/$name.obj
rm -rf "$obj"
mkdir -p "$obj/lib" "$obj/board"

# one line a file: object, source, flags of its own
{
	for room in src/core src/pt src/smmuv3 src/port; do
		extra=${LIBFLAGS:-}
		# what compilers call on their own they must find in an object of its own
		[ $room = src/port ] && extra="$extra $mem -fno-lto"
		sed 's/#.*//;/^[ 	]*$/d' "$top/$room/SOURCES" | while read -r f; do
			[ -z "${LEAVE_OUT:-}" ] || ! grep -qx "$room/$f" "$LEAVE_OUT" || continue
			echo "$obj/lib/$(echo "$room/${f%.c}" | tr / _).o $top/$room/$f $extra"
		done
	done
	for f in ${INSTEAD:-}; do
		echo "$obj/lib/$(basename "${f%.c}").o $top/$f ${LIBFLAGS:-}"
	done
	for f in start.S board.c dt.c gic.c pci.c edu.c nvme.c host.c; do
		echo "$obj/board/${f%.*}.o $here/$f ${LIBFLAGS:-}"
	done
	for f; do
		echo "$obj/board/$(basename "${f%.*}").o $f -I$top -I$here ${LIBFLAGS:-}"
	done
} | sed 's,  *$,,' | xargs -P "$(nproc)" -L 1 sh -c '
	o=$1 f=$2; shift 2
	exec $0 "$@" -c "$f" -o "$o"' "$cache $cc $lib $cpu $warn -I$top/include"

case " ${LIBFLAGS:-} " in
*" -flto "*)	# the compiler links, and start.S is where it begins
	# shellcheck disable=SC2086
	"$cc" $lib $cpu $LIBFLAGS -nostdlib -static -Wl,--gc-sections -Wl,--build-id=none \
		-Wl,--no-warn-rwx-segments -Wl,-T,"$here/link.ld" -o "$out/$name.elf" \
		"$obj"/board/*.o "$obj"/lib/*.o ;;
*)
	"$ld" -T "$here/link.ld" --no-warn-rwx-segments -o "$out/$name.elf" \
		"$obj"/board/*.o "$obj"/lib/*.o ;;
esac

# what the library brings into this image
if command -v size >/dev/null; then
	size -t "$obj"/lib/*.o | awk 'END { printf "library: %d bytes of text, %d of data\n", $1, $2 + $3 }'
fi
