/* SPDX-License-Identifier: MIT */
/*
 * event.c - an event record in words: which fields hold something for this
 * event, what it means, and what to check, by what the record itself says
 */
#include <inttypes.h>
#include <string.h>

#include "decode.h"
#include "src/smmuv3/fields.h"

/* what a record has */
enum {
	SSID	= 1 << 0,	/* SubstreamID, where SSV is set */
	SSID_ALWAYS = 1 << 1,	/* SubstreamID, and no SSV */
	ACCESS	= 1 << 2,	/* RnW, InD, PnU */
	RNW	= 1 << 3,	/* RnW alone */
	ADDR	= 1 << 4,	/* InputAddr */
	PAGE	= 1 << 5,	/* InputAddr without its low 12 bits */
	WALK	= 1 << 6,	/* S2, CLASS */
	S2_BIT	= 1 << 7,	/* S2, no CLASS */
	IPA	= 1 << 8,	/* where S2 is set */
	STALL	= 1 << 9,	/* Stall, and STAG where it is set */
	FETCH	= 1 << 10,	/* FetchAddr */
	TTRNW	= 1 << 11,	/* where S2 is set and CLASS is TT */
	REASON	= 1 << 12,
};

/* what one record says: a cause is named where all of its facts hold */
enum {
	S1	= 1 << 0,
	S2	= 1 << 1,
	TT	= 1 << 2,	/* a stage 1 table was being read through stage 2 */
	CD	= 1 << 3,	/* a CD was */
	IN	= 1 << 4,
	WRITE	= 1 << 5,
	READ	= 1 << 6,
	EXEC	= 1 << 7,
	PRIV	= 1 << 8,
	UNPRIV	= 1 << 9,
	LOW	= 1 << 10,	/* IOVA below 64 KiB */
	BELOW4G	= 1 << 11,	/* where Linux's DMA API puts mappings */
	UPPER	= 1 << 12,	/* bits above 48: a kernel pointer, or junk */
	TAGGED	= 1 << 13,	/* with a PASID */
	PLAIN	= 1 << 14,	/* without */
	STALLED	= 1 << 15,
};

struct cause {
	unsigned when;
	const char *check, *rule;
};

struct kind {
	const char *name, *what, *means;
	unsigned has;
	const struct cause *causes;
};

/* what several events share */
#define RULE_TABLE_RAM "the SMMU reads its tables as physical addresses; whatever answers with " \
	"an abort there gives this event, and FetchAddr is the address it asked for"
#define STALE_STE { 0, "The entry was changed and the SMMU still uses the old one: no " \
	"CMD_CFGI_STE and CMD_SYNC after the change", "STEs may be cached in any state, invalid " \
	"ones too, until CMD_CFGI_* names them" }
#define STALE_TLB { IN, "The mapping was changed a moment ago and not invalidated (CMD_TLBI_* " \
	"and CMD_SYNC), or invalidated for another ASID or VMID", "translations stay cached " \
	"until an invalidation that names their ASID, VMID and address has been completed by " \
	"CMD_SYNC" }

static const struct cause c_uut[] = {
	{ 0, "A kind of access that this SMMU or its bus cannot translate: an atomic, a cache "
	  "operation, an address wider than the bus", "the reasons are the implementation's own: "
	  "its manual explains the field Reason" },
	{ 0 }
};

static const struct cause c_bad_streamid[] = {
	{ 0, "The operating system does not know this requester: iommu-map (or IORT) maps its RID "
	  "to another StreamID or not at all, or it was never probed. Compare with `uiommu show'",
	  "a StreamID must lie inside the table (below 2^STRTAB_BASE_CFG.LOG2SIZE), its level 1 "
	  "descriptor must have a Span other than 0, and the level 2 table must reach to it; "
	  "drivers make level 2 tables only for devices they know" },
	{ 0, "DMA under another requester ID than the function's own: a bridge that puts its own "
	  "on what it forwards, or a device with phantom functions (needs a DMA alias quirk)",
	  "the StreamID is made from the requester ID on the bus, whoever the DMA is for" },
	{ 0, "A device that the firmware left running (display, network boot) before its driver "
	  "came", "DMA does not wait for the operating system's driver" },
	{ 0 }
};

static const struct cause c_ste_fetch[] = {
	{ 0, "STRTAB_BASE, or the level 1 descriptor of this StreamID, points to memory that "
	  "cannot be read: freed, not RAM, or secure", RULE_TABLE_RAM },
	{ 0, "An uncorrectable memory error at FetchAddr: look for RAS or EDAC reports",
	  "a poisoned line answers with an abort, too" },
	{ 0 }
};

static const struct cause c_bad_ste[] = {
	{ 0, "The STE is not valid (V = 0): nothing was ever attached to this StreamID. The "
	  "usual reason is a RID mapped to a StreamID that is not the device's (iommu-map, IORT), "
	  "as for C_BAD_STREAMID", "an STE with V = 0 gives this event; one with V = 1 and "
	  "Config = 0b000 aborts silently" },
	STALE_STE,
	{ 0, "The STE asks for what this SMMU does not have: stage 2 (IDR0.S2P), more PASIDs than "
	  "IDR1.SSIDSIZE, stalling (STE.S1STALLD, IDR0.STALL_MODEL), ATS, or reserved values. "
	  "Give the 8 words of the STE to `uiommu decode'", "an ILLEGAL field makes the whole STE "
	  "invalid" },
	{ 0 }
};

static const struct cause c_bad_ats_treq[] = {
	{ 0, "ATS is on in the device and off in its STE (EATS = 0): the PCI ATS capability was "
	  "enabled before the STE was written, or left on after", "a translation request needs "
	  "STE.EATS other than 0, and translation to be enabled for the stream" },
	{ 0 }
};

static const struct cause c_stream_disabled[] = {
	{ 0, "The device sends DMA without a PASID (or with PASID 0) while its STE allows only "
	  "PASIDs: nothing is attached to the RID itself", "with STE.S1CDMax other than 0, S1DSS = "
	  "0b00 terminates DMA that has no PASID; S1DSS = 0b10 gives CD 0 to it, and then a PASID "
	  "of 0 is refused" },
	{ 0 }
};

static const struct cause c_transl_forbidden[] = {
	{ 0, "The device uses addresses it has got by ATS although its STE no longer allows that: "
	  "its ATC was not invalidated (CMD_ATC_INV) before ATS was taken away",
	  "Translated DMA needs STE.EATS other than 0 and CR0.SMMUEN" },
	{ 0, "A device, or its driver, that sets the Translated attribute without having asked: "
	  "broken, or hostile", "this check is what keeps a device from choosing physical "
	  "addresses" },
	{ 0 }
};

static const struct cause c_bad_substreamid[] = {
	{ 0, "Nothing is attached to this PASID, or no longer: the process ended or unbound while "
	  "the device still worked on its queue", "a level 1 CD descriptor with V = 0 gives this "
	  "event (a CD with V = 0 gives C_BAD_CD)" },
	{ 0, "The PASID is larger than the device's table: PASID >= 2^STE.S1CDMax",
	  "S1CDMax says how many CDs there are" },
	{ 0, "The STE has no PASIDs at all: S1CDMax is 0, or Config is bypass or stage 2 only",
	  "DMA with a PASID needs stage 1 and a table of CDs" },
	{ 0 }
};

static const struct cause c_cd_fetch[] = {
	{ 0, "STE.S1ContextPtr, or a level 1 CD descriptor, points to memory that cannot be read",
	  RULE_TABLE_RAM " (with nested translation it is the address after stage 2)" },
	{ 0 }
};

static const struct cause c_bad_cd[] = {
	{ TAGGED, "Nothing is attached to this PASID (CD.V = 0), or it was detached while the "
	  "device still used it", "a CD with V = 0 gives this event" },
	{ PLAIN, "CD 0 is not valid: nothing is attached to the RID, and its STE points to a table",
	  "DMA without PASID uses CD 0 where S1DSS = 0b10 or S1CDMax = 0" },
	{ 0, "The CD was written and the SMMU still uses the old one: no CMD_CFGI_CD (with this "
	  "StreamID and PASID) and CMD_SYNC after the change", "CDs may be cached in any state "
	  "until CMD_CFGI_* names them" },
	{ 0, "A value that this SMMU does not have: T0SZ or T1SZ, granule (IDR5.GRAN*), IPS, HA or "
	  "HD (IDR0.HTTU), S (IDR0.STALL_MODEL), AA64 = 0, or a TTB beyond IPS",
	  "an ILLEGAL field makes the whole CD invalid" },
	{ 0 }
};

static const struct cause c_walk_eabt[] = {
	{ 0, "A translation table lies where memory cannot be read: a table descriptor or TTB with "
	  "junk in it, or a table that was freed and its memory taken away", RULE_TABLE_RAM },
	{ 0, "The table was freed without invalidating the SMMU's copies of the descriptors that "
	  "led there (CMD_TLBI_* with Leaf = 0)", "table descriptors may be cached; Leaf = 1 "
	  "removes the last level only" },
	{ 0, "An uncorrectable memory error at FetchAddr", "a poisoned line answers with an "
		"abort" },
	{ 0 }
};

static const struct cause c_translation[] = {
	{ S2 | CD, "The guest's table of CDs lies at an IPA that stage 2 does not map: not RAM of "
	  "the guest, or its memory was unmapped", "with nested translation the SMMU reads CDs "
	  "through stage 2, and records the IPA of the descriptor" },
	{ S2 | TT, "A stage 1 table of the guest lies at an IPA that stage 2 does not map",
	  "with nested translation each stage 1 descriptor is read through stage 2, and IPA is "
	  "the descriptor's page" },
	{ S2 | IN, "The IPA is not mapped at stage 2: not memory of the guest, or the hypervisor "
	  "has unmapped it (ballooning, migration, a window not passed on, such as an MSI "
	  "doorbell)", "S2 = 1 says that stage 2 had no valid descriptor for IPA" },
	{ S1 | LOW, "The device was given no address: a ring, queue or buffer register that is "
	  "still 0, or a NULL pointer in a descriptor", "IOVA 0 and the pages after it are as a "
	  "rule never mapped" },
	{ S1 | UPPER, "The address is not one that a DMA API hands out: a CPU pointer was given to "
	  "the device, or a descriptor was overwritten", "bits above the input size (64 - T0SZ) "
	  "must all be 0, or all 1 for TTB1; anything else is not mapped" },
	{ S1 | BELOW4G, "DMA after dma_unmap: the address is of the kind that Linux's DMA API "
	  "hands out (below 4 GiB, from the top), so it was mapped once. The device still uses "
	  "a buffer that its driver has unmapped: freed too early, a reset that did not stop it, a "
	  "completion misread", "a DMA to an address whose descriptor is invalid is this event, "
	  "and unmapping makes it so" },
	{ S1 | IN, "The address was never mapped for this device: its driver passed a physical "
	  "address, mapped with the wrong struct device, or the DMA runs past the end of a mapping",
	  "each device sees only what was mapped in the domain it is attached to" },
	{ S1 | PLAIN | IN, "Firmware set the device up (display, boot disk, management controller) "
	  "and nobody told the kernel: reserved-memory with iommu-addresses, or RMR nodes in IORT",
	  "what firmware's devices use has to be mapped one to one before translation is enabled" },
	{ TAGGED, "The process behind this PASID has no memory there, and the fault could not be "
	  "served", "with SVA the table is the process's own" },
	STALE_TLB,
	{ 0 }
};

static const struct cause c_addr_size[] = {
	{ S1, "A descriptor or TTB has address bits beyond the output size: the table is "
	  "corrupted, or was made for another size (CD.IPS)", "an address above min(CD.IPS, "
	  "IDR5.OAS) in a descriptor of stage 1 gives this event" },
	{ S2, "A stage 2 descriptor has address bits beyond STE.S2PS, or stage 1 put out an IPA "
	  "beyond what stage 2 takes", "an output above the stage's output size gives this event" },
	{ S1, "The stream bypasses translation and the address is larger than the bus: the device "
	  "puts out more address bits than IDR5.OAS", "in bypass the input is the output, and "
	  "must fit" },
	{ 0 }
};

static const struct cause c_access[] = {
	{ 0, "The descriptor's access flag (AF) is 0. The table's owner counts on setting it from "
	  "a fault, or on hardware doing so; a driver's own table was written without it",
	  "AF = 0 faults unless CD.AFFD (S2AFFD) is 1, or CD.HA (S2HA) lets hardware set it" },
	{ 0, "Hardware update was expected and is off: CD.HA is 0, or IDR0.HTTU is",
	  "HA works where IDR0.HTTU is at least 1" },
	{ 0 }
};

static const struct cause c_permission[] = {
	{ S2 | TT, "Stage 2 does not let the SMMU read (or update) the guest's table there",
	  "tables are read with the stage 2 permission of their page; TTRnW says read or write. "
	  "S2PTW = 1 also refuses tables in device memory" },
	{ S2 | CD, "Stage 2 does not let the SMMU read the guest's CDs there",
	  "CDs are read through stage 2 in nested translation" },
	{ S2 | IN | WRITE, "The page is read-only at stage 2: not writable by the guest, or dirty "
	  "tracking is on", "S2AP[1] = 0 refuses writes" },
	{ S2 | IN | READ, "The page cannot be read at stage 2", "S2AP[0] = 0 refuses reads" },
	{ S1 | WRITE, "The buffer was mapped for reading by the device only (DMA_TO_DEVICE) and "
	  "the device writes to it: wrong direction in dma_map_*, or a descriptor that names the "
	  "wrong buffer", "AP[2] = 1 (or APTable[1] above it) refuses writes; with DBM and CD.HD "
	  "it may mean clean" },
	{ S1 | EXEC, "The device fetches instructions from a page that is not executable",
	  "UXN, PXN, CD.WXN and writable-by-unprivileged refuse instruction fetches; STE.INSTCFG "
	  "can turn them into data reads" },
	{ S1 | UNPRIV, "The page is for privileged accesses only and the device is not privileged",
	  "AP[1] = 0 (or APTable[0] above it) refuses unprivileged accesses; STE.PRIVCFG overrides "
	  "what the device sends" },
	{ S1 | PRIV, "A privileged access to a page of user space, with CD.PAN set: the PASID is "
	  "bound to a process and the device sends privileged DMA", "with CD.PAN = 1 pages with "
	  "AP[1] = 1 refuse privileged data accesses" },
	STALE_TLB,
	{ 0 }
};

static const struct cause c_tlb_conflict[] = {
	{ 0, "A block was replaced by a table, or a table by a block, while it was live and not "
	  "invalidated in between", "break before make: unless IDR3.BBML says otherwise, an entry "
	  "goes through invalid and an invalidation before its size changes" },
	{ 0, "Two sets of tables use the same ASID and VMID", "translations are told apart by ASID "
	  "and VMID only" },
	{ 0 }
};

static const struct cause c_cfg_conflict[] = {
	{ 0, "Entries of different ranges were cached for one StreamID (STE.CONT), or a table's "
	  "geometry was changed without CMD_CFGI_ALL", "STE.CONT promises that a run of STEs is "
	  "the same" },
	{ 0 }
};

static const struct cause c_page_request[] = {
	{ 0, "Nothing is wrong: a hint that this page would be needed", "speculative page requests "
	  "need no answer" },
	{ 0 }
};

static const struct cause c_vms_fetch[] = {
	{ 0, "STE.VMSPtr points to memory that cannot be read", RULE_TABLE_RAM },
	{ 0 }
};

#define WALKING (SSID | ACCESS | ADDR | WALK)
#define FAULT (WALKING | IPA | STALL)

static const struct kind kinds[] = {
	[EVT_F_UUT] = { "F_UUT", "an access that cannot be translated", "The SMMU does not support "
		"this kind of transaction, and aborted it.", SSID | ACCESS | ADDR | REASON, c_uut },
	[EVT_C_BAD_STREAMID] = { "C_BAD_STREAMID", "no stream table entry is reachable for it",
		"The SMMU has no STE for this StreamID and aborts its DMA. This record is "
		"written only where CR2.RECINVSID is 1.", SSID, c_bad_streamid },
	[EVT_F_STE_FETCH] = { "F_STE_FETCH", "the stream table cannot be read", "Reading the STE "
		"(or the level 1 descriptor before it) gave an external abort.",
		SSID | FETCH | REASON, c_ste_fetch },
	[EVT_C_BAD_STE] = { "C_BAD_STE", "the stream table entry is not valid", "The STE was read "
		"and is invalid or ILLEGAL; DMA is aborted.", SSID, c_bad_ste },
	[EVT_F_BAD_ATS_TREQ] = { "F_BAD_ATS_TREQ", "an ATS translation request that is not allowed",
		"The device asked for a translation by ATS, and its STE does not allow that.",
		SSID | PAGE, c_bad_ats_treq },
	[EVT_F_STREAM_DISABLED] = { "F_STREAM_DISABLED", "DMA without PASID is switched off",
		"The STE terminates DMA of this kind: without a PASID, or with PASID 0.", SSID,
		c_stream_disabled },
	[EVT_F_TRANSL_FORBIDDEN] = { "F_TRANSL_FORBIDDEN", "Translated DMA that is not allowed",
		"The device sent an address as already translated (ATS), and may not.",
		SSID | RNW | ADDR, c_transl_forbidden },
	[EVT_C_BAD_SUBSTREAMID] = { "C_BAD_SUBSTREAMID", "there is no CD for this PASID",
		"DMA carried a PASID that the stream has no context descriptor for.", SSID_ALWAYS,
		c_bad_substreamid },
	[EVT_F_CD_FETCH] = { "F_CD_FETCH", "the context descriptor cannot be read", "Reading "
		"the CD (or the level 1 descriptor before it) gave an external abort.",
		SSID | FETCH | REASON, c_cd_fetch },
	[EVT_C_BAD_CD] = { "C_BAD_CD", "the context descriptor is not valid", "The CD was read and "
		"is invalid or ILLEGAL; DMA is aborted.", SSID, c_bad_cd },
	[EVT_F_WALK_EABT] = { "F_WALK_EABT", "a translation table cannot be read", "Reading a "
		"descriptor of a translation table gave an external abort.",
		WALKING | FETCH | REASON, c_walk_eabt },
	[EVT_F_TRANSLATION] = { "F_TRANSLATION", "nothing is mapped at this address", "The table "
		"walk came to a descriptor that is not valid (or the address is outside the "
		"table's range).", FAULT, c_translation },
	[EVT_F_ADDR_SIZE] = { "F_ADDR_SIZE", "an address is too large", "An address, of a table or "
		"the output, has more bits than the stage may put out.", FAULT, c_addr_size },
	[EVT_F_ACCESS] = { "F_ACCESS", "the access flag is clear", "The page is mapped, but its "
		"descriptor has AF = 0.", FAULT, c_access },
	[EVT_F_PERMISSION] = { "F_PERMISSION", "the page does not permit this access", "The page "
		"is mapped, but not for an access of this kind.", FAULT | TTRNW, c_permission },
	[EVT_F_TLB_CONFLICT] = { "F_TLB_CONFLICT", "two translations for one address", "The TLB "
		"held more than one entry for the address.",
		SSID | ACCESS | ADDR | S2_BIT | IPA | REASON, c_tlb_conflict },
	[EVT_F_CFG_CONFLICT] = { "F_CFG_CONFLICT", "two configurations for one stream", "The "
		"configuration caches held more than one entry.", SSID | REASON, c_cfg_conflict },
	[EVT_E_PAGE_REQUEST] = { "E_PAGE_REQUEST", "a hint that a page will be needed", "The "
		"device will want this page soon.", SSID | PAGE, c_page_request },
	[EVT_F_VMS_FETCH] = { "F_VMS_FETCH", "the VM structure cannot be read", "Reading the VMS "
		"gave an external abort.", SSID | FETCH | REASON, c_vms_fetch },
};

static const struct kind *kind_of(unsigned code)
{
	if (code < sizeof(kinds) / sizeof(kinds[0]) && kinds[code].name)
		return &kinds[code];
	return NULL;
}

bool event_known(unsigned code)
{
	return kind_of(code);
}

int event_code(const char *name)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].name && !strcmp(kinds[i].name, name))
			return (int)i;
	return -1;
}

/* ---- fields ---- */

static void put_streamid(struct report_item *it, const struct decode_options *o, uint32_t sid,
			 const char *client)
{
	char buf[256] = "";

	if (o->name_sid)
		o->name_sid(o->name_ctx, sid, buf, sizeof(buf));
	if (client)
		report_value(it, "StreamID", sid, "%s, says the log%s%s", client,
			     *buf ? "; " : "", buf);
	else if (*buf)
		report_value(it, "StreamID", sid, "%s", buf);
	else if (sid <= 0xffff)
		report_value(it, "StreamID", sid, "%02x:%02x.%x if StreamID = RID", sid >> 8,
			     sid >> 3 & 0x1f, sid & 7);
	else
		report_value(it, "StreamID", sid, "more than 16 bits: not a bare RID (give "
			     "--machine or --iort to name the device)");
}

static unsigned put_pasid(struct report_item *it, unsigned has, const uint64_t *w)
{
	uint64_t ssid = FGET(EVT_SubstreamID, w[0]);

	if (has & SSID_ALWAYS || (has & SSID && FGET(EVT_SSV, w[0]))) {
		report_value(it, "PASID", ssid, NULL);
		return TAGGED;
	}
	return has & SSID ? PLAIN : 0;
}

static unsigned put_access(struct report_item *it, unsigned has, uint64_t w1)
{
	bool read = FGET(EVT_F_TRANSLATION_RnW, w1);
	bool inst = FGET(EVT_F_TRANSLATION_InD, w1);
	bool priv = FGET(EVT_F_TRANSLATION_PnU, w1);

	if (has & RNW)
		report_text(it, "access", "%s", read ? "read" : "write");
	if (!(has & ACCESS))
		return 0;
	report_text(it, "access", "%sprivileged %s%s", priv ? "" : "un", read ? "read" : "write",
		    inst ? " of instructions (execute)" : "");
	return (priv ? PRIV : UNPRIV) | (read ? (inst ? EXEC : READ) : WRITE);
}

static const struct {
	const char *text;
	unsigned fact;
} classes[4] = {
	[EVT_CLASS_CD] = { "CD: while a context descriptor was read", CD },
	[EVT_CLASS_TT] = { "TT: while a translation table was read", TT },
	[EVT_CLASS_IN] = { "IN: the address that the device used", IN },
	{ "reserved", 0 },
};

static unsigned put_stage(struct report_item *it, unsigned has, uint64_t w1)
{
	unsigned s2 = (unsigned)FGET(EVT_F_TRANSLATION_S2, w1);
	unsigned class = (unsigned)FGET(EVT_F_TRANSLATION_CLASS, w1);

	if (has & (WALK | S2_BIT))
		report_text(it, "stage", "%u", 1 + s2);
	if (has & WALK)
		report_value(it, "class", class, "%s", classes[class].text);
	return (has & (WALK | S2_BIT) ? s2 ? S2 : S1 : 0) | (has & WALK ? classes[class].fact : 0);
}

static unsigned put_iova(struct report_item *it, unsigned has, uint64_t w2)
{
	uint64_t iova = has & PAGE ? w2 & FMASK(EVT_F_BAD_ATS_TREQ_InputAddr) : w2;

	if (!(has & (ADDR | PAGE)))
		return 0;
	report_value(it, "IOVA", iova, has & PAGE ? "the page" : NULL);
	return iova < 0x10000 ? LOW : iova >> 48 ? UPPER :
	       iova >= 0xe0000000 && iova <= 0xffffffff ? BELOW4G : 0;
}

/* What depends on other fields of the record. */
static void put_dependent(struct report_item *it, unsigned has, unsigned facts, const uint64_t *w)
{
	if (has & IPA && facts & S2)
		report_value(it, "IPA", w[3] & FMASK(EVT_F_TRANSLATION_IPA), "the page: its low "
			     "12 bits are not recorded");
	if (has & FETCH)
		report_value(it, "FetchAddr", w[3] & FMASK(EVT_F_WALK_EABT_FetchAddr),
			     "what could not be read");
	if (has & TTRNW && facts & S2 && facts & TT)
		report_text(it, "TTRnW", "the table was %s",
			    FGET(EVT_F_PERMISSION_TTRnW, w[1]) ? "read" : "updated (written)");
	if (has & REASON && FGET(EVT_F_UUT_Reason, w[1]))
		report_value(it, "Reason", FGET(EVT_F_UUT_Reason, w[1]),
			     "the implementation's own code");
}

static unsigned put_stall(struct report_item *it, unsigned has, uint64_t w1)
{
	if (!(has & STALL))
		return 0;
	if (!FGET(EVT_F_TRANSLATION_Stall, w1)) {
		report_text(it, "stalled", "no");
		return 0;
	}
	report_value(it, "stalled", FGET(EVT_F_TRANSLATION_STAG, w1),
		     "STALLED with tag 0x%" PRIx64 ": the DMA waits for a CMD_RESUME with this "
		     "StreamID and tag", FGET(EVT_F_TRANSLATION_STAG, w1));
	return STALLED;
}

static void put_causes(struct report_item *it, const struct kind *k, unsigned facts)
{
	for (const struct cause *c = k->causes; c->check; c++)
		if ((c->when & facts) == c->when)
			report_cause(it, c->check, c->rule);
}

/* A cut record: how many of its words are needed for what it would have. */
static void cut_short(struct report_item *it, const struct found *f, const struct kind *k)
{
	static const struct {
		unsigned need, has;
		const char *fields;
	} lost[] = {
		{ 2, ACCESS | RNW, "kind of access" },
		{ 2, WALK | S2_BIT, "stage" },
		{ 2, STALL, "stall" },
		{ 3, ADDR | PAGE, "IOVA" },
		{ 4, IPA, "IPA" },
		{ 4, FETCH, "FetchAddr" },
	};
	unsigned has = k ? k->has : 0;
	char buf[128] = "";
	size_t at = 0;

	it->cut = true;
	if (f->n > 1 && !FGET(EVT_F_TRANSLATION_S2, f->w[1]))
		has &= ~(unsigned)IPA;
	for (unsigned i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
		if (f->n < lost[i].need && has & lost[i].has && at < sizeof(buf))
			at += (size_t)snprintf(buf + at, sizeof(buf) - at, "%s%s",
					       at ? ", " : "", lost[i].fields);
	report_note(it, "This is a truncated record: %u of its 4 words %s here.%s%s%s", f->n,
		    f->n == 1 ? "is" : "are", at ? " Missing with the rest: " :
		    " The rest would add nothing", at ? buf : "", ".");
}

static unsigned has_now(const struct kind *k, unsigned words)
{
	unsigned has = k->has;

	if (words < 2)
		has &= SSID | SSID_ALWAYS;
	if (words < 3)
		has &= ~(unsigned)(ADDR | PAGE);
	if (words < 4)
		has &= ~(unsigned)(IPA | FETCH);
	return has;
}

static void event_fields(struct report_item *it, const struct decode_options *o,
			 const struct found *f, const struct kind *k)
{
	unsigned has = has_now(k, f->n), facts;
	uint64_t w[EVT_WORDS] = { 0 };

	memcpy(w, f->w, (f->n < EVT_WORDS ? f->n : EVT_WORDS) * sizeof(*w));
	put_streamid(it, o, (uint32_t)FGET(EVT_StreamID, w[0]), f->client);
	facts = put_pasid(it, has, w);
	facts |= put_access(it, has, w[1]);
	facts |= put_stage(it, has, w[1]);
	facts |= put_iova(it, has, w[2]);
	put_dependent(it, has, facts, w);
	facts |= put_stall(it, has, w[1]);
	if (f->n < 2)		/* what is not known may be */
		facts |= S1 | S2 | TT | CD | IN | WRITE | READ | EXEC | PRIV | UNPRIV;
	put_causes(it, k, facts);
}

static void unknown_event(struct report_item *it, const struct decode_options *o,
			  const struct found *f, unsigned code)
{
	bool impdef = code >= 0xe0 && code <= 0xef;

	it->name = impdef ? report_str(it->report, "IMPDEF_EVENT%u", code - 0xe0)
			  : report_str(it->report, "event 0x%02x", code);
	it->what = impdef ? "an event of this implementation's own" : "not an event known here";
	it->means = impdef ? "The architecture leaves the meaning of events 0xe0 to 0xef to the "
		"implementation: its manual knows." : "This number is reserved, or newer than this "
		"program. Only the StreamID's place is the same in every record.";
	if (f->n)
		put_streamid(it, o, (uint32_t)FGET(EVT_StreamID, f->w[0]), f->client);
}

void explain_event(struct report *r, const struct decode_options *o, const struct found *f)
{
	unsigned code = f->n ? (unsigned)FGET(EVT_Number, f->w[0]) : f->code;
	const struct kind *k = kind_of(code);
	struct report_item *it = report_add(r, "event", f->line, f->smmu);

	report_raw(it, f->w, f->from_text ? 0 : f->n);
	report_value(it, "event", code, NULL);
	if (!k) {
		unknown_event(it, o, f, code);
	} else {
		it->name = k->name;
		it->what = k->what;
		it->means = k->means;
		if (f->n)
			event_fields(it, o, f, k);
		else
			put_causes(it, k, ~0u);
	}
	if (f->has_code && f->n && f->code != code)
		report_note(it, "The text says event 0x%02x, the record itself 0x%02x.", f->code,
			    code);
	if (f->from_text)
		report_note(it, "Put together from the driver's own words: the record itself is "
			    "not here.");
	else if (f->n < EVT_WORDS)
		cut_short(it, f, k);
	if (f->short_digits)
		report_note(it, "Word %u has only %u digits, cut in the text; it was left out.",
			    f->n + 1, f->short_digits);
}
