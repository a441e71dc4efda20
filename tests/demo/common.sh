# SPDX-License-Identifier: MIT
# common.sh - for the scripts beside it: run under the tool, check, leave nothing

work=$(mktemp -d "${TMPDIR:-/tmp}/uiommu-test-XXXXXX")
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work/tmp" XDG_RUNTIME_DIR="$work/tmp" LC_ALL=C
mkdir "$TMPDIR"
failed=0

fail() {
	echo "FAIL: $*" >&2
	failed=1
}

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

# want STATUS COMMAND...: output goes to $work/out and $work/err
want() {
	status=$1
	shift
	timeout -k 5 100 "$@" >"$work/out" 2>"$work/err" && got=0 || got=$?
	[ "$got" -eq "$status" ] && return
	fail "$* exited with $got instead of $status"
	sed 's/^/  | /' "$work/out" "$work/err" >&2
}

# says FILE SENTENCE
says() {
	grep -qF -- "$2" "$work/$1" && return
	fail "std$1 does not say: $2"
	sed 's/^/  | /' "$work/$1" >&2
}
