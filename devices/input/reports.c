#include "devices/input/reports.h"

void input_reports_init(struct input_reports *r)
{
	pthread_mutex_init(&r->lock, NULL);
}

void input_reports_fini(struct input_reports *r)
{
	pthread_mutex_destroy(&r->lock);
}

void input_reports_listen(struct input_reports *r, bool on)
{
	pthread_mutex_lock(&r->lock);
	r->listening = on;
	r->head = 0;
	r->len = 0;
	pthread_mutex_unlock(&r->lock);
}

bool input_reports_put(struct input_reports *r, const struct input_ev *events, unsigned n)
{
	bool fits;

	pthread_mutex_lock(&r->lock);
	fits = r->listening && n <= INPUT_WAITING_MAX - r->len;
	for (unsigned i = 0; fits && i < n; i++)
		r->ring[(r->head + r->len++) % INPUT_WAITING_MAX] = events[i];
	if (r->listening && !fits)
		r->dropped++;
	pthread_mutex_unlock(&r->lock);
	return fits;
}

unsigned input_reports_first(struct input_reports *r, struct input_ev *report)
{
	unsigned n = 0;

	pthread_mutex_lock(&r->lock);
	while (n < r->len) {
		report[n] = r->ring[(r->head + n) % INPUT_WAITING_MAX];
		if (input_ends_report(&report[n++]))
			break;
	}
	pthread_mutex_unlock(&r->lock);
	return n;
}

void input_reports_forget(struct input_reports *r, unsigned n, bool dropped)
{
	pthread_mutex_lock(&r->lock);
	r->head = (r->head + n) % INPUT_WAITING_MAX;
	r->len -= n;
	r->dropped += dropped;
	pthread_mutex_unlock(&r->lock);
}
