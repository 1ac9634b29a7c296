/*
 * The kernel's vhost for every test program, in the place of devices/vhost/sys.c: devices of net
 * and vsock, each with a thread that serves its rings with virtqueue/ as the kernel's does with its
 * own code. A net device moves frames between its rings and a real tap; a vsock device gives what
 * it gets on one ring back on the other. It refuses what Linux refuses, out of order calls first.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What every device of the kernel's that is opened from now on has; both formats of rings and all
 * that goes with them, until it is said. */
#define VHOST_KERNEL_ALL UINT64_MAX
void vhost_kernel_features(uint64_t only);

/* What open() of its files fails with from now on; 0: it does not. */
void vhost_kernel_absent(int errnum);

/* The next call of @request fails with @errnum; 0: none does. */
void vhost_kernel_fail(unsigned long request, int errnum);

/* The calls since this was last asked, by their names without VHOST_, in order and with blanks
 * between. Free with g_free(). */
char *vhost_kernel_calls(void);

/* Of the device that was opened last: */
uint64_t vhost_kernel_features_set(void);
uint64_t vhost_kernel_cid(void);
bool vhost_kernel_runs(unsigned ring);
/* It says that it cannot go on with the ring. */
void vhost_kernel_break(unsigned ring);
