/* SPDX-License-Identifier: MIT */
/*
 * What must be known of a program's file to preload into it: whether it is
 * dynamically linked, and whether it wants a sanitizer's runtime (gcc's are shared
 * libraries) that insists on being first.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "server/internal.h"

#define PHDRS_MAX	64
#define DYNS_MAX	256

struct elf {
	int fd;
	Elf64_Ehdr eh;
	Elf64_Phdr ph[PHDRS_MAX];
	unsigned n;
};

static bool read_at(int fd, void *buf, size_t bytes, uint64_t at)
{
	return pread(fd, buf, bytes, at) == (ssize_t)bytes;
}

static bool read_headers(struct elf *e)
{
	if (!read_at(e->fd, &e->eh, sizeof(e->eh), 0) ||
	    memcmp(e->eh.e_ident, ELFMAG, SELFMAG) || e->eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    e->eh.e_phentsize != sizeof(Elf64_Phdr))
		return false;
	e->n = e->eh.e_phnum < PHDRS_MAX ? e->eh.e_phnum : PHDRS_MAX;
	return read_at(e->fd, e->ph, e->n * sizeof(e->ph[0]), e->eh.e_phoff);
}

static const Elf64_Phdr *segment(const struct elf *e, uint32_t type)
{
	for (unsigned i = 0; i < e->n; i++)
		if (e->ph[i].p_type == type)
			return &e->ph[i];
	return NULL;
}

static uint64_t file_offset(const struct elf *e, uint64_t va)
{
	for (unsigned i = 0; i < e->n; i++)
		if (e->ph[i].p_type == PT_LOAD && va >= e->ph[i].p_vaddr &&
		    va - e->ph[i].p_vaddr < e->ph[i].p_filesz)
			return va - e->ph[i].p_vaddr + e->ph[i].p_offset;
	return 0;
}

static bool is_sanitizer(const char *name)
{
	return !strncmp(name, "libasan.so", 10) || !strncmp(name, "libtsan.so", 10) ||
	       !strncmp(name, "liblsan.so", 10) || !strncmp(name, "libhwasan.so", 12);
}

static void read_needed(const struct elf *e, struct elf_facts *out)
{
	const Elf64_Phdr *dyn = segment(e, PT_DYNAMIC);
	Elf64_Dyn d[DYNS_MAX];
	uint64_t strtab = 0;
	ssize_t n = dyn ? pread(e->fd, d, sizeof(d), dyn->p_offset) / (ssize_t)sizeof(d[0]) : 0;

	for (ssize_t i = 0; i < n && d[i].d_tag != DT_NULL; i++)
		if (d[i].d_tag == DT_STRTAB)
			strtab = file_offset(e, d[i].d_un.d_ptr);
	for (ssize_t i = 0; strtab && i < n && d[i].d_tag != DT_NULL; i++) {
		char name[sizeof(out->sanitizer)] = "";

		if (d[i].d_tag != DT_NEEDED ||
		    pread(e->fd, name, sizeof(name) - 1, strtab + d[i].d_un.d_val) <= 0)
			continue;
		if (is_sanitizer(name))
			memcpy(out->sanitizer, name, sizeof(name));
	}
}

int elf_read(const char *path, struct elf_facts *out)
{
	struct elf e = { .fd = open(path, O_RDONLY | O_CLOEXEC) };

	memset(out, 0, sizeof(*out));
	if (e.fd < 0)
		return -errno;
	if (read_headers(&e)) {
		out->is_elf = true;
		out->dynamic = segment(&e, PT_INTERP);
		read_needed(&e, out);
	}
	close(e.fd);
	return 0;
}
