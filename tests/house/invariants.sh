#!/bin/sh
# SPDX-License-Identifier: MIT
# Every rule of docs/DESIGN.md 3 has a test that is named after it, and every test that
# docs/TESTING.md names exists.
. "$(dirname "$0")/lib.sh"

cd "$root" || exit 1
wrong=0
named=$(house_files | grep -E '^tests/.*\.(c|sh)$' |
	xargs grep -hoE '(void|^)[ ]*invariant_[0-9]{2}_[a-z0-9_]+' | grep -oE 'invariant_.*' | sort -u)

for n in 01 02 03 04 05 06 07 08 09 10 11 12 13 14; do
	if ! echo "$named" | grep -q "^invariant_${n}_"; then
		echo "docs/DESIGN.md: rule ${n#0} of section 3 has no test named invariant_${n}_..."
		wrong=$((wrong + 1))
	fi
done
for t in $(grep -oE 'invariant_[0-9]{2}_[a-z0-9_]+' docs/TESTING.md); do
	if ! echo "$named" | grep -qx "$t"; then
		echo "docs/TESTING.md: there is no test $t"
		wrong=$((wrong + 1))
	fi
done
finish $wrong "rules without a test, or tests that are not there"
