/* SPDX-License-Identifier: MIT */
/*
 * rig.h - a machine in this process: the program is the test itself, so that its
 * pointers are copied as they are and its pages pinned as they are. Everything
 * else is what `uiommu run` has.
 */
#ifndef UIOMMU_TESTS_MACHINE_RIG_H
#define UIOMMU_TESTS_MACHINE_RIG_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compat/linux/iommufd.h"
#include "compat/linux/vfio.h"
#include "dts.h"
#include "host/posix/posix.h"
#include "machine/machine.h"

#define PAGE		4096u
#define IOMMUFD_NUMBER	1000000		/* the "fd" of the one iommufd context */
#define MAX_FAULTS	64

struct uiommu_file {
	int fd;
};

struct fault_seen {
	char dev[16], name[24];
	uiommu_pasid_t pasid;
	uiommu_iova_t iova;
	unsigned flags;
	uint32_t sid;
};

struct rig {
	struct uiommu_posix *posix;
	struct uiommu_uaccess uaccess;
	struct uiommu_observer observer;
	struct uiommu_machine *m;
	struct uiommu_iommufd *ctx;
	struct uiommu_vfio_file *file[4];
	uint32_t dev_id[4];
	int event[4];
	atomic_uint faults, changes, complaints, failures, recoveries;
	pthread_mutex_t lock;		/* fault, while one is written */
	struct fault_seen fault[MAX_FAULTS];
};

/* ---- reaching the program: this process ---- */

static inline int ua_copy_in(void *ctx, struct uiommu_as *as, void *dst, uint64_t src, size_t n)
{
	memcpy(dst, (void *)(uintptr_t)src, n);
	return 0;
}

static inline int ua_copy_out(void *ctx, struct uiommu_as *as, uint64_t dst, const void *src,
			      size_t n)
{
	memcpy((void *)(uintptr_t)dst, src, n);
	return 0;
}

struct self_pin {
	struct uiommu_pin pin;
	struct uiommu_pin_seg seg;
};

static inline int ua_pin(void *ctx, struct uiommu_as *as, uint64_t va, uint64_t len, unsigned prot,
			 uint64_t like, struct uiommu_pin **out)
{
	struct rig *r = ctx;
	struct self_pin *p = calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return -UIOMMU_ENOMEM;
	ret = uiommu_posix_pin_self(r->posix, (void *)(uintptr_t)va, len, &p->seg.pa);
	if (ret) {
		free(p);
		return ret;
	}
	p->seg.bytes = len;
	p->pin.segs = &p->seg;
	p->pin.nsegs = 1;
	*out = &p->pin;
	return 0;
}

static inline void ua_unpin(void *ctx, struct uiommu_pin *pin)
{
	struct rig *r = ctx;

	uiommu_posix_remove_frames(r->posix, pin->segs[0].pa);
	free(pin);
}

static inline void ua_as(void *ctx, struct uiommu_as *as)
{
}

static inline int ua_file_get(void *ctx, struct uiommu_as *as, int fd, struct uiommu_file **out)
{
	if (fd < 0)
		return -UIOMMU_EBADF;
	*out = malloc(sizeof(**out));
	if (!*out)
		return -UIOMMU_ENOMEM;
	(*out)->fd = fd;
	return 0;
}

static inline void ua_file_put(void *ctx, struct uiommu_file *f)
{
	free(f);
}

static inline void *ua_file_object(void *ctx, struct uiommu_file *f, const void *kind)
{
	struct rig *r = ctx;

	return f->fd == IOMMUFD_NUMBER && kind == uiommu_iommufd_kind ? r->ctx : NULL;
}

static inline bool ua_is_eventfd(void *ctx, struct uiommu_file *f)
{
	return f->fd != IOMMUFD_NUMBER;
}

static inline void ua_signal(void *ctx, struct uiommu_file *f)
{
	uint64_t one = 1;

	assert_int_equal(write(f->fd, &one, sizeof(one)), sizeof(one));
}

/* ---- what the instance tells ---- */

static inline void on_fault(void *ctx, const struct uiommu_fault *f)
{
	struct rig *r = ctx;
	unsigned n;

	pthread_mutex_lock(&r->lock);
	n = atomic_load(&r->faults);
	if (n < MAX_FAULTS) {
		struct fault_seen *s = &r->fault[n];

		snprintf(s->dev, sizeof(s->dev), "%s", f->dev ? uiommu_device_name(f->dev) : "");
		snprintf(s->name, sizeof(s->name), "%s", f->name);
		s->pasid = f->pasid;
		s->iova = f->iova;
		s->flags = f->flags;
		s->sid = f->stream_id;
	}
	atomic_fetch_add(&r->faults, 1);	/* after the record: it may be read now */
	pthread_mutex_unlock(&r->lock);
}

static inline void on_change(void *ctx, struct uiommu_dev *dev, uiommu_pasid_t pasid,
			     struct uiommu_domain *old, struct uiommu_domain *now)
{
	atomic_fetch_add(&((struct rig *)ctx)->changes, 1);
}

static inline void on_failed(void *ctx, struct uiommu_iommu *iommu)
{
	atomic_fetch_add(&((struct rig *)ctx)->failures, 1);
}

static inline void on_log(void *ctx, enum uiommu_log_level level, const char *line)
{
	fprintf(stderr, "log: %s\n", line);
	atomic_fetch_add(&((struct rig *)ctx)->complaints, 1);
	if (strstr(line, ": recovered: "))
		atomic_fetch_add(&((struct rig *)ctx)->recoveries, 1);
}

/* ---- life ---- */

static inline void rig_init(struct rig *r, bool threads)
{
	memset(r, 0, sizeof(*r));
	pthread_mutex_init(&r->lock, NULL);
	assert_int_equal(uiommu_posix_create(&r->posix), 0);
	uiommu_posix_set_log(r->posix, UIOMMU_LOG_WARN, on_log, r);
	if (!threads)
		uiommu_posix_set_polled(r->posix);
	r->uaccess = (struct uiommu_uaccess){
		r, ua_copy_in, ua_copy_out, ua_pin, ua_unpin, ua_as, ua_as, ua_file_get,
		ua_file_put, ua_file_object, ua_is_eventfd, ua_signal, NULL, NULL
	};
	r->observer = (struct uiommu_observer){
		.ctx = r, .fault = on_fault, .attach_changed = on_change,
		.iommu_failed = on_failed
	};
}

static inline int rig_create(struct rig *r, const void *dtb, size_t n, bool threads, char *err,
			     size_t err_bytes)
{
	const struct uiommu_machine_config cfg = {
		.dtb = dtb,
		.dtb_bytes = n,
		.posix = r->posix,
		.uaccess = &r->uaccess,
		.observer = &r->observer,
		.threads = threads,
	};

	return uiommu_machine_create(&cfg, &r->m, err, err_bytes);
}

static inline void rig_start(struct rig *r, const void *dtb, size_t n, bool threads)
{
	char err[256];

	rig_init(r, threads);
	if (rig_create(r, dtb, n, threads, err, sizeof(err)))
		fail_msg("%s", err);
	assert_int_equal(uiommu_machine_iommufd_create(r->m, &r->ctx), 0);
}

static inline void rig_stop(struct rig *r)
{
	for (int i = 0; i < 4; i++) {
		if (r->file[i])
			uiommu_vfio_close(r->file[i]);
		if (r->event[i])
			close(r->event[i]);
	}
	if (r->ctx)
		uiommu_iommufd_put(r->ctx);
	uiommu_machine_destroy(r->m);
	uiommu_posix_destroy(r->posix);		/* complains of what was not given back */
	assert_int_equal(r->complaints, 0);
}

/* ---- as a program does it ---- */

static inline int iommufd_ioctl(struct rig *r, uint32_t cmd, void *arg)
{
	return uiommu_iommufd_ioctl(r->ctx, NULL, cmd, (uintptr_t)arg);
}

static inline int vfio_ioctl(struct rig *r, unsigned n, uint32_t cmd, void *arg)
{
	return uiommu_vfio_ioctl(r->file[n], NULL, cmd, (uintptr_t)arg);
}

static inline void rig_bind(struct rig *r, unsigned n)
{
	struct vfio_device_bind_iommufd b = { .argsz = sizeof(b), .iommufd = IOMMUFD_NUMBER };
	const uint64_t command = ((uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << 40) + 4;
	uint16_t v = 0;

	assert_int_equal(uiommu_vfio_open(uiommu_machine_vfio(r->m, n)->vfio, &r->file[n]), 0);
	assert_int_equal(vfio_ioctl(r, n, VFIO_DEVICE_BIND_IOMMUFD, &b), 0);
	r->dev_id[n] = b.out_devid;
	assert_int_equal(uiommu_vfio_read(r->file[n], NULL, command, 2, (uintptr_t)&v), 2);
	v |= 4;
	assert_int_equal(uiommu_vfio_write(r->file[n], NULL, command, 2, (uintptr_t)&v), 2);
}

static inline void rig_msi(struct rig *r, unsigned n)
{
	union {
		struct vfio_irq_set set;
		uint8_t room[sizeof(struct vfio_irq_set) + sizeof(int)];
	} u = { .set = { sizeof(u.room), VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			 VFIO_PCI_MSI_IRQ_INDEX, 0, 1 } };

	r->event[n] = eventfd(0, EFD_NONBLOCK);
	memcpy(u.room + sizeof(u.set), &r->event[n], sizeof(int));
	assert_int_equal(vfio_ioctl(r, n, VFIO_DEVICE_SET_IRQS, &u.set), 0);
}

static inline uint64_t rig_messages(struct rig *r, unsigned n)
{
	uint64_t count = 0;

	if (read(r->event[n], &count, sizeof(count)) != sizeof(count))
		return 0;
	return count;
}

static inline uint32_t rig_ioas(struct rig *r)
{
	struct iommu_ioas_alloc a = { .size = sizeof(a) };

	assert_int_equal(iommufd_ioctl(r, IOMMU_IOAS_ALLOC, &a), 0);
	return a.out_ioas_id;
}

static inline uint32_t rig_hwpt(struct rig *r, unsigned n, uint32_t ioas)
{
	struct iommu_hwpt_alloc a = { .size = sizeof(a), .flags = IOMMU_HWPT_ALLOC_PASID,
				      .dev_id = r->dev_id[n], .pt_id = ioas };

	assert_int_equal(iommufd_ioctl(r, IOMMU_HWPT_ALLOC, &a), 0);
	return a.out_hwpt_id;
}

static inline int rig_map(struct rig *r, uint32_t ioas, void *va, uint64_t len, uint64_t iova)
{
	struct iommu_ioas_map m = { .size = sizeof(m), .flags = 7, .ioas_id = ioas,
				    .user_va = (uintptr_t)va, .length = len, .iova = iova };

	return iommufd_ioctl(r, IOMMU_IOAS_MAP, &m);
}

static inline int rig_unmap(struct rig *r, uint32_t ioas, uint64_t iova, uint64_t len)
{
	struct iommu_ioas_unmap u = { .size = sizeof(u), .ioas_id = ioas, .iova = iova,
				      .length = len };

	return iommufd_ioctl(r, IOMMU_IOAS_UNMAP, &u);
}

static inline int rig_attach(struct rig *r, unsigned n, uint32_t pasid, uint32_t pt)
{
	struct vfio_device_attach_iommufd_pt a = { sizeof(a), pasid ? 1 : 0, pt, pasid };

	return vfio_ioctl(r, n, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &a);
}

static inline int rig_detach(struct rig *r, unsigned n, uint32_t pasid)
{
	struct vfio_device_detach_iommufd_pt a = { sizeof(a), pasid ? 1 : 0, pasid };

	return vfio_ioctl(r, n, VFIO_DEVICE_DETACH_IOMMUFD_PT, &a);
}

static inline uint8_t *rig_pages(size_t n)
{
	void *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static inline uint64_t reg(struct rig *r, unsigned n, uint64_t off)
{
	return uiommu_vfio_load(r->file[n], 0, off, 4);
}

static inline void set_reg(struct rig *r, unsigned n, uint64_t off, uint64_t v, unsigned size)
{
	uiommu_vfio_store(r->file[n], 0, off, v, size);
}

static inline void set_pasid(struct rig *r, unsigned n, unsigned q, uint32_t pasid)
{
	set_reg(r, n, 0x1000 * q + 0xa0, pasid ? 0x80000000u | pasid : 0, 4);
}

/* One DMA of queue @q; what RESULT says. */
static inline uint32_t rig_dma(struct rig *r, unsigned n, unsigned q, uint64_t iova,
			       uint32_t bytes, bool to_memory)
{
	uint64_t base = 0x1000 * q, buffer = 0x40000 + base;

	set_reg(r, n, base + 0x80, to_memory ? buffer : iova, 8);
	set_reg(r, n, base + 0x88, to_memory ? iova : buffer, 8);
	set_reg(r, n, base + 0x90, bytes, 8);
	set_reg(r, n, base + 0x98, 1 | (to_memory ? 2 : 0) | 4, 4);
	uiommu_machine_step(r->m);
	while (reg(r, n, base + 0x98) & 1)
		usleep(10);
	uiommu_posix_poll_irqs(r->posix);
	return (uint32_t)reg(r, n, base + 0xa8);
}

#define DMA_OK		1u
#define DMA_ABORTED	3u

static inline bool rig_copies(struct rig *r, unsigned n, unsigned q, uint64_t from, uint64_t to)
{
	return rig_dma(r, n, q, from, 256, false) == DMA_OK &&
	       rig_dma(r, n, q, to, 256, true) == DMA_OK;
}

#endif
