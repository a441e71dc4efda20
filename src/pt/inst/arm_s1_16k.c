/* SPDX-License-Identifier: MIT */
/* Arm stage 1, 16 KiB granule: pages of 16 KiB, blocks of 32 MiB. */
#include "../fmt/arm_lpae.h"
#include "../walker.h"

static const struct pt_desc desc = { ARM_LPAE_16K, ARM_LPAE_S1 };

PT_INSTANCE(arm_s1_16k, &desc, ARM_LPAE_16K_PGSIZES)
