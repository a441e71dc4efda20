/* SPDX-License-Identifier: MIT */
/*
 * preload/syscall.c - syscall(), for programs that do not use libc's functions
 *
 * The numbers that can concern us go to the interposed functions; every other one
 * goes on to libc with its arguments untouched (clone and vfork through syscall()
 * depend on the caller's stack).
 */
#include "preload/preload.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static long sc_open(long *a)
{
	return pl_open(AT_FDCWD, (char *)a[0], (int)a[1], (mode_t)a[2]);
}

static long sc_openat(long *a)
{
	return pl_open((int)a[0], (char *)a[1], (int)a[2], (mode_t)a[3]);
}

static long sc_creat(long *a)
{
	return pl_open(AT_FDCWD, (char *)a[0], O_CREAT | O_WRONLY | O_TRUNC, (mode_t)a[1]);
}

/* what its resolve flags forbid cannot be checked from here, so only plain ones */
static long sc_openat2(long *a)
{
	struct open_how *how = (struct open_how *)a[2];
	struct pl_path p;

	if (a[3] >= (long)sizeof(*how) && how && !how->resolve &&
	    pl_resolve((int)a[0], (char *)a[1], &p) != PL_ELSEWHERE)
		return pl_open((int)a[0], (char *)a[1], (int)how->flags, (mode_t)how->mode);
	return pl_ret(pl_sys(SYS_openat2, a[0], a[1], a[2], a[3]));
}

static long sc_ioctl(long *a)
{
	return ioctl((int)a[0], (unsigned long)a[1], a[2]);
}

static long sc_stat(long *a)
{
	return stat((char *)a[0], (struct stat *)a[1]);
}

static long sc_lstat(long *a)
{
	return lstat((char *)a[0], (struct stat *)a[1]);
}

static long sc_fstat(long *a)
{
	return fstat((int)a[0], (struct stat *)a[1]);
}

static long sc_newfstatat(long *a)
{
	return fstatat((int)a[0], (char *)a[1], (struct stat *)a[2], (int)a[3]);
}

static long sc_statx(long *a)
{
	return statx((int)a[0], (char *)a[1], (int)a[2], (unsigned)a[3], (struct statx *)a[4]);
}

static long sc_access(long *a)
{
	return access((char *)a[0], (int)a[1]);
}

static long sc_faccessat(long *a)
{
	return faccessat((int)a[0], (char *)a[1], (int)a[2], 0);
}

static long sc_faccessat2(long *a)
{
	return faccessat((int)a[0], (char *)a[1], (int)a[2], (int)a[3]);
}

static long sc_readlink(long *a)
{
	return readlink((char *)a[0], (char *)a[1], (size_t)a[2]);
}

static long sc_readlinkat(long *a)
{
	return readlinkat((int)a[0], (char *)a[1], (char *)a[2], (size_t)a[3]);
}

static long sc_chdir(long *a)
{
	return chdir((char *)a[0]);
}

/* the kernel's returns the length, with the NUL */
static long sc_getcwd(long *a)
{
	long n = pl_sys(SYS_getcwd, a[0], a[1]);

	return n > 0 ? n - (long)pl_unshadow((char *)a[0]) : pl_ret(n);
}

static long sc_read(long *a)
{
	return read((int)a[0], (void *)a[1], (size_t)a[2]);
}

static long sc_write(long *a)
{
	return write((int)a[0], (void *)a[1], (size_t)a[2]);
}

static long sc_pread(long *a)
{
	return pread((int)a[0], (void *)a[1], (size_t)a[2], a[3]);
}

static long sc_pwrite(long *a)
{
	return pwrite((int)a[0], (void *)a[1], (size_t)a[2], a[3]);
}

static long sc_preadv(long *a)
{
	return preadv((int)a[0], (struct iovec *)a[1], (int)a[2], a[3]);
}

static long sc_pwritev(long *a)
{
	return pwritev((int)a[0], (struct iovec *)a[1], (int)a[2], a[3]);
}

static long sc_mmap(long *a)
{
	return (long)mmap((void *)a[0], (size_t)a[1], (int)a[2], (int)a[3], (int)a[4], a[5]);
}

static long sc_munmap(long *a)
{
	return munmap((void *)a[0], (size_t)a[1]);
}

static long sc_mremap(long *a)
{
	return (long)mremap((void *)a[0], (size_t)a[1], (size_t)a[2], (int)a[3], (void *)a[4]);
}

static long sc_mprotect(long *a)
{
	return mprotect((void *)a[0], (size_t)a[1], (int)a[2]);
}

static long sc_execve(long *a)
{
	return execve((char *)a[0], (char **)a[1], (char **)a[2]);
}

static long sc_execveat(long *a)
{
	return execveat((int)a[0], (char *)a[1], (char **)a[2], (char **)a[3], (int)a[4]);
}

/* the kernel's mask has 8 bytes, the library's 128 */
static long sc_sigprocmask(long *a)
{
	sigset_t set, old;
	long r;

	if (a[3] != 8)
		return pl_ret(-EINVAL);
	memset(&set, 0, sizeof(set));
	if (a[1])
		memcpy(&set, (void *)a[1], 8);
	r = sigprocmask((int)a[0], a[1] ? &set : NULL, &old);
	if (r == 0 && a[2])
		memcpy((void *)a[2], &old, 8);
	return r;
}

static long sc_sigaction(long *a)
{
	if (a[3] != 8)
		return pl_ret(-EINVAL);
	return pl_signal_syscall((int)a[0], (void *)a[1], (void *)a[2]);
}

static long sc_sigaltstack(long *a)
{
	return sigaltstack((stack_t *)a[0], (stack_t *)a[1]);
}

#define LAST	SYS_faccessat2
static long (*const calls[LAST + 1])(long *) = {
	[SYS_open] = sc_open, [SYS_openat] = sc_openat, [SYS_creat] = sc_creat,
	[SYS_openat2] = sc_openat2, [SYS_ioctl] = sc_ioctl,
	[SYS_stat] = sc_stat, [SYS_lstat] = sc_lstat, [SYS_fstat] = sc_fstat,
	[SYS_newfstatat] = sc_newfstatat, [SYS_statx] = sc_statx,
	[SYS_access] = sc_access, [SYS_faccessat] = sc_faccessat,
	[SYS_faccessat2] = sc_faccessat2,
	[SYS_readlink] = sc_readlink, [SYS_readlinkat] = sc_readlinkat,
	[SYS_chdir] = sc_chdir, [SYS_getcwd] = sc_getcwd,
	[SYS_read] = sc_read, [SYS_write] = sc_write,
	[SYS_pread64] = sc_pread, [SYS_pwrite64] = sc_pwrite,
	[SYS_preadv] = sc_preadv, [SYS_pwritev] = sc_pwritev,
	[SYS_mmap] = sc_mmap, [SYS_munmap] = sc_munmap, [SYS_mremap] = sc_mremap,
	[SYS_mprotect] = sc_mprotect,
	[SYS_execve] = sc_execve, [SYS_execveat] = sc_execveat,
	[SYS_rt_sigaction] = sc_sigaction,
	[SYS_rt_sigprocmask] = sc_sigprocmask, [SYS_sigaltstack] = sc_sigaltstack,
};

/* for the assembly below */
long pl_syscall_ours(long nr, long a, long b, long c, long d, long e, long f)
	__attribute__((used));
bool pl_syscall_is_ours(long nr) __attribute__((used));
void *pl_libc_syscall __attribute__((used));

bool pl_syscall_is_ours(long nr)
{
	pl_init();
	if (!pl_libc_syscall)
		pl_libc_syscall = dlsym(RTLD_NEXT, "syscall");
	return nr >= 0 && nr <= LAST && calls[nr];
}

long pl_syscall_ours(long nr, long a, long b, long c, long d, long e, long f)
{
	long args[6] = { a, b, c, d, e, f };

	return calls[nr](args);
}

/* long syscall(long number, ...): number and five arguments in registers, the
 * sixth on the stack, as the library's */
__asm__(".pushsection .text\n"
	".globl syscall\n"
	".type syscall, @function\n"
	"syscall:\n"
	"	.cfi_startproc\n"
	"	push %rdi\n	.cfi_adjust_cfa_offset 8\n"
	"	push %rsi\n	.cfi_adjust_cfa_offset 8\n"
	"	push %rdx\n	.cfi_adjust_cfa_offset 8\n"
	"	push %rcx\n	.cfi_adjust_cfa_offset 8\n"
	"	push %r8\n	.cfi_adjust_cfa_offset 8\n"
	"	push %r9\n	.cfi_adjust_cfa_offset 8\n"
	"	sub $8, %rsp\n	.cfi_adjust_cfa_offset 8\n"
	"	call pl_syscall_is_ours\n"
	"	add $8, %rsp\n	.cfi_adjust_cfa_offset -8\n"
	"	pop %r9\n	.cfi_adjust_cfa_offset -8\n"
	"	pop %r8\n	.cfi_adjust_cfa_offset -8\n"
	"	pop %rcx\n	.cfi_adjust_cfa_offset -8\n"
	"	pop %rdx\n	.cfi_adjust_cfa_offset -8\n"
	"	pop %rsi\n	.cfi_adjust_cfa_offset -8\n"
	"	pop %rdi\n	.cfi_adjust_cfa_offset -8\n"
	"	test %al, %al\n"
	"	jz 1f\n"
	"	push 8(%rsp)\n	.cfi_adjust_cfa_offset 8\n"
	"	call pl_syscall_ours\n"
	"	add $8, %rsp\n	.cfi_adjust_cfa_offset -8\n"
	"	ret\n"
	"1:	jmp *pl_libc_syscall(%rip)\n"
	"	.cfi_endproc\n"
	".size syscall, . - syscall\n"
	".popsection\n");
