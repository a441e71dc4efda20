#!/bin/sh
# SPDX-License-Identifier: MIT
# Every file: its licence first, no white space at line ends, a newline at the
# end, nothing that only means something on one machine.
. "$(dirname "$0")/lib.sh"

cd "$root" || exit 1
list=${TMPDIR:-/tmp}/house-text.$$
trap 'rm -f "$list"' EXIT
house_files | grep -v -E '\.(dtb|bin|elf|png)$' >"$list"
wrong=0

# what needs no licence line: prose, data that is compared, dot files
needs_licence() {
	grep -E '(\.(c|h|def|S|ld|dts|sh|awk|py)|meson\.build|^dev|^\.ci/run)$' "$list"
}

report() {	# lines of FILE:LINE:..., one sentence
	[ -n "$1" ] || return
	printf '%s\n' "$1" | sed "s/\$/   <- $2/"
	wrong=$((wrong + $(printf '%s\n' "$1" | wc -l)))
}

report "$(needs_licence | xargs awk '
	FNR <= 2 && /SPDX-License-Identifier: MIT/ { has[FILENAME] = 1 }
	FNR == 1 { all[FILENAME] = 1 }
	END { for (f in all) if (!(f in has)) print f ":1:" }' | sort)" \
	"no SPDX-License-Identifier line on top"
report "$(xargs grep -nIE '[ 	]+$' <"$list" /dev/null | cut -c1-100)" "white space at the end"
report "$(while read -r f; do
	[ -s "$f" ] && [ -n "$(tail -c 1 "$f")" ] && echo "$f:1:"
done <"$list")" "no newline at the end of the file"
report "$(grep -vE '(\.md|\.txt|Makefile)$' "$list" | grep -E '\.(c|h|S)$' |
	xargs grep -nE '^ +[^ *]' /dev/null | cut -c1-100)" "indented with spaces"

# Package archives (they come from the user's own configuration), directories
# and papers that are not part of the checkout.
hosts='[a-z]+[.](debian|ubuntu)[.](org|com)/|snapshot[.]debian'
places='/wor[k]/|/tmp/brie[f]|[^a-z]fact[s]/[a-z]+[.]md|[^a-z]seed[s]/|STYLE[.]m[d]'
report "$(grep -v '^docs/DESIGN.md$' "$list" | xargs grep -nIE "$hosts" /dev/null | cut -c1-120)" \
	"names a package archive"
report "$(xargs grep -nIE "$places" <"$list" /dev/null | cut -c1-120)" \
	"names something outside the checkout"
finish "$wrong" "lines to mend"
