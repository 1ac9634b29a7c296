/* Where the tables of an ACPI input go: into the folder that FUZZ_TABLES names, if it is set, for
 * iasl. */
#pragma once

#include <stddef.h>

void acpi_out(const void *table, size_t len);
