#!/bin/sh
# SPDX-License-Identifier: MIT
# 0x40012345 lies 0x12345 into a 2 MiB page that is mapped to 0x80200000.
got=$("$1") || { echo "$1: exit $?"; exit 1; }
[ "$got" = "0x80212345" ] || { echo "$1 printed: $got"; exit 1; }
