/* SPDX-License-Identifier: MIT */
#include "edu.h"

#define SRC		0x80u
#define DST		0x88u
#define COUNT		0x90u
#define CMD		0x98u
#define CMD_RUN		0x1u
#define CMD_TO_MEMORY	0x2u
#define PASID		0xa0u
#define PASID_VALID	0x80000000u
#define RESULT		0xa8u
#define RESULT_DONE	0x1u
#define RESULT_ABORTED	0x2u
#define RESULT_WAITING	0x100u
#define QUEUE(q)	(0x1000u * (q))
#define BUFFER(q)	(0x40000u + 0x1000u * (q))

static void write_reg(struct device *d, uint32_t reg, uint64_t v)
{
	*(volatile uint64_t *)(d->board->bar + reg) = v;
}

static uint32_t result(struct device *d, unsigned queue)
{
	return *(volatile uint32_t *)(d->board->bar + QUEUE(queue) + RESULT);
}

void edu_set_pasid(struct device *d, unsigned queue, uiommu_pasid_t pasid)
{
	write_reg(d, QUEUE(queue) + PASID, pasid ? PASID_VALID | pasid : 0);
}

void edu_start(struct device *d, unsigned queue, uiommu_iova_t iova, uint32_t bytes,
	       bool to_memory)
{
	write_reg(d, QUEUE(queue) + SRC, to_memory ? BUFFER(queue) : iova);
	write_reg(d, QUEUE(queue) + DST, to_memory ? iova : BUFFER(queue));
	write_reg(d, QUEUE(queue) + COUNT, bytes);
	write_reg(d, QUEUE(queue) + CMD, CMD_RUN | (to_memory ? CMD_TO_MEMORY : 0));
}

bool edu_is_done(struct device *d, unsigned queue)
{
	return result(d, queue) & RESULT_DONE;
}

bool edu_is_waiting(struct device *d, unsigned queue)
{
	return result(d, queue) == RESULT_WAITING;
}

bool edu_finish(struct kernel *k, struct device *d, unsigned queue)
{
	while (!edu_is_done(d, queue))
		kernel_pause(k);
	__asm__ volatile("" ::: "memory");	/* what it wrote is read after this */
	return !(result(d, queue) & RESULT_ABORTED);
}

bool edu_dma(struct kernel *k, struct device *d, unsigned queue, uiommu_iova_t iova,
	     uint32_t bytes, bool to_memory)
{
	edu_start(d, queue, iova, bytes, to_memory);
	return edu_finish(k, d, queue);
}

bool edu_copy(struct kernel *k, struct device *d, unsigned queue, uiommu_iova_t from,
	      uiommu_iova_t to)
{
	return edu_dma(k, d, queue, from, PAGE, false) && edu_dma(k, d, queue, to, PAGE, true);
}
