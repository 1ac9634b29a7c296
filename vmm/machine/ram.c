/*
 * Around each region, and between the two, lie pages that nobody may touch: whoever goes beyond the
 * end of memory faults, whatever the host has mapped there. A region begins as its guest address
 * does within 2 MiB, so that large pages can map both.
 */
#include "vmm/machine/ram.h"

#include <errno.h>
#include <sys/mman.h>

#include "devices/base/error.h"
#include "vmm/machine/arch.h"

#define HUGE_PAGE (2u << 20)
#define MARGINS   (4 * (size_t)HUGE_PAGE) /* three, and what aligning the first one loses */

/* Advice: a host that cannot take it loses speed or a smaller core file, nothing else. Not for the
 * lowest memory, of which little is ever used: zeroing a large page would be most of our start. */
static void ram_advise(const struct ram *ram)
{
	for (unsigned i = 0; i < ram->mem.n; i++) {
		const struct gmem_region *r = &ram->mem.region[i];
		uint64_t skip = i == 0 ? HUGE_PAGE : 0;

		if (r->len > skip)
			(void)madvise(r->hva + skip, r->len - skip, MADV_HUGEPAGE);
	}
	(void)madvise(ram->map, ram->map_len, MADV_DONTDUMP);
}

/* Memory at guest address @gpa, a margin or more after @after. */
static bool add_region(struct ram *ram, uint64_t gpa, uint64_t len, uint8_t *after)
{
	uint8_t *hva = after + HUGE_PAGE;

	hva += -(uintptr_t)hva & (HUGE_PAGE - 1);
	if (mprotect(hva, len, PROT_READ | PROT_WRITE) < 0)
		return false;
	return gmem_add(&ram->mem, gpa, len, hva) == 0;
}

static bool ram_reserve(struct ram *ram)
{
	ram->map = mmap(NULL, ram->map_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			-1, 0);
	if (ram->map == MAP_FAILED)
		ram->map = NULL;
	return ram->map;
}

static bool map_ram(struct ram *ram)
{
	struct arch_range range[ARCH_RAM_MAX];
	unsigned n = arch_ram(ram->size, range);
	uint8_t *after;

	if (!ram_reserve(ram))
		return false;
	after = ram->map;
	for (unsigned i = 0; i < n; i++) {
		if (!add_region(ram, range[i].base, range[i].len, after))
			return false;
		after = ram->mem.region[i].hva + range[i].len;
	}
	return true;
}

bool ram_open(struct ram *ram, uint64_t size, GError **err)
{
	*ram = (struct ram){ .size = size, .map_len = size + MARGINS };
	if (!map_ram(ram)) {
		ringside_error_errno(err, errno, "--memory: %" G_GUINT64_FORMAT " MiB", size >> 20);
		ram_close(ram);
		return false;
	}
	ram_advise(ram);
	return true;
}

void ram_close(struct ram *ram)
{
	if (ram->map)
		munmap(ram->map, ram->map_len);
	ram->map = NULL;
}

int ram_plug(const struct ram *ram, struct kvm *kvm)
{
	for (unsigned i = 0; i < ram->mem.n; i++) {
		const struct gmem_region *r = &ram->mem.region[i];
		struct kvm_slot slot = { .n = i, .gpa = r->gpa, .len = r->len, .hva = r->hva };
		int ret = kvm_set_slot(kvm, &slot);

		if (ret < 0)
			return ret;
	}
	return 0;
}
