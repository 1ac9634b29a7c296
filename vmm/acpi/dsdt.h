/* The part of the ACPI tables that is a program: for acpi.c only. */
#pragma once

#include "vmm/acpi/acpi.h"

/* Appends the definition block's contents (without the table header). */
void acpi_dsdt(GByteArray *a, const struct acpi_params *p);
