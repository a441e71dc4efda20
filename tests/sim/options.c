/* SPDX-License-Identifier: MIT */
/* options.c - what only some SMMUs have, and the events that only some record */
#include "bed.h"

#define SID 3
#define ASID 5
#define ABORTED (-UIOMMU_EFAULT)
enum { F_UUT = 0x01, F_TLB_CONFLICT = 0x20, F_CFG_CONFLICT = 0x21, F_VMS_FETCH = 0x25 };

static uint64_t where(struct bed *b, uint32_t sid, uint64_t va)
{
	struct uiommu_sim_access a = { .stream_id = sid, .iova = va };
	struct uiommu_sim_xlat x = { 0 };

	return uiommu_sim_smmuv3_translate(b->sim, &a, &x) ? 1 : x.pa;
}

static struct bed *with(struct uiommu_sim_smmuv3_config c)
{
	return bed_new(&c);
}

/* ---- DS: 52 bits with 4 and 16 KiB ---- */

static struct uiommu_sim_smmuv3_config ds_cfg(void)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();

	c.ds = c.vax52 = true;
	c.oas_lg2 = 52;
	return c;
}

/* bits 51:50 of an address are 9:8 of a descriptor */
static uint64_t ds_desc(uint64_t pa)
{
	return (pa & (BIT(50) - 1)) | (pa >> 50 & 3) << 8;
}

/* a leaf of 2^@leaf bytes at @va, tables in RAM, the root for @ias bits */
static uint64_t ds_map(struct bed *b, unsigned g, unsigned ias, uint64_t va, unsigned leaf,
		       uint64_t desc)
{
	unsigned stride = g - 3, shift = g;
	uint64_t root, at, table;

	while (shift + stride < ias)
		shift += stride;
	root = bed_alloc(b, BIT(g));
	va &= BIT(ias) - 1;
	for (table = root;; shift -= stride) {
		at = table + (va >> shift) * 8;
		va &= BIT(shift) - 1;
		if (shift == leaf)
			break;
		table = bed_alloc(b, BIT(g));
		set_mem(b, at, table | 3);
	}
	set_mem(b, at, desc | (leaf == g ? 3 : 1));
	return root;
}

static void ds_stage1(void **state)
{
	static const struct {
		unsigned tg0, g, ias, leaf;
	} t[] = {
		{ 0, 12, 52, 12 },	/* level -1 */
		{ 0, 12, 49, 12 }, { 0, 12, 52, 39 }, { 0, 12, 48, 39 },	/* level 0 block */
		{ 0, 12, 48, 21 }, { 2, 14, 52, 14 }, { 2, 14, 52, 36 }, { 2, 14, 48, 25 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct bed *b = with(ds_cfg());
		uint64_t va = (BIT(t[i].ias) - 1) & ~(BIT(t[i].leaf) - 1);
		uint64_t pa = (BIT(51) | BIT(50) | BIT(49) | BIT(46)) & ~(BIT(t[i].leaf) - 1);
		uint64_t cd = bed_alloc(b, 64);
		uint64_t root = ds_map(b, t[i].g, t[i].ias, va, t[i].leaf, ds_desc(pa) | PTE_RW);

		put_ste(b, SID, ste_s1(cd, 0, 0), 0);
		put_cd(b, cd, (cd_4k(ASID) & ~(uint64_t)0x7000000ff) | (64 - t[i].ias) |
		       t[i].tg0 << 6 | (uint64_t)6 << 32, root);
		set_mem(b, cd + 16, BIT(58));
		if (where(b, SID, va + 0x30) != pa + 0x30)
			fail_msg("row %u: %llx", i, (unsigned long long)where(b, SID, va + 0x30));
		/* without CD.DS the same is not legal, or not the same address */
		set_mem(b, cd + 16, 0);
		cmd(b, OP_CFGI_CD(SID, 0), 1);
		cmd(b, 0x30, 0);
		assert_true(where(b, SID, va + 0x30) != pa + 0x30);
		bed_free(b);
	}
}

static void ds_checks_the_output_size(void **state)
{
	struct bed *b = with(ds_cfg());
	uint64_t cd = bed_alloc(b, 64), root;

	(void)state;
	root = ds_map(b, 12, 48, VA, 12, ds_desc(BIT(50)) | PTE_RW);
	put_ste(b, SID, ste_s1(cd, 0, 0), 0);
	put_cd(b, cd, cd_4k(ASID), root);		/* IPS 48 */
	set_mem(b, cd + 16, BIT(58));
	assert_true(where(b, SID, VA) == 1);
	expect_event(b, EV(F_ADDR_SIZE, SID), EV_READ | EV_CLASS_IN, VA, 0);
	bed_free(b);
}

static void ds_stage2(void **state)
{
	static const struct {
		unsigned tg, g, ias, sl0, sl2, leaf;
	} t[] = {
		{ 0, 12, 52, 0, 1, 12 }, { 0, 12, 50, 0, 1, 30 },	/* level -1 */
		{ 0, 12, 52, 2, 0, 12 },		/* sixteen roots of level 0 */
		{ 2, 14, 52, 3, 0, 14 }, { 2, 14, 49, 2, 0, 25 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct bed *b = with(ds_cfg());
		uint64_t ipa = (BIT(t[i].ias) - 1) & ~(BIT(t[i].leaf) - 1), w2;
		uint64_t pa = (BIT(51) | BIT(48)) & ~(BIT(t[i].leaf) - 1), root, at;
		unsigned g = t[i].g, level = t[i].g == 12 ? 2 - t[i].sl0 : 3 - t[i].sl0;
		unsigned shift = t[i].sl2 ? 48 : g + (g - 3) * (3 - level);

		root = bed_alloc(b, 65536);
		for (at = root + (ipa >> shift) * 8; shift != t[i].leaf; shift -= g - 3) {
			uint64_t table = bed_alloc(b, BIT(g));

			set_mem(b, at, table | 3);
			at = table + (ipa >> (shift - g + 3) & (BIT(g - 3) - 1)) * 8;
		}
		set_mem(b, at, ds_desc(pa) | S2_R | S2_W | BIT(10) | 0xf << 2 |
			(t[i].leaf == g ? 3 : 1));
		w2 = s2_word2(48, 1) & ~((uint64_t)0x3ff << 32 | (uint64_t)7 << 48);
		put_ste(b, SID, 1 | 6 << 1, 0);
		put_ste_s2(b, SID, w2 | (uint64_t)(64 - t[i].ias) << 32 | (uint64_t)t[i].sl0 << 38 |
			   (uint64_t)t[i].tg << 46 | (uint64_t)6 << 48, root | BIT(3) | t[i].sl2 << 2);
		if (where(b, SID, ipa) != pa)
			fail_msg("row %u", i);
		put_ste_s2(b, SID, mem(b, b->strtab + SID * 64 + 16), root | t[i].sl2 << 2);
		cmd(b, OP_CFGI_STE(SID), 0);
		cmd(b, 0x30, 0);
		assert_true(where(b, SID, ipa) == 1);		/* S2DS 0: C_BAD_STE */
		assert_int_equal(event(b).w[0] & 0xff, C_BAD_STE);
		bed_free(b);
	}
}

/* a table below 48 bits without DS, whatever the output size; and so are roots */
static void roots_without_ds_are_in_48_bits(void **state)
{
	struct bed *b = with(ds_cfg());
	uint64_t cd = bed_alloc(b, 64), w2 = s2_word2(39, 1) | (uint64_t)6 << 48;

	(void)state;
	put_ste(b, SID, ste_s1(cd, 0, 0), 0);
	put_cd(b, cd, cd_4k(ASID) | (uint64_t)6 << 32, BIT(50));
	assert_true(where(b, SID, VA) == 1);
	assert_int_equal(event(b).w[0] & 0xff, C_BAD_CD);
	put_ste(b, SID, 1 | 6 << 1, 0);
	put_ste_s2(b, SID, w2, BIT(50));
	cmd(b, OP_CFGI_STE(SID), 0);
	assert_true(where(b, SID, VA) == 1);
	assert_int_equal(event(b).w[0] & 0xff, C_BAD_STE);
	bed_free(b);
}

/* SCALE has six bits, and TTL 1 a meaning with 16 KiB */
static void ds_range(void **state)
{
	struct bed *b = with(ds_cfg());
	struct s1 s = stream_s1(b, SID, ASID);

	(void)state;
	assert_true(where(b, SID, VA) == s.page);
	map4k(b, s.root, VA, RAM, PTE_RW);
	cmd(b, OP_NH_VA(ASID) | (uint64_t)40 << 20, 1 << 10);		/* 2^52 bytes from 0 */
	assert_true(where(b, SID, VA) == RAM);
	cmd(b, OP_NH_VA(ASID), 2 << 10 | 1 << 8);
	assert_int_equal(rd(b, CMDQ_CONS), rd(b, CMDQ_PROD));
	bed_free(b);
}

/* ---- STT: small tables ---- */

static void stt_stage1(void **state)
{
	static const struct {
		unsigned tg0, g, t0sz;
	} t[] = { { 0, 12, 40 }, { 0, 12, 43 }, { 0, 12, 48 }, { 2, 14, 48 }, { 1, 16, 47 } };
	uint64_t v;

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		for (unsigned stt = 0; stt < 2; stt++) {
			struct uiommu_sim_smmuv3_config c = full_cfg();
			unsigned ias = 64 - t[i].t0sz;
			uint64_t va = (BIT(ias) - 1) & ~(BIT(t[i].g) - 1), cd, root, page;
			struct bed *b;

			c.stt = stt;
			b = bed_new(&c);
			cd = bed_alloc(b, 64);
			root = bed_alloc(b, BIT(t[i].g));
			page = bed_alloc(b, 65536);
			put_ste(b, SID, ste_s1(cd, 0, 0), 0);
			put_cd(b, cd, (cd_4k(ASID) & ~(uint64_t)0xff) | t[i].t0sz | t[i].tg0 << 6,
			       root);
			map(b, root, t[i].g, ias, va, t[i].g, page | PTE_RW);
			if (stt) {
				assert_true(where(b, SID, va) == page);
				assert_int_equal(dma_read(b, SID, BIT(ias), &v), ABORTED);
				assert_int_equal(event(b).w[0] & 0xff, F_TRANSLATION);
			} else {
				assert_true(where(b, SID, va) == 1);
				assert_int_equal(event(b).w[0] & 0xff, C_BAD_CD);
			}
			bed_free(b);
		}
}

static void stt_stage2(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();

	(void)state;
	for (unsigned stt = 0; stt < 2; stt++) {
		struct bed *b;
		uint64_t root, page;

		c.stt = stt;
		b = bed_new(&c);
		assert_int_equal(rd(b, IDR3) >> 9 & 1, stt);
		root = bed_alloc(b, 4096);
		page = bed_alloc(b, 4096);
		put_ste(b, SID, 1 | 6 << 1, 0);
		put_ste_s2(b, SID, (s2_word2(16, 1) & ~((uint64_t)3 << 38)) | (uint64_t)3 << 38,
			   root);
		set_mem(b, root + 15 * 8, page | S2_RW | 3);
		assert_true(where(b, SID, 0xf000) == (stt ? page : 1));
		if (!stt)
			assert_int_equal(event(b).w[0] & 0xff, C_BAD_STE);
		bed_free(b);
	}
}

/* ---- permissions ---- */

static int as(struct bed *b, bool priv, bool write, bool exec)
{
	return dma_as(b, &(struct uiommu_sim_access){ .stream_id = SID, .iova = VA, .priv = priv,
						      .write = write, .exec = exec });
}

/* unprivileged accesses to a half are F_TRANSLATION, whatever is cached */
static void e0pd(void **state)
{
	for (unsigned on = 0; on < 2; on++) {
		struct uiommu_sim_smmuv3_config c = full_cfg();
		struct bed *b;
		struct s1 s;

		c.e0pd = on;
		b = bed_new(&c);
		s = stream_s1(b, SID, ASID);
		set_mem(b, s.cd + 8, s.root | BIT(2));
		assert_int_equal(as(b, true, false, false), 0);
		assert_int_equal(as(b, false, false, false), on ? ABORTED : 0);
		if (on)
			expect_event(b, EV(F_TRANSLATION, SID), EV_READ | EV_CLASS_IN, VA, 0);
		assert_int_equal(as(b, true, false, false), 0);
		bed_free(b);
	}
	(void)state;
}

/* with PAN: what unprivileged code may execute, privileged code may not touch */
static void epan(void **state)
{
	for (unsigned on = 0; on < 2; on++) {
		struct uiommu_sim_smmuv3_config c = full_cfg();
		struct bed *b;
		struct s1 s;

		c.epan = on;
		b = bed_new(&c);
		s = stream_s1(b, SID, ASID);
		set_mem(b, s.cd, mem(b, s.cd) | BIT(40));			/* PAN */
		set_mem(b, s.cd + 8, s.root | BIT(59));
		map4k(b, s.root, VA, s.page, PTE_AF | PTE_NG);	/* no user data, user code */
		assert_int_equal(as(b, true, false, false), on ? ABORTED : 0);
		if (on)
			expect_event(b, EV(F_PERMISSION, SID), EV_READ | EV_CLASS_IN | BIT(33),
				     VA, 0);
		bed_free(b);
	}
	(void)state;
}

/* ---- TTENDIAN, HAD, ATTR_PERMS_OVR ---- */

static void swap_table(struct bed *b, uint64_t table)
{
	for (unsigned i = 0; i < 512; i++)
		set_mem(b, table + i * 8, __builtin_bswap64(mem(b, table + i * 8)));
}

/* big-endian tables of both stages, which hardware updates in their order */
static void big_endian_tables(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();

	(void)state;
	for (unsigned e = 0; e < 3; e++) {
		struct bed *b;
		struct s1 s;
		uint64_t table = 0, s2;

		c.endian = e;
		b = bed_new(&c);
		assert_int_equal(rd(b, IDR0) >> 21 & 3, e == 0 ? 2 : e == 1 ? 0 : 3);
		s = stream_s1(b, SID, ASID);
		map4k(b, s.root, VA, s.page, PTE_USER | PTE_NG);		/* AF 0 */
		set_mem(b, s.cd, mem(b, s.cd) | BIT(15) | BIT(43));		/* ENDI, HA */
		for (unsigned level = 0; level < 4; level++) {
			table = level ? __builtin_bswap64(mem(b, table + (VA >> (48 - 9 * level) &
				511) * 8)) & 0xfffffffff000u : s.root;
			swap_table(b, table);
		}
		assert_true(where(b, SID, VA) == (e ? s.page : 1));
		if (e)
			assert_true(__builtin_bswap64(mem(b, table + (VA >> 12 & 511) * 8)) &
				    PTE_AF);
		else
			assert_int_equal(event(b).w[0] & 0xff, C_BAD_CD);
		s2 = bed_alloc(b, 4096);
		map_s2(b, s2, 12, 1, 0, 30, (RAM & ~(BIT(30) - 1)) | (S2_RW & ~BIT(10)));
		swap_table(b, s2);
		put_ste(b, SID, 1 | 6 << 1, 0);
		put_ste_s2(b, SID, s2_word2(39, 1) | BIT(52) | BIT(56), s2);	/* S2ENDI, S2HA */
		cmd(b, OP_CFGI_STE(SID), 0);
		assert_true(where(b, SID, 0x123) == (e ? RAM + 0x123 : 1));
		if (e)
			assert_true(__builtin_bswap64(mem(b, s2)) & BIT(10));
		else
			assert_int_equal(event(b).w[0] & 0xff, C_BAD_STE);
		/* and little-endian ones are not for those that have big ones only */
		put_ste_s2(b, SID, s2_word2(39, 1), s2);
		cmd(b, OP_CFGI_STE(SID), 0);
		cmd(b, 0x30, 0);
		where(b, SID, 0x123);
		assert_int_equal(event(b).w[0] & 0xff, e == 2 ? C_BAD_STE : F_TRANSLATION);
		bed_free(b);
	}
}

static void had_is_ignored_where_it_is_not(void **state)
{
	for (unsigned no = 0; no < 2; no++) {
		struct uiommu_sim_smmuv3_config c = full_cfg();
		struct bed *b;
		struct s1 s;

		c.no_had = no;
		b = bed_new(&c);
		assert_int_equal(rd(b, IDR3) >> 2 & 1, !no);
		s = stream_s1(b, SID, ASID);
		set_mem(b, s.cd + 8, s.root | BIT(1));				/* HAD0 */
		set_mem(b, s.root, mem(b, s.root) | BIT(62));			/* read-only */
		assert_int_equal(as(b, false, true, false), no ? ABORTED : 0);
		bed_free(b);
	}
	(void)state;
}

static void overrides_are_ignored_where_they_are_not(void **state)
{
	for (unsigned no = 0; no < 2; no++) {
		struct uiommu_sim_smmuv3_config c = full_cfg();
		struct bed *b;
		struct s1 s;

		c.no_overrides = no;
		b = bed_new(&c);
		assert_int_equal(rd(b, IDR1) >> 26 & 1, !no);
		s = stream_s1(b, SID, ASID);
		map4k(b, s.root, VA, s.page, PTE_AF | PTE_NG);		/* privileged only */
		put_ste(b, SID, ste_s1(s.cd, 0, 0), (uint64_t)3 << 48);
		assert_int_equal(as(b, false, false, false), no ? ABORTED : 0);
		bed_free(b);
	}
	(void)state;
}

/* ---- TERM_MODEL ---- */

static void abort_only(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b;
	struct s1 s;
	uint64_t v;

	(void)state;
	c.abort_only = true;
	b = bed_new(&c);
	assert_true(rd(b, IDR0) & BIT(26));
	s = stream_s1(b, SID, ASID);
	set_mem(b, s.cd, mem(b, s.cd) & ~BIT(46));			/* CD.A */
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	expect_event(b, EV(C_BAD_CD, SID), 0, 0, 0);
	/* and CMD_RESUME cannot do it either */
	set_mem(b, s.cd, mem(b, s.cd) | BIT(46) | BIT(44));
	cmd(b, OP_CFGI_CD(SID, 0), 1);
	assert_int_equal(dma_read(b, SID, 0, &v), -UIOMMU_EAGAIN);
	cmd(b, OP_RESUME(SID, 0, 0), 0);
	assert_int_equal(b->resumed.how, UIOMMU_SIM_RESUME_ABORT);
	bed_free(b);
}

/* ---- VMW ---- */

static void vmid_wildcards(void **state)
{
	for (unsigned vmw = 0; vmw < 6; vmw++)
		for (unsigned other = 0; other < 32; other++) {
			struct uiommu_sim_smmuv3_config c = full_cfg();
			struct bed *b;
			uint64_t root;
			bool same = vmw <= 4 ? !((other ^ 5) >> vmw) : other == 5;

			c.vmw = true;
			b = bed_new(&c);
			wr(b, CR0, 12);
			wr(b, CR0, 13 | vmw << 6);
			root = bed_alloc(b, 4096);
			put_ste(b, SID, 1 | 6 << 1, 0);
			put_ste_s2(b, SID, s2_word2(39, (uint16_t)other), root);
			map_s2(b, root, 12, 1, VA, 12, RAM | S2_RW);
			assert_true(where(b, SID, VA) == RAM);
			map_s2(b, root, 12, 1, VA, 12, (RAM + 4096) | S2_RW);
			cmd(b, OP_VMID(other & 1 ? 0x28 : 0x2a, 5), other & 1 ? 0 : VA);
			if (where(b, SID, VA) != RAM + (same ? 4096 : 0))
				fail_msg("VMW %u, VMID %u", vmw, other);
			bed_free(b);
		}
	(void)state;
}

/* ---- events ---- */

static void f_uut(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream_s1(b, SID, ASID);
	struct uiommu_sim_access a = { .stream_id = SID, .ssv = true, .substream_id = 9,
				       .unsupported = 0x1234, .iova = VA, .priv = true,
				       .exec = true };

	put_ste(b, SID, ste_s1(s.cd, 0, 0), (uint64_t)2 << 48);		/* unprivileged */
	assert_int_equal(dma_as(b, &a), ABORTED);
	/* attributes as they came */
	expect_event(b, EV(F_UUT, SID) | EV_SSID(9), EV_READ | BIT(33) | BIT(34) | 0x1234, VA, 0);
	a.translated = true;
	assert_int_equal(dma_as(b, &a), ABORTED);
	no_event(b);
	wr(b, CR0, 12);
	a = (struct uiommu_sim_access){ .stream_id = SID, .unsupported = 1, .write = true };
	assert_int_equal(dma_as(b, &a), ABORTED);
	expect_event(b, EV(F_UUT, SID), 1, 0, 0);
}

/* a page, then a block over it without an invalidation */
static void f_tlb_conflict(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	uint64_t v;

	(void)state;
	for (unsigned mind = 0; mind < 3; mind++) {
		struct bed *b;
		struct s1 s;
		uint64_t l2;

		c.conflicts = mind;
		c.bbml = mind == 2 ? 2 : 0;
		b = bed_new(&c);
		assert_int_equal(rd(b, IDR3) >> 11 & 3, c.bbml);
		s = stream_s1(b, SID, ASID);
		assert_true(where(b, SID, VA) == s.page);
		l2 = mem(b, s.root) & ~(uint64_t)0xfff;
		l2 = mem(b, l2) & ~(uint64_t)0xfff;
		set_mem(b, l2 + (VA >> 21) * 8, RAM | PTE_RW | 1);
		/* the tables above are held: the other page comes from the block only then */
		cmd(b, OP_NH_VA(ASID), (VA + 0x1000) | 0);
		assert_true(where(b, SID, VA + 0x1000) == RAM + (VA + 0x1000) % (2 << 20));
		if (mind == 1) {
			assert_int_equal(dma_write(b, SID, VA, 1), ABORTED);
			expect_event(b, EV(F_TLB_CONFLICT, SID), 0, VA, 0);
			cmd(b, OP_NH_VA(ASID), VA);
		}
		assert_int_equal(dma_read(b, SID, VA, &v), 0);
		no_event(b);
		bed_free(b);
	}
}

static void f_tlb_conflict_s2(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b;
	uint64_t root, v, l2;

	(void)state;
	c.conflicts = true;
	b = bed_new(&c);
	root = bed_alloc(b, 4096);
	put_ste(b, SID, 1 | 6 << 1, 0);
	put_ste_s2(b, SID, s2_word2(39, 1), root);
	map_s2(b, root, 12, 1, VA, 12, RAM | S2_RW);
	assert_true(where(b, SID, VA) == RAM);
	l2 = mem(b, root) & ~(uint64_t)0xfff;
	set_mem(b, l2 + (VA >> 21) * 8, RAM | S2_RW | 1);
	cmd(b, OP_VMID(0x2a, 1), VA + 0x1000);
	where(b, SID, VA + 0x1000);
	assert_int_equal(dma_read(b, SID, VA + 8, &v), ABORTED);
	expect_event(b, EV(F_TLB_CONFLICT, SID), EV_READ | EV_S2, VA + 8, VA);
	bed_free(b);
}

/* two STEs of a span that CONT says are the same */
static void f_cfg_conflict(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();

	(void)state;
	for (unsigned mind = 0; mind < 2; mind++) {
		struct bed *b;
		uint64_t v;

		c.conflicts = mind;
		b = bed_new(&c);
		put_ste(b, 4, 1 | 4 << 1, (uint64_t)2 << 13);		/* 4 to 7 */
		put_ste(b, 5, 1 | 4 << 1, 0);		/* differs in CONT only */
		put_ste(b, 6, 1 | 4 << 1, BIT(19));	/* differs */
		put_ste(b, 8, 1 | 4 << 1, BIT(19));	/* not of the span */
		assert_int_equal(dma_read(b, 4, RAM, &v), 0);
		assert_int_equal(dma_read(b, 5, RAM, &v), 0);
		assert_int_equal(dma_read(b, 8, RAM, &v), 0);
		assert_int_equal(dma_read(b, 6, RAM, &v), mind ? ABORTED : 0);
		if (mind) {
			expect_event(b, EV(F_CFG_CONFLICT, 6), 0, 0, 0);
			put_ste(b, 6, 1 | 4 << 1, 0);
			assert_int_equal(dma_read(b, 6, RAM, &v), 0);
		}
		no_event(b);
		bed_free(b);
	}
}

/* ---- MPAM: the virtual machine structure ---- */

static void f_vms_fetch(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b;
	struct s1 s;
	uint64_t s2, v;

	(void)state;
	c.mpam_partid_max = 31;
	b = bed_new(&c);
	assert_true(rd(b, IDR3) & BIT(7));
	assert_int_equal(rd(b, 0x130), 31);
	s = stream_s1(b, SID, ASID);
	s2 = bed_alloc(b, 4096);
	for (uint64_t pa = RAM; pa < RAM + 0x80000; pa += 4096)
		map_s2(b, s2, 12, 1, pa, 12, pa | S2_RW);
	put_ste(b, SID, ste_s1(s.cd, 0, 0) | 7 << 1, BIT(26));		/* S1MPAM */
	put_ste_s2(b, SID, s2_word2(39, 1), s2);
	set_mem(b, b->strtab + SID * 64 + 40, NOWHERE);
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	expect_event(b, EV(F_VMS_FETCH, SID), 0, 0, NOWHERE);
	/* what was not fetched is fetched again */
	set_mem(b, b->strtab + SID * 64 + 40, bed_alloc(b, 4096));
	cmd(b, OP_CFGI_STE(SID), 0);
	assert_int_equal(dma_read(b, SID, VA, &v), 0);
	cmd(b, 0x07 | (uint64_t)1 << 32, 0);		/* CMD_CFGI_VMS_PIDM */
	assert_int_equal(rd(b, CMDQ_CONS), rd(b, CMDQ_PROD));
	/* out of range */
	set_mem(b, b->strtab + SID * 64 + 40, BIT(50));
	cmd(b, OP_CFGI_STE(SID), 0);
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	expect_event(b, EV(C_BAD_STE, SID), 0, 0, 0);
	/* not in use without S1MPAM */
	put_ste(b, SID, ste_s1(s.cd, 0, 0) | 7 << 1, 0);
	cmd(b, OP_CFGI_STE(SID), 0);
	assert_int_equal(dma_read(b, SID, VA, &v), 0);
	bed_free(b);
}

static void vms_pidm_is_illegal_without_mpam(void **state)
{
	cmd(*state, 0x07, 0);
	assert_int_equal(rd(*state, CMDQ_CONS) >> 24, 1);
}

/* ---- ID registers ---- */

static void id_registers_of_options(void **state)
{
	static const struct {
		unsigned reg, bit;
	} t[] = { { IDR0, 11 }, { IDR0, 17 }, { IDR0, 23 }, { IDR0, 26 }, { IDR3, 5 }, { IDR3, 7 },
		  { IDR3, 9 }, { IDR3, 12 }, { IDR3, 13 }, { IDR3, 17 }, { IDR5, 7 } };
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b;

	(void)state;
	for (unsigned on = 0; on < 2; on++) {
		c.ats = c.pri = true;
		c.no_split_ats = c.vmw = c.ats_record = c.abort_only = c.pps = c.stt = on;
		c.e0pd = c.epan = c.ds = on;
		c.bbml = 2 * on;
		c.mpam_partid_max = on;
		b = bed_raw(&c);
		for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++)
			assert_int_equal(rd(b, t[i].reg) >> t[i].bit & 1, on);
		bed_free(b);
	}
}

/* without split-stage ATS its EATS is not legal */
static void no_split_ats(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b;
	struct s1 s;
	uint64_t v;

	(void)state;
	c.ats = c.no_split_ats = true;
	b = bed_new(&c);
	s = stream_s1(b, SID, ASID);
	put_ste(b, SID, ste_s1(s.cd, 0, 0) | 7 << 1, (uint64_t)2 << 28);
	put_ste_s2(b, SID, s2_word2(39, 1), bed_alloc(b, 4096));
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	expect_event(b, EV(C_BAD_STE, SID), 0, 0, 0);
	bed_free(b);
}

/* ---- configurations that contradict themselves ---- */

static void refused(void **state)
{
	struct uiommu_sim_smmuv3_config good = full_cfg(), c;
	struct bed *b = *state;
	struct uiommu_sim_smmuv3 *s;

#define REFUSED(set) do { \
	c = good; \
	set; \
	assert_int_equal(uiommu_sim_smmuv3_create(&c, &b->env, &s), -UIOMMU_EINVAL); \
} while (0)
	REFUSED(c.bbml = 3);
	REFUSED(c.endian = 3);
	REFUSED(c.pps = true);
	REFUSED(c.ats_record = true);
	REFUSED(c.no_split_ats = true);
	REFUSED((c.vmw = true, c.stage2 = false));
	REFUSED((c.mpam_partid_max = 1, c.stage2 = false));
	REFUSED(c.mpam_partid_max = 65536);
	REFUSED((c.ds = true, c.gran4k = c.gran16k = false));
}

/* HD alone is as if neither were set */
static void hd_without_ha(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b = bed_new(&c);
	struct s1 s = stream_s1(b, SID, ASID);

	(void)state;
	set_mem(b, s.cd, mem(b, s.cd) | BIT(42));
	map4k(b, s.root, VA, s.page, PTE_RW | PTE_RO | BIT(51));
	assert_int_equal(as(b, false, false, false), 0);
	assert_int_equal(as(b, false, true, false), ABORTED);
	expect_event(b, EV(F_PERMISSION, SID), EV_CLASS_IN, VA, 0);
	assert_int_equal(b->cas, 0);
	bed_free(b);
}

/* A page that hardware makes writable counts as writable where execution is asked for:
 * not for privileged code what unprivileged code may write, and nothing with WXN. */
static void dbm_counts_as_writable_for_execution(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b = bed_new(&c);
	struct s1 s = stream_s1(b, SID, ASID);
	uint64_t cd = mem(b, s.cd) | BIT(43) | BIT(42);		/* HA, HD */

	(void)state;
	set_mem(b, s.cd, cd);
	map4k(b, s.root, VA, s.page, PTE_RW | PTE_RO | BIT(51));
	assert_int_equal(as(b, false, false, true), 0);
	assert_int_equal(as(b, true, false, true), ABORTED);
	expect_event(b, EV(F_PERMISSION, SID), EV_READ | EV_CLASS_IN | BIT(34) | BIT(33), VA, 0);
	set_mem(b, s.cd, cd | BIT(36));				/* WXN */
	cmd(b, OP_CFGI_CD(SID, 0), 1);
	cmd(b, OP_NH_ASID(ASID), 0);
	sync(b);
	assert_int_equal(as(b, false, false, true), ABORTED);
	expect_event(b, EV(F_PERMISSION, SID), EV_READ | EV_CLASS_IN | BIT(34), VA, 0);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(ds_stage1),
		CASE(ds_checks_the_output_size),
		CASE(ds_stage2),
		CASE(roots_without_ds_are_in_48_bits),
		CASE(ds_range),
		CASE(stt_stage1),
		CASE(stt_stage2),
		CASE(e0pd),
		CASE(epan),
		CASE(big_endian_tables),
		CASE(had_is_ignored_where_it_is_not),
		CASE(overrides_are_ignored_where_they_are_not),
		CASE(abort_only),
		CASE(vmid_wildcards),
		CASE(f_uut),
		CASE(f_tlb_conflict),
		CASE(f_tlb_conflict_s2),
		CASE(f_cfg_conflict),
		CASE(f_vms_fetch),
		CASE(vms_pidm_is_illegal_without_mpam),
		CASE(id_registers_of_options),
		CASE(no_split_ats),
		CASE(refused),
		CASE(hd_without_ha),
		CASE(dbm_counts_as_writable_for_execution),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
