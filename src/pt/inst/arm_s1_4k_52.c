/* SPDX-License-Identifier: MIT */
/* Arm stage 1, 4 KiB granule, 52-bit addresses: also blocks of 512 GiB. */
#include "../fmt/arm_lpae.h"
#include "../walker.h"

static const struct pt_desc desc = { ARM_LPAE_4K_52, ARM_LPAE_S1_DS };

PT_INSTANCE(arm_s1_4k_52, &desc, ARM_LPAE_4K_PGSIZES)
