/*
 * The watches of loops (devices/base/loop.h), in the place of those on GLib's sources. A queue's
 * start and stop make and end one each, and each turn of a loop asks all of them: with GLib that
 * was a fifth of a run.
 *
 * They are asked and served as GLib does it: first all are asked, then those that had something to
 * say are served in the order in which they were made, but for those that are gone or paused by
 * then. A context has one source for all its watches, for loops that have other sources besides.
 */
#include <string.h>

#include "devices/base/loop.h"
#include "tools/fuzz/host/host-int.h"
#include "tools/fuzz/language/trace.h"

#define WATCHES 4096u /* of all fixtures together */
#define LOOPS   256u

struct watch {
	int fd;
	GIOCondition events;
	loop_watch_fn fn;
	void *arg;
	struct watches *of;
	struct watch *next, **link;
	uint64_t serial; /* 0: nobody's */
};

/* Those of one context. */
struct watches {
	GMainContext *context; /* NULL: free */
	GSource *source;
	struct watch *first, **last;
};

/* File-scope for the same reason as in host.c. */
static struct {
	struct watch watch[WATCHES];
	struct watch *free;
	unsigned n;
	uint64_t serial;
	struct watches loop[LOOPS];
	struct watches *found; /* last */
} all;

/*
 * A turn.
 */
static GIOCondition host_loop_has(const struct watch *w)
{
	return w->events ? host_ready_for(w->fd, w->events) : 0;
}

static bool any_ready(const struct watches *l)
{
	for (const struct watch *w = l->first; w; w = w->next)
		if (host_loop_has(w))
			return true;
	return false;
}

#define AT_ONCE 64u

static bool host_loop_turn(const struct watches *l)
{
	struct {
		struct watch *w;
		uint64_t serial;
		GIOCondition has;
	} ready[AT_ONCE];
	unsigned n = 0;

	for (struct watch *w = l->first; w && n < AT_ONCE; w = w->next) {
		ready[n].w = w;
		ready[n].serial = w->serial;
		ready[n].has = host_loop_has(w);
		n += ready[n].has != 0;
	}
	for (unsigned i = 0; i < n; i++)
		if (ready[i].w->serial == ready[i].serial && ready[i].w->events)
			ready[i].w->fn(ready[i].w->arg, ready[i].has);
	return n > 0;
}

static struct watches *host_loop_find(GMainContext *context)
{
	if (all.found && all.found->context == context)
		return all.found;
	for (unsigned i = 0; i < LOOPS; i++)
		if (all.loop[i].context == context)
			return all.found = &all.loop[i];
	return NULL;
}

bool host_turn(void)
{
	struct watches *l = host_loop_find(host.context);

	return l && host_loop_turn(l);
}

/*
 * For GLib.
 */
struct watches_source {
	GSource source;
	struct watches *of;
};

static gboolean source_prepare(GSource *source, gint *timeout)
{
	*timeout = -1;
	return any_ready(((struct watches_source *)source)->of);
}

static gboolean source_check(GSource *source)
{
	return any_ready(((struct watches_source *)source)->of);
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
	(void)callback;
	(void)data;
	(void)host_loop_turn(((struct watches_source *)source)->of);
	return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = { .prepare = source_prepare,
				     .check = source_check,
				     .dispatch = source_dispatch };

static struct watches *host_loop_make(GMainContext *context)
{
	struct watches *l = host_loop_find(NULL);

	if (!l) {
		fuzz_bug("more loops than there are places for");
		return NULL; /* cppcheck does not know that nobody comes here */
	}
	l->context = context;
	l->last = &l->first;
	l->source = g_source_new(&source_funcs, sizeof(struct watches_source));
	((struct watches_source *)l->source)->of = l;
	g_source_set_can_recurse(l->source, TRUE);
	g_source_attach(l->source, context);
	return l;
}

static void host_loop_end(struct watches *l)
{
	g_source_destroy(l->source);
	g_source_unref(l->source);
	*l = (struct watches){ 0 };
}

/*
 * loop.h's.
 */

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
GSource *__wrap_loop_watch(struct loop *loop, int fd, GIOCondition events, loop_watch_fn fn,
			   void *arg);
GSource *__wrap_loop_watch(struct loop *loop, int fd, GIOCondition events, loop_watch_fn fn,
			   void *arg)
{
	struct watches *l = host_loop_find(loop_context(loop));
	struct watch *w = all.free;

	if (!l)
		l = host_loop_make(loop_context(loop));
	if (w)
		all.free = w->next;
	else if (all.n < WATCHES)
		w = &all.watch[all.n++];
	if (!w) {
		fuzz_bug("more watches than there are places for");
		return NULL;
	}
	*w = (struct watch){ fd, events, fn, arg, l, NULL, l->last, ++all.serial };
	*l->last = w;
	l->last = &w->next;
	return (GSource *)w; /* to be handed to these three only */
}

void __wrap_loop_watch_events(GSource *source, GIOCondition events);
void __wrap_loop_watch_events(GSource *source, GIOCondition events)
{
	((struct watch *)source)->events = events;
}

/* Timers end with it, too, and they are GLib's. */
void __real_loop_unwatch(GSource *source);
void __wrap_loop_unwatch(GSource *source);
void __wrap_loop_unwatch(GSource *source)
{
	struct watch *w = (struct watch *)source;
	struct watches *l;

	if (w < all.watch || w >= all.watch + WATCHES) {
		__real_loop_unwatch(source);
		return;
	}
	l = w->of;
	if (!w->serial)
		fuzz_bug("a watch was ended twice");
	*w->link = w->next;
	if (w->next)
		w->next->link = w->link;
	else
		l->last = w->link;
	w->serial = 0;
	w->next = all.free;
	all.free = w;
	if (!l->first)
		host_loop_end(l);
}
/* NOLINTEND(bugprone-reserved-identifier) */
