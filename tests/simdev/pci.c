/* SPDX-License-Identifier: MIT */
/* Config space: what reads back, what cannot be written, what the lists say. */
#include "fakebus.h"

static int setup(void **state)
{
	struct bus *b = calloc(1, sizeof(*b));
	const struct uiommu_sim_edu_config c = { .pasid_bits = 20 };

	bus_init(b);
	*state = b;
	return uiommu_sim_edu_create(&b->bus, &c, &b->dev);
}

static void header_says_edu(void **state)
{
	struct bus *b = *state;

	assert_int_equal(cfg(b, 0x00, 4), 0x11e81234);
	assert_int_equal(cfg(b, 0x02, 2), 0x11e8);
	assert_int_equal(cfg(b, 0x08, 4), 0x00ff0010);
	assert_int_equal(cfg(b, 0x0e, 1), 0);		/* type 0 */
	assert_int_equal(cfg(b, 0x3d, 1), 0);		/* no INTx */
	assert_int_equal(cfg(b, 0x06, 2) & 0x10, 0x10);	/* has capabilities */
}

static void read_only_bits_stay(void **state)
{
	struct bus *b = *state;

	for (unsigned off = 0; off < 4096; off += 4) {
		uint32_t was = cfg(b, off, 4);

		if (off == 0x68)	/* not the bit that resets everything */
			continue;
		set_cfg(b, off, ~was, 4);
		set_cfg(b, off, was, 4);
		assert_int_equal(cfg(b, off, 4), was);
	}
	set_cfg(b, 0x00, 0, 4);
	assert_int_equal(cfg(b, 0x00, 4), 0x11e81234);
	set_cfg(b, PCI_COMMAND, 0xffff, 2);
	assert_int_equal(cfg(b, PCI_COMMAND, 2), 0x0546);
	assert_int_equal(cfg(b, 0x06, 2), 0x10);
}

static void odd_accesses_do_nothing(void **state)
{
	struct bus *b = *state;

	assert_int_equal(cfg(b, 4096, 4), 0xffffffff);
	assert_int_equal(cfg(b, 1, 2), 0xffffffff);
	assert_int_equal(cfg(b, 0, 3), 0xffffffff);
	assert_int_equal(cfg(b, 0, 8), 0xffffffff);
	set_cfg(b, 4096, 1, 1);
	set_cfg(b, 5, 0x4, 2);
	assert_int_equal(cfg(b, PCI_COMMAND, 2), 0);
}

static void bar_sizing(void **state)
{
	struct bus *b = *state;

	set_cfg(b, 0x10, ~0u, 4);
	assert_int_equal(cfg(b, 0x10, 4), 0xfff00000);
	set_cfg(b, 0x10, 0xc0123456, 4);
	assert_int_equal(cfg(b, 0x10, 4), 0xc0100000);
	set_cfg(b, 0x14, ~0u, 4);
	assert_int_equal(cfg(b, 0x14, 4), 0);		/* no such BAR */
}

/* A function of our own, to see 64-bit BARs and several capabilities. */
static void building_blocks(void **state)
{
	struct bus *b = *state;
	static struct uiommu_sim_dev d;
	const struct uiommu_sim_bar big = { .bytes = 1ull << 33, .is64 = true, .prefetch = true };
	const struct uiommu_sim_bar bad = { .bytes = 4097 }, wide = { .bytes = 1ull << 33 };

	uiommu_sim_pci_init(&d, &b->bus, NULL, 0x00010002, 0x01020304);
	assert_int_equal(uiommu_sim_pci_bar(&d, 2, &big), 0);
	assert_int_equal(uiommu_sim_pci_bar(&d, 5, &big), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_sim_pci_bar(&d, 0, &bad), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_sim_pci_bar(&d, 0, &wide), -UIOMMU_EINVAL);
	uiommu_sim_cfg_write(&d, 0x18, ~0u, 4);
	uiommu_sim_cfg_write(&d, 0x1c, ~0u, 4);
	assert_int_equal(uiommu_sim_cfg_read(&d, 0x18, 4), 0x0000000c);
	assert_int_equal(uiommu_sim_cfg_read(&d, 0x1c, 4), 0xfffffffe);
	assert_int_equal(uiommu_sim_pci_msi(&d, 0x50, 5), 0);
	assert_int_equal(uiommu_sim_cfg_read(&d, 0x52, 2), 0x8a);	/* 64 bit, 32 vectors */
	assert_int_equal(uiommu_sim_pci_msi(&d, 0x80, 6), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_sim_pci_cap(&d, 9, 0xfe, 4), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_sim_pci_cap(&d, 9, 0x30, 4), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_sim_pci_ext_cap(&d, 3, 1, 0x140, 12), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_sim_pci_ext_cap(&d, 3, 1, 0x100, 12), 0);
	assert_int_equal(uiommu_sim_pci_pasid(&d, 0x140, 8), 0);
	assert_int_equal(uiommu_sim_pci_pasid(&d, 0x180, 21), -UIOMMU_EINVAL);
	assert_int_equal(uiommu_sim_cfg_read(&d, 0x100, 4), 0x14010003);
	assert_int_equal(uiommu_sim_cfg_read(&d, 0x140, 4), 0x0001001b);
	assert_int_equal(uiommu_sim_cfg_read(&d, 0x144, 4), 0x00000800);
}

static void capability_lists(void **state)
{
	struct bus *b = *state;
	unsigned at = cfg(b, 0x34, 1);

	assert_int_equal(at, 0x40);
	assert_int_equal(cfg(b, at, 1), 0x05);		/* MSI, one vector, 64 bit */
	assert_int_equal(cfg(b, at + 2, 2), 0x0080);
	at = cfg(b, at + 1, 1);
	assert_int_equal(cfg(b, at, 1), 0x10);		/* PCI Express */
	assert_int_equal(cfg(b, at + 2, 2), 0x0002);	/* endpoint, version 2 */
	assert_int_equal(cfg(b, at + 4, 4) >> 28 & 1, 1);	/* FLR */
	assert_int_equal(cfg(b, at + 1, 1), 0);		/* the last one */
	assert_int_equal(cfg(b, 0x100, 4), 0x0001001b);	/* PASID, the last one */
	assert_int_equal(cfg(b, 0x104, 2), 20 << 8);
}

static void msi_goes_where_config_space_says(void **state)
{
	struct bus *b = *state;

	set_cfg(b, 0x44, 0x89abcdef, 4);
	set_cfg(b, 0x48, 0x4567, 4);
	set_cfg(b, 0x4c, 0xbeef, 2);
	set_cfg(b, PCI_COMMAND, MASTER, 2);
	assert_int_equal(uiommu_sim_msi(b->dev, 0), -UIOMMU_EACCES);	/* not enabled */
	set_cfg(b, 0x42, 1, 2);
	set_cfg(b, PCI_COMMAND, 0, 2);
	assert_int_equal(uiommu_sim_msi(b->dev, 0), -UIOMMU_EACCES);	/* not master */
	assert_int_equal(b->dmas, 0);
	set_cfg(b, PCI_COMMAND, MASTER, 2);
	assert_int_equal(uiommu_sim_msi(b->dev, 7), -UIOMMU_EFAULT);	/* nothing there */
	assert_int_equal(b->dmas, 1);
	assert_int_equal(b->last.pasid, NO_PASID);
	assert_true(b->last.write);
	assert_int_equal(b->last.iova, 0x456789abcdec);
	assert_int_equal(b->last.bytes, 4);
	assert_memory_equal(b->last.head, "\xef\xbe\0\0", 4);	/* vector 7 folds to 0 */
}

static void pasids_need_permission(void **state)
{
	struct bus *b = *state;
	uint32_t x = 0;

	set_cfg(b, PCI_COMMAND, MASTER, 2);
	assert_int_equal(uiommu_sim_pci_dma(b->dev, 5, MEM_IOVA, &x, 4, true), -UIOMMU_EACCES);
	set_cfg(b, 0x106, 0xffff, 2);
	assert_int_equal(cfg(b, 0x106, 2), 1);
	assert_int_equal(uiommu_sim_pci_dma(b->dev, 5, MEM_IOVA, &x, 4, true), 0);
	assert_int_equal(b->last.pasid, 5);
	assert_int_equal(uiommu_sim_pci_dma(b->dev, 0xfffff, MEM_IOVA, &x, 4, true), 0);
	assert_int_equal(uiommu_sim_pci_dma(b->dev, 0x100000, MEM_IOVA, &x, 4, true),
			 -UIOMMU_EACCES);
	set_cfg(b, PCI_COMMAND, 0, 2);
	assert_int_equal(uiommu_sim_pci_dma(b->dev, NO_PASID, MEM_IOVA, &x, 4, true),
			 -UIOMMU_EACCES);
}

static void flr_by_config_write(void **state)
{
	struct bus *b = *state;
	uint32_t untouched = cfg(b, 0x100, 4);

	set_cfg(b, PCI_COMMAND, MASTER | MEMORY, 2);
	set_cfg(b, 0x10, 0xc0100000, 4);
	set_cfg(b, 0x106, 1, 2);
	wr(b, 0x04, 0x1234);
	wr(b, 0x98, 1);			/* a DMA that must not come any more */
	set_cfg(b, 0x68, 0x8000, 2);
	assert_int_equal(cfg(b, 0x68, 2), 0);	/* reads as 0 always */
	run(b);
	assert_int_equal(b->dmas, 0);
	assert_int_equal(cfg(b, PCI_COMMAND, 2), 0);
	assert_int_equal(cfg(b, 0x10, 4), 0);
	assert_int_equal(cfg(b, 0x106, 2), 0);
	assert_int_equal(cfg(b, 0x100, 4), untouched);
	set_cfg(b, PCI_COMMAND, MEMORY, 2);
	assert_int_equal(rd(b, 0x04), 0xffffffff);
	/* by the upper byte alone, and not by the lower */
	wr(b, 0x04, 0x1234);
	set_cfg(b, 0x68, 0x80, 1);
	run(b);
	assert_int_equal(rd(b, 0x04), (uint32_t)~0x1234);
	set_cfg(b, 0x69, 0x80, 1);
	run(b);
	assert_int_equal(cfg(b, PCI_COMMAND, 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(header_says_edu, setup, teardown),
		cmocka_unit_test_setup_teardown(read_only_bits_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(odd_accesses_do_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(bar_sizing, setup, teardown),
		cmocka_unit_test_setup_teardown(building_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(capability_lists, setup, teardown),
		cmocka_unit_test_setup_teardown(msi_goes_where_config_space_says, setup, teardown),
		cmocka_unit_test_setup_teardown(pasids_need_permission, setup, teardown),
		cmocka_unit_test_setup_teardown(flr_by_config_write, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
