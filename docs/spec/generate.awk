# SPDX-License-Identifier: MIT
# clauses.txt -> SPEC-COVERAGE.md; awk -f generate.awk clauses.txt
BEGIN { FS = " *[|] *" }
/^#/ || NF < 6 { next }
{
	n++; count[$5]++
	if ($6 == "-") $6 = ""
	tested = $6 != ""
	if ($5 != "missing" && tested) covered++
	if ($5 != "missing" && !tested) untested = untested "* " $1 ": " $2 "\n"
	if ($5 == "missing") missing = missing "* " $1 ": " $2 "\n"
	if ($5 == "unverified") unverified = unverified "* " $1 ": " $2 "\n"
	if ($1 != area) {
		area = $1
		table = table "\n## " area "\n\n| rule | section | where it was read | status | tests |\n|---|---|---|---|---|\n"
	}
	gsub(/ /, ", ", $6)
	table = table "| " $2 " | " $3 " | " $4 " | " $5 " | " $6 " |\n"
}
END {
	print "# What the software SMMUv3 does, clause by clause\n"
	print "Made from `docs/spec/clauses.txt` by `docs/spec/generate.awk`; do not edit. A rule is"
	print "*read* in the manual (IHI 0070 G.b, H.a), *agreed* by independent implementations, or"
	print "*unverified*: modelled as we understand it, and nobody was found to confirm it. The"
	print "tests are cases of `tests/sim`.\n"
	printf "%d clauses: %d covered by tests; %d read, %d agreed, %d unverified, %d not modelled.\n", \
		n, covered, count["read"], count["agreed"], count["unverified"], count["missing"]
	printf "%s", table
	printf "\n## Unverified\n\n%s", unverified
	printf "\n## Modelled, without a test\n\n%s", untested == "" ? "Nothing.\n" : untested
	printf "\n## Not modelled\n\n%s", missing
}
