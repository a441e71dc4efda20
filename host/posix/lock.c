/* SPDX-License-Identifier: MIT */
/* Both kinds of lock are mutexes: interrupts are threads here. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

#include "host/posix/internal.h"

_Static_assert(sizeof(pthread_mutex_t) <= sizeof(struct uiommu_lock), "fits in place");
_Static_assert(_Alignof(pthread_mutex_t) <= _Alignof(struct uiommu_lock), "fits in place");

#ifdef NDEBUG
#define LOCK_TYPE	PTHREAD_MUTEX_NORMAL
#else
#define LOCK_TYPE	PTHREAD_MUTEX_ERRORCHECK
#endif

static pthread_mutex_t *mutex(struct uiommu_lock *lock)
{
	return (pthread_mutex_t *)(void *)lock->opaque;
}

static void must(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "uiommu: %s: %s\n", what,
		err == UIOMMU_EPERM ? "not held by this thread"
				    : "held by this thread, or not a lock");
	abort();
}

int uiommu_posix_lock_init(void *ctx, struct uiommu_lock *lock, enum uiommu_lock_kind kind)
{
	pthread_mutexattr_t attr;
	int err;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, LOCK_TYPE);
	err = pthread_mutex_init(mutex(lock), &attr);
	pthread_mutexattr_destroy(&attr);
	return err ? -UIOMMU_ENOMEM : 0;
}

void uiommu_posix_lock_fini(void *ctx, struct uiommu_lock *lock)
{
	must(pthread_mutex_destroy(mutex(lock)), "lock_fini");
}

void uiommu_posix_lock(void *ctx, struct uiommu_lock *lock)
{
	must(pthread_mutex_lock(mutex(lock)), "lock");
}

void uiommu_posix_unlock(void *ctx, struct uiommu_lock *lock)
{
	must(pthread_mutex_unlock(mutex(lock)), "unlock");
}
