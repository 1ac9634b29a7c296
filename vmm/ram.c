#include "vmm/ram.h"

#include <errno.h>
#include <sys/mman.h>

#include "devices/error.h"
#include "vmm/x86/layout.h"

#define HUGE_PAGE (2u << 20)

/* Advice: a host that cannot take it loses speed or a smaller core file, nothing else. Not for the
 * lowest memory, of which little is ever used: zeroing a large page would be most of our start. */
static void advise(const struct ram *ram)
{
	if (ram->size > HUGE_PAGE)
		(void)madvise(ram->hva + HUGE_PAGE, ram->size - HUGE_PAGE, MADV_HUGEPAGE);
	(void)madvise(ram->map, ram->map_len, MADV_DONTDUMP);
}

bool ram_open(struct ram *ram, uint64_t size, GError **err)
{
	uint64_t low = layout_low_len(size), high = layout_high_len(size);

	*ram = (struct ram){ .size = size, .map_len = size + HUGE_PAGE };
	ram->map = mmap(NULL, ram->map_len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram->map == MAP_FAILED) {
		ram->map = NULL;
		return ringside_error_errno(err, errno, "--memory: %" G_GUINT64_FORMAT " MiB",
					    size >> 20);
	}
	/* Guest and host addresses agree below 2 MiB, so that large pages can map both. */
	ram->hva = (uint8_t *)ram->map + (-(uintptr_t)ram->map & (HUGE_PAGE - 1));
	advise(ram);
	gmem_add(&ram->mem, 0, low, ram->hva);
	if (high)
		gmem_add(&ram->mem, LAYOUT_HIGH, high, ram->hva + low);
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
