# SPDX-License-Identifier: MIT
# common.sh - for the scripts beside it: run under the tool, check, leave nothing

. "$(dirname "$0")/../tool/lib.sh"
export TMPDIR="$work/tmp" XDG_RUNTIME_DIR="$work/tmp"
mkdir "$TMPDIR"

# What the tool made for itself must be gone when it is, and every process too: they
# are known by the TMPDIR that this test alone has.
nothing_left() {
	still=$(grep -lszx "TMPDIR=$TMPDIR" /proc/[0-9]*/environ || :)
	for p in $still; do
		fail "$1 left a process behind: $(tr '\0' ' ' <"${p%environ}cmdline")"
	done
	left=$(ls -A "$TMPDIR")
	[ -z "$left" ] || fail "$1 left behind: $left"
	rm -rf "$TMPDIR"
	mkdir "$TMPDIR"
}
