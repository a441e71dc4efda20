#!/bin/sh
# SPDX-License-Identifier: MIT
# show.sh UIOMMU VMM MACHINE EXPECTED - host and guests drawn by the same pen: each guest has
# its devices by its own numbers, the host has each of them below the guest's tables
set -eu
. "$(dirname "$0")/../demo/common.sh"

command -v dtc >/dev/null || { echo "there is no dtc"; exit 77; }
want 0 "$1" run --quiet --show=every --machine "$3" -- "$2" --show
diff -u "$4" "$work/out" >&2 || fail "the guests see something else"
# the picture with all four: two VMs, each with a VMID of its own
awk '/devices -> domains/ { n = 0 }
	/RID +-> nested HWPT [0-9]+ on 3, VMID [12]$/ { vmid[++n] = $NF }
	n == 4 && vmid[1] == vmid[2] && vmid[3] == vmid[4] && vmid[1] != vmid[3] { ok = 1 }
	END { exit !ok }' "$work/err" || fail "the host does not show two VMs with two devices each"
# and later the third of them on vm1's memory, with the first
awk '/^  IOAS/ { first = third = 0 }
	/0000:01:00.0 +RID, below nested HWPT/ { first = 1 }
	/0000:03:00.0 +RID, below nested HWPT/ { third = 1 }
	first && third { moved = 1 }
	/at the end: nothing is attached/ { ended = 1 }
	END { exit !(moved && ended) }' "$work/err" || fail "the host does not show the one that moved"
nothing_left "the VMM"
exit $failed
