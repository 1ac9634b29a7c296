/*
 * Multiboot (GNU, "Multiboot Specification version 0.6.96"), and what multiboot 2 shares with it.
 *
 * The kernel is an ELF file, or any file whose header says where it goes. It is entered in
 * protected mode without paging, flat segments, eax a magic number, ebx pointing to the
 * information: command line, modules (the initrds), memory map. As with most loaders of the kind
 * the command line begins with the name of the kernel's file.
 */
#include "vmm/x86/boot-multiboot.h"

#include <string.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/x86/layout.h"

enum {
	FIND_MAX = 32768, /* multiboot 2's; multiboot's is less */
	HEADER_MAGIC = 0x1badb002,
	ENTRY_MAGIC = 0x2badb002,
	HEADER_IN = 8192, /* bytes of the file in which its header lies */
};

/* Of the header's flags. */
enum {
	WANTS_MASK = 0xffff, /* what must be understood */
	WANTS_KNOWN = 0x7,   /* modules on pages, memory, a video mode if there is one */
	HAS_ADDRESSES = 0x10000,
};

/* Of the information's. */
enum {
	INFO_MEMORY = 0x1,
	INFO_CMDLINE = 0x4,
	INFO_MODULES = 0x8,
	INFO_MAP = 0x40,
	INFO_LOADER = 0x200,
};

struct multiboot_header {
	uint32_t magic, flags, checksum;
	uint32_t header, load, load_end, bss_end, entry; /* with HAS_ADDRESSES */
};

struct multiboot_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, n_modules, modules, symbols[4],
		map_len, map, drives[2], config, loader, apm;
	uint8_t video[44];
};
G_STATIC_ASSERT(sizeof(struct multiboot_info) == 116);

/*
 * What is shared.
 */
int64_t multiboot_find(const struct boot_job *job, const struct multiboot_search *s)
{
	size_t len = MIN(MIN(s->end, (size_t)FIND_MAX), job->kernel->size);
	g_autofree uint8_t *file = g_malloc(FIND_MAX);

	if (!boot_peek(job, 0, file, len))
		return -1;
	for (size_t at = 0; at + 4ul * s->words <= len; at += s->align) {
		uint32_t words[4] = { 0 }, sum = 0;

		memcpy(words, file + at, 4ul * s->words);
		for (unsigned i = 0; i < s->words; i++)
			sum += words[i];
		if (words[0] == s->magic && sum == 0)
			return (int64_t)at;
	}
	return -1;
}

bool multiboot_flat_place(struct boot_job *job, const struct multiboot_flat *flat,
			  struct boot_range *ret_from, GError **err)
{
	uint64_t before = (uint64_t)flat->header - flat->load; /* bytes loaded before the header */
	uint64_t end;

	if (flat->header < flat->load || before > flat->at)
		return boot_broken(job, "its multiboot header gives addresses before the file",
				   err);
	ret_from->base = flat->at - before;
	ret_from->len = job->kernel->size - ret_from->base;
	if (flat->load_end) {
		if (flat->load_end < flat->load || flat->load_end - flat->load > ret_from->len)
			return boot_broken(
				job, "its multiboot header gives addresses behind the file", err);
		ret_from->len = flat->load_end - flat->load;
	}
	end = MAX(flat->load + ret_from->len, (uint64_t)flat->bss_end);
	if (!boot_take_place(job, flat->load, end))
		return ringside_usage(
			err,
			"--kernel: '%s' is to be loaded at %#x; it must be linked at %#x or above",
			job->kernel->name, flat->load, LAYOUT_KERNEL);
	return boot_need(job, end, err);
}

bool multiboot_flat_load(const struct boot_job *job, const struct multiboot_flat *flat,
			 const struct boot_range *from, GError **err)
{
	uint64_t end = flat->load + from->len;

	return boot_read(job, job->kernel, from, flat->load, err) &&
	       boot_clear(job, end, job->kernel_end - end, err);
}

GArray *multiboot_module_room(const struct boot_job *job)
{
	GArray *room = g_array_new(FALSE, TRUE, sizeof(struct multiboot_module));

	return g_array_set_size(room, job->files->n_initrds);
}

bool multiboot_modules(struct boot_job *job, struct multiboot_module *ret, GError **err)
{
	for (unsigned i = 0; i < job->files->n_initrds; i++) {
		const struct boot_file *file = &job->files->initrd[i];
		uint64_t at = (job->kernel_end + LAYOUT_PAGE - 1) & ~(uint64_t)(LAYOUT_PAGE - 1);
		uint64_t room = at < job->low_end ? job->low_end - at : 0;

		if (file->size > room)
			return ringside_usage(err,
					      "--initrd: '%s' has %lu bytes and does not fit "
					      "behind the kernel; give a larger --memory (up to "
					      "3G are of use for it)",
					      file->name, file->size);
		if (!boot_read(job, file, &(struct boot_range){ 0, file->size }, at, err))
			return false;
		ret[i] = (struct multiboot_module){ (uint32_t)at, (uint32_t)(at + file->size) };
		job->kernel_end = at + file->size;
	}
	return true;
}

const char *multiboot_words(const struct boot_job *job, unsigned i)
{
	const struct boot_file *file = &job->files->initrd[i];

	return file->words ? file->words : file->name;
}

char *multiboot_cmdline(const struct boot_job *job)
{
	g_autofree char *base = g_path_get_basename(job->kernel->name);
	const char *words = job->p->cmdline ? job->p->cmdline : "";

	g_strdelimit(base, " \t\n", '_'); /* it is one word */
	return g_strconcat(base, *words ? " " : "", words, NULL);
}

uint32_t multiboot_upper(const struct boot_job *job)
{
	return (uint32_t)((job->low_end - LAYOUT_KERNEL) / 1024);
}

/*
 * Kernels that come by a boot loader on a PC look where a BIOS tells how much memory lies below its
 * own: Xen puts its code for other processors there, whatever the information says.
 */
static bool multiboot_put_bda(const struct boot_job *job)
{
	enum { SERIAL = 0x00, MEMORY = 0x13 }; /* the first port; KiB */
	const uint16_t port = LAYOUT_SERIAL_PORT, kib = MULTIBOOT_LOWER;

	return gmem_write(job->mem, LAYOUT_BDA + SERIAL, &port, sizeof(port)) &&
	       gmem_write(job->mem, LAYOUT_BDA + MEMORY, &kib, sizeof(kib));
}

bool multiboot_put(const struct boot_job *job, const GByteArray *info, GError **err)
{
	return (info->len <= LAYOUT_MULTIBOOT_LEN && multiboot_put_bda(job) &&
		gmem_write(job->mem, LAYOUT_MULTIBOOT, info->data, info->len)) ||
	       ringside_usage(err,
			      "--append, --initrd: what they tell a multiboot kernel takes %u "
			      "bytes of %u; give fewer words",
			      info->len, LAYOUT_MULTIBOOT_LEN);
}

void multiboot_word(GByteArray *info, uint32_t value)
{
	g_byte_array_append(info, (const guint8 *)&value, sizeof(value));
}

/*
 * Multiboot itself.
 */
static int64_t multiboot_header_at(const struct boot_job *job)
{
	return multiboot_find(job, &(struct multiboot_search){ HEADER_MAGIC, 4, 3, HEADER_IN });
}

static bool multiboot_offered(const struct boot_job *job)
{
	return multiboot_header_at(job) >= 0;
}

static bool multiboot_read_header(const struct boot_job *job, int64_t at,
				  struct multiboot_header *h, GError **err)
{
	size_t len = sizeof(*h), left = job->kernel->size - (uint64_t)at;

	*h = (struct multiboot_header){ 0 };
	if (!boot_peek(job, (uint64_t)at, h, MIN(len, left)))
		return boot_broken(job, "its multiboot header cannot be read", err);
	if ((h->flags & HAS_ADDRESSES) && left < len)
		return boot_broken(job, "its multiboot header ends early", err);
	if (!(h->flags & WANTS_MASK & ~WANTS_KNOWN))
		return true;
	return ringside_usage(err,
			      "--kernel: '%s' wants features %#x of a multiboot loader; known are "
			      "%#x",
			      job->kernel->name, h->flags & WANTS_MASK, WANTS_KNOWN);
}

/* The address of what is appended next. */
static uint32_t info_next(GByteArray *info)
{
	while (info->len % 4)
		g_byte_array_append(info, (const guint8 *)"", 1);
	return LAYOUT_MULTIBOOT + info->len;
}

static uint32_t info_text(GByteArray *info, const char *text)
{
	uint32_t at = info_next(info);

	g_byte_array_append(info, (const guint8 *)text, (guint)strlen(text) + 1);
	return at;
}

static void info_map(const struct boot_job *job, GByteArray *info, struct multiboot_info *m)
{
	struct boot_map_entry map[BOOT_MAP_MAX];
	unsigned n = boot_map(job, map);

	m->map = info_next(info);
	for (unsigned i = 0; i < n; i++) {
		multiboot_word(info, 20); /* bytes that follow */
		g_byte_array_append(info, (const guint8 *)&map[i].base, 8);
		g_byte_array_append(info, (const guint8 *)&map[i].len, 8);
		multiboot_word(info, map[i].type);
	}
	m->map_len = LAYOUT_MULTIBOOT + info->len - m->map;
}

static void info_modules(const struct boot_job *job, const struct multiboot_module *modules,
			 GByteArray *info, struct multiboot_info *m)
{
	unsigned n = job->files->n_initrds;
	g_autoptr(GArray) words = g_array_new(FALSE, FALSE, sizeof(uint32_t));

	for (unsigned i = 0; i < n; i++) {
		uint32_t text = info_text(info, multiboot_words(job, i));

		g_array_append_val(words, text);
	}
	m->n_modules = n;
	m->modules = info_next(info);
	for (unsigned i = 0; i < n; i++) {
		multiboot_word(info, modules[i].base);
		multiboot_word(info, modules[i].end);
		multiboot_word(info, g_array_index(words, uint32_t, i));
		multiboot_word(info, 0);
	}
}

static bool multiboot_put_info(const struct boot_job *job, const struct multiboot_module *modules,
			       GError **err)
{
	g_autoptr(GByteArray) info = g_byte_array_new();
	g_autofree char *cmdline = multiboot_cmdline(job);
	struct multiboot_info m = {
		.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MAP | INFO_LOADER,
		.mem_lower = MULTIBOOT_LOWER,
		.mem_upper = multiboot_upper(job),
	};

	g_byte_array_append(info, (const guint8 *)&m, sizeof(m));
	m.cmdline = info_text(info, cmdline);
	m.loader = info_text(info, MULTIBOOT_LOADER);
	info_modules(job, modules, info, &m);
	info_map(job, info, &m);
	memcpy(info->data, &m, sizeof(m));
	return multiboot_put(job, info, err);
}

/* Kernel and modules; returns the physical entry, or 0 with @err. */
static uint64_t multiboot_copy(struct boot_job *job, int64_t at, struct multiboot_module *modules,
			       GError **err)
{
	struct multiboot_flat flat = { 0 };
	struct multiboot_header h;
	struct boot_range from = { 0 };
	uint64_t entry;
	bool by_addresses, ok;

	if (!multiboot_read_header(job, at, &h, err))
		return 0;
	by_addresses = h.flags & HAS_ADDRESSES;
	if (!by_addresses && !job->is_elf)
		return boot_broken(job, "a multiboot header without addresses, and no ELF file",
				   err);
	job->low = true;
	flat = (struct multiboot_flat){ (uint64_t)at, h.header, h.load, h.load_end, h.bss_end };
	ok = by_addresses ? multiboot_flat_place(job, &flat, &from, err) : boot_elf_place(job, err);
	if (!ok)
		return 0;
	entry = by_addresses ? h.entry : boot_elf_entry(&job->elf, job->elf.entry);
	if (entry < job->kernel_at || entry >= job->kernel_end)
		return boot_broken(job, "its entry lies outside", err);
	ok = by_addresses ? multiboot_flat_load(job, &flat, &from, err) : boot_elf_load(job, err);
	return ok && multiboot_modules(job, modules, err) ? entry : 0;
}

static bool multiboot_load(struct boot_job *job, struct boot_entry *ret_entry, GError **err)
{
	g_autoptr(GArray) room = multiboot_module_room(job);
	struct multiboot_module *modules = (struct multiboot_module *)(void *)room->data;
	uint64_t entry = multiboot_copy(job, multiboot_header_at(job), modules, err);

	if (!entry || !multiboot_put_info(job, modules, err))
		return false;
	*ret_entry = boot_enter_protected(entry);
	ret_entry->rax = ENTRY_MAGIC;
	ret_entry->rbx = LAYOUT_MULTIBOOT;
	return true;
}

const struct boot_protocol boot_multiboot = {
	.name = "multiboot",
	.file = "a multiboot kernel",
	.offered = multiboot_offered,
	.load = multiboot_load,
};
