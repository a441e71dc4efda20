#!/bin/sh
# SPDX-License-Identifier: MIT
# guest.sh TOOL PROGRAM: a guest's stage 1 under `uiommu run`, drawn while it is there
set -u
. "$(dirname "$0")/common.sh"
want 0 "$1" run --show --quiet -- "$2"
says out "the guest's process reads through both stages"
says out "what is not mapped is the guest's own event"
says out "what the guest invalidates is gone"
says out "what the host takes away is gone for both"
says err "nested HWPT 7 on 3, VMID 1"
says err "RID, below nested HWPT 7 on 3"
nothing_left "$2"
exit $failed
