/* SPDX-License-Identifier: MIT */
/*
 * The virtual SMMU of examples/vmm, register by register, with a host that only takes
 * notes and a guest that is this test. What its queues must do is IHI 0070's.
 */
#include "rig.h"

/* ---- the guest ---- */

#define CMDQ	(BOARD_RAM + 0x1000)	/* of 16 */
#define EVTQ	(BOARD_RAM + 0x2000)	/* of 4 */
#define PRIQ	(BOARD_RAM + 0x3000)	/* of 4 */
#define STRTAB	(BOARD_RAM + 0x10000)	/* linear, 6 bits */
#define CDTAB	(BOARD_RAM + 0x5000)
#define MSI	(BOARD_RAM + 0x6000)
#define SID(d)	(0x10 + 8 * (d))
#define NEWS	0x123456789abcdefull

static uint32_t rd(unsigned off)
{
	return vsmmu_mmio_ops.read32(&vm.smmu, off);
}

static void wr(unsigned off, uint32_t v)
{
	vsmmu_mmio_ops.write32(&vm.smmu, off, v);
}

static void wr64(unsigned off, uint64_t v)
{
	vsmmu_mmio_ops.write64(&vm.smmu, off, v);
}

static void idle(void)
{
	vsmmu_idle(&vm.smmu);
}

static void set_ste(unsigned d, uint64_t config, uint64_t word1)
{
	at(STRTAB + SID(d) * 64)[0] = FCONST(STE_V, 1) | FPREP(STE_Config, config) | CDTAB |
				      FPREP(STE_S1CDMax, 2);
	at(STRTAB + SID(d) * 64)[1] = word1;
}

static void put(uint64_t w0, uint64_t w1)
{
	uint32_t prod = vsmmu_get(&vm.smmu, SMMU_CMDQ_PROD);

	at(CMDQ)[2 * (prod % 16)] = w0;
	at(CMDQ)[2 * (prod % 16) + 1] = w1;
	vsmmu_set(&vm.smmu, SMMU_CMDQ_PROD, (prod + 1) % 32);
}

static void go(void)
{
	wr(SMMU_CMDQ_PROD, vsmmu_get(&vm.smmu, SMMU_CMDQ_PROD));
}

static void one(uint64_t w0, uint64_t w1)
{
	put(w0, w1);
	go();
}

#define OP(c)	FPREP(CMD_Opcode, CMD_##c)
#define OF(d)	FPREP(CMD_CFGI_STE_StreamID, SID(d))
#define ALL_ON	(FMASK(CR0_CMDQEN) | FMASK(CR0_EVENTQEN) | FMASK(CR0_PRIQEN))

static const struct host_smmu smmu = {
	.idr = { FMASK(IDR0_S1P) | FMASK(IDR0_S2P) | FMASK(IDR0_ATS) | FMASK(IDR0_PRI) |
		 FMASK(IDR0_ASID16) | FMASK(IDR0_HTTU) | FMASK(IDR0_Hyp) | FMASK(IDR0_CD2L),
		 FCONST(IDR1_SSIDSIZE, 20) | FCONST(IDR1_SIDSIZE, 10), 0, FMASK(IDR3_RIL), 0,
		 FMASK(IDR5_GRAN4K) | FCONST(IDR5_OAS, IDR5_OAS_44) },
	.pasid_bits = 20,
};

/* Two devices; queues set up and on, the SMMU itself off. */
static int setup(void **state)
{
	rig_reset();
	vsmmu_init(&vm.smmu, &vm, &smmu);
	for (unsigned i = 0; i < 2; i++)
		vsmmu_device_come(&vm.smmu, &(struct vdev){
			.fd = 3, .id = i, .board = { .name = "d", .stream_id = SID(i), .pri = true } });
	wr64(SMMU_CMDQ_BASE, CMDQ | 4);
	wr64(SMMU_EVENTQ_BASE, EVTQ | 2);
	wr64(SMMU_PRIQ_BASE, PRIQ | 2);
	wr64(SMMU_STRTAB_BASE, STRTAB);
	wr(SMMU_STRTAB_BASE_CFG, 6);
	wr(SMMU_CR0, ALL_ON);
	return 0;
}

static void enable(void)
{
	wr(SMMU_CR0, ALL_ON | FMASK(CR0_SMMUEN));
}

static bool blocked(unsigned d)
{
	return !host.ste[d][0];
}

static bool bypasses(unsigned d)
{
	return host.ste[d][0] == (FMASK(STE_V) | FPREP(STE_Config, STE_Config_BYPASS));
}

static bool translates(unsigned d)
{
	return FGET(STE_Config, host.ste[d][0]) == STE_Config_S1;
}

/* What it has is not left as it came: it may have been another VM's. */
static void a_device_that_comes_has_what_its_ste_says(void **state)
{
	struct vdev *d = &vm.dev[1];

	set_ste(1, STE_Config_S1, 0);
	enable();
	assert_true(translates(1));
	*d = (struct vdev){ .fd = -1 };
	host.ste[1][0] = 0;
	d = vsmmu_device_come(&vm.smmu, &(struct vdev){
		.fd = 3, .id = 1, .board = { .name = "d", .stream_id = SID(1) } });
	assert_true(translates(1) && d->hwpt);
	*d = (struct vdev){ .fd = -1 };
	host.ste[2][0] = ~0ull;
	d = vsmmu_device_come(&vm.smmu, &(struct vdev){
		.fd = 3, .id = 2, .board = { .name = "e", .stream_id = SID(2) } });
	assert_true(blocked(2) && d->hwpt);
}

/* ---- registers ---- */

static void says_what_it_is(void **state)
{
	uint32_t idr0 = rd(SMMU_IDR0);

	assert_true(idr0 & FMASK(IDR0_S1P) && idr0 & FMASK(IDR0_MSI) && idr0 & FMASK(IDR0_ATS) &&
		    idr0 & FMASK(IDR0_PRI) && idr0 & FMASK(IDR0_COHACC));
	assert_false(idr0 & (FMASK(IDR0_S2P) | FMASK(IDR0_Hyp) | FMASK(IDR0_HTTU)));
	assert_int_equal(FGET(IDR0_STALL_MODEL, idr0), IDR0_STALL_MODEL_TERMINATE);
	assert_int_equal(FGET(IDR1_SSIDSIZE, rd(SMMU_IDR1)), 20);
	wr(SMMU_IDR0, 0);
	wr(SMMU_GERROR, ~0u);
	wr(SMMU_CR0ACK, 0);
	assert_int_equal(rd(SMMU_IDR0), idr0);
	assert_int_equal(rd(SMMU_GERROR), 0);
	assert_int_equal(rd(SMMU_CR0ACK), ALL_ON);
	assert_int_equal(rd(0x20000 - 4), 0);	/* what is not there reads as zero */
}

static void what_is_in_use_is_not_written(void **state)
{
	wr64(SMMU_CMDQ_BASE, 0);
	wr(SMMU_CMDQ_CONS, 3);
	wr(SMMU_EVENTQ_PROD, 3);
	assert_int_equal(vsmmu_get64(&vm.smmu, SMMU_CMDQ_BASE), CMDQ | 4);
	assert_int_equal(rd(SMMU_CMDQ_CONS), 0);
	assert_int_equal(rd(SMMU_EVENTQ_PROD), 0);
	enable();
	wr64(SMMU_STRTAB_BASE, 0);
	wr(SMMU_STRTAB_BASE_CFG, 0);
	assert_int_equal(vsmmu_get64(&vm.smmu, SMMU_STRTAB_BASE), STRTAB);
	assert_int_equal(rd(SMMU_STRTAB_BASE_CFG), 6);
	wr(SMMU_IRQ_CTRL, FMASK(IRQ_CTRL_EVENTQ_IRQEN));
	wr64(SMMU_EVENTQ_IRQ_CFG0, MSI);
	assert_int_equal(rd(SMMU_EVENTQ_IRQ_CFG0), 0);
	wr(SMMU_IRQ_CTRL, 0);
	wr64(SMMU_EVENTQ_IRQ_CFG0, MSI);
	assert_int_equal(rd(SMMU_EVENTQ_IRQ_CFG0), MSI);
}

static void gbpa_counts_while_it_is_off(void **state)
{
	assert_true(blocked(0) && blocked(1));
	wr(SMMU_GBPA, 0);
	assert_true(rd(SMMU_GBPA) & FMASK(GBPA_ABORT));	/* without Update nothing changes */
	wr(SMMU_GBPA, FMASK(GBPA_Update));
	assert_int_equal(rd(SMMU_GBPA) & (FMASK(GBPA_Update) | FMASK(GBPA_ABORT)), 0);
	assert_true(bypasses(0) && bypasses(1));
	enable();
	assert_true(blocked(0) && blocked(1));		/* their STEs are not valid */
	wr(SMMU_CR0, ALL_ON);
	assert_true(bypasses(0) && bypasses(1));
	assert_int_equal(host.live, 2);
}

/* ---- STEs ---- */

static void an_ste_is_read_when_the_guest_says_so(void **state)
{
	enable();
	set_ste(0, STE_Config_S1, NEWS);
	assert_true(blocked(0));
	one(OP(CFGI_STE) | OF(1), 0);
	assert_true(blocked(0));
	one(OP(CFGI_STE) | OF(0), 0);
	assert_true(translates(0) && blocked(1));
	assert_int_equal(host.ste[0][0], at(STRTAB + SID(0) * 64)[0]);
	assert_int_equal(host.ste[0][1], NEWS & (FMASK(STE_S1DSS) | FMASK(STE_S1CIR) |
			 FMASK(STE_S1COR) | FMASK(STE_S1CSH) | FMASK(STE_S1STALLD) |
			 FMASK(STE_EATS)));
	set_ste(0, STE_Config_BYPASS, NEWS);
	set_ste(1, STE_Config_S1, 0);
	one(OP(CFGI_STE_RANGE) | OF(0), 2);		/* 8 of them: not the other's */
	assert_true(bypasses(0) && blocked(1));
	one(OP(CFGI_STE_RANGE), 31);
	assert_true(translates(1));
	/* the same again: the host forgets the CDs, so it is told */
	host.nested = 0;
	one(OP(CFGI_STE) | OF(1), 0);
	assert_int_equal(host.nested, 1);
	assert_int_equal(host.live, 2);
}

static void an_ste_that_says_nothing_legal_aborts(void **state)
{
	static const uint64_t bad[] = { STE_Config_S2, STE_Config_S1_S2, STE_Config_ABORT, 1, 3 };

	enable();
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		set_ste(0, STE_Config_S1, 0);
		one(OP(CFGI_STE) | OF(0), 0);
		assert_true(translates(0));
		set_ste(0, bad[i], 0);
		one(OP(CFGI_STE) | OF(0), 0);
		assert_true(blocked(0));
	}
	set_ste(0, STE_Config_S1, 0);
	host.refuse = EIO;				/* the host knows better */
	one(OP(CFGI_STE) | OF(0), 0);
	assert_true(blocked(0));
	one(OP(CFGI_STE) | OF(0), 0);
	assert_true(translates(0));
	wr(SMMU_CR0, ALL_ON);
	wr(SMMU_STRTAB_BASE_CFG, 4);			/* a table without its StreamID */
	enable();
	assert_true(blocked(0));
	assert_int_equal(host.live, 2);
}

static void a_table_of_two_levels(void **state)
{
	wr(SMMU_STRTAB_BASE_CFG, 8 | FPREP(STRTAB_BASE_CFG_SPLIT, 6) |
				 FPREP(STRTAB_BASE_CFG_FMT, STRTAB_BASE_CFG_FMT_TWO_LEVEL));
	wr64(SMMU_STRTAB_BASE, BOARD_RAM + 0x8000);
	set_ste(0, STE_Config_S1, 0);
	set_ste(1, STE_Config_S1, 0);
	at(BOARD_RAM + 0x8000)[0] = STRTAB | 5;		/* the first 16 */
	enable();
	assert_true(blocked(0) && blocked(1));
	at(BOARD_RAM + 0x8000)[0] = STRTAB | 6;		/* 32 */
	one(OP(CFGI_STE_RANGE), 31);
	assert_true(translates(0) && translates(1));
	at(BOARD_RAM + 0x8000)[0] = STRTAB | 9;		/* more than SPLIT has */
	one(OP(CFGI_STE_RANGE), 31);
	assert_true(blocked(0) && blocked(1));
	at(BOARD_RAM + 0x8000)[0] = 0x8000 | 7;		/* where no memory is */
	one(OP(CFGI_STE_RANGE), 31);
	assert_true(blocked(0));
}

/* ---- commands ---- */

static void neighbours_go_in_one_call(void **state)
{
	enable();
	for (unsigned i = 0; i < 5; i++)
		put(OP(TLBI_NH_VA) | FPREP(CMD_TLBI_NH_VA_ASID, i), 0x1000 * i);
	put(OP(ATC_INV) | OF(1), 0);
	put(OP(CFGI_STE) | OF(0), 0);
	put(OP(TLBI_NH_ALL), 0);
	put(OP(SYNC), 0);
	go();
	assert_int_equal(host.calls, 2);
	assert_int_equal(host.cmds, 7);
	assert_int_equal(host.cmd[4][1], 0x4000);
	assert_int_equal(rd(SMMU_CMDQ_CONS), 9);
	/* across the end of the ring */
	for (unsigned i = 0; i < 12; i++)
		put(OP(TLBI_NH_ASID), 0);
	go();
	assert_int_equal(host.calls, 3);
	assert_int_equal(host.cmds, 19);
	assert_int_equal(rd(SMMU_CMDQ_CONS), 21);
	vm.smmu.batch_max = 1;
	put(OP(TLBI_NH_ASID), 0);
	put(OP(TLBI_NH_ASID), 0);
	go();
	assert_int_equal(host.calls, 5);
}

static void of_a_device_it_does_not_have(void **state)
{
	enable();
	put(OP(CFGI_CD) | FPREP(CMD_CFGI_CD_StreamID, 0x99), 0);
	put(OP(ATC_INV) | FPREP(CMD_CFGI_CD_StreamID, 0x99), 0);
	put(OP(CFGI_CD_ALL) | OF(0), 0);
	go();
	assert_int_equal(host.cmds, 1);			/* those have no effect */
	assert_int_equal(rd(SMMU_CMDQ_CONS), 3);
	assert_int_equal(rd(SMMU_GERROR), 0);
}

/* The queue stands at the command, until the guest has put it right and says so. */
static void stands(uint32_t cons, unsigned cerror)
{
	assert_int_equal(FGET(CMDQ_CONS_RD, rd(SMMU_CMDQ_CONS)), cons);
	assert_int_equal(FGET(CMDQ_CONS_ERR, rd(SMMU_CMDQ_CONS)), cerror);
	assert_int_equal((rd(SMMU_GERROR) ^ rd(SMMU_GERRORN)), FMASK(GERROR_CMDQ_ERR));
	go();
	assert_int_equal(FGET(CMDQ_CONS_RD, rd(SMMU_CMDQ_CONS)), cons);
}

static void put_right(uint32_t cons)
{
	at(CMDQ)[2 * (cons % 16)] = OP(SYNC);
	at(CMDQ)[2 * (cons % 16) + 1] = 0;
	wr(SMMU_GERRORN, rd(SMMU_GERROR));
}

static void what_is_illegal_stops_the_queue(void **state)
{
	const uint64_t bad[] = {
		0x00, OP(TLBI_EL2_ALL), OP(TLBI_S12_VMALL), OP(TLBI_S2_IPA), OP(RESUME),
		OP(STALL_TERM), OP(SYNC) | FPREP(CMD_SYNC_CS, 3),
		OP(CFGI_STE) | FMASK(CMD_CFGI_STE_SSec), 0xff, OP(TLBI_EL3_ALL), OP(CFGI_VMS_PIDM),
	};
	unsigned n = sizeof(bad) / sizeof(bad[0]);

	wr(SMMU_IRQ_CTRL, FMASK(IRQ_CTRL_GERROR_IRQEN));
	for (unsigned i = 0; i < n; i++) {
		uint32_t cons = 2 * i % 32;

		vm.irqs = 0;
		put(bad[i], 0);
		put(OP(TLBI_NH_ALL), 0);
		go();
		stands(cons, CERROR_ILL);
		assert_int_equal(vm.irqs, 1u << BOARD_IRQ_GERROR);
		assert_int_equal(host.cmds, i);
		put_right(cons);
		assert_int_equal(FGET(CMDQ_CONS_RD, rd(SMMU_CMDQ_CONS)), (cons + 2) % 32);
		assert_int_equal(host.cmds, i + 1);
	}
}

static void what_the_host_refuses_too(void **state)
{
	host.refused = CMD_TLBI_NH_VAA;
	put(OP(TLBI_NH_ALL), 0);
	put(OP(TLBI_NH_VAA), 0);
	put(OP(TLBI_NH_ASID), 0);
	go();
	assert_int_equal(host.cmds, 1);
	stands(1, CERROR_ILL);
	put_right(1);
	assert_int_equal(host.cmds, 2);
	assert_int_equal(FGET(CMDQ_CONS_RD, rd(SMMU_CMDQ_CONS)), 3);
}

static void what_cannot_be_read(void **state)
{
	wr(SMMU_CR0, 0);
	wr64(SMMU_CMDQ_BASE, 0x1000 | 4);
	wr(SMMU_CR0, ALL_ON);
	go();
	assert_int_equal(rd(SMMU_GERROR), 0);
	wr(SMMU_CMDQ_PROD, 1);
	assert_int_equal(FGET(CMDQ_CONS_ERR, rd(SMMU_CMDQ_CONS)), CERROR_ABT);
	assert_int_equal(rd(SMMU_GERROR), FMASK(GERROR_CMDQ_ERR));
}

static void sync_says_when(void **state)
{
	one(OP(SYNC) | FPREP(CMD_SYNC_CS, CMD_SYNC_CS_SIG_IRQ) | FPREP(CMD_SYNC_MSIData, 77), MSI);
	assert_int_equal(*(uint32_t *)(void *)at(MSI), 77);
	one(OP(SYNC) | FPREP(CMD_SYNC_CS, CMD_SYNC_CS_SIG_IRQ) |
	    FPREP(CMD_SYNC_MSIData, BOARD_IRQ_SYNC), BOARD_DOORBELL);
	assert_int_equal(vm.irqs, 1u << BOARD_IRQ_SYNC);
	vm.irqs = 0;
	one(OP(SYNC) | FPREP(CMD_SYNC_CS, CMD_SYNC_CS_SIG_IRQ), 0);
	assert_int_equal(vm.irqs, 1u << BOARD_IRQ_SYNC);
	assert_int_equal(rd(SMMU_GERROR), 0);
	one(OP(SYNC) | FPREP(CMD_SYNC_CS, CMD_SYNC_CS_SIG_IRQ), 0x1000);
	assert_int_equal(rd(SMMU_GERROR), FMASK(GERROR_MSI_CMDQ_ABT_ERR));
	assert_int_equal(rd(SMMU_CMDQ_CONS), 4);	/* that stops nothing */
}

/* ---- events ---- */

static void an_event(uint64_t n)
{
	const struct host_event e = { .words = { 0x10 | n << 32, n, n, n } };

	vsmmu_event(&vm.smmu, &e);
	idle();
}

static void events_go_into_the_queue(void **state)
{
	wr64(SMMU_EVENTQ_IRQ_CFG0, BOARD_DOORBELL);
	wr(SMMU_EVENTQ_IRQ_CFG0 + 8, BOARD_IRQ_EVTQ);
	wr(SMMU_IRQ_CTRL, FMASK(IRQ_CTRL_EVENTQ_IRQEN));
	an_event(1);
	assert_int_equal(vm.irqs, 1u << BOARD_IRQ_EVTQ);
	assert_int_equal(rd(SMMU_EVENTQ_PROD), 1);
	assert_int_equal(at(EVTQ)[0], 0x10 | 1ull << 32);
	vm.irqs = 0;
	an_event(2);
	assert_int_equal(vm.irqs, 0);			/* it was not empty */
	assert_int_equal(at(EVTQ)[4 + 3], 2);
	wr(SMMU_EVENTQ_CONS, 2);
	an_event(3);
	assert_int_equal(vm.irqs, 1u << BOARD_IRQ_EVTQ);
}

static void a_full_queue_says_so_once(void **state)
{
	for (unsigned i = 0; i < 6; i++)
		an_event(i);
	assert_int_equal(rd(SMMU_EVENTQ_PROD), 4 | FMASK(EVENTQ_PROD_OVFLG));
	wr(SMMU_EVENTQ_CONS, 1);			/* room, and not acknowledged */
	an_event(7);
	assert_int_equal(rd(SMMU_EVENTQ_PROD), 5 | FMASK(EVENTQ_PROD_OVFLG));
	assert_int_equal(at(EVTQ)[3], 7);
	an_event(8);					/* full again: nothing new to say */
	assert_int_equal(rd(SMMU_EVENTQ_PROD), 5 | FMASK(EVENTQ_PROD_OVFLG));
	wr(SMMU_EVENTQ_CONS, 5 | FMASK(EVENTQ_CONS_OVACKFLG));
	vsmmu_event(&vm.smmu, &(struct host_event){ .lost = true });
	idle();						/* lost before they came here */
	assert_int_equal(rd(SMMU_EVENTQ_PROD), 5);
}

static void a_queue_that_is_off_or_nowhere(void **state)
{
	wr(SMMU_CR0, FMASK(CR0_CMDQEN));
	an_event(1);
	assert_int_equal(rd(SMMU_EVENTQ_PROD), 0);
	wr64(SMMU_EVENTQ_BASE, 0x1000 | 2);
	wr(SMMU_CR0, ALL_ON);
	an_event(2);
	assert_int_equal(rd(SMMU_GERROR), FMASK(GERROR_EVENTQ_ABT_ERR));
	an_event(3);
	assert_int_equal(rd(SMMU_EVENTQ_PROD), 0);
	assert_int_equal(rd(SMMU_GERROR), FMASK(GERROR_EVENTQ_ABT_ERR));
}

/* ---- page requests ---- */

static void a_request(unsigned d, uint32_t grpid, uint32_t cookie, bool last)
{
	const struct host_page_request r = { .dev = d, .pasid = 5, .has_pasid = true,
					     .grpid = grpid, .cookie = cookie, .addr = 0x7000,
					     .write = true, .last = last };

	vsmmu_page_request(&vm.smmu, &r);
	idle();
}

static void answer(unsigned d, uint32_t grpid, unsigned resp)
{
	one(OP(PRI_RESP) | OF(d), FPREP(CMD_PRI_RESP_PRGIndex, grpid) |
				  FPREP(CMD_PRI_RESP_Resp, resp));
}

static void requests_are_answered_once(void **state)
{
	const uint64_t *rec = at(PRIQ);

	a_request(1, 3, 33, false);
	answer(1, 3, CMD_PRI_RESP_Resp_SUCCESS);	/* it has not been asked yet */
	assert_int_equal(host.responses, 0);
	a_request(1, 3, 33, true);
	a_request(0, 3, 44, true);
	assert_int_equal(rd(SMMU_PRIQ_PROD), 3);
	assert_int_equal(rec[2], FPREP(PRI_StreamID, SID(1)) | FPREP(PRI_SubstreamID, 5) |
				 FMASK(PRI_SSV) | FMASK(PRI_W) | FMASK(PRI_Last));
	assert_int_equal(rec[3], 0x7000 | 3);
	answer(0, 3, CMD_PRI_RESP_Resp_FAILURE);
	answer(1, 3, CMD_PRI_RESP_Resp_SUCCESS);
	answer(1, 3, CMD_PRI_RESP_Resp_SUCCESS);
	answer(1, 4, CMD_PRI_RESP_Resp_SUCCESS);
	assert_int_equal(host.responses, 2);
	assert_int_equal(host.cookie[0], 44);
	assert_false(host.success[0]);
	assert_int_equal(host.cookie[1], 33);
	assert_true(host.success[1]);
	a_request(3, 5, 55, true);			/* of a device that it does not have */
	assert_int_equal(host.responses, 3);
	assert_false(host.success[2]);
	answer(1, 3, 3);
	assert_int_equal(FGET(CMDQ_CONS_ERR, rd(SMMU_CMDQ_CONS)), CERROR_ILL);
}

static void nobody_waits_for_a_request_that_is_lost(void **state)
{
	for (unsigned i = 0; i < 4; i++)
		a_request(0, i, i, true);
	a_request(0, 4, 4, false);
	assert_int_equal(host.responses, 0);
	a_request(0, 4, 4, true);
	assert_int_equal(rd(SMMU_PRIQ_PROD), 4 | FMASK(PRIQ_PROD_OVFLG));
	assert_int_equal(host.responses, 1);
	assert_int_equal(host.cookie[0], 4);
	assert_true(host.success[0]);			/* ask again */
	wr(SMMU_PRIQ_CONS, 4);				/* room, but not acknowledged */
	a_request(0, 5, 5, true);
	assert_int_equal(host.responses, 2);
	wr(SMMU_PRIQ_CONS, 4 | FMASK(PRIQ_CONS_OVACKFLG));
	a_request(0, 6, 6, true);
	assert_int_equal(host.responses, 2);
	wr(SMMU_CR0, FMASK(CR0_CMDQEN));
	a_request(0, 7, 7, true);
	assert_int_equal(host.responses, 3);
	assert_false(host.success[2]);			/* nobody listens */
}

/* ---- late ---- */

/* Whatever the moments: the same has happened in the end, in the same order. */
static void late_is_not_never(void **state)
{
	const uint32_t on = ALL_ON | FMASK(CR0_SMMUEN);
	unsigned late = 0;

	for (uint64_t seed = 1; seed < 200; seed++) {
		setup(state);
		temper_init(&vm.smmu.temper, seed);
		wr(SMMU_CR0, on);
		for (unsigned n = 0; rd(SMMU_CR0ACK) != on; n++)
			assert_true(n < 1000);
		set_ste(0, STE_Config_S1, 0);
		for (unsigned i = 0; i < 9; i++)
			put(i == 5 ? OP(CFGI_STE) | OF(0) : OP(TLBI_NH_VA), 0x1000 * i);
		go();
		late += rd(SMMU_CMDQ_CONS) != 9;
		for (unsigned n = 0; rd(SMMU_CMDQ_CONS) != 9; n++)
			assert_true(n < 1000);
		assert_int_equal(host.cmds, 8);
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(host.cmd[i][1], 0x1000 * (i + (i > 4)));
		assert_true(translates(0));
	}
	assert_in_range(late, 50, 198);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_device_that_comes_has_what_its_ste_says, setup),
		cmocka_unit_test_setup(says_what_it_is, setup),
		cmocka_unit_test_setup(what_is_in_use_is_not_written, setup),
		cmocka_unit_test_setup(gbpa_counts_while_it_is_off, setup),
		cmocka_unit_test_setup(an_ste_is_read_when_the_guest_says_so, setup),
		cmocka_unit_test_setup(an_ste_that_says_nothing_legal_aborts, setup),
		cmocka_unit_test_setup(a_table_of_two_levels, setup),
		cmocka_unit_test_setup(neighbours_go_in_one_call, setup),
		cmocka_unit_test_setup(of_a_device_it_does_not_have, setup),
		cmocka_unit_test_setup(what_is_illegal_stops_the_queue, setup),
		cmocka_unit_test_setup(what_the_host_refuses_too, setup),
		cmocka_unit_test_setup(what_cannot_be_read, setup),
		cmocka_unit_test_setup(sync_says_when, setup),
		cmocka_unit_test_setup(events_go_into_the_queue, setup),
		cmocka_unit_test_setup(a_full_queue_says_so_once, setup),
		cmocka_unit_test_setup(a_queue_that_is_off_or_nowhere, setup),
		cmocka_unit_test_setup(requests_are_answered_once, setup),
		cmocka_unit_test_setup(nobody_waits_for_a_request_that_is_lost, setup),
		cmocka_unit_test_setup(late_is_not_never, setup),
	};

	return cmocka_run_group_tests_name("vsmmu", tests, NULL, NULL);
}
