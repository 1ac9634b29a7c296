/*
 * What the traced copy of the rings' code calls (see trace.h): the thread sanitizer's interface, as
 * compilers emit calls to it, under other names (__tsan_read8 is traced_read8 here). Atomic
 * accesses are calls that have to carry them out, too.
 */
#include "tools/bench/trace.h"

#include <stdint.h>

#include "virtqueue/vring.h"

static struct {
	trace_fn report;
	void *opaque;
	uintptr_t base;
	size_t len;
} trace;

void trace_to(trace_fn report, void *opaque, const void *base, size_t len)
{
	trace.report = report;
	trace.opaque = opaque;
	trace.base = (uintptr_t)base;
	trace.len = len;
}

static void seen(enum trace_access what, const volatile void *at, size_t len)
{
	uintptr_t offset = (uintptr_t)at - trace.base;

	if (trace.report && offset < trace.len)
		trace.report(trace.opaque, what, offset, len);
}

void traced_init(void);
void traced_init(void)
{
}

void traced_func_entry(void *from);
void traced_func_entry(void *from)
{
	(void)from;
}

void traced_func_exit(void);
void traced_func_exit(void)
{
}

void traced_read_range(void *at, size_t len);
void traced_read_range(void *at, size_t len)
{
	seen(TRACE_READ, at, len);
}

void traced_write_range(void *at, size_t len);
void traced_write_range(void *at, size_t len)
{
	seen(TRACE_WRITE, at, len);
}

/* vring_fetch_line() calls this in the traced copy. */
void traced_prefetch(const void *at);
void traced_prefetch(const void *at)
{
	seen(TRACE_FETCH, at, 1);
}

#define PLAIN(name, what, len)       \
	void traced_##name(void *);  \
	void traced_##name(void *at) \
	{                            \
		seen(what, at, len); \
	}

PLAIN(read1, TRACE_READ, 1)
PLAIN(read2, TRACE_READ, 2)
PLAIN(read4, TRACE_READ, 4)
PLAIN(read8, TRACE_READ, 8)
PLAIN(read16, TRACE_READ, 16)
PLAIN(write1, TRACE_WRITE, 1)
PLAIN(write2, TRACE_WRITE, 2)
PLAIN(write4, TRACE_WRITE, 4)
PLAIN(write8, TRACE_WRITE, 8)
PLAIN(write16, TRACE_WRITE, 16)
PLAIN(unaligned_read2, TRACE_READ, 2)
PLAIN(unaligned_read4, TRACE_READ, 4)
PLAIN(unaligned_read8, TRACE_READ, 8)
PLAIN(unaligned_read16, TRACE_READ, 16)
PLAIN(unaligned_write2, TRACE_WRITE, 2)
PLAIN(unaligned_write4, TRACE_WRITE, 4)
PLAIN(unaligned_write8, TRACE_WRITE, 8)
PLAIN(unaligned_write16, TRACE_WRITE, 16)

#define ATOMIC(bits)                                                                               \
	uint##bits##_t traced_atomic##bits##_load(const volatile uint##bits##_t *, int);           \
	uint##bits##_t traced_atomic##bits##_load(const volatile uint##bits##_t *at, int order)    \
	{                                                                                          \
		(void)order;                                                                       \
		seen(TRACE_READ, at, sizeof(*at));                                                 \
		return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                      \
	}                                                                                          \
	void traced_atomic##bits##_store(volatile uint##bits##_t *, uint##bits##_t, int);          \
	void traced_atomic##bits##_store(volatile uint##bits##_t *at, uint##bits##_t v, int order) \
	{                                                                                          \
		(void)order;                                                                       \
		seen(TRACE_WRITE, at, sizeof(*at));                                                \
		__atomic_store_n(at, v, __ATOMIC_SEQ_CST);                                         \
	}

ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

uint64_t traced_atomic64_exchange(volatile uint64_t *, uint64_t, int);
uint64_t traced_atomic64_exchange(volatile uint64_t *at, uint64_t v, int order)
{
	(void)order;
	seen(TRACE_WRITE, at, sizeof(*at));
	return __atomic_exchange_n(at, v, __ATOMIC_SEQ_CST);
}

uint64_t traced_atomic64_fetch_or(volatile uint64_t *, uint64_t, int);
uint64_t traced_atomic64_fetch_or(volatile uint64_t *at, uint64_t v, int order)
{
	(void)order;
	seen(TRACE_WRITE, at, sizeof(*at));
	return __atomic_fetch_or(at, v, __ATOMIC_SEQ_CST);
}

void traced_atomic_thread_fence(int);
void traced_atomic_thread_fence(int order)
{
	(void)order;
	vring_full_barrier();
}

void traced_atomic_signal_fence(int);
void traced_atomic_signal_fence(int order)
{
	(void)order;
	__asm__ volatile("" : : : "memory");
}
