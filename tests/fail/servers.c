/* SPDX-License-Identifier: MIT */
/*
 * servers.c - what stands before the calls of the iommufd and VFIO servers
 *
 * Their pictures have every object of every context that the program has open: who uses
 * it, what is mapped and pinned, what is attached where, which vectors a function has.
 */
#include "tests/iommufd/rig.h"

#include "each.h"
#include "src/iommufd/internal.h"
#include "src/vfio/internal.h"

/* ---- pictures ---- */

static void say_ranges(struct picture *p, const struct uiommu_ranges *t)
{
	const struct uiommu_range *r = uiommu_ranges_first(t, 0);

	for (; r; r = uiommu_ranges_next(t, r))
		picture_say(p, " [%llx %llx]", (unsigned long long)r->start,
			    (unsigned long long)r->last);
}

static void say_pieces(struct picture *p, const struct uiommu_pages *pages)
{
	struct uiommu_range *r = uiommu_ranges_first(&pages->pieces, 0);

	for (; r; r = uiommu_ranges_next(&pages->pieces, r))
		picture_say(p, " pinned [%llx %llx] by %u", (unsigned long long)r->start,
			    (unsigned long long)r->last,
			    uiommu_container_of(r, struct uiommu_piece, r)->users);
}

static void say_iopt(struct picture *p, const struct uiommu_iopt *iopt)
{
	struct uiommu_range *r = uiommu_ranges_first(&iopt->areas, 0);

	for (; r; r = uiommu_ranges_next(&iopt->areas, r)) {
		const struct uiommu_area *a = uiommu_container_of(r, struct uiommu_area, r);

		picture_say(p, "  area [%llx %llx] of %llx + %llx prot %u refs %u locks %u",
			    (unsigned long long)r->start, (unsigned long long)r->last,
			    (unsigned long long)a->pages->va, (unsigned long long)a->off, a->prot,
			    a->pages->refs, a->locks);
		say_pieces(p, a->pages);
		picture_say(p, "\n");
	}
	for (const struct uiommu_resv *v = iopt->resv; v; v = v->next)
		picture_say(p, "  kept free [%llx %llx] by %u\n", (unsigned long long)v->start,
			    (unsigned long long)v->last, v->users);
	picture_say(p, "  alignment %llx small %d allowed", (unsigned long long)iopt->alignment,
		    iopt->small_pages);
	say_ranges(p, &iopt->allowed);
	for (const struct uiommu_hwpt *h = iopt->hwpts; h; h = h->next)
		picture_say(p, " hwpt %u", h->obj.id);
	picture_say(p, "\n");
}

static void say_object(struct picture *p, struct uiommu_iobj *obj)
{
	const struct uiommu_hwpt *h = uiommu_container_of(obj, struct uiommu_hwpt, obj);

	picture_say(p, " object %u type %u users %u\n", obj->id, obj->type, obj->users);
	if (obj->type == UIOMMU_IOBJ_IOAS)
		say_iopt(p, &uiommu_container_of(obj, struct uiommu_ioas, obj)->iopt);
	if (obj->type == UIOMMU_IOBJ_HWPT || obj->type == UIOMMU_IOBJ_NESTED)
		picture_say(p, "  hwpt of %u, RIDs %u, auto %d, faults to %u\n", h->ioas->obj.id,
			    h->rid_users, h->auto_domain, h->fault ? h->fault->id : 0);
	for (unsigned i = 0; obj->type == UIOMMU_IOBJ_VIOMMU && i < UIOMMU_VEVENTQ_TYPES; i++)
		picture_say(p, "  queue %u %d\n", i,
			    uiommu_container_of(obj, struct uiommu_iviommu, obj)->queues[i] != NULL);
}

static void say_device(struct picture *p, const struct uiommu_iommufd_dev *d)
{
	struct uiommu_range *r = uiommu_ranges_first(&d->attaches, 0);

	picture_say(p, " %s is %u, doorbells %llx, vdevice %d:", uiommu_device_name(d->dev),
		    d->obj.id, (unsigned long long)d->msi[0], d->vdevice != NULL);
	for (; r; r = uiommu_ranges_next(&d->attaches, r))
		picture_say(p, " PASID %llu hwpt %u", (unsigned long long)r->start,
			    uiommu_container_of(r, struct uiommu_iattach, r)->hwpt->obj.id);
	picture_say(p, "\n");
}

static void say_context(struct picture *p, const struct uiommu_iommufd *ctx)
{
	picture_say(p, "context refs %u container %u\n", ctx->refs,
		    ctx->vfio_ioas ? ctx->vfio_ioas->obj.id : 0);
	for (uint32_t i = 0; i < ctx->num_objs; i++)
		if (ctx->objs[i] && ctx->objs[i] != &ctx->tombstone)
			say_object(p, ctx->objs[i]);
	for (const struct uiommu_iommufd_dev *d = ctx->devs; d; d = d->next)
		say_device(p, d);
}

static void say_vfio(struct picture *p, const struct uiommu_vfio_device *d)
{
	picture_say(p, "vfio %s bound %d irq index %u vectors", uiommu_device_name(d->be.dev),
		    d->bound != NULL, d->irq_index);
	for (unsigned i = 0; d->irq_index != UIOMMU_VFIO_NO_IRQ && i < d->be.irq_count[d->irq_index];
	 i++)
		picture_say(p, " %d", d->vectors[i] != NULL);
	picture_say(p, " err %d req %d\n", d->err_trigger != NULL, d->req_trigger != NULL);
	for (unsigned i = 0; d->bound && i < d->cfg->bytes; i += 32) {
		for (unsigned k = 0; k < 32; k++)
			picture_say(p, "%02x", d->cfg->val[i + k]);
		picture_say(p, "\n");
	}
}

/* What a call is about; any may be missing. */
struct subject {
	const struct uiommu_iommufd *ctx;
	const struct uiommu_vfio_device *vfio;
	struct uiommu_as *as;
};

static void say_subject(struct picture *p, const void *arg)
{
	const struct subject *s = arg;

	if (s->ctx)
		say_context(p, s->ctx);
	for (unsigned i = 0; s->as && i < RIG_FDS; i++) {
		const struct uiommu_file *f = s->as->fds[i];

		if (f)
			picture_say(p, "file %u refs %u\n", i, f->refs);
		if (f && f->kind == uiommu_iommufd_kind && f->object != s->ctx)
			say_context(p, f->object);
	}
	if (s->vfio)
		say_vfio(p, s->vfio);
}

/* ---- what the program's memory was before the call ---- */

#define SAVED	256u

static struct rig *rig_of(struct uiommu_as *as)
{
	return uiommu_container_of(as, struct rig, as);
}

static bool can_save(uint64_t arg)
{
	return arg >= RIG_VA && arg <= RIG_HOLE - SAVED;
}

static void save(struct uiommu_as *as, uint64_t arg, unsigned char *room)
{
	if (can_save(arg))
		memcpy(room, rig_ptr(rig_of(as), arg), SAVED);
}

static void restore(struct uiommu_as *as, uint64_t arg, const unsigned char *room)
{
	if (can_save(arg))
		memcpy(rig_ptr(rig_of(as), arg), room, SAVED);
}

/* ---- iommufd ---- */

/*
 * A queue whose file has been given, and whose number could then not be told any more:
 * the program has both, and learns of them from nobody (iommufd.h). Here they go.
 */
static void drop_given(struct uiommu_iommufd *ctx, struct uiommu_as *as, uint32_t nr,
		       uint64_t arg, uint32_t had)
{
	const struct uiommu_abi_iommu_fault_alloc *f;
	const struct uiommu_abi_iommu_veventq_alloc *q;
	uint32_t id;

	for (int fd = 0; fd < RIG_FDS; fd++) {
		if (!as->fds[fd] || had >> fd & 1)
			continue;
		rig_close_fd(rig_of(as), fd);
		f = rig_ptr(rig_of(as), arg);
		q = rig_ptr(rig_of(as), arg);
		id = nr == UIOMMU_ABI_IOMMU_FAULT_QUEUE_ALLOC ? f->out_fault_id : q->out_veventq_id;
		uiommu_iobj_destroy(ctx, uiommu_iobj_find(ctx, id, UIOMMU_IOBJ_ANY));
	}
}

static uint32_t fds_of(const struct uiommu_as *as)
{
	uint32_t had = 0;

	for (unsigned fd = 0; fd < RIG_FDS; fd++)
		had |= (uint32_t)!!as->fds[fd] << fd;
	return had;
}

int __real_uiommu_iommufd_ioctl(struct uiommu_iommufd *ctx, struct uiommu_as *as, uint32_t cmd,
				uint64_t arg);
int __wrap_uiommu_iommufd_ioctl(struct uiommu_iommufd *ctx, struct uiommu_as *as, uint32_t cmd,
				uint64_t arg);
int __wrap_uiommu_iommufd_ioctl(struct uiommu_iommufd *ctx, struct uiommu_as *as, uint32_t cmd,
				uint64_t arg)
{
	const struct subject s = { .ctx = ctx, .as = as };
	struct entry e = { .name = "uiommu_iommufd_ioctl", .extra = say_subject, .arg = &s };
	const uint32_t had = fds_of(as);
	unsigned char room[SAVED];
	bool again;
	int ret;

	save(as, arg, room);
	do {
		entry_begin(&e);
		ret = __real_uiommu_iommufd_ioctl(ctx, as, cmd, arg);
		if (entry_fired(&e) && entry_refused() == HOST_COPY_OUT)
			drop_given(ctx, as, cmd, arg, had);
		entry_end(&e);
		again = entry_again(&e, ret);
		if (again)
			restore(as, arg, room);
	} while (again);
	return ret;
}

int __real_uiommu_iommufd_bind(struct uiommu_iommufd *ctx, struct uiommu_dev *dev,
			       struct uiommu_iommufd_dev **out, uint32_t *out_id);
int __wrap_uiommu_iommufd_bind(struct uiommu_iommufd *ctx, struct uiommu_dev *dev,
			       struct uiommu_iommufd_dev **out, uint32_t *out_id);
int __wrap_uiommu_iommufd_bind(struct uiommu_iommufd *ctx, struct uiommu_dev *dev,
			       struct uiommu_iommufd_dev **out, uint32_t *out_id)
{
	const struct subject s = { .ctx = ctx };
	struct entry e = { .name = "uiommu_iommufd_bind", .extra = say_subject, .arg = &s };
	int ret;

	do {
		entry_begin(&e);
		ret = __real_uiommu_iommufd_bind(ctx, dev, out, out_id);
		entry_end(&e);
	} while (entry_again(&e, ret));
	return ret;
}

/* Hardware that failed has BLOCKED something: an attach begins with forgetting it. */
static bool has_lost(const struct uiommu_iommufd *ctx)
{
	for (const struct uiommu_iommufd_dev *d = ctx->devs; d; d = d->next) {
		struct uiommu_range *r = uiommu_ranges_first(&d->attaches, 0);

		for (; r; r = uiommu_ranges_next(&d->attaches, r))
			if (!uiommu_device_has(d->dev, (uiommu_pasid_t)r->start,
					       uiommu_container_of(r, struct uiommu_iattach, r)
						       ->hwpt->dom))
				return true;
	}
	return false;
}

int __real_uiommu_iommufd_attach(struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid,
				 uint32_t *pt_id);
int __wrap_uiommu_iommufd_attach(struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid,
				 uint32_t *pt_id);
int __wrap_uiommu_iommufd_attach(struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid,
				 uint32_t *pt_id)
{
	const struct subject s = { .ctx = idev->ctx };
	struct entry e = { .name = "uiommu_iommufd_attach", .extra = say_subject, .arg = &s,
			   .ends_blocked = has_lost(idev->ctx) };
	const uint32_t id = *pt_id;
	int ret;

	do {
		entry_begin(&e);
		ret = __real_uiommu_iommufd_attach(idev, pasid, pt_id);
		if (entry_end(&e) && ret)
			assert_int_equal(*pt_id, id);
	} while (entry_again(&e, ret));
	return ret;
}

int __real_uiommu_iommufd_msi_map(struct uiommu_iommufd_dev *idev, uiommu_pa_t doorbell_pa,
				  uiommu_iova_t *iova);
int __wrap_uiommu_iommufd_msi_map(struct uiommu_iommufd_dev *idev, uiommu_pa_t doorbell_pa,
				  uiommu_iova_t *iova);
int __wrap_uiommu_iommufd_msi_map(struct uiommu_iommufd_dev *idev, uiommu_pa_t doorbell_pa,
				  uiommu_iova_t *iova)
{
	const struct subject s = { .ctx = idev->ctx };
	struct entry e = { .name = "uiommu_iommufd_msi_map", .extra = say_subject, .arg = &s };
	int ret;

	do {
		entry_begin(&e);
		ret = __real_uiommu_iommufd_msi_map(idev, doorbell_pa, iova);
		entry_end(&e);
	} while (entry_again(&e, ret));
	return ret;
}

EACH(uiommu_iommufd_create,
	(const struct uiommu_iommufd_config *cfg, struct uiommu_iommufd **out), (cfg, out))
EACH_VOID(uiommu_iommufd_put, (struct uiommu_iommufd *ctx), (ctx))
EACH_VOID(uiommu_iommufd_detach, (struct uiommu_iommufd_dev *idev, uiommu_pasid_t pasid),
	 (idev, pasid))
EACH_VOID(uiommu_iommufd_unbind, (struct uiommu_iommufd_dev *idev), (idev))
EACH_VOID(uiommu_iommufd_fault_close, (struct uiommu_iommufd_fault *f), (f))
EACH_VOID(uiommu_iommufd_veventq_close, (struct uiommu_iommufd_veventq *q), (q))

/* ---- reads and writes: one that was cut short goes on ---- */

#define EACH_MOVE(fn, type, step)						\
	int64_t __real_##fn(type *f, struct uiommu_as *as, uint64_t off, uint64_t bytes,	\
			    uint64_t user);						\
	int64_t __wrap_##fn(type *f, struct uiommu_as *as, uint64_t off, uint64_t bytes,	\
			    uint64_t user);						\
	int64_t __wrap_##fn(type *f, struct uiommu_as *as, uint64_t off, uint64_t bytes,	\
			    uint64_t user)						\
	{										\
		const struct subject s = { .as = as };					\
		struct entry e = { .name = #fn, .extra = say_subject, .arg = &s };	\
		int64_t ret, more;							\
											\
		do {									\
			entry_begin(&e);						\
			ret = __real_##fn(f, as, off, bytes, user);			\
			if (!entry_end(&e) || ret <= 0)					\
				continue;						\
			more = __real_##fn(f, as, (step) ? off + (uint64_t)ret : off,	\
					   bytes - (uint64_t)ret, user + (uint64_t)ret);	\
			return more > 0 ? ret + more : ret;				\
		} while (entry_again(&e, ret));						\
		return ret;								\
	}

EACH_MOVE(uiommu_iommufd_fault_read, struct uiommu_iommufd_fault, false)
EACH_MOVE(uiommu_iommufd_fault_write, struct uiommu_iommufd_fault, false)
EACH_MOVE(uiommu_iommufd_veventq_read, struct uiommu_iommufd_veventq, false)
EACH_MOVE(uiommu_vfio_read, struct uiommu_vfio_file, true)
EACH_MOVE(uiommu_vfio_write, struct uiommu_vfio_file, true)

/* ---- VFIO ---- */

/* What may be otherwise after these two than before: the vectors that SET_IRQS named, and
 * what was attached where ATTACH could not write its answer. The less, the more is off. */
struct less {
	uint64_t vectors;		/* that have an eventfd */
	uint64_t hwpt;			/* what is attached there; 0: nothing */
};

static uint64_t vectors_of(const struct uiommu_vfio_device *d)
{
	uint64_t map = 0;

	if (d->irq_index == UIOMMU_VFIO_NO_IRQ)
		return 0;
	for (unsigned i = 0; i < d->be.irq_count[d->irq_index]; i++)
		map |= (uint64_t)(d->vectors[i] != NULL) << i;
	return map;
}

static uiommu_pasid_t pasid_of(const unsigned char *arg)
{
	struct uiommu_abi_vfio_device_attach_iommufd_pt a;

	memcpy(&a, arg, sizeof(a));
	return a.flags & UIOMMU_ABI_VFIO_DEVICE_ATTACH_PASID ? a.pasid : UIOMMU_NO_PASID;
}

static uint64_t hwpt_at(const struct uiommu_vfio_device *d, uiommu_pasid_t pasid)
{
	struct uiommu_range *r = uiommu_ranges_overlap(&d->idev->attaches, pasid, pasid);

	return r ? uiommu_container_of(r, struct uiommu_iattach, r)->hwpt->obj.id : 0;
}

static struct less look(const struct uiommu_vfio_device *d, const unsigned char *arg)
{
	return (struct less){ vectors_of(d), d->idev ? hwpt_at(d, pasid_of(arg)) : 0 };
}

static int not_blocked(void *ctx, const struct uiommu_attach_status *st)
{
	struct uiommu_domain_info info;

	uiommu_domain_info(st->dom, &info);
	return st->pasid == *(uiommu_pasid_t *)ctx && info.type != UIOMMU_DOMAIN_BLOCKED;
}

/* True: it is one of them, and has no more than before. */
static bool has_less(const struct uiommu_vfio_device *d, uint32_t cmd, const unsigned char *arg,
		     const struct less *was)
{
	const struct less now = look(d, arg);
	struct uiommu_abi_vfio_irq_set set;
	uiommu_pasid_t pasid = pasid_of(arg);

	if (cmd == UIOMMU_ABI_VFIO_DEVICE_SET_IRQS) {
		memcpy(&set, arg, sizeof(set));
		assert_int_equal(now.vectors & ~was->vectors, 0);
		for (unsigned i = 0; i < 64; i++)
			assert_true(!((was->vectors & ~now.vectors) >> i & 1) ||
				    i - set.start < set.count);
		return true;
	}
	if (cmd != UIOMMU_ABI_VFIO_DEVICE_ATTACH_IOMMUFD_PT || entry_refused() != HOST_COPY_OUT)
		return false;
	assert_true(now.hwpt == was->hwpt || !now.hwpt);
	if (!now.hwpt)
		assert_int_equal(uiommu_device_for_each_attach(d->be.dev, not_blocked, &pasid), 0);
	return true;
}

int __real_uiommu_vfio_ioctl(struct uiommu_vfio_file *f, struct uiommu_as *as, uint32_t cmd,
			     uint64_t arg);
int __wrap_uiommu_vfio_ioctl(struct uiommu_vfio_file *f, struct uiommu_as *as, uint32_t cmd,
			     uint64_t arg);
int __wrap_uiommu_vfio_ioctl(struct uiommu_vfio_file *f, struct uiommu_as *as, uint32_t cmd,
			     uint64_t arg)
{
	const struct subject s = { .ctx = f->dev->ictx, .vfio = f->dev, .as = as };
	struct entry e = { .name = "uiommu_vfio_ioctl", .extra = say_subject, .arg = &s,
			   .ends_blocked = s.ctx && has_lost(s.ctx) };
	unsigned char room[SAVED] = { 0 };
	struct less was;
	bool again;
	int ret;

	save(as, arg, room);
	do {
		was = look(f->dev, room);
		entry_begin(&e);
		ret = __real_uiommu_vfio_ioctl(f, as, cmd, arg);
		if (entry_end(&e) && ret)
			e.ends_blocked |= has_less(f->dev, cmd, room, &was);
		again = entry_again(&e, ret);
		if (again)
			restore(as, arg, room);
	} while (again);
	return ret;
}

EACH(uiommu_vfio_device_create,
	(const struct uiommu_host *host, const struct uiommu_uaccess *uaccess,
	const struct uiommu_vfio_backend *be, struct uiommu_vfio_device **out),
	(host, uaccess, be, out))
EACH(uiommu_vfio_open, (struct uiommu_vfio_device *d, struct uiommu_vfio_file **out), (d, out))
EACH_VOID(uiommu_vfio_device_destroy, (struct uiommu_vfio_device *d), (d))
EACH_VOID(uiommu_vfio_close, (struct uiommu_vfio_file *f), (f))
