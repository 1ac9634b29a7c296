/*
 * The rings' code, compiled once more so that it reports each access to memory.
 *
 * The compiler's thread sanitizer puts a call before every load and store. The Makefile compiles
 * virtqueue/ and virtqueue/driver/ so into traced.o, where every symbol begins with traced_, and in
 * the place of the sanitizer's library there is trace.c. So what is counted is what the very code
 * does, after the optimizer; and the copy that everybody else uses knows nothing of it.
 *
 * A file that includes this one works on the traced copy.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define drv_add_batch      traced_drv_add_batch
#define drv_disable_notify traced_drv_disable_notify
#define drv_enable_notify  traced_drv_enable_notify
#define drv_publish        traced_drv_publish
#define drv_used_batch     traced_drv_used_batch
#define drv_vq_init        traced_drv_vq_init
#define gmem_add           traced_gmem_add
#define vq_disable_notify  traced_vq_disable_notify
#define vq_enable_notify   traced_vq_enable_notify
#define vq_fault_text      traced_vq_fault_text
#define vq_free            traced_vq_free
#define vq_new             traced_vq_new
#define vq_pop             traced_vq_pop
#define vq_publish         traced_vq_publish
#define vq_push            traced_vq_push
#define vq_start           traced_vq_start
#define vq_stop            traced_vq_stop

enum trace_access {
	TRACE_READ,
	TRACE_WRITE,
	TRACE_FETCH, /* of a line that is going to be written, by prefetchw */
};

/* Whom accesses to the @len bytes at @base are reported to, as offsets; NULL: nobody. One thread at
 * a time. */
typedef void (*trace_fn)(void *opaque, enum trace_access what, size_t offset, size_t len);
void trace_to(trace_fn report, void *opaque, const void *base, size_t len);
