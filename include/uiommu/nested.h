/* SPDX-License-Identifier: MIT */
/**
 * uiommu/nested.h - page tables that a user manages, on top of one that we manage
 *
 * A NESTED domain is a parent (PAGING, a stage 2) and what a user may say of
 * hardware's entry for a device: where in *its* memory, which the parent translates,
 * the table of stage 1 is (SMMUv3: its CD table; VT-d's shape: its page table). The
 * entry itself is computed at each attach, and never has a bit that the user may not
 * set. It shares the parent's tag (SMMUv3: the VMID) behind every IOMMU, so that an
 * unmap of the parent, or a command of the user's own, reaches what caches hold of it.
 *
 * A vIOMMU is a VM's slice of one IOMMU: it holds the parent's tag there for as long
 * as the VM lives, knows the VM's devices by the numbers that the VM has for them, and
 * takes the VM's own invalidations. Numbers of the VM's are looked up, never used.
 *
 * Some hardware takes them from a queue in the VM's memory, with nobody in between: the
 * vIOMMU then has a page of registers for the VM's hands, and hardware puts the VM's tag
 * and the real numbers of devices in place of what the VM says.
 *
 * Contexts are worded as in uiommu/iommu.h. What a user hands in (struct
 * uiommu_user_data, invalidations) is a copy that it cannot change any more.
 */
#ifndef UIOMMU_NESTED_H
#define UIOMMU_NESTED_H

#include <uiommu/iommu.h>

struct uiommu_viommu;
struct uiommu_vdevice;
struct uiommu_hw_queue;

/**
 * struct uiommu_user_data - what a user says, in the format of a driver
 * @type:  a number of the Linux uAPI: IOMMU_HWPT_DATA_* (2: SMMUv3, two words of a
 *         virtual STE), IOMMU_VIOMMU_INVALIDATE_DATA_* and so on
 * @data:  little-endian words; not kept
 * @bytes: how many
 */
struct uiommu_user_data {
	unsigned type;
	const void *data;
	size_t bytes;
};

/* ---- nested domains ---- */

/**
 * uiommu_domain_alloc_nested() - an address space whose first stage is a user's
 * @parent: PAGING, made with UIOMMU_DOMAIN_ALLOC_NEST_PARENT; held until the domain
 *          is freed
 * @v:      the VM's slice, whose parent @parent is, that it is part of: then it is
 *          for devices behind that IOMMU, and a device is the VM's
 *          (uiommu_vdevice_alloc()) before the VM's table is attached to it. NULL: it
 *          is no VM's
 * @dev:    a device of an IOMMU whose driver knows the format; the domain can be
 *          attached to all behind IOMMUs of that kind
 * @user:   what the user says
 * @out:    the domain; only set on success
 *
 * It is attached, replaced, detached and freed like any other; it is not mapped: that
 * is the user's affair and the parent's. One that takes the place of another has hardware
 * read the user's table anew, also where the user says the same as before (a guest's
 * CFGI_STE).
 *
 * Context:   takes the instance lock; may call host->alloc().
 * Hardware:  none.
 * Ownership: the caller's, until uiommu_domain_free().
 * Return:    0, or (nothing is made then)
 *   -UIOMMU_EINVAL      @parent is not one, not @v's, or is of another instance; @user
 *                       has the wrong length
 *   -UIOMMU_EIO         @user sets what it may not, or says what the entry cannot be
 *   -UIOMMU_EOPNOTSUPP  the driver has no nesting, or not this type of data
 *   -UIOMMU_ENOMEM      the host gave no memory
 */
int uiommu_domain_alloc_nested(struct uiommu_domain *parent, struct uiommu_viommu *v,
			       struct uiommu_dev *dev, const struct uiommu_user_data *user,
			       struct uiommu_domain **out);

/**
 * uiommu_domain_parent() - what a nested domain stands on
 * @dom: any domain
 *
 * Context:   any; takes no lock.
 * Return:    the parent; NULL: @dom is not NESTED.
 */
struct uiommu_domain *uiommu_domain_parent(const struct uiommu_domain *dom);

/**
 * uiommu_bind_pgtable_pasid() - a user's table on top of @parent, for (device, PASID)
 * @parent: as for uiommu_domain_alloc_nested()
 * @dev:    the device, not one that is shared
 * @user:   what the user says
 * @pasid:  UIOMMU_NO_PASID: the RID, to which @parent is attached; else a PASID to
 *          which nothing is: @parent is set up for it implicitly (seed S1)
 *
 * A nested domain that lives as long as it is attached there: unbind ends it, and so
 * does a detach or a replace.
 *
 * Context:   takes the instance lock; may call host->alloc(), host->table_alloc().
 * Hardware:  as uiommu_attach_device_pasid() and uiommu_replace_device_pasid().
 * Ownership: holds @parent.
 * Return:    0, or (everything is as before then), as those two and
 *            uiommu_domain_alloc_nested(), and
 *   -UIOMMU_EINVAL      @parent is not what the RID has; or @dev is shared
 *   -UIOMMU_EOPNOTSUPP  on a PASID: the IOMMU has its stage 2 per RID (SMMUv3), so a
 *                       user's table for a PASID is to be reached through the user's
 *                       CD table; a line in the log says so
 */
int uiommu_bind_pgtable_pasid(struct uiommu_domain *parent, struct uiommu_dev *dev,
			      const struct uiommu_user_data *user, uiommu_pasid_t pasid);

/**
 * uiommu_unbind_pgtable_pasid() - the end of what uiommu_bind_pgtable_pasid() made
 * @parent: as there
 * @dev:    the device
 * @pasid:  as there; where no table of @parent's is bound nothing happens
 *
 * Context:   takes the instance lock. Cannot fail, allocates nothing.
 * Hardware:  a PASID is as after uiommu_detach_device_pasid(); the RID has @parent
 *            again, or, where hardware does not answer, is BLOCKED. No access
 *            translates by the user's table when it returns.
 */
void uiommu_unbind_pgtable_pasid(struct uiommu_domain *parent, struct uiommu_dev *dev,
				 uiommu_pasid_t pasid);

/**
 * uiommu_bind_pgtable() - a user's table for the RID
 * @parent: attached to the RID of @dev
 * @dev:    the device
 * @user:   what the user says
 *
 * Context:   as uiommu_bind_pgtable_pasid() with UIOMMU_NO_PASID, which it is.
 * Return:    likewise.
 */
static inline int uiommu_bind_pgtable(struct uiommu_domain *parent, struct uiommu_dev *dev,
				      const struct uiommu_user_data *user)
{
	return uiommu_bind_pgtable_pasid(parent, dev, user, UIOMMU_NO_PASID);
}

/**
 * uiommu_unbind_pgtable() - the end of what uiommu_bind_pgtable() made
 * @parent: as there
 * @dev:    the device
 *
 * Context:   as uiommu_unbind_pgtable_pasid() with UIOMMU_NO_PASID, which it is.
 */
static inline void uiommu_unbind_pgtable(struct uiommu_domain *parent, struct uiommu_dev *dev)
{
	uiommu_unbind_pgtable_pasid(parent, dev, UIOMMU_NO_PASID);
}

/* ---- a VM's slice of an IOMMU ---- */

/**
 * struct uiommu_viommu_config - what a vIOMMU is made of
 * @parent: what translates the VM's addresses; held
 * @dev:    a device behind the IOMMU it is a slice of
 * @type:   IOMMU_VIOMMU_TYPE_* of the Linux uAPI (1: SMMUv3, 2: an SMMUv3 with queues
 *          for VMs, TEGRA241_CMDQV; it can do all that 1 can)
 * @event:  told of each event that hardware recorded for the VM, with its type, which is
 *          IOMMU_VEVENTQ_TYPE_* of the Linux uAPI. 1: of a device of the VM's, 32 bytes, a
 *          record of the SMMUv3's in the VM's own terms (its StreamID); in the context of
 *          observer.fault, which is told of it only where this returns false, or is
 *          NULL. 2: queues of the VM's have stopped, 16 bytes, two words, bit n of which
 *          says that queue n has; in the same context, and told to nobody else
 * @ctx:    handed to @event; like @event good until every reader has left who was inside
 *          when uiommu_viommu_free() returned (host->retire)
 */
struct uiommu_viommu_config {
	struct uiommu_domain *parent;
	struct uiommu_dev *dev;
	unsigned type;
	bool (*event)(void *ctx, unsigned type, const void *record, size_t bytes);
	void *ctx;
};

/**
 * uiommu_device_has_viommu() - can there be such a slice of the device's IOMMU?
 * @dev:  the device
 * @type: IOMMU_VIOMMU_TYPE_* of the Linux uAPI
 *
 * Context:   any; takes no lock.
 * Return:    true if so.
 */
bool uiommu_device_has_viommu(const struct uiommu_dev *dev, unsigned type);

/**
 * uiommu_viommu_alloc() - make a VM's slice of an IOMMU
 * @cfg: copied
 * @out: the vIOMMU; only set on success
 *
 * Context:   takes the instance lock; may call host->alloc().
 * Hardware:  takes the parent's tag behind the IOMMU, if nothing has it yet. With queues
 *            (type 2): takes an interface of hardware's and binds it to that tag, no
 *            queue in it.
 * Ownership: the caller's, until uiommu_viommu_free(). Holds @cfg->parent.
 * Return:    0, or (nothing is made then)
 *   -UIOMMU_EINVAL      the parent is not one, or is of another instance
 *   -UIOMMU_EOPNOTSUPP  the IOMMU has no such slices, or not this type
 *   -UIOMMU_ENOSPC      the IOMMU's tags, or its interfaces, are used up
 *   -UIOMMU_ENOMEM      the host gave no memory
 *   -UIOMMU_ETIMEDOUT   hardware does not acknowledge; the interface is not used again
 *                       before the IOMMU is recovered
 */
int uiommu_viommu_alloc(const struct uiommu_viommu_config *cfg, struct uiommu_viommu **out);

/**
 * uiommu_viommu_free() - the end of a slice
 * @v: gone afterwards
 *
 * Context:   takes the instance lock; allocates nothing. No call on @v is under way;
 *            an event that is being told may end after it.
 * Hardware:  its interface is switched off, which is waited for. Where it was the last to
 *            have the tag, caches forget it.
 * Return:    0, or
 *   -UIOMMU_EBUSY  it has devices, nested domains or queues; it stays
 */
int uiommu_viommu_free(struct uiommu_viommu *v);

/**
 * uiommu_vdevice_alloc() - a device becomes a VM's, under the VM's number
 * @v:       the VM's slice of the IOMMU that @dev is behind
 * @dev:     the device; held until uiommu_vdevice_free()
 * @virt_id: the VM's number of it (SMMUv3: its StreamID there)
 * @out:     the record; only set on success
 *
 * Context:   takes the instance lock; may call host->alloc().
 * Hardware:  an interface with queues gets the pair of numbers.
 * Ownership: the caller's, until uiommu_vdevice_free().
 * Return:    0, or (nothing is made then)
 *   -UIOMMU_EINVAL  @dev is behind another IOMMU, or has several numbers there; or @v's
 *                   interface cannot hold the numbers (type 2: 20 bits)
 *   -UIOMMU_ERANGE  no number of that size is possible
 *   -UIOMMU_EEXIST  @dev is a VM's already, or @virt_id is another device's in @v
 *   -UIOMMU_ENOSPC  @v's interface has no room for another pair
 *   -UIOMMU_ENOMEM  the host gave no memory
 */
int uiommu_vdevice_alloc(struct uiommu_viommu *v, struct uiommu_dev *dev, uint64_t virt_id,
			 struct uiommu_vdevice **out);

/**
 * uiommu_vdevice_free() - the device is not the VM's any more
 * @vd: gone afterwards
 *
 * What is attached stays. A command of the VM's with that number is refused from here
 * on, an event of the device goes to the observer. One that hardware had begun to take
 * from a queue of the VM's may end after it: the device then translates again what it had.
 *
 * Context:   takes the instance lock. Cannot fail, allocates nothing.
 * Hardware:  an interface with queues loses the pair of numbers.
 * Ownership: freed through host->retire().
 */
void uiommu_vdevice_free(struct uiommu_vdevice *vd);

/**
 * uiommu_device_vdevice() - whose it is
 * @dev: the device
 *
 * Context:   any; takes no lock.
 * Return:    the record that uiommu_vdevice_alloc() made; NULL: it is no VM's.
 */
struct uiommu_vdevice *uiommu_device_vdevice(const struct uiommu_dev *dev);

/**
 * uiommu_cache_invalidate() - invalidations that a VM asks for
 * @v:       its slice
 * @inv:     an array of entries in the driver's format (SMMUv3: commands), whole ones
 * @n:       how many
 * @handled: out, valid on every return: how many, from the first, have taken effect
 *
 * The VM's tag is replaced by the slice's, the VM's numbers of devices by the real
 * ones: nothing that is not the VM's is reached.
 *
 * Context:   any thread that may spin for an IOMMU; takes no lock of its own. @v is
 *            kept alive by the caller.
 * Hardware:  when it returns, what the first *@handled entries name is not in caches.
 * Return:    0, or (the entries before *@handled are done, perhaps some after them)
 *   -UIOMMU_EINVAL      another type of data, or no whole number of entries
 *   -UIOMMU_EIO         an entry that a VM may not give, or with a number that none of
 *                       its devices has; or hardware does not answer
 */
int uiommu_cache_invalidate(struct uiommu_viommu *v, const struct uiommu_user_data *inv,
			    size_t n, size_t *handled);

/* ---- queues that hardware reads from a VM's memory ---- */

/**
 * uiommu_viommu_mmio() - the page of registers that may go to a VM's hands
 * @v:     the slice
 * @out:   a window on it; as long as @v
 * @bytes: how long it is (type 2: 64 KiB, page 0 of the interface)
 *
 * Whatever is written there, at any time, reaches queues of @v's alone. Where @out->base is
 * set, that is where the host mapped the registers, and the page can be given to a program;
 * else each access is a call, and one that is not of 4 or 8 bytes, not aligned or beyond
 * the end reads 0 and writes nothing.
 *
 * Context:   any; takes no lock.
 * Hardware:  none.
 * Ownership: @v's: nobody uses the window when uiommu_viommu_free() is called.
 * Return:    0, or (nothing is set then)
 *   -UIOMMU_EOPNOTSUPP  a slice of this type has none
 */
int uiommu_viommu_mmio(const struct uiommu_viommu *v, struct uiommu_mmio *out, size_t *bytes);

/**
 * uiommu_viommu_num_hw_queues() - how many queues it can have
 * @v:    the slice
 * @type: IOMMU_HW_QUEUE_TYPE_* of the Linux uAPI (1: TEGRA241_CMDQV)
 *
 * Context:   any; takes no lock.
 * Return:    their number; 0: none of that type.
 */
unsigned uiommu_viommu_num_hw_queues(const struct uiommu_viommu *v, unsigned type);

/**
 * struct uiommu_hw_queue_config - a queue in a VM's memory
 * @type:  IOMMU_HW_QUEUE_TYPE_* of the Linux uAPI (1: TEGRA241_CMDQV)
 * @index: its number within the slice, from 0
 * @base:  where it is; a multiple of @bytes
 * @bytes: its size (type 1: a power of two from 32 on, at most what IDR1.CMDQS allows)
 */
struct uiommu_hw_queue_config {
	unsigned type, index;
	uiommu_pa_t base;
	uint64_t bytes;
};

/**
 * uiommu_hw_queue_alloc() - hardware reads commands from there
 * @v:   the slice; held until uiommu_hw_queue_free()
 * @cfg: copied. The memory stays where it is, in one piece, as long as the queue
 * @out: the queue; only set on success
 *
 * Its registers appear in the page of uiommu_viommu_mmio(), empty and off: whoever has
 * the page switches it on, and fills it. What it may say is what hardware lets it (type
 * 1: TLBI_NH_ASID, TLBI_NH_VA, ATC_INV, CMD_SYNC); anything else stops this queue, and
 * is told (struct uiommu_viommu_config, event 2). Everything in it has hardware's tag
 * and real numbers of devices put in place of its own: what is cached for others stays.
 *
 * uiommu_iommu_recover() leaves it off and empty, and tells the VM of it as of a queue
 * that stopped: nothing is cached of before, so what stood in it has been done.
 *
 * Context:   takes the instance lock; may call host->alloc().
 * Hardware:  a queue of its interface gets the memory's address.
 * Ownership: the caller's, until uiommu_hw_queue_free().
 * Return:    0, or (nothing is made then)
 *   -UIOMMU_EOPNOTSUPP  a slice of this type has no queues of @cfg->type
 *   -UIOMMU_EINVAL      it has not so many; or @bytes or @base are not as they have to be
 *   -UIOMMU_EEXIST      it has that one
 *   -UIOMMU_EIO         it has not the one before it: they are made from 0 up
 *   -UIOMMU_ENOMEM      the host gave no memory
 *   -UIOMMU_ETIMEDOUT   hardware does not acknowledge
 */
int uiommu_hw_queue_alloc(struct uiommu_viommu *v, const struct uiommu_hw_queue_config *cfg,
			  struct uiommu_hw_queue **out);

/**
 * uiommu_hw_queue_free() - hardware reads nothing from there any more
 * @q: gone afterwards
 *
 * Context:   takes the instance lock; allocates nothing.
 * Hardware:  switches it off whatever its user does meanwhile, and waits until no command
 *            of it is being executed, nor an answer of a device to one awaited. What is
 *            written into the page afterwards reaches nothing. Hardware that does not
 *            acknowledge is shut off, as for an unmap.
 * Return:    0, or
 *   -UIOMMU_EBUSY  a queue of a higher number is there; it stays
 */
int uiommu_hw_queue_free(struct uiommu_hw_queue *q);

#endif
