#!/bin/sh
# SPDX-License-Identifier: MIT
# exports.sh EXPORTS library: the library exports what the list says, and no more
grep -v '^#' "$1" | sort >"${TMPDIR:-/tmp}/uiommu-exports.$$"
nm -D --defined-only "$2" | awk '{ sub(/@.*/, "", $3); print $3 }' | sort |
	diff "${TMPDIR:-/tmp}/uiommu-exports.$$" -
status=$?
rm -f "${TMPDIR:-/tmp}/uiommu-exports.$$"
exit $status
