/* SPDX-License-Identifier: MIT */
/*
 * preload/map.c - mapped BARs
 *
 * A BAR whose every access must be seen is mapped as pages that cannot be
 * touched; trap.c does what the program's instructions ask for. This is the table
 * of such ranges, and the calls that can change them. Every other mapping is the
 * kernel's matter (with one exception, pages pinned without io_uring: upcall.c).
 *
 * A mapping holds a descriptor of its own, so that the object lives while it is
 * mapped, as a kernel's mapping holds the file. Where the object must know that it is
 * mapped, that is a file which the server made for the mapping: every part of it, in
 * every process that has inherited it, keeps a copy, and the kernel counts them.
 */
#include "preload/preload.h"

#include <fcntl.h>
#include <sys/mman.h>

#define MAX_MAPS 256

/* (m) map_lock of pl_process; an entry with end 0 is free. A fork copies it, as
 * it copies the mappings. */
static struct pl_map maps[MAX_MAPS]; /* (m) */
static _Atomic unsigned num_maps;    /* (m), read without it */

static size_t round_up(size_t n)
{
	return (n + PL_PAGE - 1) & -PL_PAGE;
}

static pl_sigset lock_maps(void)
{
	pl_sigset old = pl_block_all();

	pl_lock(&pl_process->map_lock);
	return old;
}

static void unlock_maps(pl_sigset old)
{
	pl_unlock(&pl_process->map_lock);
	pl_unblock(old);
}

bool pl_map_find(uintptr_t addr, struct pl_map *m)
{
	bool found = false;

	if (!num_maps)
		return false;
	pl_lock(&pl_process->map_lock);
	for (unsigned i = 0; i < MAX_MAPS && !found; i++) {
		found = addr >= maps[i].start && addr < maps[i].end;
		if (found)
			*m = maps[i];
	}
	pl_unlock(&pl_process->map_lock);
	return found;
}

static bool insert_locked(const struct pl_map *m)
{
	for (unsigned i = 0; i < MAX_MAPS; i++) {
		if (maps[i].end)
			continue;
		maps[i] = *m;
		num_maps++;
		return true;
	}
	return false;
}

/* closes a mapping's descriptor, unless the program has closed it and has
 * another file there */
static void close_held(const struct pl_map *m)
{
	struct pl_obj o;

	if (pl_obj_of(m->fd, &o) && o.id == m->obj.id && o.server == m->obj.server)
		pl_sys(SYS_close, m->fd);
}

static int hold(int fd)
{
	long other = pl_sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);

	return other < 0 ? -1 : pl_move_high((int)other);
}

/* part of @m as an entry of its own */
static bool insert_part_locked(const struct pl_map *m, uintptr_t start, uintptr_t end)
{
	struct pl_map part = *m;

	if (start >= end)
		return true;
	part.start = start;
	part.end = end;
	part.off += start - m->start;
	part.fd = hold(m->fd);
	return insert_locked(&part);
}

/* Takes what of entry @i lies in [start, end) out of the table and into @out;
 * what lies outside stays. */
static void cut_locked(unsigned i, uintptr_t start, uintptr_t end, struct pl_map *out)
{
	struct pl_map m = maps[i];

	maps[i].end = 0;
	num_maps--;
	insert_part_locked(&m, m.start, start);
	insert_part_locked(&m, end, m.end);
	*out = m;
	if (start > m.start) {
		out->start = start;
		out->off += start - m.start;
	}
	if (end < m.end)
		out->end = end;
}

static bool meets(const struct pl_map *m, uintptr_t start, uintptr_t end)
{
	return m->start < end && start < m->end;
}

/* the program's mapping is about to be something else */
static void forget(uintptr_t start, size_t len)
{
	uintptr_t end = start + round_up(len);
	struct pl_map gone;
	pl_sigset old;

	if (__builtin_expect(!num_maps, 1) || (start & (PL_PAGE - 1)))
		return;
	old = lock_maps();
	for (unsigned i = 0; i < MAX_MAPS; i++) {
		if (!meets(&maps[i], start, end))
			continue;
		cut_locked(i, start, end, &gone);
		close_held(&gone);
	}
	unlock_maps(old);
}

/* ---- mmap ---- */

static void *map_trapped(void *addr, const struct pl_map *want, size_t len, int flags)
{
	struct pl_map m = *want;
	pl_sigset old;
	bool ok;
	void *p;

	pl_trap_install();
	flags &= MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT;
	p = pl_real.mmap(addr, len, PROT_NONE, flags | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			 -1, 0);
	if (p == MAP_FAILED)
		return p;
	m.start = (uintptr_t)p;
	m.end = m.start + round_up(len);
	if (flags & MAP_FIXED)
		forget(m.start, len);
	old = lock_maps();
	ok = insert_locked(&m);
	unlock_maps(old);
	if (ok)
		return p;
	pl_real.munmap(p, len);
	errno = ENOMEM;
	return MAP_FAILED;
}

/* What an access names: the file that was mapped, or one that came with the answer
 * and stands for the mapping alone. */
static bool take_hold(struct pl_map *m, int fd, bool own, int came)
{
	m->fd = own ? pl_move_high(came) : hold(fd);
	if (!own || pl_obj_of(m->fd, &m->obj))
		return true;
	errno = ENOMEM; /* it came, but no descriptor was free */
	return false;
}

static void *map_object(void *addr, size_t len, int prot, int flags, int fd, const struct pl_obj *o,
			off_t off)
{
	struct uiommu_req req = {
		.op = UIOMMU_REQ_MMAP,
		.obj = o->id,
		.a = { (uint64_t)off, len, (unsigned)prot, (unsigned)flags },
	};
	struct pl_map m = { .obj = *o, .prot = prot };
	struct uiommu_rep rep;
	void *p = MAP_FAILED;
	int mem;
	int64_t r = pl_call(&req, o->server, &rep, &mem);

	if (r < 0) {
		errno = (int)-r;
	} else if (rep.r[2] == UIOMMU_MAP_MEMORY) {
		p = pl_real.mmap(addr, len, prot, flags, mem, (off_t)rep.r[1]);
		if (p != MAP_FAILED && (flags & MAP_FIXED))
			forget((uintptr_t)p, len);
		if (mem >= 0)
			pl_sys(SYS_close, mem);
	} else {
		m.region = (unsigned)rep.r[0];
		m.off = rep.r[1];
		if (take_hold(&m, fd, rep.r[2] == UIOMMU_MAP_TRAPPED_FILE, mem))
			p = map_trapped(addr, &m, len, flags);
		if (p == MAP_FAILED)
			close_held(&m);
	}
	return p;
}

static void *do_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	struct pl_obj o;
	void *p;

	pl_init();
	if (flags & MAP_FIXED)
		pl_hide_before_unmap((uintptr_t)addr, len);
	p = pl_real.mmap(addr, len, prot, flags, fd, off);
	if (__builtin_expect(p == MAP_FAILED, 0)) {
		if (errno == ENODEV && fd >= 0 && pl_obj_of(fd, &o))
			p = map_object(addr, len, prot, flags, fd, &o, off);
	} else if (flags & MAP_FIXED) {
		forget((uintptr_t)p, len);
	}
	return p;
}

PL_EXPORT void *mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return do_mmap(addr, len, prot, flags, fd, off);
}

PL_EXPORT void *mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return do_mmap(addr, len, prot, flags, fd, off);
}

PL_EXPORT int munmap(void *addr, size_t len)
{
	pl_init();
	pl_hide_before_unmap((uintptr_t)addr, len);
	forget((uintptr_t)addr, len);
	return pl_real.munmap(addr, len);
}

/* ---- mremap ---- */

static bool any_trapped(uintptr_t start, size_t len)
{
	uintptr_t end = start + round_up(len ? len : 1);
	pl_sigset old;
	bool any = false;

	if (!num_maps)
		return false;
	old = lock_maps();
	for (unsigned i = 0; i < MAX_MAPS && !any; i++)
		any = meets(&maps[i], start, end);
	unlock_maps(old);
	return any;
}

/* entries in [from, from+len) now stand at @to */
static void moved(uintptr_t from, uintptr_t to, size_t len)
{
	struct pl_map m;
	pl_sigset old = lock_maps();

	for (unsigned i = 0; i < MAX_MAPS; i++) {
		if (!meets(&maps[i], from, from + len))
			continue;
		cut_locked(i, from, from + len, &m);
		m.start += to - from;
		m.end += to - from;
		insert_locked(&m);
		if (to >= from && to < from + len)
			break;
	}
	unlock_maps(old);
}

/* A device's mapping does not grow, and is not there twice: as on Linux. */
static void *remap_trapped(uintptr_t from, size_t old, size_t new, int flags, void *to)
{
	void *p;

	if (!old || round_up(new) > round_up(old)) {
		errno = old ? EFAULT : EINVAL;
		return MAP_FAILED;
	}
	p = pl_real.mremap((void *)from, old, new, flags, to);
	if (p == MAP_FAILED)
		return p;
	forget(from + round_up(new), round_up(old) - round_up(new));
	if ((uintptr_t)p != from)
		moved(from, (uintptr_t)p, round_up(new));
	return p;
}

PL_EXPORT void *mremap(void *addr, size_t old, size_t new, int flags, ...)
{
	void *to = NULL;
	va_list ap;

	pl_init();
	va_start(ap, flags);
	if (flags & MREMAP_FIXED)
		to = va_arg(ap, void *);
	va_end(ap);
	if (flags & MREMAP_FIXED) {
		pl_hide_before_unmap((uintptr_t)to, new);
		forget((uintptr_t)to, new);
	}
	pl_hide_before_unmap((uintptr_t)addr, old);
	if (any_trapped((uintptr_t)addr, old))
		return remap_trapped((uintptr_t)addr, old, new, flags, to);
	return pl_real.mremap(addr, old, new, flags, to);
}

/* ---- mprotect ---- */

/* The first entry that ends after @start: its part in [start, end) gets @prot.
 * Returns where that part begins and ends, or @end twice. */
static bool protect_next(uintptr_t start, uintptr_t end, int prot, struct pl_map *hit)
{
	unsigned best = MAX_MAPS;

	for (unsigned i = 0; i < MAX_MAPS; i++)
		if (meets(&maps[i], start, end) &&
		    (best == MAX_MAPS || maps[i].start < maps[best].start))
			best = i;
	if (best == MAX_MAPS)
		return false;
	cut_locked(best, start, end, hit);
	hit->prot = prot;
	return insert_locked(hit);
}

/* what is trapped stays untouchable; what lies between is really changed */
static int protect_mixed(uintptr_t start, uintptr_t end, int prot)
{
	struct pl_map hit;
	pl_sigset old;
	bool found;
	int r = 0;

	while (start < end && !r) {
		old = lock_maps();
		found = protect_next(start, end, prot, &hit);
		unlock_maps(old);
		if (!found)
			return pl_real.mprotect((void *)start, end - start, prot);
		if (hit.start > start)
			r = pl_real.mprotect((void *)start, hit.start - start, prot);
		start = hit.end;
	}
	return r;
}

static int do_mprotect(void *addr, size_t len, int prot)
{
	uintptr_t start = (uintptr_t)addr, end = start + round_up(len);

	if ((start & (PL_PAGE - 1)) || end <= start || !any_trapped(start, len))
		return pl_real.mprotect(addr, len, prot);
	return protect_mixed(start, end, prot);
}

PL_EXPORT int mprotect(void *addr, size_t len, int prot)
{
	pl_init();
	return do_mprotect(addr, len, prot);
}

PL_EXPORT int pkey_mprotect(void *addr, size_t len, int prot, int key)
{
	pl_init();
	if (any_trapped((uintptr_t)addr, len))
		return do_mprotect(addr, len, prot);
	return (int)pl_ret(pl_sys(SYS_pkey_mprotect, addr, len, prot, key));
}
