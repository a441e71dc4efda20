/* SPDX-License-Identifier: MIT */
/*
 * preload/trap.c - the SIGSEGV handler: a fault on a mapped BAR is an access to
 * the device, everything else is the program's
 *
 * It runs on the program's stack or its alternate stack, with every signal
 * blocked, and uses neither libc nor the heap.
 */
#include "preload/emulate.h"

/* "instruction at 0x... (66 0f 3a ...)" */
static void say_unknown(const ucontext_t *uc)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *rip = (const uint8_t *)(uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
	size_t n = PL_PAGE - ((uintptr_t)rip & (PL_PAGE - 1));
	char text[64], *p = text;

	for (size_t i = 0; i < n && i < 15; i++) {
		*p++ = hex[rip[i] >> 4];
		*p++ = hex[rip[i] & 15];
		*p++ = ' ';
	}
	*p = 0;
	pl_say_hex("cannot do on a device what this instruction asks for; it is at ",
		   (uintptr_t)rip);
	pl_say_str("  its bytes: ", text);
}

static void not_ours(int sig, const siginfo_t *si, uintptr_t fault, void *ctx)
{
	siginfo_t here = *si;

	if (fault)
		here.si_addr = (void *)fault;
	pl_signal_chain(sig, &here, ctx);
}

static void on_segv(int sig, siginfo_t *si, void *ctx)
{
	uintptr_t fault = 0;
	struct pl_map m;

	switch (pl_stub_end(ctx)) {
	case PL_STUB_DONE:
		return;
	case PL_STUB_FAULT:
		not_ours(sig, si, 0, ctx);
		return;
	case PL_STUB_NOT:
		break;
	}
	if ((si->si_code == SEGV_ACCERR || si->si_code == SEGV_MAPERR) &&
	    pl_map_find((uintptr_t)si->si_addr, &m)) {
		switch (pl_emulate(ctx, &fault)) {
		case PL_EMU_DONE:
			return;
		case PL_EMU_UNKNOWN:
			say_unknown(ctx);
			break;
		case PL_EMU_FAULT:
			break;
		}
	}
	not_ours(sig, si, fault, ctx);
}

void pl_trap_install(void)
{
	pl_sigset old;

	if (pl_trap_installed)
		return;
	old = pl_block_all();
	pl_lock(&pl_process->install_lock);
	if (!pl_trap_installed) {
		pl_emulate_init();
		pl_signal_take_over(on_segv);
	}
	pl_unlock(&pl_process->install_lock);
	pl_unblock(old);
}
