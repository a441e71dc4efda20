/* SPDX-License-Identifier: MIT */
/*
 * veventq.c - event queues: what hardware recorded for a VM's devices, as a file
 *
 * A ring of as many events as the program asked for, made with the queue: where events
 * come there is no memory to be had. An event that finds it full is lost and counted;
 * that there are lost ones is told behind all that is in the ring, once. All of it is
 * under the vIOMMU's lock. Reading also holds the context's, so that there is one
 * reader, and what it looks at stays while it is copied out.
 */
#include "internal.h"

const char uiommu_iommufd_veventq_kind[] = "iommufd-veventq";

#define DEPTH_MAX	(1u << 19)
#define SEQUENCE_MAX	0x7fffffffu

struct vevent {
	struct uiommu_abi_iommufd_vevent_header head;
	union {
		struct uiommu_abi_iommu_vevent_arm_smmuv3 smmuv3;
		struct uiommu_abi_iommu_vevent_tegra241_cmdqv cmdqv;
	} body;
};

static const uint32_t body_bytes[UIOMMU_VEVENTQ_TYPES] = {
	[UIOMMU_ABI_IOMMU_VEVENTQ_TYPE_ARM_SMMUV3] =
		sizeof(struct uiommu_abi_iommu_vevent_arm_smmuv3),
	[UIOMMU_ABI_IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV] =
		sizeof(struct uiommu_abi_iommu_vevent_tegra241_cmdqv),
};

/* (q) the vIOMMU's lock, (c) the context's */
struct uiommu_iommufd_veventq {
	struct uiommu_iobj obj;
	struct uiommu_iommufd *ctx;		/* (i) referenced while @given */
	struct uiommu_iviommu *iv;		/* (i) holds a user of it */
	struct vevent *ring;			/* (q) @depth of them */
	uint32_t depth;				/* (i) */
	uint32_t type;				/* (i) IOMMU_VEVENTQ_TYPE_* */
	uint32_t first, num;			/* (q) */
	uint32_t sequence;			/* (q) of the next event */
	bool lost;				/* (q) the newest ones, up to this number: */
	uint32_t lost_sequence;			/* (q) */
	struct uiommu_given *given;		/* (q) NULL: the file is closed */
};

/* ---- where events come ---- */

static void ready(struct uiommu_iommufd_veventq *q)
{
	const struct uiommu_uaccess *ua = q->ctx->cfg.uaccess;

	if (q->given && (q->num || q->lost))
		ua->file_ready(ua->ctx, q->given);
}

static void push(struct uiommu_iommufd_veventq *q, const void *record, size_t bytes)
{
	uint32_t n = q->sequence;
	struct vevent *e;

	q->sequence = (n + 1) & SEQUENCE_MAX;
	q->lost = q->num == q->depth;
	if (q->lost) {
		q->lost_sequence = n;
		return;
	}
	e = &q->ring[(q->first + q->num++) % q->depth];
	e->head = (struct uiommu_abi_iommufd_vevent_header){ .sequence = n };
	memcpy(&e->body, record, bytes < body_bytes[q->type] ? bytes : body_bytes[q->type]);
}

bool uiommu_veventq_tell(void *viommu, unsigned type, const void *record, size_t bytes)
{
	struct uiommu_iviommu *iv = viommu;
	struct uiommu_iommufd_veventq *q;

	if (type >= UIOMMU_VEVENTQ_TYPES)
		return false;
	uiommu_iviommu_lock(iv);
	q = iv->queues[type];
	if (q) {
		push(q, record, bytes);
		ready(q);
	}
	uiommu_iviommu_unlock(iv);
	return q;
}

/* ---- reading ---- */

/* A copy of what is to be read next; how many bytes of it there are, 0: nothing. */
static size_t look(struct uiommu_iommufd_veventq *q, struct vevent *e)
{
	size_t n = 0;

	uiommu_iviommu_lock(q->iv);
	if (q->num) {
		*e = q->ring[q->first];
		n = sizeof(e->head) + body_bytes[q->type];
	} else if (q->lost) {
		e->head.flags = UIOMMU_ABI_IOMMU_VEVENTQ_FLAG_LOST_EVENTS;
		e->head.sequence = q->lost_sequence;
		n = sizeof(e->head);
	}
	uiommu_iviommu_unlock(q->iv);
	return n;
}

/* It has been read. More may be lost by now: then that is still to be told. */
static void drop(struct uiommu_iommufd_veventq *q, const struct vevent *e)
{
	uiommu_iviommu_lock(q->iv);
	if (!(e->head.flags & UIOMMU_ABI_IOMMU_VEVENTQ_FLAG_LOST_EVENTS)) {
		q->first = (q->first + 1) % q->depth;
		q->num--;
	} else if (q->lost_sequence == e->head.sequence) {
		q->lost = false;
	}
	uiommu_iviommu_unlock(q->iv);
}

static int64_t read_all(struct uiommu_iommufd_veventq *q, struct uiommu_as *as, uint64_t bytes,
			uint64_t user)
{
	const struct uiommu_uaccess *ua = q->ctx->cfg.uaccess;
	uint64_t done = 0;
	struct vevent e;
	size_t n;

	for (; (n = look(q, &e)) && n <= bytes - done; done += n) {
		if (ua->copy_out(ua->ctx, as, user + done, &e, n))
			return done ? (int64_t)done : -UIOMMU_EFAULT;
		drop(q, &e);
	}
	return (int64_t)done;
}

int64_t uiommu_iommufd_veventq_read(struct uiommu_iommufd_veventq *q, struct uiommu_as *as,
				    uint64_t off, uint64_t bytes, uint64_t user)
{
	int64_t ret;

	if (off)
		return -UIOMMU_ESPIPE;
	uiommu_iommufd_lock(q->ctx);
	ret = read_all(q, as, bytes, user);
	uiommu_iviommu_lock(q->iv);
	ready(q);
	uiommu_iviommu_unlock(q->iv);
	uiommu_iommufd_unlock(q->ctx);
	return ret;
}

bool uiommu_iommufd_veventq_ready(struct uiommu_iommufd_veventq *q)
{
	struct vevent e;

	return look(q, &e);
}

/* ---- life ---- */

void uiommu_iommufd_veventq_close(struct uiommu_iommufd_veventq *q)
{
	struct uiommu_iommufd *ctx = q->ctx;

	uiommu_iommufd_lock(ctx);
	uiommu_iviommu_lock(q->iv);
	q->given = NULL;
	uiommu_iviommu_unlock(q->iv);
	q->obj.users--;
	uiommu_iommufd_unlock(ctx);
	uiommu_iommufd_put(ctx);
}

void uiommu_veventq_free(struct uiommu_iommufd *ctx, struct uiommu_iobj *obj)
{
	struct uiommu_iommufd_veventq *q =
		uiommu_container_of(obj, struct uiommu_iommufd_veventq, obj);

	uiommu_iviommu_lock(q->iv);
	q->iv->queues[q->type] = NULL;
	uiommu_iviommu_unlock(q->iv);
	q->iv->obj.users--;
	uiommu_iobj_remove(ctx, obj);
	uiommu_iommufd_free(ctx, q->ring, q->depth * sizeof(*q->ring));
	uiommu_iommufd_free(ctx, q, sizeof(*q));
}

static int create(struct uiommu_iommufd *ctx, struct uiommu_iviommu *iv, uint32_t type,
		  uint32_t depth, struct uiommu_iommufd_veventq **out)
{
	struct uiommu_iommufd_veventq *q = uiommu_iommufd_alloc(ctx, sizeof(*q));
	int err = -UIOMMU_ENOMEM;

	if (!q)
		return err;
	q->ctx = ctx;
	q->iv = iv;
	q->depth = depth;
	q->type = type;
	q->ring = uiommu_iommufd_alloc(ctx, depth * sizeof(*q->ring));
	if (q->ring)
		err = uiommu_iobj_add(ctx, &q->obj, UIOMMU_IOBJ_VEVENTQ);
	if (err) {
		if (q->ring)
			uiommu_iommufd_free(ctx, q->ring, depth * sizeof(*q->ring));
		uiommu_iommufd_free(ctx, q, sizeof(*q));
		return err;
	}
	iv->obj.users++;
	uiommu_iviommu_lock(iv);
	iv->queues[type] = q;
	uiommu_iviommu_unlock(iv);
	*out = q;
	return 0;
}

/* The file comes last: a program that cannot be answered gets none. */
static int give(const struct uiommu_icall *c, struct uiommu_iommufd_veventq *q)
{
	struct uiommu_abi_iommu_veventq_alloc *cmd = c->cmd;
	const struct uiommu_uaccess *ua = c->ctx->cfg.uaccess;
	struct uiommu_given *given = NULL;
	int fd = -1, err;

	cmd->out_veventq_id = q->obj.id;
	err = uiommu_icall_respond(c);
	if (!err)
		err = ua->file_give(ua->ctx, c->as, uiommu_iommufd_veventq_kind, q, &given, &fd);
	if (err)
		return err;
	q->obj.users++;
	c->ctx->refs++;
	uiommu_iviommu_lock(q->iv);
	q->given = given;
	ready(q);
	uiommu_iviommu_unlock(q->iv);
	cmd->out_veventq_fd = (uint32_t)fd;
	return uiommu_icall_respond(c);
}

static int check(const struct uiommu_abi_iommu_veventq_alloc *cmd)
{
	if (cmd->flags || cmd->__reserved || cmd->type == UIOMMU_ABI_IOMMU_VEVENTQ_TYPE_DEFAULT)
		return -UIOMMU_EOPNOTSUPP;
	return !cmd->veventq_depth || cmd->veventq_depth > DEPTH_MAX ? -UIOMMU_EINVAL : 0;
}

int uiommu_icall_veventq_alloc(const struct uiommu_icall *c)
{
	const struct uiommu_abi_iommu_veventq_alloc *cmd = c->cmd;
	struct uiommu_iommufd_veventq *q;
	struct uiommu_iviommu *iv;
	int err = check(cmd);

	if (err)
		return err;
	iv = uiommu_icall_find_viommu(c, cmd->viommu_id);
	if (!iv)
		return -UIOMMU_ENOENT;
	if (cmd->type >= UIOMMU_VEVENTQ_TYPES || !c->ctx->cfg.uaccess->file_give)
		return -UIOMMU_EOPNOTSUPP;
	if (iv->queues[cmd->type])
		return -UIOMMU_EEXIST;
	err = create(c->ctx, iv, cmd->type, cmd->veventq_depth, &q);
	if (err)
		return err;
	err = give(c, q);
	if (err && !q->obj.users)
		uiommu_veventq_free(c->ctx, &q->obj);
	return err;
}
