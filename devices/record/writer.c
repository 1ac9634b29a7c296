/*
 * The writer: a thread that takes from all rings what lies there, in the order of time, and writes
 * it to the file in blocks.
 *
 * In a round it takes all that happened before the round began. A thread that was held up between
 * looking at the clock and putting its event into its ring comes too late for that: such an event
 * follows in a later round, with its own time.
 *
 * A block is written when it is full, or BLOCK_AGE old, by one pwrite() where the last whole one
 * ended. When the host refuses it (a full disk), its events count as lost, and the next block is
 * tried in the same place: what is in the file stays readable.
 */
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "devices/record/record-int.h"

#define BLOCK_FULL (RECORD_BLOCK_MAX / 2) /* so that any event still fits */
#define BLOCK_AGE  100000000u             /* ns */
#define SLEEP      10000000               /* ns, where nobody wakes it */

G_STATIC_ASSERT(RECORD_BLOCK_MAX - BLOCK_FULL > RECORD_PAYLOAD_MAX + 100);
G_STATIC_ASSERT(RECORD_BLOCK_MAX - BLOCK_FULL > RECORD_BUFS_MAX * 16 + 100);

const struct syscall_use recorder_writer_syscalls[] = {
	{ .name = "pwrite64" },
	{ .name = NULL },
};

/*
 * Sleeping.
 */
static void record_futex(struct recorder *r, int op, uint32_t value, const struct timespec *timeout)
{
	(void)syscall(SYS_futex, &r->sleeping, op | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

void record_wake(struct recorder *r)
{
	if (atomic_load_explicit(&r->sleeping, memory_order_relaxed) &&
	    atomic_exchange(&r->sleeping, 0))
		record_futex(r, FUTEX_WAKE, 1, NULL);
}

static void record_sleep(struct recorder *r)
{
	atomic_store(&r->sleeping, 1);
	if (!atomic_load(&r->stop))
		record_futex(r, FUTEX_WAIT, 1, &(struct timespec){ .tv_nsec = SLEEP });
	atomic_store(&r->sleeping, 0);
}

uint64_t record_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/*
 * Blocks.
 */
static void record_refused(struct recorder *r, int errnum)
{
	if (!r->refused)
		g_message("--record %s: %s", r->options.file, g_strerror(errnum));
	r->refused = true;
}

static bool record_write(struct recorder *r, const struct record_block *head)
{
	size_t all = sizeof(*head) + r->w.n;
	uint8_t *at = r->w.body - sizeof(*head);

	memcpy(at, head, sizeof(*head));
	for (size_t done = 0; done < all;) {
		ssize_t n = pwrite(r->fd, at + done, all - done, (off_t)(r->offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			record_refused(r, n < 0 ? errno : EIO);
			return false;
		}
		done += (size_t)n;
	}
	r->offset += all;
	return true;
}

void record_flush(struct recorder *r)
{
	struct record_writing *w = &r->w;
	struct record_block head = {
		.magic = cpu_le32(RECORD_BLOCK_MAGIC),
		.bytes = cpu_le32((uint32_t)w->n),
		.time = cpu_le64(w->first),
		.number = cpu_le32(r->number),
		.events = cpu_le32(w->events),
		.body_check = cpu_le32(record_check(w->body, w->n)),
	};

	if (!w->events)
		return;
	head.check = cpu_le32(record_check(&head, offsetof(struct record_block, check)));
	if (record_write(r, &head)) {
		r->number++;
		r->events += w->events;
	} else {
		r->lost += w->events - w->losses;
		r->unwritten += w->events - w->losses + w->lost;
		for (unsigned i = 0; i < RECORD_RINGS; i++)
			r->ring[i].told = false;
	}
	record_encode_begin(w);
}

/* What the file lacks, as soon as it can be said there. */
static void record_tell_unwritten(struct recorder *r, uint64_t time)
{
	if (!r->unwritten)
		return;
	record_encode_lost(&r->w, time, r->w.thread, r->unwritten);
	r->unwritten = 0;
}

static void record_take(struct recorder *r, struct record_ring *ring, const struct record_raw *raw)
{
	unsigned thread = (unsigned)(ring - r->ring);

	if (r->w.n > BLOCK_FULL)
		record_flush(r);
	record_tell_unwritten(r, raw->time);
	if (!ring->told)
		record_encode_thread(&r->w, ring, thread, raw->time);
	ring->told = true;
	if (raw->type == RECORD_LOST)
		r->lost += raw->arg[0];
	record_encode(&r->w, raw, thread);
	record_ring_took(ring, raw);
}

/*
 * Rounds.
 */
/* The ring whose event is the oldest, if that lies before @end, with the time up to which it stays
 * so. */
static struct record_ring *record_oldest(struct recorder *r, uint64_t end, uint64_t *ret_until)
{
	unsigned n = MIN(atomic_load_explicit(&r->n_rings, memory_order_acquire), RECORD_RINGS);
	struct record_ring *best = NULL;
	uint64_t first = end, second = end;

	for (unsigned i = 0; i < n; i++) {
		struct record_ring *ring = &r->ring[i];
		const struct record_raw *raw = atomic_load_explicit(&ring->ready,
								    memory_order_acquire)
						       ? record_ring_peek(ring)
						       : NULL;

		if (!raw || raw->time >= second)
			continue;
		if (raw->time < first) {
			second = first;
			first = raw->time;
			best = ring;
		} else {
			second = raw->time;
		}
	}
	*ret_until = second;
	return best;
}

unsigned record_drain(struct recorder *r)
{
	uint64_t end = record_now(), until;
	struct record_ring *ring;
	unsigned n = 0;

	while ((ring = record_oldest(r, end, &until))) {
		const struct record_raw *raw;

		do {
			raw = record_ring_peek(ring);
			if (raw && (raw->time <= until && raw->time < end)) {
				record_take(r, ring, raw);
				n++;
			} else {
				raw = NULL;
			}
		} while (raw);
	}
	return n;
}

void record_end(struct recorder *r)
{
	uint64_t lost = atomic_load(&r->homeless);

	record_drain(r);
	for (unsigned i = 0; i < RECORD_RINGS; i++)
		lost += atomic_load(&r->ring[i].untold);
	r->lost += lost;
	r->unwritten += lost;
	if (r->w.n > BLOCK_FULL)
		record_flush(r);
	record_tell_unwritten(r, record_now());
	record_encode_end(&r->w, record_now(), r->events + r->w.events, r->lost);
	record_flush(r);
}

void *record_writer(void *recorder)
{
	struct recorder *r = recorder;

	pthread_setname_np(pthread_self(), "record");
	if (r->first)
		r->first(r->first_arg);
	while (!atomic_load(&r->stop)) {
		if (record_drain(r))
			continue;
		if (r->w.events && record_now() - r->w.first > BLOCK_AGE)
			record_flush(r);
		record_sleep(r);
	}
	record_end(r);
	return NULL;
}
