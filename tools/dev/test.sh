#!/bin/bash
# SPDX-License-Identifier: MIT
#
# test.sh - ./dev test: everything that is checked, and one line that says so
#
# The last line is `N passed, N failed` or `N passed, N failed, N skipped`. One
# case of a cmocka executable, one TAP line of a script, and one program that
# only exits 0 or not, each count as one; a test that runs in three builds
# counts three times. Above that line: each skip with its reason and each
# failure with the command that runs it alone.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tools/dev/lib.sh"
out=$top/build/test
results=$out/some.tsv

all=
only=
list=
names=()
while [ $# -gt 0 ]; do
	case $1 in
	--all) all=1 ;;
	--list) list=1 ;;
	--in)
		[ $# -gt 1 ] || die "--in wants a build: asan, release, tsan or clang"
		only=$2
		build_options "$2" >/dev/null || die "no such build: $2 (asan, release, tsan or clang)"
		shift ;;
	-*) die "no such option: $1 (see ./dev help)" ;;
	*) names+=("$1") ;;
	esac
	shift
done

# ./dev report is made of a run of everything, not of a part
[ -z "$only$list${names[*]-}" ] && results=$out/results.tsv

record() {	# status build test case why
	printf '%s\t%s\t%s\t%s\t%s\n' "$@" >>"$results"
}

# A NAME is the beginning of one of a test's words: pt is pt/map, map is pt/map,
# but pt is not apt-derive.
selected() {
	local n

	[ ${#names[@]} -gt 0 ] || return 0
	for n in "${names[@]}"; do
		case /${1//[ _-]//} in *"/${n//[ _-]//}"*) return 0 ;; esac
	done
	return 1
}

# Everything, or nothing but what was asked for.
wants_build() {
	[ -z "$only" ] || [ "$only" = "$1" ]
}

# The tests of a build directory that are to run, one a line. asan and tsan
# leave the house's rules to the release build; tsan has threads to watch only
# in the suite of that name.
test_names() {
	local dir=$top/build/$1

	case $1 in
	tsan) meson test -C "$dir" --no-rebuild --list --suite tsan ;;
	release) meson test -C "$dir" --no-rebuild --list ;;
	*) meson test -C "$dir" --no-rebuild --list --no-suite house ;;
	esac 2>/dev/null | sed -n 's/^.* \/ //p' | sort -u | while read -r name; do
		selected "$name" && echo "$name"
	done
}

# gcc's ThreadSanitizer does not know every layout of a randomized address
# space; where a fixed one can be had, it is used.
fixed_layout() {
	[ "$1" = tsan ] && setarch -R true 2>/dev/null && echo setarch -R
}

run_build() {
	local b=$1 dir=$top/build/$1 log=$out/$1.log tests extra=()

	wants_build "$b" || return
	say "$b: building"
	if ! build_all "$b" 9>&-; then
		record fail "$b" build "" "it does not compile"
		return
	fi
	mapfile -t tests < <(test_names "$b")
	[ ${#tests[@]} -gt 0 ] || return
	if [ -n "$list" ]; then
		printf "$b\t%s\n" "${tests[@]}"
		return
	fi
	say "$b: ${#tests[@]} test programs"
	[ -n "$all" ] && [ "$b" = tsan ] && extra+=(--repeat 10)
	rm -f "$dir/meson-logs/testlog"*
	ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0} \
	UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1} \
	TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1} \
		$(fixed_layout "$b") meson test -C "$dir" --no-rebuild --print-errorlogs -t "$(slow_factor "$b")" \
		"${extra[@]}" "${tests[@]}" 2>&1 </dev/null 9>&- | tee "$log" |
		grep --line-buffered -v -E '^(ninja: |$|Full log|(Ok|Fail|Expected Fail|Unexpected Pass|Skipped|Timeout):)'
	if [ -f "$dir/meson-logs/testlog.txt" ]; then
		awk -v build="$b" -f "$top/tools/dev/results.awk" \
			"$dir/meson-logs/testlog.txt" >>"$results"
	else
		record fail "$b" "meson test" "" "$(tail -n 1 "$log")"
	fi
}

slow_factor() {
	case $1 in release) echo 1 ;; *) echo 3 ;; esac
}

# What stands outside meson: a script that prints TAP lines, exits 0, 1 or, with
# a sentence as its last line, 77.
run_script() {
	local name=$1 log=$out/$2.log rc

	shift 2
	[ -z "$only" ] && selected "$name" || return
	if [ -n "$list" ]; then
		printf 'script\t%s\n' "$name"
		return
	fi
	say "$name"
	"$@" </dev/null 2>&1 9>&- | tee "$log"
	rc=${PIPESTATUS[0]}
	{
		printf '%s 1/1 %s\ntest: x / %s\nresult: exit status %s\n' ==== ==== "$name" "$rc"
		echo '---- stdout ----'
		cat "$log"
	} | awk -v build=script -f "$top/tools/dev/results.awk" >>"$results"
}

# A process that a test left behind: it carries the mark of this run.
leftovers() {
	local f p

	sleep 0.5
	for f in $(env -u UIOMMU_TEST_RUN grep -lazs "^UIOMMU_TEST_RUN=$$\$" /proc/[0-9]*/environ); do
		p=${f//[^0-9]/}
		record fail process "a process was left behind" "" \
			"$p: $(tr '\0' ' ' <"/proc/$p/cmdline")"
		kill "$p"
	done
}

rerun() {	# build test
	case $1 in
	script) echo "./dev $2" ;;
	process) echo "./dev test" ;;
	*) [ "$2" = build ] && echo "./dev build $1" || echo "./dev test --in $1 $2" ;;
	esac
}

summary() {
	local status build test what why p=0 f=0 s=0

	p=$(grep -c '^pass' "$results")
	f=$(grep -c '^fail' "$results")
	s=$(grep -c '^skip' "$results")
	echo
	while IFS='|' read -r status build test what why; do
		case $status in
		skip) echo "skipped: $test${what:+ $what} ($build): $why" ;;
		fail) echo "FAILED:  $test${what:+ $what} ($build): $why"
			echo "         again: $(rerun "$build" "$test")" ;;
		esac
	done < <(tr '\t|' '|/' <"$results" | grep -v '^pass')
	[ "$s" = 0 ] && echo "$p passed, $f failed" || echo "$p passed, $f failed, $s skipped"
	[ "$f" = 0 ] && [ "$p" -gt 0 ]
}

# One at a time in a checkout: two would write into the same builds and results.
cd "$top" || exit 1
mkdir -p "$out"
exec 9>"$out/lock"
if ! flock -n 9; then
	say "another ./dev test runs in this checkout; waiting for its end"
	flock 9
fi
: >"$results"
need test
started=$SECONDS
export UIOMMU_TEST_RUN=$$
run_build asan
run_build release
run_build tsan
[ -n "$all" ] || [ "$only" = clang ] && run_build clang
run_script demo demo "$top/tools/dev/demo-check.sh"
run_script "hostile --sample" hostile "$top/tools/dev/hostile.sh" --sample
run_script "peers vfio-setup" vfio-setup "$top/tools/dev/peers.sh" vfio-setup
run_script "qemu sample" qemu-sample "$top/tools/dev/qemu.sh" sample
[ -n "$list" ] && exit
leftovers
say "$((SECONDS - started)) seconds"
[ -s "$results" ] || die "no test has a name with: ${names[*]} (./dev test --list prints them)"
summary
