/* SPDX-License-Identifier: MIT */
/* AMD v1, three to six levels: every power of two from 4 KiB to 256 GiB. */
#include "../fmt/amd_v1.h"
#include "../walker.h"

static const struct pt_desc desc = { AMD_V1 };

PT_INSTANCE(amd_v1, &desc, AMD_V1_PGSIZES)
