#!/bin/sh
# SPDX-License-Identifier: MIT
# The first C block of README.md, on standard output.
exec awk '/^```c$/ { on = 1; next } /^```$/ { if (on) exit } on' "$1"
