#!/bin/sh
# SPDX-License-Identifier: MIT
# Every function of include/uiommu stands under a kernel-doc comment with its
# name, each of its parameters, a Context line and, unless void, a Return line.
. "$(dirname "$0")/lib.sh"

cd "$root" || exit 1
house_files | grep -E '^include/uiommu/.*\.h$' | sort | xargs awk -f "$here/docs.awk"
