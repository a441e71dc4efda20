/* SPDX-License-Identifier: MIT */
/* What the files of this room know of each other. */
#ifndef UIOMMU_SERVER_INTERNAL_H
#define UIOMMU_SERVER_INTERNAL_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "host/posix/posix.h"
#include "server/proto.h"
#include "server/server.h"

/* Field legend: (i) set at create, (p) under the part's lock, (a) atomic;
 * everything else belongs to the thread that handles requests. */

/* ---- what can be opened: rooms.c, or a test's own ---- */

struct file_ops;

struct opened {
	const struct file_ops *ops;
	void *obj;
	unsigned index;
};

/* What a part of a file is to a program that maps it: pages of which each access
 * is a load() or store(), of that file or, if there is one, of @file; or memory. */
struct mapped {
	unsigned region;
	uint64_t off;	    /* in it; in the memory */
	struct opened file; /* ops NULL: none; lives as long as the mapping does in any process */
	int fd;		    /* -1: pages that trap; else the memory, ours to close */
};

/* One kind of file. A NULL function is -ENOTTY, -EINVAL or -ENODEV, as Linux
 * answers for a file that has no such operation. */
struct file_ops {
	const void *kind;	/* for uaccess->file_object() */
	char letter;		/* in the file's name */
	bool marks;		/* readable when it is said so, not always */
	int64_t (*ioctl)(void *obj, struct uiommu_as *as, uint32_t cmd, uint64_t arg);
	int64_t (*read)(void *obj, struct uiommu_as *as, uint64_t off, uint64_t n, uint64_t user);
	int64_t (*write)(void *obj, struct uiommu_as *as, uint64_t off, uint64_t n, uint64_t user);
	/* @len: whole pages; @prot: PROT_*; MAP_SHARED */
	int (*mmap)(void *obj, uint64_t off, uint64_t len, unsigned prot, struct mapped *out);
	uint64_t (*load)(void *obj, unsigned region, uint64_t off, unsigned size);
	void (*store)(void *obj, unsigned region, uint64_t off, uint64_t v, unsigned size);
	void (*release)(void *obj);
};

#define SHADOW_MAX_RESV	128u	/* more are not shown */

/* A device as sysfs shows it. */
struct shadow_device {
	const char *name;		/* "0000:01:00.0" */
	unsigned group, iommu;
	uint16_t vendor, device, sub_vendor, sub_device;
	uint32_t class_code;
	uint8_t revision;
	uint8_t config[4096];
	struct {
		uint64_t start, bytes, flags;
	} bar[6];
	struct uiommu_dev_resv resv[SHADOW_MAX_RESV];	/* of its group; no two equal */
	unsigned num_resv;
};

struct backend {
	void *ctx;
	/* 0, or negative errno */
	int (*open)(void *ctx, const char *path, struct opened *out);
	unsigned ndevices;
	/* fills in @out, which is zeroed */
	void (*device)(void *ctx, unsigned i, struct shadow_device *out);
	/* for server/inspect.h; NULL: there is nothing to say */
	void *tell_ctx;
	void (*describe)(void *tell_ctx, FILE *out);
	const void *(*dtb)(void *tell_ctx, size_t *bytes);
	/* what a file that is given out can do, NULL: there are none of this kind */
	const struct file_ops *(*given)(const void *kind);
};

void rooms_backend(struct uiommu_machine *m, struct backend *out);

/* ---- what epoll watches ---- */

struct watch {
	int fd;
	void (*fn)(struct uiommu_server *s, struct watch *w, uint32_t events);
};

int watch_add(int epfd, struct watch *w, uint32_t events);

/* ---- files.c: objects given out ---- */

struct object {
	struct watch hup;		/* our end of the socketpair */
	struct object *next;		/* in its bucket */
	uint32_t number;
	atomic_bool marked;		/* a mark is in the file */
	struct opened o;
};

#define OBJECT_BUCKETS	64

/* Makes the pair; *@fd is the program's end. On failure @o is still the caller's. */
int object_give(struct uiommu_server *s, const struct opened *o, struct object **out, int *fd);
/* As if it had never been: its release is not called. */
void object_take_back(struct uiommu_server *s, struct object *o);
/* The program's poll() shall say that there is something to read. Any thread. */
void object_ready(struct object *o);
int uaccess_file_give(void *ctx, struct uiommu_as *as, const void *kind, void *obj,
		      struct uiommu_given **out, int *fd);
void uaccess_file_ready(void *ctx, struct uiommu_given *g);
struct object *object_find(struct uiommu_server *s, uint32_t number);
/* the object whose other end @fd is, or NULL */
struct object *object_of_fd(struct uiommu_server *s, int fd);
void objects_reap(struct uiommu_server *s);	/* every hang-up that is visible */
void objects_release_all(struct uiommu_server *s);

/* ---- uaccess.c: address spaces ---- */

struct range64 {
	struct range64 *next;
	uint64_t va, len;
	bool moved;
};

/* What the kernel drew for a program when it was exec'ed (AT_RANDOM); zeros: not
 * to be had. */
struct birth {
	uint8_t random[16];
};

struct uiommu_as {
	atomic_uint refs;		/* (a) */
	struct uiommu_server *s;	/* (i) */
	pid_t pid;			/* (i) */
	int pidfd, memfd;		/* (i) -1: not allowed */
	struct birth birth;		/* (i) */
	struct conn *conn;		/* NULL: it has none now */
	struct ring *rings;
	bool no_rings;			/* it could not make one */
	struct pin *hidden;		/* (p) pins of the fallback */
	struct range64 *unhide;		/* to be said at its next request */
	struct uiommu_as *next;		/* all of them */
};

struct uiommu_as *as_for(struct uiommu_server *s, pid_t pid, int conn_fd);
void as_ref(struct uiommu_as *as);
void as_unref(struct uiommu_as *as);
/* does the memory that it stood for when made still exist */
bool as_alive(const struct uiommu_as *as);
extern const struct uiommu_uaccess uaccess_template;
/* of the memory that the handle names, even if its process has other memory now */
int as_copy(struct uiommu_as *as, void *local, uint64_t remote, size_t bytes, bool write);

/* ---- conn.c ---- */

struct conn {
	struct watch in;
	struct conn *next;
	struct uiommu_as *as;
	bool hello, broken;
};

/* a socket of that name in our directory; its fn is set already */
int listen_at(struct uiommu_server *s, const char *name, struct watch *w);
void conn_refuse(struct uiommu_server *s, int listener);
int listener_init(struct uiommu_server *s);
void listener_fini(struct uiommu_server *s);
void conns_close_all(struct uiommu_server *s);
/* Asks the process something during its own request. 0 or what it answered;
 * -UIOMMU_EFAULT: it is not waiting for us, or broke off. @r0 may be NULL. */
int upcall(struct uiommu_as *as, struct uiommu_rep *up, uint64_t *r0);
/* The same with a file; @fd stays the caller's. */
int upcall_with(struct uiommu_as *as, struct uiommu_rep *up, int fd, uint64_t *r0);

/* ---- inspect.c: whoever looks at a run from outside ---- */

int inspect_init(struct uiommu_server *s);
void inspect_fini(struct uiommu_server *s);

/* ---- ring.c: io_uring with buffers of another process ---- */

#define RING_SLOTS	16384
#define RING_SLOT_BYTES	(1ull << 30)

struct ring {
	struct ring *next;		/* of its address space */
	int client_fd;			/* -1: closed in the client */
	bool orphan;			/* no address space: goes with its last slot */
	unsigned used, hint;
	uint64_t map[RING_SLOTS / 64];	/* slots in use */

	pthread_mutex_t lock;		/* guards the rest */
	bool stuck;			/* (p) an operation did not end */
	int fd, pipe[2];		/* (i) */
	void *sq_mem, *sqe_mem;		/* (i) */
	size_t sq_bytes, sqe_bytes;	/* (i) */
	struct io_uring_sqe *sqes;	/* (i) */
	struct io_uring_cqe *cqes;	/* (i) */
	unsigned *sq_tail, *sq_array, *cq_head, *cq_tail, sq_mask, cq_mask;	/* (i) */
};

/* Pins [va, va + bytes) into a slot. 0, -EFAULT, -ENOMEM, or -ENOSYS: no ring
 * can be had. */
int ring_pin(struct uiommu_as *as, uint64_t va, uint64_t bytes, unsigned prot,
	     struct ring **ring, unsigned *slot);
void ring_unpin(struct ring *r, unsigned slot);
int ring_copy(struct ring *r, unsigned slot, uint64_t va, void *buf, size_t bytes, bool write);
void rings_orphan(struct uiommu_as *as);

/* ---- pin.c, hide.c ---- */

struct piece {
	uint64_t off, len, va;		/* where [off, off + len) of the pin is now */
};

struct pin {
	struct uiommu_pin pub;
	struct uiommu_pin_seg seg;
	struct uiommu_server *s;
	uint64_t va, len;
	/* by rings: one slot per RING_SLOT_BYTES */
	unsigned nslots;
	struct {
		struct ring *ring;
		unsigned slot;
	} *slots;
	/* hidden */
	struct uiommu_as *as;
	struct pin *next;		/* (p) of the same address space */
	struct piece *pieces;		/* (p) in order of off */
	unsigned npieces;		/* (p) */
};

int uaccess_pin(void *ctx, struct uiommu_as *as, uint64_t va, uint64_t len, unsigned prot,
		uint64_t like, struct uiommu_pin **out);
void uaccess_unpin(void *ctx, struct uiommu_pin *pin);
extern const struct uiommu_posix_frames_ops hidden_ops;
int hide(struct pin *pin, struct uiommu_as *as, unsigned prot);
void unhide(struct pin *pin);
/* pages of @as went from @old to @now; true: some of them are pinned */
bool hidden_moved(struct uiommu_as *as, uint64_t old, uint64_t len, uint64_t now);
void unhide_flush(struct uiommu_as *as);
void unhide_forget(struct uiommu_as *as);

/* ---- maps.c: /proc/<pid>/maps ---- */

/* Calls @fn for each mapping that touches [va, va + len), cut to it. -EFAULT if
 * there is a hole; stops at the first non-zero of @fn and returns it. */
int maps_walk(pid_t pid, uint64_t va, uint64_t len,
	      int (*fn)(void *ctx, uint64_t va, uint64_t len, int prot), void *ctx);
/* is all of it there, with what a device may do */
int maps_check(pid_t pid, uint64_t va, uint64_t len, unsigned prot);

/* ---- shadow.c, tree.c ---- */

int root_make(struct uiommu_server *s, const char *dir);
void root_remove(struct uiommu_server *s);
int shadow_build(struct uiommu_server *s);

/* ---- spawn.c, elf.c ---- */

struct elf_facts {
	bool is_elf, dynamic;
	char sanitizer[64];		/* "libasan.so.8", or "" */
};
int elf_read(const char *path, struct elf_facts *out);
int preload_find(struct uiommu_server *s, const char *given, char *err, size_t err_bytes);
/* The program's pid, or -1 with the status it is to be taken for in *@status. */
pid_t program_spawn(struct uiommu_server *s, char *const argv[], char *const envp[], int *status);

/* ---- server.c ---- */

enum said { SAID_HIDDEN, SAID_PTRACE, SAID_FDS, SAID_STUCK, SAID_COUNT };

struct uiommu_server {
	struct uiommu_server_config cfg;	/* (i) */
	struct uiommu_posix *posix;		/* (i) */
	struct uiommu_uaccess uaccess;		/* (i) */
	struct uiommu_machine *machine;		/* (i) NULL in tests of this room */
	void (*machine_destroy)(struct uiommu_server *s);	/* (i) */
	struct census *census;			/* (i) NULL likewise */
	struct backend backend;			/* (i) */
	char *root, *preload;			/* (i) */
	int root_fd, lock_fd;
	bool root_temporary;
	int epfd, objects_epfd, spare_fd;
	struct watch listener, signals, objects_ready, inspect;
	struct inspector *inspectors;
	unsigned ninspectors;
	struct conn *conns, *current;		/* current: whose request is handled */
	struct object *objects[OBJECT_BUCKETS];
	unsigned nobjects;
	uint32_t last_number;
	struct uiommu_as *ases;
	pthread_mutex_t hide_lock;		/* the (p) of pin.c, hide.c */
	atomic_bool said[SAID_COUNT];
	sigset_t old_mask;			/* (i) the program's */
	struct rlimit old_nofile;		/* (i) the program's */
	int old_subreaper;
	pid_t child;
	int status;
	bool child_done, stop;
};

/* One sentence on stderr. */
void say(struct uiommu_server *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* true the first time */
bool say_first(struct uiommu_server *s, enum said what);
void say_no_fds(struct uiommu_server *s);

/* create() without a machine: what tests of this room use. */
int server_create_with(const struct uiommu_server_config *cfg, const struct backend *be,
		       struct uiommu_server **out, char *err, size_t err_bytes);
int server_init(const struct uiommu_server_config *cfg, struct uiommu_server **out, char *err,
		size_t err_bytes);
int server_open(struct uiommu_server *s, char *err, size_t err_bytes);

#endif
