#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bench.sh - ./dev bench [WHAT...]: the numbers of bench/, one after another
#
# Each is a benchmark() of bench/meson.build and prints its own lines; WHAT is
# part of a name.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tools/dev/lib.sh"

need bench
build_all release || exit 1
names=()
while read -r name; do
	for what in "${@:-}"; do
		case $name in *"$what"*) names+=("$name") ;; esac
	done
done < <(meson test -C "$top/build/release" --benchmark --no-rebuild --list 2>/dev/null |
	sed 's/^.* \/ //')
[ ${#names[@]} -gt 0 ] || die "no benchmark has a name with: $*"
for name in "${names[@]}"; do
	say "$name"
	meson test -C "$top/build/release" --benchmark --no-rebuild --verbose "$name" |
		sed -n '/^[^ ]*―\|^―/d;p' | grep -v -E '^(ninja|[0-9]+/[0-9]+ |▶|Full log|Ok:|Fail|Expected|Unexpected|Skipped|Timeout|$)'
	[ "${PIPESTATUS[0]}" = 0 ] || failed=1
done
# beside Linux's; without its sources that is said, and nothing has failed
for what in "${@:-pt}"; do
	[ "$what" = pt ] || continue
	"$top/tools/dev/bench-pt.sh"
	case $? in 0 | 77) ;; *) failed=1 ;; esac
done
exit "${failed:-0}"
