/*
 * ACPI tables for firmware that places them itself: the RSDP in one file, all others in a second
 * one, in which addresses are offsets into it, and a script that says where to put both, where
 * addresses have to be added, and which checksums are to be made again (the linker/loader of QEMU,
 * as SeaBIOS's romfile_loader.h and OVMF's QemuLoader.h describe it).
 */
#include <stddef.h>
#include <string.h>

#include "vmm/acpi/acpi-int.h"

enum { ALLOCATE = 1, ADD_POINTER = 2, ADD_CHECKSUM = 3 };
enum {
	ZONE_HIGH = 1,
	ZONE_FSEG = 2
}; /* wherever there is room; below 1 MiB, where it is looked for */

#define NAME_LEN 56

/* A command, 128 bytes, little-endian. */
struct __attribute__((packed)) command {
	uint32_t what;
	union {
		struct __attribute__((packed)) {
			char file[NAME_LEN];
			uint32_t align;
			uint8_t zone;
		} allocate;
		struct __attribute__((packed)) { /* of @in, in the @size bytes at @at of @file */
			char file[NAME_LEN], in[NAME_LEN];
			uint32_t at;
			uint8_t size;
		} pointer;
		struct __attribute__((packed)) {
			char file[NAME_LEN];
			uint32_t at, from, len;
		} sum;
		uint8_t bytes[124];
	};
};
G_STATIC_ASSERT(sizeof(struct command) == 128);

static void set_name(char to[NAME_LEN], const char *name)
{
	g_strlcpy(to, name, NAME_LEN);
}

static void loader_append(GByteArray *loader, const struct command *c)
{
	g_byte_array_append(loader, (const guint8 *)c, sizeof(*c));
}

static void loader_allocate(GByteArray *loader, const char *file, uint32_t align, uint8_t zone)
{
	struct command c = { .what = ALLOCATE };

	set_name(c.allocate.file, file);
	c.allocate.align = align;
	c.allocate.zone = zone;
	loader_append(loader, &c);
}

/* The file that has byte @at of the image; *at becomes its offset there. */
static const char *file_of(uint32_t *at)
{
	if (*at < ACPI_RSDP_ROOM)
		return ACPI_RSDP_FILE;
	*at -= ACPI_RSDP_ROOM;
	return ACPI_TABLES_FILE;
}

static void loader_link(GByteArray *loader, struct acpi_link link)
{
	struct command c = { .what = ADD_POINTER };

	set_name(c.pointer.file, file_of(&link.at));
	set_name(c.pointer.in, ACPI_TABLES_FILE);
	c.pointer.at = link.at;
	c.pointer.size = (uint8_t)link.size;
	loader_append(loader, &c);
}

static void loader_sum(GByteArray *loader, struct acpi_sum sum)
{
	struct command c = { .what = ADD_CHECKSUM };

	(void)file_of(&sum.at);
	set_name(c.sum.file, file_of(&sum.from));
	c.sum.at = sum.at;
	c.sum.from = sum.from;
	c.sum.len = sum.len;
	loader_append(loader, &c);
}

static GByteArray *part(const GByteArray *all, guint from, guint to)
{
	GByteArray *ret = g_byte_array_new();

	g_byte_array_append(ret, all->data + from, to - from);
	return ret;
}

void acpi_build_files(const struct acpi_params *p, struct acpi_files *ret)
{
	struct acpi_image im;

	acpi_image_make(&im, p, -(uint64_t)ACPI_RSDP_ROOM); /* the tables behind it are at 0 */
	ret->rsdp = part(im.bytes, 0, ACPI_RSDP_ROOM);
	ret->tables = part(im.bytes, ACPI_RSDP_ROOM, im.bytes->len);
	ret->loader = g_byte_array_new();
	loader_allocate(ret->loader, ACPI_RSDP_FILE, 16, ZONE_FSEG);
	loader_allocate(ret->loader, ACPI_TABLES_FILE, 64, ZONE_HIGH);
	for (guint i = 0; i < im.links->len; i++)
		loader_link(ret->loader, g_array_index(im.links, struct acpi_link, i));
	for (guint i = 0; i < im.sums->len; i++)
		loader_sum(ret->loader, g_array_index(im.sums, struct acpi_sum, i));
	acpi_image_clear(&im);
}
