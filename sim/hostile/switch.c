/* SPDX-License-Identifier: MIT */
/*
 * switch.c - from one stack to another
 *
 * On x86-64 by hand, as swapcontext() makes two system calls each time; elsewhere by
 * swapcontext(). ASan is told, as it knows stacks.
 */
#include "internal.h"

#if defined(__SANITIZE_ADDRESS__)
#define HOSTILE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HOSTILE_ASAN 1
#endif
#endif

#if defined(HOSTILE_ASAN)
void __sanitizer_start_switch_fiber(void **fake, const void *bottom, size_t bytes);
void __sanitizer_finish_switch_fiber(void *fake, const void **bottom, size_t *bytes);
#else
#define __sanitizer_start_switch_fiber(fake, bottom, bytes) ((void)0)
#define __sanitizer_finish_switch_fiber(fake, bottom, bytes) ((void)0)
#endif

static void first(void)
{
	uiommu_hostile_started(world);
	uiommu_hostile_main();
}

#if defined(__x86_64__)

/* What a callee saves, then the stack pointer; and back in the other order. */
void uiommu_hostile_swap(void **from, void *to);
__asm__(".text\n"
	".globl uiommu_hostile_swap\n"
	".hidden uiommu_hostile_swap\n"
	".type uiommu_hostile_swap, @function\n"
	"uiommu_hostile_swap:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size uiommu_hostile_swap, .-uiommu_hostile_swap\n");

void uiommu_hostile_prepare(struct thread *t)
{
	void **top = (void **)(void *)(t->stack + STACK_BYTES);

	*--top = NULL;				/* what first() would return to */
	*--top = (void *)(uintptr_t)first;
	for (unsigned i = 0; i < 6; i++)
		*--top = NULL;
	t->sp = top;
}

#else
#include <stdlib.h>
#include <ucontext.h>

static void uiommu_hostile_swap(void **from, void *to)
{
	ucontext_t here;

	*from = &here;
	swapcontext(&here, to);
}

void uiommu_hostile_prepare(struct thread *t)
{
	ucontext_t *u = (void *)t->stack;

	getcontext(u);
	u->uc_stack.ss_sp = t->stack + sizeof(*u);
	u->uc_stack.ss_size = STACK_BYTES - sizeof(*u);
	makecontext(u, first, 0);
	t->sp = u;
}

#endif

void uiommu_hostile_started(struct uiommu_hostile *w)
{
	const void **bottom = w->home_bottom ? NULL : &w->home_bottom;

	(void)bottom;
	__sanitizer_finish_switch_fiber(NULL, bottom, bottom ? &w->home_bytes : NULL);
}

void uiommu_hostile_enter(struct uiommu_hostile *w, struct thread *to)
{
	struct thread *from = w->cur;

	w->cur = to;
	__sanitizer_start_switch_fiber(from ? &from->fake : &w->home_fake, to->stack, STACK_BYTES);
	uiommu_hostile_swap(from ? &from->sp : &w->home, to->sp);
	__sanitizer_finish_switch_fiber(from ? from->fake : w->home_fake, NULL, NULL);
}

void uiommu_hostile_leave(struct uiommu_hostile *w)
{
	struct thread *from = w->cur;

	w->cur = NULL;
	__sanitizer_start_switch_fiber(&from->fake, w->home_bottom, w->home_bytes);
	uiommu_hostile_swap(&from->sp, w->home);
	__sanitizer_finish_switch_fiber(from->fake, NULL, NULL);
}
