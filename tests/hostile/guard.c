/* SPDX-License-Identifier: MIT */
/* guard.c - see guard.h */
#include "guard.h"

#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define SECONDS 20		/* a run takes less than one */

static sigjmp_buf crashed;
static volatile sig_atomic_t watching;

static void on_signal(int sig)
{
	if (watching) {
		watching = 0;
		siglongjmp(crashed, sig);
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

static void watch(void)
{
	static char stack[65536];
	static bool set;
	const stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK };

#if !defined(__SANITIZE_ADDRESS__)
	if (set)
		return;
	set = true;
	sigaltstack(&alt, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGFPE, &sa, NULL);
	sigaction(SIGILL, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
#else
	(void)alt, (void)sa, (void)set;
#endif
}

const char *guarded_run(struct uiommu_hostile *h, char *text, size_t bytes)
{
	const char *why;
	int sig;

	watch();
	sig = sigsetjmp(crashed, 1);
	if (!sig) {
		watching = 1;
		alarm(SECONDS);
		why = uiommu_hostile_run(h);
	} else {
		snprintf(text, bytes, sig == SIGALRM ? "%s hangs without an access" :
			 "%s crashes: signal %d", uiommu_hostile_self(), sig);
		why = text;
	}
	alarm(0);
	watching = 0;
	return why;
}
