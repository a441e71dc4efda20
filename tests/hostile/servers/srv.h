/* SPDX-License-Identifier: MIT */
/*
 * tests/hostile/servers/srv.h - the iommufd and VFIO servers, the core, the driver and
 * the simulator under the hostile temper: programs' calls from several logical threads
 *
 * host.c    memory, locks and their order, interrupts, registers, hardware that acts
 * program.c what a program has: memory that is pinned, files; functions behind VFIO
 * oracle.c  what is mapped and attached; may this DMA reach that page?
 * calls.c   one call each, by the numbers of the ABI
 * ops.c     what the threads do
 * run.c     one seed, from its operations to what failed
 */
#ifndef TESTS_HOSTILE_SERVERS_SRV_H
#define TESTS_HOSTILE_SERVERS_SRV_H

#include "tests/hostile/world.h"

#include <uiommu/sim/dev.h>
#include <uiommu/vfio.h>

#include "src/iommufd/abi.h"
#include "src/vfio/abi.h"

enum { CTXS = 2, FNS = 2, SPACES = 2, CELLS = 5, PAIRS = 3, UPAGES = 16, FILES = 24,
	FLIGHTS = 8, VECTORS = 2, HELD_LOCKS = 8, CPUS = 16, TOLD = 64, SEEN = 1024 };
#define ALL_SPACES	(CTXS * SPACES)
/* values of an attachment: a space's number, or */
enum { NOWHERE = ALL_SPACES, IN_GUEST };
/* page tables of a context */
enum { PT_PLAIN, PT_OTHER, PT_FAULTS, PT_PARENT, PT_NESTED, PTS };

#define VSID		0x77u
#define DOORBELL	0x12345040ull
#define MSI_BASE	0x8000000ull
#define MSI_BYTES	0x100000ull

/* The order that docs/LOCKING.md and the servers' internal.h say: outer before inner. */
enum rank { RANK_VFIO = 1, RANK_CONTEXT, RANK_CORE, RANK_SPIN };

struct uiommu_as {
	unsigned refs;
};

struct uiommu_file {
	unsigned refs;
	const void *kind;
	void *object;
	bool eventfd, dead;
	unsigned count;
	struct uiommu_file *next;	/* ever made */
};

/* Now, or, while a call is under way that changes it, another one too. */
struct cell {
	int now, next;
	bool changing, busy;		/* @busy: a call is about it, others leave it alone */
	unsigned version;
};

/* An object of a context, by its number. */
struct object {
	uint32_t id;			/* 0: there is none */
	unsigned users;			/* calls that name it */
	bool busy;			/* it comes or goes */
};

struct context {
	struct uiommu_file *file;	/* NULL: closed */
	bool busy;			/* it is being opened */
	bool closing;			/* nobody calls any more; it goes with the last who did */
	unsigned calls, bound;		/* under way; functions */
	uint32_t ioas[SPACES];
	struct object pt[PTS];
	bool guest_faults;		/* what the nested one is */
	struct object queue, viommu, vdevice, veventq;
	struct uiommu_abi_iommu_viommu_tegra241_cmdqv page;	/* of the vIOMMU; 0: none */
	unsigned vdevice_fn;
	struct uiommu_file *queue_file, *veventq_file;
	struct told {
		bool open;
		uint32_t cookie;
		unsigned moves;
	} told[TOLD];			/* page requests that were read */
	bool seen[SEEN];		/* events that were read */
};

struct function {
	struct srv *s;
	struct uiommu_dev *dev;
	struct uiommu_sim_bus bus;
	struct uiommu_sim_dev *sim;
	struct uiommu_vfio_device *vfio;
	struct uiommu_vfio_file *file;	/* the one that is bound */
	unsigned ctx;			/* to whom */
	uint32_t id;
	unsigned users;
	bool busy, closing;
	unsigned resets, resetting;	/* beginnings and ends; under way */
	unsigned flying[2], epoch;	/* DMAs, by what the epoch was */
	struct cell at[PAIRS];
	struct {
		void (*fn)(void *arg);
		void *arg;
		unsigned running;
	} msi[VECTORS];
	uint64_t msi_iova;
};

/* One DMA. */
struct flight {
	unsigned fn, pair;
	uint64_t iova;
	bool active;
};

struct cpu {
	const char *name;
	struct { enum rank rank; const void *lock; } held[HELD_LOCKS];
	unsigned num;
	enum rank making;		/* what the next mutex that it makes is */
};

struct srv {
	const struct run_config *cfg;
	struct run_result *res;
	struct uiommu_hostile *h;
	struct uiommu_host host;
	struct uiommu_uaccess ua;
	struct uiommu_sim_smmuv3 *sim;
	void *sim_holder;
	bool sim_locked;
	struct uiommu *u;
	struct uiommu_iommu *iommu;
	struct { void (*fn)(void *arg); void *arg; bool pending, running; } irq[4];
	struct cpu cpu[CPUS];
	bool coherent, irqs, cmdqv, ready;
	unsigned quarantine, evict;

	long live, locks, pins, files;
	struct uiommu_as as;
	unsigned char *memory;		/* UPAGES pages */
	unsigned pinned[UPAGES];
	struct uiommu_file *fd[FILES], *all_files;
	unsigned stalled;		/* accesses that wait */

	struct context ctx[CTXS];
	struct function fn[FNS];
	struct cell cell[ALL_SPACES][CELLS];
	struct crew crew;
	unsigned flights;
	unsigned moves, moving;		/* of what is attached: ever begun, under way */
};

/* host.c */
void host_create(struct srv *s);
void host_destroy(struct srv *s);
void host_boot(struct srv *s);
void host_shut(struct srv *s);
/* The mutexes that this thread makes from now on are these. */
void host_makes(struct srv *s, enum rank rank);
void host_may_sleep(struct srv *s, const char *what);
uint64_t host_pa(const struct srv *s, const void *p);
void srv_note(struct srv *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* program.c */
void program_create(struct srv *s);
void program_boot(struct srv *s);
void program_shut(struct srv *s);
void program_destroy(struct srv *s);
void program_doorbell(struct srv *s, const struct flight *f, uint32_t data);
struct uiommu_file *file_new(struct srv *s, const void *kind, void *object);
void file_release(struct srv *s, struct uiommu_file *f);

/* oracle.c */
uint64_t cell_iova(unsigned cell);
void cell_init(struct cell *c, int v);
void cell_begin(struct cell *c, int next);
void cell_end(struct cell *c, bool done);
void oracle_data(struct srv *s, const struct flight *f, uint64_t pa, const void *buf);
void dma_touch(struct srv *s, unsigned fn, unsigned pair, uint64_t iova, bool write);
void dma_any(struct srv *s);
void prefetch_any(struct srv *s);
extern const uiommu_pasid_t pair_pasid[PAIRS];

/* calls.c: on a context's file, or on a device's */
int call(struct srv *s, struct uiommu_file *f, uint32_t nr, void *cmd);
int vcall(struct srv *s, struct uiommu_vfio_file *f, uint32_t nr, void *cmd);
int call_destroy(struct srv *s, struct uiommu_file *f, uint32_t id);
int call_ioas_alloc(struct srv *s, struct uiommu_file *f, uint32_t *id);
int call_map(struct srv *s, struct uiommu_file *f, uint32_t ioas, unsigned page, uint64_t iova);
int call_unmap(struct srv *s, struct uiommu_file *f, uint32_t ioas, uint64_t iova);
int call_copy(struct srv *s, struct uiommu_file *f, uint32_t dst, uint64_t to, uint32_t src,
	      uint64_t from);
int call_container(struct srv *s, struct uiommu_file *f, uint32_t ioas);
int call_map_dma(struct srv *s, struct uiommu_file *f, unsigned page, uint64_t iova);
int call_unmap_dma(struct srv *s, struct uiommu_file *f, uint64_t iova);
int call_hwpt(struct srv *s, struct uiommu_file *f, struct uiommu_abi_iommu_hwpt_alloc c,
	      uint32_t *id);
int call_viommu(struct srv *s, struct uiommu_file *f, uint32_t dev, uint32_t hwpt, uint32_t *id,
		struct uiommu_abi_iommu_viommu_tegra241_cmdqv *page);
int call_vdevice(struct srv *s, struct uiommu_file *f, uint32_t viommu, uint32_t dev,
		 uint32_t *id);
int call_veventq(struct srv *s, struct uiommu_file *f, uint32_t viommu, uint32_t *id, int *fd);
int call_queue(struct srv *s, struct uiommu_file *f, uint32_t *id, int *fd);
int call_invalidate(struct srv *s, struct uiommu_file *f, uint32_t viommu, uint64_t *cmds,
		    unsigned n);
int call_bind(struct srv *s, struct uiommu_vfio_file *f, int fd, uint32_t *id);
int call_attach(struct srv *s, struct uiommu_vfio_file *f, uiommu_pasid_t pasid, uint32_t pt);
int call_detach(struct srv *s, struct uiommu_vfio_file *f, uiommu_pasid_t pasid);
int call_irqs(struct srv *s, struct uiommu_vfio_file *f, unsigned start, unsigned count, int fd);
/* Fails the run unless @ret is 0 or one of @errs (0 ends them). */
int expect(struct srv *s, const char *what, int ret, const int *errs);
#define EXPECT(s, what, ret, ...) expect(s, what, ret, (const int[]){ __VA_ARGS__ __VA_OPT__(,) 0 })

/* ops.c */
extern const unsigned srv_weight[], srv_num_ops;
void srv_op(void *world, const struct op *op);
void srv_settle(struct srv *s);

#endif
