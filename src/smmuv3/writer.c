/* SPDX-License-Identifier: MIT */
/*
 * src/smmuv3/writer.c - a live entry goes from one value to another
 *
 * Hardware reads 64 bits at a time, each word at any moment, and keeps what it
 * read until a sync. At any moment it must see the old entry, the new one, or an
 * invalid one, never a mixture. A word may be stored freely when all bits that
 * change in it are ones that hardware does not look at, or may change at any time.
 *
 *   nothing else changes                one step
 *   all else that changes is in one     the unused bits of all other words to
 *   word                                their new values; that word, which is the
 *                                       moment of change; what is unused now
 *   in several words                    V=0; all other words; word 0
 *
 * A step is: store the words that differ, sync. A step without a difference is
 * none.
 */
#include "smmu.h"

/* Stores @want where it differs, words [@first, @end); true: something was stored. */
static bool store(const struct smmu_writer *w, uint64_t *entry, const uint64_t *want,
		  unsigned first, unsigned end)
{
	bool changed = false;

	for (unsigned i = first; i < end; i++) {
		if (port_load64(&entry[i]) == want[i])
			continue;
		port_store64(&entry[i], want[i]);
		changed = true;
	}
	if (changed)
		port_clean(w->host, entry, SMMU_ENTRY_WORDS * sizeof(*entry));
	return changed;
}

static int step(const struct smmu_writer *w, uint64_t *entry, const uint64_t *want,
		unsigned first, unsigned end)
{
	bool changed;

	if (w->enter && !w->enter(w->ctx))
		return -UIOMMU_EAGAIN;
	changed = store(w, entry, want, first, end);
	if (w->leave)
		w->leave(w->ctx);
	return changed ? w->sync(w->ctx) : 0;
}

/* The words of @target that cannot be reached by free stores: a bit for each. */
static unsigned plan(const struct smmu_writer *w, const uint64_t *entry,
		     const uint64_t *target, uint64_t *prepared)
{
	uint64_t old_used[SMMU_ENTRY_WORDS], new_used[SMMU_ENTRY_WORDS];
	uint64_t safe[SMMU_ENTRY_WORDS] = { 0 };
	unsigned critical = 0;

	w->used(entry, old_used);
	w->used(target, new_used);
	if (w->safe)
		w->safe(entry, target, safe);
	for (unsigned i = 0; i < SMMU_ENTRY_WORDS; i++) {
		uint64_t fixed = old_used[i] & ~(safe[i] & new_used[i]);

		prepared[i] = (entry[i] & fixed) | (target[i] & ~fixed);
		if ((prepared[i] ^ target[i]) & new_used[i])
			critical |= 1u << i;
	}
	return critical;
}

static int write_through_invalid(const struct smmu_writer *w, uint64_t *entry,
				 const uint64_t *target)
{
	const uint64_t invalid = 0;
	int err = step(w, entry, &invalid, 0, 1);

	if (!err)
		err = step(w, entry, target, 1, SMMU_ENTRY_WORDS);
	return err ? err : step(w, entry, target, 0, 1);
}

static int write_hitless(const struct smmu_writer *w, uint64_t *entry, const uint64_t *target,
			 const uint64_t *prepared, unsigned word)
{
	int err = step(w, entry, prepared, 0, SMMU_ENTRY_WORDS);

	if (!err)
		err = step(w, entry, target, word, word + 1);
	return err ? err : step(w, entry, target, 0, SMMU_ENTRY_WORDS);
}

int uiommu_smmuv3_write_entry(const struct smmu_writer *w, uint64_t *entry,
			      const uint64_t *target)
{
	uint64_t now[SMMU_ENTRY_WORDS], prepared[SMMU_ENTRY_WORDS];
	unsigned critical, word;

	for (unsigned i = 0; i < SMMU_ENTRY_WORDS; i++)
		now[i] = port_load64(&entry[i]);
	critical = plan(w, now, target, prepared);
	/* what the entry points to is in memory before the entry says so */
	port_dma_wmb();
	if (!critical)
		return step(w, entry, target, 0, SMMU_ENTRY_WORDS);
	if (critical & (critical - 1))
		return write_through_invalid(w, entry, target);
	word = port_ctz64(critical);
	prepared[word] = now[word];
	return write_hitless(w, entry, target, prepared, word);
}
