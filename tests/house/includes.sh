#!/bin/sh
# SPDX-License-Identifier: MIT
# A folder includes only what docs/DESIGN.md, "The house", lets it.
. "$(dirname "$0")/lib.sh"

cd "$root" || exit 1
c_files | grep -v -E '^(tests|bench)/' >"${TMPDIR:-/tmp}/house-includes.$$"
house_files | grep -E '\.(h|def|c|inc)$' |
	awk -v files="${TMPDIR:-/tmp}/house-includes.$$" -f "$here/includes.awk"
rc=$?
rm -f "${TMPDIR:-/tmp}/house-includes.$$"
exit $rc
