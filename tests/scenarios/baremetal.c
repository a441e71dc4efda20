/* SPDX-License-Identifier: MIT */
/* baremetal.c - the shared scenarios on QEMU's machine; which, its arguments say */
#include "board.h"
#include "differ.h"
#include "disk.h"
#include "scenarios.h"

struct world world;

static struct edu edu;

static void bm_write(uint64_t iova, uint16_t data)
{
	edu_dma_write(&edu, iova, data);
}

static void bm_load(uint64_t iova)
{
	edu_dma_load(&edu, iova, 4);
}

static void bm_store(uint64_t iova)
{
	edu_dma_store(&edu, iova, 4);
}

static void bm_say(const char *line)
{
	say("%s\n", line);
}

static void make_world(void)
{
	world = (struct world){
		.mmio = { .base = (volatile void *)(uintptr_t)board.smmu.mmio_pa,
			  .bytes = board.smmu.mmio_bytes },
		.smmu = board.smmu,
		.sid = edu.sid, .rid = edu.rid,
		.host = host_get, .live = host_live,
		.write = bm_write, .load = bm_load, .store = bm_store, .say = bm_say,
	};
}

static int differ(void)
{
	/* before the devicetree, which has them, is written over */
	uint64_t run = arg_number("run", 1), first = arg_number("first", 0);
	uint64_t count = arg_number("count", 1), seed = arg_number("seed", 0);
	bool read = arg_number("reads", 0);

	if (!differ_begin())
		return 1;
	say("differ sid=%x\n", world.sid);
	if (seed)
		differ_one(seed, 0, read);
	else
		differ_all(run, first, count, read);
	say("end\n");
	return 0;
}

int main(void)
{
	if (!edu_find(&edu)) {
		say("no edu on the bus\n");
		return 1;
	}
	make_world();
	if (arg_word("differ"))
		return differ();
	if (arg_word("scenarios")) {
		scenarios_all();
		say("end\n");
		return 0;
	}
	if (arg_word("disk"))
		return disk();
	say("arguments? %s\n", board.args);
	return 1;
}
