/*
 * Guest addresses to pointers, in one place.
 *
 * Every test is written as a subtraction from a length that is known to be right, so that no sum
 * can wrap whatever the guest asks for. Regions are searched in the order they were added: there
 * are few, and the first is nearly always the one, so callers add the largest first.
 */
#include "virtqueue/gmem.h"

#include <errno.h>
#include <string.h>

static bool gmem_overlaps(const struct gmem_region *r, uint64_t gpa, uint64_t len)
{
	return gpa < r->gpa ? r->gpa - gpa < len : gpa - r->gpa < r->len;
}

int gmem_add(struct gmem *mem, uint64_t gpa, uint64_t len, void *hva)
{
	return gmem_add_file(mem, gpa, len, hva, -1, 0);
}

int gmem_add_file(struct gmem *mem, uint64_t gpa, uint64_t len, void *hva, int fd, uint64_t offset)
{
	if (len == 0 || gpa + len < gpa || (uintptr_t)hva + len < (uintptr_t)hva)
		return -EINVAL;
	if ((gpa ^ (uintptr_t)hva) & 15)
		return -EINVAL;
	for (unsigned i = 0; i < mem->n; i++)
		if (gmem_overlaps(&mem->region[i], gpa, len))
			return -EINVAL;
	if (mem->n == GMEM_REGIONS_MAX)
		return -ENOSPC;
	mem->region[mem->n++] = (struct gmem_region){
		.gpa = gpa, .len = len, .hva = hva, .fd = fd, .offset = offset
	};
	return 0;
}

const struct gmem_region *gmem_region(const struct gmem *mem, uint64_t gpa)
{
	for (unsigned i = 0; i < mem->n; i++)
		if (gpa - mem->region[i].gpa < mem->region[i].len)
			return &mem->region[i];
	return NULL;
}

void *gmem_at(const struct gmem *mem, uint64_t gpa, uint64_t len)
{
	const struct gmem_region *r = gmem_region(mem, gpa);

	return r ? gmem_region_at(r, gpa, len) : NULL;
}

uint64_t gmem_room(const struct gmem *mem, uint64_t gpa)
{
	const struct gmem_region *r = gmem_region(mem, gpa);

	return r ? r->len - (gpa - r->gpa) : 0;
}

bool gmem_has(const struct gmem *mem, uint64_t gpa, uint64_t len)
{
	uint64_t room;

	for (; len; gpa += room, len -= room) {
		room = gmem_room(mem, gpa);
		if (room == 0)
			return false;
		if (room >= len)
			return true;
	}
	return true;
}

/* The longest piece of the @len bytes from @gpa on that one region holds; its length in *ret_n. */
static void *gmem_piece(const struct gmem *mem, uint64_t gpa, size_t len, size_t *ret_n)
{
	uint64_t room = gmem_room(mem, gpa);

	*ret_n = room < len ? (size_t)room : len;
	return gmem_at(mem, gpa, *ret_n);
}

uint64_t gmem_address_of(const struct gmem *mem, const void *hva)
{
	for (unsigned i = 0; i < mem->n; i++) {
		const struct gmem_region *r = &mem->region[i];
		uint64_t off = (uintptr_t)hva - (uintptr_t)r->hva;

		if (off < r->len)
			return r->gpa + off;
	}
	return 0;
}

bool gmem_read(const struct gmem *mem, uint64_t gpa, void *dst, size_t len)
{
	uint8_t *to = dst;
	size_t n;

	for (; len; gpa += n, to += n, len -= n) {
		const void *from = gmem_piece(mem, gpa, len, &n);

		if (!from)
			return false;
		memcpy(to, from, n);
	}
	/* Whatever is judged now is the copy: the compiler may not go back to the guest's bytes. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return true;
}

bool gmem_write(const struct gmem *mem, uint64_t gpa, const void *src, size_t len)
{
	const uint8_t *from = src;
	size_t n;

	for (; len; gpa += n, from += n, len -= n) {
		void *to = gmem_piece(mem, gpa, len, &n);

		if (!to)
			return false;
		memcpy(to, from, n);
	}
	return true;
}
