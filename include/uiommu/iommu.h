/* SPDX-License-Identifier: MIT */
/**
 * uiommu/iommu.h - devices, domains, and the attachment of one to the other
 *
 * struct uiommu is one instance: its devices, its groups, its IOMMUs (added by
 * drivers: uiommu/smmuv3.h). There are no globals; several instances live side
 * by side.
 *
 * A domain is one I/O address space. An attachment is the fact
 * (device, PASID) -> domain; PASID UIOMMU_NO_PASID is the RID itself, and both
 * are one operation on one path.
 *
 * Contexts. "Takes the instance lock": a mutex of host->lock, so a thread that may
 * sleep, not an observer, not from within read_enter(). "Takes no lock": also from
 * observers. docs/LOCKING.md has the whole order.
 *
 * Who may be used when: the caller keeps a device or a domain alive while it
 * passes it to any function here; a domain is freed only when nothing is attached.
 */
#ifndef UIOMMU_IOMMU_H
#define UIOMMU_IOMMU_H

#include <uiommu/fault.h>
#include <uiommu/host.h>
#include <uiommu/pt.h>

struct uiommu;
struct uiommu_iommu;
struct uiommu_dev;
struct uiommu_domain;

/* ---- instance ---- */

/**
 * struct uiommu_observer - what an instance tells its embedder
 * @ctx:            handed back
 * @fault:          hardware refused an access. In whatever context the driver looks
 *                  at its event queue (an interrupt function, a poll call), within
 *                  host->read_enter(): no lock is held. @f and f->dev are good during
 *                  the call; another thread may have removed it just before
 * @attach_changed: (dev, pasid) went from @old to @now, either NULL: nothing. Last
 *                  thing under the instance lock, when status agrees at both ends
 * @iommu_failed:   @iommu stopped doing what it is told, and is off: everything behind
 *                  it aborts until uiommu_iommu_recover(), which is to be called from
 *                  a thread. Once for each failure; wherever it was noticed, perhaps
 *                  under the instance lock
 * @device_failed:  @dev did not answer an invalidation of the translations it keeps
 *                  (ATS) and is in quarantine: whatever it has, its DMA aborts until
 *                  it has been reset (uiommu_device_reset_prepare() and _done()) or is
 *                  removed. Wherever it was noticed: in unmap, or under the instance
 *                  lock. @dev is good during the call; another thread may have
 *                  removed it just before
 *
 * Each may be NULL. They may call what "takes no lock" (names, status, info,
 * uiommu_fault_text()), nothing else of this library.
 */
struct uiommu_observer {
	void *ctx;
	void (*fault)(void *ctx, const struct uiommu_fault *f);
	void (*attach_changed)(void *ctx, struct uiommu_dev *dev, uiommu_pasid_t pasid,
			       struct uiommu_domain *old, struct uiommu_domain *now);
	void (*iommu_failed)(void *ctx, struct uiommu_iommu *iommu);
	void (*device_failed)(void *ctx, struct uiommu_dev *dev);
};

/**
 * uiommu_create() - make an instance
 * @host: at least steps 1 and 2 of the contract; stays valid and unchanged until
 *        after uiommu_destroy() and the last retire callback
 * @obs:  copied; NULL: nobody is told
 * @out:  the instance; only set on success
 *
 * Context:   may call host->alloc() and host->lock_init().
 * Hardware:  none.
 * Ownership: the caller's, until uiommu_destroy().
 * Return:    0, or
 *   -UIOMMU_ENOMEM  host->alloc() or host->lock_init() failed   nothing made
 */
int uiommu_create(const struct uiommu_host *host, const struct uiommu_observer *obs,
		  struct uiommu **out);

/**
 * uiommu_destroy() - end an instance with everything in it
 * @u: from uiommu_create(), or NULL; gone afterwards
 *
 * Removes devices (detaching what is attached), then domains, then IOMMUs as their
 * drivers' remove functions do. Whoever still holds one of these has a stale
 * pointer.
 *
 * Context:   takes the instance lock; no other call on @u is under way. Cannot
 *            fail, allocates nothing.
 * Hardware:  every device ends blocked, every IOMMU off.
 * Ownership: all of it goes back to the host; what readers may still look at goes
 *            through host->retire().
 */
void uiommu_destroy(struct uiommu *u);

/* ---- devices ---- */

enum uiommu_domain_type {
	UIOMMU_DOMAIN_BLOCKED,
	UIOMMU_DOMAIN_IDENTITY,
	UIOMMU_DOMAIN_PAGING,
	UIOMMU_DOMAIN_SVA,
	UIOMMU_DOMAIN_NESTED,
};

/**
 * enum uiommu_resv_type - what is special about a range of a device's IOVAs
 * @UIOMMU_RESV_DIRECT:           firmware says the device uses this memory whatever
 *                                the system does (RMR): mapped 1:1 in each address
 *                                space that its RID gets, and never blocked
 * @UIOMMU_RESV_DIRECT_RELAXABLE: likewise, but only for as long as nobody claims it
 * @UIOMMU_RESV_RESERVED:         never reaches the IOMMU (a window of a bridge)
 * @UIOMMU_RESV_MSI:              writes there are interrupts
 */
enum uiommu_resv_type {
	UIOMMU_RESV_DIRECT,
	UIOMMU_RESV_DIRECT_RELAXABLE,
	UIOMMU_RESV_RESERVED,
	UIOMMU_RESV_MSI,
};

/**
 * struct uiommu_dev_resv - a range of IOVAs that is not for mapping
 * @start: first, bytes; DIRECT: a multiple of 4 KiB
 * @last:  last, inclusive; DIRECT: the last byte of a 4 KiB page
 * @type:  see there
 * @prot:  UIOMMU_PROT_* of a DIRECT one
 */
struct uiommu_dev_resv {
	uiommu_iova_t start, last;
	enum uiommu_resv_type type;
	unsigned prot;
};

#define UIOMMU_RESV_MAX		32u

/**
 * struct uiommu_dev_config - what a device is
 * @name:           "0000:01:00.0", unique in the instance; copied
 * @iommu:          the IOMMU in front of it
 * @rid:            PCI requester ID (BDF), for messages
 * @stream_ids:     how the IOMMU sees it; copied. No other device behind that
 *                  IOMMU has one of them
 * @num_stream_ids: 1 to 65535
 * @pasid_bits:     log2 of the PASIDs it can send; 0: none; at most 20
 * @group:          -1: a group of its own with the lowest free number; else that
 *                  group's number, which others may name too
 * @default_type:   BLOCKED or IDENTITY: what it is attached to when nobody claims
 *                  its group and nothing is attached to its RID. Another one, an
 *                  address space for DMA too: uiommu_device_set_default()
 * @shared:         it and the other devices of @group, which all say so, are one to
 *                  the IOMMU: they have one PASID table, StreamIDs of one may be
 *                  another's too (aliases behind a bridge), and whatever is attached
 *                  to one of them, RID or PASID, is attached to all
 * @resv:           ranges that are not for mapping; copied
 * @num_resv:       how many, at most UIOMMU_RESV_MAX. With a DIRECT one, @default_type
 *                  is not BLOCKED
 * @ats:            it can ask for translations and keep them (PCIe ATS). They are used
 *                  where the IOMMU has ATS too, while the RID or a PASID translates
 * @ats_global:     an invalidation of its may speak of all PASIDs at once ("Global
 *                  Invalidate Supported" of its ATS capability)
 * @ats_always_on:  also while its RID has IDENTITY: it reaches memory in no other way
 * @set_ats:        switches ATS on and off in the device (the Enable bit of its
 *                  capability). On: after the IOMMU answers its requests, and it keeps
 *                  nothing of before. Off: complete on return, no more requests. Does
 *                  not sleep: called under the instance lock, or (off only, perhaps
 *                  at the same time, with a UIOMMU_LOCK_SPIN held) from an unmap that
 *                  the device did not answer. NULL: it is on always
 * @ats_ctx:        handed to @set_ats
 * @can_stall:      its accesses may be held back while a page is fetched
 *                  (dma-can-stall): it waits for as long as it takes, and so may what
 *                  shares its way. Not looked at where the IOMMU cannot
 * @pri:            it asks for pages with PRI, and has been told that it may; likewise
 * @pri_pasid:      the answer to a request with a PASID has it too (PCI: PRG Response
 *                  PASID Required)
 * @max_faults:     page requests that it may have open at a time, up to 65535; 0: 256. One
 *                  more is answered INVALID. Memory for that many is held
 * @fault_rate:     groups in a second that are looked at; more are answered INVALID. 0: no
 *                  limit. Apart from that a page that is asked for again and again,
 *                  although the answer was SUCCESS, is INVALID after the 64th time in
 *                  a second
 */
struct uiommu_dev_config {
	const char *name;
	struct uiommu_iommu *iommu;
	uint32_t rid;
	const uint32_t *stream_ids;
	unsigned num_stream_ids;
	unsigned pasid_bits;
	int group;
	enum uiommu_domain_type default_type;
	bool shared;
	const struct uiommu_dev_resv *resv;
	unsigned num_resv;
	bool ats, ats_global, ats_always_on;
	void (*set_ats)(void *ctx, bool on);
	void *ats_ctx;
	bool can_stall, pri, pri_pasid;
	unsigned max_faults, fault_rate;
};

/**
 * uiommu_device_add() - a device appears
 * @u:   the instance
 * @cfg: see there; copied
 * @out: the device; only set on success
 *
 * Context:   takes the instance lock; may call host->alloc(), host->table_alloc().
 * Hardware:  its StreamIDs go from aborting to the default domain, or stay blocked
 *            when the group is claimed.
 * Ownership: the instance's; the caller's to remove.
 * Return:    0, or (nothing is added then)
 *   -UIOMMU_EINVAL     a member of @cfg is out of its range, or of another instance;
 *                      @cfg->shared without a group, or with one whose devices do not
 *                      share, are behind another IOMMU or have other PASIDs
 *   -UIOMMU_EEXIST     the name, or a StreamID behind this IOMMU, is taken
 *   -UIOMMU_EBUSY      @cfg->group is the number of a group that is a device's own, or
 *                      of one that shares, while something is attached to it, or of one
 *                      that is claimed, and the device has a DIRECT range
 *   -UIOMMU_ERANGE     a StreamID is beyond what the IOMMU can look up
 *   -UIOMMU_ENOMEM     the host gave no memory
 *   -UIOMMU_ETIMEDOUT, -UIOMMU_EIO  hardware did not answer
 */
int uiommu_device_add(struct uiommu *u, const struct uiommu_dev_config *cfg,
		      struct uiommu_dev **out);

/**
 * uiommu_device_remove() - a device goes away
 * @dev: gone afterwards
 *
 * Detaches everything. Its claims are dropped, and a group whose last claim that
 * was goes back to its default domains.
 *
 * Context:   takes the instance lock. Cannot fail, allocates nothing.
 * Hardware:  its StreamIDs abort, with an event where the hardware has one.
 * Ownership: freed through host->retire(): a fault that is being reported still
 *            finds it.
 */
void uiommu_device_remove(struct uiommu_dev *dev);

/**
 * uiommu_device_name() - what it was called in its configuration
 * @dev: the device
 *
 * Context:   any; takes no lock.
 * Return:    the name; good as long as the device.
 */
const char *uiommu_device_name(const struct uiommu_dev *dev);

/**
 * uiommu_device_rid() - its PCI requester ID
 * @dev: the device
 *
 * Context:   any; takes no lock.
 * Return:    as in its configuration.
 */
uint32_t uiommu_device_rid(const struct uiommu_dev *dev);

/**
 * uiommu_device_group() - the number of its group
 * @dev: the device
 *
 * Context:   any; takes no lock.
 * Return:    the number, as given or picked by uiommu_device_add().
 */
unsigned uiommu_device_group(const struct uiommu_dev *dev);

/**
 * uiommu_device_iommu() - the IOMMU in front of it
 * @dev: the device
 *
 * Context:   any; takes no lock.
 * Return:    never NULL.
 */
struct uiommu_iommu *uiommu_device_iommu(const struct uiommu_dev *dev);

/**
 * uiommu_device_pasid_bits() - how many PASIDs can be used on it
 * @dev: the device
 *
 * Context:   any; takes no lock.
 * Return:    log2 of the number, PASID 0 counted; the smaller of what the device and
 *            its IOMMU have. 0: none.
 */
unsigned uiommu_device_pasid_bits(const struct uiommu_dev *dev);

/**
 * uiommu_device_is_shared() - is it one with its group to the IOMMU
 * @dev: the device
 *
 * Context:   any; takes no lock.
 * Return:    as in its configuration: what is attached to it is attached to all.
 */
bool uiommu_device_is_shared(const struct uiommu_dev *dev);

typedef int (*uiommu_resv_fn)(void *ctx, const struct uiommu_dev_resv *resv);

/**
 * uiommu_device_for_each_resv() - which IOVAs of a device are not for mapping
 * @dev: the device
 * @fn:  called for each as configured; non-zero ends the walk
 * @ctx: handed to @fn
 *
 * Context:   any; takes no lock.
 * Return:    0, or what @fn returned last.
 */
int uiommu_device_for_each_resv(const struct uiommu_dev *dev, uiommu_resv_fn fn, void *ctx);

/**
 * uiommu_device_reset_prepare() - a device is about to be reset
 * @dev: the device
 *
 * Until uiommu_device_reset_done() it reaches nothing, and attach, replace and
 * set_default of it (and of a group that it is in) are refused. Detach, claim and
 * release work; what they change is seen when it is done. Status says what it will
 * have then, and unmap reaches all of that.
 *
 * Context:   takes the instance lock; allocates nothing.
 * Hardware:  its StreamIDs abort: RID and every PASID, by one entry each.
 * Return:    0, or (everything is as before then)
 *   -UIOMMU_EBUSY       it is being reset
 *   -UIOMMU_EOPNOTSUPP  its IOMMU's driver has no such thing
 *   -UIOMMU_ETIMEDOUT, -UIOMMU_EIO  hardware did not answer
 */
int uiommu_device_reset_prepare(struct uiommu_dev *dev);

/**
 * uiommu_device_reset_done() - it has been reset
 * @dev: after uiommu_device_reset_prepare(); else nothing happens
 *
 * Context:   takes the instance lock; allocates nothing.
 * Hardware:  its RID and PASIDs translate by what they have. Ends a quarantine.
 * Return:    0, or
 *   -UIOMMU_ETIMEDOUT, -UIOMMU_EIO  hardware did not answer: all that it had is
 *                                   detached, it is BLOCKED, and the observer told
 */
int uiommu_device_reset_done(struct uiommu_dev *dev);

/**
 * uiommu_device_claim() - take a device's group from its default domain
 * @dev:   the device
 * @owner: any address that stands for who claims; not NULL
 *
 * The group is owned as a whole: with the first claim all its devices go to
 * BLOCKED, and so do those added to it later. Counted for each device: one owner
 * may claim several of them, and one several times.
 *
 * Context:   takes the instance lock; allocates nothing.
 * Hardware:  first claim: each device of the group from its default domain to
 *            blocked.
 * Ownership: until as many uiommu_device_release(), or uiommu_device_remove().
 * Return:    0, or
 *   -UIOMMU_EINVAL  @owner is NULL, or a device of the group has a DIRECT range, which
 *                   cannot be blocked
 *   -UIOMMU_EPERM   another owner has the group
 *   -UIOMMU_EBUSY   something is attached to a device of the group
 *   -UIOMMU_ETIMEDOUT, -UIOMMU_EIO  hardware did not answer; a device that could
 *                   not be put back is BLOCKED
 */
int uiommu_device_claim(struct uiommu_dev *dev, const void *owner);

/**
 * uiommu_device_release() - undo one uiommu_device_claim()
 * @dev:   the device
 * @owner: who claimed it; from anybody else the call does nothing
 *
 * With the last claim of the device (where it is shared: of its group) all that is
 * attached to it is detached. With
 * the last one of its group all devices of the group go back to their default
 * domains.
 *
 * Context:   takes the instance lock. Cannot fail, allocates nothing.
 * Hardware:  as uiommu_detach_device_pasid() for each attachment.
 */
void uiommu_device_release(struct uiommu_dev *dev, const void *owner);

/**
 * uiommu_device_set_default() - choose what the RID has when nothing is attached
 * @dev: the device; with its group, when it is shared
 * @dom: IDENTITY, BLOCKED or a PAGING domain of the instance
 *
 * Context:   takes the instance lock; may call host->alloc(), host->table_alloc().
 * Hardware:  where the RID has the old default, from that to @dom as
 *            uiommu_replace_device_pasid() does it.
 * Ownership: holds @dom, also while something else is attached, until another
 *            default is chosen or the device removed. Its tag is taken as long.
 * Return:    0, or (everything is as before then)
 *   -UIOMMU_EBUSY   the group is claimed, or is being reset
 *   others          as uiommu_attach_device_pasid()
 */
int uiommu_device_set_default(struct uiommu_dev *dev, struct uiommu_domain *dom);

/**
 * enum uiommu_pci_kind - what a PCI function is to the way of a request
 * @UIOMMU_PCI_ENDPOINT:   where DMA begins
 * @UIOMMU_PCI_ROOT_PORT:  of the root complex
 * @UIOMMU_PCI_UPSTREAM:   the port of a switch that looks at the root
 * @UIOMMU_PCI_DOWNSTREAM: one that looks away from it
 * @UIOMMU_PCI_BRIDGE:     to conventional PCI, where requests have no identity
 */
enum uiommu_pci_kind {
	UIOMMU_PCI_ENDPOINT,
	UIOMMU_PCI_ROOT_PORT,
	UIOMMU_PCI_UPSTREAM,
	UIOMMU_PCI_DOWNSTREAM,
	UIOMMU_PCI_BRIDGE,
};

/**
 * struct uiommu_pci_fn - one function of a PCI hierarchy
 * @rid:         its bus, device and function number
 * @kind:        see there
 * @parent:      index of the port or bridge above it; -1: on the root bus
 * @multi:       its device has several functions
 * @acs:         Source Validation, Request and Completion Redirect and Upstream
 *               Forwarding are on: what it sends to a neighbour goes up first.
 *               Also for those that are known to behave so without the capability
 * @aliases:     requester IDs that its requests may carry besides @rid: what a bridge
 *               puts on them is known without; a quirk of the device is stated here
 * @num_aliases: how many
 */
struct uiommu_pci_fn {
	uint16_t rid;
	enum uiommu_pci_kind kind;
	int parent;
	bool multi, acs;
	const uint16_t *aliases;
	unsigned num_aliases;
};

/**
 * uiommu_pci_groups() - which functions cannot be told or kept apart
 * @fns:   the hierarchy; parents stand before their children
 * @n:     how many
 * @group: out: for each the index of the lowest function of its group
 *
 * Three rules. Functions whose requests may carry the same requester ID are one
 * group: so is all that is behind a bridge to conventional PCI, with it. So are the
 * functions of one device that lack ACS, as they may talk among themselves. And all
 * that is below a port that lacks ACS, or a bridge, is one group with it: there a
 * request may turn around before an IOMMU has seen it. One port of a switch that
 * lacks ACS spoils the whole switch: what is below it reaches what is below the
 * others.
 *
 * Give devices of one group one number in uiommu_dev_config.group, and say shared
 * where their StreamIDs are the same.
 *
 * Context:   any; a pure function. Takes n * n steps, times the ports on the way up.
 * Return:    0, or
 *   -UIOMMU_EINVAL  a parent is out of range, stands behind its child, or is an
 *                   endpoint; @group is not touched
 */
int uiommu_pci_groups(const struct uiommu_pci_fn *fns, unsigned n, unsigned *group);

/**
 * struct uiommu_hw_info - hardware's description of itself, for GET_HW_INFO
 * @type:         IOMMU_HW_INFO_TYPE_* of the Linux uAPI (2: SMMUv3, 3: its queues for VMs)
 * @data:         the uAPI's structure of that type; good as long as the IOMMU
 * @bytes:        its size
 * @capabilities: IOMMU_HW_CAP_* of the uAPI
 */
struct uiommu_hw_info {
	unsigned type;
	const void *data;
	size_t bytes;
	uint64_t capabilities;
};

/**
 * uiommu_device_hw_info() - describe the IOMMU in front of a device
 * @dev:  the device
 * @type: which description, IOMMU_HW_INFO_TYPE_* of the Linux uAPI; 0: of the IOMMU itself
 * @out:  overwritten whole
 *
 * Context:   any; takes no lock.
 * Hardware:  none: read once at probe.
 * Return:    0, or
 *   -UIOMMU_EOPNOTSUPP  it has no description of that type    all of @out is zero
 */
int uiommu_device_hw_info(const struct uiommu_dev *dev, unsigned type,
			  struct uiommu_hw_info *out);

/* ---- domains ---- */

#define UIOMMU_DOMAIN_ALLOC_PASID	(1u << 0)	/* will be attached to PASIDs */
/* will lie below tables of a guest: stage 2 of an IOMMU with both stages */
#define UIOMMU_DOMAIN_ALLOC_NEST_PARENT	(1u << 1)
#define UIOMMU_DOMAIN_ALLOC_DIRTY	(1u << 2)	/* hardware marks the pages it writes */

/**
 * uiommu_domain_alloc_paging() - make an address space that is mapped and unmapped
 * @dev:   a device that it will be attached to, which decides about the format; it
 *         can be attached to others as well, also behind other IOMMUs
 * @flags: UIOMMU_DOMAIN_ALLOC_*. PASID and NEST_PARENT exclude each other where
 *         stage 2 belongs to the RID (SMMUv3)
 * @out:   the domain; only set on success
 *
 * Context:   takes the instance lock; may call host->alloc(), host->table_alloc().
 * Hardware:  none.
 * Ownership: the caller's, until uiommu_domain_free().
 * Return:    0, or (nothing is made then)
 *   -UIOMMU_EOPNOTSUPP  an unknown flag, or the IOMMU has no such tables, or not
 *                       with these flags
 *   -UIOMMU_ENOMEM      the host gave no memory
 */
int uiommu_domain_alloc_paging(struct uiommu_dev *dev, unsigned flags,
			       struct uiommu_domain **out);

/**
 * uiommu_domain_free() - end an address space
 * @dom: gone afterwards; what is still mapped is forgotten
 *
 * Context:   takes the instance lock; no map or unmap on @dom is under way.
 *            Allocates nothing.
 * Hardware:  none: nothing is attached.
 * Ownership: tables go back to the host. The caller's memory was never ours.
 * Return:    0, or
 *   -UIOMMU_EBUSY   it is attached somewhere, or the parent of a nested domain or a
 *                   vIOMMU                           the domain stays
 *   -UIOMMU_EINVAL  it is IDENTITY's or BLOCKED's own   the domain stays
 */
int uiommu_domain_free(struct uiommu_domain *dom);

/**
 * uiommu_domain_identity() - the domain in which an IOVA is a physical address
 * @u: the instance
 *
 * Context:   any; takes no lock.
 * Ownership: the instance's.
 * Return:    never NULL.
 */
struct uiommu_domain *uiommu_domain_identity(struct uiommu *u);

/**
 * uiommu_domain_blocked() - the domain in which nothing is reached
 * @u: the instance
 *
 * Context:   any; takes no lock.
 * Ownership: the instance's.
 * Return:    never NULL.
 */
struct uiommu_domain *uiommu_domain_blocked(struct uiommu *u);

/**
 * struct uiommu_domain_info - what a domain is
 * @type:           its type
 * @format:         PAGING: the name of its page tables' format (uiommu_pt_ops.name),
 *                  "arm_s1_4k"; else NULL
 * @pgsizes:        PAGING: bit n set: leaves of 2^n bytes. Else 0
 * @aperture_start: first IOVA that can be mapped, bytes
 * @aperture_last:  last one, inclusive. BLOCKED: 0
 */
struct uiommu_domain_info {
	enum uiommu_domain_type type;
	const char *format;
	uint64_t pgsizes;
	uiommu_iova_t aperture_start, aperture_last;
};

/**
 * uiommu_domain_info() - describe a domain
 * @dom: the domain
 * @out: overwritten whole
 *
 * Context:   any; takes no lock.
 */
void uiommu_domain_info(const struct uiommu_domain *dom, struct uiommu_domain_info *out);

/**
 * uiommu_domain_set_name() - name it for people
 * @dom:  the domain
 * @name: "IOAS 3", "vm1"; copied, cut at 31 bytes
 *
 * Context:   any; takes no lock. Who reads at the same moment may see a mixture of
 *            two names, which ends all the same.
 */
void uiommu_domain_set_name(struct uiommu_domain *dom, const char *name);

/**
 * uiommu_domain_name() - its name for people
 * @dom: the domain
 *
 * Context:   any; takes no lock.
 * Return:    as set last; "" when never, "identity" and "blocked" for those two.
 *            Good as long as the domain.
 */
const char *uiommu_domain_name(const struct uiommu_domain *dom);

/**
 * uiommu_map() - map physical memory into a domain
 * @dom:    PAGING; the caller keeps it alive during the call
 * @iova:   bytes; multiple of the smallest page in uiommu_domain_info.pgsizes
 * @pa:     bytes; same alignment as @iova
 * @len:    bytes; multiple of the smallest page, not 0
 * @prot:   UIOMMU_PROT_*; at least one of READ, WRITE
 * @mapped: out, may be NULL; bytes mapped counting from @iova, valid on every return
 *
 * Picks the largest pages that fit. Splits nothing that is already there.
 *
 * Context:   any thread that may sleep; takes no lock: callers keep concurrent
 *            ranges disjoint. May call host->table_alloc().
 * Hardware:  no command: what was not there is not cached.
 * Ownership: takes none of @pa; the caller unmaps before reusing the memory.
 * Return:    0, or
 *   -UIOMMU_EINVAL  not PAGING, alignment, zero length, permission   nothing mapped
 *   -UIOMMU_ERANGE  beyond the domain's input or output size         nothing mapped; or the
 *                   host gave table memory beyond it    [iova, iova + *mapped) stays mapped
 *   -UIOMMU_EEXIST  a page in the range is already mapped   [iova, iova + *mapped) stays mapped
 *   -UIOMMU_ENOMEM  host->table_alloc() failed              [iova, iova + *mapped) stays mapped
 */
int uiommu_map(struct uiommu_domain *dom, uiommu_iova_t iova, uiommu_pa_t pa,
	       uint64_t len, unsigned prot, uint64_t *mapped);

/**
 * uiommu_unmap() - take mappings out of a domain, for good
 * @dom:      PAGING; the caller keeps it alive during the call
 * @iova:     bytes; multiple of the smallest page
 * @len:      bytes; multiple of the smallest page, not 0
 * @unmapped: out, may be NULL; bytes gone counting from @iova, valid on every return.
 *            Fewer than @len: there is a hole behind them, and what is behind the hole
 *            was left alone
 *
 * Strict: when it returns, no DMA of any (device, PASID) that the domain is attached
 * to reaches the old pages, by whatever IOMMU. One that does not answer within a
 * second is shut off to that end: everything behind it aborts.
 *
 * Context:   any thread that may spin for an IOMMU; takes no lock of its own, only
 *            the IOMMU's queue's: callers keep concurrent ranges disjoint. Attach and
 *            detach of @dom at the same time are fine. Allocates nothing.
 * Hardware:  one invalidation and one sync for each IOMMU that @dom sits behind.
 * Ownership: the pages are the caller's alone again.
 * Return:    0, or
 *   -UIOMMU_EINVAL  not PAGING, alignment, zero length, or an end of the range lies
 *                   inside a larger page            nothing unmapped
 *   -UIOMMU_ERANGE  beyond the domain's input size  nothing unmapped
 */
int uiommu_unmap(struct uiommu_domain *dom, uiommu_iova_t iova, uint64_t len,
		 uint64_t *unmapped);

/**
 * uiommu_iova_to_phys() - where an IOVA leads
 * @dom:  any domain; the caller keeps it alive during the call
 * @iova: bytes
 * @pa:   out, bytes; only set on success
 *
 * Context:   any; takes no lock: the caller knows that nobody unmaps it meanwhile.
 * Hardware:  none: reads the table.
 * Return:    0, or
 *   -UIOMMU_ENOENT  nothing is mapped there
 *   -UIOMMU_ERANGE  beyond the domain's input size
 */
int uiommu_iova_to_phys(struct uiommu_domain *dom, uiommu_iova_t iova, uiommu_pa_t *pa);

/* ---- attachment: one path for RID and RID+PASID ---- */

/**
 * uiommu_attach_device_pasid() - give (device, PASID) an address space
 * @dom:   of the same instance; BLOCKED on a PASID means: nothing
 * @dev:   the device
 * @pasid: UIOMMU_NO_PASID: the RID's own traffic; else 1 to 2^pasid_bits - 1, which
 *         is the caller's choice
 *
 * The place must be free. A RID is, while it has its default domain or BLOCKED. It
 * does not matter to the PASIDs what the RID has, nor the other way round. Of devices
 * that are shared the whole group is meant: here, in replace and in detach.
 *
 * DIRECT ranges of the device are mapped 1:1 into @dom first, where they are not yet;
 * they stay in it.
 *
 * Context:   takes the instance lock; may call host->alloc(), host->table_alloc().
 * Hardware:  when it returns 0, accesses translate by @dom. On the way they see what
 *            was there, @dom, or (where the entry has no order of words that avoids
 *            it) abort.
 * Ownership: holds @dom: it cannot be freed.
 * Return:    0, or (everything is as before then)
 *   -UIOMMU_EINVAL      @dom is of another instance, or of a format that the IOMMU
 *                       cannot walk; @pasid is out of range, also where there are none;
 *                       BLOCKED on the RID of a device that has a DIRECT range; a PASID
 *                       where @dom, or what the RID has or has by default, belongs to
 *                       the RID as a whole (SMMUv3: stage 2)
 *   -UIOMMU_EOPNOTSUPP  IDENTITY or NESTED on a PASID where hardware has no such thing
 *                       (SMMUv3)
 *   -UIOMMU_EBUSY       something is attached there, or the device is being reset; or
 *                       @dom belongs to the RID as a whole and PASIDs are in use
 *   -UIOMMU_EADDRINUSE  a DIRECT range of the device is mapped to something else in
 *                       @dom, or in part
 *   -UIOMMU_ENOSPC      the IOMMU's tags (ASIDs, VMIDs) are used up
 *   -UIOMMU_ENOMEM      the host gave no memory
 *   -UIOMMU_ETIMEDOUT, -UIOMMU_EIO  hardware did not answer; if what was there could
 *                       not be put back, (dev, pasid) is BLOCKED, and the observer told.
 *                       EIO also: the device is in quarantine (observer.device_failed)
 */
int uiommu_attach_device_pasid(struct uiommu_domain *dom, struct uiommu_dev *dev,
			       uiommu_pasid_t pasid);

/**
 * uiommu_replace_device_pasid() - another address space in the place of one
 * @dom:   as for uiommu_attach_device_pasid(); BLOCKED on a PASID means detach
 * @dev:   the device
 * @pasid: likewise; something was attached there by a call
 *
 * Context:   as uiommu_attach_device_pasid().
 * Hardware:  from the old one to @dom without being blocked in between, except where
 *            the entry has no order of words that avoids an invalid moment.
 * Ownership: holds @dom, and not the old one any more.
 * Return:    0 (also when @dom is there already), or as uiommu_attach_device_pasid(),
 *            except
 *   -UIOMMU_EINVAL  also: nothing is attached there
 *   -UIOMMU_EBUSY   for the reset, and for PASIDs in use
 */
int uiommu_replace_device_pasid(struct uiommu_domain *dom, struct uiommu_dev *dev,
				uiommu_pasid_t pasid);

/**
 * uiommu_detach_device_pasid() - take (device, PASID) its address space
 * @dev:   the device
 * @pasid: UIOMMU_NO_PASID or a PASID; where nothing is attached nothing happens
 *
 * The RID goes to BLOCKED when its group is claimed, else to its default domain.
 *
 * Context:   takes the instance lock. Cannot fail, allocates nothing.
 * Hardware:  when it returns no access of (dev, pasid) translates by the old domain,
 *            and with the last attachment behind an IOMMU its caches hold nothing of
 *            the domain.
 * Ownership: does not hold the domain any more.
 */
void uiommu_detach_device_pasid(struct uiommu_dev *dev, uiommu_pasid_t pasid);

/**
 * uiommu_attach_group_pasid() - give all devices of a group an address space
 * @dom:   as for uiommu_attach_device_pasid()
 * @dev:   any device of the group
 * @pasid: likewise; devices of the group that have no PASIDs at all are left alone
 *
 * All or none: where the k-th device fails, those before it are put back.
 *
 * Context:   as uiommu_attach_device_pasid().
 * Hardware:  likewise, for each device.
 * Ownership: likewise, for each device.
 * Return:    likewise; an error of one device is that of the call.
 */
int uiommu_attach_group_pasid(struct uiommu_domain *dom, struct uiommu_dev *dev,
			      uiommu_pasid_t pasid);

/**
 * uiommu_replace_group_pasid() - another address space in the place of theirs
 * @dom:   as for uiommu_attach_group_pasid()
 * @dev:   any device of the group
 * @pasid: likewise; something was attached to each of them there, not necessarily the
 *         same
 *
 * Context:   as uiommu_attach_device_pasid().
 * Hardware:  as uiommu_replace_device_pasid(), for each device; all or none.
 * Ownership: likewise, for each device.
 * Return:    likewise; an error of one device is that of the call.
 */
int uiommu_replace_group_pasid(struct uiommu_domain *dom, struct uiommu_dev *dev,
			       uiommu_pasid_t pasid);

/**
 * uiommu_detach_group_pasid() - take all devices of a group their address space
 * @dev:   any device of the group
 * @pasid: as for uiommu_attach_group_pasid()
 *
 * Context:   as uiommu_detach_device_pasid().
 * Hardware:  likewise, for each device.
 * Ownership: likewise, for each device.
 */
void uiommu_detach_group_pasid(struct uiommu_dev *dev, uiommu_pasid_t pasid);

/**
 * uiommu_attach_device() - give the RID an address space
 * @dom: the domain
 * @dev: the device
 *
 * Context:   as uiommu_attach_device_pasid() with UIOMMU_NO_PASID, which it is.
 * Return:    likewise.
 */
static inline int uiommu_attach_device(struct uiommu_domain *dom, struct uiommu_dev *dev)
{
	return uiommu_attach_device_pasid(dom, dev, UIOMMU_NO_PASID);
}

/* ---- PASIDs that the instance gives out ---- */

/**
 * uiommu_pasid_alloc() - a PASID that no other address space of the instance has
 * @u:    the instance
 * @bits: below 2^@bits, as the devices have it that it is for; 1 to 20
 * @out:  the lowest free one, never 0; only set on success
 *
 * One space for all devices of the instance. Who names PASIDs himself (a guest) does
 * so outside of it; where both mean one place of one device, attach says -EBUSY.
 *
 * Context:   takes the instance lock; may call host->alloc().
 * Ownership: the caller's, until uiommu_pasid_free().
 * Return:    0, or
 *   -UIOMMU_EINVAL  @bits is out of range
 *   -UIOMMU_ENOSPC  all are taken
 *   -UIOMMU_ENOMEM  the host gave no memory
 */
int uiommu_pasid_alloc(struct uiommu *u, unsigned bits, uiommu_pasid_t *out);

/**
 * uiommu_pasid_free() - gives one back
 * @u:     the instance
 * @pasid: from uiommu_pasid_alloc()
 *
 * Detached everywhere it is invalidated everywhere: then it may have a new owner. The
 * caller has told the devices before to send no more with it.
 *
 * Context:   takes the instance lock; allocates nothing.
 * Return:    0, or (it is not free then)
 *   -UIOMMU_EINVAL  it was not given out
 *   -UIOMMU_EBUSY   a device has something attached to it
 */
int uiommu_pasid_free(struct uiommu *u, uiommu_pasid_t pasid);

/**
 * uiommu_iommu_recover() - bring an IOMMU back that stopped
 * @iommu: the one
 *
 * After observer.iommu_failed, or at any other time: resets it, as its driver's
 * configuration says how, sets it up again, and gives every device behind it what
 * its status says.
 *
 * Context:   takes the instance lock; sleeps. Not from an observer.
 * Hardware:  off, and aborting, until all of it is as it was; nothing that it cached
 *            before is used again.
 * Return:    0, or (it stays off; everything is detached from the devices behind it,
 *            which are BLOCKED)
 *   -UIOMMU_EOPNOTSUPP  there is no way to reset it
 *   -UIOMMU_ETIMEDOUT, -UIOMMU_EIO  it does not answer after the reset either
 *   others              as the function for the reset returned
 */
int uiommu_iommu_recover(struct uiommu_iommu *iommu);

/* ---- status, from both ends ---- */

/**
 * struct uiommu_attach_status - one attachment
 * @dev:   the device
 * @pasid: UIOMMU_NO_PASID: its RID
 * @dom:   what it has; for a RID never NULL
 * @nested: asked for from the parent's end: the domain whose user's table translates
 *         first, for which the parent is there implicitly; else NULL
 * @tag:   what caches behind that IOMMU are tagged with (SMMUv3: ASID, of stage 2
 *         VMID); 0: nothing
 */
struct uiommu_attach_status {
	struct uiommu_dev *dev;
	uiommu_pasid_t pasid;
	struct uiommu_domain *dom, *nested;
	uint32_t tag;
};

typedef int (*uiommu_attach_fn)(void *ctx, const struct uiommu_attach_status *st);

/**
 * uiommu_device_for_each_attach() - what is attached to a device, by PASID
 * @dev: the device
 * @fn:  called for its RID, then for each PASID in order; non-zero ends the walk.
 *       It may call what "takes no lock", these walks included
 * @ctx: handed to @fn
 *
 * Context:   any; takes no lock: within host->read_enter(). What changes meanwhile
 *            may be seen or not.
 * Return:    0, or what @fn returned last.
 */
int uiommu_device_for_each_attach(struct uiommu_dev *dev, uiommu_attach_fn fn, void *ctx);

/**
 * uiommu_device_has() - is a domain attached there, still?
 * @dev:   the device
 * @pasid: UIOMMU_NO_PASID or a PASID
 * @dom:   what the caller has attached there
 *
 * For who attaches on behalf of others: hardware that fails takes things away that
 * nobody has detached.
 *
 * Context:   any; takes no lock: within host->read_enter().
 * Return:    true if (@dev, @pasid) has @dom
 */
bool uiommu_device_has(const struct uiommu_dev *dev, uiommu_pasid_t pasid,
		       const struct uiommu_domain *dom);

/**
 * uiommu_domain_for_each_attach() - what a domain is attached to
 * @dom: the domain
 * @fn:  called for each, by IOMMU, in the order of attaching, after them for those of
 *       each domain nested on it; non-zero ends the walk. It may call what "takes no lock"
 * @ctx: handed to @fn
 *
 * Context:   as uiommu_device_for_each_attach().
 * Return:    0, or what @fn returned last.
 */
int uiommu_domain_for_each_attach(struct uiommu_domain *dom, uiommu_attach_fn fn, void *ctx);

/**
 * uiommu_for_each_device() - all devices of an instance
 * @u:   the instance
 * @fn:  called for each in the order of adding; non-zero ends the walk. It may call
 *       what "takes no lock"
 * @ctx: handed to @fn
 *
 * Context:   as uiommu_device_for_each_attach().
 * Return:    0, or what @fn returned last.
 */
int uiommu_for_each_device(struct uiommu *u, int (*fn)(void *ctx, struct uiommu_dev *dev),
			   void *ctx);

/**
 * uiommu_for_each_domain() - all domains of an instance
 * @u:   the instance
 * @fn:  called for IDENTITY, BLOCKED, then each in the order of making; non-zero
 *       ends the walk. It may call what "takes no lock"
 * @ctx: handed to @fn
 *
 * Context:   as uiommu_device_for_each_attach().
 * Return:    0, or what @fn returned last.
 */
int uiommu_for_each_domain(struct uiommu *u, int (*fn)(void *ctx, struct uiommu_domain *dom),
			   void *ctx);

#endif
