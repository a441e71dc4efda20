#!/bin/sh
# SPDX-License-Identifier: MIT
# man.sh UIOMMU DIRECTORY - each command that explains has a page, with all its options
set -eu
. "$(dirname "$0")/lib.sh"
for page in "$2"/uiommu-*.1; do
	command=${page##*/uiommu-}
	command=${command%.1}
	want 0 "$1" "$command" --help
	for option in $(grep -oE -- '--[a-z][a-z0-9-]+' "$work/out" | sort -u); do
		case $option in --help | --usage | --version) continue ;; esac
		grep -q -- "Fl -${option#--}" "$page" || fail "$page does not have $option"
	done
	command -v mandoc >/dev/null || continue
	want 0 mandoc -T lint -W warning "$page"
done
# every word of the tool has a page, and stands in the one for all
want 0 "$1" --help
for command in $(sed -n 's/^  \([a-z]\{1,\}\) .*/\1/p' "$work/out"); do
	[ -f "$2/uiommu-$command.1" ] || fail "no page for uiommu $command"
	grep -q "It Cm $command\$" "$2/uiommu.1" || fail "uiommu.1 does not have $command"
done
! command -v mandoc >/dev/null || want 0 mandoc -T lint -W warning "$2/uiommu.1"
exit $failed
