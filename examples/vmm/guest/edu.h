/* SPDX-License-Identifier: MIT */
/* edu.h - a driver of QEMU's edu device with more queues that carry a PASID each */
#ifndef VMM_GUEST_EDU_H
#define VMM_GUEST_EDU_H

#include "kernel.h"

#define EDU_QUEUES	3u

/* What @queue sends next is tagged; 0: the RID's own. */
void edu_set_pasid(struct device *d, unsigned queue, uiommu_pasid_t pasid);
/* Between memory and the queue's buffer of a page; does not wait. */
void edu_start(struct device *d, unsigned queue, uiommu_iova_t iova, uint32_t bytes,
	       bool to_memory);
bool edu_is_done(struct device *d, unsigned queue);
/* it waits for a page that it has asked for */
bool edu_is_waiting(struct device *d, unsigned queue);
/* when it is done: true: it went through */
bool edu_finish(struct kernel *k, struct device *d, unsigned queue);
bool edu_dma(struct kernel *k, struct device *d, unsigned queue, uiommu_iova_t iova,
	     uint32_t bytes, bool to_memory);
/* a whole page into the buffer, and out of it again */
bool edu_copy(struct kernel *k, struct device *d, unsigned queue, uiommu_iova_t from,
	      uiommu_iova_t to);

#endif
