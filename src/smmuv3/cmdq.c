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
 */
#include "smmu.h"
#include "text.h"

#define TIMEOUT_NS	1000000000ull	/* without CONS moving */
/* the same at a CMD_SYNC that waits for devices: PCIe gives them a minute and a half,
 * and whatever is in front of them reports an error after that */
#define ATC_TIMEOUT_NS	(100 * TIMEOUT_NS)

static void lock(struct smmu *s) UIOMMU_TAKES(uiommu_cmdq_lock);
static void lock(struct smmu *s)
{
	host_lock(s->host, &s->cmdq.lock);
}

static void unlock(struct smmu *s) UIOMMU_GIVES(uiommu_cmdq_lock);
static void unlock(struct smmu *s)
{
	host_unlock(s->host, &s->cmdq.lock);
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

int uiommu_smmuv3_cmdq_init(struct smmu *s, unsigned lg2)
{
	struct smmu_cmdq *q = &s->cmdq;
	int err = host_lock_init(s->host, &q->lock, UIOMMU_LOCK_SPIN);

	if (err)
		return err;
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

	lock(s);
	/* whoever still waits for what was lost sees it taken: all is forgotten soon */
	q->cons = q->prod;
	port_write64(&s->mmio, SMMU_CMDQ_BASE,
		     (port_virt_to_pa(s->host, q->ring) & FMASK(CMDQ_BASE_ADDR)) |
		     FPREP(CMDQ_BASE_LOG2SIZE, q->lg2) | FMASK(CMDQ_BASE_RA));
	smmu_write(s, SMMU_CMDQ_PROD, (uint32_t)(q->prod & wrap));
	smmu_write(s, SMMU_CMDQ_CONS, (uint32_t)(q->prod & wrap));
	unlock(s);
}

void uiommu_smmuv3_cmdq_revive(struct smmu *s)
{
	lock(s);
	s->cmdq.dead = s->cmdq.untold = false;
	__atomic_store_n(&s->cmdq.off_seen, false, __ATOMIC_RELEASE);
	unlock(s);
}

void uiommu_smmuv3_cmdq_fini(struct smmu *s)
{
	s->host->table_free(s->host->ctx, s->cmdq.ring, ring_bytes(&s->cmdq));
	host_lock_fini(s->host, &s->cmdq.lock);
}

/* ---- errors ---- */

static void read_cons(struct smmu *s) UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static void read_cons(struct smmu *s)
{
	struct smmu_cmdq *q = &s->cmdq;
	uint64_t wrap = ((uint64_t)2 << q->lg2) - 1;
	uint64_t cons = FGET(CMDQ_CONS_RD, smmu_read(s, SMMU_CMDQ_CONS));

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

/* Whose CMD_SYNC is it that hardware stopped at? */
static void mark_unanswered(struct smmu *s) UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static void mark_unanswered(struct smmu *s)
{
	struct smmu_cmdq *q = &s->cmdq;

	read_cons(s);
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
static void repair(struct smmu *s) UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static void repair(struct smmu *s)
{
	struct smmu_cmdq *q = &s->cmdq;
	uint32_t cons = smmu_read(s, SMMU_CMDQ_CONS);
	unsigned code = FGET(CMDQ_CONS_ERR, cons);
	uint64_t *cmd = slot(q, FGET(CMDQ_CONS_RD, cons));

	if (code == CERROR_ABT || code == CERROR_NONE)
		return;
	if (code == CERROR_ATC_INV_SYNC) {
		mark_unanswered(s);
		return;
	}
	__atomic_fetch_add(&q->refused, 1, __ATOMIC_RELAXED);
	log_refused(s, cmd, code);
	port_store64(&cmd[0], FPREP(CMD_Opcode, CMD_SYNC));
	port_store64(&cmd[1], 0);
	port_clean(s->host, cmd, CMD_WORDS * 8);
}

static const struct {
	uint32_t bit;
	const char *text;
} gerrors[] = {
	{ FMASK(GERROR_EVENTQ_ABT_ERR), ": an event record could not be written, it is lost" },
	{ FMASK(GERROR_PRIQ_ABT_ERR), ": a page request could not be written, it is lost" },
	{ FMASK(GERROR_MSI_CMDQ_ABT_ERR), ": an MSI of a CMD_SYNC was aborted" },
	{ FMASK(GERROR_MSI_EVENTQ_ABT_ERR), ": an MSI of the event queue was aborted" },
	{ FMASK(GERROR_MSI_PRIQ_ABT_ERR), ": an MSI of the page request queue was aborted" },
	{ FMASK(GERROR_MSI_GERROR_ABT_ERR), ": an MSI of GERROR was aborted" },
	{ FMASK(GERROR_SFM_ERR), ": service failure mode: every DMA aborts" },
};

static void log_name(struct smmu *s, const char *text)
{
	char line[128];
	struct text t = text_begin(line, sizeof(line));

	text_str(&t, s->base.name);
	text_str(&t, text);
	host_log(s->host, UIOMMU_LOG_ERR, line);
}

/* SMMUEN=0 makes GBPA decide, and GBPA says ABORT since probe. */
static bool switch_off(struct smmu *s) UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static bool switch_off(struct smmu *s)
{
	if (s->cmdq.dead)
		return false;
	s->cmdq.dead = s->cmdq.untold = true;
	smmu_write(s, SMMU_CR0, smmu_read(s, SMMU_CR0) & ~FMASK(CR0_SMMUEN));
	return true;
}

void uiommu_smmuv3_cmdq_stop(struct smmu *s)
{
	lock(s);
	switch_off(s);
	s->cmdq.untold = false;
	unlock(s);
}

/* Without the lock: the observer is called. */
static void tell_failed(struct smmu *s)
{
	bool tell;

	lock(s);
	tell = s->cmdq.untold;
	s->cmdq.untold = false;
	unlock(s);
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
	uint64_t since = h->now_ns(h->ctx);

	while (!__atomic_load_n(&s->cmdq.off_seen, __ATOMIC_ACQUIRE)) {
		bool late = h->now_ns(h->ctx) - since > TIMEOUT_NS;

		if (!(smmu_read(s, SMMU_CR0ACK) & FMASK(CR0_SMMUEN)) || late)
			__atomic_store_n(&s->cmdq.off_seen, true, __ATOMIC_RELEASE);
		else
			host_relax(h);
	}
}

static void gerror_locked(struct smmu *s) UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static void gerror_locked(struct smmu *s)
{
	uint32_t error = smmu_read(s, SMMU_GERROR), acked = smmu_read(s, SMMU_GERRORN);
	uint32_t active = error ^ acked;

	if (!active)
		return;
	for (unsigned i = 0; i < sizeof(gerrors) / sizeof(gerrors[0]); i++)
		if (active & gerrors[i].bit)
			log_name(s, gerrors[i].text);
	if (active & FMASK(GERROR_SFM_ERR))
		switch_off(s);
	if (active & FMASK(GERROR_CMDQ_ERR))
		repair(s);
	smmu_write(s, SMMU_GERRORN, error);
}

void uiommu_smmuv3_gerror(struct smmu *s)
{
	lock(s);
	gerror_locked(s);
	unlock(s);
	tell_failed(s);
}

void uiommu_smmuv3_shut_off(struct smmu *s, const char *why)
{
	bool first;

	lock(s);
	first = switch_off(s);
	unlock(s);
	wait_off(s);
	if (first)
		log_name(s, why);
	tell_failed(s);
}

/* ---- giving and waiting ---- */

/*
 * Until CONS has passed @pos. 0, -EIO: the queue is dead, -ETIMEDOUT: now it is. CONS is
 * read once more when the time is up: this thread may have been away for all of it.
 */
static int wait_for(struct smmu *s, uint64_t pos)
{
	const struct uiommu_host *h = s->host;
	uint64_t seen = UINT64_MAX, since = 0;
	bool late = false;

	for (;;) {
		uint64_t cons, limit;
		bool dead;

		lock(s);
		if (s->cmdq.cons < pos)
			read_cons(s);
		if (s->cmdq.cons < pos)
			gerror_locked(s);
		cons = s->cmdq.cons;
		limit = cons < s->cmdq.atc_end ? ATC_TIMEOUT_NS : TIMEOUT_NS;
		dead = s->cmdq.dead;
		unlock(s);
		if (cons >= pos)
			return 0;
		if (dead) {
			tell_failed(s);
			return -UIOMMU_EIO;
		}
		if (cons != seen) {
			seen = cons;
			since = h->now_ns(h->ctx);
			late = false;
		} else if (!late) {
			late = h->now_ns(h->ctx) - since > limit;
		} else {
			uiommu_smmuv3_shut_off(s, ": the command queue does not move: shut off, "
						  "every DMA aborts");
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

static void put(struct smmu *s, const uint64_t cmd[CMD_WORDS])
	UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static void put(struct smmu *s, const uint64_t cmd[CMD_WORDS])
{
	struct smmu_cmdq *q = &s->cmdq;
	uint64_t *to = slot(q, q->prod++);
	unsigned op = FGET(CMD_Opcode, cmd[0]);

	if (op == CMD_SYNC && q->atc_open)
		q->atc_end = q->prod;
	q->atc_open = op == CMD_ATC_INV || (q->atc_open && op != CMD_SYNC);
	for (unsigned i = 0; i < CMD_WORDS; i++)
		port_store64(&to[i], cmd[i]);
	if (op == CMD_SYNC && s->caps.sync_msg)
		ask_for_message(s, to);
	port_clean(s->host, to, CMD_WORDS * 8);
}

static uint64_t room(struct smmu *s, unsigned n) UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static uint64_t room(struct smmu *s, unsigned n)
{
	struct smmu_cmdq *q = &s->cmdq;
	uint64_t size = (uint64_t)1 << q->lg2;

	if (size - (q->prod - q->cons) < n)
		read_cons(s);
	return size - (q->prod - q->cons);
}

/* How many of the next @n commands of a batch can be given now: what somebody wants to
 * know the fate of, all or none (if it fits at all). */
static unsigned share(struct smmu *s, const struct smmu_batch *b, unsigned n)
	UIOMMU_MUST_HOLD(uiommu_cmdq_lock);
static unsigned share(struct smmu *s, const struct smmu_batch *b, unsigned n)
{
	uint64_t r = room(s, n);

	if (s->cmdq.dead || (b->wait && r < n && !((uint64_t)(n - 1) >> s->cmdq.lg2)))
		return 0;
	return r < n ? (unsigned)r : n;
}

#define LOOKS	100u

/*
 * For the CMD_SYNC in front of @end. Memory is looked at without a lock and without a
 * register; who looks late finds another command in the place, and then CONS behind it:
 * whoever put it there had read that. So, and after errors, it ends as without messages.
 */
static int wait_for_sync(struct smmu *s, uint64_t end)
{
	const uint64_t *sync = slot(&s->cmdq, end - 1);

	for (unsigned i = 0; s->caps.sync_msg && i < LOOKS; i++) {
		if (!port_load64(sync)) {
			port_dma_rmb();
			return 0;
		}
		host_relax(s->host);
	}
	return wait_for(s, end);
}

/* As many as there is room for, in one publish; adds to *@done. -EIO: dead. */
static int publish(struct smmu *s, struct smmu_batch *b, unsigned *done, uint64_t *end)
{
	struct smmu_cmdq *q = &s->cmdq;
	uint64_t wrap = ((uint64_t)2 << q->lg2) - 1;
	unsigned n;
	bool dead;

	lock(s);
	dead = q->dead;
	n = share(s, b, b->n - *done);
	for (unsigned i = 0; i < n; i++)
		put(s, b->cmd[*done + i]);
	*done += n;
	if (b->wait && n && *done == b->n) {
		b->wait->pos = q->prod - 1;
		b->wait->next = q->waits;
		q->waits = b->wait;
	}
	/* port_write32() orders the stores before it */
	if (n)
		smmu_write(s, SMMU_CMDQ_PROD, (uint32_t)(q->prod & wrap));
	*end = q->prod;
	unlock(s);
	return dead ? -UIOMMU_EIO : 0;
}

static void end_wait(struct smmu *s, const struct smmu_wait *w)
{
	struct smmu_wait **pw;

	lock(s);
	for (pw = &s->cmdq.waits; *pw && *pw != w; pw = &(*pw)->next)
		;
	if (*pw)
		*pw = w->next;
	unlock(s);
}

/* All of the batch into the queue; *@end: the position behind it. */
static int flush(struct smmu *s, struct smmu_batch *b, uint64_t *end)
{
	unsigned done = 0;
	int err;

	do {
		err = publish(s, b, &done, end);
		/* full: one entry must be taken before more can be given */
		if (!err && done < b->n)
			err = wait_for(s, *end - ((uint64_t)1 << s->cmdq.lg2) + 1);
	} while (!err && done < b->n);
	b->n = 0;
	return err;
}

void uiommu_smmuv3_batch_begin(struct smmu *s, struct smmu_batch *b)
{
	b->n = 0;
	b->wait = NULL;
	b->refused = __atomic_load_n(&s->cmdq.refused, __ATOMIC_RELAXED);
	b->unanswered = __atomic_load_n(&s->cmdq.unanswered, __ATOMIC_RELAXED);
}

bool uiommu_smmuv3_batch_unanswered(const struct smmu *s, const struct smmu_batch *b)
{
	return __atomic_load_n(&s->cmdq.unanswered, __ATOMIC_RELAXED) != b->unanswered;
}

bool uiommu_smmuv3_cmdq_is_dead(struct smmu *s)
{
	bool dead;

	lock(s);
	dead = s->cmdq.dead;
	unlock(s);
	return dead;
}

static void add_sync(struct smmu_batch *b)
{
	b->cmd[b->n][0] = FPREP(CMD_Opcode, CMD_SYNC) | FPREP(CMD_SYNC_CS, CMD_SYNC_CS_SIG_NONE);
	b->cmd[b->n++][1] = 0;
}

void uiommu_smmuv3_batch_add(struct smmu *s, struct smmu_batch *b, uint64_t w0, uint64_t w1)
{
	uint64_t end;

	/* an error here comes up again in the sync: the queue is dead then */
	if (b->n == SMMU_BATCH) {
		if (s->sync_batches)
			add_sync(b);
		flush(s, b, &end);
	}
	b->cmd[b->n][0] = w0;
	b->cmd[b->n++][1] = w1;
}

int uiommu_smmuv3_batch_send(struct smmu *s, struct smmu_batch *b)
{
	uint64_t end;

	return flush(s, b, &end);
}

int uiommu_smmuv3_batch_sync(struct smmu *s, struct smmu_batch *b)
{
	uint64_t end;
	int err;

	add_sync(b);
	err = flush(s, b, &end);
	if (!err)
		err = wait_for_sync(s, end);
	if (b->wait)
		end_wait(s, b->wait);
	/* which one it was, and whether it was ours, hardware does not keep */
	if (!err && __atomic_load_n(&s->cmdq.refused, __ATOMIC_RELAXED) != b->refused)
		err = -UIOMMU_EIO;
	if (err && uiommu_smmuv3_cmdq_is_dead(s))
		wait_off(s);
	return err;
}
