/* SPDX-License-Identifier: MIT */
/* A guest's stage 1 on our stage 2: what it may say, and what is kept of it. */
#include "guest.h"

#include "../rng.h"

/* ---- two VMs, two devices ---- */

struct rig {
	struct bench b;
	struct uiommu_dev *d1, *d2;
	struct guest g1, g2;
};

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct uiommu_sim_smmuv3_config cfg;

	uiommu_sim_smmuv3_config_init(&cfg);
	cfg.stage2 = true;
	bench_init(&r->b, &cfg, &bench_smmu, false);
	r->d1 = bench_add(&r->b, "d1", 0x100, 8);
	r->d2 = bench_add(&r->b, "d2", 0x200, 8);
	guest_init(&r->g1, &r->b, r->d1, 1);
	guest_init(&r->g2, &r->b, r->d1, 2);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	guest_fini(&r->g1);
	guest_fini(&r->g2);
	bench_fini(&r->b);
	free(r);
	return 0;
}

static struct uiommu_domain *put(struct guest *g, struct uiommu_dev *dev, uint64_t vsid)
{
	struct uiommu_domain *dom = nested(g, dev);

	own(g, dev, vsid);
	assert_int_equal(uiommu_attach_device(dom, dev), 0);
	return dom;
}

static const uint64_t *ste_of(struct rig *r, struct uiommu_dev *dev)
{
	return uiommu_smmuv3_strtab_entry(to_smmu(r->b.iommu), dev->streams[0].id);
}

static void both_stages_translate(void **state)
{
	struct rig *r = *state;
	const uint64_t *ste;

	put(&r->g1, r->d1, 0x11);
	bench_sees(&r->b, r->d1, 0, VA, 100);
	bench_sees(&r->b, r->d1, 1, VA, 101);		/* its PASIDs are its CD table's */
	bench_sees(&r->b, r->d1, 2, VA, 0);
	bench_sees(&r->b, r->d1, 0, SECRET(1), 0);	/* an IPA is no address of its process */
	assert_int_equal(bench_poke(&r->b, r->d1, 1, VA, 555), 0);
	bench_sees(&r->b, r->d1, 1, VA, 555);
	ste = ste_of(r, r->d1);
	assert_int_equal(FGET(STE_Config, ste[0]), STE_Config_S1_S2);
	assert_int_equal(FGET(STE_MEV, ste[1]), 1);
	assert_int_equal(FGET(STE_S2VMID, ste[2]), r->g1.v->link->tag);
}

/* Stage 1 off is the guest's memory as it is; an STE that is not valid is nothing. */
static void a_guests_bypass_and_abort(void **state)
{
	struct rig *r = *state;
	const uint64_t bypass[2] = { CFG(STE_Config_BYPASS), 0 }, off[2] = { ~1ull, ~0ull };
	const uint64_t abort[2] = { CFG(STE_Config_ABORT), 0 };
	struct uiommu_domain *dom;

	assert_int_equal(try_nested(&r->g1, r->d1, bypass, &dom), 0);
	assert_int_equal(uiommu_attach_device(dom, r->d1), 0);	/* no vdevice is needed */
	bench_sees(&r->b, r->d1, 0, SECRET(1), 1);
	bench_sees(&r->b, r->d1, 0, IPA(2), 0);
	assert_int_equal(try_nested(&r->g1, r->d1, off, &dom), 0);
	assert_int_equal(uiommu_replace_device_pasid(dom, r->d1, 0), 0);
	bench_sees(&r->b, r->d1, 0, SECRET(1), 0);
	assert_int_equal(try_nested(&r->g1, r->d1, abort, &dom), 0);
	assert_int_equal(uiommu_replace_device_pasid(dom, r->d1, 0), 0);
	bench_sees(&r->b, r->d1, 0, SECRET(1), 0);
}

/* Every bit of the two words that is not the guest's, and every value of those that are. */
static void invariant_06_an_ste_says_only_what_it_may(void **state)
{
	struct rig *r = *state;
	const uint64_t may[2] = {
		FMASK(STE_V) | FMASK(STE_Config) | FMASK(STE_S1Fmt) | FMASK(STE_S1ContextPtr) |
			FMASK(STE_S1CDMax),
		FMASK(STE_S1DSS) | FMASK(STE_S1CIR) | FMASK(STE_S1COR) | FMASK(STE_S1CSH) |
			FMASK(STE_S1STALLD) | FMASK(STE_EATS),
	};
	struct uiommu_domain *dom;
	uint64_t ste[2];

	for (unsigned bit = 0; bit < 128; bit++) {
		guest_ste(&r->g1, ste);
		ste[bit / 64] |= 1ull << bit % 64;
		if (!(may[bit / 64] >> bit % 64 & 1))
			assert_int_equal(try_nested(&r->g1, r->d1, ste, &dom), -UIOMMU_EIO);
	}
	for (unsigned config = 0; config < 8; config++) {
		bool ok = config == STE_Config_ABORT || config == STE_Config_BYPASS ||
			  config == STE_Config_S1;

		guest_ste(&r->g1, ste);
		ste[0] = (uint64_t)FSET(STE_Config, ste[0], config);
		assert_int_equal(try_nested(&r->g1, r->d1, ste, &dom), ok ? 0 : -UIOMMU_EIO);
	}
	for (unsigned eats = 0; eats < 4; eats++) {
		guest_ste(&r->g1, ste);
		ste[1] |= FPREP(STE_EATS, eats);
		assert_int_equal(try_nested(&r->g1, r->d1, ste, &dom),
				 eats <= STE_EATS_TRANS ? 0 : -UIOMMU_EIO);
	}
}

static void who_may_have_it(void **state)
{
	struct rig *r = *state;
	struct uiommu_domain *dom = nested(&r->g1, r->d1), *s1 = bench_domain(r->d1), *bad;
	struct uiommu_viommu_config cfg = { .parent = s1, .dev = r->d1, .type = 1 };
	struct uiommu_viommu *v;
	uint64_t ste[2];
	struct uiommu_user_data user = { 2, ste, sizeof(ste) };

	guest_ste(&r->g1, ste);
	/* a table for a device that the VM does not know */
	assert_int_equal(uiommu_attach_device(dom, r->d1), -UIOMMU_ENOENT);
	own(&r->g2, r->d1, 5);
	assert_int_equal(uiommu_attach_device(dom, r->d1), -UIOMMU_ENOENT);
	uiommu_vdevice_free(uiommu_device_vdevice(r->d1));
	own(&r->g1, r->d1, 5);
	/* not beside PASIDs, not on one */
	assert_int_equal(uiommu_attach_device_pasid(s1, r->d1, 3), 0);
	assert_int_equal(uiommu_attach_device(dom, r->d1), -UIOMMU_EBUSY);
	uiommu_detach_device_pasid(r->d1, 3);
	assert_int_equal(uiommu_attach_device_pasid(dom, r->d1, 3), -UIOMMU_EOPNOTSUPP);
	assert_int_equal(uiommu_attach_device(dom, r->d1), 0);
	assert_int_equal(uiommu_attach_device_pasid(s1, r->d1, 3), -UIOMMU_EINVAL);
	/* parents, types, lengths */
	assert_int_equal(uiommu_domain_alloc_nested(s1, NULL, r->d1, &user, &bad), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_domain_alloc_nested(r->g2.parent, r->g1.v, r->d1, &user, &bad),
			 -UIOMMU_EINVAL);
	assert_int_equal(uiommu_viommu_alloc(&cfg, &v), -UIOMMU_EINVAL);
	cfg.parent = r->g1.parent;
	cfg.type = 2;
	assert_int_equal(uiommu_viommu_alloc(&cfg, &v), -UIOMMU_EOPNOTSUPP);
	user.bytes = 8;
	assert_int_equal(uiommu_domain_alloc_nested(r->g1.parent, r->g1.v, r->d1, &user, &bad),
			 -UIOMMU_EINVAL);
	user = (struct uiommu_user_data){ 1, ste, sizeof(ste) };
	assert_int_equal(uiommu_domain_alloc_nested(r->g1.parent, r->g1.v, r->d1, &user, &bad),
			 -UIOMMU_EOPNOTSUPP);
	assert_int_equal(uiommu_viommu_free(r->g1.v), -UIOMMU_EBUSY);
}

static void seed_s1_bind_on_the_rid_and_not_on_a_pasid(void **state)
{
	struct rig *r = *state;
	uint64_t ste[2];
	const struct uiommu_user_data user = { 2, ste, sizeof(ste) };

	guest_ste(&r->g1, ste);
	assert_int_equal(uiommu_bind_pgtable_pasid(r->g1.parent, r->d1, &user, 3),
			 -UIOMMU_EOPNOTSUPP);
	assert_true(thost_logged(&r->b.t, "stage 2 is per RID"));
	assert_int_equal(uiommu_attach_device(r->g1.parent, r->d1), 0);
	bench_sees(&r->b, r->d1, 0, SECRET(1), 1);
	assert_int_equal(uiommu_bind_pgtable(r->g1.parent, r->d1, &user), 0);
	bench_sees(&r->b, r->d1, 0, VA, 100);
	bench_sees(&r->b, r->d1, 0, SECRET(1), 0);
	uiommu_unbind_pgtable(r->g1.parent, r->d1);
	bench_sees(&r->b, r->d1, 0, VA, 0);
	bench_sees(&r->b, r->d1, 0, SECRET(1), 1);
}

/* ---- what a guest says ---- */

/* Address space @pasid of the guest gets another page, and does not say so. */
static void change(struct guest *g, unsigned pasid, uint64_t v)
{
	guest_unmap(g, pasid, VA);
	guest_map(g, pasid, VA, v);
}

static void each_invalidation_of_a_guest(void **state)
{
	struct rig *r = *state;
	struct guest *g = &r->g1;
	const uint64_t addr = VA & FMASK(CMD_TLBI_NH_VA_Address), leaf = 1;
	const struct { uint64_t w0, w1; } cmd[] = {
		{ OP(TLBI_NH_VA) | FPREP(CMD_TLBI_NH_VA_ASID, 7), addr | leaf },
		{ OP(TLBI_NH_VAA), addr | leaf },
		{ OP(TLBI_NH_ASID) | FPREP(CMD_TLBI_NH_ASID_ASID, 7), 0 },
		{ OP(TLBI_NH_ALL), 0 },
		{ OP(TLBI_NSNH_ALL), 0 },
		/* whatever VMID it names, it is its own that is meant */
		{ OP(TLBI_NH_ALL) | FPREP(CMD_TLBI_NH_ALL_VMID, 0xffff), 0 },
		{ OP(TLBI_NH_VA) | FPREP(CMD_TLBI_NH_VA_ASID, 7) | FPREP(CMD_TLBI_NH_VA_NUM, 3),
		  addr | leaf | FPREP(CMD_TLBI_NH_VA_TG, 1) | FPREP(CMD_TLBI_NH_VA_TTL, 3) },
		{ OP(TLBI_NH_VA) | FPREP(CMD_TLBI_NH_VA_ASID, 7),
		  addr | leaf | FPREP(CMD_TLBI_NH_VA_TG, 1) },
	};

	put(g, r->d1, 0x11);
	put(&r->g2, r->d2, 0x11);
	for (unsigned i = 0; i < sizeof(cmd) / sizeof(cmd[0]); i++) {
		uint64_t before, v;

		bench_peek(&r->b, r->d1, 0, VA, &before);
		bench_peek(&r->b, r->d2, 0, VA, &v);
		change(g, 0, 1000 + i);
		change(&r->g2, 0, 2000 + i);
		bench_sees(&r->b, r->d1, 0, VA, before);	/* hardware keeps what it has */
		assert_int_equal(say(g, cmd[i].w0, cmd[i].w1), 0);
		bench_sees(&r->b, r->d1, 0, VA, 1000 + i);
		bench_sees(&r->b, r->d2, 0, VA, v);		/* and the other VM's too */
		assert_int_equal(say(&r->g2, OP(TLBI_NH_ALL), 0), 0);
	}
}

static void a_guests_cd_is_invalidated_by_its_own_number(void **state)
{
	struct rig *r = *state;
	struct guest *g = &r->g1;

	put(g, r->d1, 0x11);
	put(g, r->d2, 0x100);		/* the other device's real number */
	for (unsigned i = 0; i < 2; i++) {
		bench_sees(&r->b, r->d1, 1, VA, 101);
		bench_sees(&r->b, r->d2, 1, VA, 101);
		memset(&g->cds[CD_WORDS], 0, CD_WORDS * 8);
		assert_int_equal(say(g, OP(TLBI_NH_ALL), 0), 0);
		bench_sees(&r->b, r->d1, 1, VA, 101);
		assert_int_equal(i ? say(g, OP(CFGI_CD_ALL) | VSID(0x11), 0)
				   : say(g, OP(CFGI_CD) | VSID(0x11) |
					 FPREP(CMD_CFGI_CD_SubstreamID, 1), 1), 0);
		assert_int_equal(say(g, OP(TLBI_NH_ALL), 0), 0);
		bench_sees(&r->b, r->d1, 1, VA, 0);
		bench_sees(&r->b, r->d2, 1, VA, 101);
		uiommu_smmuv3_cd(&g->cds[CD_WORDS], &g->pt[1], 8, true);
		assert_int_equal(say(g, OP(CFGI_CD_ALL) | VSID(0x11), 0), 0);
	}
	/* numbers that are none of its devices' */
	assert_int_equal(say(g, OP(CFGI_CD_ALL) | VSID(0x200), 0), -UIOMMU_EIO);
	assert_int_equal(say(&r->g2, OP(CFGI_CD_ALL) | VSID(0x11), 0), -UIOMMU_EIO);
	assert_int_equal(say(&r->g2, OP(ATC_INV) | VSID(0x11), 0), -UIOMMU_EIO);
}

/* CFGI_STE of a guest's: the words are the same, what they lead to is not. */
static void the_same_ste_leads_to_other_cds(void **state)
{
	struct rig *r = *state;
	struct guest *g = &r->g1;
	struct uiommu_domain *dom = put(g, r->d1, 0x11), *again = nested(g, r->d1);

	bench_sees(&r->b, r->d1, 1, VA, 101);
	memset(&g->cds[CD_WORDS], 0, CD_WORDS * 8);
	assert_int_equal(say(g, OP(TLBI_NH_ALL), 0), 0);
	bench_sees(&r->b, r->d1, 1, VA, 101);		/* by the CD that hardware has */
	assert_int_equal(uiommu_replace_device_pasid(again, r->d1, UIOMMU_NO_PASID), 0);
	assert_int_equal(say(g, OP(TLBI_NH_ALL), 0), 0);
	bench_sees(&r->b, r->d1, 1, VA, 0);
	bench_sees(&r->b, r->d1, 0, VA, 100);
	assert_int_equal(uiommu_domain_free(dom), 0);
}

static void what_a_guest_may_not_say(void **state)
{
	struct rig *r = *state;
	struct guest *g = &r->g1;
	uint64_t ok[2 * 130];
	struct uiommu_user_data inv = { 1, ok, sizeof(ok) };
	size_t handled;

	put(g, r->d1, 0x11);
	for (unsigned op = 0; op < 256; op++) {
		bool may = op == CMD_TLBI_NSNH_ALL || op == CMD_TLBI_NH_ALL ||
			   op == CMD_TLBI_NH_ASID || op == CMD_TLBI_NH_VA ||
			   op == CMD_TLBI_NH_VAA || op == CMD_ATC_INV || op == CMD_CFGI_CD ||
			   op == CMD_CFGI_CD_ALL;
		bool sid = op == CMD_ATC_INV || op == CMD_CFGI_CD || op == CMD_CFGI_CD_ALL;

		assert_int_equal(say(g, op | (sid ? VSID(0x11) : 0), 0), may ? 0 : -UIOMMU_EIO);
	}
	/* bits that the command has not, ranges that cannot be */
	assert_int_equal(say(g, OP(TLBI_NH_ALL) | 1ull << 63, 0), -UIOMMU_EIO);
	assert_int_equal(say(g, OP(TLBI_NH_ALL), 1), -UIOMMU_EIO);
	assert_int_equal(say(g, OP(CFGI_CD) | VSID(0x11) | FMASK(CMD_CFGI_CD_SSec), 0), -UIOMMU_EIO);
	assert_int_equal(say(g, OP(TLBI_NH_VA) | FPREP(CMD_TLBI_NH_VA_NUM, 1), 0), -UIOMMU_EIO);
	assert_int_equal(say(g, OP(TLBI_NH_VA), FMASK(CMD_TLBI_NH_VA_TTL128)), -UIOMMU_EIO);
	assert_int_equal(say(g, OP(ATC_INV) | VSID(0x11), FPREP(CMD_ATC_INV_Size, 53)), -UIOMMU_EIO);
	/* several batches, and how far they came */
	for (unsigned i = 0; i < 130; i++) {
		ok[2 * i] = OP(TLBI_NH_VAA);
		ok[2 * i + 1] = (uint64_t)i << 12;
	}
	assert_int_equal(uiommu_cache_invalidate(g->v, &inv, 130, &handled), 0);
	assert_int_equal(handled, 130);
	ok[2 * 101] = OP(SYNC);
	assert_int_equal(uiommu_cache_invalidate(g->v, &inv, 130, &handled), -UIOMMU_EIO);
	assert_int_equal(handled, 101);
	inv.type = 0;
	assert_int_equal(uiommu_cache_invalidate(g->v, &inv, 130, &handled), -UIOMMU_EINVAL);
	assert_int_equal(handled, 0);
}

static void invariant_09_an_unmap_of_the_parent_reaches_both_stages(void **state)
{
	struct rig *r = *state;

	put(&r->g1, r->d1, 0x11);
	put(&r->g2, r->d2, 0x11);
	bench_sees(&r->b, r->d1, 0, VA, 100);
	bench_sees(&r->b, r->d1, 1, VA, 101);
	bench_sees(&r->b, r->d2, 0, VA, 200);
	assert_int_equal(uiommu_unmap(r->g1.parent, IPA(1), VM_BYTES, NULL), 0);
	bench_sees(&r->b, r->d1, 0, VA, 0);
	bench_sees(&r->b, r->d1, 1, VA, 0);
	bench_sees(&r->b, r->d2, 0, VA, 200);
}

static void a_guest_is_told_under_its_own_number(void **state)
{
	struct rig *r = *state;
	struct guest *g = &r->g1;

	put(g, r->d1, 0x11);
	bench_sees(&r->b, r->d1, 1, VA + PAGE, 0);
	uiommu_smmuv3_poll(r->b.iommu);
	assert_int_equal(g->told, 1);
	assert_int_equal(FGET(EVT_Number, g->record[0]), EVT_F_TRANSLATION);
	assert_int_equal(FGET(EVT_StreamID, g->record[0]), 0x11);
	assert_int_equal(FGET(EVT_SubstreamID, g->record[0]), 1);
	assert_int_equal(g->record[EVT_F_TRANSLATION_InputAddr_WORD], VA + PAGE);
	assert_int_equal(r->b.nfaults, 0);
	bench_sees(&r->b, r->d1, 3, VA, 0);		/* no CD */
	uiommu_smmuv3_poll(r->b.iommu);
	assert_int_equal(g->told, 2);
	assert_int_equal(FGET(EVT_Number, g->record[0]), EVT_C_BAD_CD);
	/* stage 2 is not the guest's affair */
	assert_int_equal(g->pt[0].ops->map(&g->pt[0], VA + PAGE, 0x5000, PAGE, RW, NULL), 0);
	bench_sees(&r->b, r->d1, 0, VA + PAGE, 0);
	uiommu_smmuv3_poll(r->b.iommu);
	assert_int_equal(g->told, 2);
	assert_int_equal(r->b.nfaults, 1);
	assert_int_equal(r->g2.told, 0);
}

/* Host, VM, host, another VM, and the first again: each finds its own and nothing else. */
static void a_device_that_wanders(void **state)
{
	struct rig *r = *state;
	struct uiommu_domain *host = bench_domain(r->d1);
	uint64_t *page = bench_page(&r->b, 42);

	bench_map(&r->b, host, VA, page);
	for (unsigned i = 0; i < 3; i++) {
		struct guest *g = i == 1 ? &r->g2 : &r->g1;
		struct uiommu_domain *dom;

		assert_int_equal(uiommu_attach_device(host, r->d1), 0);
		bench_sees(&r->b, r->d1, 0, VA, 42);
		assert_int_equal(uiommu_attach_device_pasid(host, r->d1, 1), 0);
		bench_sees(&r->b, r->d1, 1, VA, 42);
		uiommu_detach_device_pasid(r->d1, 1);
		uiommu_detach_device_pasid(r->d1, 0);
		dom = put(g, r->d1, 0x11);
		bench_sees(&r->b, r->d1, 0, VA, g->n * 100);
		bench_sees(&r->b, r->d1, 1, VA, g->n * 100 + 1);
		uiommu_detach_device_pasid(r->d1, 0);
		bench_sees(&r->b, r->d1, 0, VA, 0);
		uiommu_vdevice_free(uiommu_device_vdevice(r->d1));
		assert_int_equal(uiommu_domain_free(dom), 0);
	}
	uiommu_smmuv3_poll(r->b.iommu);
	assert_int_equal(uiommu_domain_free(host), 0);
	bench_page_free(&r->b, page);
}

/* ---- the enemy ---- */

static uint64_t rng;

static uint64_t draw(void)
{
	return rng_next(&rng);
}

static uint64_t draw_word(void)
{
	return draw() & (draw() | draw());
}

/* One move of a guest that wants out: garbage anywhere in its memory, garbage as
 * commands and as STEs. */
static void attack(struct guest *g, struct uiommu_dev *dev, struct uiommu_domain **dom)
{
	uint64_t ste[2], v;
	struct uiommu_domain *now;

	switch (draw() % 4) {
	case 0:
		*(uint64_t *)(void *)(g->mem + draw() % (VM_BYTES / 2) / 8 * 8) = draw_word();
		break;
	case 1:
		v = draw() % 3 ? draw_word() & ~0xffull : 0;
		say(g, v | (draw() & 0x70), draw_word());
		break;
	case 2:
		guest_ste(g, ste);
		ste[draw() % 2] ^= 1ull << draw() % 64;
		if (try_nested(g, dev, ste, &now))
			break;
		assert_int_equal(uiommu_replace_device_pasid(now, dev, 0), 0);
		assert_int_equal(uiommu_domain_free(*dom), 0);
		*dom = now;
		break;
	case 3:
		bench_peek(g->b, dev, (uiommu_pasid_t)(draw() % 5),
			   draw() % 2 ? VA : draw_word(), &v);
		bench_poke(g->b, dev, 0, draw_word(), v);
		break;
	}
	uiommu_smmuv3_poll(g->b->iommu);
}

static void invariant_14_a_guest_that_wants_out(void **state)
{
	struct rig *r = *state;
	const char *seed = getenv("UIOMMU_SEED");
	uint64_t *host = bench_page(&r->b, 4242);
	struct uiommu_domain *dom;

	rng = seed ? strtoull(seed, NULL, 0) : 20231;
	print_message("seed %#llx: UIOMMU_SEED=%#llx ./dev test driver/nested\n",
		      (unsigned long long)rng, (unsigned long long)rng);
	dom = put(&r->g1, r->d1, 0x11);
	put(&r->g2, r->d2, 0x11);
	for (unsigned i = 0; i < 20000; i++) {
		attack(&r->g1, r->d1, &dom);
		bench_sees(&r->b, r->d2, 0, VA, 200);
		bench_sees(&r->b, r->d2, 1, VA, 201);
		assert_int_equal(*host, 4242);
		assert_int_equal(*(uint64_t *)(void *)(r->g2.mem + VM_BYTES - PAGE), 2);
	}
	assert_int_equal(r->g2.told, 0);
	bench_page_free(&r->b, host);
}

#define CASE(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(both_stages_translate), CASE(a_guests_bypass_and_abort),
		CASE(invariant_06_an_ste_says_only_what_it_may), CASE(who_may_have_it),
		CASE(seed_s1_bind_on_the_rid_and_not_on_a_pasid),
		CASE(each_invalidation_of_a_guest),
		CASE(a_guests_cd_is_invalidated_by_its_own_number),
		CASE(the_same_ste_leads_to_other_cds), CASE(what_a_guest_may_not_say),
		CASE(invariant_09_an_unmap_of_the_parent_reaches_both_stages),
		CASE(a_guest_is_told_under_its_own_number), CASE(a_device_that_wanders),
		CASE(invariant_14_a_guest_that_wants_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
