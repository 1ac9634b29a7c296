#include "devices/base/log-limit.h"

#define PERIOD_US (LOG_LIMIT_PERIOD * INT64_C(1000))

static void log_limit_refill(struct log_limit *l, int64_t now)
{
	int64_t more;

	if (!l->began) {
		*l = (struct log_limit){ .time = now, .tokens = LOG_LIMIT_LINES, .began = true };
		return;
	}
	more = (now - l->time) / PERIOD_US;
	if (more <= 0)
		return;
	l->time += more * PERIOD_US;
	l->tokens = more < LOG_LIMIT_LINES - l->tokens ? l->tokens + (unsigned)more
						       : LOG_LIMIT_LINES;
}

bool log_limit_pass(struct log_limit *l, int64_t now, unsigned *ret_dropped)
{
	log_limit_refill(l, now);
	*ret_dropped = l->dropped;
	if (!l->tokens) {
		l->dropped++;
		return false;
	}
	l->tokens--;
	l->dropped = 0;
	return true;
}
