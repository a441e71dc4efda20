#!/bin/sh
# SPDX-License-Identifier: MIT
# announce.sh fake library: one line at the start, not one for each process, and
# none when it is not wanted
out=$(FAKE_LOUD=1 "$1" "$2" sh -c 'sh -c true; env -i sh -c true; ls / >/dev/null' 2>&1)
[ "$out" = "uiommu: this program runs on a software IOMMU" ] || {
	echo "not one line, but: $out"
	exit 1
}
out=$("$1" "$2" sh -c true 2>&1)
[ -z "$out" ] || {
	echo "not quiet: $out"
	exit 1
}
