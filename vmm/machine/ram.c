/*
 * Around each region, and between the two, lie pages that nobody may touch: whoever goes beyond the
 * end of memory faults, whatever the host has mapped there. A region begins as its guest address
 * does within 2 MiB, so that large pages can map both.
 */
#include "vmm/machine/ram.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/machine/arch.h"

#define HUGE_PAGE (2u << 20)
#define MARGINS   (4 * (size_t)HUGE_PAGE) /* three, and what aligning the first one loses */

/* Advice: a host that cannot take it loses speed or a smaller core file, nothing else. Not for the
 * lowest memory, of which little is ever used: zeroing a large page would be most of our start. */
static void ram_advise(const struct ram *ram)
{
	const struct gmem *mem = &ram->memory.mem;

	for (unsigned i = 0; i < mem->n; i++) {
		const struct gmem_region *r = &mem->region[i];
		uint64_t skip = i == 0 ? HUGE_PAGE : 0;

		if (r->len > skip)
			(void)madvise(r->hva + skip, r->len - skip, MADV_HUGEPAGE);
	}
	(void)madvise(ram->map, ram->map_len, MADV_DONTDUMP);
}

/* Memory of this process at @hva: of the memfd from @offset on, if there is one. */
static bool ram_map_region(const struct ram *ram, uint8_t *hva, uint64_t len, uint64_t offset)
{
	if (ram->fd < 0)
		return mprotect(hva, len, PROT_READ | PROT_WRITE) == 0;
	return mmap(hva, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, ram->fd,
		    (off_t)offset) != MAP_FAILED;
}

/* Memory at guest address @gpa, a margin or more after @after. */
static bool add_region(struct ram *ram, uint64_t gpa, uint64_t len, uint8_t *after, uint64_t offset)
{
	struct gmem_region r = { .gpa = gpa, .len = len, .fd = ram->fd, .offset = offset };

	r.hva = after + HUGE_PAGE;
	r.hva += -(uintptr_t)r.hva & (HUGE_PAGE - 1);
	return ram_map_region(ram, r.hva, len, offset) && memory_add(&ram->memory, &r) == 0;
}

static bool ram_open_memfd(struct ram *ram)
{
	ram->fd = memfd_create("guest memory", MFD_CLOEXEC);
	return ram->fd >= 0 && ftruncate(ram->fd, (off_t)ram->size) == 0;
}

static bool ram_reserve(struct ram *ram)
{
	ram->map = mmap(NULL, ram->map_len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			-1, 0);
	if (ram->map == MAP_FAILED)
		ram->map = NULL;
	return ram->map;
}

static bool map_ram(struct ram *ram, bool shared)
{
	struct arch_range range[ARCH_RAM_MAX];
	unsigned n = arch_ram(ram->size, range);
	uint8_t *after;
	uint64_t offset = 0;

	if (!ram_reserve(ram) || (shared && !ram_open_memfd(ram)))
		return false;
	after = ram->map;
	for (unsigned i = 0; i < n; i++) {
		if (!add_region(ram, range[i].base, range[i].len, after, offset))
			return false;
		after = ram->memory.mem.region[i].hva + range[i].len;
		offset += range[i].len;
	}
	return true;
}

bool ram_open(struct ram *ram, uint64_t size, bool shared, GError **err)
{
	*ram = (struct ram){ .size = size, .map_len = size + MARGINS, .fd = -1 };
	memory_init(&ram->memory);
	if (!map_ram(ram, shared)) {
		ringside_error_errno(err, errno, "--memory: %" G_GUINT64_FORMAT " MiB", size >> 20);
		ram_close(ram);
		return false;
	}
	ram_advise(ram);
	return true;
}

void ram_close(struct ram *ram)
{
	memory_clear(&ram->memory);
	if (ram->map)
		munmap(ram->map, ram->map_len);
	if (ram->map && ram->fd >= 0)
		close(ram->fd);
	ram->map = NULL;
}

static int ram_slot_added(void *kvm, const struct gmem_region *r, unsigned slot)
{
	return kvm_set_slot(
		kvm, &(struct kvm_slot){ .n = slot, .gpa = r->gpa, .len = r->len, .hva = r->hva });
}

static void ram_slot_removed(void *kvm, const struct gmem_region *r, unsigned slot)
{
	(void)kvm_set_slot(kvm, &(struct kvm_slot){ .n = slot, .gpa = r->gpa, .hva = r->hva });
}

static const struct memory_listener_ops slots = { .added = ram_slot_added,
						  .removed = ram_slot_removed };

int ram_plug(struct ram *ram, struct kvm *kvm)
{
	return memory_listen(&ram->memory, &slots, kvm);
}
