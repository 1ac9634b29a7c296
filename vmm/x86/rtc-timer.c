#include "vmm/x86/rtc-timer.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/base/error.h"

#define SECOND ((int64_t)G_USEC_PER_SEC)

/* However many periods are over: a guest that is late gets one interrupt for them. */
static void rtc_timer_over(void *arg, GIOCondition revents)
{
	struct rtc_timer *t = arg;
	uint64_t periods;

	(void)revents;
	if (read(t->fd, &periods, sizeof(periods)) == sizeof(periods))
		rtc_tick(t->rtc);
}

bool rtc_timer_open(struct rtc_timer *t, struct loop *main, struct rtc *rtc, GError **err)
{
	t->rtc = rtc;
	t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (t->fd < 0)
		return ringside_error_errno(err, errno, "timerfd");
	t->source = loop_watch(main, t->fd, G_IO_IN, rtc_timer_over, t);
	return true;
}

void rtc_timer_close(struct rtc_timer *t)
{
	if (!t->source)
		return;
	loop_unwatch(t->source);
	close(t->fd);
	t->source = NULL;
}

void rtc_timer_set(struct rtc_timer *t, int64_t us)
{
	const struct timespec every = { us / SECOND, us % SECOND * 1000 };
	const struct itimerspec when = { .it_interval = every, .it_value = every };

	(void)timerfd_settime(t->fd, 0, &when, NULL);
}
