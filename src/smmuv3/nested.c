/* SPDX-License-Identifier: MIT */
/*
 * src/smmuv3/nested.c - stage 1 of a guest's on our stage 2, and what a guest says
 *
 * A guest's STE comes as its first two words, its commands as they stand in its queue.
 * Both are the enemy's: a field is taken over only where it is listed here. The formats
 * and what is refused are those of the Linux uAPI.
 */
#include "smmu.h"

#define DATA_SMMUV3		2u	/* IOMMU_HWPT_DATA_ARM_SMMUV3 */
#define VIOMMU_SMMUV3		1u	/* IOMMU_VIOMMU_TYPE_ARM_SMMUV3 */
#define INVALIDATE_SMMUV3	1u	/* IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3 */
#define EVENT_SMMUV3		1u	/* IOMMU_VEVENTQ_TYPE_ARM_SMMUV3 */

/* ---- a guest's STE ---- */

#define USER0	(FMASK(STE_V) | FMASK(STE_Config) | UIOMMU_SMMUV3_USER0_S1)

static int check_ste(const uint64_t ste[2])
{
	uint64_t eats = FGET(STE_EATS, ste[1]);

	if (ste[0] & ~USER0 || ste[1] & ~UIOMMU_SMMUV3_USER1)
		return -UIOMMU_EIO;
	if (eats != STE_EATS_ABORT && eats != STE_EATS_TRANS)
		return -UIOMMU_EIO;
	switch (FGET(STE_Config, ste[0])) {
	case STE_Config_ABORT:
	case STE_Config_BYPASS:
	case STE_Config_S1:
		return 0;
	default:
		return -UIOMMU_EIO;
	}
}

/* One that is not valid says nothing else: whatever stands in it aborts. */
int uiommu_smmuv3_nested_init(struct uiommu_domain *dom, struct uiommu_dev *dev,
			      const struct uiommu_user_data *user)
{
	const uint64_t *ste = user->data;

	(void)dev;
	if (user->type != DATA_SMMUV3)
		return -UIOMMU_EOPNOTSUPP;
	if (user->bytes != sizeof(dom->user))
		return -UIOMMU_EINVAL;
	if (!FGET(STE_V, ste[0]))
		return 0;
	dom->user[0] = ste[0];
	dom->user[1] = ste[1];
	return check_ste(dom->user);
}

unsigned uiommu_smmuv3_nested_config(const struct uiommu_domain *dom)
{
	switch (FGET(STE_Config, dom->user[0])) {
	case STE_Config_S1:
		return STE_Config_S1_S2;
	case STE_Config_BYPASS:
		return STE_Config_S2;
	default:
		return STE_Config_ABORT;
	}
}

/* Guests set up cacheable tables and buffers; nothing here makes it so where hardware
 * does not look into caches. */
bool uiommu_smmuv3_has_viommu(const struct uiommu_iommu *iommu, unsigned type)
{
	const struct smmu_caps *c = &to_smmu(iommu)->caps;

	return c->stage1 && c->stage2 && c->coherent &&
	       (type == VIOMMU_SMMUV3 ||
		(type == SMMU_VIOMMU_CMDQV && uiommu_smmuv3_cmdqv_usable(to_smmu(iommu))));
}

/* ---- a guest's commands ---- */

enum {
	VMID	= 1 << 0,	/* names a VMID: ours is put in its place */
	SID	= 1 << 1,	/* names a StreamID: looked up */
	RANGE	= 1 << 2,	/* may name a range */
	ATC	= 1 << 3,	/* for the device's own TLB, if it is on */
};

#define RANGE0	(FMASK(CMD_TLBI_NH_VA_NUM) | FMASK(CMD_TLBI_NH_VA_SCALE))
#define RANGE1	(FMASK(CMD_TLBI_NH_VA_TTL) | FMASK(CMD_TLBI_NH_VA_TG))
#define VA1	(FMASK(CMD_TLBI_NH_VA_Leaf) | FMASK(CMD_TLBI_NH_VA_Address) | RANGE1)

/* The eight that a guest may give, and the fields of each. */
static const struct guest_cmd {
	uint8_t opcode, becomes, what;
	uint64_t fields0, fields1;
} guest_cmds[] = {
	{ CMD_TLBI_NSNH_ALL, CMD_TLBI_NH_ALL, VMID, 0, 0 },
	{ CMD_TLBI_NH_ALL, CMD_TLBI_NH_ALL, VMID, 0, 0 },
	{ CMD_TLBI_NH_ASID, CMD_TLBI_NH_ASID, VMID, FMASK(CMD_TLBI_NH_ASID_ASID), 0 },
	{ CMD_TLBI_NH_VA, CMD_TLBI_NH_VA, VMID | RANGE, FMASK(CMD_TLBI_NH_VA_ASID) | RANGE0, VA1 },
	{ CMD_TLBI_NH_VAA, CMD_TLBI_NH_VAA, VMID | RANGE, RANGE0, VA1 },
	{ CMD_ATC_INV, CMD_ATC_INV, SID | ATC,
	  FMASK(CMD_ATC_INV_SSV) | FMASK(CMD_ATC_INV_SubstreamID) | FMASK(CMD_ATC_INV_Global),
	  FMASK(CMD_ATC_INV_Size) | FMASK(CMD_ATC_INV_Address) },
	{ CMD_CFGI_CD, CMD_CFGI_CD, SID, FMASK(CMD_CFGI_CD_SubstreamID), FMASK(CMD_CFGI_CD_Leaf) },
	{ CMD_CFGI_CD_ALL, CMD_CFGI_CD_ALL, SID, 0, 0 },
};

static const struct guest_cmd *find(uint64_t w0)
{
	for (size_t i = 0; i < sizeof(guest_cmds) / sizeof(guest_cmds[0]); i++)
		if (guest_cmds[i].opcode == FGET(CMD_Opcode, w0))
			return &guest_cmds[i];
	return NULL;
}

static bool known_tg(const struct smmu_caps *c, uint64_t tg)
{
	static const uint8_t lg2[] = {
		[CMD_TLBI_TG_4K] = 12, [CMD_TLBI_TG_16K] = 14, [CMD_TLBI_TG_64K] = 16,
	};

	return c->granules >> lg2[tg] & 1;
}

/*
 * Without a granule the range fields say nothing. Of a range one page without a hint
 * of its level is reserved (IHI 0070, 4.4.1.1): it is a page all the same.
 */
static int check_range(const struct smmu_caps *c, uint64_t cmd[CMD_WORDS])
{
	uint64_t tg = FGET(CMD_TLBI_NH_VA_TG, cmd[1]);

	if (!tg && (cmd[0] & RANGE0 || cmd[1] & RANGE1))
		return -UIOMMU_EIO;
	if (tg && (!c->ril || !known_tg(c, tg)))
		return -UIOMMU_EIO;
	if (!(cmd[0] & RANGE0) && !FGET(CMD_TLBI_NH_VA_TTL, cmd[1]))
		cmd[1] &= ~RANGE1;
	return 0;
}

/* A size beyond all of the address space is reserved. */
static bool bad_size(const struct guest_cmd *g, uint64_t w1)
{
	return g->what & ATC && FGET(CMD_ATC_INV_Size, w1) > CMD_ATC_INV_Size_ALL;
}

/* @in as the guest gave it becomes @out as hardware gets it. 1: there is nothing to do. */
static int convert(const struct uiommu_viommu *v, const uint64_t in[CMD_WORDS],
		   uint64_t out[CMD_WORDS])
{
	const struct guest_cmd *g = find(in[0]);
	struct uiommu_dev *dev;

	if (!g)
		return -UIOMMU_EIO;
	out[0] = in[0] & ~(FMASK(CMD_Opcode) | (g->what & VMID ? FMASK(CMD_TLBI_NH_VA_VMID) : 0) |
			   (g->what & SID ? FMASK(CMD_CFGI_CD_StreamID) : 0));
	out[1] = in[1];
	if (out[0] & ~g->fields0 || out[1] & ~g->fields1 || bad_size(g, out[1]))
		return -UIOMMU_EIO;
	out[0] |= FPREP(CMD_Opcode, g->becomes);
	if (g->what & RANGE && check_range(&to_smmu(v->iommu)->caps, out))
		return -UIOMMU_EIO;
	if (g->what & VMID)
		out[0] |= FPREP(CMD_TLBI_NH_VA_VMID, v->link->tag);
	if (!(g->what & SID))
		return 0;
	dev = uiommu_viommu_find(v, FGET(CMD_CFGI_CD_StreamID, in[0]));
	if (!dev)
		return -UIOMMU_EIO;
	out[0] |= FPREP(CMD_CFGI_CD_StreamID, dev->streams[0].id);
	if (!(g->what & ATC) || uiommu_smmuv3_ats_on(dev))
		return 0;
	uiommu_smmuv3_ats_closed(to_smmu(v->iommu), dev);
	return 1;
}

/* Up to a batch of them, from @cmd on. *@took: how many have been done. */
static int run_some(struct uiommu_viommu *v, const uint64_t *cmd, size_t n, size_t *took)
{
	struct smmu *s = to_smmu(v->iommu);
	struct smmu_batch b;
	size_t i, given;
	int err = 0, failed;

	uiommu_smmuv3_batch_begin(s, &b);
	for (i = 0; i < n && b.n < SMMU_BATCH; i++, cmd += CMD_WORDS) {
		uint64_t out[CMD_WORDS];

		err = convert(v, cmd, out);
		if (err < 0)
			break;
		if (!err)
			uiommu_smmuv3_batch_add(s, &b, out[0], out[1]);
	}
	given = b.n;
	failed = given ? uiommu_smmuv3_batch_sync(s, &b) : 0;
	if (!failed && uiommu_smmuv3_batch_unanswered(&b))
		uiommu_smmuv3_atc_ask_each(s, b.cmd[0], given);
	*took = failed ? 0 : i;
	return failed ? -UIOMMU_EIO : err < 0 ? err : 0;
}

int uiommu_smmuv3_viommu_invalidate(struct uiommu_viommu *v, const struct uiommu_user_data *inv,
				    size_t n, size_t *handled)
{
	const uint64_t *cmd = inv->data;
	int err = 0;

	*handled = 0;
	if (inv->type != INVALIDATE_SMMUV3 || inv->bytes != n * CMD_WORDS * sizeof(*cmd))
		return -UIOMMU_EINVAL;
	while (*handled < n && !err) {
		size_t took;

		err = run_some(v, cmd + *handled * CMD_WORDS, n - *handled, &took);
		*handled += took;
	}
	return err;
}

/* ---- what a guest is told ---- */

/* Events of stage 1 that are the guest's doing; stalls are answered, not told. */
static bool is_guests(const struct uiommu_fault *f)
{
	if (f->flags & (UIOMMU_FAULT_STAGE2 | UIOMMU_FAULT_STALLED))
		return false;
	switch (f->code) {
	case EVT_C_BAD_STE:
	case EVT_F_STREAM_DISABLED:
	case EVT_C_BAD_SUBSTREAMID:
	case EVT_C_BAD_CD:
	case EVT_F_TRANSLATION:
	case EVT_F_ADDR_SIZE:
	case EVT_F_ACCESS:
	case EVT_F_PERMISSION:
		return true;
	default:
		return false;
	}
}

size_t uiommu_smmuv3_viommu_event(const struct uiommu_vdevice *vd, const struct uiommu_fault *f,
				  unsigned *type, uint64_t record[UIOMMU_RECORD_WORDS])
{
	if (!is_guests(f))
		return 0;
	*type = EVENT_SMMUV3;
	for (unsigned i = 0; i < UIOMMU_RECORD_WORDS; i++)
		record[i] = f->raw[i];
	record[0] = FSET(EVT_StreamID, record[0], vd->virt_id);
	return UIOMMU_RECORD_WORDS * sizeof(*record);
}
