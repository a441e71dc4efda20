#!/bin/bash
# SPDX-License-Identifier: MIT
#
# works.sh - docs/works.txt as README's table
#
#   works.sh            prints the table
#   works.sh --readme   puts it into README.md
#   works.sh --check    exit 1 unless README.md has it and every case it names exists

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
file=$top/docs/works.txt

table() {
	awk -F' [|] ' '
		function flush() {
			if (area != "")
				printf "| %s | %s | %s |\n", area, yes, no
			yes = no = ""
		}
		/^= / { flush(); area = substr($0, 3) }
		/^[+] / { yes = yes (yes ? "; " : "") substr($1, 3) }
		/^- / { no = no (no ? "; " : "") substr($0, 3) }
		BEGIN { print "| | works | not yet |\n|---|---|---|" }
		END { flush() }' "$file"
}

# A case is a word in a test's source, or a word of ./dev with its argument.
missing_cases() {
	sed -n 's/^+ .* | //p' "$file" | while read -r name; do
		case $name in
		*" "*) [ -x "$top/tools/dev/${name%% *}.sh" ] || echo "$name" ;;
		*) grep -rqw -- "$name" "$top/tests" || echo "$name" ;;
		esac
	done
}

with_table() {
	awk -v table="$(table)" '
		/^<!-- works: end -->$/ { skip = 0 }
		!skip
		/^<!-- works: begin -->$/ { print table; skip = 1 }' "$top/README.md"
}

case ${1:-} in
'') table ;;
--readme) with_table >"$top/README.md.new" && mv "$top/README.md.new" "$top/README.md" ;;
--check)
	missing=$(missing_cases)
	[ -z "$missing" ] || { echo "docs/works.txt names cases that do not exist: $missing"; exit 1; }
	with_table | cmp -s - "$top/README.md" ||
		{ echo "README.md: the table is out of date; tools/dev/works.sh --readme"; exit 1; } ;;
*) echo "works.sh: no such option: $1" >&2; exit 2 ;;
esac
