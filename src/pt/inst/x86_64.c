/* SPDX-License-Identifier: MIT */
/* x86-64, four and five levels: 4 KiB, 2 MiB, 1 GiB. VT-d first stage, AMD v2. */
#include "../fmt/x86_64.h"
#include "../walker.h"

static const struct pt_desc desc = { X86_64_4_5_LEVEL };

PT_INSTANCE(x86_64, &desc, X86_64_PGSIZES)
