/* SPDX-License-Identifier: MIT */
/* VT-d second stage, three to five levels: 4 KiB, 2 MiB, 1 GiB. */
#include "../fmt/vtd_ss.h"
#include "../walker.h"

static const struct pt_desc desc = { VTD_SS };

PT_INSTANCE(vtd_ss, &desc, VTD_SS_PGSIZES)
