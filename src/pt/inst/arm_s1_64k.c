/* SPDX-License-Identifier: MIT */
/* Arm stage 1, 64 KiB granule: 64 KiB, 512 MiB; with 52-bit addresses 4 TiB. */
#include "../fmt/arm_lpae.h"
#include "../walker.h"

static const struct pt_desc desc = { ARM_LPAE_64K, ARM_LPAE_S1 };

PT_INSTANCE(arm_s1_64k, &desc, ARM_LPAE_64K_PGSIZES)
