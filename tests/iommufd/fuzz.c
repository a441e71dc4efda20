/* SPDX-License-Identifier: MIT */
/*
 * Random calls. First every member of every structure wrong in every way, with
 * attached devices; nothing may crash or be left over. oracle: legal calls in
 * random order; after each, what the device reads is what a flat model says. Then the
 * queues that a program has in its hands, with a model of who holds what.
 *
 * UIOMMU_SEED=n repeats a run, UIOMMU_ROUNDS=n makes it longer.
 */
#include "vm.h"

static unsigned rounds(unsigned dflt)
{
	const char *s = getenv("UIOMMU_ROUNDS");

	return s ? (unsigned)strtoul(s, NULL, 0) : dflt;
}

/* ---- any ioctl ---- */

static uint64_t interesting(uint64_t *seed)
{
	static const uint64_t v[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 40, 48, 0x1000, 0x2000, 0x10000,
		0x40000, RIG_MSI_BASE, RIG_VA, RIG_VA + PAGE, RIG_VA + 17, RIG_HOLE,
		RIG_HOLE - PAGE, RIG_HOLE - 1, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
		0x100000000, 1ull << 47, 1ull << 48, 1ull << 63, UINT64_MAX, UINT64_MAX - 1,
		UINT64_MAX - 4095, 0x8000000000000fff,
	};
	uint64_t z = rig_random(seed);

	if (z % 8 == 0)
		return rig_random(seed);
	return v[(z >> 8) % (sizeof(v) / sizeof(v[0]))];
}

/* Mostly plausible sizes and ids, so that calls get past the first check. */
static void fill(uint64_t *seed, uint8_t *buf, size_t bytes)
{
	static const uint32_t sizes[] = { 8, 12, 16, 24, 32, 40, 48 };
	uint32_t size;

	memset(buf, 0, bytes);
	for (size_t i = 4; i + 4 <= 56; i += 4) {
		uint64_t z = rig_random(seed), v = interesting(seed);

		if (z % 4 == 0)
			memcpy(buf + i, &v, 4);
		else if (z % 4 == 1 && i % 8 == 0)
			memcpy(buf + i, &v, 8);
	}
	size = rig_random(seed) % 16 ? sizes[rig_random(seed) % 7] : (uint32_t)interesting(seed);
	memcpy(buf, &size, 4);
}

static void device_call(struct rig *r, struct uiommu_iommufd_dev **dev,
			struct uiommu_iommufd *ctx, uint64_t *seed)
{
	unsigned n = rig_random(seed) % RIG_DEVS;
	uint32_t pt = rig_random(seed) % 12, pasid = rig_random(seed) % 3 ? 0 : rig_random(seed) % 9;
	uint64_t iova;

	switch (rig_random(seed) % 6) {
	case 0:
		if (dev[n])
			uiommu_iommufd_unbind(dev[n]);
		dev[n] = NULL;
		break;
	case 1:
		if (!dev[n] && uiommu_iommufd_bind(ctx, r->fns[n].dev, &dev[n], &pt))
			dev[n] = NULL;
		break;
	case 2:
		if (dev[n])
			uiommu_iommufd_detach(dev[n], pasid);
		break;
	case 3:
		if (dev[n])
			uiommu_iommufd_msi_map(dev[n], RIG_DOORBELL + (pt % 4) * PAGE, &iova);
		break;
	default:
		if (dev[n])
			uiommu_iommufd_attach(dev[n], pasid, &pt);
	}
}

static void invariant_14_any_ioctl(void **state)
{
	uint64_t seed = rig_seed("invariant_14_any_ioctl", 0x6a5), left;
	struct rig *r = rig_create_with(&(struct rig_options){ .group = true, .nesting = true,
							       .cmdqv = true });
	struct uiommu_iommufd *ctx = rig_iommufd(r);
	struct uiommu_iommufd_dev *dev[RIG_DEVS] = { 0 };
	unsigned ok = 0;

	for (left = rounds(30000); left; left--) {
		uint32_t nr = 0x3b80 + rig_random(&seed) % 0x17;
		uint8_t buf[64];

		if (rig_random(&seed) % 4 == 0) {
			device_call(r, dev, ctx, &seed);
			continue;
		}
		if (rig_random(&seed) % 3 == 0)
			nr = UIOMMU_ABI_IOMMU_IOAS_ALLOC;
		if (rig_random(&seed) % 8 == 0)
			nr = 0x3b64 + rig_random(&seed) % 18;	/* the container's */
		fill(&seed, buf, sizeof(buf));
		ok += rig_ioctl(r, ctx, nr, buf, sizeof(buf)) == 0;
		if (left % 64 == 0)
			rig_read64(r, left / 64 % RIG_DEVS, -1, interesting(&seed));
	}
	print_message("# %u calls succeeded\n", ok);
	assert_true(rounds(30000) < 1000 || ok > 100);
	uiommu_iommufd_put(ctx);
	for (unsigned i = 0; i < RIG_DEVS; i++)
		if (dev[i])
			uiommu_iommufd_unbind(dev[i]);
	rig_destroy(r);
}

/* ---- oracle ---- */

#define SPACES	3
#define SLOTS	24			/* pages of IOVA per space, from BASE */
#define BASE	0x100000ull

struct model {
	struct rig *r;
	struct uiommu_iommufd *ctx;
	struct uiommu_iommufd_dev *dev[2];
	uint32_t id[2], ioas[SPACES], hwpt[SPACES];
	/* which of the program's pages; which mapping it came with; -1: nothing */
	int page[SPACES][SLOTS], area[SPACES][SLOTS], next_area;
	int at[2][3];			/* (device, PASID 0..2) -> space, -1 */
};

static void do_map(struct model *m, uint64_t *seed)
{
	unsigned s = rig_random(seed) % SPACES, slot = rig_random(seed) % SLOTS;
	unsigned n = 1 + rig_random(seed) % 4, page = rig_random(seed) % (RIG_PAGES - 8);
	uint64_t iova = BASE + slot * PAGE;
	bool free_ = true;
	int ret;

	if (slot + n > SLOTS)
		return;
	for (unsigned i = 0; i < n; i++)
		free_ = free_ && m->page[s][slot + i] < 0;
	ret = rig_try_map(m->r, m->ctx, m->ioas[s], RIG_VA + page * PAGE, n * PAGE, &iova,
			  FIXED | RW);
	assert_int_equal(ret, free_ ? 0 : -UIOMMU_EEXIST);
	for (unsigned i = 0; i < n && free_; i++) {
		m->page[s][slot + i] = (int)(page + i);
		m->area[s][slot + i] = m->next_area;
	}
	m->next_area++;
}

static void do_unmap(struct model *m, uint64_t *seed)
{
	unsigned s = rig_random(seed) % SPACES, slot = rig_random(seed) % SLOTS;
	unsigned n = 1 + rig_random(seed) % 8, end = slot + n < SLOTS ? slot + n : SLOTS;
	bool splits, any = false;
	int ret;

	splits = (slot && m->area[s][slot] >= 0 && m->area[s][slot - 1] == m->area[s][slot]) ||
		 (end < SLOTS && m->area[s][end] >= 0 && m->area[s][end - 1] == m->area[s][end]);
	for (unsigned i = slot; i < end; i++)
		any = any || m->area[s][i] >= 0;
	ret = rig_unmap(m->r, m->ctx, m->ioas[s], BASE + slot * PAGE, (end - slot) * PAGE, NULL);
	assert_int_equal(ret, splits || !any ? -UIOMMU_ENOENT : 0);
	for (unsigned i = slot; i < end && !ret; i++)
		m->page[s][i] = m->area[s][i] = -1;
}

static void do_copy(struct model *m, uint64_t *seed)
{
	unsigned s = rig_random(seed) % SPACES, d = rig_random(seed) % SPACES;
	unsigned from = rig_random(seed) % (SLOTS - 4), to = rig_random(seed) % (SLOTS - 4);
	unsigned n = 1 + rig_random(seed) % 4;
	struct uiommu_abi_iommu_ioas_copy cmd = {
		.size = sizeof(cmd), .flags = FIXED | RW, .dst_ioas_id = m->ioas[d],
		.src_ioas_id = m->ioas[s], .length = n * PAGE, .dst_iova = BASE + to * PAGE,
		.src_iova = BASE + from * PAGE,
	};
	int want = 0;

	for (unsigned i = 0; i < n; i++)
		if (m->page[d][to + i] >= 0)
			want = -UIOMMU_EEXIST;
	for (unsigned i = 0; i < n; i++)
		if (m->page[s][from + i] < 0)
			want = -UIOMMU_ENOENT;
	assert_int_equal(rig_ioctl(m->r, m->ctx, UIOMMU_ABI_IOMMU_IOAS_COPY, &cmd, sizeof(cmd)),
			 want);
	for (unsigned i = 0; i < n && !want; i++) {
		bool new_area = !i || m->area[s][from + i] != m->area[s][from + i - 1];

		m->page[d][to + i] = m->page[s][from + i];
		m->next_area += new_area;
		m->area[d][to + i] = m->next_area;
	}
	m->next_area++;
}

static void do_attach(struct model *m, uint64_t *seed)
{
	unsigned dev = rig_random(seed) % 2, pasid = rig_random(seed) % 3;
	unsigned s = rig_random(seed) % SPACES;
	uint32_t pt = m->hwpt[s];

	if (rig_random(seed) % 3 == 0) {
		uiommu_iommufd_detach(m->dev[dev], pasid);
		m->at[dev][pasid] = -1;
		return;
	}
	assert_int_equal(uiommu_iommufd_attach(m->dev[dev], pasid, &pt), 0);
	m->at[dev][pasid] = (int)s;
}

static void check(struct model *m, uint64_t *seed)
{
	unsigned dev = rig_random(seed) % 2, pasid = rig_random(seed) % 3;
	unsigned slot = rig_random(seed) % SLOTS;
	int s = m->at[dev][pasid], page = s < 0 ? -1 : m->page[s][slot];

	assert_int_equal(rig_read64(m->r, dev, pasid ? (int)pasid : -1, BASE + slot * PAGE),
			 page < 0 ? 0 : 0x5000 + page);
}

static void model_init(struct model *m)
{
	memset(m, 0xff, sizeof(*m));
	m->r = rig_create(false, false);
	m->ctx = rig_iommufd(m->r);
	m->next_area = 0;
	for (unsigned i = 0; i < RIG_PAGES - 1; i++)
		*(uint64_t *)rig_ptr(m->r, RIG_VA + i * PAGE) = 0x5000 + i;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(uiommu_iommufd_bind(m->ctx, m->r->fns[i].dev, &m->dev[i],
						     &m->id[i]), 0);
	for (unsigned s = 0; s < SPACES; s++) {
		m->ioas[s] = rig_ioas(m->r, m->ctx);
		assert_int_equal(rig_hwpt_alloc(m->r, m->ctx, m->id[0], m->ioas[s],
						UIOMMU_ABI_IOMMU_HWPT_ALLOC_PASID, &m->hwpt[s]), 0);
	}
}

static void oracle(void **state)
{
	static void (*const what[])(struct model *m, uint64_t *seed) = {
		do_map, do_map, do_unmap, do_unmap, do_copy, do_attach
	};
	uint64_t seed = rig_seed("oracle", 0x04ac1e);
	struct model m;

	model_init(&m);
	for (unsigned left = rounds(8000); left; left--) {
		what[rig_random(&seed) % (sizeof(what) / sizeof(what[0]))](&m, &seed);
		for (unsigned i = 0; i < 3; i++)
			check(&m, &seed);
	}
	for (unsigned i = 0; i < 2; i++)
		uiommu_iommufd_unbind(m.dev[i]);
	uiommu_iommufd_put(m.ctx);
	rig_destroy(m.r);
}

/* ---- automatic addresses ---- */

#define AUTO_PAGES	4096u

/* First fit, as aligned as the memory and the length are: by looking at each page. */
static unsigned first_fit(const uint8_t *taken, unsigned n, unsigned align)
{
	for (unsigned at = align; at + n <= AUTO_PAGES; at += align) {
		unsigned i = 0;

		while (i < n && !taken[at + i])
			i++;
		if (i == n)
			return at;
	}
	return 0;
}

static void auto_unmap(struct model *m, uint8_t *taken, uint64_t *seed)
{
	unsigned at = rig_random(seed) % AUTO_PAGES, n;

	/* the number at each page is how far its mapping's start is, plus one */
	if (!taken[at])
		return;
	at -= taken[at] - 1u;
	for (n = 1; at + n < AUTO_PAGES && taken[at + n] == n + 1; n++)
		;
	assert_int_equal(rig_unmap(m->r, m->ctx, m->ioas[0], at * PAGE, n * PAGE, NULL), 0);
	memset(taken + at, 0, n);
}

static void auto_map(struct model *m, uint8_t *taken, uint64_t *seed)
{
	unsigned n = 1 + rig_random(seed) % 9, page = rig_random(seed) % 32, pow2 = 1, want;
	unsigned va_align = page ? page & -page : 32;
	uint64_t iova = 0;

	while (pow2 < n)
		pow2 *= 2;
	want = first_fit(taken, n, pow2 < va_align ? pow2 : va_align);
	if (!want)
		return;
	assert_int_equal(rig_try_map(m->r, m->ctx, m->ioas[0], RIG_VA + page * PAGE, n * PAGE,
				     &iova, RW), 0);
	assert_int_equal(iova / PAGE, want);
	for (unsigned i = 0; i < n; i++)
		taken[want + i] = (uint8_t)(i + 1);
}

static void chosen_by_first_fit(void **state)
{
	uint64_t seed = rig_seed("chosen_by_first_fit", 0xf17);
	uint8_t taken[AUTO_PAGES] = { 0 };
	/* page 0 is never chosen: first_fit() starts behind it */
	struct model m;

	model_init(&m);
	for (unsigned left = rounds(6000); left; left--) {
		if (rig_random(&seed) % 5 < 3)
			auto_map(&m, taken, &seed);
		else
			auto_unmap(&m, taken, &seed);
	}
	for (unsigned i = 0; i < 2; i++)
		uiommu_iommufd_unbind(m.dev[i]);
	uiommu_iommufd_put(m.ctx);
	rig_destroy(m.r);
}

/* ---- queues in any hands ---- */

#define SLICES	(RIG_VINTFS - 1)

struct hands {
	struct env *e;
	struct slice {
		uint32_t id, q[RIG_QUEUES];	/* 0: there is none */
		unsigned num, maps;		/* queues, mappings */
		struct uiommu_abi_iommu_viommu_tegra241_cmdqv data;
		struct uiommu_iommufd_region *reg;
	} v[SLICES + 1];
	unsigned made, used, queues;
};

static void any_slice(struct hands *h, struct slice *s)
{
	struct env *e = h->e;
	int ret;

	if (s->id) {
		ret = rig_destroy_obj(e->r, e->ctx, s->id);
		assert_int_equal(ret, s->num || s->maps ? -UIOMMU_EBUSY : 0);
		if (ret)
			return;
		s->id = 0;
		h->used--;
		assert_int_equal(uiommu_iommufd_mmap(e->ctx, s->data.out_vintf_mmap_offset,
						     s->data.out_vintf_mmap_length, &s->reg),
				 -UIOMMU_ENXIO);
		return;
	}
	ret = viommu_cmdqv(e, e->id[0], e->parent, &s->id, &s->data);
	assert_int_equal(ret, h->used == SLICES ? -UIOMMU_ENOSPC : 0);
	if (ret)
		s->id = 0;
	else
		h->used++;
}

static int expected(const struct slice *s, const struct uiommu_abi_iommu_hw_queue_alloc *c)
{
	if (c->index >= RIG_QUEUES)
		return -UIOMMU_EINVAL;
	if (c->index != s->num)
		return c->index < s->num ? -UIOMMU_EEXIST : -UIOMMU_EIO;
	if (c->length < 32 || c->nesting_parent_iova & (c->length - 1))
		return -UIOMMU_EINVAL;
	return 0;
}

static void any_queue(struct hands *h, struct slice *s, uint64_t *seed)
{
	struct env *e = h->e;
	struct uiommu_abi_iommu_hw_queue_alloc c = { .size = sizeof(c), .viommu_id = s->id,
		.type = 1, .index = rig_random(seed) % (RIG_QUEUES + 1),
		.nesting_parent_iova = RAM + rig_random(seed) % 512 * 0x800,
		.length = 16ull << rig_random(seed) % 14 };
	unsigned i = rig_random(seed) % RIG_QUEUES;
	int ret;

	if (!s->id)
		return;
	if (rig_random(seed) % 2) {
		ret = CALL(e, IOMMU_HW_QUEUE_ALLOC, c);
		assert_int_equal(ret, expected(s, &c));
		if (ret)
			return;
		s->q[s->num++] = c.out_hw_queue_id;
		h->queues++;
		h->made++;
	} else if (i < s->num) {
		ret = rig_destroy_obj(e->r, e->ctx, s->q[i]);
		assert_int_equal(ret, i == s->num - 1 ? 0 : -UIOMMU_EBUSY);
		if (ret)
			return;
		s->num--;
		h->queues--;
	}
}

static void any_mapping(struct hands *h, struct slice *s, uint64_t *seed)
{
	if (s->id && rig_random(seed) % 2) {
		assert_int_equal(uiommu_iommufd_mmap(h->e->ctx, s->data.out_vintf_mmap_offset,
						     s->data.out_vintf_mmap_length, &s->reg), 0);
		s->maps++;
	} else if (s->maps) {
		uiommu_iommufd_munmap(s->reg);
		s->maps--;
	}
}

/* Anything into the queue's memory, anything into the page. */
static void any_access(struct hands *h, struct slice *s, uint64_t *seed)
{
	const uint64_t off = rig_random(seed) % 8 ? rig_random(seed) % 64 * 4 : interesting(seed);
	const unsigned size = rig_random(seed) % 8 ? 4 : 1u << rig_random(seed) % 5;
	uint64_t *word = rig_ptr(h->e->r, RIG_VA + rig_random(seed) % 0x20000 * 8);

	*word = rig_random(seed) % 2 ? 0x10 + rig_random(seed) % 0x40 : rig_random(seed);
	if (!s->maps)
		return;
	uiommu_iommufd_store(s->reg, off, rig_random(seed) % 64, size);
	uiommu_iommufd_load(s->reg, off, size);
	uiommu_smmuv3_poll(h->e->r->iommu);
}

static void any_unmap(struct hands *h)
{
	struct env *e = h->e;
	int ret = rig_unmap(e->r, e->ctx, e->ioas, 0, UINT64_MAX, NULL);

	assert_int_equal(ret, h->queues ? -UIOMMU_EBUSY : 0);
	if (!ret)
		rig_map(e->r, e->ctx, e->ioas, RIG_VA, RAM_PAGES * PAGE, RAM);
}

static void invariant_14_queues_in_any_hands(void **state)
{
	uint64_t seed = rig_seed("invariant_14_queues_in_any_hands", 0x9e), left;
	struct hands h = { 0 };

	vm_setup((void **)&h.e, &(struct rig_options){ .nesting = true, .cmdqv = true });
	for (left = rounds(20000); left; left--) {
		struct slice *s = &h.v[rig_random(&seed) % (SLICES + 1)];

		switch (rig_random(&seed) % 16) {
		case 0:
			any_slice(&h, s);
			break;
		case 1:
			any_queue(&h, s, &seed);
			break;
		case 2:
			any_mapping(&h, s, &seed);
			break;
		case 3:
			if (rig_random(&seed) % 16 == 0)
				any_unmap(&h);
			break;
		default:
			any_access(&h, s, &seed);
		}
	}
	assert_true(rounds(20000) < 1000 || h.made > 50);
	for (unsigned i = 0; i <= SLICES; i++)
		while (h.v[i].maps--)
			uiommu_iommufd_munmap(h.v[i].reg);
	teardown((void **)&h.e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invariant_14_any_ioctl),
		cmocka_unit_test(invariant_14_queues_in_any_hands),
		cmocka_unit_test(oracle),
		cmocka_unit_test(chosen_by_first_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
