/*
 * A bounded queue of reports (events up to a SYN_REPORT) between whoever makes them, in any thread,
 * and the loop that gives them to the guest. A report goes in whole or is dropped whole.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/backend/input/model.h"
#include "devices/input/input.h"

#define INPUT_WAITING_MAX 1024u /* events */

struct input_reports {
	pthread_mutex_t lock;
	struct input_ev ring[INPUT_WAITING_MAX];
	unsigned head, len;
	uint64_t dropped;
	bool listening; /* somebody takes them out */
};

void input_reports_init(struct input_reports *r);
void input_reports_fini(struct input_reports *r);

/* Somebody listens from now on, or nobody does any more; what was waiting is forgotten. */
void input_reports_listen(struct input_reports *r, bool on);

/* Appends @n events, of which the last and only the last ends a report; n <= INPUT_REPORT_MAX.
 * False if nobody listens, or there is no room: then it counts as dropped. */
bool input_reports_put(struct input_reports *r, const struct input_ev *events, unsigned n);

/* Copies the oldest report to @report[INPUT_REPORT_MAX]; returns its events, 0 if there is none. */
unsigned input_reports_first(struct input_reports *r, struct input_ev *report);

/* Forgets the oldest report, of @n events; @dropped: nobody got it. */
void input_reports_forget(struct input_reports *r, unsigned n, bool dropped);

static inline bool input_ends_report(const struct input_ev *ev)
{
	return ev->type == EV_SYN && ev->code == SYN_REPORT;
}
