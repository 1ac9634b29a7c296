/* Where the DSDT of an ACPI input goes: into a file when FUZZ_DSDT names one, for iasl. */
#pragma once

#include <stddef.h>

void acpi_out(const void *table, size_t len);
