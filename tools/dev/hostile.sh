#!/bin/bash
# SPDX-License-Identifier: MIT
#
# hostile.sh - ./dev hostile: the driver on hardware that tries to catch it out
#
#   hostile.sh [--seeds N] [--first N] [--steps N] [--jobs N] [--quick]
#   hostile.sh --seed N [--steps N] [--keep LIST] [--log]
#   hostile.sh --fail-each [--seeds N] [--steps N]
#   hostile.sh --servers [as the first two]
#   hostile.sh --calls [as the first two]
#   hostile.sh --liberties
#   hostile.sh --mutants [--seeds N] [--first N] [--jobs N] [--only NAME,...] [--sample N]
#   hostile.sh --sample
#
# A seed decides who runs when, which store is seen when, and what hardware does.
# Without arguments: 200 seeds of 2000 steps. --mutants puts one mistake after the
# other into a copy of the driver: each has to be caught, which takes half an hour
# with two jobs. --sample is what ./dev test runs: two minutes of both. --servers: programs that call the iommufd and VFIO servers,
# in place of the driver's own callers. --calls: any call of the library beside any
# other. docs/TESTING.md says more.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tools/dev/lib.sh"
cd "$top" || exit 1
[ -x build/release/tests/hostile/hostile ] || need test
for word; do
	[ "$word" != --mutants ] || exec tools/dev/hostile-mutants.py "${@/#--mutants/--steps=2000}"
done
program=hostile
case ${1-} in --servers|--calls) program=${1#--} && shift;; esac
configure release && ninja_quiet release tests/hostile/$program || exit 1
[ "${*-}" = --sample ] || exec build/release/tests/hostile/$program "$@"
build/release/tests/hostile/hostile --seeds 800 --jobs 2 || exit 1
exec tools/dev/hostile-mutants.py --jobs 2 --sample 9
