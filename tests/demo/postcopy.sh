#!/bin/sh
# SPDX-License-Identifier: MIT
# postcopy.sh UIOMMU POSTCOPY MACHINE - a program that serves a device's page requests
# finds all as it should be, and no fault is told of pages that came
set -eu
. "$(dirname "$0")/common.sh"

command -v dtc >/dev/null || { echo "there is no dtc"; exit 77; }
want 0 "$1" run --quiet --show --machine "$3" -- "$2"
says out "all well"
says out "48 pages fetched"
[ "$(grep -c '^ok' "$work/out")" -eq 15 ] || fail "$(grep -c '^ok' "$work/out") checks, not 15"
nothing_left "the demo"
exit $failed
