/*
 * Guest memory that changes: regions that go, and the log of what devices write.
 *
 * The log is a bit for each page of a region, set after the bytes were written and before the
 * driver can know of them. Whoever takes the log clears the bits of a page first and looks at the
 * page then, so a write is either seen or marked again. The bits are set unconditionally: a look
 * whether one is set already could overtake the write before it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "virtqueue/gmem.h"

#define WORD_BITS 64u

/* The number of its first page. */
static uint64_t gmem_first_page(const struct gmem_region *r)
{
	return r->gpa / GMEM_PAGE;
}

static size_t gmem_n_words(const struct gmem_region *r)
{
	uint64_t pages = (r->gpa + (r->len - 1)) / GMEM_PAGE - gmem_first_page(r) + 1;

	return (size_t)((pages + WORD_BITS - 1) / WORD_BITS);
}

int gmem_remove(struct gmem *mem, uint64_t gpa)
{
	unsigned i = 0;

	while (i < mem->n && mem->region[i].gpa != gpa)
		i++;
	if (i == mem->n)
		return -ENOENT;
	free(mem->region[i].dirty);
	mem->n--;
	memmove(&mem->region[i], &mem->region[i + 1], (mem->n - i) * sizeof(mem->region[0]));
	memset(&mem->region[mem->n], 0, sizeof(mem->region[0]));
	return 0;
}

int gmem_log_start(struct gmem *mem)
{
	for (unsigned i = 0; i < mem->n; i++) {
		struct gmem_region *r = &mem->region[i];

		if (!r->dirty)
			r->dirty = calloc(gmem_n_words(r), sizeof(*r->dirty));
		if (!r->dirty) {
			gmem_log_stop(mem);
			return -ENOMEM;
		}
	}
	mem->log = true;
	return 0;
}

void gmem_log_to(struct gmem *mem, uint64_t *bits, uint64_t pages)
{
	gmem_log_stop(mem);
	mem->log_bits = bits;
	mem->log_pages = pages;
	mem->log = true;
}

void gmem_log_stop(struct gmem *mem)
{
	mem->log = false;
	mem->log_bits = NULL;
	for (unsigned i = 0; i < mem->n; i++) {
		free(mem->region[i].dirty);
		mem->region[i].dirty = NULL;
	}
}

static void gmem_set_bits(uint64_t *bits, uint64_t page, uint64_t last)
{
	for (; page <= last; page++)
		__atomic_fetch_or(&bits[page / WORD_BITS], 1ull << page % WORD_BITS,
				  __ATOMIC_ACQ_REL);
}

/* @len bytes, at least one. */
static void gmem_mark_outside(const struct gmem *mem, uint64_t gpa, uint64_t len)
{
	uint64_t end = len - 1 <= UINT64_MAX - gpa ? gpa + (len - 1) : UINT64_MAX;
	uint64_t last = end / GMEM_PAGE;

	if (mem->log_pages)
		gmem_set_bits(mem->log_bits, gpa / GMEM_PAGE,
			      last < mem->log_pages ? last : mem->log_pages - 1);
}

/* @len bytes, at least one, from @off on. */
static void gmem_mark_region(const struct gmem *mem, const struct gmem_region *r, uint64_t off,
			     uint64_t len)
{
	uint64_t first = gmem_first_page(r);

	if (mem->log_bits)
		gmem_mark_outside(mem, r->gpa + off, len);
	else if (r->dirty)
		gmem_set_bits(r->dirty, (r->gpa + off) / GMEM_PAGE - first,
			      (r->gpa + off + (len - 1)) / GMEM_PAGE - first);
}

void gmem_mark(const struct gmem *mem, uint64_t gpa, uint64_t len)
{
	if (mem->log_bits && len)
		gmem_mark_outside(mem, gpa, len);
	while (len && !mem->log_bits) {
		const struct gmem_region *r = gmem_region(mem, gpa);
		uint64_t room = gmem_room(mem, gpa), n = room < len ? room : len;

		if (!r)
			return;
		gmem_mark_region(mem, r, gpa - r->gpa, n);
		gpa += n;
		len -= n;
	}
}

void gmem_mark_at(const struct gmem *mem, const void *hva, uint64_t len)
{
	for (unsigned i = 0; len && i < mem->n; i++) {
		const struct gmem_region *r = &mem->region[i];
		uint64_t off = (uintptr_t)hva - (uintptr_t)r->hva;

		if (off < r->len) {
			gmem_mark_region(mem, r, off, len < r->len - off ? len : r->len - off);
			return;
		}
	}
}

void gmem_log_take(struct gmem *mem, void (*page)(void *opaque, uint64_t gpa), void *opaque)
{
	for (unsigned i = 0; mem->log && i < mem->n; i++) {
		const struct gmem_region *r = &mem->region[i];

		for (size_t w = 0; r->dirty && w < gmem_n_words(r); w++) {
			uint64_t bits = __atomic_exchange_n(&r->dirty[w], 0, __ATOMIC_ACQ_REL);

			for (; bits; bits &= bits - 1)
				page(opaque, (gmem_first_page(r) + w * WORD_BITS +
					      (unsigned)__builtin_ctzll(bits)) *
						     GMEM_PAGE);
		}
	}
}
