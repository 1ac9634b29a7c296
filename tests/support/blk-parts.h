/*
 * Cases for disks whose host takes larger blocks than a sector, past its page cache. A unit test
 * runs them where that is pretended, a system test on a device where it is true.
 */
#pragma once

#include "tests/support/blk-disk.h"

struct parts_case {
	const char *name;
	void (*run)(const struct disk_variant *v);
};

extern const struct parts_case parts_cases[]; /* ends with an empty row */

#define PARTS_BYTES ((size_t)512 * 1024) /* of the disk */
#define PARTS_BLOCK ((size_t)4096)       /* of the host */
