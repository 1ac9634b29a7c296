/*
 * The table of Intel's MultiProcessor Specification 1.4: processors and interrupts for a kernel
 * that knows no ACPI, or was told to leave it alone (Linux with acpi=off, GNU Mach). It says what
 * the ACPI tables say, as far as it has words for it.
 */
#pragma once

#include <stdbool.h>

#include "virtqueue/gmem.h"
#include "vmm/acpi/acpi.h"

/* Writes it to LAYOUT_MP. False if that is no memory, or it does not fit. */
bool mptable_write(const struct acpi_params *p, const struct gmem *mem);
