/* SPDX-License-Identifier: MIT */
/* kernel.c - the guest's kernel comes up, finds its devices, and goes down */
#include "kernel.h"

#define FAULT_WAIT_NS	5000000000ull

/* ---- events ---- */

/* In an interrupt: no lock of the library's is held. */
static void on_fault(void *ctx, const struct uiommu_fault *f)
{
	struct kernel *k = ctx;

	lock_take(k, &k->faults_lock);
	k->fault[k->faults++ % KERNEL_FAULTS] = *f;
	lock_give(&k->faults_lock);
}

unsigned kernel_faults(struct kernel *k)
{
	unsigned n;

	lock_take(k, &k->faults_lock);
	n = k->faults;
	lock_give(&k->faults_lock);
	return n;
}

static bool look(struct kernel *k, unsigned n, struct uiommu_fault *out)
{
	bool there;

	lock_take(k, &k->faults_lock);
	there = k->faults > n;
	if (there)
		*out = k->fault[n % KERNEL_FAULTS];
	lock_give(&k->faults_lock);
	return there;
}

bool kernel_fault(struct kernel *k, unsigned n, struct uiommu_fault *out)
{
	uint64_t since = k->host.now_ns(k);
	bool there = look(k, n, out);

	while (!there && k->host.now_ns(k) - since < FAULT_WAIT_NS) {
		kernel_pause(k);
		there = look(k, n, out);
	}
	return there;
}

/* ---- devices ---- */

/* Untagged DMA is the kernel's own: an address space with IOVAs to give out. */
static int give_dma(struct device *d)
{
	int err = uiommu_dma_create(d->dev, UIOMMU_DMA_STRICT, UINT64_MAX, &d->dma);

	if (err)
		return err;
	uiommu_domain_set_name(uiommu_dma_domain(d->dma), "the kernel");
	return uiommu_attach_device(uiommu_dma_domain(d->dma), d->dev);
}

struct device *kernel_add_device(struct kernel *k, const struct board_device *b)
{
	const struct uiommu_dev_config cfg = {
		.name = b->name,
		.iommu = k->smmu,
		.rid = b->rid,
		.stream_ids = &b->stream_id,
		.num_stream_ids = 1,
		.pasid_bits = b->pasid_bits < 6 ? b->pasid_bits : 6,
		.group = -1,
		.default_type = UIOMMU_DOMAIN_BLOCKED,
		.ats = b->ats,
		.ats_global = b->ats_global,
		.pri = b->pri,
		.pri_pasid = true,
		.max_faults = 32,
	};
	struct device *d = &k->dev[k->devices];

	if (k->devices == KERNEL_DEVICES || uiommu_device_add(k->u, &cfg, &d->dev))
		return NULL;
	d->board = b;
	if (give_dma(d)) {
		kernel_remove_device(d);
		return NULL;
	}
	k->devices++;
	return d;
}

void kernel_remove_device(struct device *d)
{
	if (d->dev)
		uiommu_device_remove(d->dev);
	if (d->dma)
		uiommu_dma_destroy(d->dma);
	d->dev = NULL;
	d->dma = NULL;
}

struct device *kernel_device(struct kernel *k, uint32_t rid)
{
	for (unsigned i = 0; i < k->devices; i++)
		if (k->dev[i].dev && k->dev[i].board->rid == rid)
			return &k->dev[i];
	return NULL;
}

/* ---- up and down ---- */

static struct uiommu_smmuv3_msi message(uint32_t line)
{
	return (struct uiommu_smmuv3_msi){ .pa = BOARD_DOORBELL, .data = line };
}

static int find_smmu(struct kernel *k)
{
	const struct uiommu_observer obs = { .ctx = k, .fault = on_fault };
	const struct uiommu_smmuv3_config cfg = {
		.name = "smmu@9050000",
		.mmio_pa = BOARD_SMMU,
		.mmio_bytes = BOARD_SMMU_BYTES,
		.coherent = true,
		.has_irqs = true,
		.has_irq_priq = true,
		.irq_evtq = BOARD_IRQ_EVTQ,
		.irq_priq = BOARD_IRQ_PRIQ,
		.irq_gerror = BOARD_IRQ_GERROR,
		.msi_evtq = message(BOARD_IRQ_EVTQ),
		.msi_priq = message(BOARD_IRQ_PRIQ),
		.has_cmdqv = k->board->has_cmdqv,
		.cmdqv = k->board->cmdqv,
		.has_irq_cmdqv = true,
		.irq_cmdqv = BOARD_IRQ_CMDQV,
	};
	int err = uiommu_create(&k->host, &obs, &k->u);

	return err ? err : uiommu_smmuv3_probe(k->u, &cfg, &k->smmu);
}

struct kernel *kernel_boot(const struct board *board)
{
	struct kernel *k = (struct kernel *)(void *)board->ram;

	k->board = board;
	k->heap.next = board->ram + sizeof(*k);
	k->heap.end = board->ram + board->ram_bytes;
	port_init(k);
	return find_smmu(k) ? NULL : k;
}

void kernel_take_interrupts(struct kernel *k)
{
	uint32_t lines;

	while ((lines = k->board->wait_for_interrupt(k->board->cpu)))
		port_run_irqs(k, lines);
}

void kernel_halt(struct kernel *k)
{
	for (unsigned i = 0; i < k->devices; i++)
		kernel_remove_device(&k->dev[i]);
	uiommu_destroy(k->u);
}
