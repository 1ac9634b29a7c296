/* What the loader asks of the platform (vmm/machine/arch.h). */
#pragma once

#include "vmm/machine/arch.h"
#include "vmm/x86/fw-cfg.h"

/* NULL: the machine has no firmware. */
struct fw_cfg *platform_fw_cfg(struct platform *p);
