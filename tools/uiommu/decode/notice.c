/* SPDX-License-Identifier: MIT */
/* notice.c - what drivers say in words: global errors, queue errors, overflows */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "decode.h"
#include "src/smmuv3/fields.h"

/* what stands behind the phrase */
enum { NOTHING, GERROR_BITS, CMDQ_CONS, TIMEOUT, COMMAND };

struct notice {
	const char *phrase, *name, *what, *means;
	unsigned data;
	struct report_cause causes[3];
};

static const struct notice notices[] = {
	{ "unexpected global error reported (", "GERROR", "a global error of the SMMU itself",
	  "The bits that differ between GERROR and GERRORN are active errors; each is explained.",
	  GERROR_BITS, { { 0 } } },
	{ "CMDQ error (cons ", "CMDQ error", "the SMMU stopped at a command",
	  "CMDQ_CONS.ERR says why, CMDQ_CONS.RD at which command. The queue stands still until "
	  "GERRORN.CMDQ_ERR is written.", CMDQ_CONS, { { 0 } } },
	{ "skipping command in error state", "command in error", "the driver replaces the command "
	  "that the SMMU refused, and shows it", NULL, COMMAND, { { 0 } } },
	{ "CMD_SYNC timeout", "CMD_SYNC timeout", "a CMD_SYNC was not completed in time",
	  "The SMMU did not work off its command queue. hwprod and hwcons are CMDQ_PROD and "
	  "CMDQ_CONS.", TIMEOUT, {
		{ "The queue stopped at an error: look for a CMDQ error or GERROR line before this",
		  "after CMDQ_ERR no command is consumed until the error is acknowledged" },
		{ "A device does not answer CMD_ATC_INV: it was powered down, removed or hung",
		  "CMD_SYNC waits for the ATC invalidations before it" },
		{ "The SMMU has lost power or clock, or its registers are not reachable",
		  "CONS does not move when nothing consumes" } } },
	{ "EVTQ overflow detected", "event queue overflow", "event records were lost",
	  "More faults than the driver could read. What follows in the log is only part.", NOTHING,
	  { { "One device faults in a loop: look at the first event before this, not at the last",
	      "a full queue drops records and flips EVENTQ_PROD.OVFLG" } } },
	{ "PRIQ overflow detected", "page request queue overflow", "page requests were lost",
	  "Devices get a failure for those, and stop or ask again.", NOTHING,
	  { { "More requests in flight than the queue holds: limit them in the devices",
	      "the PRI capability's Outstanding Page Request Allocation sums up over devices" } } },
	{ "device has entered Service Failure Mode", "Service Failure Mode", "the SMMU has stopped "
	  "translating", "An internal failure: transactions are aborted until the SMMU is reset.",
	  NOTHING, { { "Hardware: RAS records of the SMMU, power and clock",
		       "SFM_ERR is set by hardware that cannot go on" } } },
	{ "EVTQ write aborted", "EVENTQ_ABT_ERR", "writing an event record gave an abort",
	  "The event queue's memory does not answer.", NOTHING,
	  { { "EVENTQ_BASE points to memory that is not there, or was given back",
	      "the SMMU writes records to physical addresses" } } },
	{ "PRIQ write aborted", "PRIQ_ABT_ERR", "writing a page request gave an abort",
	  "The page request queue's memory does not answer.", NOTHING,
	  { { "PRIQ_BASE points to memory that is not there, or was given back",
	      "the SMMU writes requests to physical addresses" } } },
	{ "CMDQ MSI write aborted", "MSI_CMDQ_ABT_ERR", "the MSI of a CMD_SYNC gave an abort",
	  "The interrupt was lost.", NOTHING,
	  { { "The MSI address in CMD_SYNC is no doorbell", "an MSI is a write to memory" } } },
	{ "EVTQ MSI write aborted", "MSI_EVENTQ_ABT_ERR", "the event queue's MSI gave an abort",
	  "The interrupt was lost.", NOTHING,
	  { { "EVENTQ_IRQ_CFG0 is no doorbell", "an MSI is a write to memory" } } },
	{ "PRIQ MSI write aborted", "MSI_PRIQ_ABT_ERR", "the page request queue's MSI gave an "
	  "abort", "The interrupt was lost.", NOTHING,
	  { { "PRIQ_IRQ_CFG0 is no doorbell", "an MSI is a write to memory" } } },
	{ "GERROR MSI write aborted", "MSI_GERROR_ABT_ERR", "the MSI of global errors gave an "
		"abort",
	  "The interrupt was lost.", NOTHING,
	  { { "GERROR_IRQ_CFG0 is no doorbell", "an MSI is a write to memory" } } },
	{ "unexpected PRI request received", "page request", "a device asked for a page (PRI), and "
	  "nobody serves that", "The driver refuses: the device is told that the page is not to "
	  "be had.", NOTHING, { { "PRI was enabled in the device without a handler for its faults",
				  "each page request group needs one answer" } } },
};

static const struct {
	uint64_t mask;
	const char *name, *text;
} gerrors[] = {
	{ FCONST(GERROR_CMDQ_ERR, 1), "CMDQ_ERR", "the SMMU stopped at a command: see the CMDQ "
	  "error" },
	{ FCONST(GERROR_EVENTQ_ABT_ERR, 1), "EVENTQ_ABT_ERR", "an event record could not be "
	  "written: events are lost" },
	{ FCONST(GERROR_PRIQ_ABT_ERR, 1), "PRIQ_ABT_ERR", "a page request could not be written" },
	{ FCONST(GERROR_MSI_CMDQ_ABT_ERR, 1), "MSI_CMDQ_ABT_ERR", "the MSI of a CMD_SYNC aborted" },
	{ FCONST(GERROR_MSI_EVENTQ_ABT_ERR, 1), "MSI_EVENTQ_ABT_ERR", "the event queue's MSI "
	  "aborted" },
	{ FCONST(GERROR_MSI_PRIQ_ABT_ERR, 1), "MSI_PRIQ_ABT_ERR", "the page request queue's MSI "
	  "aborted" },
	{ FCONST(GERROR_MSI_GERROR_ABT_ERR, 1), "MSI_GERROR_ABT_ERR", "the MSI of global errors "
	  "aborted" },
	{ FCONST(GERROR_SFM_ERR, 1), "SFM_ERR", "Service Failure Mode: nothing is translated until "
	  "a reset" },
};

static const struct {
	const char *name, *what;
	struct report_cause cause;
} cerrors[] = {
	[CERROR_NONE] = { "CERROR_NONE", "no error", { NULL, NULL } },
	[CERROR_ILL] = { "CERROR_ILL", "the command is illegal", {
		"The command asks for what this SMMU does not have: stage 2 or EL2 commands, ATS, "
		"range invalidation; or it has reserved values. Decode its two words",
		"the SMMU does not skip a command it does not know; IDR registers say which there "
		"are" } },
	[CERROR_ABT] = { "CERROR_ABT", "the command could not be read", {
		"CMDQ_BASE points to memory that is not there, or was given back",
		"the SMMU reads commands from physical addresses" } },
	[CERROR_ATC_INV_SYNC] = { "CERROR_ATC_INV_SYNC", "a device did not answer an ATC "
		"invalidation in time", {
		"The device is powered down, removed, or hung. Which one: the StreamIDs of the "
		"CMD_ATC_INV commands before this CMD_SYNC",
		"CMD_SYNC reports for all CMD_ATC_INV before it; the device may still hold stale "
		"translations" } },
};

const struct notice *notice_find(const char *text, const char **at, const char **end)
{
	for (size_t i = 0; i < sizeof(notices) / sizeof(notices[0]); i++) {
		const char *p = strstr(text, notices[i].phrase);

		if (p) {
			*at = p;
			*end = p + strlen(notices[i].phrase);
			return &notices[i];
		}
	}
	return NULL;
}

bool notice_takes_command(const struct notice *n)
{
	return n->data == COMMAND;
}

static bool number_at(const char *s, uint64_t *v)
{
	char *end;

	*v = strtoull(s, &end, 16);
	return end != s && *end != 'x' && *end != 'X';	/* "0x", cut there */
}

static void put_gerror(struct report_item *it, const char *text)
{
	uint64_t v, known = 0;

	if (!number_at(text, &v)) {
		it->cut = true;
		return;
	}
	report_raw(it, &v, 1);
	for (size_t i = 0; i < sizeof(gerrors) / sizeof(gerrors[0]); i++) {
		known |= gerrors[i].mask;
		if (v & gerrors[i].mask)
			report_text(it, gerrors[i].name, "%s", gerrors[i].text);
	}
	if (v & ~known)
		report_note(it, "Bits 0x%" PRIx64 " are not known here.", v & ~known);
}

static void put_cmdq(struct report_item *it, const char *text)
{
	uint64_t v, err;

	if (!number_at(text, &v)) {
		it->cut = true;
		return;
	}
	report_raw(it, &v, 1);
	err = FGET(CMDQ_CONS_ERR, v);
	report_value(it, "RD", FGET(CMDQ_CONS_RD, v), "index, and above it the wrap bit");
	if (err >= sizeof(cerrors) / sizeof(cerrors[0])) {
		report_value(it, "ERR", err, "not a code known here");
		return;
	}
	report_value(it, "ERR", err, "%s: %s", cerrors[err].name, cerrors[err].what);
	if (cerrors[err].cause.check)
		report_cause(it, cerrors[err].cause.check, cerrors[err].cause.rule);
}

static void put_timeout(struct report_item *it, const char *text)
{
	static const char *const names[] = { "hwprod", "hwcons" };

	for (size_t i = 0; i < 2; i++) {
		const char *p = strstr(text, names[i]);
		uint64_t v;

		if (p && number_at(p + strlen(names[i]) + strspn(p + strlen(names[i]), " :"), &v))
			report_value(it, names[i], v, NULL);
	}
}

void explain_notice(struct report *r, const struct found *f)
{
	const struct notice *n = f->notice;
	struct report_item *it = report_add(r, "notice", f->line, f->smmu);

	it->name = n->name;
	it->what = n->what;
	it->means = n->means;
	for (unsigned i = 0; i < 3 && n->causes[i].check; i++)
		report_cause(it, n->causes[i].check, n->causes[i].rule);
	if (n->data == GERROR_BITS)
		put_gerror(it, f->text);
	else if (n->data == CMDQ_CONS)
		put_cmdq(it, f->text);
	else if (n->data == TIMEOUT)
		put_timeout(it, f->text);
	else if (n->data == COMMAND && f->n == CMD_WORDS)
		explain_command(r, f, f->w);
	else if (n->data == COMMAND)
		it->cut = true;
	if (it->cut)
		report_note(it, "Cut short: what belongs to it is not here.");
}
