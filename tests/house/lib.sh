# SPDX-License-Identifier: MIT
# lib.sh - for the rules' scripts; sourced with $1 = checkout, $2 = build directory

root=$(cd "$1" && pwd) || exit 1
build=${2:-$root/build/release}
here=$(cd "$(dirname "$0")" && pwd)

# The checkout's own files, committed or about to be; all files where there is
# no git.
house_files() {
	(cd "$root" && {
		git ls-files --cached --others --exclude-standard 2>/dev/null ||
			find . -type f -not -path './.git/*' -not -path './build/*'
	} | sed 's,^\./,,' | while IFS= read -r f; do [ -f "$f" ] && echo "$f"; done)
}

c_files() {
	house_files | grep -E '\.(c|h|def|S)$'
}

skip() {
	echo "$*"
	exit 77
}

# finish COUNT WHAT: the last line of a rule; the output is the exit status
finish() {
	if [ "$1" -gt 0 ]; then
		echo "$1 $2"
		exit 1
	fi
	exit 0
}
