/* SPDX-License-Identifier: MIT */
/**
 * uiommu/driver.h - what a driver of an IOMMU implements, and what it may see
 *
 * The core decides what may be attached where, keeps the attachments, and
 * holds the locks. A driver turns decisions into entries, commands and
 * registers. It embeds struct uiommu_iommu in a structure of its own, fills in
 * the fields marked (drv) and calls uiommu_iommu_register().
 *
 * (device, PASID) -> domain is one operation, also for the RID (PASID 0). Its
 * two ends are links: a link is the counted record of one domain behind one
 * IOMMU and carries the number that caches are tagged with there (ASID, VMID,
 * DID, GSCID/PSCID). "Nothing" is the link of the BLOCKED domain, so the
 * operations below never get a NULL. IDENTITY and BLOCKED have a link per IOMMU
 * from registration on, with tag 0: to attach them needs no memory.
 *
 * Field legend: (i) set once before anybody else sees it, (u) instance lock,
 * (r) changed under the instance lock, read under host->read_enter(), (a) atomic,
 * (drv) the driver's to set.
 */
#ifndef UIOMMU_DRIVER_H
#define UIOMMU_DRIVER_H

#include <uiommu/iommu.h>
#include <uiommu/nested.h>
#include <uiommu/iopf.h>

struct uiommu_group;
struct uiommu_iommu_ops;
struct uiommu_iopf_pool;

/* ---- lists that are read without a lock ---- */

/* A removed node keeps its next: who stands on it finds the way on. It may be
 * freed or put in again only through host->retire(). */
struct uiommu_node {
	struct uiommu_node *next;	/* (r) */
	struct uiommu_node **pprev;	/* (u) NULL: in no list */
};

struct uiommu_list {
	struct uiommu_node *first;	/* (r) */
	struct uiommu_node **tail;	/* (u) */
};

#define uiommu_container_of(p, type, member) \
	((type *)(void *)((char *)(p) - offsetof(type, member)))

/* ---- what there is ---- */

#define UIOMMU_USER_WORDS	2u

/* What a domain is that stands for the address space of a process. */
struct uiommu_domain_sva {
	const struct uiommu_iommu_ops *kind;	/* (i) of the IOMMUs it is for */
	uint64_t mair;				/* (i) 0: as of src/pt's tables */
	uint32_t asid;				/* (i) what the tag has to be; 0: any */
	bool on_rid;				/* (i) asked for by name */
	unsigned binds;				/* (u) */
};

struct uiommu_domain {
	struct uiommu *u;			/* (i) */
	const struct uiommu_host *host;		/* (i) */
	enum uiommu_domain_type type;		/* (i) */
	unsigned flags;				/* (i) PAGING: UIOMMU_DOMAIN_ALLOC_* */
	struct uiommu_pt pt;			/* (i) PAGING: the table; SVA: a description
						   of the host's; ops NULL otherwise */
	struct uiommu_domain *parent;		/* (i) NESTED: what it stands on */
	struct uiommu_viommu *viommu;		/* (u) NESTED: whose, or NULL */
	uint64_t user[UIOMMU_USER_WORDS];	/* (i)(drv) NESTED: what its user says */
	unsigned holds;				/* (u) nested domains and vIOMMUs on it */
	bool bound;				/* (i) NESTED: goes with its attachment */
	struct uiommu_attach *home;		/* (u) of a bound one: the RID's way back */
	const struct uiommu_iopf_handler *iopf;	/* (u) fixed while it is attached; NULL:
						   what is not there aborts */
	void *iopf_ctx;				/* (u) likewise */
	bool dead;				/* (a) SVA: its table is gone */
	struct uiommu_domain_sva sva;
	struct uiommu_node mm_node;		/* (r) SVA: mm->domains */
	struct uiommu_list links;		/* (r) one for each IOMMU it sits behind */
	struct uiommu_node node;		/* (r) u->domains */
	struct uiommu_retire retire;
	char name[32];
};

/* One domain behind one IOMMU. */
struct uiommu_link {
	struct uiommu_domain *dom;		/* (i) */
	struct uiommu_iommu *iommu;		/* (i) */
	const struct uiommu_host *host;		/* (i) */
	uint32_t tag;				/* (i)(drv) by link_init(); 0: none */
	unsigned users;				/* (u) attachments */
	unsigned num_ats;			/* (r) those in the list whose device has ATS */
	struct uiommu_list attaches;		/* (r) */
	struct uiommu_link *parent;		/* (i) NESTED: the parent's, held */
	struct uiommu_list children;		/* (r) links of domains nested on this one */
	struct uiommu_node sibling;		/* (r) parent->children */
	struct uiommu_node node;		/* (r) dom->links */
	struct uiommu_retire retire;
};

/* One (device, PASID) -> domain. There may be a million of them: 64 bytes. */
struct uiommu_attach {
	struct uiommu_dev *dev;			/* (i) */
	struct uiommu_link *link;		/* (i) */
	uiommu_pasid_t pasid;			/* (i) */
	bool base;				/* (i) what the RID has when nothing is
						   attached: in its list always, also
						   while something else is attached */
	const struct uiommu_host *host;		/* (i) */
	struct uiommu_node node;		/* (r) link->attaches */
	struct uiommu_retire retire;
};

/* One StreamID (or whatever number the IOMMU knows a device by). */
struct uiommu_stream {
	struct uiommu_dev *dev;			/* (i) */
	uint32_t id;				/* (i) */
	struct uiommu_node node;		/* (r) iommu->streams[] */
};

/* A VM's slice of one IOMMU. */
struct uiommu_viommu {
	struct uiommu_viommu_config cfg;	/* (i) */
	const struct uiommu_host *host;		/* (i) */
	struct uiommu_iommu *iommu;		/* (i) */
	struct uiommu_link *link;		/* (i) the parent's, held: the VM's tag */
	struct uiommu_list devs;		/* (r) */
	struct uiommu_list queues;		/* (u) from number 0 up */
	void *drv;				/* (i)(drv) by viommu_init(): what it has in
						   hardware; NULL: nothing */
	unsigned holds;				/* (u) nested domains of it */
	struct uiommu_node node;		/* (u) u->viommus */
	struct uiommu_retire retire;
};

/* A device of a VM's. */
struct uiommu_vdevice {
	struct uiommu_viommu *viommu;		/* (i) */
	const struct uiommu_host *host;		/* (i) */
	struct uiommu_dev *dev;			/* (i) */
	uint64_t virt_id;			/* (i) the VM's number of it */
	unsigned slot;				/* (i)(drv) by vdevice_init() */
	struct uiommu_node node;		/* (r) viommu->devs */
	struct uiommu_retire retire;
};

/* A queue in a VM's memory. */
struct uiommu_hw_queue {
	struct uiommu_viommu *viommu;		/* (i) */
	struct uiommu_hw_queue_config cfg;	/* (i) */
	struct uiommu_node node;		/* (u) viommu->queues */
};

struct uiommu_dev {
	struct uiommu *u;			/* (i) */
	const struct uiommu_host *host;		/* (i) */
	struct uiommu_iommu *iommu;		/* (i) */
	struct uiommu_group *group;		/* (i) */
	uint32_t rid;				/* (i) */
	unsigned pasid_bits;			/* (i) min(device, IOMMU) */
	bool shared;				/* (i) one with its group: one PASID table */
	struct uiommu_dev *sharer;		/* (u) device_add(): one that it shares with */
	unsigned num_streams;			/* (i) */
	struct uiommu_stream *streams;		/* (i) */
	const struct uiommu_dev_resv *resv;		/* (i) */
	unsigned num_resv;			/* (i) */
	bool in_reset;				/* (u) */
	bool ats, ats_global, ats_always_on;	/* (i) */
	void (*set_ats)(void *ctx, bool on);	/* (i) may be NULL */
	void *ats_ctx;				/* (i) */
	bool can_stall, pri, pri_pasid;		/* (i) as configured, if the IOMMU has it */
	struct uiommu_iopf_pool *iopf;		/* (i) NULL: it cannot wait for a page */
	const char *name;			/* (i) */
	void *drv;				/* (u)(drv) by device_add() */
	unsigned drv_state;			/* (a)(drv) what invalidate() looks at */

	struct uiommu_vdevice *vdev;		/* (r) whose it is; NULL: no VM's */
	void *pasids;				/* (r) PASID -> attachment; 0: the RID's */
	unsigned num_pasids;			/* (u) attached, the RID's not counted */
	unsigned claims;			/* (u) */
	struct uiommu_attach *def, *new_def;	/* (u) base: the default domain */
	struct uiommu_attach blocked;		/* (i) base: while the group is claimed */
	struct {				/* (u) within one call */
		struct uiommu_attach *old, *now;
		bool restored;
		uint32_t mapped;	/* bit n: resv[n], into the new domain */
	} move;
	struct uiommu_node node;		/* (r) u->devices */
	struct uiommu_dev *group_next;		/* (u) */
	struct uiommu_retire retire;
	size_t bytes;				/* (i) of this allocation */
};

#define UIOMMU_RECORD_WORDS	4u

/* ---- what a driver implements ---- */

/*
 * Every function but invalidate() is called with the instance lock held, so
 * never two at once for one instance; they may sleep and wait for hardware.
 * A driver does not call back into the core but for uiommu_fault_report().
 */
struct uiommu_iommu_ops {
	const char *name;			/* "smmuv3" */

	/*
	 * A device appears. All its numbers are free in this IOMMU, but for those of
	 * devices that it is shared with: dev->sharer has the PASID table that it
	 * uses too, NULL: it is the first. Sets dev->drv. Afterwards, and until the
	 * first attach_commit(), its DMA is
	 * blocked. 0, -ENOMEM, -ERANGE (a number is beyond the tables); then
	 * nothing stays.
	 */
	int (*device_add)(struct uiommu_dev *dev);
	/*
	 * Blocks its DMA and forgets it. Nothing is attached but its base; where it
	 * shares, what the others have stays in the table.
	 */
	void (*device_remove)(struct uiommu_dev *dev);

	/* Makes dom->pt, a table for use behind @dev. 0, -ENOMEM, -EOPNOTSUPP. */
	int (*domain_init)(struct uiommu_domain *dom, struct uiommu_dev *dev, unsigned flags);
	/* Can this (device, PASID) have that domain, as things are now? 0 or an error
	 * of uiommu_attach_device_pasid(). Types were checked by the core. */
	int (*domain_check)(const struct uiommu_domain *dom, struct uiommu_dev *dev,
			    uiommu_pasid_t pasid);

	/* First attachment of a domain here: picks link->tag, that of a NESTED one is its
	 * parent's. 0, -ENOSPC. */
	int (*link_init)(struct uiommu_link *link);
	/* The last one is gone from hardware: takes whatever caches hold under the
	 * tag away, of a NESTED one the first stage's; waits, gives the tag back, unless
	 * it is the parent's. */
	void (*link_fini)(struct uiommu_link *link);

	/*
	 * All that can fail for want of memory, before attach_commit() to a domain
	 * other than IDENTITY and BLOCKED. Hardware sees no change.
	 */
	int (*attach_prepare)(struct uiommu_dev *dev, uiommu_pasid_t pasid,
			      const struct uiommu_link *now);
	/*
	 * Moves (dev, pasid) from @old to @now in hardware; on return no access
	 * translates by @old. Allocates nothing. BLOCKED on a PASID takes its entry
	 * away. On an error (hardware did not answer) the entry may be either, and
	 * the core calls again: back to @old, and to BLOCKED if that fails too.
	 * Of devices that share a table each gets its call, one after another: what
	 * is in the table is done with the first.
	 */
	int (*attach_commit)(struct uiommu_dev *dev, uiommu_pasid_t pasid,
			     const struct uiommu_link *old, const struct uiommu_link *now);

	/*
	 * @on: whatever (dev, any pasid) has, its DMA is aborted, also by what
	 * attach_commit() does meanwhile; on return none translates. Off: as
	 * attach_commit() said last. Allocates nothing. Of an error the core tries
	 * the opposite. NULL: there is no such thing.
	 */
	int (*block)(struct uiommu_dev *dev, bool on);

	/*
	 * Entries of link->dom changed as @g says: makes every attachment of @link, and
	 * of the links in link->children, forget them and waits: what is cached of both
	 * stages together was made from them too. Any thread that may map, without the instance
	 * lock, several at once, also while the link is being taken down. Allocates
	 * nothing and does not fail: hardware that does not answer is shut off.
	 */
	void (*invalidate)(const struct uiommu_link *link, const struct uiommu_gather *g);

	/*
	 * Resets hardware and sets it up as it was: every device has what
	 * uiommu_device_link() says. NULL: cannot be done. On an error it is off.
	 */
	int (*recover)(struct uiommu_iommu *iommu);

	/*
	 * What a user says becomes dom->user, if it may say so. 0, -EINVAL, -EIO,
	 * -EOPNOTSUPP (type). NULL: there is no nesting.
	 */
	int (*nested_init)(struct uiommu_domain *dom, struct uiommu_dev *dev,
			   const struct uiommu_user_data *user);
	/* Can it have such slices? In any context. NULL: none. */
	bool (*has_viommu)(const struct uiommu_iommu *iommu, unsigned type);
	/*
	 * Between these two the slice has whatever it needs of hardware, with v->link's
	 * tag; v->drv stays NULL where that is nothing. 0, -ENOSPC, -ENOMEM, -ETIMEDOUT.
	 * On return of fini() hardware does nothing for it any more, or is shut off;
	 * v->drv may be looked at until readers have left. Both NULL: it never has.
	 */
	int (*viommu_init)(struct uiommu_viommu *v);
	void (*viommu_fini)(struct uiommu_viommu *v);
	/* Only where v->drv is set, as all down to hw_queue_fini(): hardware learns, and
	 * forgets, what the VM calls the device. 0, -EINVAL, -ENOSPC. */
	int (*vdevice_init)(struct uiommu_vdevice *vd);
	void (*vdevice_fini)(struct uiommu_vdevice *vd);
	/* As uiommu_viommu_mmio(). In any context. */
	int (*viommu_mmio)(const struct uiommu_viommu *v, struct uiommu_mmio *out,
			   size_t *bytes);
	/* As uiommu_viommu_num_hw_queues(). In any context. NULL: none. */
	unsigned (*num_hw_queues)(const struct uiommu_viommu *v, unsigned type);
	/*
	 * Type and number are good, and it is the lowest that is free. 0, -EINVAL,
	 * -ETIMEDOUT. fini() is as uiommu_hw_queue_free(); it is the highest there is.
	 */
	int (*hw_queue_init)(struct uiommu_hw_queue *q);
	void (*hw_queue_fini)(struct uiommu_hw_queue *q);
	/*
	 * As uiommu_cache_invalidate(). Any thread, without the instance lock, several
	 * at once, within read_enter(): allocates nothing.
	 */
	int (*viommu_invalidate)(struct uiommu_viommu *v, const struct uiommu_user_data *inv,
				 size_t n, size_t *handled);
	/*
	 * @f as a record in the VM's terms, *@type: IOMMU_VEVENTQ_TYPE_* of the uAPI; bytes
	 * written to @record, 0: not the VM's business. Within read_enter(), in any context.
	 */
	size_t (*viommu_event)(const struct uiommu_vdevice *vd, const struct uiommu_fault *f,
			       unsigned *type, uint64_t record[UIOMMU_RECORD_WORDS]);
	/*
	 * Answers the group of @r, which is its last request. Any thread, without the
	 * instance lock, several at once; waits for nothing, allocates nothing. An
	 * error: hardware did not take it, and has stopped. Only where
	 * UIOMMU_IOMMU_STALL or _PRI is set; so is the next one.
	 */
	int (*page_response)(struct uiommu_iommu *iommu, const struct uiommu_page_request *r,
			     enum uiommu_page_response code);
	/* On return what hardware had recorded when it was called is reported, also what
	 * other threads were about to. With the instance lock held. */
	void (*drain_faults)(struct uiommu_iommu *iommu);

	/* As uiommu_device_hw_info(). */
	int (*hw_info)(const struct uiommu_dev *dev, unsigned type, struct uiommu_hw_info *out);

	/* The instance goes away: as the driver's own remove function. */
	void (*remove)(struct uiommu_iommu *iommu);
};

#define UIOMMU_IOMMU_PASID_IDENTITY	(1u << 0)	/* a PASID entry can say "bypass" */
#define UIOMMU_IOMMU_PASID_NESTED	(1u << 1)	/* and hold both stages */
#define UIOMMU_IOMMU_STALL		(1u << 2)	/* holds back an access that faults */
#define UIOMMU_IOMMU_PRI		(1u << 3)	/* takes page requests */

#define UIOMMU_STREAM_BUCKETS	64u

struct uiommu_iommu {
	const struct uiommu_iommu_ops *ops;	/* (i)(drv) */
	char name[32];				/* (i)(drv) */
	unsigned pasid_bits;			/* (i)(drv) 0: no PASIDs; at most 20 */
	unsigned caps;				/* (i)(drv) UIOMMU_IOMMU_* */

	struct uiommu *u;			/* (i) by uiommu_iommu_register() */
	const struct uiommu_host *host;		/* (i) */
	struct uiommu_link identity, blocked;	/* (i) */
	struct uiommu_list streams[UIOMMU_STREAM_BUCKETS];	/* (r) by number */
	struct uiommu_node node;		/* (r) u->iommus */
};

/**
 * uiommu_host_of() - the host contract an instance was made with
 * @u: the instance
 *
 * Context:   any.
 * Hardware:  none.
 * Ownership: the host's.
 * Return:    never NULL.
 */
const struct uiommu_host *uiommu_host_of(const struct uiommu *u);

/**
 * uiommu_iommu_register() - put an IOMMU into an instance
 * @u:     the instance
 * @iommu: with the fields marked (drv) filled in; hardware blocks everything
 *
 * From here on faults can be reported, and devices be added behind it: a driver
 * hands the pointer out only when it is up.
 *
 * Context:   a thread that may sleep; takes the instance lock. Not from within a
 *            driver operation.
 * Hardware:  none.
 * Ownership: @iommu stays the driver's, and stays until uiommu_iommu_unregister().
 * Return:    0. There is nothing in it that can fail today; a driver checks anyway.
 */
int uiommu_iommu_register(struct uiommu *u, struct uiommu_iommu *iommu);

/**
 * uiommu_iommu_unregister() - take an IOMMU out of its instance
 * @iommu: registered; hardware still works
 *
 * Devices that are still behind it are removed as by uiommu_device_remove().
 *
 * Context:   a thread that may sleep; takes the instance lock. Cannot fail,
 *            allocates nothing.
 * Hardware:  blocks the devices that were still there.
 * Ownership: @iommu is the driver's alone again.
 */
void uiommu_iommu_unregister(struct uiommu_iommu *iommu);

/**
 * uiommu_device_link() - what (device, PASID) has, by the records
 * @dev:   the device
 * @pasid: UIOMMU_NO_PASID or a PASID
 *
 * Context:   a driver operation: the instance lock is held.
 * Return:    never NULL: the link of BLOCKED for nothing.
 */
const struct uiommu_link *uiommu_device_link(const struct uiommu_dev *dev, uiommu_pasid_t pasid);

/**
 * uiommu_viommu_find() - which device a VM means
 * @v:       the VM's slice
 * @virt_id: the VM's number
 *
 * Context:   within host->read_enter().
 * Return:    the device, good until read_leave(); NULL: the VM has none of that number.
 */
struct uiommu_dev *uiommu_viommu_find(const struct uiommu_viommu *v, uint64_t virt_id);

/**
 * uiommu_viommu_report() - hardware has something to say to a VM
 * @v:      its slice
 * @type:   IOMMU_VEVENTQ_TYPE_* of the Linux uAPI
 * @record: in the VM's terms
 * @bytes:  of @record
 *
 * Context:   within host->read_enter(), with no lock of the driver's held; @v was not
 *            freed before.
 * Return:    false: nobody wanted to know.
 */
bool uiommu_viommu_report(const struct uiommu_viommu *v, unsigned type, const void *record,
			  size_t bytes);

/**
 * uiommu_iommu_for_each_viommu() - all slices of an IOMMU
 * @iommu: the one
 * @fn:    called for each in the order of making; non-zero ends the walk
 *
 * Context:   a driver operation: the instance lock is held.
 * Return:    0, or what @fn returned last.
 */
int uiommu_iommu_for_each_viommu(struct uiommu_iommu *iommu,
				 int (*fn)(struct uiommu_viommu *v));

/**
 * uiommu_iommu_for_each_device() - all devices behind an IOMMU
 * @iommu: the one
 * @fn:    called for each in the order of adding; non-zero ends the walk
 *
 * Context:   a driver operation: the instance lock is held.
 * Return:    0, or what @fn returned last.
 */
int uiommu_iommu_for_each_device(struct uiommu_iommu *iommu, int (*fn)(struct uiommu_dev *dev));

/**
 * uiommu_iommu_failed() - it stopped, and the driver has switched it off
 * @iommu: the one
 *
 * Tells the instance's observer.
 *
 * Context:   any; no lock of the driver's is held.
 */
void uiommu_iommu_failed(struct uiommu_iommu *iommu);

/**
 * uiommu_device_failed() - a device does not answer, and is in quarantine
 * @dev: the device
 *
 * Tells the instance's observer.
 *
 * Context:   within host->read_enter() or with the instance lock held; no lock of the
 *            driver's is held.
 */
void uiommu_device_failed(struct uiommu_dev *dev);

/**
 * uiommu_fault_report() - an IOMMU refused an access
 * @iommu: the one
 * @f:     everything but @f->iommu and @f->dev filled in
 *
 * Finds the device by @f->stream_id and tells the instance's observer.
 *
 * Context:   any in which a spin lock may be taken; the driver holds none.
 *            Within host->read_enter().
 * Hardware:  none.
 * Ownership: @f is the caller's.
 */
void uiommu_fault_report(struct uiommu_iommu *iommu, struct uiommu_fault *f);

/**
 * uiommu_stream_device() - whose StreamID that is
 * @iommu: behind which
 * @id:    the number
 *
 * Context:   within host->read_enter(), for as long as the device is used.
 * Return:    NULL: nobody's.
 */
struct uiommu_dev *uiommu_stream_device(const struct uiommu_iommu *iommu, uint32_t id);

/**
 * uiommu_page_request_report() - a device wants a page
 * @iommu: the one that says so
 * @r:     the request, next NULL; not a Stop Marker
 *
 * With the last one of a group the group goes to the handler of what (device, PASID)
 * has, or is answered INVALID.
 *
 * Context:   as uiommu_fault_report().
 * Hardware:  may answer, by ops->page_response().
 * Ownership: @r is the caller's.
 * Return:    false: it was refused, so it is worth a message
 */
bool uiommu_page_request_report(struct uiommu_iommu *iommu, const struct uiommu_page_request *r);

/**
 * uiommu_page_requests_lost() - some page requests of an IOMMU never came
 * @iommu: the one
 *
 * Groups whose last request has not come yet are forgotten: hardware has answered, or
 * will be asked again.
 *
 * Context:   as uiommu_fault_report().
 */
void uiommu_page_requests_lost(struct uiommu_iommu *iommu);

#endif
