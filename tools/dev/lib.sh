# SPDX-License-Identifier: MIT
#
# lib.sh - what ./dev and its helpers share; sourced by bash with $top set to
# the checkout

# One sentence, and out.
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

say() {
	printf '==> %s\n' "$*"
}

# Runs a command as root: directly, or through sudo, which may ask for a
# password only where somebody can answer.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif ! command -v sudo >/dev/null; then
		return 127
	elif [ -t 0 ]; then
		sudo -- "$@"
	else
		sudo -n -- "$@"
	fi
}

# ---- packages ----

# group, Debian package, and the command that makes the package unnecessary
# (a tool may come from elsewhere; a library is asked of dpkg, or of pkg-config
# by the name in the fourth column).
packages() {
	cat <<-'TABLE'
	demo	gcc			gcc
	demo	libc6-dev		-	-
	demo	meson			meson
	demo	ninja-build		ninja
	demo	pkg-config		pkg-config
	demo	device-tree-compiler	dtc
	demo	libfdt-dev		-	libfdt
	demo	libzydis-dev		-	zydis
	demo	liburing-dev		-	liburing
	demo	libjansson-dev		-	jansson
	demo	libcmocka-dev		-	cmocka
	test	clang			clang
	test	lld			ld.lld
	test	libclang-rt-dev		-	-
	test	gcc-aarch64-linux-gnu	aarch64-linux-gnu-gcc
	test	gcc-riscv64-linux-gnu	riscv64-linux-gnu-gcc
	peers	make			make
	peers	rsync			rsync
	peers	xz-utils		xz
	peers	uuid-dev		-	uuid
	qemu	gcc-aarch64-linux-gnu	aarch64-linux-gnu-gcc
	cross	gcc-aarch64-linux-gnu	aarch64-linux-gnu-gcc
	cross	gcc-riscv64-linux-gnu	riscv64-linux-gnu-gcc
	cross	libc6-dev-arm64-cross	-	-
	cross	libc6-dev-riscv64-cross	-	-
	cross	qemu-user		qemu-riscv64
	bench	valgrind		valgrind
	look	chromium		chromium
	look	graphviz		dot
	fmt	clang-format		clang-format
	TABLE
}

# A group needs those before it.
group_list() {
	case $1 in
	demo) echo demo ;;
	test) echo demo test ;;
	peers) echo demo peers ;;
	qemu) echo demo qemu ;;
	bench) echo demo bench ;;
	cross) echo demo cross ;;
	look) echo demo look ;;
	fmt) echo fmt ;;
	all) echo demo test peers qemu cross bench fmt ;;
	*) return 1 ;;
	esac
}

# clang's sanitizers are packaged by version, and a version of clang may be here
# or be about to come.
clang_rt_package() {
	local v

	if command -v clang >/dev/null; then
		v=$(clang -dumpversion)
	else
		v=$(apt-cache show clang 2>/dev/null | sed -n 's/^Version: [0-9]*:\([0-9]*\).*/\1/p;T;q')
	fi
	echo "libclang-rt${v:+-${v%%.*}}-dev"
}

# Prints the packages of the groups that are not here.
missing_packages() {
	local groups=" $* " group package command module installed wanted=

	installed=" $(dpkg-query -W -f '${Package}:${db:Status-Status} ' 2>/dev/null) "
	while read -r group package command module; do
		case $groups in *" $group "*) ;; *) continue ;; esac
		case $wanted in *" $package "*) continue ;; esac
		[ "$package" != libclang-rt-dev ] || package=$(clang_rt_package)
		case $installed in *" $package:installed "*) continue ;; esac
		if [ "$command" != - ]; then
			command -v "$command" >/dev/null && continue
		elif [ "$module" != - ]; then
			pkg-config --exists "$module" 2>/dev/null && continue
		fi
		wanted="$wanted $package "
	done < <(packages)
	echo $wanted
}

# Index files first where apt does not know a package, or its copy is too old.
apt_install() {
	local log=$top/build/apt-install.log
	local get=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y
		-o DPkg::Lock::Timeout=300)

	mkdir -p "$top/build"
	as_root "${get[@]}" install --no-install-recommends "$@" >"$log" 2>&1 </dev/null && return
	say "apt-get update"
	as_root "${get[@]}" update >>"$log" 2>&1 </dev/null
	# its version is that of the clang that apt has only now heard of
	set -- "${@/#libclang-rt-dev/$(clang_rt_package)}"
	as_root "${get[@]}" install --no-install-recommends "$@" >>"$log" 2>&1 </dev/null
}

how_to_get() {
	echo "install them (apt-get install $*) and run this again"
}

# need GROUP...: the packages of these groups are here on return; otherwise one
# sentence and exit 1.
need() {
	local group groups= missing still

	for group in "$@"; do
		groups="$groups $(group_list "$group")" || die "no such group: $group"
	done
	missing=$(missing_packages $groups)
	[ -n "$missing" ] || return 0

	command -v apt-get >/dev/null ||
		die "not here: $missing; this machine has no apt-get, so $(how_to_get $missing)"
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
		die "not here: $missing; this is not root and there is no sudo, so as root $(how_to_get $missing)"
	as_root true 2>/dev/null ||
		die "not here: $missing; sudo does not let $(id -un) in (or wants a password and nobody can type it), so as root $(how_to_get $missing)"
	say "installing $missing"
	apt_install $missing && still= || still=$(missing_packages $groups)
	[ -z "$still" ] ||
		die "cannot install $still: $(apt_reason "$top/build/apt-install.log"); then $(how_to_get $still)"
}

# apt_reason LOG: apt's own reason, the network's before what follows from it
apt_reason() {
	{
		grep -m 1 -oE "(Temporary failure resolving|Could not (resolve|connect to)) [^ ]*" "$1" ||
			grep '^E:' "$1" | tail -n 1
	} | sed 's/^E: //;s/[.?]*$//'
}

# ---- builds ----

build_options() {
	case $1 in
	release) echo --buildtype=debugoptimized ;;
	asan) echo -Doptimization=1 -Ddebug=true -Db_sanitize=address,undefined -Db_lundef=false ;;
	tsan) echo -Doptimization=1 -Ddebug=true -Db_sanitize=thread -Db_lundef=false ;;
	clang) echo -Doptimization=1 -Ddebug=true -Db_sanitize=address,undefined -Db_lundef=false ;;
	*) return 1 ;;
	esac
}

build_compiler() {
	case $1 in clang) echo clang ;; *) echo "${CC:-gcc}" ;; esac
}

configure() {
	local dir=$top/build/$1 options

	options=$(build_options "$1") || die "no such build: $1 (asan, release, tsan or clang)"
	[ -f "$dir/build.ninja" ] && return
	mkdir -p "$dir"
	say "$1: configuring in build/$1"
	if ! CC=$(build_compiler "$1") meson setup "$dir" "$top" $options ${UIOMMU_MESON_ARGS:-} >"$dir/configure.log" 2>&1; then
		grep -E 'ERROR|error' "$dir/configure.log" >&2
		return 1
	fi
}

# build_all BUILD: everything in it. Says nothing but what goes wrong.
build_all() {
	configure "$1" || return
	ninja_quiet "$1"
}

# build_run [TARGET...]: what `uiommu run` needs, and these, as shipped
build_run() {
	configure release &&
	ninja_quiet release tools/uiommu/uiommu preload/libuiommu-preload.so "$@" || exit 1
}

# ninja's progress where somebody watches; else its output only if it failed
ninja_quiet() {
	local dir=$top/build/$1 log=$top/build/$1/compile.log

	shift
	if [ -t 1 ]; then
		ninja -C "$dir" "$@"
	elif ! ninja -C "$dir" "$@" >"$log" 2>&1; then
		grep -v '^\[[0-9]*/[0-9]*\] ' "$log" | tail -n 60 >&2
		return 1
	fi
}
