/* SPDX-License-Identifier: MIT */
/*
 * preload/preload.h - the joints inside libuiommu-preload.so
 *
 * The library keeps no table of files: a file of ours is a socket whose peer's
 * name says which object it is (server/proto.h), and a call is first done for
 * real. Only when the kernel refuses it in just the way it refuses it on a
 * socket does anybody look whether the file is ours. So whatever a program does
 * with descriptors (dup, fork, exec, SCM_RIGHTS) needs no help from here.
 *
 * Locking: pl_conn_lock(), then the lock of map.c, then nothing. Both
 * are held with every signal blocked. Neither lives through a fork().
 */
#ifndef UIOMMU_PRELOAD_H
#define UIOMMU_PRELOAD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <ucontext.h>

#include "preload/sys.h"
#include "server/proto.h"

#define PL_EXPORT	__attribute__((visibility("default")))
#define PL_ARRAY(a)	(sizeof(a) / sizeof((a)[0]))
#define PL_PAGE		4096UL

/* ---- init.c ---- */

/* what `uiommu run` put into the environment; "" if it did not */
struct pl_env {
	char root[PATH_MAX];	/* without a slash at the end */
	size_t root_len;
	char socket[PATH_MAX];
};
extern struct pl_env pl_env;

/**
 * pl_init() - find the environment and the next definition of each call
 *
 * Every interposed call starts with it, because a sanitizer's runtime calls us
 * before our constructor has run. Costs one load once it is done.
 *
 * Context: any, also a signal handler if the constructor has run.
 */
void pl_init_slow(void);
extern bool pl_ready;
static inline void pl_init(void)
{
	if (__builtin_expect(!pl_ready, 0))
		pl_init_slow();
}

/* the next definition of a call, as the program would see it without us */
struct pl_real {
#define PL_REAL(ret, name, args) ret (*name) args;
#include "preload/real.def"
#undef PL_REAL
};
extern struct pl_real pl_real;

/* one sentence on stderr, "uiommu: " before it. Any context. */
void pl_say(const char *what);
/* the same with one number in hexadecimal, or a string, at the end */
void pl_say_hex(const char *what, uint64_t n);
void pl_say_str(const char *what, const char *s);

/* the words that keep a program we start under the same server */
#define PL_MAX_KEEP	8
struct pl_keep {
	char *text;		/* "NAME=value" */
	const char *needle;	/* a value of the program's own without this gets ours
				   before it: "NAME=ours:theirs"; NULL: any will do */
};
extern struct pl_keep pl_keep[PL_MAX_KEEP];	/* the first is LD_PRELOAD */
extern unsigned pl_num_keep;

/* ---- conn.c: one connection per process ---- */

/* which object a file is */
struct pl_obj {
	uint64_t server;	/* pid of the server that made it */
	uint32_t id;
	char kind;		/* 'i' iommufd, 'v' vfio, 'f' fault queue */
	unsigned index;		/* vfio<index> */
};

/**
 * pl_obj_of() - is @fd a file of ours?
 * Context: any; one system call, errno untouched.
 */
bool pl_obj_of(int fd, struct pl_obj *o);

/**
 * pl_call() - ask the server
 * @req: what
 * @rep: out, the final answer
 * @server: the server that made req->obj, or 0
 * @fd:  out, the file that came with the answer (close-on-exec) or -1; may be NULL
 *
 * Context: any but one that holds the connection's lock. Blocks every signal
 * while it waits. errno untouched.
 * Return: the answer's ret; -ENODEV if there is no server (said once on stderr).
 */
int64_t pl_call(const struct uiommu_req *req, uint64_t server, struct uiommu_rep *rep, int *fd);

/* The same in two parts, for a read-modify-write that nobody else of this process
 * may come between. The caller has every signal blocked. */
void pl_conn_lock(void);
void pl_conn_unlock(void);
int64_t pl_call_locked(const struct uiommu_req *req, uint64_t server, struct uiommu_rep *rep,
		       int *fd);

typedef uint64_t pl_sigset;	/* the kernel's, 64 signals */
pl_sigset pl_block_all(void);
void pl_unblock(pl_sigset old);

void pl_lock(_Atomic int *lock);
void pl_unlock(_Atomic int *lock);

/* moves @fd to a number programs do not look at, close-on-exec; returns the new
 * one, or @fd if that cannot be */
int pl_move_high(int fd);

/* memory that a forked child finds zeroed (it is about this process) */
struct pl_hide {
	uintptr_t start, end;
};
struct pl_process {
	_Atomic int conn_lock;
	_Atomic int map_lock;
	_Atomic int action_lock;	/* signals.c */
	_Atomic int install_lock;	/* trap.c, outside of action_lock */
	int pid;			/* whose this is; 0: not known yet */
	int conn;			/* valid if conn_ino */
	uint64_t conn_ino;
	uint64_t server;		/* its pid as it stands in names */
	int ring;
	uint64_t ring_ino;
	_Atomic unsigned num_hide;
	struct pl_hide hide[256];
};
extern struct pl_process *pl_process;

/* ---- upcall.c ---- */

/* does what the server asks of this address space; @fd came with it and is closed if
 * nobody keeps it. Context: connection's lock held. */
void pl_upcall(const struct uiommu_rep *rep, int fd, struct uiommu_up_answer *ans);
/* [start, start+len) is about to go: saves pinned pages. Context: no lock held. */
void pl_hide_before_unmap(uintptr_t start, size_t len);

/* ---- path.c ---- */

enum pl_where {
	PL_ELSEWHERE,	/* not ours: do what was asked */
	PL_INSTEAD,	/* do it on p->name, which is absolute */
	PL_NODE,	/* the same, and it is one of our device files */
};
struct pl_path {
	char name[PATH_MAX];
	struct pl_obj node;	/* PL_NODE: kind and index */
};

/**
 * pl_resolve() - where a path leads
 * @dirfd: as in openat()
 * @path:  may be NULL
 * @p:     out
 * Context: any; errno untouched.
 */
enum pl_where pl_resolve(int dirfd, const char *path, struct pl_path *p);

/* @name (NUL-terminated) loses the shadow tree's root if it starts with it.
 * Returns how many bytes went. */
size_t pl_unshadow(char *name);
/* name of our device file: "/dev/iommu", "/dev/vfio/devices/vfio0" */
size_t pl_node_name(const struct pl_obj *o, char *buf, size_t bytes);
/* "/proc/self/fd/<fd>" into PL_FD_LINK bytes */
#define PL_FD_LINK	32
void pl_fd_link(int fd, char *buf);
/* the number in /proc/self/fd/<n>, /dev/fd/<n>, /proc/<our pid>/fd/<n>; -1: no such path */
int pl_proc_fd(const char *path);

/* ---- files.c ---- */

/* this process has, or once had, the file of a fault queue: writes are looked at */
extern bool pl_fault_files;
/* makes what was sent to us a file that a program can have */
void pl_keep_fault_file(int fd);

int pl_open(int dirfd, const char *path, int flags, mode_t mode);
int64_t pl_ioctl(const struct pl_obj *o, unsigned long cmd, uint64_t arg);

/* ---- map.c: mapped BARs ---- */

struct pl_map {
	uintptr_t start, end;
	struct pl_obj obj;
	int fd;			/* ours alone: the object lives as long as it is mapped */
	unsigned region;
	uint64_t off;		/* of start in the region */
	int prot;		/* what the program thinks */
};
/* Context: every signal blocked, no lock held */
bool pl_map_find(uintptr_t addr, struct pl_map *m);

/* ---- trap.c, emulate.c ---- */

/* the SIGSEGV handler is there from the first mapped BAR on. Any context. */
void pl_trap_install(void);
extern bool pl_trap_installed;

enum pl_emu {
	PL_EMU_DONE,
	PL_EMU_UNKNOWN,		/* nothing was done */
	PL_EMU_FAULT,		/* the program's own fault, at *fault */
};
enum pl_emu pl_emulate(ucontext_t *uc, uintptr_t *fault);
void pl_emulate_init(void);

/* vec.c: vector registers in a signal frame */
void pl_vec_init(void);
bool pl_vec_get(const ucontext_t *uc, unsigned reg, uint8_t out[64]);
/* writes @bytes; zeroes the rest up to the widest if @zero, else leaves it */
bool pl_vec_set(ucontext_t *uc, unsigned reg, const uint8_t *in, unsigned bytes, bool zero);
uint64_t pl_vec_mask(const ucontext_t *uc, unsigned k);

/* ---- signals.c ---- */

/* program's idea of a signal's action, used when a SIGSEGV is not ours */
void pl_signal_chain(int sig, siginfo_t *si, void *uc);
void pl_signal_take_over(void (*handler)(int, siginfo_t *, void *));
void pl_signal_init(void);
long pl_signal_syscall(int sig, const void *new, void *old);

/* sets errno and returns -1 for a negative errno; else the value */
static inline long pl_ret(int64_t r)
{
	if (r < 0 && r >= -4095) {
		errno = (int)-r;
		return -1;
	}
	return r;
}

#endif
