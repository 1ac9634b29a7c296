/*
 * PVH (Xen, docs/misc/pvh.pandoc; start info: public/arch-x86/hvm/start_info.h): the entry of an
 * ELF kernel that its note names, 32-bit or 64-bit alike.
 *
 * It is reached in protected mode without paging, flat segments, ebx pointing to the start info,
 * which leads to the command line, the initrd (as a module), the memory map and the ACPI tables. An
 * ELF vmlinux starts faster than the bzImage made of it: there is nothing to decompress.
 */
#include <string.h>

#include "vmm/x86/boot-int.h"
#include "vmm/x86/layout.h"

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

static void pvh_put_memory_map(const struct boot_job *job, struct start_info *info)
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

static void pvh_put_start_info(const struct boot_job *job)
{
	struct start_info *info = gmem_at(job->mem, LAYOUT_START_INFO, LAYOUT_PAGE);
	struct start_module *module = (struct start_module *)(info + 1);

	*info = (struct start_info){
		.magic = START_MAGIC,
		.version = 1,
		.cmdline = LAYOUT_CMDLINE,
		.rsdp = job->p->rsdp,
	};
	if (job->initrd_len) {
		*module = (struct start_module){ .base = job->initrd, .len = job->initrd_len };
		info->n_modules = 1;
		info->modules = LAYOUT_START_INFO + sizeof(*info);
	}
	pvh_put_memory_map(job, info);
}

static bool pvh_offered(const struct boot_job *job)
{
	return job->is_elf && job->elf.pvh;
}

/* Xen's hypervisor: its PVH entry wants another Xen below it. */
static bool pvh_yields(const struct boot_job *job)
{
	return !job->elf.is_64 && (boot_multiboot2.offered(job) || boot_multiboot.offered(job));
}

static bool pvh_load(struct boot_job *job, struct boot_entry *ret_entry, GError **err)
{
	if (!boot_elf_place(job, err))
		return false;
	if (job->elf.pvh < LAYOUT_KERNEL || job->elf.pvh >= job->kernel_end)
		return boot_broken(job, "its PVH entry lies outside", err);
	if (!boot_load_cmdline(job, UINT64_MAX, err) || !boot_load_initrd(job, LAYOUT_HOLE, err) ||
	    !boot_elf_load(job, err))
		return false;
	pvh_put_start_info(job);
	*ret_entry = boot_enter_protected(job->elf.pvh);
	ret_entry->rbx = LAYOUT_START_INFO;
	return true;
}

const struct boot_protocol boot_pvh = {
	.name = "pvh",
	.file = "an ELF file with a PVH note",
	.offered = pvh_offered,
	.yields = pvh_yields,
	.load = pvh_load,
};
