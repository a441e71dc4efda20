#!/bin/sh
# SPDX-License-Identifier: MIT
# docs/SPEC-COVERAGE.md is what its data make, and each test that they name is there.
top=$(cd "$(dirname "$0")/../.." && pwd)
cd "$top/docs" || exit 1
rc=0
awk -f spec/generate.awk spec/clauses.txt | cmp -s - SPEC-COVERAGE.md || {
	echo "docs/SPEC-COVERAGE.md is old: awk -f docs/spec/generate.awk docs/spec/clauses.txt"
	rc=1
}
for t in $(awk -F ' *[|] *' '!/^#/ && NF >= 6 { if ($6 != "-") print $6 }' spec/clauses.txt); do
	grep -qw "$t" "$top"/tests/sim/*.c || { echo "no such test: $t"; rc=1; }
done
awk -F ' *[|] *' '!/^#/ && NF && (NF != 6 || $5 !~ /^(read|agreed|unverified|missing)$/) {
	print "clauses.txt:" NR ": " $0; bad = 1 } END { exit bad }' spec/clauses.txt || rc=1
exit $rc
