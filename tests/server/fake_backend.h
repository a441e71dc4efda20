/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SERVER_FAKE_BACKEND_H
#define TESTS_SERVER_FAKE_BACKEND_H

#include "server/internal.h"

struct fake {
	struct uiommu_server *s;
	int opened, released, passes;
	uint64_t reg;
};

extern const char fake_kind[];
int fake_server(struct fake *f, const struct uiommu_server_config *cfg);

#endif
