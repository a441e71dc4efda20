/* SPDX-License-Identifier: MIT */
/* internal.h - the parts of a machine */
#ifndef UIOMMU_MACHINE_INTERNAL_H
#define UIOMMU_MACHINE_INTERNAL_H

#include <pthread.h>
#include <uiommu/sim/atc.h>
#include <uiommu/smmuv3.h>

#include "desc.h"
#include "host/posix/posix.h"
#include "machine.h"

/*
 * (i) set while the machine is made, never changes after
 *
 * Order of locks: step_lock, then what a DMA takes on its way (the simulator's lock,
 * the host's, msi_lock), then model_lock. wake_lock and failed_lock are taken last, with
 * any of them or none. No lock of a machine is held while a server or the core is called,
 * but step_lock, in which faults are reported. Recovery takes the step_locks of all
 * functions behind an SMMU within the core's instance lock, which nobody who holds one
 * waits for.
 */

struct mach_smmu {
	struct uiommu_machine *m;		/* (i) */
	const struct desc_smmu *d;		/* (i) */
	struct uiommu_sim_env env;		/* (i) */
	struct uiommu_sim_smmuv3 *sim;		/* (i) */
	struct uiommu_iommu *iommu;		/* (i) our driver on it */
	pthread_mutex_t lock;			/* the simulator's */
	bool mmio, cmdqv_mmio;			/* (i) the windows are registered */
	bool failed;				/* failed_lock: is to be recovered */
	uint64_t dice;				/* lock; what a hostile one chooses by */
	bool calm;				/* (a) its thread ends */
	bool has_thread;			/* (i) */
	pthread_t thread;			/* of a hostile one: it acts when it likes */
};

struct mach_its {
	struct uiommu_machine *m;		/* (i) */
	const struct desc_its *d;		/* (i) */
	bool mmio;				/* (i) */
};

#define MACH_MAX_VECTORS 32

struct mach_msi {
	void (*fn)(void *arg);			/* NULL: free */
	void *arg;
};

struct mach_fn {
	struct uiommu_machine *m;		/* (i) */
	const struct desc_function *d;		/* (i) */
	struct mach_smmu *smmu;			/* (i) */
	struct mach_its *its;			/* (i) NULL: no message interrupts */
	struct uiommu_sim_bus bus;		/* (i) */
	struct uiommu_sim_dev *sim;		/* (i) */
	struct uiommu_dev *dev;			/* (i) */
	struct uiommu_machine_vfio pub;		/* (i) */

	struct uiommu_sim_atc atc;		/* its own translations, while ATS is on */
	pthread_mutex_t atc_lock;		/* the atc's; taken in the simulator's */

	pthread_mutex_t model_lock;		/* bus.lock: config space and registers */
	pthread_mutex_t step_lock;		/* held during a step, and by reset */

	pthread_mutex_t msi_lock;		/* guards msi; held while a handler runs */
	struct mach_msi msi[MACH_MAX_VECTORS];

	pthread_mutex_t wake_lock;		/* guards the three below */
	pthread_cond_t wake;
	bool kicked, stop, has_thread;
	pthread_t thread;
};

struct uiommu_machine {
	struct uiommu_posix *posix;		/* (i) */
	const struct uiommu_host *host;		/* (i) */
	const struct uiommu_uaccess *uaccess;	/* (i) */
	struct uiommu *u;			/* (i) */
	bool threads;				/* (i) */
	void *dtb;				/* (i) a copy of what it was made from */
	size_t dtb_bytes;			/* (i) */
	struct desc *desc;			/* (i) */
	struct mach_smmu *smmus;		/* (i) desc->num_smmus of them */
	struct mach_its *its;			/* (i) desc->num_its */
	struct mach_fn *fns;			/* (i) desc->num_functions */
	struct uiommu_observer user, observer;	/* (i) the embedder's; ours around it */
	pthread_mutex_t failed_lock;
	pthread_cond_t failed_wake;
	bool no_more_recovery;			/* failed_lock */
	bool has_recoverer;			/* (i) */
	pthread_t recoverer;
	uint64_t next_bar;			/* address of the next BAR, while being made */
	char *err;				/* the same */
	size_t err_bytes;
};

int uiommu_mach_error(struct uiommu_machine *m, int ret, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* What the core tells goes to @user, which may be NULL, and failures to us too. */
const struct uiommu_observer *uiommu_mach_observer(struct uiommu_machine *m,
						   const struct uiommu_observer *user);
int uiommu_mach_recovery_start(struct uiommu_machine *m);
void uiommu_mach_recovery_stop(struct uiommu_machine *m);
/* whatever has failed, now */
void uiommu_mach_recover(struct uiommu_machine *m);
/* uiommu_smmuv3_config.reset of a mach_smmu */
int uiommu_mach_smmu_reset(void *ctx);

/* one that takes its liberties (uiommu/sim/temper.h), on a thread of its own */
int uiommu_mach_temper_start(struct mach_smmu *s);
void uiommu_mach_temper_stop(struct mach_smmu *s);
/* what lies before @a may be fetched, or what lies behind it */
void uiommu_mach_temper_prefetch(struct mach_smmu *s, const struct uiommu_sim_access *a);

int uiommu_mach_smmu_start(struct uiommu_machine *m, struct mach_smmu *s,
			   const struct desc_smmu *d);
void uiommu_mach_smmu_stop(struct mach_smmu *s);

int uiommu_mach_its_start(struct uiommu_machine *m, struct mach_its *its, const struct desc_its *d);
void uiommu_mach_its_stop(struct mach_its *its);
/* Who sends the DMA that this thread carries: what a bus passes beside it. */
void uiommu_mach_initiator_set(struct mach_fn *f);

int uiommu_mach_msi_alloc(void *ctx, unsigned index, unsigned vector, void (*fn)(void *arg),
			  void *arg, uiommu_pa_t *pa, uint32_t *data);
void uiommu_mach_msi_program(void *ctx, unsigned index, unsigned vector, uiommu_iova_t iova,
		      uint32_t data);
void uiommu_mach_msi_free(void *ctx, unsigned index, unsigned vector);

int uiommu_mach_fn_start(struct uiommu_machine *m, struct mach_fn *f,
			 const struct desc_function *d);
void uiommu_mach_fn_stop(struct mach_fn *f);
/* The function behind @s that has this StreamID, or NULL. */
struct mach_fn *uiommu_mach_fn_find(struct mach_smmu *s, uint32_t sid);
/* until nothing is pending, or the machine stops */
void uiommu_mach_fn_run(struct mach_fn *f);

#endif
