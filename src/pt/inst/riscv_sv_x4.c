/* SPDX-License-Identifier: MIT */
/* RISC-V second stage, Sv39x4, Sv48x4 and Sv57x4: pages of every level. */
#include "../fmt/riscv.h"
#include "../walker.h"

static const struct pt_desc desc = { RISCV_SV_X4 };

PT_INSTANCE(riscv_sv_x4, &desc, RISCV_PGSIZES_39)
