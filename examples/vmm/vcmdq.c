/* SPDX-License-Identifier: MIT */
/*
 * vcmdq.c - the guest's command queue
 *
 * Neighbours that the host takes as they stand go to it in one call. A command that it
 * does not take, or that this SMMU does not have, stops the queue where it stands:
 * CERROR_ILL, until the guest has acknowledged GERROR.CMDQ_ERR (IHI 0070, 7.1).
 */
#include "vm.h"
#include "vsmmu.h"

/* Some commands from the queue, neighbours. */
struct taken {
	uint64_t cmd[VSMMU_BATCH][CMD_WORDS];
	unsigned n;
};

static uint32_t lg2_of(const struct vsmmu *v)
{
	uint64_t lg2 = FGET(CMDQ_BASE_LOG2SIZE, vsmmu_get(v, SMMU_CMDQ_BASE));
	uint64_t max = FGET(IDR1_CMDQS, vsmmu_get(v, SMMU_IDR1));

	return (uint32_t)(lg2 < max ? lg2 : max);
}

static uint32_t wrap_mask(const struct vsmmu *v)
{
	return (2u << lg2_of(v)) - 1;
}

static uint32_t waiting(const struct vsmmu *v)
{
	return (vsmmu_get(v, SMMU_CMDQ_PROD) - vsmmu_get(v, SMMU_CMDQ_CONS)) & wrap_mask(v);
}

static bool runs(const struct vsmmu *v)
{
	return vsmmu_get(v, SMMU_CR0ACK) & FMASK(CR0_CMDQEN) &&
	       !vsmmu_gerror_active(v, FMASK(GERROR_CMDQ_ERR)) && waiting(v);
}

/* The command @n places behind CONS. */
static bool peek(const struct vsmmu *v, unsigned n, uint64_t cmd[CMD_WORDS])
{
	uint64_t base = vsmmu_get64(v, SMMU_CMDQ_BASE) & FMASK(CMDQ_BASE_ADDR);
	uint32_t slot = (vsmmu_get(v, SMMU_CMDQ_CONS) + n) & ((1u << lg2_of(v)) - 1);

	return vm_read64(v->vm, base + slot * CMD_WORDS * 8ull, cmd, CMD_WORDS);
}

static void advance(struct vsmmu *v, unsigned n)
{
	uint32_t cons = vsmmu_get(v, SMMU_CMDQ_CONS);

	vsmmu_set(v, SMMU_CMDQ_CONS,
		  (uint32_t)FSET(CMDQ_CONS_RD, cons, (cons + n) & wrap_mask(v)));
	v->exits.commands += n;
}

static void stop(struct vsmmu *v, unsigned cerror)
{
	vsmmu_set(v, SMMU_CMDQ_CONS,
		  (uint32_t)FSET(CMDQ_CONS_ERR, vsmmu_get(v, SMMU_CMDQ_CONS), cerror));
	vsmmu_gerror(v, FMASK(GERROR_CMDQ_ERR));
}

/* ---- one by one ---- */

static bool do_nothing(struct vsmmu *v, const uint64_t *cmd)
{
	return true;
}

static uint32_t sid_of(const uint64_t *cmd)
{
	return (uint32_t)FGET(CMD_CFGI_STE_StreamID, cmd[0]);
}

static bool cfgi_ste(struct vsmmu *v, const uint64_t *cmd)
{
	vsmmu_stes_changed(v, sid_of(cmd), sid_of(cmd));
	return true;
}

static bool cfgi_ste_range(struct vsmmu *v, const uint64_t *cmd)
{
	uint64_t span = 2ull << FGET(CMD_CFGI_STE_RANGE_Range, cmd[1]);
	uint64_t first = sid_of(cmd) & ~(span - 1);

	vsmmu_stes_changed(v, (uint32_t)first, (uint32_t)(first + span - 1));
	return true;
}

static bool pri_resp(struct vsmmu *v, const uint64_t *cmd)
{
	uint64_t resp = FGET(CMD_PRI_RESP_Resp, cmd[1]);

	if (!(vsmmu_get(v, SMMU_IDR0) & FMASK(IDR0_PRI)) || resp > CMD_PRI_RESP_Resp_SUCCESS)
		return false;
	vsmmu_page_response(v, sid_of(cmd), (uint32_t)FGET(CMD_PRI_RESP_PRGIndex, cmd[1]),
			    resp == CMD_PRI_RESP_Resp_SUCCESS);
	return true;
}

/* What stands before it has been done. */
static bool sync_done(struct vsmmu *v, const uint64_t *cmd)
{
	uint64_t cs = FGET(CMD_SYNC_CS, cmd[0]), address = cmd[1] & FMASK(CMD_SYNC_MSIAddress);

	if (cs > CMD_SYNC_CS_SIG_SEV)
		return false;
	if (cs != CMD_SYNC_CS_SIG_IRQ)
		return true;
	if (!address)
		vm_raise_irq(v->vm, BOARD_IRQ_SYNC);
	else if (!vsmmu_message(v, address, (uint32_t)FGET(CMD_SYNC_MSIData, cmd[0])))
		vsmmu_gerror(v, FMASK(GERROR_MSI_CMDQ_ABT_ERR));
	return true;
}

/*
 * What this SMMU has; every other opcode is illegal. Those without a function are the
 * host's. It knows no device but the VM's: of @names_device commands only those are
 * given to it that name one.
 */
static const struct command {
	uint8_t opcode;
	bool names_device, ats;
	bool (*run)(struct vsmmu *v, const uint64_t *cmd);	/* false: illegal */
} commands[] = {
	{ CMD_PREFETCH_CONFIG, true, false, do_nothing },
	{ CMD_PREFETCH_ADDR, true, false, do_nothing },
	{ CMD_CFGI_STE, true, false, cfgi_ste },
	{ CMD_CFGI_STE_RANGE, true, false, cfgi_ste_range },
	{ CMD_CFGI_CD, true, false, NULL },
	{ CMD_CFGI_CD_ALL, true, false, NULL },
	{ CMD_TLBI_NH_ALL, false, false, NULL },
	{ CMD_TLBI_NH_ASID, false, false, NULL },
	{ CMD_TLBI_NH_VA, false, false, NULL },
	{ CMD_TLBI_NH_VAA, false, false, NULL },
	{ CMD_TLBI_NSNH_ALL, false, false, NULL },
	{ CMD_ATC_INV, true, true, NULL },
	{ CMD_PRI_RESP, true, false, pri_resp },
	{ CMD_SYNC, false, false, sync_done },
};

/* NULL: illegal, as it stands. */
static const struct command *command_of(const struct vsmmu *v, const uint64_t *cmd)
{
	for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *c = &commands[i];

		if (c->opcode != FGET(CMD_Opcode, cmd[0]))
			continue;
		if (c->names_device && FGET(CMD_CFGI_STE_SSec, cmd[0]))
			return NULL;
		if (c->ats && !(vsmmu_get(v, SMMU_IDR0) & FMASK(IDR0_ATS)))
			return NULL;
		return c;
	}
	return NULL;
}

static bool for_the_host(const struct vsmmu *v, const uint64_t *cmd)
{
	const struct command *c = command_of(v, cmd);

	return c && !c->run && (!c->names_device || vm_device_by_sid(v->vm, sid_of(cmd)));
}

/* ---- the host's ---- */

static void take(const struct vsmmu *v, unsigned max, struct taken *t)
{
	t->n = 0;
	while (t->n < max && t->n < waiting(v) && peek(v, t->n, t->cmd[t->n]) &&
	       for_the_host(v, t->cmd[t->n]))
		t->n++;
}

static void forward(struct vsmmu *v, const struct taken *t)
{
	unsigned done = 0;
	int err = host_invalidate(v->vm->iommufd, v->vm->viommu, t->cmd[0], t->n, &done);

	v->exits.batches++;
	advance(v, done);
	if (err)
		stop(v, CERROR_ILL);
}

static void run_one(struct vsmmu *v, const uint64_t *cmd)
{
	const struct command *c = command_of(v, cmd);

	if (!c || (c->run && !c->run(v, cmd)))
		stop(v, CERROR_ILL);
	else
		advance(v, 1);
}

/* One command, or as many as the host may take at once. */
bool vsmmu_cmdq_step(struct vsmmu *v)
{
	unsigned max = v->batch_max;
	struct taken t;

	if (!runs(v))
		return false;
	if (v->temper.hostile)
		max = 1 + temper_choose(&v->temper, max);
	take(v, max, &t);
	if (t.n)
		forward(v, &t);
	else if (peek(v, 0, t.cmd[0]))
		run_one(v, t.cmd[0]);
	else
		stop(v, CERROR_ABT);
	return true;
}
