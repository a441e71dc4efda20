/* SPDX-License-Identifier: MIT */
/*
 * src/smmuv3/cmdq.c - commands go to hardware in batches, and are waited for
 *
 * Any thread may submit. A batch is stored and published under the lock; waiting
 * is done without it, so that others can publish meanwhile. Positions are counted
 * from the beginning in 64 bits: a waiter that slept through a wrap of the queue
 * still sees that its position is behind CONS.
 *
 * Everybody who waits also looks at GERROR: a refused command would otherwise
 * keep CONS where it is, with or without an interrupt.
 *
 * There may be a second queue, beside the SMMU's own: an LVCMDQ (cmdqv.c), which takes
 * what it may take. One that fails is given up: whoever waits for it makes hardware
 * forget all by the SMMU's own.
 */
#include "smmu.h"
#include "text.h"

#define ASIDE_NS	100000000ull	/* at an LVCMDQ, before the SMMU is looked at */
/* without CONS moving, at a CMD_SYNC that waits for devices: PCIe gives them a minute and
 * a half, and whatever is in front of them reports an error after that */
#define ATC_TIMEOUT_NS	(100 * SMMU_TIMEOUT_NS)

/* ---- whose queue, and its registers ---- */

/* Where there is but one these need nothing. */
static bool is_main(const struct smmu_cmdq *q)
{
	return !SMMU_CMDQV || !q->regs;
}

static struct smmu *smmu_of(struct smmu_cmdq *q)
{
	return SMMU_CMDQV ? q->smmu : uiommu_container_of(q, struct smmu, cmdq);
}

static struct smmu_cmdq *queue_of(struct smmu *s, const struct smmu_batch *b)
{
	return SMMU_CMDQV ? b->q : &s->cmdq;
}

struct reg {
	uint16_t main, own;
};

static const struct reg reg_prod = { SMMU_CMDQ_PROD, VCMDQ_PROD };
static const struct reg reg_cons = { SMMU_CMDQ_CONS, VCMDQ_CONS };
static const struct reg reg_gerror = { SMMU_GERROR, VCMDQ_GERROR };
static const struct reg reg_gerrorn = { SMMU_GERRORN, VCMDQ_GERRORN };

static uint32_t get(struct smmu_cmdq *q, const struct reg *r)
{
	return is_main(q) ? smmu_read(smmu_of(q), r->main)
			  : port_read32(q->regs, q->at + r->own);
}

static void set(struct smmu_cmdq *q, const struct reg *r, uint32_t v)
{
	if (is_main(q))
		smmu_write(smmu_of(q), r->main, v);
	else
		port_write32(q->regs, q->at + r->own, v);
}

static void lock(struct smmu_cmdq *q) UIOMMU_TAKES(uiommu_cmdq_lock);
static void lock(struct smmu_cmdq *q)
{
	host_lock(smmu_of(q)->host, &q->lock);
}

static void unlock(struct smmu_cmdq *q) UIOMMU_GIVES(uiommu_cmdq_lock);
static void unlock(struct smmu_cmdq *q)
{
	host_unlock(smmu_of(q)->host, &q->lock);
}

static size_t ring_bytes(const struct smmu_cmdq *q)
{
	size_t bytes = (size_t)CMD_WORDS * 8 << q->lg2;

	return bytes < 64 ? 64 : bytes;
}

static uint64_t *slot(const struct smmu_cmdq *q, uint64_t pos)
{
	return &q->ring[(pos & (((uint64_t)1 << q->lg2) - 1)) * CMD_WORDS];
}

int uiommu_smmuv3_cmdq_init(struct smmu *s, struct smmu_cmdq *q, unsigned lg2)
{
	int err = host_lock_init(s->host, &q->lock, UIOMMU_LOCK_SPIN);

	if (err)
		return err;
	q->smmu = s;
	q->lg2 = lg2;
	q->ring = s->host->table_alloc(s->host->ctx, ring_bytes(q));
	if (q->ring)
		return 0;
	host_lock_fini(s->host, &q->lock);
	return -UIOMMU_ENOMEM;
}

void uiommu_smmuv3_cmdq_setup(struct smmu *s)
{
	struct smmu_cmdq *q = &s->cmdq;
	uint64_t wrap = ((uint64_t)2 << q->lg2) - 1;

	lock(q);
	/* whoever still waits for what was lost sees it taken: all is forgotten soon */
	q->cons = q->prod;
	port_write64(&s->mmio, SMMU_CMDQ_BASE,
		     (port_virt_to_pa(s->host, q->ring) & FMASK(CMDQ_BASE_ADDR)) |
		     FPREP(CMDQ_BASE_LOG2SIZE, q->lg2) | FMASK(CMDQ_BASE_RA));
	smmu_write(s, SMMU_CMDQ_PROD, (uint32_t)(q->prod & wrap));
	smmu_write(s, SMMU_CMDQ_CONS, (uint32_t)(q->prod & wrap));
	unlock(q);
}

void uiommu_smmuv3_cmdq_revive(struct smmu_cmdq *q)
{
	lock(q);
	__atomic_store_n(&q->life, q->life + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&q->dead, false, __ATOMIC_RELEASE);
	q->untold = false;
	__atomic_store_n(&q->off_seen, false, __ATOMIC_RELEASE);
	unlock(q);
}

void uiommu_smmuv3_cmdq_fini(struct smmu *s, struct smmu_cmdq *q)
{
	s->host->table_free(s->host->ctx, q->ring, ring_bytes(q));
	host_lock_fini(s->host, &q->lock);
}

#ifndef UIOMMU_CONFIG_STAGE2_ONLY
/* It is off. Its registers begin at 0: positions go on from the next round. */
void uiommu_smmuv3_cmdq_setup_own(struct smmu_cmdq *q)
{
	uint64_t wrap = ((uint64_t)2 << q->lg2) - 1;

	lock(q);
	q->prod = q->cons = (q->prod + wrap) & ~wrap;
	set(q, &reg_prod, 0);
	set(q, &reg_cons, 0);
	set(q, &reg_gerrorn, get(q, &reg_gerror));
	unlock(q);
}
#endif

/* ---- errors ---- */

static void read_cons(struct smmu_cmdq *q) UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static void read_cons(struct smmu_cmdq *q)
{
	uint64_t wrap = ((uint64_t)2 << q->lg2) - 1;
	uint64_t cons = FGET(CMDQ_CONS_RD, get(q, &reg_cons));

	q->cons += (cons - q->cons) & wrap;
}

static void log_refused(struct smmu *s, const uint64_t *cmd, unsigned code)
{
	char line[160];
	struct text t = text_begin(line, sizeof(line));

	text_str(&t, s->base.name);
	text_str(&t, ": command refused: CERROR ");
	text_num(&t, code, 10, 1);
	text_str(&t, ", opcode ");
	text_hex(&t, FGET(CMD_Opcode, cmd[0]));
	text_str(&t, ": ");
	text_hex(&t, cmd[0]);
	text_char(&t, ' ');
	text_hex(&t, cmd[1]);
	host_log(s->host, UIOMMU_LOG_ERR, line);
}

/* Nothing is given to it any more. Hardware may still take what is in it: that harms
 * nobody. @why NULL: of course. */
static void disown(struct smmu_cmdq *q, const char *why) UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static void disown(struct smmu_cmdq *q, const char *why)
{
	if (why && !q->dead)
		uiommu_smmuv3_log(smmu_of(q), UIOMMU_LOG_ERR, why, "");
	__atomic_store_n(&q->dead, true, __ATOMIC_RELAXED);
}

/* Whose CMD_SYNC is it that hardware stopped at? */
static void mark_unanswered(struct smmu_cmdq *q) UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static void mark_unanswered(struct smmu_cmdq *q)
{
	read_cons(q);
	__atomic_fetch_add(&q->unanswered, 1, __ATOMIC_RELAXED);
	for (struct smmu_wait *w = q->waits; w; w = w->next)
		w->lost |= w->pos == q->cons;
}

/*
 * CMDQ_ERR: hardware stopped at CONS. It goes on when the error is acknowledged,
 * so the reason has to be gone by then. A command that it does not know, or whose
 * fields it does not like, is replaced by CMD_SYNC. CERROR_ABT (it could not read
 * the command) is tried again: if that never helps, the waiter's time runs out. A
 * CMD_SYNC that failed because a device did not answer is tried again too, and passes:
 * who sent what it waited for finds out (ats.c).
 */
static void repair(struct smmu_cmdq *q) UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static void repair(struct smmu_cmdq *q)
{
	uint32_t cons = get(q, &reg_cons);
	unsigned code = FGET(CMDQ_CONS_ERR, cons);
	uint64_t *cmd = slot(q, FGET(CMDQ_CONS_RD, cons));

	if (code == CERROR_ABT || code == CERROR_NONE)
		return;
	if (code == CERROR_ATC_INV_SYNC) {
		mark_unanswered(q);
		return;
	}
	__atomic_fetch_add(&q->refused, 1, __ATOMIC_RELAXED);
	log_refused(smmu_of(q), cmd, code);
	port_store64(&cmd[0], FPREP(CMD_Opcode, CMD_SYNC));
	port_store64(&cmd[1], 0);
	port_clean(smmu_of(q)->host, cmd, CMD_WORDS * 8);
	if (!is_main(q))
		disown(q, ": its LVCMDQ refuses what it should take: given up, "
			  "the SMMU's own queue takes its place");
}

static const struct {
	uint32_t bit;
	const char *text;
} gerrors[] = {
	{ FMASK(GERROR_EVENTQ_ABT_ERR), ": an event record could not be written, it is lost" },
	{ FMASK(GERROR_MSI_CMDQ_ABT_ERR), ": an MSI of a CMD_SYNC was aborted" },
	{ FMASK(GERROR_MSI_EVENTQ_ABT_ERR), ": an MSI of the event queue was aborted" },
	{ FMASK(GERROR_MSI_GERROR_ABT_ERR), ": an MSI of GERROR was aborted" },
#ifndef UIOMMU_CONFIG_STAGE2_ONLY
	{ FMASK(GERROR_PRIQ_ABT_ERR), ": a page request could not be written, it is lost" },
	{ FMASK(GERROR_MSI_PRIQ_ABT_ERR), ": an MSI of the page request queue was aborted" },
#endif
	{ FMASK(GERROR_SFM_ERR), ": service failure mode: every DMA aborts" },
};

/* SMMUEN=0 makes GBPA decide, and GBPA says ABORT since probe. */
static bool switch_off(struct smmu *s) UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static bool switch_off(struct smmu *s)
{
	if (s->cmdq.dead)
		return false;
	__atomic_store_n(&s->cmdq.dead, true, __ATOMIC_RELAXED);
	s->cmdq.untold = true;
	smmu_write(s, SMMU_CR0, smmu_read(s, SMMU_CR0) & ~FMASK(CR0_SMMUEN));
	return true;
}

void uiommu_smmuv3_cmdq_stop(struct smmu *s)
{
	lock(&s->cmdq);
	switch_off(s);
	s->cmdq.untold = false;
	unlock(&s->cmdq);
}

/* Without the lock: the observer is called. */
static void tell_failed(struct smmu *s)
{
	bool tell;

	lock(&s->cmdq);
	tell = s->cmdq.untold;
	s->cmdq.untold = false;
	unlock(&s->cmdq);
	if (tell)
		uiommu_iommu_failed(&s->base);
}

/*
 * SMMUEN is off when CR0ACK says so (IHI 0070, 6.3.9): until then an access may still be
 * translated. Hardware that never says it is waited for once.
 */
static void wait_off(struct smmu *s)
{
	const struct uiommu_host *h = s->host;
	struct smmu_patience p = { 0 };

	while (!__atomic_load_n(&s->cmdq.off_seen, __ATOMIC_ACQUIRE)) {
		bool late = uiommu_smmuv3_waited(&p, h) > SMMU_TIMEOUT_NS;

		if (!(smmu_read(s, SMMU_CR0ACK) & FMASK(CR0_SMMUEN)) || late)
			__atomic_store_n(&s->cmdq.off_seen, true, __ATOMIC_RELEASE);
		else
			host_relax(h);
	}
}

static void gerror_main(struct smmu *s, uint32_t active) UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static void gerror_main(struct smmu *s, uint32_t active)
{
	for (unsigned i = 0; i < sizeof(gerrors) / sizeof(gerrors[0]); i++)
		if (active & gerrors[i].bit)
			uiommu_smmuv3_log(s, UIOMMU_LOG_ERR, gerrors[i].text, "");
	if (active & FMASK(GERROR_SFM_ERR))
		switch_off(s);
}

_Static_assert(FMASK(GERROR_CMDQ_ERR) == FMASK(VCMDQ_GERROR_CMDQ_ERR), "one bit for both");

static void gerror_locked(struct smmu_cmdq *q) UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static void gerror_locked(struct smmu_cmdq *q)
{
	uint32_t error = get(q, &reg_gerror), active = error ^ get(q, &reg_gerrorn);

	if (!active)
		return;
	if (is_main(q))
		gerror_main(smmu_of(q), active);
	if (active & FMASK(GERROR_CMDQ_ERR))
		repair(q);
	set(q, &reg_gerrorn, error);
}

void uiommu_smmuv3_cmdq_gerror(struct smmu_cmdq *q)
{
	lock(q);
	gerror_locked(q);
	unlock(q);
	tell_failed(smmu_of(q));
}

unsigned uiommu_smmuv3_life(const struct smmu *s)
{
	return __atomic_load_n(&s->cmdq.life, __ATOMIC_RELAXED);
}

void uiommu_smmuv3_shut_off_in(struct smmu *s, unsigned life, const char *why)
{
	bool same, first;

	lock(&s->cmdq);
	same = s->cmdq.life == life;
	first = same && switch_off(s);
	unlock(&s->cmdq);
	if (!same)
		return;
	wait_off(s);
	if (first)
		uiommu_smmuv3_log(s, UIOMMU_LOG_ERR, why, "");
	tell_failed(s);
}

void uiommu_smmuv3_shut_off(struct smmu *s, const char *why)
{
	uiommu_smmuv3_shut_off_in(s, uiommu_smmuv3_life(s), why);
}

static void give_up(struct smmu_cmdq *q, const char *why)
{
	lock(q);
	disown(q, why);
	unlock(q);
}

void uiommu_smmuv3_cmdq_retire(struct smmu_cmdq *q)
{
	give_up(q, NULL);
}

static void hung(struct smmu_cmdq *q)
{
	if (!is_main(q))
		give_up(q, ": its LVCMDQ does not move: given up, "
			   "the SMMU's own queue takes its place");
	else
		uiommu_smmuv3_shut_off(smmu_of(q), ": the command queue does not move: "
						   "shut off, every DMA aborts");
}

/* ---- giving and waiting ---- */

/*
 * Until CONS has passed @pos. 0, -EIO: the queue is dead, -ETIMEDOUT: now it is. CONS is
 * read once more when the time is up: this thread may have been away for all of it.
 */
static int wait_for(struct smmu_cmdq *q, uint64_t pos)
{
	const struct uiommu_host *h = smmu_of(q)->host;
	struct smmu_patience p = { 0 };
	uint64_t seen = UINT64_MAX;
	bool late = false;

	for (;;) {
		uint64_t cons, limit;
		bool dead;

		lock(q);
		if (q->cons < pos)
			read_cons(q);
		if (q->cons < pos)
			gerror_locked(q);
		cons = q->cons;
		limit = cons < q->atc_end ? ATC_TIMEOUT_NS : SMMU_TIMEOUT_NS;
		dead = q->dead;
		unlock(q);
		if (cons >= pos)
			return 0;
		if (dead || (!is_main(q) && uiommu_smmuv3_cmdq_is_dead(smmu_of(q)))) {
			tell_failed(smmu_of(q));
			return -UIOMMU_EIO;
		}
		if (cons != seen) {
			seen = cons;
			p = (struct smmu_patience){ 0 };
			late = false;
		} else if (!late) {
			uint64_t t = uiommu_smmuv3_waited(&p, h);

			/* an SMMU that fails says so in its own register, a trap for a guest */
			if (!is_main(q) && t > ASIDE_NS)
				uiommu_smmuv3_cmdq_gerror(&smmu_of(q)->cmdq);
			late = t > limit;
		} else {
			hung(q);
			return -UIOMMU_ETIMEDOUT;
		}
		host_relax(h);
	}
}

/* A message of the value 0 into the command itself, whose low half is not 0. */
static void ask_for_message(struct smmu *s, uint64_t *sync)
{
	port_store64(&sync[0], FPREP(CMD_Opcode, CMD_SYNC) |
			       FPREP(CMD_SYNC_CS, CMD_SYNC_CS_SIG_IRQ) |
			       FPREP(CMD_SYNC_MSH, SH_ISH) |
			       FPREP(CMD_SYNC_MSIAttr, MEMATTR_OIWB));
	port_store64(&sync[1], port_virt_to_pa(s->host, sync) & FMASK(CMD_SYNC_MSIAddress));
}

/* An LVCMDQ has no messages. */
static bool has_messages(struct smmu_cmdq *q)
{
	return is_main(q) && smmu_of(q)->caps.sync_msg;
}

static void put(struct smmu_cmdq *q, const uint64_t cmd[CMD_WORDS])
	UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static void put(struct smmu_cmdq *q, const uint64_t cmd[CMD_WORDS])
{
	uint64_t *to = slot(q, q->prod++);
	unsigned op = FGET(CMD_Opcode, cmd[0]);

	if (op == CMD_SYNC && q->atc_open)
		q->atc_end = q->prod;
	q->atc_open = op == CMD_ATC_INV || (q->atc_open && op != CMD_SYNC);
	for (unsigned i = 0; i < CMD_WORDS; i++)
		port_store64(&to[i], cmd[i]);
	if (op == CMD_SYNC && has_messages(q))
		ask_for_message(smmu_of(q), to);
	port_clean(smmu_of(q)->host, to, CMD_WORDS * 8);
}

static uint64_t room(struct smmu_cmdq *q, unsigned n) UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static uint64_t room(struct smmu_cmdq *q, unsigned n)
{
	uint64_t size = (uint64_t)1 << q->lg2;

	if (size - (q->prod - q->cons) < n)
		read_cons(q);
	return size - (q->prod - q->cons);
}

/* How many of the next @n commands of a batch can be given now: what somebody wants to
 * know the fate of, all or none (if it fits at all). */
static unsigned share(struct smmu_cmdq *q, const struct smmu_batch *b, unsigned n)
	UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static unsigned share(struct smmu_cmdq *q, const struct smmu_batch *b, unsigned n)
{
	uint64_t r = room(q, n);

	if (q->dead || (b->wait && r < n && !((uint64_t)(n - 1) >> q->lg2)))
		return 0;
	return r < n ? (unsigned)r : n;
}

#define LOOKS	100u

/*
 * For the CMD_SYNC in front of @end. Memory is looked at without a lock and without a
 * register; who looks late finds another command in the place, and then CONS behind it:
 * whoever put it there had read that. So, and after errors, it ends as without messages.
 */
static int wait_for_sync(struct smmu_cmdq *q, uint64_t end)
{
	const uint64_t *sync = slot(q, end - 1);

	for (unsigned i = 0; has_messages(q) && i < LOOKS; i++) {
		if (!port_load64(sync)) {
			port_dma_rmb();
			return 0;
		}
		host_relax(smmu_of(q)->host);
	}
	return wait_for(q, end);
}

/* As many as there is room for, in one publish; adds to *@done. -EIO: dead. */
static int publish(struct smmu_cmdq *q, struct smmu_batch *b, unsigned *done, uint64_t *end)
{
	uint64_t wrap = ((uint64_t)2 << q->lg2) - 1;
	unsigned n;
	bool dead;

	lock(q);
	dead = q->dead;
	n = share(q, b, b->n - *done);
	for (unsigned i = 0; i < n; i++)
		put(q, b->cmd[*done + i]);
	*done += n;
	if (b->wait && n && *done == b->n) {
		b->wait->pos = q->prod - 1;
		b->wait->next = q->waits;
		q->waits = b->wait;
	}
	/* port_write32() orders the stores before it */
	if (n)
		set(q, &reg_prod, (uint32_t)(q->prod & wrap));
	*end = q->prod;
	unlock(q);
	return dead ? -UIOMMU_EIO : 0;
}

static void end_wait(struct smmu_cmdq *q, const struct smmu_wait *w)
{
	struct smmu_wait **pw;

	lock(q);
	for (pw = &q->waits; *pw && *pw != w; pw = &(*pw)->next)
		;
	if (*pw)
		*pw = w->next;
	unlock(q);
}

/* All of the batch into the queue; *@end: the position behind it. */
static int flush(struct smmu_cmdq *q, struct smmu_batch *b, uint64_t *end)
{
	unsigned done = 0;
	int err;

	do {
		err = publish(q, b, &done, end);
		/* full: one entry must be taken before more can be given */
		if (!err && done < b->n)
			err = wait_for(q, *end - ((uint64_t)1 << q->lg2) + 1);
	} while (!err && done < b->n);
	b->n = 0;
	return err;
}

static void add_sync(struct smmu_batch *b)
{
	b->cmd[b->n][0] = FPREP(CMD_Opcode, CMD_SYNC) | FPREP(CMD_SYNC_CS, CMD_SYNC_CS_SIG_NONE);
	b->cmd[b->n++][1] = 0;
}

bool uiommu_smmuv3_cmdq_is_dead(struct smmu *s)
{
	bool dead;

	lock(&s->cmdq);
	dead = s->cmdq.dead;
	unlock(&s->cmdq);
	return dead;
}

/* ---- batches ---- */

static void begin_on(struct smmu_cmdq *q, struct smmu_batch *b)
{
	if (SMMU_CMDQV)
		b->q = q;
	b->refused = __atomic_load_n(&q->refused, __ATOMIC_RELAXED);
	b->unanswered = __atomic_load_n(&q->unanswered, __ATOMIC_RELAXED);
}

void uiommu_smmuv3_batch_begin(struct smmu *s, struct smmu_batch *b)
{
	b->n = 0;
	b->wait = NULL;
	if (SMMU_CMDQV) {
		b->err = 0;
		b->lost = b->undone = b->begun = false;
	}
	begin_on(&s->cmdq, b);
}

bool uiommu_smmuv3_batch_unanswered(const struct smmu_batch *b)
{
	return b->lost || b->undone ||
	       __atomic_load_n(&b->q->unanswered, __ATOMIC_RELAXED) != b->unanswered;
}

/*
 * @err: what waiting for the queue gave. Which command was refused, and whether it was
 * ours, hardware does not keep. One that was given up may have done none of it, or all but
 * what it refused: that is made up for at the end of the batch.
 */
static int outcome(struct smmu *s, struct smmu_batch *b, int err)
{
	struct smmu_cmdq *q = queue_of(s, b);

	if (!err && __atomic_load_n(&q->refused, __ATOMIC_RELAXED) != b->refused)
		err = -UIOMMU_EIO;
	if (is_main(q) || !err)
		return err;
	b->undone = true;
	return 0;
}

/*
 * By the SMMU's own queue hardware forgets everything: so all of the batch is done, but for
 * what devices keep. Who sent CMD_ATC_INVs asks each; who wants to know the fate of one
 * tries again.
 */
static int forget_instead(struct smmu *s, struct smmu_batch *b)
{
	struct smmu_wait *wait = b->wait;
	int err;

	b->wait = NULL;
	begin_on(&s->cmdq, b);
	uiommu_smmuv3_add_all(s, b);
	add_sync(b);
	err = flush(&s->cmdq, b, &b->end);
	if (!err)
		err = wait_for_sync(&s->cmdq, b->end);
	b->wait = wait;
	err = outcome(s, b, err);
	return wait && !err ? -UIOMMU_EIO : err;
}

/* Its part there has come to an end, good or bad: that is told at the end of all. */
static void leave(struct smmu *s, struct smmu_batch *b, int err)
{
	err = outcome(s, b, err);
	b->err = b->err ? b->err : err;
	b->lost = uiommu_smmuv3_batch_unanswered(b);
}

/*
 * Which queue takes what is in the batch now. What another one was given before is done
 * then: every part of a batch that an LVCMDQ gets ends with a CMD_SYNC.
 */
static void choose(struct smmu *s, struct smmu_batch *b)
{
	struct smmu_cmdq *q;

	if (!SMMU_CMDQV)
		return;
	q = uiommu_smmuv3_cmdqv_choose(s, b);
	if (b->begun && q != b->q)
		leave(s, b, wait_for(b->q, b->end));
	if (q != b->q)
		begin_on(q, b);
	b->begun = true;
}

/* An error of the SMMU's own queue comes up again in the sync: it is dead then. */
static void flush_full(struct smmu *s, struct smmu_batch *b)
{
	struct smmu_cmdq *q;
	int err;

	choose(s, b);
	q = queue_of(s, b);
	if (s->sync_batches || !is_main(q))
		add_sync(b);
	err = flush(q, b, &b->end);
	if (err && !is_main(q))
		leave(s, b, err);
}

void uiommu_smmuv3_batch_add(struct smmu *s, struct smmu_batch *b, uint64_t w0, uint64_t w1)
{
	if (b->n == SMMU_BATCH)
		flush_full(s, b);
	b->cmd[b->n][0] = w0;
	b->cmd[b->n++][1] = w1;
}

int uiommu_smmuv3_batch_send(struct smmu *s, struct smmu_batch *b)
{
	choose(s, b);
	return flush(queue_of(s, b), b, &b->end);
}

int uiommu_smmuv3_batch_sync(struct smmu *s, struct smmu_batch *b)
{
	struct smmu_cmdq *q;
	int err;

	add_sync(b);
	choose(s, b);
	q = queue_of(s, b);
	err = flush(q, b, &b->end);
	if (!err)
		err = wait_for_sync(q, b->end);
	if (b->wait)
		end_wait(q, b->wait);
	err = outcome(s, b, err);
	if (SMMU_CMDQV && !err)
		err = b->err;
	if (SMMU_CMDQV && !err && b->undone)
		err = forget_instead(s, b);
	if (err && uiommu_smmuv3_cmdq_is_dead(s))
		wait_off(s);
	return err;
}

#ifndef UIOMMU_CONFIG_STAGE2_ONLY
/* As long as devices may take. */
void uiommu_smmuv3_cmdq_wait_devices(struct smmu *s)
{
	struct smmu_batch b;
	uint64_t end;

	uiommu_smmuv3_batch_begin(s, &b);
	add_sync(&b);
	lock(&s->cmdq);
	s->cmdq.atc_open = true;
	unlock(&s->cmdq);
	if (!flush(&s->cmdq, &b, &end))
		wait_for_sync(&s->cmdq, end);
}
#endif
