#!/bin/sh
# SPDX-License-Identifier: MIT
# docs/QEMU.md has each explanation that compare.c can give, and no other.
# usage: quirks.sh COMPARE REPO
"$1" --quirks | sort >"${TMPDIR:-/tmp}/quirks.$$"
sed -n 's/^\* //p' "$2/docs/QEMU.md" | sed '/^--/d' | sort | diff "${TMPDIR:-/tmp}/quirks.$$" -
rc=$?
rm -f "${TMPDIR:-/tmp}/quirks.$$"
[ $rc = 0 ] || echo "docs/QEMU.md and tests/scenarios/quirks.c do not say the same"
exit $rc
