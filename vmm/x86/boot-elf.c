/*
 * ELF kernel with a PVH note (Xen, docs/misc/pvh.pandoc; start info: public/arch-x86/hvm/
 * start_info.h).
 *
 * The note names a 32-bit entry. It is reached in protected mode without paging, flat segments,
 * ebx pointing to the start info, which leads to the command line, the initrd (as a module), the
 * memory map and the ACPI tables. An ELF vmlinux starts faster than the bzImage made of it: there
 * is nothing to decompress.
 */
#include "vmm/x86/boot-int.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/x86/layout.h"

enum {
	NOTE_PHYS32_ENTRY = 18, /* XEN_ELFNOTE_PHYS32_ENTRY */
	PHDRS_MAX = 64,
	NOTES_MAX = 4096, /* bytes of one note segment that are looked at */
};

#define START_MAGIC 0x336ec578u

struct start_info {
	uint32_t magic, version, flags, n_modules;
	uint64_t modules, cmdline, rsdp;
	uint64_t memmap; /* from version 1 on */
	uint32_t n_memmap, reserved;
};

struct start_module {
	uint64_t base, len, cmdline, reserved;
};

struct start_memmap {
	uint64_t base, len;
	uint32_t type, reserved;
};

/* The file as far as it was understood. */
struct elf {
	unsigned n;
	Elf64_Phdr ph[PHDRS_MAX];
	uint64_t entry; /* PVH; 0: no note so far */
};

bool boot_is_elf(const struct boot_job *job)
{
	return job->head_len >= EI_NIDENT && memcmp(job->head, ELFMAG, SELFMAG) == 0;
}

static const struct {
	unsigned id;
	const char *name;
} machines[] = {
	{ EM_386, "i386" },
	{ EM_ARM, "arm" },
	{ EM_AARCH64, "aarch64" },
	{ EM_RISCV, "riscv" },
	{ EM_PPC64, "ppc64" },
	{ EM_S390, "s390" },
	{ EM_LOONGARCH, "loongarch" },
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
	return ringside_usage(err, "--kernel: '%s' is for %s; give one for x86-64", job->p->kernel,
			      name);
}

static bool broken(const struct boot_job *job, const char *what, GError **err)
{
	return ringside_usage(err,
			      "--kernel: '%s' is truncated or damaged: %s; give a complete ELF "
			      "vmlinux",
			      job->p->kernel, what);
}

static bool check_header(const struct boot_job *job, const Elf64_Ehdr *eh, GError **err)
{
	if (job->head_len < sizeof(*eh))
		return broken(job, "no ELF header", err);
	/* e_machine is at the same place in a 32-bit or big-endian header */
	if (eh->e_ident[EI_DATA] != ELFDATA2LSB)
		return wrong_machine(job, (unsigned)GUINT16_SWAP_LE_BE(eh->e_machine), err);
	if (eh->e_machine != EM_X86_64)
		return wrong_machine(job, eh->e_machine, err);
	if (eh->e_ident[EI_CLASS] != ELFCLASS64)
		return wrong_machine(job, EM_386, err);
	if (eh->e_type != ET_EXEC && eh->e_type != ET_DYN)
		return ringside_usage(err,
				      "--kernel: '%s' is an object file, not linked; give the "
				      "linked vmlinux",
				      job->p->kernel);
	if (eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phnum == 0 || eh->e_phnum > PHDRS_MAX)
		return broken(job, "no usable program headers", err);
	return true;
}

/* Reads a piece of the file into our own memory. */
static bool read_piece(const struct boot_job *job, uint64_t off, void *dst, size_t len)
{
	if (off > job->file_size || len > job->file_size - off)
		return false;
	return pread(job->fd, dst, len, (off_t)off) == (ssize_t)len;
}

static bool read_headers(const struct boot_job *job, struct elf *ret_elf, GError **err)
{
	Elf64_Ehdr eh = { 0 };

	memcpy(&eh, job->head, MIN(job->head_len, sizeof(eh)));
	if (!check_header(job, &eh, err))
		return false;
	ret_elf->n = eh.e_phnum;
	if (!read_piece(job, eh.e_phoff, ret_elf->ph, ret_elf->n * sizeof(Elf64_Phdr)))
		return broken(job, "its program headers lie outside", err);
	return true;
}

/* Looks through @len bytes of notes for the entry. Sizes in there are padded to 4 bytes. */
static uint64_t find_entry(const uint8_t *notes, uint64_t len)
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

static bool read_notes(const struct boot_job *job, const Elf64_Phdr *ph, struct elf *elf,
		       GError **err)
{
	size_t len = MIN(ph->p_filesz, (uint64_t)NOTES_MAX);
	uint8_t notes[NOTES_MAX];

	if (!read_piece(job, ph->p_offset, notes, len))
		return broken(job, "its notes lie outside", err);
	if (!elf->entry)
		elf->entry = find_entry(notes, len);
	return true;
}

/* A segment must lie in the file, and above what we put low ourselves. */
static bool check_segment(struct boot_job *job, const Elf64_Phdr *ph, GError **err)
{
	uint64_t end = ph->p_paddr + ph->p_memsz;

	if (ph->p_filesz > ph->p_memsz || ph->p_offset > job->file_size ||
	    ph->p_filesz > job->file_size - ph->p_offset)
		return broken(job, "a segment lies outside", err);
	if (ph->p_paddr < LAYOUT_KERNEL || end < ph->p_paddr)
		return ringside_usage(
			err,
			"--kernel: '%s' has a segment at %#lx; it must be linked at %#x or above",
			job->p->kernel, (uint64_t)ph->p_paddr, LAYOUT_KERNEL);
	job->kernel_end = MAX(job->kernel_end, end);
	return true;
}

static bool check_segments(struct boot_job *job, struct elf *elf, GError **err)
{
	for (unsigned i = 0; i < elf->n; i++) {
		const Elf64_Phdr *ph = &elf->ph[i];

		if (ph->p_type == PT_LOAD && ph->p_memsz && !check_segment(job, ph, err))
			return false;
		if (ph->p_type == PT_NOTE && !read_notes(job, ph, elf, err))
			return false;
	}
	if (!boot_need(job, job->kernel_end,
		       err)) /* when all of them are known: it says how much */
		return false;
	if (!elf->entry)
		return ringside_usage(err,
				      "--kernel: '%s' has no PVH entry; give a bzImage, or a "
				      "vmlinux built with CONFIG_PVH",
				      job->p->kernel);
	if (elf->entry < LAYOUT_KERNEL || elf->entry >= job->kernel_end)
		return broken(job, "its PVH entry lies outside", err);
	return true;
}

static bool load_segment(const struct boot_job *job, const Elf64_Phdr *ph, GError **err)
{
	struct boot_range from = { ph->p_offset, ph->p_filesz };
	uint64_t rest = ph->p_memsz - ph->p_filesz;
	uint8_t *bss;

	if (!boot_read(job, job->fd, &from, ph->p_paddr, err))
		return false;
	if (!job->p->used || !rest)
		return true;
	bss = gmem_at(job->mem, ph->p_paddr + ph->p_filesz, rest);
	if (bss)
		memset(bss, 0, rest);
	return bss || boot_need(job, UINT64_MAX, err);
}

static void put_memory_map(const struct boot_job *job, struct start_info *info)
{
	struct start_memmap *to = gmem_at(job->mem, LAYOUT_MEMMAP, LAYOUT_PAGE);
	struct boot_map_entry map[BOOT_MAP_MAX];
	unsigned n = boot_map(job, map);

	G_STATIC_ASSERT(BOOT_MAP_MAX * sizeof(*to) <= LAYOUT_PAGE);
	for (unsigned i = 0; i < n; i++)
		to[i] = (struct start_memmap){ map[i].base, map[i].len, map[i].type, 0 };
	info->memmap = LAYOUT_MEMMAP;
	info->n_memmap = n;
}

static void put_start_info(const struct boot_job *job)
{
	struct start_info *info = gmem_at(job->mem, LAYOUT_START_INFO, LAYOUT_PAGE);
	struct start_module *module = (struct start_module *)(info + 1);

	*info = (struct start_info){
		.magic = START_MAGIC,
		.version = 1,
		.cmdline = LAYOUT_CMDLINE,
		.rsdp = job->p->rsdp,
	};
	if (job->p->initrd) {
		*module = (struct start_module){ .base = job->initrd, .len = job->initrd_len };
		info->n_modules = 1;
		info->modules = LAYOUT_START_INFO + sizeof(*info);
	}
	put_memory_map(job, info);
}

/* No selector need be loadable, says the protocol: the kernel brings its own table. */
static const struct boot_entry protected_mode = {
	.mode = BOOT_PROTECTED_32,
	.rsp = LAYOUT_STACK_END,
	.rbx = LAYOUT_START_INFO,
	.rflags = 0x2,
	.cr0 = 0x11, /* ET, PE */
	.code = { .limit = 0xffffffff,
		  .selector = 0x8,
		  .type = 0xb,
		  .wide = true,
		  .granularity = true },
	.data = { .limit = 0xffffffff,
		  .selector = 0x10,
		  .type = 0x3,
		  .wide = true,
		  .granularity = true },
	.task = { .limit = 0x67, .selector = 0x18, .type = 0xb, .system = true },
};

bool boot_load_elf(struct boot_job *job, struct boot_entry *ret_entry, GError **err)
{
	struct elf elf = { 0 };

	if (!read_headers(job, &elf, err) || !check_segments(job, &elf, err) ||
	    !boot_load_cmdline(job, UINT64_MAX, err) || !boot_load_initrd(job, LAYOUT_HOLE, err))
		return false;
	for (unsigned i = 0; i < elf.n; i++) {
		if (elf.ph[i].p_type == PT_LOAD && !load_segment(job, &elf.ph[i], err))
			return false;
	}
	put_start_info(job);
	*ret_entry = protected_mode;
	ret_entry->rip = elf.entry;
	return true;
}
