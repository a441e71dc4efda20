/* SPDX-License-Identifier: MIT */
/*
 * server/inspect.h - what somebody else may ask a server: `uiommu show', `walk' and
 * `dump' of a live run
 *
 * A second socket beside the program's, UIOMMU_INSPECT_SOCKET in the server's
 * directory: AF_UNIX SOCK_SEQPACKET, for the user of the server and for root. It can
 * only be read from: nothing that is asked here changes anything of the machine.
 *
 * One struct uiommu_inspect_req, one answer: struct uiommu_inspect_rep, with what was
 * asked for behind it (READ), or as a file in SCM_RIGHTS (the others). The server
 * handles it between two requests of the program and never waits: a peer that does
 * not take its answer, or sends anything else, is cut off. A peer does not keep the
 * run alive.
 *
 * INFO is text, one fact a line, fields by single blanks; BASE, VALUE, RID, SID,
 * CODE and ADDRESS are hexadecimal with 0x, other numbers decimal; a name stands last
 * and may have blanks. Who reads it skips what he does not know.
 *
 *	uiommu 1			the first line: the version of this text
 *	run SERVER PROGRAM		process numbers
 *	smmu I BASE NAME		I counts from 0
 *	reg I NAME VALUE		of SMMU I, by the architecture's names; of its CMDQV,
 *					NAME[N] of interface or queue N
 *	device K GROUP SMMU RID SID NAME
 *	domain D TYPE NAME		those that something is attached to; D from 0
 *	attach K PASID D TAG		device K; PASID -1: its RID. TAG: an ASID, or 0
 *	faults SMMU SID K PASID COUNT CODE ADDRESS TEXT
 *					how many, by whom, and the last of them; K -1: no
 *					device has this StreamID; PASID -1: none
 *	faults-lost COUNT		of streams beyond those that are counted
 */
#ifndef UIOMMU_SERVER_INSPECT_H
#define UIOMMU_SERVER_INSPECT_H

#include <stdint.h>

#define UIOMMU_INSPECT_SOCKET	"inspect"
#define UIOMMU_INSPECT_VERSION	1
#define UIOMMU_INSPECT_READ_MAX	32768u

enum uiommu_inspect_op {
	UIOMMU_INSPECT_INFO = 1,	/* a file: the text above */
	UIOMMU_INSPECT_DTB,		/* a file: the machine's devicetree */
	UIOMMU_INSPECT_SNAPSHOT,	/* three files, of one moment: INFO; all table memory, as
					   struct uiommu_inspect_piece, each followed by its
					   bytes; the program's pages that devices can reach,
					   as struct uiommu_inspect_piece alone */
	UIOMMU_INSPECT_READ,		/* @bytes at @pa, of tables or pages; they follow */
};

#define UIOMMU_INSPECT_FILES	3

struct uiommu_inspect_req {
	uint32_t version, op;
	uint64_t pa;			/* READ */
	uint32_t bytes, zero;		/* READ: at most UIOMMU_INSPECT_READ_MAX */
};

struct uiommu_inspect_rep {
	int32_t ret;			/* 0, or a negative errno and nothing more */
	uint32_t bytes;			/* READ: how many follow */
};

struct uiommu_inspect_piece {
	uint64_t pa, bytes;
};

_Static_assert(sizeof(struct uiommu_inspect_req) == 24, "the same on every ABI");
_Static_assert(sizeof(struct uiommu_inspect_rep) == 8, "the same on every ABI");

#endif
