/* SPDX-License-Identifier: MIT */
/*
 * tests/driver/bench.h - the real driver on the real simulator, in one process,
 * and devices that are nothing but a StreamID that does DMA
 */
#ifndef TESTS_DRIVER_BENCH_H
#define TESTS_DRIVER_BENCH_H

#include "../core/thost.h"
#include "../heap.h"

#include <uiommu/driver.h>
#include <uiommu/sim/smmuv3.h>
#include <uiommu/smmuv3.h>

#include "sim/mmio.h"
#include "src/smmuv3/smmu.h"

#define PAGE	4096u
#define RW	(UIOMMU_PROT_READ | UIOMMU_PROT_WRITE)

struct bench {
	struct thost t;
	struct uiommu_sim_smmuv3 *sim;
	struct uiommu *u;
	struct uiommu_iommu *iommu;
	pthread_mutex_t sim_lock;
	unsigned char *cleaned;			/* non-coherent: what hardware sees */
	uint64_t noise[8];			/* and what it sees of the rest */
	unsigned late_reads;			/* of memory that was given back */
	unsigned nfaults, irqs[UIOMMU_SIM_IRQ_CMDQV + 1];
	struct uiommu_fault fault;		/* the last one */
	char text[200];				/* and in words */
	uint8_t resumed[256];			/* by stall tag: 1 + how; 0: it waits */
	unsigned num_responses;
	struct uiommu_sim_page_response response;	/* the last one */
	/* between driver and simulator: what a test plays or watches */
	uint64_t (*hook_read)(struct bench *b, uint64_t off, uint64_t v);
	bool (*hook_write)(struct bench *b, uint64_t off, uint64_t v);
	/* likewise between the driver and its CMDQV */
	uint64_t (*hook_block_read)(struct bench *b, uint64_t off, uint64_t v);
	bool (*hook_block_write)(struct bench *b, uint64_t off, uint64_t v);
	bool no_hyp_own;			/* HYP_OWN cannot be set, as in a guest */
	void *test;
	/* what another thread does from beginning to end, see bench_meanwhile() */
	void (*meanwhile)(struct bench *b);
	unsigned skip;
	int held;				/* locks that may be: 1, the instance lock */
	/* devices with a TLB of their own */
	int (*atc_inv)(struct bench *b, const struct uiommu_sim_inval *inv);
};

/* ---- the simulator's world ---- */

static inline int bench_mem(struct bench *b, uiommu_pa_t pa, void *buf, size_t n, bool write)
{
	unsigned char *p = thost_at(&b->t, pa, n);
	size_t i = 0;

	if (!p)
		return -UIOMMU_EFAULT;
	if (thost_is_freed(&b->t, p))
		__atomic_fetch_add(&b->late_reads, 1, __ATOMIC_RELAXED);
	if (b->cleaned && write)
		memcpy(b->cleaned + (p - b->t.mem), buf, n);
	if (b->cleaned && !write)
		p = b->cleaned + (p - b->t.mem);
	while (i < n) {
		unsigned step = !((pa + i) % 8) && n - i >= 8 ? 8 : 1;

		if (step == 8 && write) {
			uint64_t v;

			memcpy(&v, (char *)buf + i, 8);
			__atomic_store_n((uint64_t *)(p + i), v, __ATOMIC_RELEASE);
		} else if (step == 8) {
			uint64_t v = __atomic_load_n((uint64_t *)(p + i), __ATOMIC_ACQUIRE);

			memcpy((char *)buf + i, &v, 8);
		} else if (write) {
			__atomic_store_n(p + i, ((unsigned char *)buf)[i], __ATOMIC_RELEASE);
		} else {
			((unsigned char *)buf)[i] = __atomic_load_n(p + i, __ATOMIC_ACQUIRE);
		}
		i += step;
	}
	return 0;
}

static inline int bench_sim_read(void *ctx, uiommu_pa_t pa, void *buf, size_t n)
{
	return bench_mem(ctx, pa, buf, n, false);
}

static inline int bench_sim_write(void *ctx, uiommu_pa_t pa, const void *buf, size_t n)
{
	return bench_mem(ctx, pa, (void *)(uintptr_t)buf, n, true);
}

static inline int bench_sim_cas64(void *ctx, uiommu_pa_t pa, uint64_t *old, uint64_t v)
{
	struct bench *b = ctx;
	uint64_t *p = (uint64_t *)thost_at(&b->t, pa, 8);

	if (!p)
		return -UIOMMU_EFAULT;
	__atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return 0;
}

static inline int bench_sim_atc_inv(void *ctx, const struct uiommu_sim_inval *inv)
{
	struct bench *b = ctx;

	return b->atc_inv ? b->atc_inv(b, inv) : 0;
}

static inline void bench_sim_irq(void *ctx, enum uiommu_sim_irq line)
{
	__atomic_fetch_add(&((struct bench *)ctx)->irqs[line], 1, __ATOMIC_RELAXED);
}

static inline void bench_sim_lock(void *ctx)
{
	pthread_mutex_lock(&((struct bench *)ctx)->sim_lock);
}

static inline void bench_sim_unlock(void *ctx)
{
	pthread_mutex_unlock(&((struct bench *)ctx)->sim_lock);
}

static inline void bench_sim_resume(void *ctx, uint32_t sid, uint16_t stag,
				    enum uiommu_sim_resume how)
{
	__atomic_store_n(&((struct bench *)ctx)->resumed[stag], 1 + how, __ATOMIC_RELEASE);
}

static inline void bench_sim_page_response(void *ctx, const struct uiommu_sim_page_response *r)
{
	struct bench *b = ctx;

	b->response = *r;
	__atomic_fetch_add(&b->num_responses, 1, __ATOMIC_RELEASE);
}

/* ---- the driver's registers ---- */

static inline uint64_t bench_read(struct bench *b, uint64_t off, unsigned size)
{
	uint64_t v = uiommu_sim_smmuv3_mmio_read(b->sim, off, size);

	return b->hook_read ? b->hook_read(b, off, v) : v;
}

static inline void bench_write(struct bench *b, uint64_t off, uint64_t v, unsigned size)
{
	if (!b->hook_write || b->hook_write(b, off, v))
		uiommu_sim_smmuv3_mmio_write(b->sim, off, v, size);
}

SIM_MMIO_OPS(bench_mmio, bench_read, bench_write)

/* ---- those of its CMDQV ---- */

static inline uint64_t bench_block_read(struct bench *b, uint64_t off, unsigned size)
{
	uint64_t v = uiommu_sim_smmuv3_cmdqv_read(b->sim, off, size);

	return b->hook_block_read ? b->hook_block_read(b, off, v) : v;
}

static inline bool bench_is_vintf_config(uint64_t off)
{
	return off >= CMDQV_AT_VINTF && off < CMDQV_AT_VCMDQ_PAGE0 &&
	       off % CMDQV_STRIDE_VINTF == VINTF_CONFIG;
}

static inline void bench_block_write(struct bench *b, uint64_t off, uint64_t v, unsigned size)
{
	if (b->no_hyp_own && bench_is_vintf_config(off))
		v &= ~FMASK(VINTF_CONFIG_HYP_OWN);
	if (!b->hook_block_write || b->hook_block_write(b, off, v))
		uiommu_sim_smmuv3_cmdqv_write(b->sim, off, v, size);
}

SIM_MMIO_OPS(bench_block_mmio, bench_block_read, bench_block_write)

/* The registers of a CMDQV with so many interfaces. */
static inline struct uiommu_mmio bench_block(struct bench *b, unsigned vintfs)
{
	return (struct uiommu_mmio){
		.ops = &bench_block_mmio, .ctx = b,
		.bytes = CMDQV_AT_VINTF_PAGE0 + vintfs * CMDQV_STRIDE_VINTF_PAGES,
	};
}

static inline void bench_fault(void *ctx, const struct uiommu_fault *f)
{
	struct bench *b = ctx;

	b->nfaults++;
	b->fault = *f;
	uiommu_fault_text(f, b->text, sizeof(b->text));
}

/* ---- up and down ---- */

static const struct uiommu_smmuv3_config bench_smmu = {
	.name = "smmu@9050000", .mmio_pa = 0x9050000, .mmio_bytes = 0x20000,
	.coherent = true, .has_irqs = true, .irq_evtq = 1, .irq_gerror = 2,
};

static inline struct uiommu_sim_env bench_env(struct bench *b)
{
	return (struct uiommu_sim_env){
		.ctx = b, .alloc = heap_alloc, .free = heap_free,
		.read = bench_sim_read, .write = bench_sim_write, .irq = bench_sim_irq,
		.lock = bench_sim_lock, .unlock = bench_sim_unlock, .cas64 = bench_sim_cas64,
		.resume = bench_sim_resume, .page_response = bench_sim_page_response,
		.atc_inv = bench_sim_atc_inv,
	};
}

static inline void bench_init_sim(struct bench *b, const struct uiommu_sim_smmuv3_config *sim,
				  bool threads)
{
	const struct uiommu_sim_env env = bench_env(b);

	memset(b, 0, sizeof(*b));
	thost_init(&b->t, threads);
	pthread_mutex_init(&b->sim_lock, NULL);
	assert_int_equal(uiommu_sim_smmuv3_create(sim, &env, &b->sim), 0);
	b->t.mmio_ops = &bench_mmio;
	b->t.mmio_ctx = b;
}

static inline void bench_init(struct bench *b, const struct uiommu_sim_smmuv3_config *sim,
			      const struct uiommu_smmuv3_config *smmu, bool threads)
{
	const struct uiommu_observer obs = { .ctx = b, .fault = bench_fault };

	bench_init_sim(b, sim, threads);
	assert_int_equal(uiommu_create(&b->t.host, &obs, &b->u), 0);
	assert_int_equal(uiommu_smmuv3_probe(b->u, smmu, &b->iommu), 0);
}

/* Hardware that does not see CPU caches: only what is cleaned, the rest is noise. */
static inline void bench_clean(void *ctx, const void *p, size_t bytes)
{
	struct bench *b = uiommu_container_of((struct thost *)ctx, struct bench, t);
	size_t off = (size_t)((const unsigned char *)p - b->t.mem);

	memcpy(b->cleaned + off, p, bytes);
}

static inline void bench_add_noise(struct thost *t, void *p, size_t bytes)
{
	struct bench *b = uiommu_container_of(t, struct bench, t);
	size_t off = (size_t)((unsigned char *)p - t->mem);

	for (size_t i = 0; i < bytes; i += 64)
		memcpy(b->cleaned + off + i, b->noise, 64);
}

static inline void bench_make_noncoherent(struct bench *b)
{
	b->cleaned = mmap(NULL, THOST_BYTES, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(b->cleaned, MAP_FAILED);
	b->t.on_table = bench_add_noise;
	b->t.host.cache_clean = bench_clean;
}

static inline void bench_fini(struct bench *b)
{
	uiommu_destroy(b->u);
	uiommu_sim_smmuv3_destroy(b->sim);
	assert_int_equal(b->late_reads, 0);
	thost_fini(&b->t);
	if (b->cleaned)
		munmap(b->cleaned, THOST_BYTES);
}

static inline int bench_setup(void **state)
{
	struct uiommu_sim_smmuv3_config cfg;
	struct bench *b = calloc(1, sizeof(*b));

	uiommu_sim_smmuv3_config_init(&cfg);
	bench_init(b, &cfg, &bench_smmu, false);
	*state = b;
	return 0;
}

static inline int bench_teardown(void **state)
{
	bench_fini(*state);
	free(*state);
	return 0;
}

static inline struct uiommu_dev *bench_add(struct bench *b, const char *name, uint32_t sid,
					   unsigned pasid_bits)
{
	const struct uiommu_dev_config cfg = {
		.name = name, .iommu = b->iommu, .rid = sid, .stream_ids = &sid,
		.num_stream_ids = 1, .pasid_bits = pasid_bits, .group = -1,
		.default_type = UIOMMU_DOMAIN_BLOCKED,
	};
	struct uiommu_dev *dev = NULL;

	assert_int_equal(uiommu_device_add(b->u, &cfg, &dev), 0);
	return dev;
}

/* ---- one thread at a time ---- */

static inline void bench_lock(void *ctx, struct uiommu_lock *l)
{
	struct bench *b = uiommu_container_of((struct thost *)ctx, struct bench, t);
	void (*fn)(struct bench *b) = b->meanwhile;

	if (fn && b->t.locks <= b->held && !b->skip--) {
		b->meanwhile = NULL;
		fn(b);
	}
	thost_count_lock(ctx, l);
}

/* The thread that is running, which holds no SPIN lock then, is away before the lock that
 * it would take after @skip others, until @fn has returned. */
static inline void bench_meanwhile(struct bench *b, unsigned skip, void (*fn)(struct bench *b))
{
	b->t.host.lock = bench_lock;
	b->skip = skip;
	b->meanwhile = fn;
}

static inline void bench_recover(struct bench *b)
{
	assert_int_equal(uiommu_iommu_recover(b->iommu), 0);
}

/* The SMMU fails; another thread brings it back before the @later-th lock from here. */
static inline void bench_fail(struct bench *b, unsigned later)
{
	uiommu_sim_smmuv3_fail(b->sim);
	bench_meanwhile(b, later, bench_recover);
}

/* ---- DMA ---- */

static inline int bench_dma(struct bench *b, struct uiommu_dev *dev, uiommu_pasid_t pasid,
			    bool write, uiommu_iova_t iova, void *buf, size_t bytes)
{
	const struct uiommu_sim_access a = {
		.stream_id = dev->streams[0].id, .substream_id = pasid, .ssv = pasid != 0,
		.write = write, .iova = iova,
	};
	size_t done = 0;

	return uiommu_sim_smmuv3_dma(b->sim, &a, buf, bytes, &done);
}

/* the word a device reads there; 0 and a non-zero return: blocked */
static inline int bench_peek(struct bench *b, struct uiommu_dev *dev, uiommu_pasid_t pasid,
			     uiommu_iova_t iova, uint64_t *v)
{
	*v = 0;
	return bench_dma(b, dev, pasid, false, iova, v, sizeof(*v));
}

static inline int bench_poke(struct bench *b, struct uiommu_dev *dev, uiommu_pasid_t pasid,
			     uiommu_iova_t iova, uint64_t v)
{
	return bench_dma(b, dev, pasid, true, iova, &v, sizeof(v));
}

/* a page of memory with @v in its first word */
static inline uint64_t *bench_page(struct bench *b, uint64_t v)
{
	uint64_t *p = thost_table_alloc(&b->t, PAGE);

	*p = v;
	return p;
}

static inline void bench_page_free(struct bench *b, uint64_t *p)
{
	thost_table_free(&b->t, p, PAGE);
}

static inline struct uiommu_domain *bench_domain(struct uiommu_dev *dev)
{
	struct uiommu_domain *dom = NULL;

	assert_int_equal(uiommu_domain_alloc_paging(dev, UIOMMU_DOMAIN_ALLOC_PASID, &dom), 0);
	return dom;
}

static inline void bench_map(struct bench *b, struct uiommu_domain *dom, uiommu_iova_t iova,
			     const void *page)
{
	uint64_t done = 0;

	assert_int_equal(uiommu_map(dom, iova, thost_pa(&b->t, page), PAGE, RW, &done), 0);
	assert_int_equal(done, PAGE);
}

/* the domain as a device sees it at @iova: @v, or blocked when @v is 0 */
static inline void bench_sees(struct bench *b, struct uiommu_dev *dev, uiommu_pasid_t pasid,
			      uiommu_iova_t iova, uint64_t v)
{
	uint64_t got;
	int err = bench_peek(b, dev, pasid, iova, &got);

	if (v) {
		assert_int_equal(err, 0);
		assert_int_equal(got, v);
	} else {
		assert_int_not_equal(err, 0);
	}
}

static inline const char *bench_fault_text(struct bench *b)
{
	b->text[0] = 0;
	uiommu_smmuv3_poll(b->iommu);
	return b->text;
}

#endif
