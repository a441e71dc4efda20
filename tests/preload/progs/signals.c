/* SPDX-License-Identifier: MIT */
/*
 * tests/preload/progs/signals.c - a program that has its own ideas about SIGSEGV,
 * masks and alternate stacks still reaches the device, and still gets its faults
 */
#include "tests/preload/progs/prog.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/syscall.h>
#include <ucontext.h>

static volatile uint8_t *bar;
static sigjmp_buf back;
static volatile sig_atomic_t got, got_code, in_handler;
static void *volatile got_addr;

static void plain_handler(int sig)
{
	got = sig;
	siglongjmp(back, 1);
}

static void info_handler(int sig, siginfo_t *si, void *uc)
{
	got = sig;
	got_code = si->si_code;
	got_addr = si->si_addr;
	(void)uc;
	siglongjmp(back, 1);
}

/* an address the compiler knows nothing of */
static volatile int *poison(uintptr_t addr)
{
	__asm__("" : "+r"(addr));
	return (volatile int *)addr;
}

#define FAULT(addr)						\
	do {							\
		got = 0;					\
		if (!sigsetjmp(back, 1))			\
			*poison(addr) = 1;			\
	} while (0)

static void chained(const char *when)
{
	struct sigaction a = { .sa_sigaction = info_handler, .sa_flags = SA_SIGINFO }, old;

	CHECK(sigaction(SIGSEGV, &a, NULL) == 0);
	FAULT(0x10);
	CHECK(got == SIGSEGV && got_addr == (void *)0x10 && got_code == SEGV_MAPERR);
	CHECK(sigaction(SIGSEGV, NULL, &old) == 0 && old.sa_sigaction == info_handler &&
	      (old.sa_flags & SA_SIGINFO));
	if (bar)
		bar[1] = 1;
	signal(SIGSEGV, plain_handler);
	FAULT(0x20);
	CHECK(got == SIGSEGV);
	got = 0;
	if (!sigsetjmp(back, 1))
		kill(getpid(), SIGSEGV);
	CHECK(got == SIGSEGV);
	if (failed)
		fprintf(stderr, "%s the first mapping\n", when);
}

static void masks(void)
{
	sigset_t all, old;

	sigfillset(&all);
	CHECK(sigprocmask(SIG_BLOCK, &all, &old) == 0 && !sigismember(&old, SIGSEGV));
	bar[2] = 42;
	CHECK(bar[2] == 42);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &old) == 0 && sigismember(&old, SIGSEGV) &&
	      sigismember(&old, SIGUSR1));
	CHECK(sigprocmask(SIG_UNBLOCK, &all, &old) == 0 && sigismember(&old, SIGSEGV));
	CHECK(pthread_sigmask(SIG_SETMASK, &all, &old) == 0 && !sigismember(&old, SIGSEGV));
	bar[2] = 43;
	CHECK(bar[2] == 43);
	sigemptyset(&all);
	CHECK(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0);
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	CHECK(sighold(SIGSEGV) == 0);
	bar[2] = 44;
	CHECK(sigrelse(SIGSEGV) == 0);
	CHECK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &(uint64_t){ ~0ULL }, NULL, 8) == 0);
	bar[2] = 45;
	CHECK(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &(uint64_t){ 0 }, NULL, 8) == 0);
}

static void on_usr1(int sig)
{
	bar[3] = (uint8_t)(bar[3] + 1);
	in_handler = sig;
}

/* a handler with every signal in its mask, one that runs during ppoll */
static void handlers(void)
{
	struct sigaction a = { .sa_handler = on_usr1 }, old;
	struct timespec t = { 1, 0 };
	sigset_t set;

	sigfillset(&a.sa_mask);
	bar[3] = 0;
	CHECK(sigaction(SIGUSR1, &a, NULL) == 0);
	CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && sigismember(&old.sa_mask, SIGSEGV));
	raise(SIGUSR1);
	CHECK(in_handler == SIGUSR1 && bar[3] == 1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	sigfillset(&set);
	sigdelset(&set, SIGUSR1);
	CHECK(ppoll(NULL, 0, &t, &set) == -1 && errno == EINTR && bar[3] == 2);
	sigprocmask(SIG_UNBLOCK, &a.sa_mask, NULL);
}

/* the program's SIGSEGV handler touches the device, and returns */
static void fix_up(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	bar[4] = (uint8_t)sig;
	got_addr = si->si_addr;
	uc->uc_mcontext.gregs[REG_RAX] = (greg_t)(uintptr_t)&bar[5];
}

static void trap_in_handler(void)
{
	struct sigaction a = { .sa_sigaction = fix_up, .sa_flags = SA_SIGINFO };

	sigfillset(&a.sa_mask);
	sigaction(SIGSEGV, &a, NULL);
	__asm__ volatile("movb $9, (%%rax)" : : "a"(0x30) : "memory");
	CHECK(bar[4] == SIGSEGV && bar[5] == 9 && got_addr == (void *)0x30);
}

static void errno_and_reset(void)
{
	struct sigaction a = {
		.sa_sigaction = info_handler, .sa_flags = SA_SIGINFO | (int)SA_RESETHAND,
	};
	struct sigaction old;

	errno = 1234;
	bar[6] = 1;
	CHECK(errno == 1234);
	sigaction(SIGSEGV, &a, NULL);
	FAULT(0x40);
	CHECK(got == SIGSEGV && sigaction(SIGSEGV, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
	bar[6] = 2;
	CHECK(bar[6] == 2);
}

static char small[4096] __attribute__((aligned(16)));

static void on_stack(int sig, siginfo_t *si, void *uc)
{
	bar[7] = 7;
	info_handler(sig, si, uc);
}

static void small_stack(size_t bytes)
{
	struct sigaction a = { .sa_sigaction = on_stack, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t s = { .ss_sp = small, .ss_size = bytes }, old;

	memset(small, 0x5a, sizeof(small));
	CHECK(sigaltstack(&s, NULL) == 0);
	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == small && old.ss_size == bytes);
	bar[7] = 1;
	CHECK(bar[7] == 1);
	sigaction(SIGSEGV, &a, NULL);
	FAULT(0x50);
	CHECK(got == SIGSEGV && bar[7] == 7);
	s.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&s, NULL) == 0);
	CHECK(sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE));
}

static volatile sig_atomic_t usr1_at_once;

static void raises(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *uc = ctx;

	in_handler = 0;
	raise(SIGUSR1);
	usr1_at_once = in_handler == SIGUSR1;
	uc->uc_mcontext.gregs[REG_RAX] = (greg_t)(uintptr_t)&bar[5];
	(void)sig;
	(void)si;
}

/* in its handler the signals of sa_mask wait, and no others */
static void handlers_mask(void)
{
	struct sigaction a = { .sa_sigaction = raises, .sa_flags = SA_SIGINFO };

#if TSAN
	return;		/* it keeps every signal back until the handler is done */
#endif
	sigaction(SIGSEGV, &a, NULL);
	__asm__ volatile("movb $9, (%%rax)" : : "a"(0x30) : "memory");
	CHECK(usr1_at_once);
	sigaddset(&a.sa_mask, SIGUSR1);
	sigaction(SIGSEGV, &a, NULL);
	__asm__ volatile("movb $9, (%%rax)" : : "a"(0x30) : "memory");
	CHECK(!usr1_at_once && in_handler == SIGUSR1);
}

/* the kernel's struct, as rt_sigaction has it */
static void raw_action(void)
{
	struct {
		void *handler;
		uint64_t flags;
		void *restorer;
		uint64_t mask;
	} a = { (void *)info_handler, SA_SIGINFO, NULL, ~0ULL }, old;

	CHECK(syscall(SYS_rt_sigaction, SIGSEGV, &a, NULL, 8) == 0);
	bar[10] = 1;
	FAULT(0x80);
	CHECK(got == SIGSEGV && got_addr == (void *)0x80);
	CHECK(syscall(SYS_rt_sigaction, SIGSEGV, NULL, &old, 8) == 0 &&
	      old.handler == (void *)info_handler);
}

/* ends as the kernel would end it: by SIGSEGV */
static void dies(int how)
{
	struct sigaction a = { .sa_sigaction = info_handler, .sa_flags = SA_SIGINFO };
	sigset_t set;
	int status;
	pid_t pid = fork();

	if (pid) {
		CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
		      WTERMSIG(status) == SIGSEGV);
		return;
	}
	bar[8] = 1;
	if (how == 0)
		signal(SIGSEGV, SIG_DFL);
	if (how == 1)
		signal(SIGSEGV, SIG_IGN);
	if (how == 2) {
		sigfillset(&set);
		sigprocmask(SIG_BLOCK, &set, NULL);
		sigaction(SIGSEGV, &a, NULL);
	}
	if (how == 3) {
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	}
	alarm(60);
	*poison(0x60) = 1;
	_exit(0);
}

int main(void)
{
	int fd;

	chained("before");
	fd = open_device();
	bar = map_bar(fd);
	CHECK(bar[0] == 0);
	FAULT(0x70);	/* the handler that was there before */
	CHECK(got == SIGSEGV);
	chained("after");
	masks();
	handlers();
	trap_in_handler();
	errno_and_reset();
	small_stack(2048);
	small_stack(4096);
	raw_action();
	handlers_mask();
	for (int how = 0; how < 4; how++)
		dies(how);
	signal(SIGSEGV, SIG_IGN);
	kill(getpid(), SIGSEGV);	/* sent and ignored: nothing happens */
	bar[9] = 1;
	CHECK(bar[9] == 1);
	return failed != 0;
}
