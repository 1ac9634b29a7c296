/*
 * What a loop watches. A source of our own kind: one descriptor, no preparation, no allocation in a
 * turn.
 *
 * poll() reports errors and hang-ups of whatever it is given, asked or not, and a hang-up lasts: a
 * paused watch therefore has its descriptor out of the poll set.
 */
#include "devices/base/loop.h"

struct watch {
	GSource source;
	int fd;
	void *tag; /* of fd in the poll set; NULL: paused */
	GIOCondition events;
	loop_watch_fn fn;
	void *arg;
};

static gboolean loop_watch_check(GSource *source)
{
	struct watch *w = (struct watch *)source;

	return w->tag && g_source_query_unix_fd(source, w->tag) != 0;
}

static gboolean loop_watch_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	struct watch *w = (struct watch *)source;
	GIOCondition revents = w->tag ? g_source_query_unix_fd(source, w->tag) : 0;

	(void)callback;
	(void)data;
	if (revents) /* else somebody before us in this turn paused it */
		w->fn(w->arg, revents);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs watch_funcs = { .check = loop_watch_check, .dispatch = loop_watch_dispatch };

GSource *loop_watch(struct loop *loop, int fd, GIOCondition events, loop_watch_fn fn, void *arg)
{
	GSource *source = g_source_new(&watch_funcs, sizeof(struct watch));
	struct watch *w = (struct watch *)source;

	w->fd = fd;
	w->fn = fn;
	w->arg = arg;
	loop_watch_events(source, events);
	/* Nothing here recurses; without this GLib takes the descriptor out of its poll set around
	 * each dispatch and wakes itself up twice: four system calls and a turn of the loop for
	 * nothing. */
	g_source_set_can_recurse(source, TRUE);
	g_source_attach(source, loop_context(loop));
	return source;
}

void loop_watch_events(GSource *source, GIOCondition events)
{
	struct watch *w = (struct watch *)source;

	if (events == w->events)
		return;
	w->events = events;
	if (!events)
		g_source_remove_unix_fd(source, g_steal_pointer(&w->tag));
	else if (w->tag)
		g_source_modify_unix_fd(source, w->tag, events);
	else
		w->tag = g_source_add_unix_fd(source, w->fd, events);
}

/* The loop's thread may be about to ask the source something: nobody else may take it away. */
static bool loop_watch_may_end(GSource *source)
{
	GMainContext *context = g_source_get_context(source);
	bool ret = g_main_context_acquire(context);

	if (ret)
		g_main_context_release(context);
	return ret;
}

void loop_unwatch(GSource *source)
{
	if (!source)
		return;
	if (!g_source_is_destroyed(source) && !loop_watch_may_end(source))
		g_critical("a watch is taken from a loop that runs on another thread");
	g_source_destroy(source);
	g_source_unref(source);
}
