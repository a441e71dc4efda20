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
exit $failed
