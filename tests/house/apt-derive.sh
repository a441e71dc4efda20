#!/bin/sh
# SPDX-License-Identifier: MIT
# tools/dev/apt-derive.sh reads both forms of apt's source lists.
. "$(dirname "$0")/lib.sh"

command -v apt-get >/dev/null || skip "this machine has no apt-get"
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/etc/sources.list.d"
n=0
failed=0

try() {	# what, expected (from stdin), then the lists are emptied
	n=$((n + 1))
	cat >"$tmp/want"
	UIOMMU_APT_ETC=$tmp/etc bash "$root/tools/dev/apt-derive.sh" sources other-backports \
		>"$tmp/got" 2>&1
	if diff "$tmp/want" "$tmp/got"; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		failed=1
	fi
	rm -f "$tmp"/etc/sources.list "$tmp"/etc/sources.list.d/*
}

cat >"$tmp/etc/sources.list" <<EOT
# deb http://mirror.invalid/old bookworm main
deb cdrom:[Debian 12]/ bookworm main
deb-src http://mirror.invalid/debian bookworm main
deb http://mirror.invalid/debian bookworm main contrib # ours
deb http://mirror.invalid/debian bookworm-updates main
deb http://mirror.invalid/security bookworm-security main
deb http://third.invalid/tool stable main-tool
EOT
try "one line" <<EOT
deb http://mirror.invalid/debian other-backports main
EOT

cat >"$tmp/etc/sources.list.d/a.list" <<EOT
deb [arch=amd64 signed-by=/usr/share/k.gpg]	https://mirror.invalid/debian	stable	contrib main
deb [trusted=yes] file:/srv/mirror bookworm main
EOT
try "options, tabs, a local mirror" <<EOT
deb [arch=amd64 signed-by=/usr/share/k.gpg] https://mirror.invalid/debian other-backports main
deb [trusted=yes] file:/srv/mirror other-backports main
EOT

cat >"$tmp/etc/sources.list.d/debian.sources" <<EOT
Types: deb
# a comment
URIs: http://mirror.invalid/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/k.gpg

Types: deb
URIs: http://mirror.invalid/security
Suites: bookworm-security
Components: main

Enabled: no
Types: deb
URIs: http://off.invalid/debian
Suites: bookworm
Components: main
EOT
try "deb822" <<EOT
Types: deb
Suites: other-backports
Components: main
URIs: http://mirror.invalid/debian
Signed-By: /usr/share/keyrings/k.gpg
EOT

cat >"$tmp/etc/sources.list.d/x.sources" <<EOT
Types: deb deb-src
URIs: http://a.invalid/debian
 http://b.invalid/debian
Suites:
 bookworm
 bookworm-backports
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc=
 -----END PGP PUBLIC KEY BLOCK-----
EOT
try "deb822 over several lines, with a key" <<EOT
Types: deb
Suites: other-backports
Components: main
URIs: http://a.invalid/debian
 http://b.invalid/debian
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc=
 -----END PGP PUBLIC KEY BLOCK-----
EOT

echo 'deb http://third.invalid/tool nodistro main' >"$tmp/etc/sources.list.d/t.list"
try "no entry for Debian: one sentence" <<EOT
apt-derive.sh: no entry for Debian's main archive stands in $tmp/etc/sources.list or $tmp/etc/sources.list.d, so there is no place to get other-backports from
EOT

echo "1..$n"
exit $failed
