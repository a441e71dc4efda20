/* SPDX-License-Identifier: MIT */
/* Arm stage 2, 16 KiB granule: pages of 16 KiB, blocks of 32 MiB. */
#include "../fmt/arm_lpae.h"
#include "../walker.h"

static const struct pt_desc desc = { ARM_LPAE_16K, ARM_LPAE_S2 };

PT_INSTANCE(arm_s2_16k, &desc, ARM_LPAE_16K_PGSIZES)
