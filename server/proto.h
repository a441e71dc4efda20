/* SPDX-License-Identifier: MIT */
/*
 * server/proto.h - what the preloaded library and the server say to each other
 *
 * One machine lives in one process, the server (`uiommu run` itself). Every
 * process of the program talks to it over a connection of its own: an AF_UNIX
 * SOCK_SEQPACKET socket, found through UIOMMU_SOCKET in the environment. One
 * request is outstanding per connection at a time. While the client waits, the
 * server may send upcalls (things only the client's own address space can do);
 * the client answers each and waits on. An upcall is to be answered within
 * UIOMMU_UPCALL_MS, or the connection is cut.
 *
 * A connection stands for the address space that made it: a forked child makes
 * its own (the one it inherited is its parent's), and it is close-on-exec. The
 * first request is HELLO. A request that is not exactly one struct uiommu_req
 * ends the connection.
 *
 * Every file that a program is given (an open /dev/iommu, an open vfio device)
 * is one end of an AF_UNIX socketpair. The server holds the other end; when
 * every copy in every process is closed (dup, fork, exec, SCM_RIGHTS and death
 * included) the server sees the hang-up: that is the object's release. The
 * server's end is bound to an abstract name, so getpeername() on any copy says
 * which object it is, with no table in the client:
 *	"\0uiommu/<server pid>/<object number>/<kind><index>"	numbers in decimal
 * kind: 'i' iommufd and what is mapped of one, 'v' vfio, 'f' fault queue; index: which vfio device.
 * No NUL at the end. The
 * name stays readable after the server has died. Object numbers are not reused.
 * Before it handles a request, the server handles every hang-up that is already
 * visible, so close() followed by open() works as with a kernel. Whatever is
 * sent into such a file is never read; a read() of it is at its end at once, and
 * poll() says that it is readable, as Linux does for files without a poll method.
 */
#ifndef UIOMMU_SERVER_PROTO_H
#define UIOMMU_SERVER_PROTO_H

#include <stdint.h>

#define UIOMMU_PROTO_VERSION	1
#define UIOMMU_ENV_SOCKET	"UIOMMU_SOCKET"	/* path of the server's socket */
#define UIOMMU_ENV_ROOT		"UIOMMU_ROOT"	/* the shadow directory */
#define UIOMMU_ENV_QUIET	"UIOMMU_QUIET"
#define UIOMMU_PRELOAD_NAME	"libuiommu-preload.so"
#define UIOMMU_NAME_PREFIX	"uiommu/"	/* after the NUL of the abstract name */
#define UIOMMU_UPCALL_MS	10000

/*
 * A file of kind 'f' (fault queue) is a SOCK_SEQPACKET socket. Nothing is in it, or,
 * when there is something to be read, this mark: so that poll() says it. A read() that
 * gets the mark asks the server for what there is and tells it (READ, a3); the server
 * puts in a new one if something is left. One that gets nothing asks as well.
 */
#define UIOMMU_READY_MARK	"uIOMMU: readable"
#define UIOMMU_READY_BYTES	16

/*
 * The shadow tree. Below these directories it is complete (what the real
 * system has there appears as symbolic links to it), so they and anything under
 * them, listing included, are answered from <root>. Every other directory of the
 * tree (/dev, /sys, /sys/bus, ...) is only a way to these. Symbolic links are
 * relative and stay inside the tree, or absolute and lead to the real system.
 * The device directories proper are <root>/sys/devices/pci<domain>:<bus>/<BDF>:
 * a path that begins with UIOMMU_SHADOW_PCI is the tree's if it exists there.
 */
#define UIOMMU_SHADOW_DIRS						\
	"/dev/vfio",							\
	"/sys/bus/pci/devices",						\
	"/sys/bus/pci/drivers",						\
	"/sys/class/iommu",						\
	"/sys/class/vfio-dev",						\
	"/sys/kernel/iommu_groups"
#define UIOMMU_SHADOW_PCI		"/sys/devices/pci"
/* ... and these. */
#define UIOMMU_SHADOW_FILES		"/dev/iommu", "/sys/class/misc/iommu"

/* What stat() says about our files, and what their "dev" files in sysfs hold.
 * In the tree the device files are plain files of UIOMMU_DEV_MODE that hold the
 * same "major:minor\n". */
#define UIOMMU_DEV_IOMMU_MAJOR		10	/* a misc device ... */
#define UIOMMU_DEV_IOMMU_MINOR		120	/* ... in the range of dynamic minors */
#define UIOMMU_DEV_VFIO_MAJOR		508	/* + the device's index as minor */
#define UIOMMU_DEV_MODE			0600

enum uiommu_req_op {
	UIOMMU_REQ_HELLO = 1,	/* a0 version, a1 pid; r0 version, r1 the server's pid as it
				   stands in the names (it must be allowed to ptrace us) */
	UIOMMU_REQ_OPEN,	/* path (below /dev), a0 open flags; one fd by SCM_RIGHTS,
				   r0 object number, r1 index */
	UIOMMU_REQ_IOCTL,	/* obj, a0 cmd, a1 arg; ret */
	UIOMMU_REQ_READ,	/* obj, a0 offset, a1 bytes, a2 user pointer, a3 1 = a mark was
				   taken out of the file; ret */
	UIOMMU_REQ_WRITE,	/* the same */
	UIOMMU_REQ_MMAP,	/* obj, a0 offset, a1 length, a2 prot, a3 flags;
				   ret 0: r0 region, r1 offset in it, r2 UIOMMU_MAP_* */
	UIOMMU_REQ_LOAD,	/* obj, a0 region, a1 offset, a2 size; r0 value. Sizes 16 and
				   32: the bytes are in r[0..3]. Never upcalls. */
	UIOMMU_REQ_STORE,	/* obj, a0 region, a1 offset, a2 size, a3 value. Sizes 16, 32,
				   64: the bytes are in path. Never upcalls. */
	UIOMMU_REQ_MOVED,	/* pages of the caller went elsewhere (pin fallback):
				   a0 old address, a1 length, a2 new address;
				   ret 1: some are pinned, keep them there until UNHIDE;
				   0: none is, drop them */
};

/* what a mapping is made of */
enum uiommu_map_how {
	UIOMMU_MAP_MEMORY,	/* the fd in SCM_RIGHTS, at offset r1 */
	UIOMMU_MAP_TRAPPED,	/* nothing: each access is a LOAD or STORE of the object */
	UIOMMU_MAP_TRAPPED_FILE, /* likewise, but of the object whose file is in SCM_RIGHTS. It is
				   kept open, close-on-exec, as long as any part is mapped: that is
				   how the server knows */
};

/* client -> server */
struct uiommu_req {
	uint32_t op;
	uint32_t obj;		/* object number, where one is meant */
	uint64_t a[4];
	char path[64];		/* OPEN: "iommu", "vfio/devices/vfio0"; NUL-terminated */
};

/* server -> client: the answer, or an upcall with its arguments in r[] */
enum uiommu_rep_op {
	UIOMMU_REP_DONE = 1,	/* ret: >= 0 or negative errno */
	UIOMMU_UP_RING,		/* r0 entries, r1 slots: make an io_uring (no flags, not
				   mapped) with a sparse table of that many buffers; answer with its
				   fd number in r[0]. It stays open, close-on-exec. */
	UIOMMU_UP_PIN,		/* r0 ring fd, r1 slot, r2 address, r3 length,
				   r4 UIOMMU_PROT_*: register as fixed buffer in that slot;
				   -EBADF: the ring is gone */
	UIOMMU_UP_HIDE,		/* fallback: r2 address, r3 length are pinned: before a
				   munmap() or a MAP_FIXED takes them away, move them
				   elsewhere and say so with MOVED */
	UIOMMU_UP_UNHIDE,	/* r2 address, r3 length are pinned no more; r4 1 = they
				   were moved there by HIDE: munmap() */
	UIOMMU_UP_PROTECT,	/* r2 address, r3 length, r4 PROT_*: mprotect() */
	UIOMMU_UP_FILE,		/* one fd by SCM_RIGHTS, to keep, close-on-exec: a file that an
				   ioctl gives out; answer with its number in r[0] */
};

struct uiommu_rep {
	uint32_t op;
	int32_t pad;
	int64_t ret;
	uint64_t r[5];
};

/* client -> server: the answer to an upcall */
struct uiommu_up_answer {
	int64_t ret;		/* 0 or negative errno */
	uint64_t r[2];
};

_Static_assert(sizeof(struct uiommu_req) == 104, "the same on every ABI");
_Static_assert(sizeof(struct uiommu_rep) == 56, "the same on every ABI");
_Static_assert(sizeof(struct uiommu_up_answer) == 24, "told from a request by its size");

#endif
