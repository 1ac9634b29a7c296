/*
 * What a guest may show libslirp, beyond what its ring may hold.
 *
 * libslirp puts IPv4 fragments together, keeps what is incomplete for half a minute, and looks from end
 * to end for where a new one belongs: how many it keeps is the guest's choice. So it is shown only so
 * many a second; others are lost, as on a congested path. TCP in fragments, which no stack needs to
 * send, is not shown at all.
 *
 * Its care for TCP's urgent data is old and was found wanting (CVE-2026-9539: reads far beyond a buffer,
 * before version 4.9.2). Urgent data is nothing but data with a mark, so the mark is taken off.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_GUARD_BURST  2048u /* fragments at once; */
#define NET_GUARD_SECOND 256u  /* then so many a second */

struct net_guard {
	int64_t time; /* of the last refill, microseconds; 0: none yet */
	unsigned left;
};

/* False: the frame is not for libslirp. @frame may be altered, so it is no memory of the guest's. @now:
 * microseconds, monotonic. */
bool net_guard_pass(struct net_guard *g, int64_t now, uint8_t *frame, size_t len);
