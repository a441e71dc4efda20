/* SPDX-License-Identifier: MIT */
/* pt_peer.h - one implementation of page tables, as the comparison calls it */
#ifndef BENCH_PT_PEER_H
#define BENCH_PT_PEER_H

#include <stdint.h>

/*
 * @make gives an empty table. @map and @unmap take a range of one page size, as the
 * kernel's core would pass it down; @unmap includes what belongs to it: collecting
 * what must be invalidated, and giving freed tables back. @look: 0 if nothing is there.
 */
struct pt_peer {
	const char *name;
	void *(*make)(void);
	void (*map)(void *t, uint64_t iova, uint64_t pa, uint64_t len, uint64_t pgsize);
	void (*unmap)(void *t, uint64_t iova, uint64_t len, uint64_t pgsize);
	uint64_t (*look)(void *t, uint64_t iova);
	void (*drop)(void *t);
};

extern const struct pt_peer peer_arm, peer_x86_64, peer_vtdss, peer_amdv1, peer_riscv64;

void *pool_alloc(uint64_t bytes);
void pool_free(void *p);

#endif
