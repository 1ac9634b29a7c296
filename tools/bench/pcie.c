#include "tools/bench/pcie.h"

#define REQUEST_MAX    512u
#define PAYLOAD_MAX    256u
#define PAGE           4096u
#define WORD           4u
#define FRAMING        8u
#define REQUEST_BYTES  (16u + FRAMING)
#define COMPLETE_BYTES (12u + FRAMING)
#define GAP_MAX        8u

struct span {
	size_t at, end;
	bool told;
};

void pcie_open(struct pcie *p)
{
	*p = (struct pcie){ .reads = g_array_new(FALSE, FALSE, sizeof(struct span)) };
}

void pcie_close(struct pcie *p)
{
	g_array_unref(p->reads);
}

/* Bytes of the next packet of what begins at @at and ends at @end. */
static size_t portion(size_t at, size_t end, size_t max)
{
	size_t page = PAGE - at % PAGE, n = end - at;

	n = n < page ? n : page;
	return n < max ? n : max;
}

static size_t words(size_t at, size_t n)
{
	return (at % WORD + n + WORD - 1) / WORD * WORD;
}

static void count_read(struct pcie_count *c, size_t at, size_t end)
{
	for (size_t n; at < end; at += n) {
		n = portion(at, end, REQUEST_MAX);
		c->reads++;
		c->bytes += REQUEST_BYTES + (n + PAYLOAD_MAX - 1) / PAYLOAD_MAX * COMPLETE_BYTES +
			    words(at, n);
	}
}

static void count_write(struct pcie_count *c, size_t at, size_t end)
{
	for (size_t n; at < end; at += n) {
		n = portion(at, end, PAYLOAD_MAX);
		c->writes++;
		c->bytes += REQUEST_BYTES + words(at, n);
	}
}

static void end_write(struct pcie *p)
{
	count_write(&p->plain, p->write_at, p->write_end);
	count_write(&p->notified, p->write_at, p->write_end);
	p->write_at = p->write_end = 0;
}

void pcie_read(struct pcie *p, size_t offset, size_t len, bool told)
{
	struct span span = { offset, offset + len, told };

	g_array_append_val(p->reads, span);
}

void pcie_write(struct pcie *p, size_t offset, size_t len)
{
	bool empty = p->write_at == p->write_end;

	if (!empty && offset >= p->write_at && offset <= p->write_end + GAP_MAX) {
		if (p->write_end < offset + len)
			p->write_end = offset + len;
		return;
	}
	end_write(p);
	p->write_at = offset;
	p->write_end = offset + len;
}

static gint by_place(gconstpointer a, gconstpointer b)
{
	const struct span *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

/* The step's reads, the adjoining ones together; those the device was told of only if @told. */
static void count_reads(struct pcie *p, struct pcie_count *c, bool told)
{
	size_t at = 0, end = 0;

	for (guint i = 0; i < p->reads->len; i++) {
		const struct span *span = &g_array_index(p->reads, struct span, i);

		if (span->told && !told)
			continue;
		if (span->at > end) {
			count_read(c, at, end);
			at = span->at;
			end = span->end;
		}
		if (end < span->end)
			end = span->end;
	}
	count_read(c, at, end);
}

void pcie_step(struct pcie *p, bool in_vain)
{
	end_write(p);
	g_array_sort(p->reads, by_place);
	count_reads(p, &p->plain, true);
	if (!in_vain)
		count_reads(p, &p->notified, false);
	g_array_set_size(p->reads, 0);
}

void pcie_message(struct pcie *p)
{
	count_write(&p->plain, 0, WORD);
	count_write(&p->notified, 0, WORD);
}
