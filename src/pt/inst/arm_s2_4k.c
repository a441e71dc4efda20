/* SPDX-License-Identifier: MIT */
/* Arm stage 2, 4 KiB granule: pages of 4 KiB, blocks of 2 MiB and 1 GiB. */
#include "../fmt/arm_lpae.h"
#include "../walker.h"

static const struct pt_desc desc = { ARM_LPAE_4K, ARM_LPAE_S2 };

PT_INSTANCE(arm_s2_4k, &desc, ARM_LPAE_4K_PGSIZES)
