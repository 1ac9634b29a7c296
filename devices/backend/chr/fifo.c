#include "devices/backend/chr/fifo.h"

#include <glib.h>
#include <string.h>

void chr_fifo_init(struct chr_fifo *f, size_t max)
{
	*f = (struct chr_fifo){ .max = max };
}

void chr_fifo_free(struct chr_fifo *f)
{
	g_clear_pointer(&f->bytes, g_free);
	f->head = 0;
	f->len = 0;
}

size_t chr_fifo_put(struct chr_fifo *f, const void *src, size_t len)
{
	size_t n = MIN(len, f->max - f->len);
	size_t tail, first;

	if (n == 0)
		return 0;
	if (!f->bytes)
		f->bytes = g_malloc(f->max);
	tail = (f->head + f->len) % f->max;
	first = MIN(n, f->max - tail);
	memcpy(f->bytes + tail, src, first);
	memcpy(f->bytes, (const uint8_t *)src + first, n - first);
	f->len += n;
	return n;
}

void chr_fifo_force(struct chr_fifo *f, const void *src, size_t len)
{
	if (len > f->max) {
		src = (const uint8_t *)src + (len - f->max);
		len = f->max;
	}
	if (len > f->max - f->len)
		chr_fifo_drop(f, len - (f->max - f->len));
	chr_fifo_put(f, src, len);
}

const uint8_t *chr_fifo_peek(const struct chr_fifo *f, size_t *ret_len)
{
	*ret_len = MIN(f->len, f->max - f->head);
	return f->bytes ? f->bytes + f->head : NULL;
}

void chr_fifo_drop(struct chr_fifo *f, size_t len)
{
	g_assert(len <= f->len);
	f->len -= len;
	f->head = f->len ? (f->head + len) % f->max : 0;
}
