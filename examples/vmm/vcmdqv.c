/* SPDX-License-Identifier: MIT */
#include "vcmdqv.h"
#include "vm.h"

#define PAGE0		CMDQV_AT_VINTF_PAGE0
#define PAGE1		(CMDQV_AT_VINTF_PAGE0 + CMDQV_STRIDE_PAGE)

static unsigned num_queues(const struct vcmdqv *c)
{
	return 1u << c->queues_lg2;
}

/* ---- the host's queues ---- */

static bool is_on(const struct vcmdqv *c)
{
	return c->on && c->vintf_on;
}

/* The guest has given it to its interface, and has said where it is. */
static bool is_wanted(const struct vcmdqv *c, const struct vcmdqv_queue *q)
{
	return is_on(c) && q->alloc & FMASK(CMDQV_CMDQ_ALLOC_ALLOCATED) && q->base;
}

static void drop(struct vcmdqv *c, struct vcmdqv_queue *q)
{
	host_destroy(c->vm->iommufd, q->id);
	q->id = 0;
}

/* One that the host does not take never says that it is on. */
static bool give(struct vcmdqv *c, unsigned i)
{
	struct vcmdqv_queue *q = &c->queue[i];
	uint64_t bytes = 16ull << FGET(VCMDQ_BASE_LOG2SIZE, q->base);

	q->id_base = q->base;
	return !host_hw_queue_alloc(c->vm->iommufd, c->vm->viommu, i,
				    q->base & FMASK(VCMDQ_BASE_ADDR), bytes, &q->id);
}

/*
 * The host has them from number 0 up and gives them back from the top: as many as the
 * guest wants without a gap.
 */
static void settle(struct vcmdqv *c)
{
	unsigned n = 0, have = num_queues(c);

	while (n < num_queues(c) && is_wanted(c, &c->queue[n]) &&
	       (!c->queue[n].id || c->queue[n].id_base == c->queue[n].base))
		n++;
	while (have > n)
		if (c->queue[--have].id)
			drop(c, &c->queue[have]);
	for (unsigned i = 0; i < num_queues(c) && is_wanted(c, &c->queue[i]); i++)
		if (!c->queue[i].id && !give(c, i))
			return;
}

/* ---- errors ---- */

static uint32_t page_read(const struct vcmdqv *c, uint64_t off)
{
	return *(volatile uint32_t *)(c->page + off);
}

static void page_write(const struct vcmdqv *c, uint64_t off, uint32_t value)
{
	*(volatile uint32_t *)(c->page + off) = value;
}

/* Which queues stand still: page 0 knows. */
static uint32_t error_map(const struct vcmdqv *c)
{
	uint32_t map = 0;

	for (unsigned i = 0; i < num_queues(c); i++) {
		uint64_t at = (uint64_t)i * CMDQV_STRIDE_VCMDQ;
		uint32_t differ = page_read(c, at + VCMDQ_GERROR) ^
				  page_read(c, at + VCMDQ_GERRORN);

		map |= (differ & FMASK(VCMDQ_GERROR_CMDQ_ERR) ? 1u : 0) << i;
	}
	return map;
}

void vcmdqv_error(struct vcmdqv *c, const uint64_t map[2])
{
	pthread_mutex_lock(&c->vm->smmu.lock);
	c->due |= map[0] || map[1];
	pthread_mutex_unlock(&c->vm->smmu.lock);
	vsmmu_idle(&c->vm->smmu);
}

/* ---- steps ---- */

static bool irq_step(struct vcmdqv *c)
{
	if (!c->due)
		return false;
	c->due = false;
	if (!(c->int_mask[0] & 1))
		vm_raise_irq(c->vm, BOARD_IRQ_CMDQV);
	return true;
}

/* From now on it is as it was written, and so are the host's queues. */
static bool switch_step(struct vcmdqv *c, bool *on, bool wanted)
{
	if (*on == wanted)
		return false;
	*on = wanted;
	settle(c);
	return true;
}

bool vcmdqv_step(struct vcmdqv *c)
{
	return c->page && (switch_step(c, &c->on, c->config & FMASK(CMDQV_CONFIG_CMDQV_EN)) ||
			   switch_step(c, &c->vintf_on, c->vintf_config & FMASK(VINTF_CONFIG_EN)) ||
			   irq_step(c));
}

/* ---- the trapped registers ---- */

static uint32_t *alloc_at(struct vcmdqv *c, uint64_t off)
{
	uint64_t i = (off - CMDQV_CMDQ_ALLOC) / 4;

	return off >= CMDQV_CMDQ_ALLOC && i < num_queues(c) ? &c->queue[i].alloc : NULL;
}

/* In one of the two places where page 1 is. */
static uint64_t *page1_at(struct vcmdqv *c, uint64_t off)
{
	uint64_t i = off % CMDQV_STRIDE_PAGE / CMDQV_STRIDE_VCMDQ;

	if (off / CMDQV_STRIDE_PAGE != CMDQV_AT_VCMDQ_PAGE1 / CMDQV_STRIDE_PAGE &&
	    off / CMDQV_STRIDE_PAGE != PAGE1 / CMDQV_STRIDE_PAGE)
		return NULL;
	if (i >= num_queues(c))
		return NULL;
	switch (off % CMDQV_STRIDE_VCMDQ & ~7u) {
	case VCMDQ_BASE:
		return &c->queue[i].base;
	case VCMDQ_CONS_INDX_BASE:
		return &c->queue[i].cons_base;
	default:
		return NULL;
	}
}

static bool is_page0_by_number(uint64_t off)
{
	return off / CMDQV_STRIDE_PAGE == CMDQV_AT_VCMDQ_PAGE0 / CMDQV_STRIDE_PAGE;
}

static uint32_t config_read(struct vcmdqv *c, uint64_t off)
{
	const uint32_t *alloc = alloc_at(c, off);

	if (alloc)
		return *alloc;
	switch (off) {
	case CMDQV_CONFIG:
		return c->config;
	case CMDQV_PARAM:
		return c->param;
	case CMDQV_STATUS:
		return (uint32_t)FPREP(CMDQV_STATUS_CMDQV_ENABLED, c->on);
	case CMDQV_VINTF_ERR_MAP:
		return error_map(c) != 0;
	case CMDQV_VINTF_INT_MASK:
		return c->int_mask[0];
	case CMDQV_VINTF_INT_MASK + 4:
		return c->int_mask[1];
	case CMDQV_CMDQ_ERR_MAP:
	case CMDQV_AT_VINTF + VINTF_LVCMDQ_ERR_MAP_64:
		return error_map(c);
	case CMDQV_AT_VINTF + VINTF_CONFIG:
		return c->vintf_config;
	case CMDQV_AT_VINTF + VINTF_STATUS:
		return (uint32_t)(FPREP(VINTF_STATUS_ENABLED, is_on(c)) |
				  FPREP(VINTF_STATUS_STATUS, error_map(c) != 0));
	default:
		return 0;
	}
}

static uint32_t reg_read(struct vcmdqv *c, uint64_t off)
{
	const uint64_t *word = page1_at(c, off);

	if (word)
		return (uint32_t)(*word >> 8 * (off & 4));
	if (is_page0_by_number(off))
		return page_read(c, off % CMDQV_STRIDE_PAGE);
	return config_read(c, off);
}

/* What was held back is told when it is not any more, if it still stands. */
static void write_int_mask(struct vcmdqv *c, unsigned n, uint32_t value)
{
	uint32_t free = c->int_mask[n] & ~value;

	c->int_mask[n] = value;
	c->due |= !n && free & 1 && error_map(c);
}

/* HYP_OWN stays 0: the commands of a guest's queue are a guest's. */
static void config_write(struct vcmdqv *c, uint64_t off, uint32_t value)
{
	uint32_t *alloc = alloc_at(c, off);

	if (alloc)
		*alloc = value & (uint32_t)(FMASK(CMDQV_CMDQ_ALLOC_ALLOCATED) |
					    FMASK(CMDQV_CMDQ_ALLOC_LVCMDQ) |
					    FMASK(CMDQV_CMDQ_ALLOC_VINTF));
	else if (off == CMDQV_CONFIG)
		c->config = value;
	else if (off == CMDQV_AT_VINTF + VINTF_CONFIG)
		c->vintf_config = value & (uint32_t)(FMASK(VINTF_CONFIG_EN) |
						     FMASK(VINTF_CONFIG_VMID));
	else if (off == CMDQV_VINTF_INT_MASK || off == CMDQV_VINTF_INT_MASK + 4)
		write_int_mask(c, off != CMDQV_VINTF_INT_MASK, value);
}

static void reg_write(struct vcmdqv *c, uint64_t off, uint32_t value)
{
	uint64_t *word = page1_at(c, off), shift = 8 * (off & 4);

	if (word)
		*word = (*word & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
	else if (is_page0_by_number(off))
		page_write(c, off % CMDQV_STRIDE_PAGE, value);
	else
		config_write(c, off, value);
}

/* ---- the guest's accesses ---- */

/* In page 0 there is no exit. */
static bool is_direct(uint64_t off)
{
	return off / CMDQV_STRIDE_PAGE == PAGE0 / CMDQV_STRIDE_PAGE;
}

static void enter(struct vcmdqv *c)
{
	vsmmu_enter(&c->vm->smmu);
	c->exits++;
}

static void leave(struct vcmdqv *c)
{
	pthread_mutex_unlock(&c->vm->smmu.lock);
}

static uint32_t read32(void *ctx, uint64_t off)
{
	struct vcmdqv *c = ctx;
	uint32_t value;

	if (is_direct(off))
		return page_read(c, off - PAGE0);
	enter(c);
	vsmmu_act(&c->vm->smmu);
	value = reg_read(c, off);
	leave(c);
	return value;
}

static void write32(void *ctx, uint64_t off, uint32_t value)
{
	struct vcmdqv *c = ctx;

	if (is_direct(off)) {
		page_write(c, off - PAGE0, value);
		return;
	}
	enter(c);
	reg_write(c, off, value);
	settle(c);
	vsmmu_act(&c->vm->smmu);
	leave(c);
}

static uint64_t read64(void *ctx, uint64_t off)
{
	return read32(ctx, off) | (uint64_t)read32(ctx, off + 4) << 32;
}

/* Both halves are there before anybody looks. */
static void write64(void *ctx, uint64_t off, uint64_t value)
{
	struct vcmdqv *c = ctx;

	if (is_direct(off)) {
		write32(ctx, off, (uint32_t)value);
		write32(ctx, off + 4, (uint32_t)(value >> 32));
		return;
	}
	enter(c);
	reg_write(c, off, (uint32_t)value);
	reg_write(c, off + 4, (uint32_t)(value >> 32));
	settle(c);
	vsmmu_act(&c->vm->smmu);
	leave(c);
}

const struct uiommu_mmio_ops vcmdqv_mmio_ops = {
	.read32 = read32,
	.write32 = write32,
	.read64 = read64,
	.write64 = write64,
};

void vcmdqv_init(struct vcmdqv *c, struct vm *vm, const struct host_cmdqv *host,
		 volatile void *page, size_t bytes)
{
	unsigned lg2 = host->queues_lg2 < VCMDQV_QUEUES_LG2 ? host->queues_lg2 : VCMDQV_QUEUES_LG2;

	*c = (struct vcmdqv){
		.vm = vm, .page = page, .page_bytes = bytes, .queues_lg2 = lg2,
		.param = (uint32_t)(FPREP(CMDQV_PARAM_VER, host->version) |
				    FPREP(CMDQV_PARAM_NUM_VCMDQ_LOG2, lg2) |
				    FPREP(CMDQV_PARAM_NUM_SID_PER_VM_LOG2, host->sids_lg2)),
	};
}
