/* SPDX-License-Identifier: MIT */
/*
 * tests/core/fake.h - a driver that records what the core makes it do, and
 * checks the order of things: a link is in its domain's list before hardware
 * has it, and goes only when hardware has not.
 */
#ifndef TESTS_CORE_FAKE_H
#define TESTS_CORE_FAKE_H

#include "thost.h"

#include <uiommu/driver.h>

#define FAKE_DEVS	8
#define FAKE_PASIDS	16
#define RW		(UIOMMU_PROT_READ | UIOMMU_PROT_WRITE)
#define PAGE		4096u

struct fake_dev {
	struct uiommu_dev *dev;
	const struct uiommu_link *hw[FAKE_PASIDS];	/* what "hardware" has */
	bool blocked;					/* and does not use */
};

struct fake {
	struct uiommu_iommu iommu;
	struct thost *t;
	struct fake_dev devs[FAKE_DEVS];
	uint32_t next_tag, max_tag;
	unsigned live_tags;
	unsigned commits, fail_commit, fail_commits;	/* from that one, that many */
	int check_result;				/* of domain_check() */
	unsigned invalidations;
	struct uiommu_gather last;
	uint32_t tag_mask;				/* tags that were invalidated */
	struct uiommu_page_request asked[8];		/* recorded, not reported yet */
	unsigned num_asked;
	uint8_t *answers;				/* by grpid: how often answered */
	struct uiommu_page_request answered;		/* the last one */
	enum uiommu_page_response code;
	unsigned num_answers, num_drains;
	bool mute;					/* takes no answer */
	void (*on_invalidate)(struct fake *f, const struct uiommu_link *link);
	void (*on_commit)(struct fake *f);
	void *test;
};

static inline struct fake *to_fake(const struct uiommu_iommu *i)
{
	return uiommu_container_of(i, struct fake, iommu);
}

static inline int fake_device_add(struct uiommu_dev *dev)
{
	struct fake *f = to_fake(dev->iommu);

	for (unsigned i = 0; i < FAKE_DEVS; i++) {
		struct fake_dev *d = &f->devs[i];

		if (d->dev)
			continue;
		if (dev->streams[0].id > 0xffff)
			return -UIOMMU_ERANGE;
		dev->drv = f->t->host.alloc(f->t, 32);
		if (!dev->drv)
			return -UIOMMU_ENOMEM;
		memset(d, 0, sizeof(*d));
		d->dev = dev;
		for (unsigned p = 0; p < FAKE_PASIDS; p++)
			d->hw[p] = &f->iommu.blocked;
		return 0;
	}
	return -UIOMMU_ERANGE;
}

static inline struct fake_dev *fake_find(const struct uiommu_dev *dev)
{
	struct fake *f = to_fake(dev->iommu);

	for (unsigned i = 0; i < FAKE_DEVS; i++)
		if (f->devs[i].dev == dev)
			return &f->devs[i];
	fail_msg("a device that was not added");
	return NULL;
}

static inline void fake_device_remove(struct uiommu_dev *dev)
{
	struct fake *f = to_fake(dev->iommu);
	struct fake_dev *d = fake_find(dev);

	for (unsigned p = 1; p < FAKE_PASIDS && !dev->shared; p++)
		assert_ptr_equal(d->hw[p], &f->iommu.blocked);
	d->dev = NULL;
	f->t->host.free(f->t, dev->drv, 32);
}

static inline int fake_domain_init(struct uiommu_domain *dom, struct uiommu_dev *dev,
				   unsigned flags)
{
	const struct uiommu_pt_config cfg = { .ias_lg2 = 48, .oas_lg2 = 48 };

	return uiommu_pt_arm_s1_4k_ops.init(&dom->pt, dev->host, &cfg);
}

static inline int fake_domain_check(const struct uiommu_domain *dom, struct uiommu_dev *dev,
				    uiommu_pasid_t pasid)
{
	return to_fake(dev->iommu)->check_result;
}

static inline bool fake_listed(const struct uiommu_link *link)
{
	for (struct uiommu_node *n = link->dom->links.first; n; n = n->next)
		if (n == &link->node)
			return true;
	return false;
}

static inline int fake_link_init(struct uiommu_link *link)
{
	struct fake *f = to_fake(link->iommu);

	if (f->live_tags == f->max_tag)
		return -UIOMMU_ENOSPC;
	f->live_tags++;
	link->tag = ++f->next_tag;
	return 0;
}

static inline void fake_link_fini(struct uiommu_link *link)
{
	struct fake *f = to_fake(link->iommu);

	assert_true(fake_listed(link));		/* unmap still reaches it */
	for (unsigned i = 0; i < FAKE_DEVS; i++)
		for (unsigned p = 0; f->devs[i].dev && p < FAKE_PASIDS; p++)
			assert_ptr_not_equal(f->devs[i].hw[p], link);
	f->live_tags--;
}

static inline int fake_prepare(struct uiommu_dev *dev, uiommu_pasid_t pasid,
			       const struct uiommu_link *now)
{
	void *p = thost_table_alloc(to_fake(dev->iommu)->t, 64);

	if (!p)
		return -UIOMMU_ENOMEM;
	thost_table_free(to_fake(dev->iommu)->t, p, 64);
	return 0;
}

static inline int fake_commit(struct uiommu_dev *dev, uiommu_pasid_t pasid,
			      const struct uiommu_link *old, const struct uiommu_link *now)
{
	struct fake *f = to_fake(dev->iommu);
	unsigned n = ++f->commits;

	assert_true(pasid < FAKE_PASIDS);
	assert_true(fake_listed(now));
	if (f->on_commit)
		f->on_commit(f);
	if (f->fail_commit && n >= f->fail_commit && n < f->fail_commit + f->fail_commits) {
		/* even so BLOCKED is what gets into memory */
		if (now == &f->iommu.blocked)
			fake_find(dev)->hw[pasid] = now;
		return -UIOMMU_ETIMEDOUT;
	}
	fake_find(dev)->hw[pasid] = now;
	return 0;
}

static inline int fake_block(struct uiommu_dev *dev, bool on)
{
	struct fake *f = to_fake(dev->iommu);
	unsigned n = ++f->commits;

	fake_find(dev)->blocked = on;
	return f->fail_commit && n >= f->fail_commit && n < f->fail_commit + f->fail_commits
		? -UIOMMU_ETIMEDOUT : 0;
}

static inline void fake_invalidate(const struct uiommu_link *link, const struct uiommu_gather *g)
{
	struct fake *f = to_fake(link->iommu);

	assert_true(f->t->readers > 0);
	f->invalidations++;
	f->tag_mask |= 1u << link->tag % 32;
	f->last = *g;
	if (f->on_invalidate)
		f->on_invalidate(f, link);
}

static inline int fake_page_response(struct uiommu_iommu *iommu,
				     const struct uiommu_page_request *r,
				     enum uiommu_page_response code)
{
	struct fake *f = to_fake(iommu);

	if (f->mute)
		return -UIOMMU_EIO;
	if (f->answers) {
		__atomic_fetch_add(&f->answers[r->grpid], 1, __ATOMIC_RELAXED);
		return 0;
	}
	f->num_answers++;
	f->answered = *r;
	f->code = code;
	return 0;
}

static inline void fake_drain_faults(struct uiommu_iommu *iommu)
{
	struct fake *f = to_fake(iommu);

	f->num_drains++;
	for (unsigned i = 0; i < f->num_asked; i++)
		uiommu_page_request_report(iommu, &f->asked[i]);
	f->num_asked = 0;
}

static inline int fake_recover(struct uiommu_iommu *iommu)
{
	to_fake(iommu)->mute = false;
	return 0;
}

static inline int fake_hw_info(const struct uiommu_dev *dev, unsigned type,
			       struct uiommu_hw_info *out)
{
	if (type && type != 77)
		return -UIOMMU_EOPNOTSUPP;
	out->type = 77;
	return 0;
}

static inline void fake_remove(struct uiommu_iommu *iommu)
{
	uiommu_iommu_unregister(iommu);
}

static const struct uiommu_iommu_ops fake_ops = {
	.name = "fake",
	.device_add = fake_device_add,
	.device_remove = fake_device_remove,
	.domain_init = fake_domain_init,
	.domain_check = fake_domain_check,
	.link_init = fake_link_init,
	.link_fini = fake_link_fini,
	.attach_prepare = fake_prepare,
	.attach_commit = fake_commit,
	.block = fake_block,
	.invalidate = fake_invalidate,
	.page_response = fake_page_response,
	.drain_faults = fake_drain_faults,
	.recover = fake_recover,
	.hw_info = fake_hw_info,
	.remove = fake_remove,
};

static inline void fake_init(struct fake *f, struct thost *t, struct uiommu *u, unsigned caps)
{
	memset(f, 0, sizeof(*f));
	f->t = t;
	f->max_tag = 1000;
	f->iommu.ops = &fake_ops;
	f->iommu.pasid_bits = 4;
	f->iommu.caps = caps;
	snprintf(f->iommu.name, sizeof(f->iommu.name), "fake");
	host_counter(&f->next_tag, sizeof(f->next_tag));
	host_counter(&f->commits, sizeof(f->commits));
	host_counter(&f->invalidations, sizeof(f->invalidations));
	assert_int_equal(uiommu_iommu_register(u, &f->iommu), 0);
}

/* ---- an instance with two of them ---- */

struct world {
	struct thost t;
	struct uiommu *u;
	struct fake a, b;
	unsigned changes;			/* attach_changed calls */
	struct uiommu_domain *was, *is;		/* of the last one */
};

static inline void world_changed(void *ctx, struct uiommu_dev *dev, uiommu_pasid_t pasid,
				 struct uiommu_domain *old, struct uiommu_domain *now)
{
	struct world *w = ctx;

	w->changes++;
	w->was = old;
	w->is = now;
}

static inline int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	const struct uiommu_observer obs = { .ctx = w, .attach_changed = world_changed };

	thost_init(&w->t, false);
	assert_int_equal(uiommu_create(&w->t.host, &obs, &w->u), 0);
	fake_init(&w->a, &w->t, w->u, 0);
	fake_init(&w->b, &w->t, w->u, UIOMMU_IOMMU_PASID_IDENTITY);
	*state = w;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;

	uiommu_destroy(w->u);
	thost_fini(&w->t);
	free(w);
	return 0;
}

static inline int world_try_add(struct fake *f, const char *name, uint32_t sid, int group,
				enum uiommu_domain_type type, struct uiommu_dev **out)
{
	const struct uiommu_dev_config cfg = {
		.name = name, .iommu = &f->iommu, .rid = sid, .stream_ids = &sid,
		.num_stream_ids = 1, .pasid_bits = 8, .group = group, .default_type = type,
	};

	return uiommu_device_add(f->iommu.u, &cfg, out);
}

static inline struct uiommu_dev *world_add(struct fake *f, const char *name, uint32_t sid)
{
	struct uiommu_dev *dev = NULL;

	assert_int_equal(world_try_add(f, name, sid, -1, UIOMMU_DOMAIN_IDENTITY, &dev), 0);
	return dev;
}

static inline struct uiommu_domain *world_domain(struct uiommu_dev *dev)
{
	struct uiommu_domain *dom = NULL;

	assert_int_equal(uiommu_domain_alloc_paging(dev, 0, &dom), 0);
	return dom;
}

/* ---- everything that can be known, as text to compare ---- */

struct picture {
	char s[8192];
	size_t n;
};

static inline int picture_attach(void *ctx, const struct uiommu_attach_status *st)
{
	struct picture *p = ctx;

	p->n += (size_t)snprintf(p->s + p->n, sizeof(p->s) - p->n, " %s+%u->%p/%u",
				 uiommu_device_name(st->dev), st->pasid, (void *)st->dom, st->tag);
	return 0;
}

static inline int picture_device(void *ctx, struct uiommu_dev *dev)
{
	struct picture *p = ctx;
	struct fake_dev *d = fake_find(dev);

	p->n += (size_t)snprintf(p->s + p->n, sizeof(p->s) - p->n, "\n%s num %u claims %u hw",
				 uiommu_device_name(dev), dev->num_pasids, dev->claims);
	for (unsigned i = 0; i < FAKE_PASIDS; i++)
		p->n += (size_t)snprintf(p->s + p->n, sizeof(p->s) - p->n, " %p",
					 (void *)d->hw[i]->dom);
	return uiommu_device_for_each_attach(dev, picture_attach, p);
}

static inline int picture_domain(void *ctx, struct uiommu_domain *dom)
{
	struct picture *p = ctx;

	p->n += (size_t)snprintf(p->s + p->n, sizeof(p->s) - p->n, "\n%p:", (void *)dom);
	return uiommu_domain_for_each_attach(dom, picture_attach, p);
}

static inline void picture_take(struct picture *p, struct uiommu *u)
{
	memset(p, 0, sizeof(*p));
	uiommu_for_each_device(u, picture_device, p);
	uiommu_for_each_domain(u, picture_domain, p);
}

/* what (dev, pasid) has, by the core and by hardware, which must agree */
static inline int has_one(void *ctx, const struct uiommu_attach_status *st)
{
	const struct uiommu_attach_status *want = ctx;

	return st->pasid == want->pasid ? (((struct uiommu_attach_status *)ctx)->dom = st->dom, 1)
					: 0;
}

static inline struct uiommu_domain *world_has(struct uiommu_dev *dev, uiommu_pasid_t pasid)
{
	struct uiommu_attach_status st = { .pasid = pasid };
	struct uiommu_domain *hw = fake_find(dev)->hw[pasid]->dom;

	uiommu_device_for_each_attach(dev, has_one, &st);
	if (st.dom)
		assert_ptr_equal(hw, st.dom);
	else
		assert_int_equal(hw->type, UIOMMU_DOMAIN_BLOCKED);
	return st.dom;
}

#endif
