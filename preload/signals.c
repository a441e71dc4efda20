/* SPDX-License-Identifier: MIT */
/*
 * preload/signals.c - SIGSEGV stays ours and unblocked
 *
 * Nothing is installed before the first trapped mapping; then our handler takes
 * the place of whatever is there and passes on what is not ours. From the start,
 * though, SIGSEGV is kept out of every mask, because the kernel kills a program
 * that faults with it blocked. The program is told what it believes: that the
 * signal is blocked, that its handler is installed.
 *
 * ASan and TSan call these functions, or are called by them, depending on which
 * library comes first; both ways work, because a handler found at installation
 * is chained like one that is set later.
 */
#include "preload/preload.h"

#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#define SEGV_BIT	(1ULL << (SIGSEGV - 1))

/* what the program believes */
static __thread bool segv_blocked __attribute__((tls_model("initial-exec")));
static _Atomic uint64_t mask_had_segv;	/* bit n: sa_mask of signal n+1 held SIGSEGV */

/* the kernel's struct for rt_sigaction */
struct kernel_action {
	void *handler;
	uint64_t flags;
	void *restorer;
	uint64_t mask;
};
#define SA_RESTORER_FLAG	0x04000000u

static struct kernel_action chained;	/* (action_lock) the program's action for SIGSEGV */
bool pl_trap_installed;

/* glibc's sigset_t begins with the kernel's 64 bits */
static uint64_t to_kernel(const sigset_t *s)
{
	uint64_t bits;

	memcpy(&bits, s, sizeof(bits));
	return bits;
}

static void from_kernel(uint64_t bits, sigset_t *s)
{
	memset(s, 0, sizeof(*s));
	memcpy(s, &bits, sizeof(bits));
}

static bool without_segv(const sigset_t *in, sigset_t *out)
{
	uint64_t bits = to_kernel(in);

	*out = *in;
	bits &= ~SEGV_BIT;
	memcpy(out, &bits, sizeof(bits));
	return to_kernel(in) & SEGV_BIT;
}

/* ---- the handler ---- */

/* rt_sigreturn, which the kernel wants a handler to return to */
__asm__(".pushsection .text\n"
	".type pl_restorer, @function\n"
	"pl_restorer:\n"
	/* mov $15, %rax; syscall: unwinders and gdb know a signal frame by it */
	"	.byte 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05\n"
	".size pl_restorer, . - pl_restorer\n"
	".popsection\n");
extern char pl_restorer[] __attribute__((visibility("hidden")));

void pl_signal_take_over(void (*handler)(int, siginfo_t *, void *))
{
	struct kernel_action mine = {
		.handler = (void *)handler,
		/* every signal waits while a device is accessed; SIGSEGV must not, so
		 * that a mistake of ours ends the program instead of hanging it */
		.flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_RESTORER_FLAG,
		.restorer = pl_restorer,
		.mask = ~SEGV_BIT,
	};
	pl_sigset old = pl_block_all();

	pl_lock(&pl_process->action_lock);
	if (!pl_trap_installed) {
		pl_sys(SYS_rt_sigaction, SIGSEGV, &mine, &chained, 8);
		if (chained.mask & SEGV_BIT)
			mask_had_segv |= SEGV_BIT;
		pl_trap_installed = true;
	}
	pl_unlock(&pl_process->action_lock);
	pl_unblock(old & ~SEGV_BIT);
}

/* A program may have been started with SIGSEGV blocked. */
void pl_signal_init(void)
{
	pl_sigset segv = SEGV_BIT, old = 0;

	pl_sys(SYS_rt_sigprocmask, SIG_UNBLOCK, &segv, &old, sizeof(segv));
	segv_blocked = old & SEGV_BIT;
}

/* the kernel's own end: default action, and the instruction again */
static void die(int sig, const siginfo_t *si)
{
	struct kernel_action dfl = { .flags = SA_RESTORER_FLAG, .restorer = pl_restorer };

	pl_sys(SYS_rt_sigaction, sig, &dfl, 0, 8);
	if (si->si_code <= 0)	/* somebody sent it; nothing will fault again */
		pl_sys(SYS_rt_tgsigqueueinfo, pl_sys(SYS_getpid), pl_sys(SYS_gettid), sig, si);
}

static struct kernel_action take_action(int sig)
{
	struct kernel_action a;

	pl_lock(&pl_process->action_lock);
	a = chained;
	if (a.flags & SA_RESETHAND)
		chained.handler = (void *)SIG_DFL;
	pl_unlock(&pl_process->action_lock);
	return a;
}

void pl_signal_chain(int sig, siginfo_t *si, void *ctx)
{
	struct kernel_action a = take_action(sig);
	ucontext_t *uc = ctx;
	uint64_t mask = to_kernel(&uc->uc_sigmask) | (a.mask & ~SEGV_BIT);
	bool sent = si->si_code <= 0;

	if (a.handler == (void *)SIG_IGN && sent)
		return;
	if (a.handler == (void *)SIG_IGN || a.handler == (void *)SIG_DFL ||
	    (segv_blocked && !sent)) {
		die(sig, si);
		return;
	}
	pl_unblock(mask);
	if (a.flags & SA_SIGINFO)
		((void (*)(int, siginfo_t *, void *))a.handler)(sig, si, ctx);
	else
		((void (*)(int))a.handler)(sig);
}

/* ---- sigaction ---- */

static void to_libc(const struct kernel_action *k, struct sigaction *a)
{
	memset(a, 0, sizeof(*a));
	a->sa_sigaction = (void (*)(int, siginfo_t *, void *))k->handler;
	a->sa_flags = (int)(k->flags & ~(uint64_t)SA_RESTORER_FLAG);
	from_kernel(k->mask, &a->sa_mask);
}

static struct kernel_action swap_chained(const struct kernel_action *next)
{
	pl_sigset saved = pl_block_all();
	struct kernel_action was;

	pl_lock(&pl_process->action_lock);
	was = chained;
	if (next)
		chained = *next;
	pl_unlock(&pl_process->action_lock);
	pl_unblock(saved);
	return was;
}

static void set_chained(const struct sigaction *new, struct sigaction *old)
{
	struct kernel_action next = { 0 }, was;

	if (new) {
		next.handler = (void *)new->sa_sigaction;
		next.flags = (unsigned)new->sa_flags;
		next.mask = to_kernel(&new->sa_mask);
	}
	was = swap_chained(new ? &next : NULL);
	if (old)
		to_libc(&was, old);
}

/* syscall(SYS_rt_sigaction), which has the kernel's struct */
long pl_signal_syscall(int sig, const void *new, void *old)
{
	struct kernel_action next, was;

	if (new) {
		next = *(const struct kernel_action *)new;
		if (sig != SIGSEGV || !pl_trap_installed)
			next.mask &= ~SEGV_BIT;
	}
	if (sig != SIGSEGV || !pl_trap_installed)
		return pl_ret(pl_sys(SYS_rt_sigaction, sig, new ? &next : NULL, old, 8));
	was = swap_chained(new ? &next : NULL);
	if (old)
		*(struct kernel_action *)old = was;
	return 0;
}

/* remembers whether signal @sig's mask held SIGSEGV; returns what was so before */
static bool swap_had_segv(int sig, bool now)
{
	uint64_t bit = 1ULL << (sig - 1);
	uint64_t was = now ? __atomic_fetch_or((uint64_t *)&mask_had_segv, bit, __ATOMIC_RELAXED) :
			     __atomic_fetch_and((uint64_t *)&mask_had_segv, ~bit, __ATOMIC_RELAXED);

	return was & bit;
}

static int do_sigaction(int sig, const struct sigaction *new, struct sigaction *old)
{
	struct sigaction clean;
	bool had = false, was;
	int r;

	if (sig < 1 || sig > 64)
		return pl_real.sigaction(sig, new, old);
	if (sig == SIGSEGV && pl_trap_installed) {
		set_chained(new, old);
		return 0;
	}
	if (new) {
		clean = *new;
		had = without_segv(&new->sa_mask, &clean.sa_mask);
	}
	r = pl_real.sigaction(sig, new ? &clean : NULL, old);
	if (r)
		return r;
	was = new ? swap_had_segv(sig, had) : (mask_had_segv >> (sig - 1)) & 1;
	if (old && was)
		sigaddset(&old->sa_mask, SIGSEGV);
	return 0;
}

PL_EXPORT int sigaction(int sig, const struct sigaction *new, struct sigaction *old)
{
	pl_init();
	return do_sigaction(sig, new, old);
}

int __sigaction(int sig, const struct sigaction *new, struct sigaction *old);
PL_EXPORT int __sigaction(int sig, const struct sigaction *new, struct sigaction *old)
{
	return sigaction(sig, new, old);
}

static sighandler_t do_signal(int sig, sighandler_t handler, int flags)
{
	struct sigaction new = { .sa_flags = flags }, old;

	pl_init();
	if (handler == SIG_ERR || sig < 1 || sig > 64) {
		errno = EINVAL;
		return SIG_ERR;
	}
	new.sa_handler = handler;
	if (!(flags & SA_NODEFER))
		sigaddset(&new.sa_mask, sig);
	return do_sigaction(sig, &new, &old) ? SIG_ERR : old.sa_handler;
}

sighandler_t bsd_signal(int sig, sighandler_t handler);
sighandler_t ssignal(int sig, sighandler_t handler);
sighandler_t sysv_signal(int sig, sighandler_t handler);
sighandler_t __sysv_signal(int sig, sighandler_t handler);

PL_EXPORT sighandler_t signal(int sig, sighandler_t handler)
{
	return do_signal(sig, handler, SA_RESTART);
}

PL_EXPORT sighandler_t bsd_signal(int sig, sighandler_t handler)
{
	return do_signal(sig, handler, SA_RESTART);
}

PL_EXPORT sighandler_t ssignal(int sig, sighandler_t handler)
{
	return do_signal(sig, handler, SA_RESTART);
}

PL_EXPORT sighandler_t sysv_signal(int sig, sighandler_t handler)
{
	return do_signal(sig, handler, (int)(SA_RESETHAND | SA_NODEFER));
}

PL_EXPORT sighandler_t __sysv_signal(int sig, sighandler_t handler)
{
	return do_signal(sig, handler, (int)(SA_RESETHAND | SA_NODEFER));
}

/* ---- masks ---- */

/* Notes what the program wants of SIGSEGV; then does it without. */
static int do_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	bool was = segv_blocked, named = false;
	sigset_t clean;
	int r;

	pl_init();
	if (set)
		named = without_segv(set, &clean);
	r = pl_real.pthread_sigmask(how, set ? &clean : NULL, old);
	if (r)
		return r;
	if (set && how == SIG_SETMASK)
		segv_blocked = named;
	else if (named)
		segv_blocked = how == SIG_BLOCK;
	if (old && was)
		sigaddset(old, SIGSEGV);
	return 0;
}

PL_EXPORT int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
	return do_sigmask(how, set, old);
}

PL_EXPORT int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
	return (int)pl_ret(-do_sigmask(how, set, old));
}

/* the two of 4.2BSD, with masks of 32 bits */
PL_EXPORT int sigblock(int mask)
{
	sigset_t set, old;

	from_kernel((uint32_t)mask, &set);
	return sigprocmask(SIG_BLOCK, &set, &old) ? -1 : (int)to_kernel(&old);
}

PL_EXPORT int sigsetmask(int mask)
{
	sigset_t set, old;

	from_kernel((uint32_t)mask, &set);
	return sigprocmask(SIG_SETMASK, &set, &old) ? -1 : (int)to_kernel(&old);
}

PL_EXPORT int sighold(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	return sigaddset(&set, sig) ? -1 : sigprocmask(SIG_BLOCK, &set, NULL);
}

PL_EXPORT int sigrelse(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	return sigaddset(&set, sig) ? -1 : sigprocmask(SIG_UNBLOCK, &set, NULL);
}

PL_EXPORT int sigignore(int sig)
{
	struct sigaction ign = { .sa_handler = SIG_IGN };

	return sigaction(sig, &ign, NULL);
}

/* sigset() blocks with SIG_HOLD, else installs and unblocks */
PL_EXPORT sighandler_t sigset(int sig, sighandler_t disp)
{
	struct sigaction new = { .sa_handler = disp }, old;
	sigset_t set, mask;

	sigemptyset(&set);
	if (sigaddset(&set, sig) ||
	    sigprocmask(disp == SIG_HOLD ? SIG_BLOCK : SIG_UNBLOCK, &set, &mask) ||
	    sigaction(sig, disp == SIG_HOLD ? NULL : &new, &old))
		return SIG_ERR;
	return sigismember(&mask, sig) ? SIG_HOLD : old.sa_handler;
}

PL_EXPORT int siginterrupt(int sig, int on)
{
	struct sigaction a;

	if (sigaction(sig, NULL, &a))
		return -1;
	a.sa_flags = on ? a.sa_flags & ~SA_RESTART : a.sa_flags | SA_RESTART;
	return sigaction(sig, &a, NULL);
}

/* calls that wait with a mask: a handler that runs meanwhile may trap */
#define CLEAN(set)						\
	sigset_t clean;						\
								\
	pl_init();						\
	if (set) {						\
		without_segv(set, &clean);			\
		set = &clean;					\
	}

PL_EXPORT int sigsuspend(const sigset_t *set)
{
	CLEAN(set)
	return pl_real.sigsuspend(set);
}

PL_EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *t, const sigset_t *set)
{
	CLEAN(set)
	return pl_real.ppoll(fds, n, t, set);
}

PL_EXPORT int pselect(int n, fd_set *r, fd_set *w, fd_set *e, const struct timespec *t,
		      const sigset_t *set)
{
	CLEAN(set)
	return pl_real.pselect(n, r, w, e, t, set);
}

PL_EXPORT int epoll_pwait(int fd, struct epoll_event *ev, int n, int ms, const sigset_t *set)
{
	CLEAN(set)
	return pl_real.epoll_pwait(fd, ev, n, ms, set);
}

PL_EXPORT int pthread_attr_setsigmask_np(pthread_attr_t *attr, const sigset_t *set)
{
	CLEAN(set)
	return pl_real.pthread_attr_setsigmask_np(attr, set);
}

/* ---- alternate stacks: 2 KiB kills, 4 KiB overflows silently ---- */

#define OUR_NEED	(16UL << 10)	/* besides the frame, which AMX makes 11 KiB */
#define ROOMY		(64UL << 10)

static __thread stack_t users __attribute__((tls_model("initial-exec")));
static __thread void *roomy __attribute__((tls_model("initial-exec")));

static bool too_small(const stack_t *s)
{
	return !(s->ss_flags & SS_DISABLE) && s->ss_size >= 2048 &&
	       s->ss_size < OUR_NEED + getauxval(AT_MINSIGSTKSZ);
}

static void *roomy_stack(void)
{
	long p;

	if (roomy)
		return roomy;
	p = pl_sys(SYS_mmap, 0, ROOMY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p < 0 && p > -4096 ? NULL : (roomy = (void *)p);
}

/* A small stack is exchanged for one of ours; the program is told it is its own. */
PL_EXPORT int sigaltstack(const stack_t *new, stack_t *old)
{
	stack_t was = users, use;
	int r;

	pl_init();
	if (new)
		use = *new;
	if (new && too_small(new) && roomy_stack()) {
		use.ss_sp = roomy;
		use.ss_size = ROOMY;
	}
	r = pl_real.sigaltstack(new ? &use : NULL, old);
	if (r)
		return r;
	if (old && roomy && old->ss_sp == roomy) {
		old->ss_sp = was.ss_sp;
		old->ss_size = was.ss_size;
	}
	if (!new)
		return 0;
	users = *new;
	if (roomy && use.ss_sp != roomy) {
		pl_sys(SYS_munmap, roomy, ROOMY);
		roomy = NULL;
	}
	return 0;
}
