/* SPDX-License-Identifier: MIT */
/*
 * core.c - memory as an ELF core: PT_LOAD segments with physical addresses
 *
 * What `uiommu dump' writes: such a core, for which gdb, objdump and crash tools are
 * at home, with two notes of the name "uiommu": the text of server/inspect.h, and the
 * machine's devicetree. Any byte of a file may be wrong.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "../decode/report.h"
#include "image.h"

#define NOTE_NAME	"uiommu"
#define NOTE_INFO	1
#define NOTE_DTB	2

struct file {
	struct image *img;
	const uint8_t *p;
	size_t bytes;
};

static bool within(const struct file *f, uint64_t at, uint64_t n)
{
	return at <= f->bytes && n <= f->bytes - at;
}

/* ---- reading ---- */

static void take_note(struct file *f, uint32_t type, const uint8_t *p, size_t bytes)
{
	struct image *img = f->img;

	if (type == NOTE_INFO && !img->has_info)
		img->has_info = info_parse((const char *)p, bytes, &img->info);
	if (type == NOTE_DTB && !img->dtb) {
		img->dtb = tool_alloc(bytes + 1);
		memcpy(img->dtb, p, bytes);
		img->dtb_bytes = bytes;
	}
}

static uint64_t up4(uint64_t n)
{
	return (n + 3) & ~(uint64_t)3;
}

static void read_notes(struct file *f, uint64_t at, uint64_t bytes)
{
	Elf64_Nhdr h;

	while (bytes >= sizeof(h)) {
		uint64_t name = at + sizeof(h), desc, end;

		memcpy(&h, f->p + at, sizeof(h));
		desc = name + up4(h.n_namesz);
		end = desc + up4(h.n_descsz);
		if (desc - at > bytes || desc - at + h.n_descsz > bytes)
			return;
		if (h.n_namesz == sizeof(NOTE_NAME) && !memcmp(f->p + name, NOTE_NAME, h.n_namesz))
			take_note(f, h.n_type, f->p + desc, h.n_descsz);
		if (end - at > bytes)
			return;
		bytes -= end - at;
		at = end;
	}
}

/* More headers than 16 bits can count: the number stands in the first section. */
static uint64_t num_headers(const struct file *f, const Elf64_Ehdr *e)
{
	Elf64_Shdr s;

	if (e->e_phnum != PN_XNUM)
		return e->e_phnum;
	if (!within(f, e->e_shoff, sizeof(s)))
		return 0;
	memcpy(&s, f->p + e->e_shoff, sizeof(s));
	return s.sh_info;
}

static const char *wrong_file(const struct file *f, const Elf64_Ehdr *e)
{
	if (f->bytes >= 8 && !memcmp(f->p, "KDUMP   ", 8))
		return "it is a compressed kdump; `makedumpfile -E' makes an ELF file of it";
	if (f->bytes < sizeof(*e) || memcmp(e->e_ident, ELFMAG, SELFMAG))
		return "it is no ELF file";
	if (e->e_ident[EI_CLASS] != ELFCLASS64 || e->e_ident[EI_DATA] != ELFDATA2LSB)
		return "it is no 64-bit little-endian ELF file";
	if (e->e_type != ET_CORE)
		return "it is an ELF file, but no core";
	return e->e_phentsize != sizeof(Elf64_Phdr) ? "its program headers have another size"
						    : NULL;
}

/* A file that was cut short keeps what is there. */
static bool add_segment(struct file *f, const Elf64_Phdr *ph)
{
	uint64_t n = ph->p_filesz;
	bool whole = within(f, ph->p_offset, n);

	if (ph->p_offset >= f->bytes)
		return !n;
	if (!whole)
		n = f->bytes - ph->p_offset;
	if (ph->p_type == PT_NOTE)
		read_notes(f, ph->p_offset, n);
	else if (ph->p_type == PT_LOAD && n)
		image_add_piece(f->img, ph->p_paddr, n, f->p + ph->p_offset);
	return whole;
}

bool core_parse(struct image *img, const uint8_t *p, size_t bytes, char *err, size_t err_bytes)
{
	struct file f = { img, p, bytes };
	Elf64_Ehdr e = { 0 };
	const char *wrong;
	uint64_t n;
	bool whole = true;

	if (bytes >= sizeof(e))
		memcpy(&e, p, sizeof(e));
	wrong = wrong_file(&f, &e);
	n = wrong ? 0 : num_headers(&f, &e);
	if (!wrong && (!within(&f, e.e_phoff, 0) || n > (bytes - e.e_phoff) / sizeof(Elf64_Phdr)))
		wrong = "its program headers are not all there: it was cut short";
	if (wrong) {
		snprintf(err, err_bytes, "%s", wrong);
		return false;
	}
	for (uint64_t i = 0; i < n; i++) {
		Elf64_Phdr ph;

		memcpy(&ph, p + e.e_phoff + i * sizeof(ph), sizeof(ph));
		whole &= add_segment(&f, &ph);
	}
	if (!whole)
		fputs("uiommu: a part of the dump is missing: it was cut short.\n", stderr);
	return true;
}

/* ---- writing ---- */

void core_begin(struct core_writer *w, FILE *f)
{
	*w = (struct core_writer){ .f = f };
	fseeko(f, 4096, SEEK_SET);
}

static bool continues(const struct core_writer *w, uint64_t base, uint64_t at)
{
	const struct image_piece *last = w->n ? &w->pieces[w->n - 1] : NULL;

	return last && last->base + last->bytes == base && w->at[w->n - 1] + last->bytes == at;
}

static bool all_zero(const char *p, size_t bytes)
{
	return !bytes || (!p[0] && !memcmp(p, p + 1, bytes - 1));
}

void core_write(struct core_writer *w, uint64_t base, const void *p, size_t bytes)
{
	uint64_t at = (uint64_t)ftello(w->f);

	if (!continues(w, base, at)) {
		w->pieces = tool_grow(w->pieces, w->n, sizeof(*w->pieces));
		w->at = tool_grow(w->at, w->n, sizeof(*w->at));
		w->pieces[w->n] = (struct image_piece){ base, 0, NULL };
		w->at[w->n++] = at;
	}
	w->pieces[w->n - 1].bytes += bytes;
	if (all_zero(p, bytes))
		fseeko(w->f, (off_t)bytes, SEEK_CUR);	/* a hole */
	else
		fwrite(p, 1, bytes, w->f);
}

static void put_note(FILE *f, uint32_t type, const void *p, size_t bytes)
{
	const Elf64_Nhdr h = { sizeof(NOTE_NAME), (uint32_t)bytes, type };
	const char zero[4] = "";

	fwrite(&h, sizeof(h), 1, f);
	fwrite(NOTE_NAME "\0", up4(sizeof(NOTE_NAME)), 1, f);
	fwrite(p, 1, bytes, f);
	fwrite(zero, 1, up4(bytes) - bytes, f);
}

static void put_headers(struct core_writer *w, uint64_t notes, uint64_t notes_end)
{
	Elf64_Phdr ph = { .p_type = PT_NOTE, .p_offset = notes, .p_filesz = notes_end - notes,
			  .p_align = 4 };

	fwrite(&ph, sizeof(ph), 1, w->f);
	for (unsigned i = 0; i < w->n; i++) {
		ph = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_W,
				   .p_offset = w->at[i], .p_vaddr = w->pieces[i].base,
				   .p_paddr = w->pieces[i].base, .p_filesz = w->pieces[i].bytes,
				   .p_memsz = w->pieces[i].bytes, .p_align = 1 };
		fwrite(&ph, sizeof(ph), 1, w->f);
	}
}

static void put_head(struct core_writer *w, uint64_t phoff, uint64_t shoff)
{
	unsigned n = w->n + 1;
	Elf64_Ehdr e = {
		.e_type = ET_CORE, .e_machine = EM_AARCH64, .e_version = EV_CURRENT,
		.e_phoff = phoff, .e_shoff = shoff, .e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = n < PN_XNUM ? (uint16_t)n : PN_XNUM,
		.e_shentsize = sizeof(Elf64_Shdr), .e_shnum = 1,
	};
	const Elf64_Shdr s = { .sh_info = n };

	fwrite(&s, sizeof(s), 1, w->f);
	memcpy(e.e_ident, ELFMAG, SELFMAG);
	e.e_ident[EI_CLASS] = ELFCLASS64;
	e.e_ident[EI_DATA] = ELFDATA2LSB;
	e.e_ident[EI_VERSION] = EV_CURRENT;
	fseeko(w->f, 0, SEEK_SET);
	fwrite(&e, sizeof(e), 1, w->f);
}

void core_end(struct core_writer *w, const char *info, size_t info_bytes, const void *dtb,
	      size_t dtb_bytes)
{
	uint64_t notes = up4((uint64_t)ftello(w->f)), end;

	fseeko(w->f, (off_t)notes, SEEK_SET);
	put_note(w->f, NOTE_INFO, info, info_bytes);
	put_note(w->f, NOTE_DTB, dtb, dtb_bytes);
	end = (uint64_t)ftello(w->f);
	put_headers(w, notes, end);
	put_head(w, end, end + (w->n + 1) * sizeof(Elf64_Phdr));
	fflush(w->f);
	free(w->pieces);
	free(w->at);
}
