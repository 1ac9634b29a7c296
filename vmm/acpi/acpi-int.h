/* What the files of the ACPI tables share: the tables one behind the other, as they will lie in
 * memory. */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "vmm/acpi/acpi.h"

#define ACPI_RSDP_ROOM 48u /* the RSDP, and what the first table's alignment adds */

/* A place that has the address of a table. */
struct acpi_link {
	uint32_t at;   /* in the image's bytes */
	uint32_t size; /* 4 or 8 */
};

/* A checksum over a part with a link in it. */
struct acpi_sum {
	uint32_t at, from, len;
};

struct acpi_image {
	GByteArray *bytes; /* the RSDP first */
	uint64_t at;       /* where bytes[0] will be */
	uint64_t table[4]; /* what the XSDT lists */
	unsigned n;
	GArray *links, *sums; /* of struct acpi_link, struct acpi_sum */
};

/* Builds all; acpi_image_clear() frees. */
void acpi_image_make(struct acpi_image *im, const struct acpi_params *p, uint64_t at);
void acpi_image_clear(struct acpi_image *im);
