/*
 * Each loop keeps a list of calls that other threads ask of it, beside whatever sources its
 * GMainContext has. The list has its own lock and eventfd rather than being GLib idle sources: the
 * thread sanitizer can then see who handed what to whom.
 *
 * What a loop watches is a source of our own kind: one descriptor, no preparation, no allocation in
 * a turn. poll() reports errors and hang-ups of whatever it is given, asked or not, and a hang-up
 * lasts: a paused watch therefore has its descriptor out of the poll set.
 */
#include "devices/base/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CALLS_A_TURN 32u

struct call {
	void (*fn)(void *arg);
	void *arg;
	struct loop_done *done; /* loop_call(): of fn's return; NULL: nobody waits */
	struct call *next;
};

struct loop {
	GMainContext *context;
	bool own_thread;
	bool quit; /* touched on the loop's thread only */
	pthread_t thread;
	char name[16];

	pthread_mutex_t lock;
	pthread_cond_t changed; /* a call is done, or the thread is up */
	struct call *first, **last;
	bool up;

	int wake_fd;
	GSource *wake;

	struct poller poller; /* the thread's */
};

/* Whose thread this is: GLib's poll functions are told nothing. */
static __thread struct loop *loop_of_thread;

static void loop_wake_up(struct loop *loop)
{
	uint64_t one = 1;

	(void)!write(loop->wake_fd, &one, sizeof(one));
}

/* With the lock held. */
static void loop_set_done(struct loop *loop, struct loop_done *done)
{
	done->done = true;
	if (done->waiter)
		g_main_context_wakeup(done->waiter);
	pthread_cond_broadcast(&loop->changed);
}

/* A few only in one turn of the loop: processors of a guest may ask without end. */
static void loop_run_calls(void *arg, GIOCondition revents)
{
	struct loop *loop = arg;
	uint64_t count;

	(void)revents;
	(void)!read(loop->wake_fd, &count, sizeof(count));
	pthread_mutex_lock(&loop->lock);
	for (unsigned left = CALLS_A_TURN; loop->first && left; left--) {
		struct call *call = loop->first;

		loop->first = call->next;
		if (!loop->first)
			loop->last = &loop->first;
		pthread_mutex_unlock(&loop->lock);
		call->fn(call->arg);
		pthread_mutex_lock(&loop->lock);
		if (call->done)
			loop_set_done(loop, call->done);
		else
			g_free(call);
	}
	if (loop->first)
		loop_wake_up(loop);
	pthread_mutex_unlock(&loop->lock);
}

static struct loop *loop_make(GMainContext *context)
{
	struct loop *loop = g_new0(struct loop, 1);

	loop->context = context;
	loop->last = &loop->first;
	pthread_mutex_init(&loop->lock, NULL);
	pthread_cond_init(&loop->changed, NULL);
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0)
		g_error("eventfd: %s", g_strerror(errno));
	loop->wake = loop_watch(loop, loop->wake_fd, G_IO_IN, loop_run_calls, loop);
	return loop;
}

struct loop *loop_main(void)
{
	return loop_make(g_main_context_ref(g_main_context_default()));
}

/* loop_start()'s, which waits until the thread is up. */
struct start {
	struct loop *loop;
	void (*first)(void *arg);
	void *arg;
};

static gint loop_poll(GPollFD *fds, guint n, gint timeout)
{
	return loop_of_thread ? poller_poll(&loop_of_thread->poller, fds, n, timeout)
			      : g_poll(fds, n, timeout);
}

static void *loop_thread(void *arg)
{
	const struct start *start = arg;
	struct loop *loop = start->loop;

	pthread_setname_np(pthread_self(), loop->name);
	if (start->first)
		start->first(start->arg);
	g_main_context_push_thread_default(loop->context); /* acquires it, too */
	loop_of_thread = loop;
	g_main_context_set_poll_func(loop->context, loop_poll);
	pthread_mutex_lock(&loop->lock);
	loop->up = true;
	pthread_cond_broadcast(&loop->changed);
	pthread_mutex_unlock(&loop->lock);
	while (!loop->quit)
		g_main_context_iteration(loop->context, TRUE);
	g_main_context_pop_thread_default(loop->context);
	return NULL;
}

struct loop *loop_new(const char *name)
{
	struct loop *loop = loop_make(g_main_context_new());

	g_strlcpy(loop->name, name, sizeof(loop->name));
	return loop;
}

void loop_start(struct loop *loop, void (*first)(void *arg), void *arg)
{
	struct start start = { loop, first, arg };
	pthread_attr_t attr;
	int ret;

	loop->own_thread = true;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256ul * 1024);
	ret = pthread_create(&loop->thread, &attr, loop_thread, &start);
	pthread_attr_destroy(&attr);
	if (ret)
		g_error("thread %s: %s", loop->name, g_strerror(ret));
	pthread_mutex_lock(&loop->lock);
	while (!loop->up)
		pthread_cond_wait(&loop->changed, &loop->lock);
	pthread_mutex_unlock(&loop->lock);
}

struct new_poll {
	struct loop *loop;
	uint64_t max_ns;
};

static void loop_poll_from_now(void *arg)
{
	const struct new_poll *new = arg;

	__atomic_store_n(&new->loop->poller.max_ns, new->max_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&new->loop->poller.window_ns, 0, __ATOMIC_RELAXED);
}

void loop_set_poll(struct loop *loop, uint64_t max_ns)
{
	struct new_poll new = { loop, max_ns };

	loop_call(loop, loop_poll_from_now, &new);
}

struct poller loop_poll_stats(struct loop *loop)
{
	return poller_stats(&loop->poller);
}

bool loop_look_at(struct loop *loop, struct poller_ring *ring)
{
	if (loop_of_thread != loop || loop->poller.window_ns == 0)
		return false;
	poller_add(&loop->poller, ring);
	return true;
}

void loop_look_away(struct loop *loop, struct poller_ring *ring)
{
	poller_remove(&loop->poller, ring);
}

static void loop_quit(void *arg)
{
	struct loop *loop = arg;

	loop->quit = true;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	if (loop->own_thread) {
		loop_post(loop, loop_quit, loop);
		pthread_join(loop->thread, NULL);
	}
	loop_unwatch(loop->wake);
	close(loop->wake_fd);
	while (loop->first) {
		struct call *call = loop->first;

		loop->first = call->next;
		g_free(call);
	}
	pthread_cond_destroy(&loop->changed);
	pthread_mutex_destroy(&loop->lock);
	g_main_context_unref(loop->context);
	g_free(loop);
}

GMainContext *loop_context(struct loop *loop)
{
	return loop->context;
}

static void loop_append(struct loop *loop, struct call *call)
{
	pthread_mutex_lock(&loop->lock);
	*loop->last = call;
	loop->last = &call->next;
	loop_wake_up(loop);
	pthread_mutex_unlock(&loop->lock);
}

/* True: it is over already, for the loop is ours, or nobody's. */
static bool loop_call_at_once(struct loop *loop, const struct call *call)
{
	if (!g_main_context_acquire(loop->context))
		return false;
	call->fn(call->arg);
	g_main_context_release(loop->context);
	return true;
}

/* Serves nothing meanwhile. */
static void loop_sleep_until(struct loop *loop, const struct loop_done *done)
{
	pthread_mutex_lock(&loop->lock);
	while (!done->done)
		pthread_cond_wait(&loop->changed, &loop->lock);
	pthread_mutex_unlock(&loop->lock);
}

void loop_call(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	struct loop_done done = { 0 };
	struct call call = { .fn = fn, .arg = arg, .done = &done };

	if (loop_call_at_once(loop, &call))
		return;
	loop_append(loop, &call);
	loop_sleep_until(loop, &done);
}

void loop_done(struct loop *loop, struct loop_done *done)
{
	pthread_mutex_lock(&loop->lock);
	loop_set_done(loop, done);
	pthread_mutex_unlock(&loop->lock);
}

static bool loop_is_done(struct loop *loop, const struct loop_done *done)
{
	bool ret;

	pthread_mutex_lock(&loop->lock);
	ret = done->done;
	pthread_mutex_unlock(&loop->lock);
	return ret;
}

/* Serves @context, which the calling thread owns. */
static void loop_serve_until(GMainContext *context, struct loop *loop, const struct loop_done *done)
{
	while (!loop_is_done(loop, done))
		g_main_context_iteration(context, TRUE);
}

void loop_wait(struct loop *loop, struct loop_done *done)
{
	g_autoptr(GMainContext) own = g_main_context_ref_thread_default();

	if (g_main_context_acquire(loop->context)) { /* ours, or nobody's: it is up to us */
		loop_serve_until(loop->context, loop, done);
		g_main_context_release(loop->context);
	} else if (g_main_context_is_owner(own)) {
		pthread_mutex_lock(&loop->lock);
		done->waiter = own;
		pthread_mutex_unlock(&loop->lock);
		loop_serve_until(own, loop, done);
	} else {
		loop_sleep_until(loop, done);
	}
}

void loop_call_serving(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	struct loop_done done = { 0 };
	struct call call = { .fn = fn, .arg = arg, .done = &done };

	if (loop_call_at_once(loop, &call))
		return;
	loop_append(loop, &call);
	loop_wait(loop, &done);
}

void loop_post(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	struct call *call = g_new0(struct call, 1);

	call->fn = fn;
	call->arg = arg;
	loop_append(loop, call);
}

/*
 * Watches.
 */
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
