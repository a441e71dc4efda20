/* SPDX-License-Identifier: MIT */
/**
 * uiommu/sim/dev.h - software PCIe functions: config space, BARs, DMA, MSI
 *
 * A device model sees a bus that carries its DMA; an MSI is one such DMA, a
 * 4-byte untagged write. Models have no threads: work that a real device does
 * by itself is done in step(), called by whoever owns the machine.
 *
 * Who may call what: config space and BAR accesses from any thread (the bus's
 * lock guards them); step() and reset() by one thread at a time, never one
 * during the other. A model calls bus->dma() only from step(), and holds no
 * lock while it does.
 */
#ifndef UIOMMU_SIM_DEV_H
#define UIOMMU_SIM_DEV_H

#include <uiommu/err.h>
#include <uiommu/types.h>

struct uiommu_sim_dev;

/**
 * struct uiommu_sim_page_ask - a page request, as a function puts it on the bus
 * @pasid: -1: untagged
 * @iova:  in the page that is wanted
 * @write: it wants to write
 * @last:  the last one of its group
 * @prgi:  which group, 0..511
 */
struct uiommu_sim_page_ask {
	int32_t pasid;
	uiommu_iova_t iova;
	bool write, last;
	uint16_t prgi;
};

struct uiommu_sim_bus {
	void *ctx;
	void *(*alloc)(void *ctx, size_t bytes);	/* zeroed */
	void (*free)(void *ctx, void *p, size_t bytes);
	/* @pasid -1: untagged. 0, or negative: the transaction was aborted; -ENOENT: it was
	 * not made, since there is no translation for it (ATS), but one may be asked for */
	int (*dma)(void *ctx, int32_t pasid, uiommu_iova_t iova, void *buf, size_t bytes,
		   bool write);
	/* a page request message; NULL: nobody takes them. The answer comes by
	 * uiommu_sim_page_response(), perhaps before this returns */
	void (*page_request)(void *ctx, const struct uiommu_sim_page_ask *ask);
	/* there is work for step(): wake whoever calls it; any thread, no lock held */
	void (*kick)(void *ctx);
	void (*lock)(void *ctx);	/* guards the model; NULL: single-threaded */
	void (*unlock)(void *ctx);
};

struct uiommu_sim_bar {
	uint64_t bytes;			/* 0: no such BAR; else a power of two */
	bool is64, prefetch;
};

/* What a model is. All but step may run with the bus's lock held or not as they
 * like; the callers below hold none. */
struct uiommu_sim_dev_ops {
	const char *name;		/* "edu" */
	void (*destroy)(struct uiommu_sim_dev *d);
	/* everything but config space back to power-on; what is pending is forgotten */
	void (*reset)(struct uiommu_sim_dev *d);
	uint64_t (*bar_read)(struct uiommu_sim_dev *d, unsigned bar, uint64_t off, unsigned size);
	void (*bar_write)(struct uiommu_sim_dev *d, unsigned bar, uint64_t off, uint64_t val,
			  unsigned size);
	/* one piece of pending work; true: there is more */
	bool (*step)(struct uiommu_sim_dev *d);
	/* the answer to page request group @prgi: @ok, or the page will not come. NULL in
	 * a model that asks for none */
	void (*page_response)(struct uiommu_sim_dev *d, unsigned prgi, bool ok);
};

/* Embedded by a model as its first member. Offsets of capabilities are bytes in
 * config space, 0 where the function does not have it. */
#define UIOMMU_SIM_CFG_BYTES 4096
struct uiommu_sim_dev {
	const struct uiommu_sim_dev_ops *ops;
	const struct uiommu_sim_bus *bus;
	struct uiommu_sim_bar bars[6];
	uint16_t msi_cap, pcie_cap, pasid_cap, ats_cap, pri_cap;
	uint16_t last_cap, last_ext_cap;	/* ends of the two lists, while building */
	bool flr;				/* software asked for a function-level reset */
	uint8_t cfg[UIOMMU_SIM_CFG_BYTES];	/* values, little-endian */
	uint8_t wmask[UIOMMU_SIM_CFG_BYTES];	/* bits software may write */
};

/* ---- config space as software sees it ---- */

/**
 * uiommu_sim_cfg_read() - read config space
 * @d:    the function
 * @off:  bytes, 0..4095, aligned to @size
 * @size: 1, 2 or 4
 *
 * Context:   any thread; takes the bus's lock.
 * Return:    the value; all ones when @off or @size is not as said.
 */
uint32_t uiommu_sim_cfg_read(struct uiommu_sim_dev *d, unsigned off, unsigned size);

/**
 * uiommu_sim_cfg_write() - write config space
 * @d:    the function
 * @off:  bytes, 0..4095, aligned to @size; otherwise nothing is written
 * @val:  the value; bits that are read-only there keep theirs
 * @size: 1, 2 or 4
 *
 * Setting Initiate Function Level Reset asks for one, which uiommu_sim_step()
 * does next.
 *
 * Context:   any thread; takes the bus's lock, may call bus->kick().
 */
void uiommu_sim_cfg_write(struct uiommu_sim_dev *d, unsigned off, uint32_t val, unsigned size);

/**
 * uiommu_sim_bar_read() - a load from a BAR
 * @d:    the function
 * @bar:  0..5
 * @off:  bytes within the BAR, aligned to @size
 * @size: 1, 2, 4 or 8
 *
 * Context:   any thread; the model takes the bus's lock.
 * Return:    the value; all ones when memory decode is off in PCI_COMMAND, when
 *            there is no such BAR, or when nothing answers there.
 */
uint64_t uiommu_sim_bar_read(struct uiommu_sim_dev *d, unsigned bar, uint64_t off, unsigned size);

/**
 * uiommu_sim_bar_write() - a store to a BAR
 * @d:    the function
 * @bar:  0..5
 * @off:  bytes within the BAR, aligned to @size
 * @val:  the value
 * @size: 1, 2, 4 or 8
 *
 * Where uiommu_sim_bar_read() says all ones, a store is lost.
 *
 * Context:   any thread; the model takes the bus's lock, may call bus->kick().
 */
void uiommu_sim_bar_write(struct uiommu_sim_dev *d, unsigned bar, uint64_t off, uint64_t val,
			  unsigned size);

/**
 * uiommu_sim_step() - one piece of what the function has pending
 * @d: the function
 *
 * Context:   one thread at a time, not during uiommu_sim_reset(); calls
 *            bus->dma() with no lock held.
 * Return:    true when there is more to do.
 */
bool uiommu_sim_step(struct uiommu_sim_dev *d);

/**
 * uiommu_sim_reset() - function-level reset
 * @d: the function
 *
 * Every bit of config space that software may write becomes 0, the model is as
 * after power-on, pending work is forgotten.
 *
 * Context:   one thread, not during uiommu_sim_step(); takes the bus's lock.
 */
void uiommu_sim_reset(struct uiommu_sim_dev *d);

/**
 * uiommu_sim_destroy() - give a function back
 * @d: the function, or NULL; nobody uses it any more
 *
 * Context:   one thread.
 */
void uiommu_sim_destroy(struct uiommu_sim_dev *d);

/* ---- for models ---- */

/**
 * uiommu_sim_pci_init() - a type 0 header
 * @d:         zeroed by the caller
 * @bus:       (i) must outlive @d
 * @ops:       (i)
 * @ids:       device ID in the upper 16 bits, vendor ID in the lower
 * @class_rev: class code in the upper 24 bits, revision in the lower 8
 *
 * Context:   before anybody else sees @d. The same goes for the functions that
 *            add to it, below.
 */
void uiommu_sim_pci_init(struct uiommu_sim_dev *d, const struct uiommu_sim_bus *bus,
			 const struct uiommu_sim_dev_ops *ops, uint32_t ids, uint32_t class_rev);

/**
 * uiommu_sim_pci_bar() - a memory BAR
 * @d:   the function
 * @n:   0..5; a 64-bit one also takes n + 1
 * @bar: its size (16 bytes or more) and kind
 *
 * Sizing works as on hardware: ones written to address bits below the size read
 * back as 0.
 *
 * Context:   while building.
 * Return:    0, or -UIOMMU_EINVAL: no such number, or not a power of two.
 */
int uiommu_sim_pci_bar(struct uiommu_sim_dev *d, unsigned n, const struct uiommu_sim_bar *bar);

/**
 * uiommu_sim_pci_cap() - a capability, at the end of the list
 * @d:     the function
 * @id:    capability ID
 * @off:   where, a multiple of 4 in 0x40..0xfc
 * @bytes: its length with the two header bytes
 *
 * The contents are zero and read-only; the caller fills in d->cfg and d->wmask.
 *
 * Context:   while building.
 * Return:    0, or -UIOMMU_EINVAL: does not fit there.
 */
int uiommu_sim_pci_cap(struct uiommu_sim_dev *d, uint8_t id, unsigned off, unsigned bytes);

/**
 * uiommu_sim_pci_ext_cap() - an extended capability, at the end of the list
 * @d:       the function
 * @id:      extended capability ID
 * @version: of the capability
 * @off:     where, a multiple of 4 in 0x100..0xffc; the first one at 0x100
 * @bytes:   its length with the four header bytes
 *
 * Context:   while building.
 * Return:    0, or -UIOMMU_EINVAL: does not fit there.
 */
int uiommu_sim_pci_ext_cap(struct uiommu_sim_dev *d, uint16_t id, unsigned version, unsigned off,
			   unsigned bytes);

/**
 * uiommu_sim_pci_msi() - an MSI capability: 64-bit address, no masking
 * @d:           the function
 * @off:         where
 * @vectors_lg2: vectors it can send, log2: 0..5
 *
 * Context:   while building.
 * Return:    0, or -UIOMMU_EINVAL.
 */
int uiommu_sim_pci_msi(struct uiommu_sim_dev *d, unsigned off, unsigned vectors_lg2);

/**
 * uiommu_sim_pci_pcie() - a PCI Express capability: an endpoint with FLR
 * @d:   the function
 * @off: where
 *
 * Context:   while building.
 * Return:    0, or -UIOMMU_EINVAL.
 */
int uiommu_sim_pci_pcie(struct uiommu_sim_dev *d, unsigned off);

/**
 * uiommu_sim_pci_pasid() - a PASID extended capability
 * @d:    the function
 * @off:  where
 * @bits: Max PASID Width, 1..20
 *
 * Context:   while building.
 * Return:    0, or -UIOMMU_EINVAL.
 */
int uiommu_sim_pci_pasid(struct uiommu_sim_dev *d, unsigned off, unsigned bits);

/**
 * uiommu_sim_pci_ats() - an ATS extended capability: page-aligned requests, and
 * invalidations of all PASIDs at once (Global), as uiommu_sim_atc_inv() takes them
 * @d:   the function
 * @off: where
 *
 * Context:   while building.
 * Return:    0, or -UIOMMU_EINVAL.
 */
int uiommu_sim_pci_ats(struct uiommu_sim_dev *d, unsigned off);

/**
 * uiommu_sim_pci_pri() - a Page Request extended capability
 * @d:        the function
 * @off:      where
 * @capacity: page requests that it can have outstanding
 *
 * With "PRG Response PASID Required" where it has PASIDs.
 *
 * Context:   while building, after uiommu_sim_pci_pasid().
 * Return:    0, or -UIOMMU_EINVAL.
 */
int uiommu_sim_pci_pri(struct uiommu_sim_dev *d, unsigned off, unsigned capacity);

/**
 * uiommu_sim_pci_page_requests() - may it send @n page requests, and will it?
 * @d: the function
 * @n: of one group
 *
 * Context:   any thread.
 * Return:    false: PRI is off, software allows fewer, or a response said FAILURE.
 */
bool uiommu_sim_pci_page_requests(struct uiommu_sim_dev *d, unsigned n);

/**
 * uiommu_sim_page_response() - a page request group is answered
 * @d:    the function
 * @prgi: which
 * @resp: 0 failure, 1 invalid request, 2 success, as in PCI's PRG Response
 *
 * After a failure it asks no more until software has reset its PRI.
 *
 * Context:   any thread, also from within bus->page_request(); takes the bus's lock.
 */
void uiommu_sim_page_response(struct uiommu_sim_dev *d, unsigned prgi, unsigned resp);

/**
 * uiommu_sim_pci_dma() - put one DMA on the bus, if config space allows it
 * @d:     the function
 * @pasid: -1: untagged, else the PASID
 * @iova:  bytes
 * @buf:   what to write, or where to read to
 * @bytes: how much
 * @write: to memory
 *
 * Context:   from step(), no lock held.
 * Return:    0, -UIOMMU_EACCES when the function may not send it (bus mastering
 *            off, PASID not enabled, or wider than the capability says; nothing
 *            was sent), or what the bus returned.
 */
int uiommu_sim_pci_dma(struct uiommu_sim_dev *d, int32_t pasid, uiommu_iova_t iova, void *buf,
		       size_t bytes, bool write);

/**
 * uiommu_sim_msi() - send a message interrupt
 * @d:      the function
 * @vector: below what software enabled; higher ones fold, as the message has
 *          only so many bits to change
 *
 * Context:   from step(), no lock held.
 * Return:    0, -UIOMMU_EACCES when MSI or bus mastering is off (nothing was
 *            sent), or what the bus returned.
 */
int uiommu_sim_msi(struct uiommu_sim_dev *d, unsigned vector);

/* ---- edu ---- */

/*
 * A function with QEMU's edu registers, 1234:11e8 revision 0x10, class 0x00ff00,
 * one MSI vector, no INTx. BAR0 is 1 MiB. 4-byte accesses below 0x80, 4- or
 * 8-byte ones from there on; anything else reads all ones.
 *
 *   0x00 ro  identification, 0x010000ed
 *   0x04 rw  liveness: reads the inverse of what was written
 *   0x08 rw  factorial: write n, reads n! modulo 2^32 when STATUS bit 0 is clear
 *   0x20 rw  STATUS: bit 0 ro computing, bit 7 interrupt when the factorial is there
 *   0x24 ro  interrupt status: 1 factorial, 0x100 queue 0's DMA done, or what 0x60 set
 *   0x60 wo  sets bits in the interrupt status and sends the interrupt
 *   0x64 wo  clears bits in the interrupt status
 *   0x80 rw  DMA source
 *   0x88 rw  DMA destination
 *   0x90 rw  DMA count, bytes
 *   0x98 rw  DMA command: 1 run (reads 1 until done), 2 to memory, 4 interrupt when done
 *
 * A DMA moves bytes between memory and an internal buffer of 4096 bytes that the
 * DMA registers address as 0x40000..0x40fff. Registers of a DMA that runs ignore
 * writes. Unlike QEMU's, this one has no dma_mask: it sends all 64 bits.
 *
 * Our extension, on top of that: more queues. Queue q has the five registers at
 * 0x1000 * q + 0x80, its own buffer at 0x40000 + 0x1000 * q, and interrupt status
 * 0x100 << q. Every queue, number 0 too, has two registers more:
 *
 *   +0x20 (0xa0) rw  PASID: bit 31 valid, bits 19:0 the PASID its DMA carries
 *   +0x28 (0xa8) ro  RESULT: bit 0 done, bit 1 aborted, bit 2 refused by the
 *                    function itself (bounds, bus mastering, PASID not enabled);
 *                    0 when a command starts; bit 8 while it waits for a page
 *
 * With ATS and PRI on, a DMA that finds no translation asks for its pages (one group,
 * its index is the queue's number) and goes on when they are there; it is aborted if
 * they will not come.
 *
 * Where there is no extension, or no such queue, those read all ones, as on
 * QEMU's: RESULT != 0xffffffff is how a program finds out.
 */
#define UIOMMU_SIM_EDU_IDS	0x11e81234u
#define UIOMMU_SIM_EDU_MAX_QUEUES 8

/* how an edu is furnished */
struct uiommu_sim_edu_config {
	unsigned pasid_bits;		/* 0: no PASID capability; at most 20 */
	unsigned queues;		/* 0: 3; at most UIOMMU_SIM_EDU_MAX_QUEUES */
	bool plain;			/* one queue, no extension: as QEMU's */
	bool ats, pri;			/* capabilities; pri needs ats */
};

/**
 * uiommu_sim_edu_create() - make one
 * @bus: its world; must outlive it
 * @cfg: see above
 * @out: the function; give it back with uiommu_sim_destroy()
 *
 * Config space is as after reset: no BAR address, memory decode off.
 *
 * Context:   one thread.
 * Return:    0, -UIOMMU_EINVAL: a number in @cfg is too large, or pri without ats,
 *            -UIOMMU_ENOMEM.
 */
int uiommu_sim_edu_create(const struct uiommu_sim_bus *bus, const struct uiommu_sim_edu_config *cfg,
			  struct uiommu_sim_dev **out);

#endif
