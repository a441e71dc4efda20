#!/bin/bash
# SPDX-License-Identifier: MIT
#
# report.sh - ./dev report: the table of what works, from the last whole ./dev test
#
# A cell is the number of cases that passed, of how many if any failed, "-" where
# a folder has no test in that build. Markdown, so that README can hold it.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tools/dev/lib.sh"
results=$top/build/test/results.tsv
[ -s "$results" ] || die "no whole ./dev test has run in this checkout, so there is nothing to report"

# room of tests/, and what it shows
rows() {
	cat <<-'TABLE'
	pt	page tables
	core	devices, domains, attachments
	driver	SMMUv3 driver against the model
	golden	register table
	sim	SMMUv3 model
	simdev	device models
	posix	memory, pins, locks
	iommufd	/dev/iommu
	vfio	/dev/vfio
	abi	structures and errors of the uAPI
	server	the server of `uiommu run`
	preload	the preloaded library
	machine	machines from devicetrees
	demo	the demo
	readme	README's program
	house	rules of the house
	peers	Linux's vfio_iommufd_setup_test
	qemu	QEMU's SMMUv3
	TABLE
}

awk -F'\t' -v rows="$(rows)" '
	function cell(k) {
		if (pass[k] + fail[k] == 0)
			return skip[k] ? "skipped" : "-"
		return fail[k] ? pass[k] " of " pass[k] + fail[k] : pass[k] ""
	}
	{
		room = $3; sub(/[\/ ].*/, "", room)
		build = $2 == "script" ? "release" : $2
		k = room SUBSEP build
		if ($1 == "pass") pass[k]++; else if ($1 == "fail") fail[k]++; else skip[k]++
		known[room] = 1
	}
	END {
		print "| | as shipped | ASan, UBSan | TSan |"
		print "|---|---|---|---|"
		n = split(rows, line, "\n")
		for (i = 1; i <= n; i++) {
			split(line[i], w, "\t")
			if (w[1] in known)
				printf "| %s | %s | %s | %s |\n", w[2], cell(w[1] SUBSEP "release"),
					cell(w[1] SUBSEP "asan"), cell(w[1] SUBSEP "tsan")
		}
	}' "$results"
