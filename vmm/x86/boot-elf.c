/*
 * ELF kernels: what their headers and notes say, and where their segments go. How they are entered
 * is the protocols' business (boot-pvh.c, boot-multiboot.c, boot-linux.c).
 *
 * 32-bit headers are widened to 64-bit ones when they are read, and are looked at once.
 */
#include <string.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/x86/boot-int.h"
#include "vmm/x86/layout.h"

enum {
	NOTE_PHYS32_ENTRY = 18, /* XEN_ELFNOTE_PHYS32_ENTRY */
	NOTES_MAX = 4096,       /* bytes of one note segment that are looked at */
};

static const struct {
	unsigned id;
	const char *name;
} machines[] = {
	{ EM_ARM, "arm" },     { EM_AARCH64, "aarch64" }, { EM_RISCV, "riscv" },
	{ EM_PPC64, "ppc64" }, { EM_S390, "s390" },       { EM_LOONGARCH, "loongarch" },
	{ EM_MIPS, "mips" },
};

static bool wrong_machine(const struct boot_job *job, unsigned id, GError **err)
{
	g_autofree char *name = g_strdup_printf("ELF machine %u", id);

	for (unsigned i = 0; i < G_N_ELEMENTS(machines); i++) {
		if (machines[i].id == id) {
			g_free(name);
			name = g_strdup(machines[i].name);
		}
	}
	return ringside_usage(err,
			      "--kernel: '%s' is for %s; give one for x86-64, or for i386 (32-bit)",
			      job->kernel->name, name);
}

/* What is at the same place in each kind of header. */
static bool check_kind(const struct boot_job *job, GError **err)
{
	const uint8_t *ident = job->head;
	uint16_t machine, type;

	if (job->head_len < sizeof(Elf32_Ehdr) ||
	    (ident[EI_CLASS] == ELFCLASS64 && job->head_len < sizeof(Elf64_Ehdr)))
		return boot_broken(job, "no ELF header", err);
	memcpy(&type, job->head + offsetof(Elf64_Ehdr, e_type), sizeof(type));
	memcpy(&machine, job->head + offsetof(Elf64_Ehdr, e_machine), sizeof(machine));
	if (ident[EI_DATA] != ELFDATA2LSB)
		return wrong_machine(job, GUINT16_SWAP_LE_BE(machine), err);
	if (machine != EM_X86_64 && machine != EM_386)
		return wrong_machine(job, machine, err);
	if (ident[EI_CLASS] != ELFCLASS32 &&
	    (ident[EI_CLASS] != ELFCLASS64 || machine != EM_X86_64))
		return boot_broken(job, "its ELF class does not go with its machine", err);
	if (type != ET_EXEC && type != ET_DYN)
		return ringside_usage(err,
				      "--kernel: '%s' is an object file, not linked; give the "
				      "linked kernel",
				      job->kernel->name);
	return true;
}

static Elf64_Ehdr elf_header(const struct boot_job *job)
{
	Elf64_Ehdr wide;
	Elf32_Ehdr eh;

	if (job->head[EI_CLASS] == ELFCLASS64) {
		memcpy(&wide, job->head, sizeof(wide));
		return wide;
	}
	memcpy(&eh, job->head, sizeof(eh));
	return (Elf64_Ehdr){ .e_entry = eh.e_entry,
			     .e_phoff = eh.e_phoff,
			     .e_phentsize = eh.e_phentsize,
			     .e_phnum = eh.e_phnum };
}

static Elf64_Phdr elf_widen(const Elf32_Phdr *ph)
{
	return (Elf64_Phdr){ .p_type = ph->p_type,
			     .p_offset = ph->p_offset,
			     .p_vaddr = ph->p_vaddr,
			     .p_paddr = ph->p_paddr,
			     .p_filesz = ph->p_filesz,
			     .p_memsz = ph->p_memsz };
}

static bool elf_read_segments(const struct boot_job *job, uint64_t off, struct boot_elf *elf)
{
	Elf32_Phdr narrow[BOOT_ELF_SEGMENTS];

	if (elf->is_64)
		return boot_peek(job, off, elf->ph, elf->n * sizeof(elf->ph[0]));
	if (!boot_peek(job, off, narrow, elf->n * sizeof(narrow[0])))
		return false;
	for (unsigned i = 0; i < elf->n; i++)
		elf->ph[i] = elf_widen(&narrow[i]);
	return true;
}

static bool elf_read_headers(const struct boot_job *job, struct boot_elf *elf, GError **err)
{
	Elf64_Ehdr eh;

	if (!check_kind(job, err))
		return false;
	eh = elf_header(job);
	*elf = (struct boot_elf){ .is_64 = job->head[EI_CLASS] == ELFCLASS64,
				  .n = eh.e_phnum,
				  .entry = eh.e_entry };
	if (eh.e_phentsize != (elf->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) ||
	    elf->n == 0 || elf->n > BOOT_ELF_SEGMENTS)
		return boot_broken(job, "no usable program headers", err);
	return elf_read_segments(job, eh.e_phoff, elf) ||
	       boot_broken(job, "its program headers lie outside", err);
}

/* Looks through @len bytes of notes for PVH's entry. Sizes in there are padded to 4 bytes. */
static uint64_t elf_find_pvh(const uint8_t *notes, uint64_t len)
{
	uint64_t at = 0;

	while (at < len && len - at >= sizeof(Elf64_Nhdr)) {
		uint64_t name = at + sizeof(Elf64_Nhdr), desc, entry = 0;
		Elf64_Nhdr nh;

		memcpy(&nh, notes + at, sizeof(nh));
		desc = name + (((uint64_t)nh.n_namesz + 3) & ~3ull);
		if (desc > len || nh.n_descsz > len - desc)
			return 0;
		if (nh.n_type == NOTE_PHYS32_ENTRY && nh.n_namesz == 4 &&
		    memcmp(notes + name, "Xen", 4) == 0 && nh.n_descsz >= 4) {
			memcpy(&entry, notes + desc, MIN(nh.n_descsz, sizeof(entry)));
			return entry;
		}
		at = desc + (((uint64_t)nh.n_descsz + 3) & ~3ull);
	}
	return 0;
}

static bool elf_read_notes(const struct boot_job *job, const Elf64_Phdr *ph, struct boot_elf *elf,
			   GError **err)
{
	size_t len = MIN(ph->p_filesz, (uint64_t)NOTES_MAX);
	uint8_t notes[NOTES_MAX];

	if (!boot_peek(job, ph->p_offset, notes, len))
		return boot_broken(job, "its notes lie outside", err);
	if (!elf->pvh)
		elf->pvh = elf_find_pvh(notes, len);
	return true;
}

bool boot_elf_open(struct boot_job *job, GError **err)
{
	job->is_elf = job->head_len >= EI_NIDENT && memcmp(job->head, ELFMAG, SELFMAG) == 0;
	if (!job->is_elf)
		return true;
	if (!elf_read_headers(job, &job->elf, err))
		return false;
	for (unsigned i = 0; i < job->elf.n; i++) {
		const Elf64_Phdr *ph = &job->elf.ph[i];

		if (ph->p_type == PT_NOTE && !elf_read_notes(job, ph, &job->elf, err))
			return false;
	}
	return true;
}

/* A segment must lie in the file, and above what we put low ourselves. */
static bool elf_place_segment(struct boot_job *job, const Elf64_Phdr *ph, GError **err)
{
	uint64_t end = ph->p_paddr + ph->p_memsz;

	if (ph->p_filesz > ph->p_memsz || ph->p_offset > job->kernel->size ||
	    ph->p_filesz > job->kernel->size - ph->p_offset)
		return boot_broken(job, "a segment lies outside", err);
	if (!boot_take_place(job, ph->p_paddr, end))
		return ringside_usage(
			err,
			"--kernel: '%s' has a segment at %#lx; it must be linked at %#x or above",
			job->kernel->name, (uint64_t)ph->p_paddr, LAYOUT_KERNEL);
	return true;
}

static bool elf_is_loaded(const Elf64_Phdr *ph)
{
	return ph->p_type == PT_LOAD && ph->p_memsz;
}

bool boot_elf_place(struct boot_job *job, GError **err)
{
	for (unsigned i = 0; i < job->elf.n; i++) {
		const Elf64_Phdr *ph = &job->elf.ph[i];

		if (elf_is_loaded(ph) && !elf_place_segment(job, ph, err))
			return false;
	}
	if (!job->kernel_end)
		return boot_broken(job, "no segment is to be loaded", err);
	return boot_need(job, job->kernel_end, err); /* of all of them: it says how much */
}

bool boot_elf_load(const struct boot_job *job, GError **err)
{
	for (unsigned i = 0; i < job->elf.n; i++) {
		const Elf64_Phdr *ph = &job->elf.ph[i];
		struct boot_range from = { ph->p_offset, ph->p_filesz };

		if (elf_is_loaded(ph) &&
		    (!boot_read(job, job->kernel, &from, ph->p_paddr, err) ||
		     !boot_clear(job, ph->p_paddr + ph->p_filesz, ph->p_memsz - ph->p_filesz, err)))
			return false;
	}
	return true;
}

uint64_t boot_elf_entry(const struct boot_elf *elf, uint64_t addr)
{
	for (unsigned i = 0; i < elf->n; i++) {
		const Elf64_Phdr *ph = &elf->ph[i];

		if (elf_is_loaded(ph) && addr - ph->p_paddr < ph->p_memsz)
			return addr;
	}
	for (unsigned i = 0; i < elf->n; i++) {
		const Elf64_Phdr *ph = &elf->ph[i];

		if (elf_is_loaded(ph) && addr - ph->p_vaddr < ph->p_memsz)
			return ph->p_paddr + (addr - ph->p_vaddr);
	}
	return 0;
}
