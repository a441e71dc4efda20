#!/bin/sh
# SPDX-License-Identifier: MIT
# manners.sh UIOMMU PROG MODE - a program with bad manners ends as on Linux, and
# neither it nor the tool leaves anything behind
set -eu
. "$(dirname "$0")/common.sh"
uiommu=$1 prog=$2 mode=$3

# Waits for a WORD from the program; a hang is a failure, a slow machine is not.
until_it_says() {
	n=0
	until grep -q "$1" "$work/out" || [ $n -gt 1500 ]; do
		sleep 0.02
		n=$((n + 1))
	done
	says out "$1"
}

case $mode in
killed)
	want 137 "$uiommu" run --quiet -- "$prog" killed
	;;
exits-with-42)
	want 42 "$uiommu" run --quiet -- "$prog" exits-with-42
	;;
server-killed)
	"$uiommu" run --quiet -- "$prog" server-killed >"$work/out" 2>"$work/err" &
	tool=$!
	until_it_says ready
	kill -9 $tool
	wait $tool || :
	until_it_says done
	rm -rf "$TMPDIR"/*	# nobody was left to tidy up
	;;
term)
	"$uiommu" run --quiet -- sh -c 'echo ready; exec sleep 100' >"$work/out" &
	tool=$!
	until_it_says ready
	kill -TERM $tool
	wait $tool && got=0 || got=$?
	[ $got -eq 143 ] || fail "exited with $got instead of 143"
	;;
*)
	want 0 "$uiommu" run --quiet -- "$prog" "$mode"
	says out done
	[ ! -s "$work/err" ] || fail "stderr: $(cat "$work/err")"
	;;
esac
nothing_left "$mode"
exit $failed
