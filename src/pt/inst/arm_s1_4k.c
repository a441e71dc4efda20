/* SPDX-License-Identifier: MIT */
/* Arm stage 1, 4 KiB granule: pages of 4 KiB, blocks of 2 MiB and 1 GiB. */
#include "../fmt/arm_lpae.h"
#include "../walker.h"

static const struct pt_desc desc = { ARM_LPAE_4K, ARM_LPAE_S1 };

PT_INSTANCE(arm_s1_4k, &desc, ARM_LPAE_4K_PGSIZES)
