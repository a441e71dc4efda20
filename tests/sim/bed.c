/* SPDX-License-Identifier: MIT */
/* bed.c - see bed.h */
#include "../heap.h"
#include "bed.h"

/* ---- memory ---- */

static uint8_t *ram_at(struct bed *b, uint64_t pa, size_t bytes)
{
	if (pa < RAM || pa - RAM > RAM_BYTES || bytes > RAM_BYTES - (pa - RAM))
		return NULL;
	if (b->poison && pa < b->poison + 8 && b->poison < pa + bytes)
		return NULL;
	return b->ram + (pa - RAM);
}

static void hook(struct bed *b, uint64_t pa, size_t bytes)
{
	(void)pa;
	(void)bytes;
	if (!b->on_data || b->in_hook)
		return;
	b->in_hook = true;
	b->on_data(b);
	b->in_hook = false;
}

static int env_read(void *ctx, uiommu_pa_t pa, void *buf, size_t bytes)
{
	struct bed *b = ctx;
	uint8_t *p = ram_at(b, pa, bytes);

	if (!p)
		return -UIOMMU_EFAULT;
	memcpy(buf, p, bytes);
	return 0;
}

static int env_write(void *ctx, uiommu_pa_t pa, const void *buf, size_t bytes)
{
	struct bed *b = ctx;
	uint8_t *p = ram_at(b, pa, bytes);

	if (!p) {
		b->lost_writes++;
		return -UIOMMU_EFAULT;
	}
	hook(b, pa, bytes);
	memcpy(p, buf, bytes);
	return 0;
}

static int env_cas64(void *ctx, uiommu_pa_t pa, uint64_t *old, uint64_t new_value)
{
	struct bed *b = ctx;
	uint64_t was;

	if (!ram_at(b, pa, 8))
		return -UIOMMU_EFAULT;
	b->cas++;
	if (b->on_cas)
		b->on_cas(b, pa);
	was = mem(b, pa);
	if (was == *old)
		set_mem(b, pa, new_value);
	*old = was;
	return 0;
}

static void env_resume(void *ctx, uint32_t sid, uint16_t stag, enum uiommu_sim_resume how)
{
	struct bed *b = ctx;

	b->resumed = (struct resumed){ b->resumed.calls + 1, sid, stag, how };
}

static void env_irq(void *ctx, enum uiommu_sim_irq line)
{
	((struct bed *)ctx)->irqs[line]++;
}

uint64_t bed_alloc(struct bed *b, uint64_t bytes)
{
	uint64_t pa = (b->next + bytes - 1) & ~(bytes - 1);

	b->next = pa + bytes;
	assert_true(b->next <= RAM + RAM_BYTES);
	return pa;
}

uint64_t mem(struct bed *b, uint64_t pa)
{
	uint64_t v;

	memcpy(&v, b->ram + (pa - RAM), 8);
	return v;
}

void set_mem(struct bed *b, uint64_t pa, uint64_t v)
{
	memcpy(b->ram + (pa - RAM), &v, 8);
}

/* ---- registers ---- */

uint32_t rd(struct bed *b, unsigned reg)
{
	return (uint32_t)uiommu_sim_smmuv3_mmio_read(b->sim, reg, 4);
}

uint64_t rd64(struct bed *b, unsigned reg)
{
	return uiommu_sim_smmuv3_mmio_read(b->sim, reg, 8);
}

void wr(struct bed *b, unsigned reg, uint32_t v)
{
	uiommu_sim_smmuv3_mmio_write(b->sim, reg, v, 4);
}

void wr64(struct bed *b, unsigned reg, uint64_t v)
{
	uiommu_sim_smmuv3_mmio_write(b->sim, reg, v, 8);
}

/* ---- life ---- */

static struct bed *make(const struct uiommu_sim_smmuv3_config *cfg,
			int (*atc_inv)(void *ctx, const struct uiommu_sim_inval *inv),
			void (*response)(void *ctx, const struct uiommu_sim_page_response *r))
{
	struct uiommu_sim_smmuv3_config def;
	struct bed *b = calloc(1, sizeof(*b));

	uiommu_sim_smmuv3_config_init(&def);
	assert_non_null(b);
	b->ram = calloc(1, RAM_BYTES);
	assert_non_null(b->ram);
	b->next = RAM;
	b->env = (struct uiommu_sim_env){ .ctx = b, .alloc = heap_alloc, .free = heap_free,
		.read = env_read, .write = env_write, .irq = env_irq,
		.cas64 = env_cas64, .resume = env_resume,
		.atc_inv = atc_inv, .page_response = response };
	assert_int_equal(uiommu_sim_smmuv3_create(cfg ? cfg : &def, &b->env, &b->sim), 0);
	return b;
}

struct bed *bed_raw(const struct uiommu_sim_smmuv3_config *cfg)
{
	return make(cfg, NULL, NULL);
}

static struct bed *start(struct bed *b)
{
	b->strtab = bed_alloc(b, 64u << STRTAB_LG2);
	b->cmdq = bed_alloc(b, 16u << CMDQ_LG2);
	b->evtq = bed_alloc(b, 32u << EVTQ_LG2);
	wr64(b, STRTAB_BASE, b->strtab);
	wr(b, STRTAB_BASE_CFG, STRTAB_LG2);
	wr64(b, CMDQ_BASE, b->cmdq | CMDQ_LG2);
	wr64(b, EVENTQ_BASE, b->evtq | EVTQ_LG2);
	wr(b, CR2, 2);			/* RECINVSID */
	wr(b, IRQ_CTRL, 5);
	wr(b, CR0, 4 | 8);		/* EVENTQEN, CMDQEN */
	wr(b, CR0, 4 | 8 | 1);		/* SMMUEN */
	return b;
}

struct bed *bed_new(const struct uiommu_sim_smmuv3_config *cfg)
{
	return start(bed_raw(cfg));
}

struct bed *bed_new_env(const struct uiommu_sim_smmuv3_config *cfg,
			int (*atc_inv)(void *ctx, const struct uiommu_sim_inval *inv),
			void (*response)(void *ctx, const struct uiommu_sim_page_response *r))
{
	return start(make(cfg, atc_inv, response));
}

struct bed *bed_new_fence(void (*fence)(void *ctx))
{
	struct uiommu_sim_smmuv3_config c;
	struct bed *b = bed_raw(NULL);

	uiommu_sim_smmuv3_config_init(&c);
	uiommu_sim_smmuv3_destroy(b->sim);
	b->env.fence = fence;
	assert_int_equal(uiommu_sim_smmuv3_create(&c, &b->env, &b->sim), 0);
	return start(b);
}

void bed_free(struct bed *b)
{
	uiommu_sim_smmuv3_destroy(b->sim);
	free(b->ram);
	free(b);
}

int bed_setup(void **state)
{
	*state = bed_new(NULL);
	return 0;
}

int bed_teardown(void **state)
{
	bed_free(*state);
	return 0;
}

/* ---- tables ---- */

void put_ste(struct bed *b, uint32_t sid, uint64_t w0, uint64_t w1)
{
	set_mem(b, b->strtab + sid * 64, w0);
	set_mem(b, b->strtab + sid * 64 + 8, w1);
}

uint64_t ste_s1(uint64_t ctxptr, unsigned fmt, unsigned cdmax)
{
	return 1 | 5 << 1 | fmt << 4 | ctxptr | (uint64_t)cdmax << 59;
}

uint64_t cd_4k(uint16_t asid)
{
	return 16 | 0 << 6 | BIT(30) | BIT(31) | (uint64_t)5 << 32 | BIT(41) | BIT(45) | BIT(46) |
	       (uint64_t)asid << 48;
}

void put_cd(struct bed *b, uint64_t pa, uint64_t w0, uint64_t ttb0)
{
	set_mem(b, pa, w0);
	set_mem(b, pa + 8, ttb0);
}

void map(struct bed *b, uint64_t root, unsigned g, unsigned ias, uint64_t va, unsigned leaf_lg2,
	 uint64_t desc)
{
	unsigned stride = g - 3, shift = g;
	uint64_t table = root, addr_mask = (BIT(48) - 1) & ~(BIT(g) - 1);

	while (shift + stride < ias)
		shift += stride;
	va &= BIT(ias) - 1;
	for (; shift > leaf_lg2; shift -= stride) {
		uint64_t pa = table + (va >> shift & (BIT(stride) - 1)) * 8;

		if (!(mem(b, pa) & 1))
			set_mem(b, pa, bed_alloc(b, BIT(g)) | 3);
		table = mem(b, pa) & addr_mask;
	}
	assert_int_equal(shift, leaf_lg2);
	set_mem(b, table + (va >> shift & (BIT(stride) - 1)) * 8, desc | (leaf_lg2 == g ? 3 : 1));
}

void map4k(struct bed *b, uint64_t root, uint64_t va, uint64_t pa, uint64_t attr)
{
	map(b, root, 12, 48, va, 12, pa | attr);
}

void map_s2(struct bed *b, uint64_t root, unsigned g, unsigned level, uint64_t ipa,
	    unsigned leaf_lg2, uint64_t desc)
{
	unsigned stride = g - 3, shift = g + stride * (3 - level);
	uint64_t at = root + (ipa >> shift) * 8, addr_mask = (BIT(48) - 1) & ~(BIT(g) - 1);

	for (; shift > leaf_lg2; shift -= stride) {
		if (!(mem(b, at) & 1))
			set_mem(b, at, bed_alloc(b, BIT(g)) | 3);
		at = (mem(b, at) & addr_mask) + (ipa >> (shift - stride) & (BIT(stride) - 1)) * 8;
	}
	assert_int_equal(shift, leaf_lg2);
	set_mem(b, at, desc | (leaf_lg2 == g ? 3 : 1));
}

uint64_t s2_word2(unsigned ias, uint16_t vmid)
{
	return vmid | (uint64_t)(64 - ias) << 32 | (uint64_t)1 << 38 | (uint64_t)5 << 48 |
	       BIT(51) | BIT(58);
}

void put_ste_s2(struct bed *b, uint32_t sid, uint64_t w2, uint64_t w3)
{
	set_mem(b, b->strtab + sid * 64 + 16, w2);
	set_mem(b, b->strtab + sid * 64 + 24, w3);
}

struct uiommu_sim_smmuv3_config full_cfg(void)
{
	struct uiommu_sim_smmuv3_config c;

	uiommu_sim_smmuv3_config_init(&c);
	c.stage2 = c.hyp = c.vmid16 = true;
	c.httu = 2;
	c.stall = 1;
	c.stall_max = 3;
	return c;
}

struct s1 stream_s1(struct bed *b, uint32_t sid, uint16_t asid)
{
	struct s1 s = { .cd = bed_alloc(b, 64), .root = bed_alloc(b, 4096),
			.page = bed_alloc(b, 4096) };

	put_ste(b, sid, ste_s1(s.cd, 0, 0), 0);
	put_cd(b, s.cd, cd_4k(asid), s.root);
	map4k(b, s.root, VA, s.page, PTE_RW);
	return s;
}

/* ---- queues ---- */

void cmd(struct bed *b, uint64_t w0, uint64_t w1)
{
	uint32_t prod = rd(b, CMDQ_PROD);
	uint64_t at = b->cmdq + (prod & (BIT(CMDQ_LG2) - 1)) * 16;

	set_mem(b, at, w0);
	set_mem(b, at + 8, w1);
	wr(b, CMDQ_PROD, (prod + 1) & ((2u << CMDQ_LG2) - 1));
}

void sync(struct bed *b)
{
	cmd(b, 0x46, 0);
	assert_int_equal(rd(b, CMDQ_CONS) & 0xfffff, rd(b, CMDQ_PROD));
}

struct record event(struct bed *b)
{
	uint32_t cons = rd(b, EVENTQ_CONS), prod = rd(b, EVENTQ_PROD);
	uint32_t mask = (2u << EVTQ_LG2) - 1;
	struct record r;

	if (((prod ^ cons) & mask) == 0)
		fail_msg("no event was recorded");
	for (unsigned i = 0; i < 4; i++)
		r.w[i] = mem(b, b->evtq + (cons & (mask >> 1)) * 32 + i * 8);
	wr(b, EVENTQ_CONS, ((cons + 1) & mask) | (cons & BIT(31)));
	return r;
}

void no_event(struct bed *b)
{
	uint32_t mask = (2u << EVTQ_LG2) - 1;

	if ((rd(b, EVENTQ_PROD) ^ rd(b, EVENTQ_CONS)) & mask) {
		struct record r = event(b);

		fail_msg("unexpected event: %llx %llx %llx %llx", (unsigned long long)r.w[0],
			 (unsigned long long)r.w[1], (unsigned long long)r.w[2],
			 (unsigned long long)r.w[3]);
	}
}

void expect_event(struct bed *b, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3)
{
	const uint64_t want[4] = { w0, w1, w2, w3 };
	struct record r = event(b);

	for (unsigned i = 0; i < 4; i++)
		if (r.w[i] != want[i])
			fail_msg("word %u of the event is %llx, not %llx", i,
				 (unsigned long long)r.w[i], (unsigned long long)want[i]);
	no_event(b);
}

/* ---- accesses ---- */

int dma_as(struct bed *b, const struct uiommu_sim_access *a)
{
	uint64_t v = 0;

	return uiommu_sim_smmuv3_dma(b->sim, a, &v, 8, NULL);
}

int dma_read_ssid(struct bed *b, uint32_t sid, uint32_t ssid, uint64_t va, uint64_t *v)
{
	struct uiommu_sim_access a = { .stream_id = sid, .substream_id = ssid, .ssv = true,
				       .iova = va };

	return uiommu_sim_smmuv3_dma(b->sim, &a, v, 8, NULL);
}

int dma_read(struct bed *b, uint32_t sid, uint64_t va, uint64_t *v)
{
	struct uiommu_sim_access a = { .stream_id = sid, .iova = va };

	return uiommu_sim_smmuv3_dma(b->sim, &a, v, 8, NULL);
}

int dma_write(struct bed *b, uint32_t sid, uint64_t va, uint64_t v)
{
	struct uiommu_sim_access a = { .stream_id = sid, .iova = va, .write = true };

	return uiommu_sim_smmuv3_dma(b->sim, &a, &v, 8, NULL);
}
