#!/bin/sh
# SPDX-License-Identifier: MIT
# embed.sh FILE NAME - prints FILE as a C array
set -eu
printf '/* made from %s by machine/embed.sh */\n' "$(basename "$1")"
printf 'static const unsigned char %s[] = {\n' "$2"
od -An -v -tx1 "$1" | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g; s/^/\t/'
printf '};\n'
