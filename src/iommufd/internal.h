/* SPDX-License-Identifier: MIT */
/*
 * internal.h - the objects of a /dev/iommu context, as its files share them
 *
 * One mutex per context, struct uiommu_iommufd.lock, guards everything below
 * ("(c)"); "(i)" is set when made and never changes. Lock order: a VFIO device's
 * lock, then a context's, then the core's; the locks of fault queues and vIOMMUs, which
 * are taken where hardware is heard, are the innermost. Functions declared here are called
 * with the context's lock held unless they say otherwise.
 */
#ifndef UIOMMU_SRC_IOMMUFD_INTERNAL_H
#define UIOMMU_SRC_IOMMUFD_INTERNAL_H

#include <string.h>
#include <uiommu/iommufd.h>
#include <uiommu/nested.h>
#include "abi.h"
#include "ranges.h"

#define UIOMMU_IOMMUFD_PAGE	4096ull
#define UIOMMU_MSI_PAGES	256u	/* doorbell pages in one MSI window at most */
#define UIOMMU_MSI_WORDS	(UIOMMU_MSI_PAGES / 64)

#define uiommu_container_of(p, type, member) \
	((type *)(void *)((char *)(p) - offsetof(type, member)))

/* ---- objects ---- */

enum uiommu_iobj_type {
	UIOMMU_IOBJ_ANY,		/* for look-ups only */
	UIOMMU_IOBJ_IOAS,
	UIOMMU_IOBJ_DEVICE,
	UIOMMU_IOBJ_HWPT,		/* of an IOAS */
	UIOMMU_IOBJ_NESTED,		/* struct uiommu_hwpt too, on one of those */
	UIOMMU_IOBJ_VIOMMU,
	UIOMMU_IOBJ_VDEVICE,
	UIOMMU_IOBJ_FAULT,
	UIOMMU_IOBJ_VEVENTQ,
	UIOMMU_IOBJ_HW_QUEUE,
};

struct uiommu_iobj {
	uint32_t id;			/* (i) 0: in no table */
	enum uiommu_iobj_type type;	/* (i) */
	unsigned users;			/* (c) who else holds it; DESTROY needs 0 */
};

struct uiommu_ioas;
struct uiommu_hwpt;
struct uiommu_ihw_queue;
struct uiommu_icall;

struct uiommu_iommufd {
	struct uiommu_iommufd_config cfg;	/* (i) */
	unsigned num_msi_max;			/* (i) pages in the window */
	struct uiommu_lock lock;
	unsigned refs;				/* (c) the file, mappings of it, bound devices */
	struct uiommu_iobj **objs;		/* (c) objs[id - 1], NULL: free */
	uint32_t num_objs;			/* (c) slots */
	uint32_t lowest_free;			/* (c) no free slot is below this one */
	struct uiommu_iobj tombstone;		/* (i) of numbers that name nothing any more */
	struct uiommu_ioas *vfio_ioas;		/* (c) what the VFIO container calls use */
	struct uiommu_iommufd_dev *devs;	/* (c) */
	struct uiommu_ranges regions;		/* (c) offsets in the file that can be mapped */
	unsigned num_msi;			/* (c) doorbell pages known so far */
	uiommu_pa_t msi_pa[UIOMMU_MSI_PAGES];	/* (c) [n] is at msi_base + n pages */
};

void *uiommu_iommufd_alloc(const struct uiommu_iommufd *ctx, size_t bytes);
void uiommu_iommufd_free(const struct uiommu_iommufd *ctx, void *p, size_t bytes);
/* around public entry points */
void uiommu_iommufd_lock(struct uiommu_iommufd *ctx);
void uiommu_iommufd_unlock(struct uiommu_iommufd *ctx);

/* Gives @obj the lowest free id. -ENOMEM, -ENOSPC: @obj is in no table. */
int uiommu_iobj_add(struct uiommu_iommufd *ctx, struct uiommu_iobj *obj,
		    enum uiommu_iobj_type type);
void uiommu_iobj_remove(struct uiommu_iommufd *ctx, struct uiommu_iobj *obj);
/* Likewise, but its number names nothing any more until the context ends. */
void uiommu_iobj_tombstone(struct uiommu_iommufd *ctx, struct uiommu_iobj *obj);
struct uiommu_iobj *uiommu_iobj_find(const struct uiommu_iommufd *ctx, uint32_t id,
				     enum uiommu_iobj_type type);
/* removes and frees it, whatever it is; nobody may use it any more */
void uiommu_iobj_destroy(struct uiommu_iommufd *ctx, struct uiommu_iobj *obj);
/* everything, in as many passes as the references need */
void uiommu_iobj_destroy_all(struct uiommu_iommufd *ctx);

/* ---- registers that a program may map ---- */

struct uiommu_iommufd_region {
	struct uiommu_range r;			/* (i) where in the file, whole pages */
	struct uiommu_iommufd *ctx;		/* (i) NULL: there are none */
	struct uiommu_iobj *owner;		/* (i) each mapping is a user of it */
	struct uiommu_mmio mmio;		/* (i) */
};

/* Chooses where; owner and mmio are filled in. Cannot fail. */
void uiommu_region_add(struct uiommu_iommufd *ctx, struct uiommu_iommufd_region *reg,
		       uint64_t bytes);
/* nothing, where none was added */
void uiommu_region_remove(struct uiommu_iommufd_region *reg);

/* ---- pages of a program ---- */

/* A piece of a uiommu_pages that is pinned. Pins of neighbouring areas are
 * shared: an area holds each piece that it touches. */
struct uiommu_piece {
	struct uiommu_range r;		/* (i) bytes within the pages, whole pages */
	unsigned users;			/* (c) areas with a page table that touch it */
	struct uiommu_pin *pin;		/* (i) */
};

/* What one IOAS_MAP named. IOAS_COPY lets several areas share it. */
struct uiommu_pages {
	unsigned refs;			/* (c) areas */
	struct uiommu_as *as;		/* (i) referenced */
	uint64_t va;			/* (i) whole pages */
	bool writable;			/* (i) */
	struct uiommu_ranges pieces;	/* (c) */
};

int uiommu_pages_create(struct uiommu_iommufd *ctx, struct uiommu_as *as, uint64_t va,
			uint64_t len, bool writable, struct uiommu_pages **out);
void uiommu_pages_put(struct uiommu_iommufd *ctx, struct uiommu_pages *p);
/* Pins what is not pinned yet of [off, off + len), for devices to find it at @iova. On
 * failure nothing is held. */
int uiommu_pages_hold(struct uiommu_iommufd *ctx, struct uiommu_pages *p, uint64_t off,
		      uint64_t len, uint64_t iova);
void uiommu_pages_drop(struct uiommu_iommufd *ctx, struct uiommu_pages *p, uint64_t off,
		       uint64_t len);

/* Walks held pages: physical address of byte @pos, and how many bytes follow it
 * contiguously. Positions must not go back. */
struct uiommu_pages_cursor {
	const struct uiommu_pages *pages;
	const struct uiommu_piece *piece;
	size_t seg;
	uint64_t seg_off;		/* where segment @seg starts */
};
uiommu_pa_t uiommu_pages_at(struct uiommu_pages_cursor *c, uint64_t pos, uint64_t *run);

/* ---- an I/O address space and what is mapped in it ---- */

struct uiommu_area {
	struct uiommu_range r;		/* IOVAs */
	struct uiommu_pages *pages;	/* (i) referenced */
	uint64_t off;			/* (i) of the first byte within the pages */
	unsigned prot;			/* (i) UIOMMU_PROT_READ/WRITE */
	unsigned locks;			/* (c) that forbid taking it away, or cutting it */
	struct uiommu_area *next;	/* while it is being made: IOAS_COPY makes several */
};

/* An IOVA range that must stay empty: outside a page table's aperture, the MSI
 * window. Equal ranges of several owners are one entry. */
struct uiommu_resv {
	uint64_t start, last;
	unsigned users;
	struct uiommu_resv *next;	/* by start */
};

struct uiommu_iopt {
	struct uiommu_ranges areas;
	struct uiommu_ranges allowed;	/* empty: everything */
	struct uiommu_resv *resv;
	struct uiommu_hwpt *hwpts;	/* oldest first */
	uint64_t alignment;		/* of everything mapped here */
	uint64_t packed_below;		/* from the second page to here nothing is free */
	bool small_pages;		/* OPTION HUGE_PAGES 0 */
};

struct uiommu_ioas {
	struct uiommu_iobj obj;
	struct uiommu_iopt iopt;
};

/* An IOVA range to be mapped: checks or chooses *@iova. */
int uiommu_iopt_place(struct uiommu_iopt *iopt, uint64_t *iova, uint64_t len, uint64_t va_hint,
		      bool fixed);
/* Puts a list of new areas (linked by next) into the address space and into
 * each of its page tables. On failure nothing has changed. */
int uiommu_iopt_add_areas(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt,
			  struct uiommu_area *list);
/* All that is mapped in [start, last], whole pages, stays where it is until it is
 * unlocked. It is pinned, by a page table that stays as long. *@base: where it begins.
 * -ENOENT: not mapped all the way; -EFAULT: not in one piece. Then nothing is locked. */
int uiommu_iopt_lock(struct uiommu_iopt *iopt, uint64_t start, uint64_t last, uiommu_pa_t *base);
void uiommu_iopt_unlock(struct uiommu_iopt *iopt, uint64_t start, uint64_t last);
/* How many bytes are mapped in [start, last]. */
uint64_t uiommu_iopt_mapped(const struct uiommu_iopt *iopt, uint64_t start, uint64_t last);
/* -ENOENT: an area would have to be split; -EBUSY: one is locked */
int uiommu_iopt_check_unmap(const struct uiommu_iopt *iopt, uint64_t start, uint64_t last);
/* Removes the areas in [start, last], where uiommu_iopt_check_unmap() has no objection:
 * cannot fail, so that whoever asked has his answer before. */
void uiommu_iopt_unmap(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt, uint64_t start,
		       uint64_t last);
/* Areas with nothing else: freed, with their reference on the pages. */
void uiommu_iopt_free_areas(struct uiommu_iommufd *ctx, struct uiommu_area *list);

int uiommu_iopt_reserve(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt, uint64_t start,
			uint64_t last);
void uiommu_iopt_unreserve(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt, uint64_t start,
			   uint64_t last);
/* The next hole at or above *@start that no reservation touches; false: none. */
bool uiommu_iopt_next_hole(const struct uiommu_iopt *iopt, uint64_t *start, uint64_t *last);

/* A new page table of this address space: all areas are pinned and mapped. */
int uiommu_iopt_add_hwpt(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt,
			 struct uiommu_hwpt *hwpt);
void uiommu_iopt_remove_hwpt(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt,
			     struct uiommu_hwpt *hwpt);
int uiommu_iopt_set_small_pages(struct uiommu_iopt *iopt, bool small);
/* Makes @start the first and @last the last address of whatever is mapped there: two areas
 * instead of one, or three. Only with small pages: a large entry of a page table cannot be
 * cut, nor what is locked. What it takes is got first: then it cannot fail. */
struct uiommu_cut {
	uint64_t start, last;
	struct uiommu_area *inner, *outer;	/* what begins there, and behind; or NULL */
};
int uiommu_iopt_prepare_cut(struct uiommu_iommufd *ctx, const struct uiommu_iopt *iopt,
			    struct uiommu_cut *cut);
void uiommu_iopt_cut(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt,
		     const struct uiommu_cut *cut);
/* or not after all */
void uiommu_iopt_forget_cut(struct uiommu_iommufd *ctx, const struct uiommu_cut *cut);

/* Maps memory of c->as at *@iova, or where there is room. */
int uiommu_ioas_map_user(const struct uiommu_icall *c, struct uiommu_ioas *ioas, uint64_t va,
			 uint64_t length, uint64_t *iova, bool fixed, unsigned prot);
int uiommu_ioas_create(struct uiommu_iommufd *ctx, struct uiommu_ioas **out);
void uiommu_ioas_free(struct uiommu_iommufd *ctx, struct uiommu_ioas *ioas);

/* ---- page tables ---- */

struct uiommu_hwpt {
	struct uiommu_iobj obj;
	struct uiommu_ioas *ioas;		/* (i) holds a user of it; NESTED: its
						   parent's, who holds it */
	struct uiommu_hwpt *parent;		/* (i) NESTED: holds a user of it */
	struct uiommu_iviommu *viommu;		/* (i) NESTED: likewise */
	struct uiommu_iobj *fault;		/* (i) its fault queue, likewise; or NULL */
	struct uiommu_hwpt *next;		/* (c) in ioas->iopt.hwpts */
	struct uiommu_domain *dom;		/* (i) */
	struct uiommu_domain_info info;		/* (i) */
	bool auto_domain;			/* (c) made by attach, goes with the last detach */
	bool pasid_compat, nest_parent;		/* (i) */
	unsigned rid_users;			/* (c) devices whose RID uses it */
	uint64_t msi[UIOMMU_MSI_WORDS];		/* (c) doorbell pages mapped in it */
};

int uiommu_hwpt_create(struct uiommu_iommufd *ctx, struct uiommu_ioas *ioas,
		       struct uiommu_iommufd_dev *idev, unsigned flags, struct uiommu_hwpt **out);
void uiommu_hwpt_free(struct uiommu_iommufd *ctx, struct uiommu_hwpt *hwpt);
/* maps the doorbell pages of @want that it does not have yet */
int uiommu_hwpt_map_msi(struct uiommu_iommufd *ctx, struct uiommu_hwpt *hwpt,
			const uint64_t *want);
void uiommu_hwpt_unmap_msi(struct uiommu_iommufd *ctx, struct uiommu_hwpt *hwpt);

/* ---- a VM's slice of an IOMMU ---- */

#define UIOMMU_VEVENTQ_TYPES	3u	/* IOMMU_VEVENTQ_TYPE_* below it */

/* (q): under @lock, which is taken where events come; the others as everywhere */
struct uiommu_iviommu {
	struct uiommu_iobj obj;
	struct uiommu_viommu *v;		/* (i) */
	const struct uiommu_host *host;		/* (i) */
	struct uiommu_lock lock;
	struct uiommu_iommufd_veventq *queues[UIOMMU_VEVENTQ_TYPES]; /* (q)(c) or NULL */
	struct uiommu_retire retire;
	struct uiommu_iommu *iommu;		/* (i) */
	struct uiommu_hwpt *parent;		/* (i) holds a user of it */
	struct uiommu_ihw_queue *top_queue;	/* (c) of the highest number, or NULL */
	struct uiommu_iommufd_region region;	/* (i) of a type that has one */
};

struct uiommu_ivdevice {
	struct uiommu_iobj obj;
	struct uiommu_vdevice *vd;		/* (i) */
	struct uiommu_iviommu *viommu;		/* (i) holds a user of it */
	struct uiommu_iommufd_dev *idev;	/* (i) */
};

void uiommu_iviommu_lock(struct uiommu_iviommu *iv);
void uiommu_iviommu_unlock(struct uiommu_iviommu *iv);
struct uiommu_iviommu *uiommu_icall_find_viommu(const struct uiommu_icall *c, uint32_t id);
/* Of an event of hardware's, IOMMU_VEVENTQ_TYPE_*: false, nobody of the VM's listens. */
bool uiommu_veventq_tell(void *viommu, unsigned type, const void *record, size_t bytes);
void uiommu_veventq_free(struct uiommu_iommufd *ctx, struct uiommu_iobj *obj);
void uiommu_iviommu_free(struct uiommu_iommufd *ctx, struct uiommu_iviommu *iv);
void uiommu_ivdevice_free(struct uiommu_iommufd *ctx, struct uiommu_ivdevice *ivd);
void uiommu_ihw_queue_free(struct uiommu_iommufd *ctx, struct uiommu_iobj *obj);
/* The device goes, the number stays taken. */
void uiommu_ivdevice_orphan(struct uiommu_iommufd *ctx, struct uiommu_ivdevice *ivd);

/* ---- fault queues ---- */

/* Faults of a page table that is attached nowhere go to queue @id. -ENOENT. */
int uiommu_hwpt_set_fault(const struct uiommu_icall *c, struct uiommu_hwpt *hwpt, uint32_t id);
void uiommu_fault_free(struct uiommu_iommufd *ctx, struct uiommu_iobj *obj);

/* ---- devices ---- */

struct uiommu_iattach {
	struct uiommu_range r;		/* start = last = PASID */
	struct uiommu_hwpt *hwpt;	/* (c) holds a user of it */
};

struct uiommu_iommufd_dev {
	struct uiommu_iobj obj;
	struct uiommu_iommufd *ctx;		/* (i) holds a reference */
	struct uiommu_dev *dev;			/* (i) */
	struct uiommu_iommufd_dev *next;	/* (c) in ctx->devs */
	struct uiommu_ranges attaches;		/* (c) by PASID */
	struct uiommu_ivdevice *vdevice;	/* (c) or NULL */
	uint64_t msi[UIOMMU_MSI_WORDS];		/* (c) doorbell pages its RID needs */
};

/* ---- ioctls ---- */

/* One call: a copy of the program's structure, and where it came from. */
struct uiommu_icall {
	struct uiommu_iommufd *ctx;
	struct uiommu_as *as;
	uint64_t user;
	uint32_t user_size;
	void *cmd;
	uint32_t cmd_size;
};

int uiommu_icall_copy_in(const struct uiommu_icall *c, void *dst, uint64_t src, size_t bytes);
int uiommu_icall_copy_out(const struct uiommu_icall *c, uint64_t dst, const void *src,
			  size_t bytes);
int uiommu_icall_zero(const struct uiommu_icall *c, uint64_t dst, uint64_t bytes);
/* [src, src + bytes) of the program must be zero: -E2BIG. */
int uiommu_icall_check_zero(const struct uiommu_icall *c, uint64_t src, uint64_t bytes);
/* by their numbers; NULL: there is none of that kind */
struct uiommu_hwpt *uiommu_icall_find_hwpt(const struct uiommu_icall *c, uint32_t id);
struct uiommu_iommufd_dev *uiommu_icall_find_dev(const struct uiommu_icall *c, uint32_t id);
/* the structure goes back to the program, as much of it as it gave room for */
int uiommu_icall_respond(const struct uiommu_icall *c);

/* a number outside iommufd's range: the VFIO container's, or nobody's */
int uiommu_icall_vfio(const struct uiommu_icall *c, uint32_t cmd);

int uiommu_icall_ioas_alloc(const struct uiommu_icall *c);
int uiommu_icall_ioas_iova_ranges(const struct uiommu_icall *c);
int uiommu_icall_ioas_allow_iovas(const struct uiommu_icall *c);
int uiommu_icall_ioas_map(const struct uiommu_icall *c);
int uiommu_icall_ioas_copy(const struct uiommu_icall *c);
int uiommu_icall_ioas_unmap(const struct uiommu_icall *c);
int uiommu_icall_option(const struct uiommu_icall *c);
int uiommu_icall_vfio_ioas(const struct uiommu_icall *c);
int uiommu_icall_hwpt_alloc(const struct uiommu_icall *c);
int uiommu_icall_fault_alloc(const struct uiommu_icall *c);
int uiommu_icall_set_dirty_tracking(const struct uiommu_icall *c);
int uiommu_icall_get_dirty_bitmap(const struct uiommu_icall *c);
int uiommu_icall_hwpt_invalidate(const struct uiommu_icall *c);
int uiommu_icall_get_hw_info(const struct uiommu_icall *c);
int uiommu_icall_viommu_alloc(const struct uiommu_icall *c);
int uiommu_icall_vdevice_alloc(const struct uiommu_icall *c);
int uiommu_icall_veventq_alloc(const struct uiommu_icall *c);
int uiommu_icall_hw_queue_alloc(const struct uiommu_icall *c);

#endif
