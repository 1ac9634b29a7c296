/*
 * Moving bytes between a device and a chain.
 *
 * After a copy out of the chain the compiler may not look at the guest's bytes again:
 * what the device judges is the copy.
 */
#include "virtqueue/chain.h"

#include <string.h>

#include "virtqueue/vq-impl.h"

static void vq_cursor_step(struct vq_cursor *cur, size_t n)
{
	cur->left -= n;
	cur->iov->iov_base = (uint8_t *)cur->iov->iov_base + n;
	cur->iov->iov_len -= n;
	if (cur->iov->iov_len == 0) {
		cur->iov++;
		cur->n--;
	}
}

static size_t vq_cursor_here(const struct vq_cursor *cur, size_t len)
{
	return cur->iov->iov_len < len ? cur->iov->iov_len : len;
}

/* Steps over @len bytes; there are as many. */
static void vq_cursor_advance(struct vq_cursor *cur, size_t len)
{
	while (len) {
		size_t n = vq_cursor_here(cur, len);

		vq_cursor_step(cur, n);
		len -= n;
	}
}

/* Copies @len bytes; there are as many. */
static void vq_cursor_pull(struct vq_cursor *cur, uint8_t *to, size_t len)
{
	while (len) {
		size_t n = vq_cursor_here(cur, len);

		memcpy(to, cur->iov->iov_base, n);
		vq_cursor_step(cur, n);
		to += n;
		len -= n;
	}
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/*
 * Copies fewer than 16 bytes in pieces that follow each other. Those of memcpy() overlap, so that
 * one may be a load of what was stored in two pieces; such a load waits until both are in the
 * cache, and before them all that was written to lines which a driver's processor has.
 */
static void vq_copy_short(uint8_t *to, const uint8_t *from, size_t n)
{
	if (n & 8) {
		memcpy(to, from, 8);
		to += 8, from += 8;
	}
	if (n & 4) {
		memcpy(to, from, 4);
		to += 4, from += 4;
	}
	if (n & 2) {
		memcpy(to, from, 2);
		to += 2, from += 2;
	}
	if (n & 1)
		*to = *from;
}

static void vq_cursor_put(struct vq_cursor *cur, const uint8_t *from, size_t len)
{
	while (len) {
		size_t n = vq_cursor_here(cur, len);

		if (n < 16)
			vq_copy_short(cur->iov->iov_base, from, n);
		else
			memcpy(cur->iov->iov_base, from, n);
		vq_cursor_step(cur, n);
		from += n;
		len -= n;
	}
}

void *vq_chain_request(struct vq_chain *c)
{
	return vq_slot_of(c) + 1;
}

bool vq_pull(struct vq_chain *c, void *dst, size_t len)
{
	if (c->rd.left < len)
		return false;
	vq_cursor_pull(&c->rd, dst, len);
	return true;
}

size_t vq_pull_some(struct vq_chain *c, void *dst, size_t len)
{
	if (len > c->rd.left)
		len = c->rd.left;
	vq_cursor_pull(&c->rd, dst, len);
	return len;
}

bool vq_skip(struct vq_chain *c, size_t len)
{
	if (c->rd.left < len)
		return false;
	vq_cursor_advance(&c->rd, len);
	return true;
}

bool vq_put(struct vq_chain *c, const void *src, size_t len)
{
	if (c->wr.left < len)
		return false;
	vq_cursor_put(&c->wr, src, len);
	c->written += len;
	return true;
}

size_t vq_put_some(struct vq_chain *c, const void *src, size_t len)
{
	if (len > c->wr.left)
		len = c->wr.left;
	vq_cursor_put(&c->wr, src, len);
	c->written += len;
	return len;
}

bool vq_put_zeroes(struct vq_chain *c, size_t len)
{
	if (c->wr.left < len)
		return false;
	c->written += len;
	while (len) {
		size_t n = vq_cursor_here(&c->wr, len);

		memset(c->wr.iov->iov_base, 0, n);
		vq_cursor_step(&c->wr, n);
		len -= n;
	}
	return true;
}

bool vq_wrote(struct vq_chain *c, size_t len)
{
	if (c->wr.left < len)
		return false;
	vq_cursor_advance(&c->wr, len);
	c->written += len;
	return true;
}

bool vq_take_last(struct vq_cursor *cur, size_t len, struct iovec *ret_last)
{
	struct iovec *last = cur->n ? &cur->iov[cur->n - 1] : NULL;

	if (!last || last->iov_len < len)
		return false;
	last->iov_len -= len;
	cur->left -= len;
	*ret_last = (struct iovec){
		.iov_base = (uint8_t *)last->iov_base + last->iov_len,
		.iov_len = len,
	};
	if (last->iov_len == 0)
		cur->n--;
	return true;
}

void vq_put_last(struct vq_chain *c, const struct iovec *last, const void *src)
{
	memcpy(last->iov_base, src, last->iov_len);
	if (c->vq->log) /* it may have been cut off before the log was switched on */
		gmem_mark_at(c->vq->mem, last->iov_base, last->iov_len);
	if (c->wr.left == 0)
		c->written += last->iov_len;
}
