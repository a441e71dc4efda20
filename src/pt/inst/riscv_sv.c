/* SPDX-License-Identifier: MIT */
/* RISC-V Sv39, Sv48 and Sv57: pages of every level. */
#include "../fmt/riscv.h"
#include "../walker.h"

static const struct pt_desc desc = { RISCV_SV };

PT_INSTANCE(riscv_sv, &desc, RISCV_PGSIZES_39)
