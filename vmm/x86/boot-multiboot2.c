/*
 * Multiboot 2 (GNU, "Multiboot2 Specification version 2.0"): a header of tags, and information of
 * tags; else as multiboot (boot-multiboot.c). There is no framebuffer and no EFI, and a kernel that
 * could be moved is loaded where it is linked.
 */
#include <string.h>

#include "devices/base/error.h"
#include "vmm/x86/boot-multiboot.h"
#include "vmm/x86/layout.h"

#define HEADER_MAGIC 0xe85250d6u
#define ENTRY_MAGIC  0x36d76289u

enum {
	HEADER_IN = 32768, /* bytes of the file in which its header lies */
	HEADER_MAX = 4096, /* bytes of it that are looked at */
	OPTIONAL = 1,      /* of a tag's flags */
	LOAD_FROM_FILE = -1,
};

/* Types of the header's tags. */
enum {
	TAG_END = 0,
	TAG_REQUEST = 1,
	TAG_ADDRESS = 2,
	TAG_ENTRY = 3,
	TAG_LAST = 10, /* of those that have a meaning here, if only to be passed over */
};

/* Types of the information's tags. */
enum {
	INFO_END = 0,
	INFO_CMDLINE = 1,
	INFO_LOADER = 2,
	INFO_MODULE = 3,
	INFO_MEMORY = 4,
	INFO_MAP = 6,
	INFO_RSDP = 15,
	INFO_LAST = 21, /* of those that there are */
	MAP_ENTRY = 24,
	RSDP_LEN = 36,
};

/* The header, as far as it was understood. */
struct header2 {
	uint64_t at; /* in the file */
	bool by_addresses, has_entry;
	struct multiboot_flat flat;
	uint32_t entry;
};

static uint32_t word(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static int64_t multiboot2_header_at(const struct boot_job *job)
{
	return multiboot_find(job, &(struct multiboot_search){ HEADER_MAGIC, 8, 4, HEADER_IN });
}

static bool multiboot2_offered(const struct boot_job *job)
{
	return multiboot2_header_at(job) >= 0;
}

/* A loader need not have what is asked for, but must know what it is. */
static bool tag_requests(const struct boot_job *job, const uint8_t *tag, uint32_t size,
			 GError **err)
{
	for (uint32_t at = 8; at + 4 <= size; at += 4)
		if (word(tag + at) > INFO_LAST)
			return ringside_usage(err,
					      "--kernel: '%s' wants information %u of a multiboot "
					      "2 loader; known are up to %u",
					      job->kernel->name, word(tag + at), INFO_LAST);
	return true;
}

/* @tag has @size bytes. */
static bool header2_tag(const struct boot_job *job, const uint8_t *tag, uint32_t size,
			struct header2 *h, GError **err)
{
	unsigned type = word(tag) & 0xffff;
	bool optional = word(tag) >> 16 & OPTIONAL;

	if (type > TAG_LAST && !optional)
		return ringside_usage(err,
				      "--kernel: '%s' wants feature %u of a multiboot 2 loader; "
				      "known are up to %u",
				      job->kernel->name, type, TAG_LAST);
	if (type == TAG_REQUEST && !optional)
		return tag_requests(job, tag, size, err);
	if (type == TAG_ADDRESS && size >= 24) {
		h->by_addresses = true;
		h->flat = (struct multiboot_flat){ h->at, word(tag + 8), word(tag + 12),
						   word(tag + 16), word(tag + 20) };
	}
	if (type == TAG_ENTRY && size >= 12) {
		h->has_entry = true;
		h->entry = word(tag + 8);
	}
	return true;
}

static bool header2_read(const struct boot_job *job, struct header2 *h, GError **err)
{
	g_autofree uint8_t *bytes = g_malloc0(HEADER_MAX);
	uint64_t len = MIN(HEADER_MAX, job->kernel->size - h->at), at = 16;

	if (!boot_peek(job, h->at, bytes, len))
		return boot_broken(job, "its multiboot header cannot be read", err);
	if (word(bytes + 4) != 0)
		return boot_broken(job, "its multiboot header is for another machine", err);
	len = MIN(len, word(bytes + 8));
	while (at + 8 <= len && (word(bytes + at) & 0xffff) != TAG_END) {
		uint32_t size = word(bytes + at + 4);

		if (size < 8 || size > len - at)
			return boot_broken(job, "a tag of its multiboot header ends outside", err);
		if (!header2_tag(job, bytes + at, size, h, err))
			return false;
		at += (size + 7ul) & ~7ul;
	}
	return true;
}

/*
 * Information.
 */

/* Begins a tag of @size bytes, its first 8 included. */
static void info_tag(GByteArray *info, uint32_t type, size_t size)
{
	while (info->len % 8)
		g_byte_array_append(info, (const guint8 *)"", 1);
	multiboot_word(info, type);
	multiboot_word(info, (uint32_t)size);
}

static void info_text(GByteArray *info, uint32_t type, const char *text)
{
	size_t len = strlen(text) + 1;

	info_tag(info, type, 8 + len);
	g_byte_array_append(info, (const guint8 *)text, (guint)len);
}

static void info_modules(const struct boot_job *job, const struct multiboot_module *modules,
			 GByteArray *info)
{
	for (unsigned i = 0; i < job->files->n_initrds; i++) {
		const char *words = multiboot_words(job, i);
		size_t len = strlen(words) + 1;

		info_tag(info, INFO_MODULE, 16 + len);
		multiboot_word(info, modules[i].base);
		multiboot_word(info, modules[i].end);
		g_byte_array_append(info, (const guint8 *)words, (guint)len);
	}
}

static void info_map(const struct boot_job *job, GByteArray *info)
{
	struct boot_map_entry map[BOOT_MAP_MAX];
	unsigned n = boot_map(job, map);

	info_tag(info, INFO_MAP, 16 + (size_t)n * MAP_ENTRY);
	multiboot_word(info, MAP_ENTRY);
	multiboot_word(info, 0); /* version */
	for (unsigned i = 0; i < n; i++) {
		g_byte_array_append(info, (const guint8 *)&map[i].base, 8);
		g_byte_array_append(info, (const guint8 *)&map[i].len, 8);
		multiboot_word(info, map[i].type);
		multiboot_word(info, 0);
	}
}

static void info_rsdp(const struct boot_job *job, GByteArray *info)
{
	const uint8_t *rsdp = gmem_at(job->mem, job->p->rsdp, RSDP_LEN);

	if (!rsdp)
		return;
	info_tag(info, INFO_RSDP, 8 + RSDP_LEN);
	g_byte_array_append(info, rsdp, RSDP_LEN);
}

static bool multiboot2_put_info(const struct boot_job *job, const struct multiboot_module *modules,
				GError **err)
{
	g_autoptr(GByteArray) info = g_byte_array_new();
	g_autofree char *cmdline = multiboot_cmdline(job);

	multiboot_word(info, 0); /* in all, when it is known */
	multiboot_word(info, 0);
	info_text(info, INFO_CMDLINE, cmdline);
	info_text(info, INFO_LOADER, MULTIBOOT_LOADER);
	info_modules(job, modules, info);
	info_tag(info, INFO_MEMORY, 16);
	multiboot_word(info, MULTIBOOT_LOWER);
	multiboot_word(info, multiboot_upper(job));
	info_map(job, info);
	info_rsdp(job, info);
	info_tag(info, INFO_END, 8);
	memcpy(info->data, &info->len, sizeof(uint32_t));
	return multiboot_put(job, info, err);
}

/*
 * The whole.
 */
static bool multiboot2_place(struct boot_job *job, struct header2 *h, struct boot_range *ret_from,
			     GError **err)
{
	job->low = true;
	if (h->by_addresses && !h->has_entry)
		return boot_broken(job, "a multiboot header with addresses, but without an entry",
				   err);
	if (!h->by_addresses && !job->is_elf)
		return boot_broken(job, "a multiboot header without addresses, and no ELF file",
				   err);
	if (!h->by_addresses)
		return boot_elf_place(job, err);
	if (h->flat.load == (uint32_t)LOAD_FROM_FILE)
		h->flat.load = h->flat.header - (uint32_t)h->at;
	return multiboot_flat_place(job, &h->flat, ret_from, err);
}

/* Kernel and modules; returns the physical entry, or 0 with @err. */
static uint64_t multiboot2_copy(struct boot_job *job, struct header2 *h,
				struct multiboot_module *modules, GError **err)
{
	struct boot_range from = { 0 };
	uint64_t entry;
	bool ok;

	if (!header2_read(job, h, err) || !multiboot2_place(job, h, &from, err))
		return 0;
	entry = h->has_entry ? h->entry : boot_elf_entry(&job->elf, job->elf.entry);
	if (entry < job->kernel_at || entry >= job->kernel_end)
		return boot_broken(job, "its entry lies outside", err);
	ok = h->by_addresses ? multiboot_flat_load(job, &h->flat, &from, err)
			     : boot_elf_load(job, err);
	return ok && multiboot_modules(job, modules, err) ? entry : 0;
}

static bool multiboot2_load(struct boot_job *job, struct boot_entry *ret_entry, GError **err)
{
	g_autoptr(GArray) room = multiboot_module_room(job);
	struct multiboot_module *modules = (struct multiboot_module *)(void *)room->data;
	struct header2 h = { .at = (uint64_t)multiboot2_header_at(job) };
	uint64_t entry = multiboot2_copy(job, &h, modules, err);

	if (!entry || !multiboot2_put_info(job, modules, err))
		return false;
	*ret_entry = boot_enter_protected(entry);
	ret_entry->rax = ENTRY_MAGIC;
	ret_entry->rbx = LAYOUT_MULTIBOOT;
	return true;
}

const struct boot_protocol boot_multiboot2 = {
	.name = "multiboot2",
	.file = "a multiboot 2 kernel",
	.offered = multiboot2_offered,
	.load = multiboot2_load,
};
