/* SPDX-License-Identifier: MIT */
/* What a machine file may say, and the sentence for each mistake in it. */
#include "dts.h"
#include "machine/desc.h"

static uint8_t dtb[DTB_MAX];
static struct desc d;
static char err[512];

static int read_changed(const char *find, const char *put)
{
	size_t n = dts_compile(find, put, dtb);

	if (!n)
		fail_msg("dtc does not take: %s", put);
	err[0] = '\0';
	return uiommu_desc_from_dtb(dtb, n, &d, err, sizeof(err));
}

static void the_built_in_machine(void **state)
{
	assert_int_equal(read_changed(NULL, NULL), 0);
	assert_string_equal(err, "");
	assert_int_equal(d.num_smmus, 1);
	assert_int_equal(d.num_its, 1);
	assert_int_equal(d.num_functions, 2);
	assert_string_equal(d.smmus[0].name, "iommu@2b400000");
	assert_int_equal(d.smmus[0].pa, 0x2b400000);
	assert_true(d.smmus[0].has_irqs && d.smmus[0].sim.coherent);
	assert_int_equal(d.smmus[0].irq_evtq, 32 + 74);
	assert_int_equal(d.smmus[0].irq_gerror, 32 + 77);
	assert_int_equal(d.smmus[0].sim.sidsize, 10);
	assert_int_equal(d.smmus[0].sim.ssidsize, 20);
	assert_int_equal(d.its[0].pa, 0x2c020000);
	assert_string_equal(d.functions[0].name, "0000:01:00.0");
	assert_string_equal(d.functions[1].name, "0000:02:00.0");
	assert_int_equal(d.functions[0].rid, 0x100);
	assert_int_equal(d.functions[0].sid, 0x40);
	assert_int_equal(d.functions[1].sid, 0x140);
	assert_int_equal(d.functions[0].device_id, 0x8100);
	assert_int_equal(d.functions[0].edu.pasid_bits, 20);
	assert_int_equal(d.functions[0].group, -1);
}

static void properties_of_ours(void **state)
{
	assert_int_equal(read_changed("uiommu,sidsize = <10>;",
		"uiommu,sidsize = <16>; uiommu,asid-bits = <8>; uiommu,oas = <44>;"
		"uiommu,cmdq-max-lg2 = <3>; uiommu,evtq-max-lg2 = <4>;"
		"uiommu,tlb-entries-lg2 = <5>; uiommu,no-range-invalidation;"), 0);
	assert_int_equal(d.smmus[0].sim.sidsize, 16);
	assert_false(d.smmus[0].sim.asid16);
	assert_int_equal(d.smmus[0].sim.oas_lg2, 44);
	assert_int_equal(d.smmus[0].sim.cmdq_max_lg2, 3);
	assert_int_equal(d.smmus[0].sim.evtq_max_lg2, 4);
	assert_int_equal(d.smmus[0].sim.tlb_entries_lg2, 5);
	assert_false(d.smmus[0].sim.range_inv);
	assert_int_equal(read_changed("uiommu,pasid-bits = <20>;",
		"uiommu,pasid-bits = <6>; uiommu,queues = <1>; uiommu,group = <7>;"), 0);
	assert_int_equal(d.functions[0].edu.pasid_bits, 6);
	assert_int_equal(d.functions[0].edu.queues, 1);
	assert_int_equal(d.functions[0].group, 7);
	assert_int_equal(read_changed("uiommu,pasid-bits = <20>;", "uiommu,plain-edu;"), 0);
	assert_true(d.functions[0].edu.plain);
	assert_int_equal(d.functions[0].edu.pasid_bits, 0);
}

static void polled_without_interrupts(void **state)
{
	assert_int_equal(read_changed("interrupts = <0 74 1>, <0 75 1>, <0 76 1>, <0 77 1>;", ""),
			 0);
	assert_false(d.smmus[0].has_irqs);
	assert_int_equal(read_changed("dma-coherent;\n\t\t#iommu-cells", "#iommu-cells"), 0);
	assert_false(d.smmus[0].sim.coherent);
}

static void disabled_nodes_are_not_there(void **state)
{
	assert_int_equal(read_changed("uiommu,pasid-bits = <20>;", "status = \"disabled\";"), 0);
	assert_int_equal(d.num_functions, 1);
	assert_string_equal(d.functions[0].name, "0000:02:00.0");
	/* a bridge takes what is below it along */
	assert_int_equal(read_changed("bus-range = <0x01 0x01>;", "status = \"disabled\";"), 0);
	assert_int_equal(d.num_functions, 1);
}

static void functions_right_below_the_host(void **state)
{
	assert_int_equal(read_changed("/* root port to bus 1 */",
		"edu@3,1 { compatible = \"pci1234,11e8\"; reg = <0x00011900 0 0 0 0>; };"), 0);
	assert_int_equal(d.num_functions, 3);
	assert_string_equal(d.functions[1].name, "0000:01:03.1");	/* in order of RIDs */
	assert_int_equal(d.functions[1].sid, 0x40 + 0x19);
}

static void masks(void **state)
{
	/* every function of a bus becomes RID bus:00.0 */
	assert_int_equal(read_changed("iommu-map = <", "iommu-map-mask = <0xff00>; iommu-map = <"),
			 0);
	assert_int_equal(d.functions[1].sid, 0x140);
	assert_int_equal(
		read_changed("msi-map = <0x0100 &its 0x8100 0x200>;", "msi-parent = <&its>;"), 0);
	assert_int_equal(d.functions[1].device_id, 0x200);
	assert_int_equal(read_changed("msi-map = <0x0100 &its 0x8100 0x200>;", ""), 0);
	assert_int_equal(d.functions[1].its, -1);
}

static void another_smmu_and_segment(void **state)
{
	assert_int_equal(read_changed("pcie@30000000 {",
		"smmu2: iommu@2b500000 {"
		"	compatible = \"arm,smmu-v3\"; reg = <0 0x2b500000 0 0x20000>;"
		"	#iommu-cells = <1>; uiommu,sidsize = <8>; dma-coherent;"
		"};"
		"pcie@20000000 {"
		"	compatible = \"pci-host-ecam-generic\"; device_type = \"pci\";"
		"	reg = <0 0x20000000 0 0x1000000>; linux,pci-domain = <9>;"
		"	#address-cells = <3>; #size-cells = <2>;"
		"	iommu-map = <0 &smmu2 0 0x10>, <0x10 &smmu 0x3c0 0x10>;"
		"	edu@1,0 { compatible = \"pci1234,11e8\"; reg = <0x800 0 0 0 0>; };"
		"	edu@2,0 { compatible = \"pci1234,11e8\"; reg = <0x1000 0 0 0 0>; };"
		"};"
		"pcie@30000000 { linux,pci-domain = <0>;"), 0);
	assert_int_equal(d.num_smmus, 2);
	assert_int_equal(d.num_functions, 4);
	assert_string_equal(d.functions[2].name, "0009:00:01.0");
	assert_string_equal(d.smmus[d.functions[2].smmu].name, "iommu@2b500000");
	assert_string_equal(d.smmus[d.functions[3].smmu].name, "iommu@2b400000");
	assert_int_equal(d.functions[3].sid, 0x3c0);
}

/* A hole, memory that firmware still uses, and ranges of somebody else. */
#define REGIONS \
	"reserved-memory { #address-cells = <2>; #size-cells = <2>; ranges;" \
	"	hole: hole { iommu-addresses = <&e1 0 0 0x10000000 0 0x3000>," \
	"		<&smmu 0 0x5000 0 0x1000>, <&e1 0 0x1 0x0 0x1 0x0>; };" \
	"	fw: fw@88000000 { reg = <0 0x88000000 0 0x4000>;" \
	"		iommu-addresses = <&e1 0 0 0x88000000 0 0x4000>," \
	"			<&e1 0 0 0x40000000 0 0x4000>; };" \
	"	plain: plain@80000000 { reg = <0 0x80000000 0 0x1000>; }; };"
#define EDU(regions) \
	"pcie@30000000 { pci@1,0 { e1: edu@0,0 { memory-region = " regions "; }; }; };"

static void reserved_memory(void **state)
{
	const struct desc_function *f = d.functions;
	static const struct uiommu_dev_resv want[] = {
		{ 0x10000000, 0x10002fff, UIOMMU_RESV_RESERVED, 0 },
		{ 0x100000000, 0x1ffffffff, UIOMMU_RESV_RESERVED, 0 },
		{ 0x88000000, 0x88003fff, UIOMMU_RESV_DIRECT, 3 },
		{ 0x40000000, 0x40003fff, UIOMMU_RESV_RESERVED, 0 },
	};

	assert_int_equal(read_changed(NULL, "/ {" REGIONS EDU("<&hole &plain &fw>") "};"), 0);
	assert_int_equal(f[0].num_resv, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(f[0].resv[i].start, want[i].start);
		assert_int_equal(f[0].resv[i].last, want[i].last);
		assert_int_equal(f[0].resv[i].type, want[i].type);
		assert_int_equal(f[0].resv[i].prot, want[i].prot);
	}
	assert_int_equal(f[1].num_resv, 0);
}

/* Every function becomes RID 00:00.0: one to the SMMU, and a group. */
#define ONE_STREAM "/ { pcie@30000000 { iommu-map-mask = <0xff>;" \
	"	iommu-map = <0 &smmu 0x40 0x200>; "
#define AND_AT(bus, props) "pci@" bus ",0 { edu@0,0 { " props " }; };"
#define END "}; };"

static void one_stream_of_two_functions(void **state)
{
	const struct desc_function *f = d.functions;

	assert_int_equal(read_changed(NULL, ONE_STREAM END), 0);
	assert_int_equal(f[0].sid, 0x40);
	assert_int_equal(f[1].sid, 0x40);
	assert_true(f[0].shared && f[1].shared);
	assert_int_equal(f[0].group, 2);
	assert_int_equal(f[1].group, 2);
	assert_int_equal(read_changed(NULL, ONE_STREAM AND_AT("2", "uiommu,group = <9>;") END), 0);
	assert_int_equal(f[0].group, 9);
	assert_int_equal(f[1].group, 9);
	assert_int_equal(read_changed(NULL, NULL), 0);
	assert_false(f[0].shared);
}

static void mistakes_with_one_stream(void **state)
{
	static const struct {
		const char *change, *sentence;
	} rows[] = {
		{ ONE_STREAM AND_AT("2", "uiommu,pasid-bits = <3>;") END,
		  "pci@2,0/edu@0,0: iommu-map gives it StreamID 0x40 of iommu@2b400000, which "
		  "0000:01:00.0 has: they have one PASID table" },
		{ ONE_STREAM AND_AT("1", "uiommu,ats;") END, "and no ATS" },
		{ ONE_STREAM AND_AT("1", "uiommu,group = <4>;") AND_AT("2", "uiommu,group = <5>;")
		  END, "edu@0,0: property uiommu,group: 0000:01:00.0 has StreamID 0x40" },
		{ "/ { pcie@30000000 { iommu-map-mask = <0xff>;"
		  "iommu-map = <0 &smmu 0x40 0x200>; pci@1,0 { edu@0,0 { uiommu,group = <4>; };"
		  "edu@1,0 { compatible = \"pci1234,11e8\"; reg = <0x10800 0 0 0 0>;"
		  "uiommu,group = <4>; }; }; }; };",
		  "/edu@1,0: property uiommu,group: those of group 4 have one StreamID" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(read_changed(NULL, rows[i].change), -UIOMMU_EINVAL);
		if (!strstr(err, rows[i].sentence))
			fail_msg("\"%s\", not \"%s\"", err, rows[i].sentence);
	}
}

static void mistakes_in_reserved_memory(void **state)
{
	static const struct {
		const char *regions, *sentence;
	} rows[] = {
		{ "/ { pcie@30000000 { pci@1,0 { edu@0,0 { memory-region = <0x777>; }; }; }; };",
		  "edu@0,0: property memory-region: there is no phandle 0x777" },
		{ "/ { r: r { iommu-addresses = <0x777 0 0 0 0 1>; };" EDU("<&r>") "};",
		  "/r: property iommu-addresses: there is no phandle 0x777" },
		{ "/ { r: r { iommu-addresses = <&e1 0 0 0 0>; };" EDU("<&r>") "};",
		  "/r: property iommu-addresses has 5 cells" },
		{ "/ { r: r { iommu-addresses = <&e1 0 0 0 0 0>; };" EDU("<&r>") "};",
		  "/r: property iommu-addresses: 0x0 bytes from 0x0 are none" },
		{ "/ { r: r { iommu-addresses = <&e1 0 0xffffffff 0xfffff000 0 0x1001>; };"
		  EDU("<&r>") "};", "are none, or beyond 64 bits" },
		{ "/ { r: r { reg = <0 0x88000800 0 0x1000>;"
		  "iommu-addresses = <&e1 0 0 0x88000800 0 0x1000>; };" EDU("<&r>") "};",
		  "/r: property reg is not whole pages" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(read_changed(NULL, rows[i].regions), -UIOMMU_EINVAL);
		if (!strstr(err, rows[i].sentence))
			fail_msg("\"%s\", not \"%s\"", err, rows[i].sentence);
	}
}

/* The SMMU has queues for VMs, in a node of their own. */
#define CMDQV(props)                                                                               \
	"/ { cmdqv: cmdqv@2c800000 { compatible = \"nvidia,tegra264-cmdqv\"; " props " };"         \
	"iommu@2b400000 { nvidia,cmdqv = <&cmdqv>; }; };"
#define CMDQV_REG "reg = <0 0x2c800000 0 0x830000>;"

static void queues_for_vms(void **state)
{
	const struct desc_smmu *s = &d.smmus[0];

	assert_int_equal(read_changed(NULL, NULL), 0);
	assert_false(s->cmdqv.there);
	assert_int_equal(s->sim.cmdqv.vcmdqs_lg2, 0);
	/* as Linux's devicetrees have it, of the size that hardware has */
	assert_int_equal(read_changed(NULL, CMDQV(CMDQV_REG "interrupts = <0 80 1>;")), 0);
	assert_true(s->cmdqv.there && s->cmdqv.has_irq);
	assert_int_equal(s->cmdqv.pa, 0x2c800000);
	assert_int_equal(s->cmdqv.bytes, 0x830000);
	assert_int_equal(s->cmdqv.irq, 32 + 80);
	assert_int_equal(s->sim.cmdqv.vintfs_lg2, 6);
	assert_int_equal(s->sim.cmdqv.vcmdqs_lg2, 7);
	assert_int_equal(s->sim.cmdqv.sids_lg2, 4);
	assert_int_equal(
		read_changed(NULL, CMDQV("reg = <0 0x2c800000 0 0x100000>;"
					 "uiommu,vintfs-lg2 = <2>; uiommu,vcmdqs-lg2 = <3>;"
					 "uiommu,sids-lg2 = <1>;")),
		0);
	assert_false(s->cmdqv.has_irq);
	assert_int_equal(s->cmdqv.bytes, 0xb0000);
	assert_int_equal(s->sim.cmdqv.vintfs_lg2, 2);
	assert_int_equal(s->sim.cmdqv.vcmdqs_lg2, 3);
	assert_int_equal(s->sim.cmdqv.sids_lg2, 1);
	assert_int_equal(read_changed(NULL, CMDQV("status = \"disabled\";")), 0);
	assert_false(s->cmdqv.there);
	assert_int_equal(s->sim.cmdqv.vcmdqs_lg2, 0);
}

static void mistakes_with_queues_for_vms(void **state)
{
	static const struct {
		const char *change, *sentence;
	} rows[] = {
		{ "/ { iommu@2b400000 { nvidia,cmdqv = <0x777>; }; };",
		  "/iommu@2b400000: property nvidia,cmdqv: phandle 0x777 is not that of an "
		  "nvidia,tegra264-cmdqv node" },
		{ "/ { iommu@2b400000 { nvidia,cmdqv = <&its>; }; };",
		  "is not that of an nvidia,tegra264-cmdqv node" },
		{ "/ { iommu@2b400000 { nvidia,cmdqv = <&its 1>; }; };",
		  "/iommu@2b400000: property nvidia,cmdqv has 2 cells instead of 1" },
		{ CMDQV(""), "/cmdqv@2c800000: property reg is missing" },
		{ CMDQV("reg = <0 0x2c800000 0 0x82ffff>;"),
		  "/cmdqv@2c800000: property reg must be 0x830000 bytes, aligned to 64 KiB" },
		{ CMDQV("reg = <0 0x2c801000 0 0x830000>;"), "aligned to 64 KiB" },
		{ CMDQV("reg = <0 0x2c800000 0 0x50000>; uiommu,vintfs-lg2 = <1>;"),
		  "property reg must be 0x70000 bytes" },
		{ CMDQV("reg = <0 0x2b400000 0 0x830000>;"),
		  "/cmdqv@2c800000: property reg overlaps that of iommu@2b400000" },
		{ CMDQV("reg = <0 0x2bfe0000 0 0x830000>;"),
		  "msi-controller@2c020000: property reg overlaps that of cmdqv@2c800000" },
		{ CMDQV(CMDQV_REG "interrupts = <1 80 1>;"),
		  "/cmdqv@2c800000: property interrupts: entry 0 is not an SPI" },
		{ CMDQV(CMDQV_REG "interrupts = <0 80 1>, <0 81 1>;"),
		  "/cmdqv@2c800000: property interrupts has 6 cells instead of 3" },
		{ CMDQV(CMDQV_REG "interrupts = <0 80>;"), "property interrupts has 2 cells" },
		{ CMDQV(CMDQV_REG "interrupts = <0 77 1>;"),
		  "/cmdqv@2c800000: property interrupts shares an interrupt with iommu@2b400000" },
		{ CMDQV(CMDQV_REG "interrupts = <0 75 1>;"), "shares an interrupt with" },
		{ CMDQV(CMDQV_REG "uiommu,vintfs-lg2 = <7>;"),
		  "/cmdqv@2c800000: property uiommu,vintfs-lg2 is 7, not in 0..6" },
		{ CMDQV(CMDQV_REG "uiommu,vcmdqs-lg2 = <0>;"), "vcmdqs-lg2 is 0, not in 1..7" },
		{ CMDQV(CMDQV_REG "uiommu,sids-lg2 = <5>;"), "sids-lg2 is 5, not in 0..4" },
		{ CMDQV(CMDQV_REG "uiommu,vcmdqs-lg2 = <5>;"),
		  "property uiommu,vcmdqs-lg2: 2^5 queues are too few for 2^6 interfaces" },
		{ CMDQV(CMDQV_REG) "/ { iommu@2b500000 { compatible = \"arm,smmu-v3\";"
				   "reg = <0 0x2b500000 0 0x20000>; #iommu-cells = <1>; "
				   "nvidia,cmdqv = <&cmdqv>;"
				   "}; };",
		  "property nvidia,cmdqv: cmdqv@2c800000 is that of iommu@2b" },
		{ CMDQV(CMDQV_REG
			"interrupts = <0 80 1>;") "/ { iommu@2b500000 { compatible = "
						  "\"arm,smmu-v3\"; interrupts = <0 80 1>,"
						  "<0 81 1>; interrupt-names = \"eventq\", "
						  "\"gerror\"; #iommu-cells = <1>;"
						  "reg = <0 0x2b500000 0 0x20000>; }; };",
		  "shares an interrupt with iommu@2b" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (read_changed(NULL, rows[i].change) != -UIOMMU_EINVAL)
			fail_msg("not refused: %s", rows[i].change);
		if (!strstr(err, rows[i].sentence))
			fail_msg("\"%s\", not \"%s\"", err, rows[i].sentence);
	}
}

/* One mistake each; the sentence names the node and the property. */
static const struct mistake {
	const char *find, *put, *sentence;
} mistakes[] = {
	/* SMMU */
	{ "reg = <0x0 0x2b400000 0x0 0x20000>;", "", "/iommu@2b400000: property reg is missing" },
	{ "reg = <0x0 0x2b400000 0x0 0x20000>;", "reg = <0x0 0x2b400000 0x0>;",
	  "/iommu@2b400000: property reg has 3 cells" },
	{ "reg = <0x0 0x2b400000 0x0 0x20000>;", "reg = <0x0 0x2b400000 0x0 0x1000>;",
	  "/iommu@2b400000: property reg must be 0x20000 bytes" },
	{ "reg = <0x0 0x2b400000 0x0 0x20000>;", "reg = <0x0 0x2b401000 0x0 0x20000>;",
	  "/iommu@2b400000: property reg must be 0x20000 bytes, aligned to 64 KiB" },
	{ "reg = <0x0 0x2b400000 0x0 0x20000>;", "reg = <0xffffffff 0xffff0000 0x0 0x20000>;",
	  "/iommu@2b400000: property reg wraps around" },
	{ "reg = <0x0 0x2b400000 0x0 0x20000>;", "reg = [00 01 02];",
	  "/iommu@2b400000: property reg is 3 bytes long" },
	{ "reg = <0x0 0x2b400000 0x0 0x20000>;", "reg = <0x0 0x2c030000 0x0 0x20000>;",
	  "msi-controller@2c020000: property reg overlaps that of iommu@2b400000" },
	{ "#iommu-cells = <1>;", "#iommu-cells = <1>; uiommu,hostile-seed = <0>;",
	  "/iommu@2b400000: property uiommu,hostile-seed is 0" },
	{ "#iommu-cells = <1>;", "", "/iommu@2b400000: property #iommu-cells must be 1" },
	{ "#iommu-cells = <1>;", "#iommu-cells = <2>;", "property #iommu-cells must be 1" },
	{ "uiommu,sidsize = <10>;", "uiommu,sidsize = <33>;",
	  "/iommu@2b400000: property uiommu,sidsize is 33, not in 1..20" },
	{ "uiommu,sidsize = <10>;", "uiommu,sidsize = <1 2>;",
	  "property uiommu,sidsize has 2 cells instead of 1" },
	{ "uiommu,sidsize = <10>;", "uiommu,sidsize = <9>; uiommu,oas = <37>;",
	  "property uiommu,oas is 37, not" },
	{ "uiommu,sidsize = <10>;", "uiommu,asid-bits = <12>;",
	  "property uiommu,asid-bits is 12, not 8 or 16" },
	{ "uiommu,sidsize = <10>;", "uiommu,no-range-invalidation = <1>;",
	  "property uiommu,no-range-invalidation is a flag" },
	{ "<0 74 1>, <0 75 1>,", "<1 74 1>, <0 75 1>,",
	  "property interrupts: entry 0 is not an SPI" },
	{ "<0 74 1>, <0 75 1>,", "<0 2000 1>, <0 75 1>,", "entry 0 names SPI 2000" },
	{ "<0 76 1>, <0 77 1>;", "<0 76 1>;", "property interrupts has no entry for \"gerror\"" },
	{ "<0 76 1>, <0 77 1>;", "<0 76 1>, <0 77>;", "property interrupts has 11 cells" },
	{ "<0 76 1>, <0 77 1>;", "<0 76 1>, <0 74 1>;", "eventq and gerror are the same" },
	{ "\"eventq\", \"priq\"", "\"evq\", \"priq\"", "interrupt-names does not name \"eventq\"" },
	{ "interrupt-parent = <&gic>;", "", "no interrupt-parent leads to a controller" },
	{ "#interrupt-cells = <3>;", "#interrupt-cells = <2>;",
	  "property #interrupt-cells is 2, not 3" },
	{ "pcie@30000000 {",
	  "iommu@1 { compatible = \"arm,smmu-v3\"; reg = <0 0x10000 0 0x20000>;"
	  "#iommu-cells = <1>; interrupts = <0 74 1>, <0 90 1>;"
	  "interrupt-names = \"eventq\", \"gerror\"; }; pcie@30000000 {",
	  "shares an interrupt with iommu@" },
	/* MSI controller */
	{ "reg = <0x0 0x2c020000 0x0 0x20000>;", "",
	  "msi-controller@2c020000: property reg is missing" },
	{ "reg = <0x0 0x2c020000 0x0 0x20000>;", "reg = <0x0 0x2c020000 0x0 0x10000>;",
	  "msi-controller@2c020000: property reg must be 0x20000 bytes" },
	/* PCI host */
	{ "iommu-map = <0x0100 &smmu 0x40 0x200>;", "",
	  "/pcie@30000000: property iommu-map has no entry for RID 0x0100" },
	{ "iommu-map = <0x0100 &smmu 0x40 0x200>;", "iommu-map = <0x0100 &smmu 0x40 0x100>;",
	  "/pcie@30000000: property iommu-map has no entry for RID 0x0200" },
	{ "iommu-map = <0x0100 &smmu 0x40 0x200>;", "iommu-map = <0x0100 &smmu 0x40>;",
	  "/pcie@30000000: property iommu-map has 3 cells" },
	{ "iommu-map = <0x0100 &smmu 0x40 0x200>;", "iommu-map = <0x0100 &its 0x40 0x200>;",
	  "is not that of an enabled arm,smmu-v3 node" },
	{ "iommu-map = <0x0100 &smmu 0x40 0x200>;", "iommu-map = <0x0100 0x1234 0x40 0x200>;",
	  "/pcie@30000000: property iommu-map: phandle 0x1234 is not" },
	{ "iommu-map = <0x0100 &smmu 0x40 0x200>;",
	  "iommu-map = <0x0100 &smmu 0x40 0x200>, <0x2ff &smmu 0x300 1>;",
	  "/pcie@30000000: property iommu-map: entries 0 and 1 overlap" },
	{ "iommu-map = <0x0100 &smmu 0x40 0x200>;", "iommu-map = <0x0100 &smmu 0x40 0>;",
	  "property iommu-map: entry 0 covers 0x0 RIDs" },
	{ "iommu-map = <0x0100 &smmu 0x40 0x200>;", "iommu-map = <0x0100 &smmu 0x40 0xff01>;",
	  "property iommu-map: entry 0 covers 0xff01 RIDs from 0x100" },
	{ "iommu-map = <0x0100 &smmu 0x40 0x200>;", "iommu-map = <0x0100 &smmu 0x3f0 0x200>;",
	  "gives RID 0x0200 StreamID 0x4f0, but iommu@2b400000 has only 10 bits" },
	{ "iommu-map = <", "iommu-map-mask = <0x10000>; iommu-map = <",
	  "property iommu-map-mask is 65536, not in" },
	{ "msi-map = <0x0100 &its 0x8100 0x200>;", "msi-map = <0x0100 &smmu 0x8100 0x200>;",
	  "is not that of an enabled arm,gic-v3-its node" },
	{ "msi-map = <0x0100 &its 0x8100 0x200>;", "msi-parent = <0x999>;",
	  "property msi-parent: phandle 0x999 is not" },
	{ "msi-map = <0x0100 &its 0x8100 0x200>;", "msi-map = <0x100 &its 7 1>, <0x200 &its 7 1>;",
	  "msi-map gives it DeviceID 0x7 of msi-controller@2c020000, which 0000:01:00.0 has" },
	{ "bus-range = <0x00 0xff>;", "bus-range = <5 4>;",
	  "property bus-range must be two bus numbers" },
	{ "bus-range = <0x00 0xff>;", "bus-range = <0 1>;",
	  "names bus 0x02, outside bus-range of pcie@" },
	{ "pcie@30000000 {",
	  "pcie@1 { compatible = \"pci-host-ecam-generic\"; linux,pci-domain = <1>; };"
	  "pcie@30000000 {",
	  "PCI domain 1 (linux,pci-domain) is taken" },
	/* functions */
	{ "compatible = \"pci1234,11e8\";", "", "/edu@0,0: property compatible is missing" },
	{ "compatible = \"pci1234,11e8\";", "compatible = \"pci8086,0b25\";",
	  "/pcie@30000000/pci@1,0/edu@0,0: property compatible: \"pci8086,0b25\" is no device" },
	{ "reg = <0x00010000 0x0 0x0 0x0 0x0>;", "", "/pci@1,0/edu@0,0: property reg is missing" },
	{ "reg = <0x00010000 0x0 0x0 0x0 0x0>;", "reg = <0x00010000 0x0 0x0 0x0>;",
	  "/edu@0,0: property reg has 4 cells" },
	{ "reg = <0x00010000 0x0 0x0 0x0 0x0>;", "reg = <0x02010010 0x0 0x0 0x0 0x0>;",
	  "is not the address of a config space" },
	{ "reg = <0x00010000 0x0 0x0 0x0 0x0>;", "reg = <0x00020000 0x0 0x0 0x0 0x0>;",
	  "/edu@0,0: property reg gives it 0000:02:00.0, which edu@0,0 has already" },
	{ "uiommu,pasid-bits = <20>;", "uiommu,pasid-bits = <21>;",
	  "/edu@0,0: property uiommu,pasid-bits is 21, not in 0..20" },
	{ "uiommu,pasid-bits = <20>;", "uiommu,queues = <9>;",
	  "property uiommu,queues is 9, not in 1..8" },
	{ "uiommu,pasid-bits = <20>;", "uiommu,queues = <0>;", "property uiommu,queues is 0" },
	{ "uiommu,pasid-bits = <20>;", "uiommu,plain-edu; uiommu,pasid-bits = <1>;",
	  "/edu@0,0: property uiommu,pasid-bits: a plain edu" },
};

static void each_mistake_has_its_sentence(void **state)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		const struct mistake *m = &mistakes[i];

		if (read_changed(m->find, m->put) != -UIOMMU_EINVAL)
			fail_msg("not refused: %s", m->put[0] ? m->put : m->find);
		if (!strstr(err, m->sentence))
			fail_msg("for %s\n  wanted: %s\n  got:    %s", m->put, m->sentence, err);
		assert_null(strchr(err, '\n'));
	}
}

static void a_blob_cut_short(void **state)
{
	size_t n = dts_compile(NULL, NULL, dtb);

	for (size_t cut = 0; cut < n; cut++) {
		uint8_t *copy = malloc(cut + 1);	/* so that a sanitizer sees overruns */

		memcpy(copy, dtb, cut);
		assert_int_equal(uiommu_desc_from_dtb(copy, cut, &d, err, sizeof(err)),
				 -UIOMMU_EINVAL);
		assert_non_null(strstr(err, "damaged or cut short"));
		free(copy);
	}
}

/* Any byte may be wrong: a sentence or a machine, never anything else. */
static void a_blob_with_a_wrong_byte(void **state)
{
	size_t n = dts_compile(NULL, NULL, dtb);
	uint8_t *copy = malloc(n);
	unsigned refused = 0;

	for (size_t at = 0; at < n; at++)
		for (unsigned flip = 1; flip < 256; flip <<= 2) {
			memcpy(copy, dtb, n);
			copy[at] ^= (uint8_t)flip;
			err[0] = '\0';
			if (uiommu_desc_from_dtb(copy, n, &d, err, sizeof(err))) {
				refused++;
				assert_true(err[0]);
			}
		}
	assert_true(refused > 100);
	free(copy);
}

static void a_short_buffer_for_the_sentence(void **state)
{
	size_t n = dts_compile("#iommu-cells = <1>;", "", dtb);
	char small[8];

	assert_int_equal(uiommu_desc_from_dtb(dtb, n, &d, small, sizeof(small)), -UIOMMU_EINVAL);
	assert_true(memchr(small, 0, sizeof(small)) != NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_built_in_machine),
		cmocka_unit_test(properties_of_ours),
		cmocka_unit_test(polled_without_interrupts),
		cmocka_unit_test(disabled_nodes_are_not_there),
		cmocka_unit_test(functions_right_below_the_host),
		cmocka_unit_test(masks),
		cmocka_unit_test(another_smmu_and_segment),
		cmocka_unit_test(reserved_memory),
		cmocka_unit_test(mistakes_in_reserved_memory),
		cmocka_unit_test(one_stream_of_two_functions),
		cmocka_unit_test(mistakes_with_one_stream),
		cmocka_unit_test(queues_for_vms),
		cmocka_unit_test(mistakes_with_queues_for_vms),
		cmocka_unit_test(each_mistake_has_its_sentence),
		cmocka_unit_test(a_blob_cut_short),
		cmocka_unit_test(a_blob_with_a_wrong_byte),
		cmocka_unit_test(a_short_buffer_for_the_sentence),
	};

	if (argc < 2 || dts_load(argv[1])) {
		fprintf(stderr, "usage: %s machine/default.dts\n", argv[0]);
		return 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
