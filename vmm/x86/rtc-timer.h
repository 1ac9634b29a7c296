/*
 * The ticks of the clock's periodic interrupt, from a timer of the host's on the main loop. It is
 * set from whatever thread the guest asks on, and costs nothing while nobody does.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "devices/base/loop.h"
#include "vmm/x86/rtc.h"

struct rtc_timer {
	int fd; /* -1: there is none */
	GSource *source;
	struct rtc *rtc;
};

/* False with a host error. @rtc outlives it. */
bool rtc_timer_open(struct rtc_timer *t, struct loop *main, struct rtc *rtc, GError **err);
void rtc_timer_close(struct rtc_timer *t); /* fine if it was not opened, but zeroed */

/* From now on every @us microseconds; 0: not any more. From any thread. */
void rtc_timer_set(struct rtc_timer *t, int64_t us);
