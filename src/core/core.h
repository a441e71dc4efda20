/* SPDX-License-Identifier: MIT */
/*
 * src/core/core.h - what the files of the core share. The legend of the fields
 * is that of uiommu/driver.h; the order of locks is in docs/LOCKING.md.
 */
#ifndef UIOMMU_CORE_CORE_H
#define UIOMMU_CORE_CORE_H

#include "hostcall.h"

struct uiommu {
	const struct uiommu_host *host;		/* (i) */
	struct uiommu_observer obs;		/* (i) */
	struct uiommu_lock lock;		/* the instance lock */
	struct uiommu_list devices;		/* (r) */
	struct uiommu_list domains;		/* (r) PAGING and what is to come */
	struct uiommu_list iommus;		/* (r) */
	struct uiommu_list viommus;		/* (u) */
	struct uiommu_group *groups;		/* (u) */
	struct uiommu_mm *mms;			/* (u) */
	uint64_t *pasids[32];			/* (u) 2^15 each; a bit: given out */
	uiommu_pasid_t pasid_hint;		/* (u) none below it is free */
	struct uiommu_domain identity, blocked;	/* (i) */
};

struct uiommu_group {
	unsigned number;			/* (i) */
	bool named;				/* (i) by the embedder, so others may join */
	const void *owner;			/* (u) NULL: with its default domains */
	unsigned claims;			/* (u) */
	struct uiommu_dev *devs;		/* (u) */
	struct uiommu_group *next;		/* (u) */
};

static inline void core_lock(struct uiommu *u) UIOMMU_TAKES(uiommu_instance_lock);
static inline void core_lock(struct uiommu *u)
{
	host_lock(u->host, &u->lock);
}

static inline void core_unlock(struct uiommu *u) UIOMMU_GIVES(uiommu_instance_lock);
static inline void core_unlock(struct uiommu *u)
{
	host_unlock(u->host, &u->lock);
}

/* ---- index.c: PASID -> attachment, for one device ---- */

/* Makes room for @pasid, so that a later set cannot fail. */
int uiommu_index_reserve(struct uiommu_dev *dev, uiommu_pasid_t pasid)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
void uiommu_index_set(struct uiommu_dev *dev, uiommu_pasid_t pasid, struct uiommu_attach *att)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
struct uiommu_attach *uiommu_index_get(const struct uiommu_dev *dev, uiommu_pasid_t pasid);
/* the first one at *@pasid or above; *@pasid becomes its own */
struct uiommu_attach *uiommu_index_next(const struct uiommu_dev *dev, uiommu_pasid_t *pasid);
void uiommu_index_free(struct uiommu_dev *dev);

/* ---- group.c ---- */

int uiommu_group_join(struct uiommu *u, struct uiommu_dev *dev, int number)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
/* Nothing but the default domain, or BLOCKED by a claim, on any of its devices. */
bool uiommu_group_at_rest(const struct uiommu_group *g);
void uiommu_group_leave(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);

/* ---- link.c ---- */

void uiommu_link_setup(struct uiommu_link *link, struct uiommu_domain *dom,
		       struct uiommu_iommu *iommu);
int uiommu_link_get(struct uiommu_domain *dom, struct uiommu_iommu *iommu,
		    struct uiommu_link **out) UIOMMU_MUST_HOLD(uiommu_instance_lock);
void uiommu_link_put(struct uiommu_link *link) UIOMMU_MUST_HOLD(uiommu_instance_lock);

/* ---- attach.c ---- */

/* The state of a device whose RID nothing is attached to. */
struct uiommu_attach *uiommu_attach_base(struct uiommu_dev *dev)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
/* The RID from one base to the one that is right now; an error leaves it. */
int uiommu_attach_rebase(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);
/* The first and the last attachment of a device; start may fail, end not, and tells
 * the driver that the device goes. */
int uiommu_attach_start(struct uiommu_dev *dev, struct uiommu_domain *def)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
void uiommu_attach_end(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);
void uiommu_attach_drop_all(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);

/* It stays where it is and translates nothing any more. */
void uiommu_attach_kill(struct uiommu_domain *dom) UIOMMU_MUST_HOLD(uiommu_instance_lock);

/* All that is attached goes, and the RID to BLOCKED, claimed or not. */
void uiommu_attach_drop_to_blocked(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);

enum uiommu_attach_how {
	UIOMMU_ATTACH,			/* where nothing is */
	UIOMMU_REPLACE,			/* where something is */
};

/* As the calls of that name, for one device. */
int uiommu_attach_enter(struct uiommu_domain *dom, struct uiommu_dev *dev, uiommu_pasid_t pasid,
			enum uiommu_attach_how how) UIOMMU_MUST_HOLD(uiommu_instance_lock);
void uiommu_attach_leave(struct uiommu_dev *dev, uiommu_pasid_t pasid)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
/* If it is @dom that is there. */
void uiommu_attach_leave_domain(struct uiommu_domain *dom, struct uiommu_dev *dev,
				uiommu_pasid_t pasid) UIOMMU_MUST_HOLD(uiommu_instance_lock);
/* An attachment of @dom to the RID that is not in effect, and needs nothing more to be
 * so: to go home to it cannot fail for want of anything. */
int uiommu_attach_make_home(struct uiommu_domain *dom, struct uiommu_dev *dev,
			    struct uiommu_attach **out) UIOMMU_MUST_HOLD(uiommu_instance_lock);
void uiommu_attach_go_home(struct uiommu_attach *home) UIOMMU_MUST_HOLD(uiommu_instance_lock);
void uiommu_attach_unmake(struct uiommu_attach *att) UIOMMU_MUST_HOLD(uiommu_instance_lock);

/* ---- nested.c ---- */

/* @dom is no more: whom it holds. */
void uiommu_nested_forget(struct uiommu_domain *dom) UIOMMU_MUST_HOLD(uiommu_instance_lock);
/* Whoever was attached to @dom has left: a bound one goes. */
void uiommu_nested_left(struct uiommu_domain *dom) UIOMMU_MUST_HOLD(uiommu_instance_lock);
void uiommu_vdevice_end(struct uiommu_vdevice *vd) UIOMMU_MUST_HOLD(uiommu_instance_lock);
/* Those behind @iommu; NULL: all. */
void uiommu_viommu_end_all(struct uiommu *u, const struct uiommu_iommu *iommu)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
/* By what (dev, pasid) translates; NULL: nothing. A PASID that has nothing of its own is
 * the RID's user's, where that one has a table of PASIDs. Within read_enter(). */
const struct uiommu_attach *uiommu_attach_serving(const struct uiommu_dev *dev,
						  uiommu_pasid_t pasid);
/* Has the device's VM been told of @f? */
bool uiommu_viommu_tell(const struct uiommu_fault *f);

/* ---- hw_queue.c ---- */

void uiommu_hw_queue_end_all(struct uiommu_viommu *v) UIOMMU_MUST_HOLD(uiommu_instance_lock);

/* ---- resv.c ---- */

int uiommu_resv_check(const struct uiommu_dev_resv *resv, unsigned n, bool blocked);
/* Does the RID of this device have to reach something at all times? */
bool uiommu_resv_is_direct(const struct uiommu_dev *dev);
/* 1:1 into @dom what is not yet there; bit n of *@mapped: resv[n] was not. */
int uiommu_resv_map(const struct uiommu_dev *dev, struct uiommu_domain *dom, bool is_default,
		    uint32_t *mapped);
void uiommu_resv_unmap(const struct uiommu_dev *dev, struct uiommu_domain *dom, uint32_t mapped);

/* ---- iopf.c ---- */

#define UIOMMU_MAX_FAULTS	256u

int uiommu_iopf_create(struct uiommu_dev *dev, const struct uiommu_dev_config *cfg);
/* Nobody can find the device any more; groups that handlers still have may outlive it. */
void uiommu_iopf_destroy(struct uiommu_dev *dev);
/* On return nothing that @dom's handler got for (dev, pasid) is open; @dom NULL: nothing
 * of the device at all. It is not to be found there any more, nor by hardware. */
void uiommu_iopf_drain(struct uiommu_dev *dev, uiommu_pasid_t pasid,
		       const struct uiommu_domain *dom) UIOMMU_MUST_HOLD(uiommu_instance_lock);
/* Around a reset of the IOMMU: accesses that it holds back are forgotten by it, page
 * requests are answered afterwards. */
void uiommu_iopf_before_recover(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);
void uiommu_iopf_after_recover(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);

/* ---- sva.c ---- */

void uiommu_sva_device_gone(struct uiommu_dev *dev) UIOMMU_MUST_HOLD(uiommu_instance_lock);
void uiommu_sva_free_all(struct uiommu *u);

/* ---- pasid.c ---- */

int uiommu_pasid_take(struct uiommu *u, unsigned bits, uiommu_pasid_t *out)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
void uiommu_pasid_give(struct uiommu *u, uiommu_pasid_t pasid)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);
void uiommu_pasid_free_all(struct uiommu *u);

/* ---- device.c ---- */

void uiommu_device_remove_locked(struct uiommu_dev *dev)
	UIOMMU_MUST_HOLD(uiommu_instance_lock);

/* ---- domain.c ---- */

void uiommu_domain_setup(struct uiommu_domain *dom, struct uiommu *u,
			 enum uiommu_domain_type type, const char *name);
/* Every IOMMU that the domain sits behind forgets what was gathered. */
void uiommu_domain_invalidate(struct uiommu_domain *dom, const struct uiommu_gather *g);
void uiommu_domain_destroy(struct uiommu_domain *dom) UIOMMU_MUST_HOLD(uiommu_instance_lock);

/* ---- fault.c ---- */

static inline struct uiommu_list *uiommu_stream_bucket(struct uiommu_iommu *iommu, uint32_t id)
{
	return &iommu->streams[(id ^ id >> 8 ^ id >> 16) % UIOMMU_STREAM_BUCKETS];
}

#endif
