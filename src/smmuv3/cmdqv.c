/* SPDX-License-Identifier: MIT */
/*
 * src/smmuv3/cmdqv.c - command queues that go to user hands (TEGRA241_CMDQV)
 *
 * A block beside the SMMU: queues (VCMDQ), given out to interfaces (VINTF). Queue l of
 * interface v is number v * per + l of all, so that who has one interface never has to
 * do with another's. Interface 0 is ours, the others are VMs'. What keeps a VM's commands
 * to itself is in three places that its hands do not reach: CONFIG.VMID of its interface,
 * with HYP_OWN=0; its pairs of SID_MATCH and SID_REPLACE; and CMDQ_ALLOC.
 *
 * A VM has page 0 of its interface and may write anything there at any time. So its
 * queues are set up by the registers by number, which it does not have, while they are
 * nobody's (CMDQ_ALLOC); and they are taken away before they are switched off for good.
 *
 * In a guest all of this is its VMM's to give: HYP_OWN reads as 0 there, and then our own
 * queue takes what a VM's may take.
 */
#include "smmu.h"

#define QUEUE_TYPE	1u		/* IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV */
#define VEVENT		2u		/* IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV */
#define HW_INFO		3u		/* IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV */
#define PAGE_BYTES	((uint64_t)CMDQV_STRIDE_PAGE)

/* As many as the registers have room for. */
#define QUEUES_MAX_LG2	7u
#define VINTFS_MAX_LG2	6u
#define SIDS_MAX_LG2	4u

/* ---- registers ---- */

static uint32_t get(const struct smmu_cmdqv *c, uint64_t off)
{
	return port_read32(&c->mmio, off);
}

static void set(const struct smmu_cmdqv *c, uint64_t off, uint32_t v)
{
	port_write32(&c->mmio, off, v);
}

/* Of an interface. */
static uint64_t vreg(unsigned vintf, unsigned reg)
{
	return CMDQV_AT_VINTF + (uint64_t)vintf * CMDQV_STRIDE_VINTF + reg;
}

/* Of a queue by its number, in pages that no VM has. */
static uint64_t qreg0(unsigned q, unsigned reg)
{
	return CMDQV_AT_VCMDQ_PAGE0 + (uint64_t)q * CMDQV_STRIDE_VCMDQ + reg;
}

static uint64_t qreg1(unsigned q, unsigned reg)
{
	return CMDQV_AT_VCMDQ_PAGE1 + (uint64_t)q * CMDQV_STRIDE_VCMDQ + reg;
}

static uint64_t alloc_reg(unsigned q)
{
	return CMDQV_CMDQ_ALLOC + 4 * q;
}

static uint64_t page0_of(unsigned vintf)
{
	return CMDQV_AT_VINTF_PAGE0 + (uint64_t)vintf * CMDQV_STRIDE_VINTF_PAGES;
}

/* @config says whether it is to be on; until bit 0 of @status says that it is so. Said
 * again and again: who has a queue may say the opposite. */
static int switch_to(const struct smmu *s, uint64_t config, uint32_t v, uint64_t status)
{
	const struct uiommu_host *h = s->host;
	struct smmu_patience p = { 0 };

	for (;;) {
		bool late = uiommu_smmuv3_waited(&p, h) > SMMU_TIMEOUT_NS;

		set(s->cmdqv, config, v);
		if ((get(s->cmdqv, status) & 1) == (v & 1))
			return 0;
		if (late)
			return -UIOMMU_ETIMEDOUT;
		host_relax(h);
	}
}

_Static_assert(FMASK(CMDQV_STATUS_CMDQV_ENABLED) == 1 && FMASK(VINTF_STATUS_ENABLED) == 1 &&
	       FMASK(VCMDQ_STATUS_ENABLED) == 1 && FMASK(CMDQV_CONFIG_CMDQV_EN) == 1 &&
	       FMASK(VINTF_CONFIG_EN) == 1 && FMASK(VCMDQ_CONFIG_EN) == 1, "switch_to()");

/* ---- the block, its interfaces, its queues: off and on ---- */

static int block_switch(struct smmu *s, bool on)
{
	uint32_t config = get(s->cmdqv, CMDQV_CONFIG) & ~FMASK(CMDQV_CONFIG_CMDQV_EN);

	return switch_to(s, CMDQV_CONFIG, config | on, CMDQV_STATUS);
}

static int vintf_off(struct smmu *s, unsigned vintf)
{
	struct smmu_cmdqv *c = s->cmdqv;
	int err = switch_to(s, vreg(vintf, VINTF_CONFIG), 0, vreg(vintf, VINTF_STATUS));

	/* the VMID does not change while it is on */
	set(c, vreg(vintf, VINTF_CONFIG), 0);
	for (unsigned i = 0; i < c->sids; i++) {
		set(c, vreg(vintf, VINTF_SID_MATCH) + 4 * i, 0);
		set(c, vreg(vintf, VINTF_SID_REPLACE) + 4 * i, 0);
	}
	return err;
}

/* The VMID is what keeps VMs apart: hardware has to say that it has it. */
static int vintf_on(struct smmu *s, unsigned vintf, bool ours, uint32_t vmid)
{
	const uint32_t config = (uint32_t)(FPREP(VINTF_CONFIG_VMID, vmid) |
					   FPREP(VINTF_CONFIG_HYP_OWN, ours));
	uint64_t reg = vreg(vintf, VINTF_CONFIG);
	uint32_t must = (uint32_t)(FMASK(VINTF_CONFIG_VMID) | FMASK(VINTF_CONFIG_EN) |
				   (ours ? 0 : FMASK(VINTF_CONFIG_HYP_OWN)));
	uint32_t on = config | FMASK(VINTF_CONFIG_EN);
	int err;

	set(s->cmdqv, reg, config);
	err = switch_to(s, reg, on, vreg(vintf, VINTF_STATUS));
	if (!err && (get(s->cmdqv, reg) ^ on) & must)
		err = -UIOMMU_ETIMEDOUT;
	return err;
}

static int queue_off(struct smmu *s, unsigned q)
{
	return switch_to(s, qreg0(q, VCMDQ_CONFIG), 0, qreg0(q, VCMDQ_STATUS));
}

/* Off, and as if it had never been used. */
static void queue_clear(struct smmu_cmdqv *c, unsigned q, uint64_t base)
{
	set(c, qreg0(q, VCMDQ_PROD), 0);
	set(c, qreg0(q, VCMDQ_CONS), 0);
	port_write64(&c->mmio, qreg1(q, VCMDQ_CONS_INDX_BASE), 0);
	port_write64(&c->mmio, qreg1(q, VCMDQ_BASE), base);
	set(c, qreg0(q, VCMDQ_GERRORN), get(c, qreg0(q, VCMDQ_GERROR)));
}

static void queue_assign(struct smmu_cmdqv *c, unsigned vintf, unsigned l, bool on)
{
	set(c, alloc_reg(vintf * c->per + l),
	    (uint32_t)(FPREP(CMDQV_CMDQ_ALLOC_VINTF, vintf) |
		       FPREP(CMDQV_CMDQ_ALLOC_LVCMDQ, l) |
		       FPREP(CMDQV_CMDQ_ALLOC_ALLOCATED, on)));
}

/* Whoever had it before: all is off and nobody's, from the top down. */
static int reset_all(struct smmu *s)
{
	struct smmu_cmdqv *c = s->cmdqv;
	int err = 0;

	for (unsigned v = c->vintfs; v-- && !err;) {
		for (unsigned l = c->per; l-- && !err;) {
			err = queue_off(s, v * c->per + l);
			queue_assign(c, v, l, false);
			queue_clear(c, v * c->per + l, 0);
		}
		if (!err)
			err = vintf_off(s, v);
	}
	return err;
}

/* ---- our own queue ---- */

/* What an LVCMDQ of ours takes: what only makes hardware forget. Without HYP_OWN it takes
 * less of it, and the VMID becomes that of the interface: who names one means another. */
static bool takes(const struct smmu_cmdqv *c, uint64_t w0)
{
	bool hyp_own = __atomic_load_n(&c->hyp_own, __ATOMIC_RELAXED);

	switch (FGET(CMD_Opcode, w0)) {
	case CMD_TLBI_NH_ASID:
	case CMD_TLBI_NH_VA:
		return hyp_own || !FGET(CMD_TLBI_NH_VA_VMID, w0);
	case CMD_ATC_INV:
	case CMD_SYNC:
		return true;
	case CMD_RESUME:
	case CMD_STALL_TERM:
	case CMD_PRI_RESP:
		return false;
	default:
		return hyp_own;
	}
}

struct smmu_cmdq *uiommu_smmuv3_cmdqv_choose(struct smmu *s, const struct smmu_batch *b)
{
	struct smmu_cmdqv *c = s->cmdqv;

	if (!c || __atomic_load_n(&c->own.dead, __ATOMIC_ACQUIRE))
		return &s->cmdq;
	for (unsigned i = 0; i < b->n; i++)
		if (!takes(c, b->cmd[i][0]))
			return &s->cmdq;
	return &c->own;
}

/* By the pages of the interface: in a guest nobody stands between them and hardware. */
static int own_start(struct smmu *s)
{
	struct smmu_cmdqv *c = s->cmdqv;
	uint64_t at = c->own.at;
	int err = vintf_on(s, 0, true, 0);
	bool hyp_own;

	if (err)
		return err;
	hyp_own = FGET(VINTF_CONFIG_HYP_OWN, get(c, vreg(0, VINTF_CONFIG)));
	__atomic_store_n(&c->hyp_own, hyp_own, __ATOMIC_RELAXED);
	queue_assign(c, 0, 0, true);
	uiommu_smmuv3_cmdq_setup_own(&c->own);
	port_write64(&c->mmio, at + PAGE_BYTES + VCMDQ_CONS_INDX_BASE, 0);
	port_write64(&c->mmio, at + PAGE_BYTES + VCMDQ_BASE,
		     (port_virt_to_pa(s->host, c->own.ring) & FMASK(VCMDQ_BASE_ADDR)) |
		     FPREP(VCMDQ_BASE_LOG2SIZE, c->own.lg2));
	err = switch_to(s, at + VCMDQ_CONFIG, (uint32_t)FMASK(VCMDQ_CONFIG_EN), at + VCMDQ_STATUS);
	if (!err)
		uiommu_smmuv3_cmdq_revive(&c->own);
	return err;
}

/* ---- a VM's interface ---- */

bool uiommu_smmuv3_cmdqv_usable(const struct smmu *s)
{
	return s->cmdqv && __atomic_load_n(&s->cmdqv->up, __ATOMIC_ACQUIRE);
}

static struct smmu_vintf *find_free(struct smmu_cmdqv *c)
{
	for (unsigned i = 1; i < c->vintfs; i++)
		if (!c->vintf[i].viommu && !c->vintf[i].stuck)
			return &c->vintf[i];
	return NULL;
}

/* Off, or hardware must not be trusted with the VMID any more. */
static void vintf_release(struct smmu_vintf *vi)
{
	struct smmu *s = vi->smmu;

	if (!uiommu_smmuv3_cmdqv_usable(s) || !vintf_off(s, vi->index))
		return;
	vi->stuck = true;
	uiommu_smmuv3_shut_off(s, ": an interface of its CMDQV does not acknowledge that it is "
				  "off: shut off, every DMA aborts");
}

static void set_owner(struct smmu_vintf *vi, struct uiommu_viommu *v)
{
	struct smmu_cmdqv *c = vi->smmu->cmdqv;

	host_lock(vi->smmu->host, &c->lock);
	__atomic_store_n(&vi->viommu, v, __ATOMIC_RELEASE);
	host_unlock(vi->smmu->host, &c->lock);
}

int uiommu_smmuv3_viommu_init(struct uiommu_viommu *v)
{
	struct smmu *s = to_smmu(v->iommu);
	struct smmu_vintf *vi;
	int err;

	if (v->cfg.type != SMMU_VIOMMU_CMDQV)
		return 0;
	vi = find_free(s->cmdqv);
	if (!vi)
		return -UIOMMU_ENOSPC;
	err = vintf_off(s, vi->index);
	if (!err)
		err = vintf_on(s, vi->index, false, v->link->tag);
	if (err) {
		vi->stuck = true;
		vintf_off(s, vi->index);
		return err;
	}
	v->drv = vi;
	set_owner(vi, v);
	return 0;
}

void uiommu_smmuv3_viommu_fini(struct uiommu_viommu *v)
{
	struct smmu_vintf *vi = v->drv;

	vintf_release(vi);
	set_owner(vi, NULL);
}

/* ---- its devices ---- */

static void set_pair(const struct smmu_vintf *vi, unsigned slot, uint32_t match, uint32_t replace)
{
	const struct smmu_cmdqv *c = vi->smmu->cmdqv;
	uint64_t reg = vreg(vi->index, VINTF_SID_MATCH) + 4 * slot;

	/* never the one with the other's partner */
	set(c, reg, 0);
	set(c, vreg(vi->index, VINTF_SID_REPLACE) + 4 * slot, replace);
	if (match)
		set(c, reg, match);
}

static void know(const struct uiommu_vdevice *vd)
{
	set_pair(vd->viommu->drv, vd->slot,
		 (uint32_t)(FPREP(VINTF_SID_MATCH_VIRT_SID, vd->virt_id) |
			    FMASK(VINTF_SID_MATCH_ENABLE)),
		 (uint32_t)FPREP(VINTF_SID_REPLACE_PHYS_SID, vd->dev->streams[0].id));
}

int uiommu_smmuv3_vdevice_init(struct uiommu_vdevice *vd)
{
	struct smmu_vintf *vi = vd->viommu->drv;
	uint32_t free = ~vi->slots & (uint32_t)(((uint64_t)1 << vi->smmu->cmdqv->sids) - 1);

	if (vd->virt_id > FMAX(VINTF_SID_MATCH_VIRT_SID) ||
	    vd->dev->streams[0].id > FMAX(VINTF_SID_REPLACE_PHYS_SID))
		return -UIOMMU_EINVAL;
	if (!free)
		return -UIOMMU_ENOSPC;
	vd->slot = port_ctz64(free);
	vi->slots |= 1u << vd->slot;
	if (uiommu_smmuv3_cmdqv_usable(vi->smmu))
		know(vd);
	return 0;
}

void uiommu_smmuv3_vdevice_fini(struct uiommu_vdevice *vd)
{
	struct smmu_vintf *vi = vd->viommu->drv;

	vi->slots &= ~(1u << vd->slot);
	if (uiommu_smmuv3_cmdqv_usable(vi->smmu))
		set_pair(vi, vd->slot, 0, 0);
}

/* ---- its page, as calls ---- */

static bool in_page(const struct smmu_vintf *vi, uint64_t off, unsigned bytes)
{
	return off < PAGE_BYTES && !(off & (bytes - 1)) && !vi->smmu->cmdqv->mmio.base;
}

static uint32_t page_read32(void *ctx, uint64_t off)
{
	const struct smmu_vintf *vi = ctx;

	return in_page(vi, off, 4) ? get(vi->smmu->cmdqv, page0_of(vi->index) + off) : 0;
}

static void page_write32(void *ctx, uint64_t off, uint32_t v)
{
	const struct smmu_vintf *vi = ctx;

	if (in_page(vi, off, 4))
		set(vi->smmu->cmdqv, page0_of(vi->index) + off, v);
}

/* All registers there are of 32 bits. */
static uint64_t page_read64(void *ctx, uint64_t off)
{
	if (!in_page(ctx, off, 8))
		return 0;
	return page_read32(ctx, off) | (uint64_t)page_read32(ctx, off + 4) << 32;
}

static void page_write64(void *ctx, uint64_t off, uint64_t v)
{
	if (in_page(ctx, off, 8)) {
		page_write32(ctx, off, (uint32_t)v);
		page_write32(ctx, off + 4, (uint32_t)(v >> 32));
	}
}

static const struct uiommu_mmio_ops page_ops = {
	page_read32, page_write32, page_read64, page_write64,
};

int uiommu_smmuv3_viommu_mmio(const struct uiommu_viommu *v, struct uiommu_mmio *out,
			      size_t *bytes)
{
	struct smmu_vintf *vi = v->drv;
	const struct uiommu_mmio *m = &vi->smmu->cmdqv->mmio;

	*out = (struct uiommu_mmio){ .bytes = PAGE_BYTES };
	if (m->ops) {
		out->ops = &page_ops;
		out->ctx = vi;
	} else {
		out->base = port_reg(m, page0_of(vi->index));
	}
	*bytes = PAGE_BYTES;
	return 0;
}

/* ---- which errors were told ---- */

/* It begins anew: whatever stops it now is told. */
static void nothing_told(struct smmu_vintf *vi, unsigned index)
{
	struct smmu_cmdqv *c = vi->smmu->cmdqv;

	host_lock(vi->smmu->host, &c->lock);
	vi->told[index / 64] &= ~((uint64_t)1 << index % 64);
	host_unlock(vi->smmu->host, &c->lock);
}

/* ---- its queues ---- */

unsigned uiommu_smmuv3_num_hw_queues(const struct uiommu_viommu *v, unsigned type)
{
	const struct smmu_vintf *vi = v->drv;

	return type == QUEUE_TYPE ? vi->smmu->cmdqv->per : 0;
}

static unsigned number_of(const struct uiommu_hw_queue *q)
{
	const struct smmu_vintf *vi = q->viommu->drv;

	return vi->index * vi->smmu->cmdqv->per + q->cfg.index;
}

static int check_memory(const struct smmu *s, const struct uiommu_hw_queue_config *cfg)
{
	uint64_t entry = CMD_WORDS * 8, bytes = cfg->bytes;

	if (bytes < 2 * entry || bytes & (bytes - 1) || bytes > entry << s->caps.cmdq_lg2)
		return -UIOMMU_EINVAL;
	return cfg->base & (bytes - 1) || cfg->base & ~FMASK(VCMDQ_BASE_ADDR) ? -UIOMMU_EINVAL : 0;
}

/* While it is nobody's; then it is its user's to switch on. */
static int queue_start(const struct uiommu_hw_queue *q)
{
	struct smmu_vintf *vi = q->viommu->drv;
	struct smmu_cmdqv *c = vi->smmu->cmdqv;
	unsigned lg2 = port_ctz64(q->cfg.bytes / (CMD_WORDS * 8)), n = number_of(q);
	int err = queue_off(vi->smmu, n);

	if (err)
		return err;
	queue_clear(c, n, q->cfg.base | FPREP(VCMDQ_BASE_LOG2SIZE, lg2));
	/* whoever has it next may make a mistake at once, and is told of that one */
	nothing_told(vi, q->cfg.index);
	queue_assign(c, vi->index, q->cfg.index, true);
	return 0;
}

int uiommu_smmuv3_hw_queue_init(struct uiommu_hw_queue *q)
{
	struct smmu_vintf *vi = q->viommu->drv;
	int err = check_memory(vi->smmu, &q->cfg);

	if (err)
		return err;
	if (!uiommu_smmuv3_cmdqv_usable(vi->smmu))
		return -UIOMMU_ETIMEDOUT;
	return queue_start(q);
}

/*
 * Its user may be switching it on all the time: that ends when it is nobody's. Then it is
 * off, and what devices have not answered yet ends at a CMD_SYNC of ours, not at the next
 * user's.
 */
void uiommu_smmuv3_hw_queue_fini(struct uiommu_hw_queue *q)
{
	const struct smmu_vintf *vi = q->viommu->drv;
	struct smmu *s = vi->smmu;
	unsigned n = number_of(q);

	if (!uiommu_smmuv3_cmdqv_usable(s))
		return;
	(void)queue_off(s, n);
	queue_assign(s->cmdqv, vi->index, q->cfg.index, false);
	if (queue_off(s, n))
		uiommu_smmuv3_shut_off(s, ": a VM's queue does not acknowledge that it is off: "
					  "shut off, every DMA aborts");
	uiommu_smmuv3_cmdq_wait_devices(s);
	queue_clear(s->cmdqv, n, 0);
}

/* ---- a queue has stopped ---- */

/*
 * Has one of those in @map stopped since it was last looked at? A bit of GERROR is the
 * other way round each time. Its user may see to an error before anybody looks, and so to
 * two: what did not stand still then, and does now, has stopped whatever that bit is. So
 * has one whose user says so.
 */
static bool is_news(struct smmu_vintf *vi, unsigned word, uint64_t map)
{
	const struct smmu_cmdqv *c = vi->smmu->cmdqv;
	uint64_t now = 0, errors = 0;
	bool news;

	for (uint64_t left = map; left; left &= left - 1) {
		unsigned n = port_ctz64(left);
		unsigned q = vi->index * c->per + 64 * word + n;
		uint32_t error = get(c, qreg0(q, VCMDQ_GERROR));
		uint32_t active = error ^ get(c, qreg0(q, VCMDQ_GERRORN));

		now |= FGET(VCMDQ_GERROR_CMDQ_ERR, active) << n;
		errors |= FGET(VCMDQ_GERROR_CMDQ_ERR, error) << n;
	}
	news = now & (~vi->told[word] | (errors ^ vi->errors[word]));
	vi->told[word] = now;
	vi->errors[word] = errors;
	return news;
}

/* All of a VM's queues that stand still, if one of them has only now come to. */
static bool look(struct smmu_vintf *vi, const struct uiommu_viommu *v, uint64_t map[2])
{
	struct smmu_cmdqv *c = vi->smmu->cmdqv;
	bool news = false;

	map[0] = map[1] = 0;
	host_lock(vi->smmu->host, &c->lock);
	for (unsigned w = 0; v == vi->viommu && 64 * w < c->per; w++) {
		map[w] = port_read64(&c->mmio, vreg(vi->index, VINTF_LVCMDQ_ERR_MAP_64) + 8 * w);
		if (c->per - 64 * w < 64)
			map[w] &= ((uint64_t)1 << c->per % 64) - 1;
		news |= is_news(vi, w, map[w]);
	}
	host_unlock(vi->smmu->host, &c->lock);
	return news;
}

static void tell(struct smmu_vintf *vi)
{
	unsigned token = host_read_enter(vi->smmu->host);
	struct uiommu_viommu *v = __atomic_load_n(&vi->viommu, __ATOMIC_ACQUIRE);
	uint64_t map[2];

	if (v && look(vi, v, map))
		uiommu_viommu_report(v, VEVENT, map, sizeof(map));
	host_read_leave(vi->smmu->host, token);
}

void uiommu_smmuv3_cmdqv_errors(struct smmu *s)
{
	struct smmu_cmdqv *c = s->cmdqv;

	if (!uiommu_smmuv3_cmdqv_usable(s))
		return;
	if (get(c, CMDQV_VINTF_ERR_MAP) & 1)
		uiommu_smmuv3_cmdq_gerror(&c->own);
	/* of one without an error that is noted, too */
	for (unsigned i = 1; i < c->vintfs; i++)
		tell(&c->vintf[i]);
}

/* ---- after a reset ---- */

static int restore(struct uiommu_viommu *v)
{
	struct smmu_vintf *vi = v->drv;
	struct uiommu_node *n;
	int err;

	if (!vi)
		return 0;
	err = vintf_on(vi->smmu, vi->index, false, v->link->tag);
	list_for_each(n, &v->devs)
		know(uiommu_container_of(n, struct uiommu_vdevice, node));
	for (n = list_first(&v->queues); n && !err; n = list_next(n))
		err = queue_start(uiommu_container_of(n, struct uiommu_hw_queue, node));
	return err;
}

/* Its queues are off, whatever was in them: nothing is cached of before. */
static int tell_reset(struct uiommu_viommu *v)
{
	uint64_t map[2] = { 0, 0 };
	struct uiommu_node *n;

	list_for_each(n, &v->queues) {
		unsigned i = uiommu_container_of(n, struct uiommu_hw_queue, node)->cfg.index;

		map[i / 64] |= (uint64_t)1 << i % 64;
	}
	if (map[0] | map[1])
		uiommu_viommu_report(v, VEVENT, map, sizeof(map));
	return 0;
}
/* ---- what it is ---- */

static bool make_sense(const struct smmu_cmdqv *c, unsigned vintfs_lg2, unsigned queues_lg2,
		       unsigned sids_lg2)
{
	return vintfs_lg2 <= queues_lg2 && queues_lg2 <= QUEUES_MAX_LG2 &&
	       vintfs_lg2 <= VINTFS_MAX_LG2 && sids_lg2 <= SIDS_MAX_LG2 &&
	       c->mmio.bytes >= page0_of(1u << vintfs_lg2);
}

static bool read_param(struct smmu_cmdqv *c)
{
	uint32_t param = get(c, CMDQV_PARAM);
	unsigned vintfs = FGET(CMDQV_PARAM_NUM_VINTF_LOG2, param);
	unsigned queues = FGET(CMDQV_PARAM_NUM_VCMDQ_LOG2, param);
	unsigned sids = FGET(CMDQV_PARAM_NUM_SID_PER_VM_LOG2, param);

	if (!make_sense(c, vintfs, queues, sids))
		return false;
	c->vintfs = 1u << vintfs;
	c->per = 1u << (queues - vintfs);
	c->sids = 1u << sids;
	c->info = (struct smmu_cmdqv_info){
		.version = FGET(CMDQV_PARAM_VER, param),
		.log2vcmdqs = queues - vintfs, .log2vsids = sids,
	};
	return true;
}

static size_t bytes_of(const struct smmu_cmdqv *c)
{
	return sizeof(*c) + c->vintfs * sizeof(c->vintf[0]);
}

static struct smmu_cmdqv *make(struct smmu *s, const struct smmu_cmdqv *found)
{
	struct smmu_cmdqv *c = host_alloc(s->host, bytes_of(found));

	if (!c)
		return NULL;
	*c = *found;
	for (unsigned i = 0; i < c->vintfs; i++)
		c->vintf[i] = (struct smmu_vintf){ .smmu = s, .index = i };
	return c;
}

static int make_own(struct smmu *s, struct smmu_cmdqv *c, unsigned lg2)
{
	int err = host_lock_init(s->host, &c->lock, UIOMMU_LOCK_SPIN);

	if (err)
		return err;
	err = uiommu_smmuv3_cmdq_init(s, &c->own, lg2);
	if (err) {
		host_lock_fini(s->host, &c->lock);
		return err;
	}
	c->own.regs = &c->mmio;
	c->own.at = (uint32_t)page0_of(0);
	c->own.dead = true;
	return 0;
}

int uiommu_smmuv3_cmdqv_init(struct smmu *s, const struct uiommu_smmuv3_config *cfg, unsigned lg2)
{
	struct smmu_cmdqv found = { .mmio = cfg->cmdqv }, *c;
	int err;

	if (!cfg->has_cmdqv)
		return 0;
	found.has_irq = cfg->has_irq_cmdqv && s->irqs;
	found.irq = cfg->irq_cmdqv;
	if (cfg->cmdqv.bytes < page0_of(1) || !read_param(&found)) {
		uiommu_smmuv3_log(s, UIOMMU_LOG_WARN,
				  ": its CMDQV makes no sense: ", "done without");
		return 0;
	}
	c = make(s, &found);
	if (!c)
		return -UIOMMU_ENOMEM;
	err = make_own(s, c, lg2);
	if (err) {
		host_free(s->host, c, bytes_of(c));
		return err;
	}
	s->cmdqv = c;
	if (uiommu_smmuv3_cmdqv_stop(s))
		uiommu_smmuv3_cmdqv_fini(s);
	return 0;
}

void uiommu_smmuv3_cmdqv_fini(struct smmu *s)
{
	struct smmu_cmdqv *c = s->cmdqv;

	if (!c)
		return;
	uiommu_smmuv3_cmdq_fini(s, &c->own);
	host_lock_fini(s->host, &c->lock);
	host_free(s->host, c, bytes_of(c));
	s->cmdqv = NULL;
}

bool uiommu_smmuv3_cmdqv_info(const struct smmu *s, unsigned type, struct uiommu_hw_info *out)
{
	if (!s->cmdqv || type != HW_INFO)
		return false;
	out->type = type;
	out->data = &s->cmdqv->info;
	out->bytes = sizeof(s->cmdqv->info);
	return true;
}

/* ---- up and down ---- */

/* No queue executes anything when it returns 0. */
int uiommu_smmuv3_cmdqv_stop(struct smmu *s)
{
	struct smmu_cmdqv *c = s->cmdqv;
	int err;

	if (!c)
		return 0;
	__atomic_store_n(&c->up, false, __ATOMIC_RELEASE);
	uiommu_smmuv3_cmdq_retire(&c->own);
	err = block_switch(s, false);
	if (err)
		uiommu_smmuv3_log(s, UIOMMU_LOG_ERR, ": its CMDQV does not acknowledge ",
				  "that it is off");
	return err;
}

static int start_block(struct smmu *s)
{
	int err = block_switch(s, true);

	if (!err)
		err = reset_all(s);
	for (unsigned i = 0; i < s->cmdqv->vintfs && !err; i++)
		s->cmdqv->vintf[i].stuck = false;
	if (!err)
		err = own_start(s);
	if (!err)
		err = uiommu_iommu_for_each_viommu(&s->base, restore);
	return err;
}

/*
 * The SMMU takes commands already, and translates nothing yet. A CMDQV that does not come
 * up is left alone: nobody needs it. What VMs had of it stays off.
 */
int uiommu_smmuv3_cmdqv_start(struct smmu *s)
{
	int err = 0;

	if (!s->cmdqv)
		return 0;
	if (!start_block(s)) {
		__atomic_store_n(&s->cmdqv->up, true, __ATOMIC_RELEASE);
	} else {
		uiommu_smmuv3_log(s, UIOMMU_LOG_WARN,
				  ": its CMDQV does not answer: ", "done without");
		err = uiommu_smmuv3_cmdqv_stop(s);
	}
	uiommu_iommu_for_each_viommu(&s->base, tell_reset);
	return err;
}

static void on_irq(void *arg)
{
	uiommu_smmuv3_cmdqv_errors(arg);
}

int uiommu_smmuv3_cmdqv_start_irq(struct smmu *s)
{
	struct smmu_cmdqv *c = s->cmdqv;
	int err;

	if (!c || !c->has_irq)
		return 0;
	err = s->host->irq_request(s->host->ctx, c->irq, on_irq, s);
	c->irq_held = !err;
	return err;
}

void uiommu_smmuv3_cmdqv_stop_irq(struct smmu *s)
{
	struct smmu_cmdqv *c = s->cmdqv;

	if (c && c->irq_held) {
		s->host->irq_release(s->host->ctx, c->irq);
		c->irq_held = false;
	}
}
