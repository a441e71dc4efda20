/* SPDX-License-Identifier: MIT */
/* ats.c - translation requests, translated transactions, ATC and page requests */
#include "bed.h"

#include <uiommu/sim/atc.h>

#define SID	4
#define ABORTED	(-UIOMMU_EFAULT)
#define EATS(n)	((uint64_t)(n) << 28)
#define F_BAD_ATS_TREQ 0x05
#define F_TRANSL_FORBIDDEN 0x07
#define ATSCHK	BIT(4)
enum { PRIQ_BASE = 0xc0, PRIQ_PROD = 0x100c8, PRIQ_CONS = 0x100cc };
#define PRIQ_LG2 1

static struct uiommu_sim_atc atc;
static int inv_answer;			/* 0: ask the ATC */
static struct uiommu_sim_inval last_inv;
static struct uiommu_sim_page_response last_resp;
static unsigned responses;

static int on_inv(void *ctx, const struct uiommu_sim_inval *inv)
{
	(void)ctx;
	last_inv = *inv;
	return inv_answer ? inv_answer : uiommu_sim_atc_inv(&atc, inv);
}

static void on_response(void *ctx, const struct uiommu_sim_page_response *r)
{
	(void)ctx;
	last_resp = *r;
	responses++;
}

static int setup(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b;

	c.ats = c.pri = true;
	c.priq_max_lg2 = 5;
	b = bed_new_env(&c, on_inv, on_response);
	uiommu_sim_atc_init(&atc, b->sim, SID);
	inv_answer = 0;
	responses = 0;
	*state = b;
	return 0;
}

#define ACASE(f) cmocka_unit_test_setup_teardown(f, setup, bed_teardown)

/* of F_BAD_ATS_TREQ: R, W, X, P, and a span of one */
#define TREQ_R		(BIT(30) | 1)
#define TREQ_W		BIT(29)
#define TREQ_X		BIT(28)
#define TREQ_P		BIT(27)

static struct s1 stream(struct bed *b, unsigned eats)
{
	struct s1 s = stream_s1(b, SID, 1);

	put_ste(b, SID, ste_s1(s.cd, 0, 0), EATS(eats));
	return s;
}

static struct uiommu_sim_ats_reply ask(struct bed *b, uint64_t va, bool write)
{
	struct uiommu_sim_access a = { .stream_id = SID, .iova = va, .write = write };
	struct uiommu_sim_ats_reply r;

	uiommu_sim_smmuv3_ats(b->sim, &a, &r);
	return r;
}

static int translated(struct bed *b, uint64_t pa)
{
	return dma_as(b, &(struct uiommu_sim_access){ .stream_id = SID, .translated = true,
						      .iova = pa });
}

static void chk(struct bed *b)
{
	wr(b, CR0, 12);
	wr(b, CR0, 13 | ATSCHK);
}

static void ats_grants(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream(b, 1);
	struct uiommu_sim_ats_reply r = ask(b, VA, true);

	assert_int_equal(r.status, UIOMMU_SIM_ATS_SUCCESS);
	assert_true(r.addr == s.page && r.bytes == 4096 && r.read && r.write && !r.exec);
	map4k(b, s.root, VA + 4096, s.page, PTE_RW | PTE_RO);
	r = ask(b, VA + 4096, true);	/* a write is refused: what is left is a read */
	assert_true(r.status == UIOMMU_SIM_ATS_SUCCESS && r.read && !r.write);
	no_event(b);
}

static void ats_fault_is_no_event(void **state)
{
	struct bed *b = *state;
	struct uiommu_sim_ats_reply r;

	stream(b, 1);
	r = ask(b, VA + 0x5000, false);
	assert_true(r.status == UIOMMU_SIM_ATS_SUCCESS && !r.read && !r.write && !r.addr);
	no_event(b);
}

static void eats_0_is_refused(void **state)
{
	struct bed *b = *state;

	stream(b, 0);
	assert_int_equal(ask(b, VA + 8, false).status, UIOMMU_SIM_ATS_UR);
	expect_event(b, EV(F_BAD_ATS_TREQ, SID), TREQ_R, VA, 0);
}

static void bypass_is_refused(void **state)
{
	struct bed *b = *state;

	put_ste(b, SID, 1 | 4 << 1, EATS(1));
	assert_int_equal(ask(b, VA, false).status, UIOMMU_SIM_ATS_UR);
	expect_event(b, EV(F_BAD_ATS_TREQ, SID), TREQ_R, VA, 0);
}

static void smmuen_0_refuses(void **state)
{
	struct bed *b = *state;

	wr(b, CR0, 12);
	assert_int_equal(ask(b, VA, false).status, UIOMMU_SIM_ATS_UR);
	expect_event(b, EV(F_BAD_ATS_TREQ, SID), TREQ_R, VA, 0);
	assert_int_equal(translated(b, RAM), ABORTED);
	expect_event(b, EV(F_TRANSL_FORBIDDEN, SID), EV_READ, RAM, 0);
}

static void config_errors(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream(b, 1);

	assert_int_equal(ask(b, VA, false).status, UIOMMU_SIM_ATS_SUCCESS);
	put_cd(b, s.cd, 0, 0);
	cmd(b, OP_CFGI_CD(SID, 0), 0);
	assert_int_equal(ask(b, VA, false).status, UIOMMU_SIM_ATS_CA);
	put_ste(b, SID, 0, 0);
	cmd(b, OP_CFGI_STE(SID), 0);
	assert_int_equal(ask(b, VA, false).status, UIOMMU_SIM_ATS_CA);
	put_ste(b, SID, 1, 0);		/* abort */
	cmd(b, OP_CFGI_STE(SID), 0);
	assert_int_equal(ask(b, VA, false).status, UIOMMU_SIM_ATS_UR);
	no_event(b);
}

/* the record says what was asked for, not what the STE makes of it */
static void bad_treq_record(void **state)
{
	struct bed *b = *state;
	struct uiommu_sim_access a = { .stream_id = SID, .ssv = true, .substream_id = 5,
				       .iova = VA + 0x123, .write = true, .exec = true,
				       .priv = true };
	struct uiommu_sim_ats_reply r;

	put_ste(b, SID, 1 | 4 << 1, (uint64_t)2 << 48);		/* PRIVCFG unprivileged */
	uiommu_sim_smmuv3_ats(b->sim, &a, &r);
	assert_int_equal(r.status, UIOMMU_SIM_ATS_UR);
	expect_event(b, EV(F_BAD_ATS_TREQ, SID) | EV_SSID(5), TREQ_R | TREQ_W | TREQ_X | TREQ_P,
		     VA, 0);
}

/* StreamIDs out of range and all other errors of configuration are CA */
static void bad_streamid_is_ca(void **state)
{
	struct bed *b = *state;
	struct uiommu_sim_access a = { .stream_id = 1 << STRTAB_LG2, .iova = VA };
	struct uiommu_sim_ats_reply r;

	uiommu_sim_smmuv3_ats(b->sim, &a, &r);
	assert_int_equal(r.status, UIOMMU_SIM_ATS_CA);
	no_event(b);
}

/* EATS that does not fit the rest of the STE */
static void eats_illegal(void **state)
{
	static const struct {
		uint64_t config, eats;
		bool s2s, bad;
	} t[] = {
		{ 5, 2, false, true },		/* split-stage without stage 2 */
		{ 6, 2, false, true },
		{ 7, 2, false, false },
		{ 7, 2, true, true },		/* stage 2 must not stall */
		{ 7, 1, true, true },
		{ 6, 1, true, true },
		{ 7, 0, true, false },
		{ 5, 1, true, false },		/* S2S is not looked at there */
		{ 5, 3, false, false },		/* reserved: as 0 */
		{ 4, 2, false, false },		/* IGNORED in bypass */
	};
	struct bed *b = *state;
	struct s1 s = stream(b, 1);
	uint64_t s2 = bed_alloc(b, 4096), v;

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct record r;

		put_ste(b, SID, 1 | t[i].config << 1 | s.cd, EATS(t[i].eats));
		put_ste_s2(b, SID, s2_word2(39, 1) | (t[i].s2s ? BIT(57) : 0), s2);
		cmd(b, OP_CFGI_STE(SID), 0);
		dma_read(b, SID, BIT(30), &v);		/* mapped nowhere */
		if (!t[i].bad && (t[i].config == 4 || t[i].s2s)) {
			cmd(b, 0x45 | (uint64_t)SID << 32, 0);
			while (((rd(b, EVENTQ_PROD) ^ rd(b, EVENTQ_CONS)) & 15) != 0)
				assert_int_not_equal(event(b).w[0] & 0xff, C_BAD_STE);
			continue;
		}
		r = event(b);
		if (((r.w[0] & 0xff) == C_BAD_STE) != t[i].bad)
			fail_msg("row %u: event %x", i, (unsigned)r.w[0] & 0xff);
	}
}

/* reserved, and split-stage without ATSCHK: as if ATS were off */
static void eats_effectively_0(void **state)
{
	struct bed *b = *state;

	stream(b, 3);
	assert_int_equal(ask(b, VA, false).status, UIOMMU_SIM_ATS_UR);
	event(b);
	put_ste(b, SID, mem(b, b->strtab + SID * 64) | 7 << 1, EATS(2));
	put_ste_s2(b, SID, s2_word2(39, 1), bed_alloc(b, 4096));
	cmd(b, OP_CFGI_STE(SID), 0);
	assert_int_equal(ask(b, VA, false).status, UIOMMU_SIM_ATS_UR);
	expect_event(b, EV(F_BAD_ATS_TREQ, SID), TREQ_R, VA, 0);
}

/* a translated transaction has no PASID and no attributes here: IDR3.PASIDTT is 0 */
static void translated_has_no_pasid(void **state)
{
	struct bed *b = *state;
	struct uiommu_sim_access a = { .stream_id = SID, .ssv = true, .substream_id = 7,
				       .priv = true, .translated = true, .iova = RAM };

	chk(b);
	stream(b, 0);
	assert_int_equal(dma_as(b, &a), ABORTED);
	expect_event(b, EV(F_TRANSL_FORBIDDEN, SID), EV_READ, RAM, 0);
}

/* ATSCHK with STE.Config abort: nothing is said */
static void translated_config_abort_is_silent(void **state)
{
	struct bed *b = *state;

	chk(b);
	put_ste(b, SID, 1, 0);
	assert_int_equal(translated(b, RAM), ABORTED);
	no_event(b);
}

/* CR2.REC_CFG_ATS: what requests and translated transactions run into is recorded */
static void rec_cfg_ats(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b;

	(void)state;
	c.ats = c.ats_record = true;
	b = bed_new_env(&c, on_inv, on_response);
	assert_true(rd(b, IDR0) & BIT(23));
	wr(b, CR0, 12);
	wr(b, CR2, 8 | 2);
	assert_int_equal(rd(b, CR2), 8 | 2);
	wr(b, CR0, 13 | ATSCHK);
	put_ste(b, SID, 0, 0);
	assert_int_equal(ask(b, VA, false).status, UIOMMU_SIM_ATS_CA);
	assert_int_equal(event(b).w[0] & 0xff, C_BAD_STE);
	assert_int_equal(translated(b, RAM), ABORTED);
	assert_int_equal(event(b).w[0] & 0xff, C_BAD_STE);
	/* out of range: a request needs RECINVSID as well, a translated one does not */
	wr(b, CR0, 12);
	wr(b, CR2, 8);
	wr(b, CR0, 13 | ATSCHK);
	dma_as(b, &(struct uiommu_sim_access){ .stream_id = 1 << STRTAB_LG2, .translated = true });
	assert_int_equal(event(b).w[0] & 0xff, C_BAD_STREAMID);
	uiommu_sim_smmuv3_ats(b->sim, &(struct uiommu_sim_access){ .stream_id = 1 << STRTAB_LG2 },
			      &(struct uiommu_sim_ats_reply){ 0 });
	no_event(b);
	/* a fault of translation is an answer all the same */
	stream(b, 1);
	cmd(b, OP_CFGI_STE(SID), 0);
	assert_int_equal(ask(b, VA + 0x9000, false).status, UIOMMU_SIM_ATS_SUCCESS);
	no_event(b);
	bed_free(b);
}

/* CMD_ATC_INV and CMD_PRI_RESP do nothing while SMMUEN is 0, and are no error */
static void ignored_while_off(void **state)
{
	struct bed *b = *state;

	last_inv.stream_id = 0;
	wr(b, CR0, 12);
	cmd(b, 0x40 | (uint64_t)SID << 32, 52);
	cmd(b, 0x41 | (uint64_t)SID << 32, 2 << 12);
	assert_int_equal(rd(b, CMDQ_CONS), rd(b, CMDQ_PROD));
	assert_int_equal(last_inv.stream_id, 0);
	assert_int_equal(responses, 0);
}

static void translated_passes(void **state)
{
	struct bed *b = *state;

	assert_int_equal(translated(b, RAM), 0);	/* ATSCHK 0: not even an STE */
	chk(b);
	assert_int_equal(translated(b, RAM), ABORTED);	/* STE.V 0: nothing is recorded */
	no_event(b);
}

static void atschk(void **state)
{
	struct bed *b = *state;

	chk(b);
	stream(b, 0);
	assert_int_equal(translated(b, RAM), ABORTED);
	expect_event(b, EV(F_TRANSL_FORBIDDEN, SID), EV_READ, RAM, 0);
	stream(b, 1);
	cmd(b, OP_CFGI_STE(SID), 0);
	assert_int_equal(translated(b, RAM), 0);
}

/* split-stage: the answer is an IPA, and stage 2 is applied when it is used */
static void eats_s1chk(void **state)
{
	struct bed *b = *state;
	uint64_t s2 = bed_alloc(b, 4096), real;
	struct s1 s = stream(b, 2);

	put_ste(b, SID, 1 | 7 << 1 | s.cd, EATS(2));
	put_ste_s2(b, SID, s2_word2(39, 1), s2);
	for (uint64_t pa = RAM; pa < b->next; pa += 4096)
		map_s2(b, s2, 12, 1, pa, 12, pa | S2_RW);
	real = bed_alloc(b, 4096);
	map_s2(b, s2, 12, 1, s.page, 12, real | S2_RW);
	set_mem(b, real, 77);
	chk(b);
	assert_true(ask(b, VA, false).addr == s.page);
	{
		struct uiommu_sim_access a = { .stream_id = SID, .translated = true,
					       .iova = s.page };
		uint64_t v = 0;

		assert_int_equal(uiommu_sim_smmuv3_dma(b->sim, &a, &v, 8, NULL), 0);
		assert_true(v == 77);
	}
}

/* ---- the ATC ---- */

static int atc_read(uint64_t va, uint64_t *v)
{
	struct uiommu_sim_access a = { .iova = va };

	return uiommu_sim_atc_dma(&atc, &a, v, 8, NULL);
}

static struct s1 cached(struct bed *b, uint64_t *other)
{
	struct s1 s = stream(b, 1);
	uint64_t v = 0;

	*other = bed_alloc(b, 4096);
	set_mem(b, s.page, 1);
	set_mem(b, *other, 2);
	assert_int_equal(atc_read(VA, &v), 0);
	assert_true(v == 1);
	map4k(b, s.root, VA, *other, PTE_RW);
	return s;
}

static void atc_reads(struct bed *b, uint64_t want)
{
	uint64_t v = 0;

	assert_int_equal(atc_read(VA, &v), 0);
	assert_true(v == want);
	no_event(b);
}

#define ATC_INV(sid) (0x40 | (uint64_t)(sid) << 32)

static void only_atc_inv_empties_atc(void **state)
{
	struct bed *b = *state;
	uint64_t other;

	cached(b, &other);
	cmd(b, OP_NH_ASID(1), 0);
	cmd(b, 0x30, 0);
	cmd(b, OP_CFGI_STE(SID), 0);
	sync(b);
	atc_reads(b, 1);		/* TLBI does not reach it */
	cmd(b, ATC_INV(SID), (VA + 4096) | 0);
	sync(b);
	atc_reads(b, 1);		/* another page */
	cmd(b, ATC_INV(SID), VA & ~(uint64_t)0xffff);
	sync(b);
	atc_reads(b, 1);
	cmd(b, ATC_INV(SID), (VA & ~(uint64_t)0xffff) | 4);	/* sixteen pages */
	sync(b);
	assert_true(last_inv.first == (VA & ~(uint64_t)0xffff));
	assert_true(last_inv.last == (VA | 0xffff));
	atc_reads(b, 2);
}

static void atc_inv_all(void **state)
{
	struct bed *b = *state;
	uint64_t other;

	cached(b, &other);
	cmd(b, OP_NH_ASID(1), 0);
	cmd(b, ATC_INV(SID), 52);
	sync(b);
	assert_true(last_inv.first == 0 && last_inv.last == ~(uint64_t)0);
	atc_reads(b, 2);
}

/* Off it asks for nothing and uses what it has, until it forgets that by itself. */
static void atc_off_asks_for_nothing(void **state)
{
	const struct uiommu_sim_access next = { .iova = VA + 4096 };
	struct bed *b = *state;
	uint64_t other, v;
	struct s1 s = cached(b, &other);

	map4k(b, s.root, VA + 4096, other, PTE_RW);
	cmd(b, OP_NH_ASID(1), 0);
	sync(b);
	uiommu_sim_atc_enable(&atc, false);
	atc_reads(b, 1);
	assert_int_equal(uiommu_sim_atc_dma(&atc, &next, &v, 8, NULL), -UIOMMU_EFAULT);
	no_event(b);
	uiommu_sim_atc_enable(&atc, true);
	atc_reads(b, 1);
	uiommu_sim_atc_flush(&atc);
	atc_reads(b, 2);
}

static void atc_inv_size_reserved(void **state)
{
	struct bed *b = *state;

	cmd(b, ATC_INV(SID), 53);
	assert_int_equal(rd(b, CMDQ_CONS) >> 24, 1);
}

/* a device that does not answer: the error is the CMD_SYNC's */
static void atc_inv_timeout(void **state)
{
	struct bed *b = *state;

	inv_answer = -1;
	cmd(b, ATC_INV(SID), 52);
	assert_int_equal(rd(b, CMDQ_CONS), rd(b, CMDQ_PROD));
	cmd(b, 0x46, 0);
	assert_int_equal(rd(b, CMDQ_CONS) >> 24, 3);
	assert_int_equal(rd(b, GERROR) & 1, 1);
	wr(b, GERRORN, 1);		/* it is looked at again, and there is no error now */
	assert_int_equal(rd(b, CMDQ_CONS) & 0xfffff, rd(b, CMDQ_PROD));
}

static void sync_waits_for_atc(void **state)
{
	struct bed *b = *state;

	inv_answer = 1;
	cmd(b, ATC_INV(SID), 52);
	cmd(b, ATC_INV(SID), 52);
	cmd(b, 0x46, 0);
	assert_int_not_equal(rd(b, CMDQ_CONS), rd(b, CMDQ_PROD));
	uiommu_sim_smmuv3_atc_inv_done(b->sim, 0, true);
	assert_int_not_equal(rd(b, CMDQ_CONS), rd(b, CMDQ_PROD));
	uiommu_sim_smmuv3_atc_inv_done(b->sim, 0, true);
	assert_int_equal(rd(b, CMDQ_CONS), rd(b, CMDQ_PROD));
}

/* an invalidation while a DMA uses the translation: CMD_SYNC waits for that DMA */
static uint32_t cons_inside;
static void inv_inside(struct bed *b)
{
	cmd(b, ATC_INV(SID), 52);
	cmd(b, 0x46, 0);
	cons_inside = rd(b, CMDQ_CONS);
}

static void sync_waits_for_dma_of_atc(void **state)
{
	struct bed *b = *state;
	struct uiommu_sim_access a = { .iova = VA, .write = true };
	uint64_t v = 5;

	stream(b, 1);
	b->on_data = inv_inside;
	assert_int_equal(uiommu_sim_atc_dma(&atc, &a, &v, 8, NULL), 0);
	assert_int_not_equal(cons_inside, rd(b, CMDQ_PROD));
	assert_int_equal(rd(b, CMDQ_CONS), rd(b, CMDQ_PROD));
}

static void atc_no_permission(void **state)
{
	struct bed *b = *state;
	uint64_t v;

	stream(b, 1);
	assert_int_equal(atc_read(VA + 0x9000, &v), -UIOMMU_EACCES);
	no_event(b);
}

/* ---- page requests ---- */

static void request(struct bed *b, uint16_t prgi, bool last)
{
	uiommu_sim_smmuv3_page_request(b->sim, &(struct uiommu_sim_page_request){
		.stream_id = SID, .ssv = true, .substream_id = 0x54321, .read = true,
		.priv = true, .last = last, .prgi = prgi, .iova = VA | 0xabc });
}

static uint64_t priq_on(struct bed *b)
{
	uint64_t q = bed_alloc(b, 64);

	wr64(b, PRIQ_BASE, q | PRIQ_LG2);
	wr(b, IRQ_CTRL, 7);
	wr(b, CR0, 15);
	return q;
}

static void page_request_record(void **state)
{
	struct bed *b = *state;
	uint64_t q = priq_on(b);

	request(b, 0x155, true);
	assert_int_equal(rd(b, PRIQ_PROD), 1);
	assert_true(mem(b, q) == (SID | (uint64_t)0x54321 << 32 | BIT(58) | BIT(60) | BIT(62) |
				  BIT(63)));
	assert_true(mem(b, q + 8) == (VA | 0x155));
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_PRIQ], 1);
	assert_int_equal(responses, 0);
}

static void pri_resp(void **state)
{
	struct bed *b = *state;

	cmd(b, 0x41 | BIT(11) | (uint64_t)0x54321 << 12 | (uint64_t)SID << 32, 0x155 | 2 << 12);
	assert_int_equal(responses, 1);
	assert_true(last_resp.stream_id == SID && last_resp.ssv &&
		    last_resp.substream_id == 0x54321 && last_resp.prgi == 0x155 &&
		    last_resp.resp == 2);
	cmd(b, 0x41, 3 << 12);		/* reserved */
	assert_int_equal(rd(b, CMDQ_CONS) >> 24, 1);
}

static void overflow(struct bed *b)
{
	priq_on(b);
	for (unsigned i = 0; i < 2; i++)
		request(b, 1, false);
	request(b, 2, false);
	assert_int_equal(responses, 0);
	assert_true(rd(b, PRIQ_PROD) & BIT(31));
}

static void priq_overflow(void **state)
{
	struct bed *b = *state;

	stream(b, 1);
	overflow(b);
	request(b, 2, true);
	assert_int_equal(responses, 1);
	assert_int_equal(last_resp.resp, 2);
	assert_int_equal(last_resp.prgi, 2);
	assert_false(last_resp.ssv);			/* STE.PPAR is 0 */
	/* a Stop Marker has no answer */
	uiommu_sim_smmuv3_page_request(b->sim, &(struct uiommu_sim_page_request){
		.stream_id = SID, .ssv = true, .substream_id = 1, .last = true });
	assert_int_equal(responses, 1);
}

/* room alone does not help: the overflow must have been acknowledged */
static void priq_overflow_keeps_requests_out(void **state)
{
	struct bed *b = *state;

	stream(b, 1);
	overflow(b);
	wr(b, PRIQ_CONS, 2);
	request(b, 3, true);
	assert_int_equal(responses, 1);
	assert_int_equal(rd(b, PRIQ_PROD), BIT(31) | 2);
	wr(b, PRIQ_CONS, BIT(31) | 2);
	request(b, 3, true);
	assert_int_equal(responses, 1);
	assert_int_equal(rd(b, PRIQ_PROD), BIT(31) | 3);
}

/* the answer has the PASID if STE.PPAR says so, or IDR3.PPS; without a good STE it is
 * failure; a request without PASID is none of this */
static void priq_overflow_pasid(void **state)
{
	struct bed *b = *state;
	struct s1 s = stream(b, 1);

	put_ste(b, SID, ste_s1(s.cd, 0, 0), EATS(1) | BIT(18));
	overflow(b);
	request(b, 4, true);
	assert_true(last_resp.ssv && last_resp.substream_id == 0x54321 && last_resp.resp == 2);
	put_ste(b, SID, 0, 0);
	cmd(b, OP_CFGI_STE(SID), 0);
	request(b, 5, true);
	assert_true(!last_resp.ssv && last_resp.resp == 0);
	uiommu_sim_smmuv3_page_request(b->sim, &(struct uiommu_sim_page_request){
		.stream_id = SID, .read = true, .last = true, .prgi = 6 });
	assert_true(!last_resp.ssv && last_resp.resp == 2);
	no_event(b);
}

static void pps(void **state)
{
	struct uiommu_sim_smmuv3_config c = full_cfg();
	struct bed *b;

	(void)state;
	c.ats = c.pri = c.pps = true;
	c.priq_max_lg2 = 5;
	b = bed_new_env(&c, on_inv, on_response);
	responses = 0;
	assert_true(rd(b, IDR3) & BIT(5));
	overflow(b);
	request(b, 4, true);			/* no STE at all */
	assert_true(last_resp.ssv && last_resp.substream_id == 0x54321 && last_resp.resp == 2);
	bed_free(b);
}

/* PRIQ_IRQ_CFG2.LO: an interrupt with the last of a group, not with the first entry */
static void priq_lo(void **state)
{
	struct bed *b = *state;

	wr(b, 0xdc, BIT(31));
	priq_on(b);
	request(b, 1, false);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_PRIQ], 0);
	request(b, 1, true);
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_PRIQ], 1);
}

/* every request is answered with failure, the last of a group or not, without PASID */
static void priq_off(void **state)
{
	struct bed *b = *state;

	request(b, 2, true);
	request(b, 2, false);
	assert_int_equal(responses, 2);
	assert_int_equal(last_resp.resp, 0);
	assert_false(last_resp.ssv);
}

static void priq_abort(void **state)
{
	struct bed *b = *state;

	wr64(b, PRIQ_BASE, NOWHERE | PRIQ_LG2);
	wr(b, CR0, 15);
	request(b, 2, true);
	assert_int_equal(rd(b, GERROR), BIT(3));
	assert_int_equal(last_resp.resp, 0);
}

/* more answers than can be kept: the queue waits for them to be delivered */
static void many_responses(void **state)
{
	struct bed *b = *state;
	uint64_t q = bed_alloc(b, 16 << 8);

	wr(b, CR0, 0);
	wr64(b, CMDQ_BASE, q | 8);
	wr(b, CMDQ_CONS, 0);
	wr(b, CMDQ_PROD, 0);
	wr(b, CR0, 13);
	for (unsigned i = 0; i < 200; i++) {
		set_mem(b, q + i * 16, 0x41 | (uint64_t)SID << 32);
		set_mem(b, q + i * 16 + 8, i);
	}
	wr(b, CMDQ_PROD, 200);
	assert_int_equal(responses, 200);
	assert_int_equal(rd(b, CMDQ_CONS), 200);
}

/* ---- failure and reset ---- */

static void service_failure_mode(void **state)
{
	struct bed *b = *state;
	uint64_t v;

	stream(b, 1);
	assert_int_equal(dma_read(b, SID, VA, &v), 0);
	uiommu_sim_smmuv3_fail(b->sim);
	assert_int_equal(rd(b, GERROR), BIT(8));
	assert_int_equal(b->irqs[UIOMMU_SIM_IRQ_GERROR], 1);
	assert_int_equal(dma_read(b, SID, VA, &v), ABORTED);
	assert_int_equal(ask(b, VA, false).status, UIOMMU_SIM_ATS_CA);
	no_event(b);
	cmd(b, 0x46, 0);
	assert_int_not_equal(rd(b, CMDQ_CONS), rd(b, CMDQ_PROD));
	uiommu_sim_smmuv3_reset(b->sim);
	assert_int_equal(rd(b, GERROR), 0);
	assert_int_equal(rd(b, CR0), 0);
	assert_int_equal(dma_read(b, SID, RAM, &v), 0);		/* bypass */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ACASE(ats_grants), ACASE(ats_fault_is_no_event), ACASE(eats_0_is_refused),
		ACASE(bypass_is_refused), ACASE(smmuen_0_refuses), ACASE(config_errors),
		ACASE(bad_treq_record), ACASE(bad_streamid_is_ca), ACASE(eats_illegal),
		ACASE(eats_effectively_0), ACASE(translated_has_no_pasid),
		ACASE(translated_config_abort_is_silent), ACASE(rec_cfg_ats),
		ACASE(ignored_while_off), ACASE(priq_overflow_keeps_requests_out),
		ACASE(priq_overflow_pasid), ACASE(pps), ACASE(priq_lo),
		ACASE(translated_passes), ACASE(atschk), ACASE(eats_s1chk),
		ACASE(only_atc_inv_empties_atc), ACASE(atc_inv_all),
		ACASE(atc_off_asks_for_nothing),
		ACASE(atc_inv_size_reserved), ACASE(atc_inv_timeout),
		ACASE(sync_waits_for_atc), ACASE(sync_waits_for_dma_of_atc),
		ACASE(atc_no_permission), ACASE(page_request_record), ACASE(pri_resp),
		ACASE(priq_overflow), ACASE(priq_off), ACASE(priq_abort),
		ACASE(many_responses), ACASE(service_failure_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
