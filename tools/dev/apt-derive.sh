#!/bin/bash
# SPDX-License-Identifier: MIT
#
# apt-derive.sh - packages of another suite, through this machine's own archive
#
#   apt-derive.sh download PKG SUITE DIR   the .deb into DIR; prints its path
#   apt-derive.sh unpack   PKG SUITE DIR   the same, and dpkg -x into DIR/root
#   apt-derive.sh tree     PKG SUITE DIR   the same for PKG and for everything it
#                                          needs that this machine does not have
#   apt-derive.sh install  PKG SUITE       onto the system (root, or sudo)
#   apt-derive.sh sources  SUITE           prints the entries it would use
#   apt-derive.sh needs    PKG SUITE       prints the packages that PKG depends on
#
# UIOMMU_APT_ARCH=arm64 asks for packages of that architecture (download, unpack,
# needs): what is to run in an emulator, not here.
#
# Reads where this machine gets Debian's main from (one-line lists and deb822
# .sources files alike), and writes the same entries with another suite below
# build/apt/SUITE, with index files, cache and source list of its own. The
# user's configuration is read, never written. No archive is named here: a
# machine behind a mirror uses its mirror.

set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/tools/dev/lib.sh"

etc=${UIOMMU_APT_ETC:-/etc/apt}		# the tests point this elsewhere

# Where the entries stand: "list FILE" and "deb822 FILE", in apt's order.
config_files() {
	local f

	[ -f "$etc/sources.list" ] && echo "list $etc/sources.list"
	for f in "$etc"/sources.list.d/*.list "$etc"/sources.list.d/*.sources; do
		[ -f "$f" ] || continue
		case $f in
		*.list) echo "list $f" ;;
		*) echo "deb822 $f" ;;
		esac
	done
}

# An entry that serves Debian's main archive: type deb, component main, and a
# suite that is a release (not its -updates or security companions).
is_release='function is_release(s) {
	return s == code || s ~ /^((old)*stable|testing|unstable|sid|bookworm|trixie|forky)$/
}'

derive_list() {
	awk -v code="$code" -v suite="$suite" "$is_release"'
	/^[ \t]*deb[ \t]/ {
		line = $0; sub(/#.*/, "", line); sub(/^[ \t]*deb[ \t]+/, "", line)
		opts = ""
		if (match(line, /^\[[^]]*\][ \t]*/)) {
			opts = substr(line, 1, RLENGTH); line = substr(line, RLENGTH + 1)
			sub(/[ \t]*$/, " ", opts)
		}
		n = split(line, w, /[ \t]+/)
		if (w[1] ~ /^cdrom:/ || !is_release(w[2]))
			next
		for (i = 3; i <= n; i++)
			if (w[i] == "main") {
				print "deb " opts w[1] " " suite " main"; break
			}
	}' "$1"
}

# A stanza keeps everything (Signed-By with its key, Architectures, Trusted ...)
# but its type, suites and components.
derive_deb822() {
	awk -v code="$code" -v suite="$suite" "$is_release"'
	function flush(   i, n, w, release, main) {
		n = split(f["suites"], w, /[ \t\n]+/)
		for (i = 1; i <= n; i++)
			release = release || is_release(w[i])
		main = (" " f["components"] " ") ~ /[ \t\n]main[ \t\n]/
		if (release && main && (" " f["types"] " ") ~ /[ \t\n]deb[ \t\n]/ &&
		    tolower(f["enabled"]) !~ /^(no|false|off|0|disable)/)
			print "Types: deb\nSuites: " suite "\nComponents: main\n" keep
		split("", f); keep = ""; name = ""
	}
	/^#/ { next }
	/^[ \t]*$/ { flush(); next }
	/^[ \t]/ {
		f[name] = f[name] " " $0
		if (kept) keep = keep $0 "\n"
		next
	}
	{
		name = tolower($0); sub(/:.*/, "", name)
		value = $0; sub(/^[^:]*:[ \t]*/, "", value)
		f[name] = value
		kept = name !~ /^(types|suites|components|enabled)$/
		if (kept) keep = keep $0 "\n"
	}
	END { flush() }' "$1"
}

# Writes each candidate entry to a file of its own below $dir/candidates.
derive() {
	local kind file n=0 text line

	rm -rf "$dir/candidates"
	mkdir -p "$dir/candidates"
	while read -r kind file; do
		text=$("derive_$kind" "$file")
		[ -n "$text" ] || continue
		if [ "$kind" = deb822 ]; then
			n=$((n + 1))
			printf '%s\n' "$text" >"$dir/candidates/$n.sources"
			continue
		fi
		while IFS= read -r line; do
			n=$((n + 1))
			printf '%s\n' "$line" >"$dir/candidates/$n.list"
		done <<<"$text"
	done < <(config_files)
	[ "$n" -gt 0 ] ||
		die "no entry for Debian's main archive stands in $etc/sources.list or $etc/sources.list.d, so there is no place to get $suite from"
}

# apt-get, with lists, cache and sources of our own and the machine's settings
# for everything else (proxy, keys, architecture).
apt() {
	local cmd=$1

	shift
	"$cmd" -q -o Dir::Etc::sourcelist=/dev/null \
		-o Dir::Etc::sourceparts="$dir/parts" \
		-o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" \
		-o APT::Sandbox::User="$(id -un)" -o Debug::NoLocking=1 \
		-o APT::Get::List-Cleanup=0 \
		${arch:+-o APT::Architecture="$arch" -o APT::Architectures::="$arch"} "$@"
}

prepare_dirs() {
	mkdir -p "$dir/parts" "$dir/lists/partial" "$dir/cache/archives/partial" ||
		die "cannot write below $dir"
}

# Good for a day: a mirror's index rarely moves faster than we rebuild.
fresh() {
	[ -f "$dir/updated-$1" ] && [ -z "$(find "$dir/updated-$1" -mmin +1440)" ]
}

# The suite alone, from the first entry of the machine that has it.
update() {
	local c

	prepare_dirs
	fresh alone && return
	derive
	for c in "$dir"/candidates/*; do
		rm -f "$dir"/parts/*
		cp "$c" "$dir/parts/derived.${c##*.}"
		if apt apt-get update --error-on=any >"$dir/update.log" 2>&1; then
			rm -f "$dir/updated-machine"
			touch "$dir/updated-alone"
			return
		fi
	done
	die "the archive that this machine's apt uses does not serve $suite, or cannot be reached: $(apt_reason "$dir/update.log")"
}

# ... and the machine's own entries beside it, for dependencies. Starts from the
# index files that the machine already has.
update_with_machine() {
	local kind file n=0

	update
	fresh machine && return
	while read -r kind file; do
		n=$((n + 1))
		cp "$file" "$dir/parts/machine$n.${file##*.}"
	done < <(config_files)
	cp -np /var/lib/apt/lists/*_* "$dir/lists/" 2>/dev/null
	apt apt-get update >"$dir/update.log" 2>&1 ||
		die "apt-get update failed: $(apt_reason "$dir/update.log")"
	touch "$dir/updated-machine"
}

# Downloads PKG/SUITE or PKG=VERSION into the current directory, prints the file name.
fetch_deb() {
	local log

	log=$(apt apt-get download "$1" 2>&1) ||
		die "cannot download ${1%%[=/]*} of $suite: $(grep -m1 '^E:' <<<"$log")"
	ls -t "${1%%[=/]*}"_*.deb | head -n 1
}

cmd_sources() {
	suite=$1
	dir=$(mktemp -d) || exit 1
	trap 'rm -rf "$dir"' EXIT
	derive
	cat "$dir"/candidates/*
}

cmd_download() {
	local deb

	mkdir -p "$2" && cd "$2" || die "cannot make $2"
	update
	deb=$(fetch_deb "$1/$suite") || exit 1
	echo "$PWD/$deb"
}

cmd_unpack() {
	local deb

	deb=$(cmd_download "$1" "$2") || exit 1
	mkdir -p "$2/root" && dpkg -x "$deb" "$2/root" || die "cannot unpack $deb"
	echo "$deb"
}

cmd_needs() {
	local show

	update
	show=$(apt apt-cache show "$1" 2>/dev/null) && [ -n "$show" ] ||
		die "the archive that this machine's apt uses has no $1 in $suite"
	sed -n 's/^Depends: //p;/^$/q' <<<"$show" | tr ',' '\n' | sed 's/^ *//;s/[ (|:].*//'
}

# What apt would do to the system, done into a directory instead.
cmd_tree() {
	local plan name version deb

	mkdir -p "$2/debs" "$2/root" && cd "$2/debs" || die "cannot make $2"
	update_with_machine
	plan=$(apt apt-get install -s --no-install-recommends -t "$suite" "$1" 2>&1) ||
		die "cannot resolve $1 from $suite: $(grep -m1 -E '^(E:|.*Depends:)' <<<"$plan")"
	while read -r name version; do
		deb=$(fetch_deb "$name=$version") || exit 1
		dpkg -x "$deb" "$2/root" || die "cannot unpack $deb"
		echo "$deb"
		rm -f "$deb"
	done < <(sed -n 's/^Inst \([^ ]*\) \(\[[^]]*\] \)\?(\([^ ]*\) .*/\1 \3/p' <<<"$plan")
}

cmd_install() {
	as_root true || die "installing $1 from $suite needs root or sudo"
	update_with_machine
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
		-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$dir/parts" \
		-o Dir::State::lists="$dir/lists" -o Dir::Cache="$dir/cache" \
		-o APT::Sandbox::User=root -t "$suite" install "$1" >"$dir/install.log" 2>&1 ||
		die "apt-get could not install $1 from $suite: $(apt_reason "$dir/install.log")"
}

usage() {
	die "usage: apt-derive.sh download|unpack|tree PKG SUITE DIR, install|needs PKG SUITE, sources SUITE"
}

command -v apt-get >/dev/null || die "this machine has no apt-get"
code=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
arch=${UIOMMU_APT_ARCH:-}
word=${1:-}
[ $# -gt 0 ] && shift
case $word in
sources)
	[ $# = 1 ] || usage
	cmd_sources "$1" ;;
download | unpack | tree)
	[ $# = 3 ] || usage
	suite=$2 dir=$top/build/apt/$2${arch:+-$arch}
	case $3 in /*) where=$3 ;; *) where=$PWD/$3 ;; esac
	"cmd_$word" "$1" "$where" ;;
install | needs)
	[ $# = 2 ] || usage
	suite=$2 dir=$top/build/apt/$2${arch:+-$arch}
	"cmd_$word" "$1" ;;
*) usage ;;
esac
