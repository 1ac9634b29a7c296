#include "vmm/console/gather.h"

#include <errno.h>
#include <pthread.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/base/error.h"

#define GATHER_NS  1000000      /* how long printed bytes may wait for company */
#define BUFFER_MAX (256u << 10) /* then the vCPU waits for the host's reader */

struct gather {
	struct chr *chr;
	const struct gather_ops *ops;
	void *opaque;

	pthread_mutex_t lock; /* of these: */
	pthread_cond_t drained;
	GByteArray *gathered; /* by vCPUs */
	bool unthrottled;

	GByteArray *writing; /* on the main thread: taken from gathered */
	size_t written;      /* of it */
	int timer;           /* goes off when gathered has waited long enough */
	GSource *timer_watch;
};

/*
 * From the guest.
 */
static void start_timer(struct gather *g)
{
	static const struct itimerspec soon = { .it_value.tv_nsec = GATHER_NS };

	(void)timerfd_settime(g->timer, 0, &soon, NULL);
}

void gather_put(struct gather *g, const uint8_t *data, size_t len)
{
	bool first;

	pthread_mutex_lock(&g->lock);
	first = g->gathered->len == 0;
	g_byte_array_append(g->gathered, data, (guint)len);
	pthread_mutex_unlock(&g->lock);
	if (first)
		start_timer(g);
}

void gather_wait(struct gather *g)
{
	pthread_mutex_lock(&g->lock);
	while (g->gathered->len >= BUFFER_MAX && !g->unthrottled)
		pthread_cond_wait(&g->drained, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

void gather_unthrottle(struct gather *g, bool unthrottled)
{
	pthread_mutex_lock(&g->lock);
	g->unthrottled = unthrottled;
	pthread_cond_broadcast(&g->drained);
	pthread_mutex_unlock(&g->lock);
}

/*
 * To the host.
 */

/* Takes over what was gathered. False if there is nothing to write. */
static bool next_batch(struct gather *g)
{
	GByteArray *empty = g->writing;

	if (g->written < g->writing->len)
		return true;
	g_byte_array_set_size(empty, 0);
	g->written = 0;
	pthread_mutex_lock(&g->lock);
	g->writing = g->gathered;
	g->gathered = empty;
	pthread_cond_broadcast(&g->drained);
	pthread_mutex_unlock(&g->lock);
	if (g->writing->len && g->ops->printed)
		g->ops->printed(g->opaque, g->writing->data, g->writing->len);
	return g->writing->len != 0;
}

bool gather_pending(const struct gather *g)
{
	return g->written < g->writing->len;
}

/* Writes what there is, as far as the host takes it. False if it takes no more, or there was
 * nothing. */
static bool write_batch(struct gather *g)
{
	bool some = next_batch(g);

	if (some)
		g->written += chr_write(g->chr, g->writing->data + g->written,
					g->writing->len - g->written);
	g->ops->want(g->opaque, gather_pending(g));
	return some && !gather_pending(g);
}

void gather_flush(struct gather *g)
{
	while (write_batch(g))
		;
}

/* One batch: processors that print without end leave the loop to others. */
void gather_writable(struct gather *g)
{
	bool more;

	if (!write_batch(g))
		return;
	pthread_mutex_lock(&g->lock);
	more = g->gathered->len != 0;
	pthread_mutex_unlock(&g->lock);
	if (more) /* its timer may have gone off while the host was full */
		start_timer(g);
}

static void on_timer(void *arg, GIOCondition revents)
{
	struct gather *g = arg;
	uint64_t count;

	(void)revents;
	(void)!read(g->timer, &count, sizeof(count));
	gather_writable(g);
}

struct gather *gather_new(struct chr *chr, struct loop *main, const struct gather_ops *ops,
			  void *opaque, const char *name, GError **err)
{
	struct gather *g = g_new0(struct gather, 1);

	g->chr = chr;
	g->ops = ops;
	g->opaque = opaque;
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->drained, NULL);
	g->gathered = g_byte_array_new();
	g->writing = g_byte_array_new();
	g->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (g->timer < 0) {
		ringside_error_errno(err, errno, "%s: timerfd", name);
		gather_free(g);
		return NULL;
	}
	g->timer_watch = loop_watch(main, g->timer, G_IO_IN, on_timer, g);
	return g;
}

void gather_free(struct gather *g)
{
	if (!g)
		return;
	if (g->timer_watch)
		gather_flush(g);
	loop_unwatch(g->timer_watch);
	if (g->timer >= 0)
		close(g->timer);
	g_byte_array_unref(g->gathered);
	g_byte_array_unref(g->writing);
	pthread_cond_destroy(&g->drained);
	pthread_mutex_destroy(&g->lock);
	g_free(g);
}
