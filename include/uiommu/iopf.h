/* SPDX-License-Identifier: MIT */
/**
 * uiommu/iopf.h - page requests of devices: who is told, and how they are answered
 *
 * A device that can wait asks for a page that is not there, instead of failing: a
 * PCIe function by PRI, in groups of requests of which the last says so; a platform
 * device by an access that its IOMMU holds back (a stall), each a group of its own.
 * A group is given to the handler of the domain that (device, PASID) has, or, where
 * there is none, answered INVALID.
 *
 * Each group is answered towards hardware exactly once. A handler calls
 * uiommu_page_response() exactly once for each group that it was given, at once or
 * later, on any thread, in any order: the group is gone with that call. If the core
 * has answered in the meantime (the domain was detached, replaced, its device reset or
 * removed), the handler's answer only gives the group back, and its cancel() has been
 * told.
 *
 * What is given out for one device is limited (uiommu_dev_config.max_faults), and so
 * is how often: see there.
 */
#ifndef UIOMMU_IOPF_H
#define UIOMMU_IOPF_H

#include <uiommu/fault.h>

struct uiommu_domain;
struct uiommu_iopf_group;

enum uiommu_page_response {
	UIOMMU_PAGE_SUCCESS,	/* the page is there: the device tries again */
	UIOMMU_PAGE_INVALID,	/* it is not, and will not be: the access fails */
	UIOMMU_PAGE_FAILURE,	/* something went wrong: the access fails, and a PCIe
				   function stops asking until it is set up anew */
};

/* uiommu_page_request.flags, besides UIOMMU_FAULT_READ, _WRITE, _EXEC, _PRIV, _HAS_PASID */
#define UIOMMU_PAGE_REQUEST_LAST	(1u << 16)	/* of its group */
#define UIOMMU_PAGE_REQUEST_STALL	(1u << 17)	/* an access is held back for it */

/**
 * struct uiommu_page_request - one page that a device wants
 * @next:      the next one of the group; NULL: this was the last
 * @addr:      where, bytes; of PRI the low 12 bits are 0
 * @stream_id: whose, as the IOMMU saw it
 * @pasid:     with UIOMMU_FAULT_HAS_PASID, else 0
 * @grpid:     hardware's name of the group: PRG index, or stall tag
 * @flags:     see above
 */
struct uiommu_page_request {
	struct uiommu_page_request *next;
	uiommu_iova_t addr;
	uint32_t stream_id;
	uiommu_pasid_t pasid;
	uint32_t grpid;
	unsigned flags;
};

/**
 * struct uiommu_iopf_handler - who is asked for the pages of a domain
 * @fault:  a group is complete. In whatever context the driver looks at its queues
 *          (an interrupt function, a poll call, a detach on another thread), within
 *          host->read_enter(), perhaps with the instance lock held: may call what
 *          "takes no lock", map and uiommu_page_response(); whether it may sleep is
 *          the host's matter. It has @g until it answers
 * @cancel: the core has answered @g. Called by a thread that holds the instance lock,
 *          while @g cannot go away, and after @fault has returned: a handler that still
 *          has it answers it now, with anything, and does nothing if it has done so
 *          already. NULL: there is nothing to take back, as @fault answers before it
 *          returns
 */
struct uiommu_iopf_handler {
	void (*fault)(void *ctx, struct uiommu_iopf_group *g);
	void (*cancel)(void *ctx, struct uiommu_iopf_group *g);
};

/**
 * struct uiommu_iopf_group - what the handler may see of a group
 * @dev:      whose; good during @fault and @cancel, and for as long as the caller keeps
 *            the device
 * @requests: in the order in which they came; the last has UIOMMU_PAGE_REQUEST_LAST
 * @num:      how many
 * @handler:  what follows is the handler's to use, from @fault to its answer
 */
struct uiommu_iopf_group {
	struct uiommu_dev *dev;
	const struct uiommu_page_request *requests;
	unsigned num;
	struct {
		struct uiommu_iopf_group *next, *prev;
		uint64_t data;
	} handler;
};

/**
 * uiommu_domain_set_iopf() - faults of a domain go to a handler
 * @dom:     PAGING or NESTED, attached to nothing
 * @handler: stays valid as long as @dom; NULL: nobody, as at first
 * @ctx:     handed to it
 *
 * What the domain is attached to afterwards faults so, where device and IOMMU can;
 * elsewhere a DMA that finds nothing aborts, as without.
 *
 * Context:   takes the instance lock.
 * Hardware:  none.
 * Return:    0, or (nothing changed)
 *   -UIOMMU_EINVAL  neither PAGING nor NESTED
 *   -UIOMMU_EBUSY   it is attached
 */
int uiommu_domain_set_iopf(struct uiommu_domain *dom, const struct uiommu_iopf_handler *handler,
			   void *ctx);

/**
 * uiommu_page_response() - answer a group
 * @g:    given to a handler and not answered by it yet; gone afterwards
 * @code: see there
 *
 * Context:   any thread, or the handler's own call; no lock that the driver takes.
 *            Allocates nothing. May free the last memory of a device that was removed,
 *            so not in an interrupt function, except within the handler's own call.
 * Hardware:  one command, not waited for. Where hardware does not take it (it has
 *            failed), what has to be said is said after uiommu_iommu_recover().
 * Ownership: @g is the core's.
 */
void uiommu_page_response(struct uiommu_iopf_group *g, enum uiommu_page_response code);

/**
 * uiommu_device_can_fault() - can it wait for a page?
 * @dev: the device
 *
 * Context:   any; takes no lock.
 * Return:    true: as it was configured, and its IOMMU can tell.
 */
bool uiommu_device_can_fault(const struct uiommu_dev *dev);

/**
 * struct uiommu_iopf_stats - what became of the groups of a device
 * @groups:      came in
 * @delivered:   were given to a handler
 * @refused:     had no handler, or more than max_faults were open
 * @throttled:   came too often
 * @cancelled:   were answered by the core because their domain went
 * @outstanding: have a handler and no answer, now
 */
struct uiommu_iopf_stats {
	uint64_t groups, delivered, refused, throttled, cancelled;
	unsigned outstanding;
};

/**
 * uiommu_device_iopf_stats() - count them
 * @dev: the device
 * @out: overwritten whole; zeros for one that cannot fault
 *
 * Context:   any; takes a SPIN lock.
 */
void uiommu_device_iopf_stats(struct uiommu_dev *dev, struct uiommu_iopf_stats *out);

#endif
