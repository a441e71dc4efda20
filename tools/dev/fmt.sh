#!/bin/bash
# SPDX-License-Identifier: MIT
#
# fmt.sh - ./dev fmt: clang-format on the lines that you changed, and only those
#
#   fmt.sh           the changes that are not committed yet
#   fmt.sh --check   says what it would change, changes nothing

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tools/dev/lib.sh"
cd "$top" || exit 1
check=
case ${1:-} in
--check) check=1 ;;
'') ;;
*) die "usage: ./dev fmt [--check]" ;;
esac
git rev-parse HEAD >/dev/null 2>&1 || die "there is no commit yet to compare with"

# --lines=FROM:TO for each hunk of what differs from the last commit
lines() {
	git diff -U0 HEAD -- "$1" | sed -n 's/^@@ -[^ ]* +\([0-9]*\)\(,\([0-9]*\)\)\{0,1\} @@.*/\1 \3/p' |
		awk '{ n = NF > 1 ? $2 : 1; if (n) print "--lines=" $1 ":" $1 + n - 1 }'
}

rc=0
while IFS= read -r f; do
	if git ls-files --error-unmatch "$f" >/dev/null 2>&1; then
		mapfile -t where < <(lines "$f")
		[ ${#where[@]} -gt 0 ] || continue
	else
		where=()
	fi
	if [ -n "$check" ]; then
		clang-format "${where[@]}" "$f" | diff -u --label "$f" --label "$f formatted" "$f" - || rc=1
	else
		clang-format -i "${where[@]}" "$f"
	fi
done < <({ git diff --name-only --diff-filter=d HEAD; git ls-files --others --exclude-standard; } |
	grep -E '\.(c|h)$' | sort -u)
exit $rc
