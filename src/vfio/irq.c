/* SPDX-License-Identifier: MIT */
/*
 * irq.c - message interrupts to eventfds
 *
 * An interrupt is never wired to its eventfd: the function is programmed with an
 * IOVA in the MSI window, its write goes through the IOMMU as any other of its
 * RID, and only if it arrives at the doorbell is the eventfd signalled.
 */
#include "internal.h"

#define EVENTFD_SIZE	4u

static bool is_pcie(const struct uiommu_vfio_device *d)
{
	return d->cfg->exp;
}

unsigned uiommu_vfio_irq_count(const struct uiommu_vfio_device *d, uint32_t index)
{
	switch (index) {
	case UIOMMU_ABI_VFIO_PCI_MSI_IRQ_INDEX:
	case UIOMMU_ABI_VFIO_PCI_MSIX_IRQ_INDEX:
		return d->be.irq_count[index];
	case UIOMMU_ABI_VFIO_PCI_ERR_IRQ_INDEX:
		return is_pcie(d);
	case UIOMMU_ABI_VFIO_PCI_REQ_IRQ_INDEX:
		return 1;
	default:
		return 0;	/* INTx: there are no wired interrupts */
	}
}

/* ---- eventfds ---- */

static int get_eventfd(const struct uiommu_vfio_device *d, struct uiommu_as *as, int fd,
		       struct uiommu_file **out)
{
	const struct uiommu_uaccess *ua = d->uaccess;
	int ret = ua->file_get(ua->ctx, as, fd, out);

	if (ret || ua->file_is_eventfd(ua->ctx, *out))
		return ret;
	ua->file_put(ua->ctx, *out);
	return -UIOMMU_EINVAL;
}

static void put_eventfd(const struct uiommu_vfio_device *d, struct uiommu_file *f)
{
	if (f)
		d->uaccess->file_put(d->uaccess->ctx, f);
}

static void signal_file(const struct uiommu_vfio_device *d, struct uiommu_file *f)
{
	if (f)
		d->uaccess->file_signal(d->uaccess->ctx, f);
}

/* On the device's thread, without our lock: the doorbell was reached. */
static void ring(void *arg)
{
	const struct uiommu_vfio_vector *v = arg;

	signal_file(v->dev, v->file);
}

/* ---- vectors ---- */

static void clear_vector(struct uiommu_vfio_device *d, unsigned n)
{
	struct uiommu_vfio_vector *v = d->vectors[n];

	if (!v)
		return;
	d->vectors[n] = NULL;
	d->be.msi_free(d->be.ctx, d->irq_index, n);
	put_eventfd(d, v->file);
	uiommu_vfio_free(d, v, sizeof(*v));
}

static int connect_vector(struct uiommu_vfio_device *d, unsigned n, struct uiommu_vfio_vector *v)
{
	uiommu_pa_t doorbell;
	int ret = d->be.msi_alloc(d->be.ctx, d->irq_index, n, ring, v, &doorbell, &v->data);

	if (ret)
		return ret;
	ret = uiommu_iommufd_msi_map(d->idev, doorbell, &v->iova);
	if (ret) {
		d->be.msi_free(d->be.ctx, d->irq_index, n);
		return ret;
	}
	d->vectors[n] = v;
	d->be.msi_program(d->be.ctx, d->irq_index, n, v->iova, v->data);
	return 0;
}

/* MSI has as many vectors as it was switched on with; MSI-X can grow. */
static bool vector_exists(const struct uiommu_vfio_device *d, unsigned n)
{
	return n < d->num_enabled || d->irq_index == UIOMMU_ABI_VFIO_PCI_MSIX_IRQ_INDEX;
}

static int set_vector(struct uiommu_vfio_device *d, struct uiommu_as *as, unsigned n, int32_t fd)
{
	struct uiommu_vfio_vector *v;
	int ret;

	clear_vector(d, n);
	if (fd < 0)
		return 0;
	if (!vector_exists(d, n))
		return -UIOMMU_EINVAL;
	v = uiommu_vfio_alloc(d, sizeof(*v));
	if (!v)
		return -UIOMMU_ENOMEM;
	v->dev = d;
	ret = get_eventfd(d, as, fd, &v->file);
	if (ret)
		goto out_free;
	ret = connect_vector(d, n, v);
	if (!ret)
		return 0;
	put_eventfd(d, v->file);
out_free:
	uiommu_vfio_free(d, v, sizeof(*v));
	return ret;
}

static int set_block(struct uiommu_vfio_device *d, struct uiommu_as *as, unsigned start,
		     unsigned count, const int32_t *fds)
{
	unsigned n;
	int ret = 0;

	for (n = 0; n < count && !ret; n++)
		ret = set_vector(d, as, start + n, fds[n]);
	if (!ret)
		return 0;
	while (n--)
		clear_vector(d, start + n);
	return ret;
}

/* ---- MSI and MSI-X on and off ---- */

static int msi_enable(struct uiommu_vfio_device *d, uint32_t index, unsigned num)
{
	d->vectors = uiommu_vfio_alloc(d, d->be.irq_count[index] * sizeof(*d->vectors));
	if (!d->vectors)
		return -UIOMMU_ENOMEM;
	d->irq_index = index;
	d->num_enabled = num;
	return 0;
}

static void msi_disable(struct uiommu_vfio_device *d)
{
	const unsigned count = d->be.irq_count[d->irq_index];

	for (unsigned n = 0; n < count; n++)
		clear_vector(d, n);
	uiommu_vfio_free(d, d->vectors, count * sizeof(*d->vectors));
	d->vectors = NULL;
	d->irq_index = UIOMMU_VFIO_NO_IRQ;
	d->num_enabled = 0;
}

void uiommu_vfio_irq_reprogram(struct uiommu_vfio_device *d)
{
	if (d->irq_index == UIOMMU_VFIO_NO_IRQ)
		return;
	for (unsigned n = 0; n < d->be.irq_count[d->irq_index]; n++) {
		const struct uiommu_vfio_vector *v = d->vectors[n];

		if (v)
			d->be.msi_program(d->be.ctx, d->irq_index, n, v->iova, v->data);
	}
}

void uiommu_vfio_irq_off(struct uiommu_vfio_device *d)
{
	if (d->irq_index != UIOMMU_VFIO_NO_IRQ)
		msi_disable(d);
	put_eventfd(d, d->err_trigger);
	put_eventfd(d, d->req_trigger);
	d->err_trigger = NULL;
	d->req_trigger = NULL;
}

/* ---- SET_IRQS ---- */

/* One call: the header, and what follows it (fds or bools; NULL for NONE). */
struct request {
	struct uiommu_abi_vfio_irq_set hdr;
	struct uiommu_as *as;
	uint32_t type;			/* one of DATA_* */
	const void *data;
};

/* A program may ring its own vectors, to test its handlers. */
static void msi_loopback(struct uiommu_vfio_device *d, const struct request *r)
{
	const uint8_t *bools = r->data;

	for (unsigned i = 0; i < r->hdr.count; i++) {
		const struct uiommu_vfio_vector *v = d->vectors[r->hdr.start + i];

		if (v && (!bools || bools[i]))
			signal_file(d, v->file);
	}
}

static int msi_set_eventfds(struct uiommu_vfio_device *d, const struct request *r)
{
	const bool on = d->irq_index == r->hdr.index;
	int ret = 0;

	if (!on)
		ret = msi_enable(d, r->hdr.index, r->hdr.start + r->hdr.count);
	if (ret)
		return ret;
	ret = set_block(d, r->as, r->hdr.start, r->hdr.count, r->data);
	if (ret && !on)
		msi_disable(d);
	return ret;
}

static int msi_trigger(struct uiommu_vfio_device *d, const struct request *r)
{
	const bool on = d->irq_index == r->hdr.index;

	if (on && !r->hdr.count && r->type == UIOMMU_ABI_VFIO_IRQ_SET_DATA_NONE) {
		msi_disable(d);
		return 0;
	}
	if (!on && d->irq_index != UIOMMU_VFIO_NO_IRQ)
		return -UIOMMU_EINVAL;
	if (r->type == UIOMMU_ABI_VFIO_IRQ_SET_DATA_EVENTFD)
		return msi_set_eventfds(d, r);
	if (!on)
		return -UIOMMU_EINVAL;
	msi_loopback(d, r);
	return 0;
}

static int single_eventfd(struct uiommu_vfio_device *d, const struct request *r,
			  struct uiommu_file **slot)
{
	const int32_t fd = *(const int32_t *)r->data;
	struct uiommu_file *f = NULL;
	int ret = 0;

	if (fd < -1)
		return -UIOMMU_EINVAL;
	if (fd >= 0)
		ret = get_eventfd(d, r->as, fd, &f);
	if (ret)
		return ret;
	put_eventfd(d, *slot);
	*slot = f;
	return 0;
}

/* Error and unplug-request interrupts: nothing here ever raises them, but a
 * program may install and ring its own. */
static int single_trigger(struct uiommu_vfio_device *d, const struct request *r,
			  struct uiommu_file **slot)
{
	if (r->hdr.count > 1)
		return -UIOMMU_EINVAL;
	if (r->type != UIOMMU_ABI_VFIO_IRQ_SET_DATA_NONE && !r->hdr.count)
		return -UIOMMU_EINVAL;
	if (r->type == UIOMMU_ABI_VFIO_IRQ_SET_DATA_EVENTFD)
		return single_eventfd(d, r, slot);
	if (r->type == UIOMMU_ABI_VFIO_IRQ_SET_DATA_BOOL) {
		if (*(const uint8_t *)r->data)
			signal_file(d, *slot);
		return 0;
	}
	if (!*slot)
		return -UIOMMU_EINVAL;
	if (r->hdr.count) {
		signal_file(d, *slot);
		return 0;
	}
	put_eventfd(d, *slot);
	*slot = NULL;
	return 0;
}

static int apply(struct uiommu_vfio_device *d, const struct request *r)
{
	/* masking one message interrupt is not something vfio-pci has */
	if ((r->hdr.flags & UIOMMU_ABI_VFIO_IRQ_SET_ACTION_TYPE_MASK) !=
	    UIOMMU_ABI_VFIO_IRQ_SET_ACTION_TRIGGER)
		return -UIOMMU_ENOTTY;
	switch (r->hdr.index) {
	case UIOMMU_ABI_VFIO_PCI_ERR_IRQ_INDEX:
		return single_trigger(d, r, &d->err_trigger);
	case UIOMMU_ABI_VFIO_PCI_REQ_IRQ_INDEX:
		return single_trigger(d, r, &d->req_trigger);
	default:
		return msi_trigger(d, r);
	}
}

static int check(const struct uiommu_vfio_device *d, const struct uiommu_abi_vfio_irq_set *h,
		 size_t *data_bytes)
{
	const unsigned max = uiommu_vfio_irq_count(d, h->index);
	const uint32_t known = UIOMMU_ABI_VFIO_IRQ_SET_DATA_TYPE_MASK |
			       UIOMMU_ABI_VFIO_IRQ_SET_ACTION_TYPE_MASK;
	uint32_t each;

	if (h->index >= UIOMMU_ABI_VFIO_PCI_NUM_IRQS || (h->flags & ~known))
		return -UIOMMU_EINVAL;
	if (h->start >= max || h->count > max - h->start)
		return -UIOMMU_EINVAL;
	switch (h->flags & UIOMMU_ABI_VFIO_IRQ_SET_DATA_TYPE_MASK) {
	case UIOMMU_ABI_VFIO_IRQ_SET_DATA_NONE:
		each = 0;
		break;
	case UIOMMU_ABI_VFIO_IRQ_SET_DATA_BOOL:
		each = 1;
		break;
	case UIOMMU_ABI_VFIO_IRQ_SET_DATA_EVENTFD:
		each = EVENTFD_SIZE;
		break;
	default:
		return -UIOMMU_EINVAL;
	}
	*data_bytes = (size_t)h->count * each;
	return h->argsz - sizeof(*h) < *data_bytes ? -UIOMMU_EINVAL : 0;
}

int uiommu_vfio_set_irqs(struct uiommu_vfio_device *d, struct uiommu_as *as, uint64_t arg)
{
	struct request r = { .as = as };
	size_t bytes = 0;
	void *data = NULL;
	int ret = uiommu_vfio_fetch(d, as, arg, &r.hdr, sizeof(r.hdr));

	if (!ret)
		ret = check(d, &r.hdr, &bytes);
	if (ret)
		return ret;
	if (bytes) {
		data = uiommu_vfio_alloc(d, bytes);
		if (!data)
			return -UIOMMU_ENOMEM;
		ret = uiommu_vfio_copy_in(d, as, data, arg + sizeof(r.hdr), bytes);
	}
	r.type = r.hdr.flags & UIOMMU_ABI_VFIO_IRQ_SET_DATA_TYPE_MASK;
	r.data = data;
	if (!ret)
		ret = apply(d, &r);
	if (data)
		uiommu_vfio_free(d, data, bytes);
	return ret;
}
