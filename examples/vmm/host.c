/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* What a VMM needs came to both interfaces until Linux 6.17. */
#if __has_include(<linux/version.h>)
#include <linux/version.h>
#endif
#if __has_include(<linux/iommufd.h>) && defined(LINUX_VERSION_CODE) && \
	LINUX_VERSION_CODE >= ((6 << 16) + (17 << 8))
#include <linux/iommufd.h>
#include <linux/vfio.h>
#else
#include "compat/linux/iommufd.h"
#include "compat/linux/vfio.h"
#endif

#include "host.h"
#include "say.h"

/* ---- iommufd ---- */

int host_iommufd_open(void)
{
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("/dev/iommu");
	return fd;
}

uint32_t host_ioas_alloc(int iommufd)
{
	struct iommu_ioas_alloc a = { .size = sizeof(a) };

	if (ioctl(iommufd, IOMMU_IOAS_ALLOC, &a))
		die("IOMMU_IOAS_ALLOC");
	return a.out_ioas_id;
}

void host_ioas_map(int iommufd, uint32_t ioas, void *va, uint64_t bytes, uint64_t iova)
{
	struct iommu_ioas_map m = {
		.size = sizeof(m),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)va,
		.length = bytes,
		.iova = iova,
	};

	if (ioctl(iommufd, IOMMU_IOAS_MAP, &m))
		die("IOMMU_IOAS_MAP of %llu bytes", (unsigned long long)bytes);
}

uint32_t host_parent_alloc(int iommufd, uint32_t dev, uint32_t ioas)
{
	struct iommu_hwpt_alloc a = {
		.size = sizeof(a),
		.flags = IOMMU_HWPT_ALLOC_NEST_PARENT,
		.dev_id = dev,
		.pt_id = ioas,
		.data_type = IOMMU_HWPT_DATA_NONE,
	};

	if (ioctl(iommufd, IOMMU_HWPT_ALLOC, &a))
		die("IOMMU_HWPT_ALLOC of a nesting parent");
	return a.out_hwpt_id;
}

struct host_smmu host_smmu_info(int iommufd, uint32_t dev)
{
	struct iommu_hw_info_arm_smmuv3 smmu = { 0 };
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.dev_id = dev,
		.data_len = sizeof(smmu),
		.data_uptr = (uintptr_t)&smmu,
	};
	struct host_smmu out = { 0 };

	if (ioctl(iommufd, IOMMU_GET_HW_INFO, &info))
		die("IOMMU_GET_HW_INFO");
	if (info.out_data_type != IOMMU_HW_INFO_TYPE_ARM_SMMUV3) {
		errno = ENODEV;
		die("the device is not behind an SMMUv3");
	}
	for (unsigned i = 0; i < 6; i++)
		out.idr[i] = smmu.idr[i];
	out.aidr = smmu.aidr;
	out.pasid_bits = info.out_max_pasid_log2;
	return out;
}

bool host_cmdqv_info(int iommufd, uint32_t dev, struct host_cmdqv *out)
{
	struct iommu_hw_info_tegra241_cmdqv cmdqv = { 0 };
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.flags = IOMMU_HW_INFO_FLAG_INPUT_TYPE,
		.dev_id = dev,
		.data_len = sizeof(cmdqv),
		.data_uptr = (uintptr_t)&cmdqv,
		.in_data_type = IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV,
	};

	if (ioctl(iommufd, IOMMU_GET_HW_INFO, &info) ||
	    info.out_data_type != IOMMU_HW_INFO_TYPE_TEGRA241_CMDQV)
		return false;
	*out = (struct host_cmdqv){ cmdqv.version, cmdqv.log2vcmdqs, cmdqv.log2vsids };
	return true;
}

int host_viommu_cmdqv_alloc(int iommufd, uint32_t dev, uint32_t parent, uint32_t *viommu,
			    volatile void **page, size_t *bytes)
{
	struct iommu_viommu_tegra241_cmdqv cmdqv = { 0 };
	struct iommu_viommu_alloc a = {
		.size = sizeof(a),
		.type = IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV,
		.dev_id = dev,
		.hwpt_id = parent,
		.data_len = sizeof(cmdqv),
		.data_uptr = (uintptr_t)&cmdqv,
	};
	void *p;

	if (ioctl(iommufd, IOMMU_VIOMMU_ALLOC, &a))
		return -errno;
	p = mmap(NULL, cmdqv.out_vintf_mmap_length, PROT_READ | PROT_WRITE, MAP_SHARED, iommufd,
		 (off_t)cmdqv.out_vintf_mmap_offset);
	if (p == MAP_FAILED)
		die("mmap of a VM's queue registers");
	*viommu = a.out_viommu_id;
	*page = p;
	*bytes = cmdqv.out_vintf_mmap_length;
	return 0;
}

int host_hw_queue_alloc(int iommufd, uint32_t viommu, unsigned index, uint64_t iova,
			uint64_t bytes, uint32_t *id)
{
	struct iommu_hw_queue_alloc a = {
		.size = sizeof(a),
		.viommu_id = viommu,
		.type = IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV,
		.index = index,
		.nesting_parent_iova = iova,
		.length = bytes,
	};

	if (ioctl(iommufd, IOMMU_HW_QUEUE_ALLOC, &a))
		return -errno;
	*id = a.out_hw_queue_id;
	return 0;
}

uint32_t host_viommu_alloc(int iommufd, uint32_t dev, uint32_t parent)
{
	struct iommu_viommu_alloc a = {
		.size = sizeof(a),
		.type = IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
		.dev_id = dev,
		.hwpt_id = parent,
	};

	if (ioctl(iommufd, IOMMU_VIOMMU_ALLOC, &a))
		die("IOMMU_VIOMMU_ALLOC");
	return a.out_viommu_id;
}

uint32_t host_vdevice_alloc(int iommufd, uint32_t viommu, uint32_t dev, uint32_t vsid)
{
	struct iommu_vdevice_alloc a = {
		.size = sizeof(a),
		.viommu_id = viommu,
		.dev_id = dev,
		.virt_id = vsid,
	};

	if (ioctl(iommufd, IOMMU_VDEVICE_ALLOC, &a))
		die("IOMMU_VDEVICE_ALLOC");
	return a.out_vdevice_id;
}

static int veventq_alloc(int iommufd, uint32_t viommu, unsigned depth, uint32_t type)
{
	struct iommu_veventq_alloc a = {
		.size = sizeof(a),
		.viommu_id = viommu,
		.type = type,
		.veventq_depth = depth,
	};

	if (ioctl(iommufd, IOMMU_VEVENTQ_ALLOC, &a))
		die("IOMMU_VEVENTQ_ALLOC");
	return (int)a.out_veventq_fd;
}

int host_veventq_alloc(int iommufd, uint32_t viommu, unsigned depth)
{
	return veventq_alloc(iommufd, viommu, depth, IOMMU_VEVENTQ_TYPE_ARM_SMMUV3);
}

int host_queue_eventq_alloc(int iommufd, uint32_t viommu, unsigned depth)
{
	return veventq_alloc(iommufd, viommu, depth, IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV);
}

int host_faultq_alloc(int iommufd, uint32_t *id)
{
	struct iommu_fault_alloc a = { .size = sizeof(a) };

	if (ioctl(iommufd, IOMMU_FAULT_QUEUE_ALLOC, &a))
		die("IOMMU_FAULT_QUEUE_ALLOC");
	*id = a.out_fault_id;
	return (int)a.out_fault_fd;
}

int host_nested_alloc(int iommufd, uint32_t dev, uint32_t viommu, const uint64_t ste[2],
		      uint32_t faultq, uint32_t *hwpt)
{
	struct iommu_hwpt_alloc a = {
		.size = sizeof(a),
		.flags = faultq ? IOMMU_HWPT_FAULT_ID_VALID : 0,
		.dev_id = dev,
		.pt_id = viommu,
		.data_type = IOMMU_HWPT_DATA_ARM_SMMUV3,
		.data_len = 16,
		.data_uptr = (uintptr_t)ste,
		.fault_id = faultq,
	};

	if (ioctl(iommufd, IOMMU_HWPT_ALLOC, &a))
		return -errno;
	*hwpt = a.out_hwpt_id;
	return 0;
}

void host_destroy(int iommufd, uint32_t id)
{
	struct iommu_destroy d = { .size = sizeof(d), .id = id };

	if (ioctl(iommufd, IOMMU_DESTROY, &d))
		die("IOMMU_DESTROY %u", id);
}

int host_invalidate(int iommufd, uint32_t viommu, const uint64_t *cmds, unsigned n,
		    unsigned *done)
{
	struct iommu_hwpt_invalidate v = {
		.size = sizeof(v),
		.hwpt_id = viommu,
		.data_uptr = (uintptr_t)cmds,
		.data_type = IOMMU_VIOMMU_INVALIDATE_DATA_ARM_SMMUV3,
		.entry_len = 16,
		.entry_num = n,
	};
	int err = ioctl(iommufd, IOMMU_HWPT_INVALIDATE, &v) ? -errno : 0;

	*done = v.entry_num;
	return err;
}

/* ---- records ---- */

bool host_event_read(int fd, struct host_event *out)
{
	struct {
		struct iommufd_vevent_header head;
		struct iommu_vevent_arm_smmuv3 body;
	} ev;
	ssize_t n = read(fd, &ev, sizeof(ev));

	if (n < (ssize_t)sizeof(ev.head))
		return false;
	out->lost = ev.head.flags & IOMMU_VEVENTQ_FLAG_LOST_EVENTS;
	if (!out->lost)
		for (unsigned i = 0; i < 4; i++)
			out->words[i] = ev.body.evt[i];
	return true;
}

bool host_queue_error_read(int fd, uint64_t map[2])
{
	struct {
		struct iommufd_vevent_header head;
		struct iommu_vevent_tegra241_cmdqv body;
	} ev;
	ssize_t n = read(fd, &ev, sizeof(ev));

	if (n < (ssize_t)sizeof(ev.head))
		return false;
	for (unsigned i = 0; i < 2; i++)
		map[i] = ev.head.flags & IOMMU_VEVENTQ_FLAG_LOST_EVENTS ?
				 ~0ull : ev.body.lvcmdq_err_map[i];
	return true;
}

unsigned host_page_requests_read(int fd, struct host_page_request *out, unsigned max)
{
	struct iommu_hwpt_pgfault f[16];
	ssize_t n = read(fd, f, (max < 16 ? max : 16) * sizeof(f[0]));
	unsigned count = n < 0 ? 0 : (unsigned)((size_t)n / sizeof(f[0]));

	for (unsigned i = 0; i < count; i++)
		out[i] = (struct host_page_request){
			.dev = f[i].dev_id,
			.pasid = f[i].pasid,
			.grpid = f[i].grpid,
			.cookie = f[i].cookie,
			.addr = f[i].addr,
			.has_pasid = f[i].flags & IOMMU_PGFAULT_FLAGS_PASID_VALID,
			.last = f[i].flags & IOMMU_PGFAULT_FLAGS_LAST_PAGE,
			.read = f[i].perm & IOMMU_PGFAULT_PERM_READ,
			.write = f[i].perm & IOMMU_PGFAULT_PERM_WRITE,
			.exec = f[i].perm & IOMMU_PGFAULT_PERM_EXEC,
			.priv = f[i].perm & IOMMU_PGFAULT_PERM_PRIV,
		};
	return count;
}

void host_page_response(int fd, uint32_t cookie, bool success)
{
	const struct iommu_hwpt_page_response r = {
		.cookie = cookie,
		.code = success ? IOMMUFD_PAGE_RESP_SUCCESS : IOMMUFD_PAGE_RESP_INVALID,
	};

	if (write(fd, &r, sizeof(r)) != sizeof(r) && errno != EINVAL)
		die("write to the fault queue");
}

/* ---- VFIO ---- */

int host_device_open(unsigned n)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/vfio/devices/vfio%u", n);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("%s", path);
	return fd;
}

uint32_t host_device_bind(int device, int iommufd)
{
	struct vfio_device_bind_iommufd b = { .argsz = sizeof(b), .iommufd = iommufd };

	if (ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &b))
		die("VFIO_DEVICE_BIND_IOMMUFD");
	return b.out_devid;
}

int host_device_attach(int device, uint32_t hwpt)
{
	struct vfio_device_attach_iommufd_pt a = { .argsz = sizeof(a), .pt_id = hwpt };

	return ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &a) ? -errno : 0;
}

static struct vfio_region_info region(int device, uint32_t index)
{
	struct vfio_region_info r = { .argsz = sizeof(r), .index = index };

	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &r))
		die("VFIO_DEVICE_GET_REGION_INFO %u", index);
	return r;
}

static off_t config_at(int device, unsigned offset)
{
	return (off_t)(region(device, VFIO_PCI_CONFIG_REGION_INDEX).offset + offset);
}

uint32_t host_config_read(int device, unsigned offset, unsigned bytes)
{
	uint32_t v = 0;

	if (pread(device, &v, bytes, config_at(device, offset)) != (ssize_t)bytes)
		die("config space");
	return v;
}

void host_config_write(int device, unsigned offset, uint32_t value, unsigned bytes)
{
	if (pwrite(device, &value, bytes, config_at(device, offset)) != (ssize_t)bytes)
		die("config space");
}

volatile void *host_bar_map(int device, size_t *bytes)
{
	struct vfio_region_info bar = region(device, VFIO_PCI_BAR0_REGION_INDEX);
	void *p = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, device,
		       (off_t)bar.offset);

	if (p == MAP_FAILED)
		die("mmap of BAR0");
	*bytes = bar.size;
	return p;
}
