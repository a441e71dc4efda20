/* SPDX-License-Identifier: MIT */
/*
 * Every number, size and offset that the servers use against a list that was
 * read off Linux 7.3.4's headers (tests/golden), and against the headers of the
 * machine that the test runs on where they have it.
 *
 * Usage: abi GOLDEN-FILE...
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <linux/vfio.h>
#include <sys/ioctl.h>
#if defined(__has_include) && __has_include(<linux/iommufd.h>)
#include <linux/iommufd.h>
#define HAVE_IOMMUFD_H
#endif

#include "src/iommufd/abi.h"
#include "src/vfio/abi.h"

enum kind { VALUE, STRUCT, FIELD };

struct fact {
	enum kind kind;
	char name[64], field[64];
	unsigned long long a, b;	/* value; size; offset and size */
};

static struct fact golden[2000];
static unsigned num_golden;

#define SIZE_OF(s, f) sizeof(((struct uiommu_abi_##s *)0)->f)

static const struct fact ours[] = {
#define VALUE(n)	{ VALUE, #n, "", UIOMMU_ABI_##n, 0 },
#define STRUCT(n)	{ STRUCT, #n, "", sizeof(struct uiommu_abi_##n), 0 },
#define FIELD(s, f)	{ FIELD, #s, #f, offsetof(struct uiommu_abi_##s, f), SIZE_OF(s, f) },
#include "iommufd.def"
#include "vfio.def"
#undef VALUE
#undef STRUCT
#undef FIELD
};
#define NUM_OURS (sizeof(ours) / sizeof(ours[0]))

/* ---- the golden files ---- */

static void add_line(const char *line, char *current)
{
	struct fact *f = &golden[num_golden];

	memset(f, 0, sizeof(*f));
	if (sscanf(line, "value %63s %llx", f->name, &f->a) == 2) {
		f->kind = VALUE;
	} else if (sscanf(line, "struct %63s %llu", f->name, &f->a) == 2) {
		f->kind = STRUCT;
		memcpy(current, f->name, sizeof(f->name));
	} else if (sscanf(line, " field %63s %llu %llu", f->field, &f->a, &f->b) == 3) {
		f->kind = FIELD;
		memcpy(f->name, current, sizeof(f->name));
	} else {
		return;
	}
	num_golden++;
}

static void load(const char *path)
{
	char line[256], current[64] = "";
	FILE *f = fopen(path, "r");

	if (!f) {
		perror(path);
		exit(1);
	}
	while (fgets(line, sizeof(line), f))
		add_line(line, current);
	fclose(f);
}

static const struct fact *find(const struct fact *want)
{
	for (unsigned i = 0; i < num_golden; i++)
		if (golden[i].kind == want->kind && !strcmp(golden[i].name, want->name) &&
		    !strcmp(golden[i].field, want->field))
			return &golden[i];
	return NULL;
}

static void as_linux_7_3_has_it(void **state)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < NUM_OURS; i++) {
		const struct fact *o = &ours[i], *g = find(o);

		if (g && g->a == o->a && g->b == o->b)
			continue;
		wrong++;
		print_error("%s %s: ours %#llx %llu, golden ", o->name, o->field, o->a, o->b);
		print_error(g ? "%#llx %llu\n" : "none\n", g ? g->a : 0, g ? g->b : 0);
	}
	assert_int_equal(wrong, 0);
	assert_true(NUM_OURS > 200);
}

/* ---- the system's headers ---- */

/* A header may be older or newer than ours: what both have must agree. */
static void as_the_system_has_it(void **state)
{
#define SAME(n) assert_int_equal(UIOMMU_ABI_##n, (unsigned)(n))
#define LAYOUT(s, f) assert_int_equal(offsetof(struct uiommu_abi_##s, f), offsetof(struct s, f))
	SAME(VFIO_DEVICE_GET_INFO);
	SAME(VFIO_DEVICE_GET_REGION_INFO);
	SAME(VFIO_DEVICE_GET_IRQ_INFO);
	SAME(VFIO_DEVICE_SET_IRQS);
	SAME(VFIO_DEVICE_RESET);
	SAME(VFIO_DEVICE_FEATURE);
	SAME(VFIO_DEVICE_GET_PCI_HOT_RESET_INFO);
	SAME(VFIO_DEVICE_PCI_HOT_RESET);
	SAME(VFIO_IRQ_SET_DATA_TYPE_MASK);
	SAME(VFIO_IRQ_SET_ACTION_TYPE_MASK);
	SAME(VFIO_PCI_CONFIG_REGION_INDEX);
	SAME(VFIO_PCI_NUM_REGIONS);
	SAME(VFIO_PCI_NUM_IRQS);
	LAYOUT(vfio_device_info, num_irqs);
	LAYOUT(vfio_region_info, offset);
	LAYOUT(vfio_irq_info, count);
	LAYOUT(vfio_irq_set, count);
#ifdef VFIO_DEVICE_BIND_IOMMUFD
	SAME(VFIO_DEVICE_BIND_IOMMUFD);
	SAME(VFIO_DEVICE_ATTACH_IOMMUFD_PT);
	SAME(VFIO_DEVICE_DETACH_IOMMUFD_PT);
	LAYOUT(vfio_device_bind_iommufd, out_devid);
	LAYOUT(vfio_device_attach_iommufd_pt, pt_id);
#endif
#ifdef HAVE_IOMMUFD_H
	SAME(IOMMU_DESTROY);
	SAME(IOMMU_IOAS_ALLOC);
	SAME(IOMMU_IOAS_MAP);
	SAME(IOMMU_IOAS_UNMAP);
	SAME(IOMMU_IOAS_COPY);
	SAME(IOMMU_IOAS_IOVA_RANGES);
	SAME(IOMMU_OPTION);
	LAYOUT(iommu_ioas_map, iova);
	LAYOUT(iommu_ioas_unmap, length);
#else
	print_message("# no <linux/iommufd.h> on this machine: golden file only\n");
#endif
#undef SAME
#undef LAYOUT
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_linux_7_3_has_it),
		cmocka_unit_test(as_the_system_has_it),
	};

	for (int i = 1; i < argc; i++)
		load(argv[i]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
