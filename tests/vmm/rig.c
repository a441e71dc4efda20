/* SPDX-License-Identifier: MIT */
#include "rig.h"

/* ---- a host that takes notes ---- */

struct notes host;

int host_nested_alloc(int iommufd, uint32_t dev, uint32_t viommu, const uint64_t ste[2],
		      uint32_t faultq, uint32_t *hwpt)
{
	int err = host.refuse;

	host.refuse = 0;
	if (err)
		return -err;
	memcpy(host.ste[dev], ste, sizeof(host.ste[dev]));
	*hwpt = 100 + host.nested++;
	host.live++;
	return 0;
}

int host_device_attach(int device, uint32_t hwpt)
{
	return 0;
}

#define QUEUE_ID	1000u		/* and up: other numbers are page tables */

/* From number 0 up, and back from the top, as Linux wants it. */
int host_hw_queue_alloc(int iommufd, uint32_t viommu, unsigned index, uint64_t iova,
			uint64_t bytes, uint32_t *id)
{
	if (host.refuse_queue)
		return -host.refuse_queue;
	assert_true(!index || host.queue[index - 1].bytes);
	assert_int_equal(host.queue[index].bytes, 0);
	host.queue[index].base = iova;
	host.queue[index].bytes = bytes;
	host.queues_made++;
	*id = QUEUE_ID + index;
	return 0;
}

void host_destroy(int iommufd, uint32_t id)
{
	if (id < QUEUE_ID) {
		host.live--;
		return;
	}
	assert_true(host.queue[id - QUEUE_ID].bytes && !host.queue[id - QUEUE_ID + 1].bytes);
	host.queue[id - QUEUE_ID].bytes = 0;
}

int host_invalidate(int iommufd, uint32_t viommu, const uint64_t *cmds, unsigned n,
		    unsigned *done)
{
	host.calls++;
	for (*done = 0; *done < n; (*done)++) {
		if (host.refused && (cmds[2 * *done] & 0xff) == host.refused)
			return -EIO;
		memcpy(host.cmd[host.cmds++], &cmds[2 * *done], 16);
	}
	return 0;
}

void host_page_response(int fd, uint32_t cookie, bool success)
{
	host.cookie[host.responses] = cookie;
	host.success[host.responses++] = success;
}

void die(const char *fmt, ...)
{
	fail_msg("%s", fmt);
	abort();
}

/* ---- a VM that is memory ---- */

struct vm vm;
_Alignas(4096) uint8_t ram[VM_RAM_BYTES];

uint64_t *at(uint64_t pa)
{
	return (uint64_t *)(void *)(ram + (pa - BOARD_RAM));
}

static bool inside(uint64_t pa, uint64_t bytes)
{
	return pa >= BOARD_RAM && pa - BOARD_RAM <= VM_RAM_BYTES - bytes;
}

bool vm_read64(const struct vm *v, uint64_t pa, uint64_t *out, unsigned words)
{
	if (inside(pa, words * 8ull))
		memcpy(out, at(pa), words * 8ull);
	return inside(pa, words * 8ull);
}

bool vm_write64(const struct vm *v, uint64_t pa, const uint64_t *words, unsigned n)
{
	if (inside(pa, n * 8ull))
		memcpy(at(pa), words, n * 8ull);
	return inside(pa, n * 8ull);
}

bool vm_write32(const struct vm *v, uint64_t pa, uint32_t value)
{
	if (inside(pa, 4))
		memcpy(at(pa), &value, 4);
	return inside(pa, 4);
}

void vm_raise_irq(struct vm *v, unsigned line)
{
	v->irqs |= 1u << line;
}

bool vm_is_on(const struct vm *v)
{
	return true;
}

struct vdev *vm_device_by_sid(struct vm *v, uint32_t sid)
{
	for (unsigned i = 0; i < VM_DEVICES; i++)
		if (v->dev[i].fd >= 0 && v->dev[i].board.stream_id == sid)
			return &v->dev[i];
	return NULL;
}

struct vdev *vm_device_by_id(struct vm *v, uint32_t id)
{
	return id < VM_DEVICES && v->dev[id].fd >= 0 ? &v->dev[id] : NULL;
}

void rig_reset(void)
{
	memset(&vm, 0, sizeof(vm));
	memset(&host, 0, sizeof(host));
	memset(ram, 0, sizeof(ram));
	vm.smmu.batch_max = VSMMU_BATCH;
	for (unsigned i = 0; i < VM_DEVICES; i++)
		vm.dev[i].fd = -1;
}
