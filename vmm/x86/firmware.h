/*
 * What firmware finds on our PC besides its image: a copy below 1 MiB, where SeaBIOS runs, and in
 * fw_cfg the machine as QEMU would describe it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/acpi/acpi.h"
#include "vmm/machine/arch.h"
#include "vmm/x86/fw-cfg.h"

/* @p has firmware; @params are of the tables. False with a usage error: too little memory. */
bool firmware_load(const struct arch_load *p, const struct acpi_params *params, struct fw_cfg *cfg,
		   GError **err);
