#!/bin/bash
# SPDX-License-Identifier: MIT
#
# hostile.sh - ./dev hostile: the driver on hardware that tries to catch it out
#
#   hostile.sh [--seeds N] [--first N] [--steps N] [--jobs N] [--quick]
#   hostile.sh --seed N [--steps N] [--keep LIST] [--log]
#   hostile.sh --liberties
#
# A seed decides who runs when, which store is seen when, and what hardware does.
# Without arguments: 200 seeds of 2000 steps. docs/TESTING.md says more.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tools/dev/lib.sh"
cd "$top" || exit 1
[ -x build/release/tests/hostile/hostile ] || need test
configure release && ninja_quiet release tests/hostile/hostile || exit 1
exec build/release/tests/hostile/hostile "$@"
