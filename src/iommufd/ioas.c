/* SPDX-License-Identifier: MIT */
/*
 * ioas.c - the ioctls of an I/O address space
 *
 * The order in which arguments are looked at is Linux's, because it decides
 * which of several errors a program gets to see.
 */
#include "internal.h"

#define MAP_FLAGS (UIOMMU_ABI_IOMMU_IOAS_MAP_FIXED_IOVA | UIOMMU_ABI_IOMMU_IOAS_MAP_WRITEABLE | \
		   UIOMMU_ABI_IOMMU_IOAS_MAP_READABLE)
#define MAP_RW (UIOMMU_ABI_IOMMU_IOAS_MAP_WRITEABLE | UIOMMU_ABI_IOMMU_IOAS_MAP_READABLE)

static struct uiommu_ioas *find_ioas(const struct uiommu_icall *c, uint32_t id)
{
	struct uiommu_iobj *obj = uiommu_iobj_find(c->ctx, id, UIOMMU_IOBJ_IOAS);

	return obj ? uiommu_container_of(obj, struct uiommu_ioas, obj) : NULL;
}

int uiommu_ioas_create(struct uiommu_iommufd *ctx, struct uiommu_ioas **out)
{
	struct uiommu_ioas *ioas = uiommu_iommufd_alloc(ctx, sizeof(*ioas));
	int ret;

	if (!ioas)
		return -UIOMMU_ENOMEM;
	ioas->iopt.alignment = 1;
	ret = uiommu_iobj_add(ctx, &ioas->obj, UIOMMU_IOBJ_IOAS);
	if (ret) {
		uiommu_iommufd_free(ctx, ioas, sizeof(*ioas));
		return ret;
	}
	*out = ioas;
	return 0;
}

static void free_ranges(struct uiommu_iommufd *ctx, struct uiommu_ranges *t)
{
	struct uiommu_range *r;

	while ((r = t->root)) {
		uiommu_ranges_remove(t, r);
		uiommu_iommufd_free(ctx, r, sizeof(*r));
	}
}

void uiommu_ioas_free(struct uiommu_iommufd *ctx, struct uiommu_ioas *ioas)
{
	uiommu_iobj_remove(ctx, &ioas->obj);
	uiommu_iopt_unmap(ctx, &ioas->iopt, 0, UINT64_MAX);
	free_ranges(ctx, &ioas->iopt.allowed);
	if (ctx->vfio_ioas == ioas)
		ctx->vfio_ioas = NULL;
	uiommu_iommufd_free(ctx, ioas, sizeof(*ioas));
}

int uiommu_icall_ioas_alloc(const struct uiommu_icall *c)
{
	struct uiommu_abi_iommu_ioas_alloc *cmd = c->cmd;
	struct uiommu_ioas *ioas;
	int ret;

	if (cmd->flags)
		return -UIOMMU_EOPNOTSUPP;
	ret = uiommu_ioas_create(c->ctx, &ioas);
	if (ret)
		return ret;
	cmd->out_ioas_id = ioas->obj.id;
	ret = uiommu_icall_respond(c);
	if (ret)
		uiommu_ioas_free(c->ctx, ioas);
	return ret;
}

/* Every program calls this twice: a first time to learn how many there are. */
int uiommu_icall_ioas_iova_ranges(const struct uiommu_icall *c)
{
	struct uiommu_abi_iommu_ioas_iova_ranges *cmd = c->cmd;
	struct uiommu_abi_iommu_iova_range elm = { 0 };
	struct uiommu_ioas *ioas;
	uint32_t room = cmd->num_iovas;
	int ret;

	if (cmd->__reserved)
		return -UIOMMU_EOPNOTSUPP;
	ioas = find_ioas(c, cmd->ioas_id);
	if (!ioas)
		return -UIOMMU_ENOENT;
	cmd->num_iovas = 0;
	cmd->out_iova_alignment = ioas->iopt.alignment;
	while (uiommu_iopt_next_hole(&ioas->iopt, &elm.start, &elm.last)) {
		if (cmd->num_iovas < room &&
		    uiommu_icall_copy_out(c, cmd->allowed_iovas + cmd->num_iovas * sizeof(elm),
					  &elm, sizeof(elm)))
			return -UIOMMU_EFAULT;
		cmd->num_iovas++;
		if (elm.last == UINT64_MAX)
			break;
		elm.start = elm.last + 1;
	}
	ret = uiommu_icall_respond(c);
	if (ret)
		return ret;
	return cmd->num_iovas > room ? -UIOMMU_EMSGSIZE : 0;
}

static int load_allowed(const struct uiommu_icall *c, struct uiommu_ranges *t)
{
	const struct uiommu_abi_iommu_ioas_allow_iovas *cmd = c->cmd;
	struct uiommu_abi_iommu_iova_range elm;
	struct uiommu_range *r;

	for (uint32_t i = 0; i < cmd->num_iovas; i++) {
		if (uiommu_icall_copy_in(c, &elm, cmd->allowed_iovas + i * sizeof(elm),
					 sizeof(elm)))
			return -UIOMMU_EFAULT;
		if (elm.start >= elm.last || uiommu_ranges_overlap(t, elm.start, elm.last))
			return -UIOMMU_EINVAL;
		r = uiommu_iommufd_alloc(c->ctx, sizeof(*r));
		if (!r)
			return -UIOMMU_ENOMEM;
		r->start = elm.start;
		r->last = elm.last;
		uiommu_ranges_insert(t, r);
	}
	return 0;
}

static int check_allowed(const struct uiommu_iopt *iopt, const struct uiommu_ranges *t)
{
	const struct uiommu_range *r = uiommu_ranges_first(t, 0);

	for (; r; r = uiommu_ranges_next(t, r))
		for (const struct uiommu_resv *v = iopt->resv; v; v = v->next)
			if (v->start <= r->last && r->start <= v->last)
				return -UIOMMU_EADDRINUSE;
	return 0;
}

int uiommu_icall_ioas_allow_iovas(const struct uiommu_icall *c)
{
	const struct uiommu_abi_iommu_ioas_allow_iovas *cmd = c->cmd;
	struct uiommu_ranges fresh = { 0 }, old;
	struct uiommu_ioas *ioas;
	int ret;

	if (cmd->__reserved)
		return -UIOMMU_EOPNOTSUPP;
	ioas = find_ioas(c, cmd->ioas_id);
	if (!ioas)
		return -UIOMMU_ENOENT;
	ret = load_allowed(c, &fresh);
	if (!ret)
		ret = check_allowed(&ioas->iopt, &fresh);
	if (!ret) {
		old = ioas->iopt.allowed;
		ioas->iopt.allowed = fresh;
		fresh = old;
	}
	free_ranges(c->ctx, &fresh);
	return ret;
}

static int check_map(uint32_t flags, uint64_t iova, uint64_t length)
{
	if (iova == UINT64_MAX || length == UINT64_MAX)
		return -UIOMMU_EOVERFLOW;
	return flags & MAP_RW ? 0 : -UIOMMU_EINVAL;
}

static unsigned to_prot(uint32_t flags)
{
	return (flags & UIOMMU_ABI_IOMMU_IOAS_MAP_READABLE ? UIOMMU_PROT_READ : 0) |
	       (flags & UIOMMU_ABI_IOMMU_IOAS_MAP_WRITEABLE ? UIOMMU_PROT_WRITE : 0);
}

/* A new area over part of @p, whose reference it takes over; NULL: no memory. */
static struct uiommu_area *new_area(struct uiommu_iommufd *ctx, struct uiommu_pages *p,
				    uint64_t off, uint64_t bytes, unsigned prot)
{
	struct uiommu_area *a = uiommu_iommufd_alloc(ctx, sizeof(*a));

	if (!a)
		return NULL;
	a->pages = p;
	a->off = off;
	a->prot = prot;
	a->r.last = bytes - 1;		/* from 0 for now; place_areas() moves it */
	return a;
}

/* Finds room for a list of areas that lie behind one another, and adds them. */
static int add_areas_at(struct uiommu_iommufd *ctx, struct uiommu_iopt *iopt,
			struct uiommu_area *list, uint64_t *iova, uint64_t length, bool fixed)
{
	uint64_t at;
	int ret = uiommu_iopt_place(iopt, iova, length, list->pages->va + list->off, fixed);

	if (ret)
		return ret;
	at = *iova;
	for (struct uiommu_area *a = list; a; a = a->next) {
		a->r.start += at;
		a->r.last += at;
		at = a->r.last + 1;
	}
	return uiommu_iopt_add_areas(ctx, iopt, list);
}

int uiommu_ioas_map_user(const struct uiommu_icall *c, struct uiommu_ioas *ioas, uint64_t va,
			 uint64_t length, uint64_t *iova, bool fixed, unsigned prot)
{
	struct uiommu_pages *pages;
	struct uiommu_area *area;
	int ret;

	ret = uiommu_pages_create(c->ctx, c->as, va, length, prot & UIOMMU_PROT_WRITE, &pages);
	if (ret)
		return ret;
	area = new_area(c->ctx, pages, va - pages->va, length, prot);
	if (!area) {
		uiommu_pages_put(c->ctx, pages);
		return -UIOMMU_ENOMEM;
	}
	ret = add_areas_at(c->ctx, &ioas->iopt, area, iova, length, fixed);
	if (ret)
		uiommu_iopt_free_areas(c->ctx, area);
	return ret;
}

/* The program could not be told where its mapping is: it never existed. */
static int respond_or_unmap(const struct uiommu_icall *c, struct uiommu_iopt *iopt,
			    uint64_t iova, uint64_t length)
{
	int ret = uiommu_icall_respond(c);

	if (ret)
		uiommu_iopt_unmap(c->ctx, iopt, iova, iova + length - 1);
	return ret;
}

int uiommu_icall_ioas_map(const struct uiommu_icall *c)
{
	struct uiommu_abi_iommu_ioas_map *cmd = c->cmd;
	struct uiommu_ioas *ioas;
	int ret;

	if ((cmd->flags & ~MAP_FLAGS) || cmd->__reserved)
		return -UIOMMU_EOPNOTSUPP;
	ret = check_map(cmd->flags, cmd->iova, cmd->length);
	if (ret)
		return ret;
	ioas = find_ioas(c, cmd->ioas_id);
	if (!ioas)
		return -UIOMMU_ENOENT;
	ret = uiommu_ioas_map_user(c, ioas, cmd->user_va, cmd->length, &cmd->iova,
				   cmd->flags & UIOMMU_ABI_IOMMU_IOAS_MAP_FIXED_IOVA,
				   to_prot(cmd->flags));
	if (ret)
		return ret;
	return respond_or_unmap(c, &ioas->iopt, cmd->iova, cmd->length);
}

/* A list of areas that share the pages of [iova, iova + length) of @src. */
static int alias_areas(struct uiommu_iommufd *ctx, const struct uiommu_iopt *src, uint64_t iova,
		       uint64_t length, unsigned prot, struct uiommu_area **list)
{
	struct uiommu_area **link = list;

	if (!length)
		return -UIOMMU_EINVAL;
	if (iova > UINT64_MAX - (length - 1))
		return -UIOMMU_EOVERFLOW;
	while (length) {
		struct uiommu_range *r = uiommu_ranges_overlap(&src->areas, iova, iova);
		struct uiommu_area *from;
		uint64_t bytes;

		if (!r)
			return -UIOMMU_ENOENT;
		from = uiommu_container_of(r, struct uiommu_area, r);
		bytes = r->last - iova < length - 1 ? r->last - iova + 1 : length;
		*link = new_area(ctx, from->pages, from->off + (iova - r->start), bytes, prot);
		if (!*link)
			return -UIOMMU_ENOMEM;
		from->pages->refs++;
		link = &(*link)->next;
		iova += bytes;
		length -= bytes;
	}
	return 0;
}

static int copy_areas(const struct uiommu_icall *c, struct uiommu_ioas *src,
		      struct uiommu_ioas **dst, struct uiommu_abi_iommu_ioas_copy *cmd)
{
	const bool fixed = cmd->flags & UIOMMU_ABI_IOMMU_IOAS_MAP_FIXED_IOVA;
	struct uiommu_area *list = NULL;
	int ret;

	ret = alias_areas(c->ctx, &src->iopt, cmd->src_iova, cmd->length, to_prot(cmd->flags),
			  &list);
	if (!ret) {
		*dst = find_ioas(c, cmd->dst_ioas_id);
		ret = *dst ? 0 : -UIOMMU_ENOENT;
	}
	if (!ret)
		ret = add_areas_at(c->ctx, &(*dst)->iopt, list, &cmd->dst_iova, cmd->length, fixed);
	if (ret)
		uiommu_iopt_free_areas(c->ctx, list);
	return ret;
}

int uiommu_icall_ioas_copy(const struct uiommu_icall *c)
{
	struct uiommu_abi_iommu_ioas_copy *cmd = c->cmd;
	struct uiommu_ioas *src, *dst = NULL;
	int ret;

	if (cmd->flags & ~MAP_FLAGS)
		return -UIOMMU_EOPNOTSUPP;
	if (cmd->src_iova == UINT64_MAX)
		return -UIOMMU_EOVERFLOW;
	ret = check_map(cmd->flags, cmd->dst_iova, cmd->length);
	if (ret)
		return ret;
	src = find_ioas(c, cmd->src_ioas_id);
	if (!src)
		return -UIOMMU_ENOENT;
	ret = copy_areas(c, src, &dst, cmd);
	if (ret)
		return ret;
	return respond_or_unmap(c, &dst->iopt, cmd->dst_iova, cmd->length);
}

int uiommu_icall_ioas_unmap(const struct uiommu_icall *c)
{
	struct uiommu_abi_iommu_ioas_unmap *cmd = c->cmd;
	const bool all = cmd->iova == 0 && cmd->length == UINT64_MAX;
	struct uiommu_ioas *ioas = find_ioas(c, cmd->ioas_id);
	uint64_t last;
	int ret;

	if (!ioas)
		return -UIOMMU_ENOENT;
	if (!all && (cmd->iova == UINT64_MAX || cmd->length == UINT64_MAX))
		return -UIOMMU_EOVERFLOW;
	if (!cmd->length)
		return -UIOMMU_EINVAL;
	if (!all && cmd->iova > UINT64_MAX - (cmd->length - 1))
		return -UIOMMU_EOVERFLOW;
	last = all ? UINT64_MAX : cmd->iova + cmd->length - 1;
	ret = uiommu_iopt_check_unmap(&ioas->iopt, cmd->iova, last);
	if (ret)
		return ret;
	cmd->length = uiommu_iopt_mapped(&ioas->iopt, cmd->iova, last);
	if (!all && !cmd->length)
		return -UIOMMU_ENOENT;
	ret = uiommu_icall_respond(c);
	if (!ret)
		uiommu_iopt_unmap(c->ctx, &ioas->iopt, cmd->iova, last);
	return ret;
}

/* ---- options ---- */

/* Whom pinned pages are counted against is the host's matter (see uaccess->pin);
 * a change needs a privilege that no front end can vouch for. */
static int option_rlimit_mode(struct uiommu_abi_iommu_option *cmd)
{
	if (cmd->object_id)
		return -UIOMMU_EOPNOTSUPP;
	if (cmd->op == UIOMMU_ABI_IOMMU_OPTION_OP_SET)
		return -UIOMMU_EPERM;
	if (cmd->op != UIOMMU_ABI_IOMMU_OPTION_OP_GET)
		return -UIOMMU_EOPNOTSUPP;
	cmd->val64 = 0;
	return 0;
}

static int option_respond(const struct uiommu_icall *c)
{
	const struct uiommu_abi_iommu_option *cmd = c->cmd;

	return uiommu_icall_copy_out(c, c->user + offsetof(struct uiommu_abi_iommu_option, val64),
				     &cmd->val64, sizeof(cmd->val64));
}

static int option_huge_pages(const struct uiommu_icall *c, struct uiommu_abi_iommu_option *cmd)
{
	struct uiommu_ioas *ioas = find_ioas(c, cmd->object_id);
	int ret;

	if (!ioas)
		return -UIOMMU_ENOENT;
	if (cmd->op == UIOMMU_ABI_IOMMU_OPTION_OP_GET) {
		cmd->val64 = !ioas->iopt.small_pages;
		return 0;
	}
	if (cmd->op != UIOMMU_ABI_IOMMU_OPTION_OP_SET)
		return -UIOMMU_EOPNOTSUPP;
	if (cmd->val64 > 1)
		return -UIOMMU_EINVAL;
	ret = option_respond(c);	/* the same number, but while nothing is changed yet */
	return ret ? ret : uiommu_iopt_set_small_pages(&ioas->iopt, !cmd->val64);
}

int uiommu_icall_option(const struct uiommu_icall *c)
{
	struct uiommu_abi_iommu_option *cmd = c->cmd;
	int ret = -UIOMMU_EOPNOTSUPP;

	if (cmd->__reserved)
		return ret;
	if (cmd->option_id == UIOMMU_ABI_IOMMU_OPTION_RLIMIT_MODE)
		ret = option_rlimit_mode(cmd);
	else if (cmd->option_id == UIOMMU_ABI_IOMMU_OPTION_HUGE_PAGES)
		ret = option_huge_pages(c, cmd);
	if (ret || cmd->op == UIOMMU_ABI_IOMMU_OPTION_OP_SET)
		return ret;
	return option_respond(c);
}

int uiommu_icall_vfio_ioas(const struct uiommu_icall *c)
{
	struct uiommu_abi_iommu_vfio_ioas *cmd = c->cmd;
	struct uiommu_ioas *ioas;

	if (cmd->__reserved)
		return -UIOMMU_EOPNOTSUPP;
	switch (cmd->op) {
	case UIOMMU_ABI_IOMMU_VFIO_IOAS_GET:
		if (!c->ctx->vfio_ioas)
			return -UIOMMU_ENODEV;
		cmd->ioas_id = c->ctx->vfio_ioas->obj.id;
		return uiommu_icall_respond(c);
	case UIOMMU_ABI_IOMMU_VFIO_IOAS_SET:
		ioas = find_ioas(c, cmd->ioas_id);
		if (!ioas)
			return -UIOMMU_ENOENT;
		c->ctx->vfio_ioas = ioas;
		return 0;
	case UIOMMU_ABI_IOMMU_VFIO_IOAS_CLEAR:
		c->ctx->vfio_ioas = NULL;
		return 0;
	default:
		return -UIOMMU_EOPNOTSUPP;
	}
}
