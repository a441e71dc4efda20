/* SPDX-License-Identifier: MIT */
/*
 * preload/isolate.c - the decoder gets our memset and memcpy
 *
 * It is a shared library, so its memset is a sanitizer's where the program has
 * one, and TSan's delivers the program's pending signals at the end of each such
 * call: in the middle of a trap. So the decoder's imports are pointed to str.c,
 * before the first trap.
 */
#include "preload/emulate.h"

#include <link.h>
#include <sys/mman.h>

struct image {
	const struct dl_phdr_info *info;
	const ElfW(Sym) * sym;
	const char *str;
	const ElfW(Rela) * rela[2];
	size_t relas[2];
};

static void *ours_for(const char *name)
{
	if (!strcmp(name, "memset"))
		return (void *)memset;
	if (!strcmp(name, "memcpy"))
		return (void *)memcpy;
	return !strcmp(name, "strlen") ? (void *)strlen : NULL;
}

static void read_dynamic(struct image *im, const ElfW(Dyn) * d)
{
	for (; d->d_tag != DT_NULL; d++) {
		switch (d->d_tag) {
		case DT_SYMTAB:
			im->sym = (void *)d->d_un.d_ptr;
			break;
		case DT_STRTAB:
			im->str = (void *)d->d_un.d_ptr;
			break;
		case DT_RELA:
			im->rela[0] = (void *)d->d_un.d_ptr;
			break;
		case DT_RELASZ:
			im->relas[0] = d->d_un.d_val / sizeof(ElfW(Rela));
			break;
		case DT_JMPREL:
			im->rela[1] = (void *)d->d_un.d_ptr;
			break;
		case DT_PLTRELSZ:
			im->relas[1] = d->d_un.d_val / sizeof(ElfW(Rela));
			break;
		}
	}
}

/* The slot may lie in memory that was made read-only after linking. */
static void point_to(void **slot, void *to)
{
	uintptr_t page = (uintptr_t)slot & -PL_PAGE;

	if (*slot == to || pl_sys(SYS_mprotect, page, PL_PAGE, PROT_READ | PROT_WRITE) < 0)
		return;
	*slot = to;
}

static void protect_again(const struct dl_phdr_info *info, const ElfW(Phdr) * ph)
{
	uintptr_t start = (info->dlpi_addr + ph->p_vaddr) & -PL_PAGE;
	uintptr_t end = (info->dlpi_addr + ph->p_vaddr + ph->p_memsz) & -PL_PAGE;

	if (ph->p_type == PT_GNU_RELRO && end > start)
		pl_sys(SYS_mprotect, start, end - start, PROT_READ);
}

static void redirect(const struct image *im)
{
	for (unsigned t = 0; t < 2; t++)
		for (size_t i = 0; im->rela[t] && i < im->relas[t]; i++) {
			const ElfW(Rela) *r = &im->rela[t][i];
			void *to = ours_for(im->str + im->sym[ELF64_R_SYM(r->r_info)].st_name);

			if (to)
				point_to((void **)(im->info->dlpi_addr + r->r_offset), to);
		}
}

static int if_decoder(struct dl_phdr_info *info, size_t size, void *decoder)
{
	struct image im = { .info = info };
	const ElfW(Dyn) *dyn = NULL;
	bool holds = false;

	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + ph->p_vaddr;

		holds |= ph->p_type == PT_LOAD && (uintptr_t)decoder - start < ph->p_memsz;
		if (ph->p_type == PT_DYNAMIC)
			dyn = (void *)start;
	}
	if (!holds || !dyn)
		return 0;
	read_dynamic(&im, dyn);
	if (im.sym && im.str)
		redirect(&im);
	for (unsigned i = 0; i < info->dlpi_phnum; i++)
		protect_again(info, &info->dlpi_phdr[i]);
	return 1;
}

void pl_isolate_decoder(void)
{
	dl_iterate_phdr(if_decoder, (void *)ZydisDecoderDecodeFull);
}
