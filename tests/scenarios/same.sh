#!/bin/sh
# SPDX-License-Identifier: MIT
# The shared scenarios come to what they came to before: TRANSCRIPT >transcript.txt if a
# change is meant. usage: same.sh TRANSCRIPT FILE
"$1" >"${TMPDIR:-/tmp}/transcript.$$"
rc=$?
if [ $rc = 0 ]; then
	diff "$2" "${TMPDIR:-/tmp}/transcript.$$" | head -n 40
	cmp -s "$2" "${TMPDIR:-/tmp}/transcript.$$"
	rc=$?
else
	tail -n 1 "${TMPDIR:-/tmp}/transcript.$$"
fi
rm -f "${TMPDIR:-/tmp}/transcript.$$"
exit $rc
