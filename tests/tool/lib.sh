# SPDX-License-Identifier: MIT
# lib.sh - for the scripts beside it and beside ../demo/common.sh: run the tool, look at
# what it says

work=$(mktemp -d "${TMPDIR:-/tmp}/uiommu-test-XXXXXX")
trap 'rm -rf "$work"' EXIT
export LC_ALL=C NO_COLOR=1
failed=0

fail() {
	echo "FAIL: $*" >&2
	failed=1
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

# says_not FILE SENTENCE
says_not() {
	grep -qF -- "$2" "$work/$1" || return 0
	fail "std$1 says: $2"
	sed 's/^/  | /' "$work/$1" >&2
}

# json FILTER WANTED: what jq makes of the output; nothing is asked where there is no jq
json() {
	command -v jq >/dev/null || return 0
	got=$(jq -r "$1" <"$work/out") || got="(no JSON)"
	[ "$got" = "$2" ] && return
	fail "$1 is \"$got\", not \"$2\""
	sed 's/^/  | /' "$work/out" >&2
}
