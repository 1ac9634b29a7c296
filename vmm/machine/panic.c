/*
 * Has the guest panicked? What it says to the panic device is certain and ends the run at once.
 * What it prints, on the serial port and on the first port of each virtio console, is a hint
 * (vmm/machine/panic-text.h): when such text is followed by a second of silence its processors are
 * looked at, ten times in a second, and asked whether somebody is there (vmm/machine/panic-look.h).
 * Who lives is looked at again after a while, as long as those are its last words.
 *
 * A console may live on an event loop of its own, which feeds its text to its own watch and
 * asks the main thread to judge only when the last words have become, or ceased to be, a panic's.
 */
#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/machine/machine-int.h"

#define SILENCE_MS 1000u
#define LOOK_MS    100u
#define AGAIN_MS   10000u

struct console_watch {
	struct chr_tap tap; /* first */
	struct machine *m;
	pthread_mutex_t lock;
	struct panic_watch watch;
};

/*
 * The verdict.
 */
char *machine_panic_reason(struct machine *m)
{
	const char *reason = panic_watch_reason(&m->panic.serial);
	char *copy = g_strdup(reason);

	for (guint i = 0; i < m->panic.consoles->len && !copy; i++) {
		struct console_watch *c = g_ptr_array_index(m->panic.consoles, i);

		pthread_mutex_lock(&c->lock);
		copy = g_strdup(panic_watch_reason(&c->watch));
		pthread_mutex_unlock(&c->lock);
	}
	return copy;
}

void machine_panicked(struct machine *m)
{
	g_autofree char *reason = NULL;

	if (m->end != MACHINE_RUNNING)
		return;
	if (m->serial)
		serial_flush(m->serial); /* the last lines have the reason */
	reason = machine_panic_reason(m);
	machine_tell(m, "GUEST_PANICKED", true);
	machine_finish(m, MACHINE_PANIC,
		       g_strdup_printf("the guest panicked: %s",
				       reason ? reason : "its panic device says so"));
}

/*
 * Looking at processors.
 */
static void panic_arm_timer(struct machine *m, unsigned ms)
{
	const struct itimerspec when = { .it_value = { ms / 1000, (long)(ms % 1000) * 1000000 } };

	if (m->panic.timer >= 0)
		(void)timerfd_settime(m->panic.timer, 0, &when, NULL);
}

static void stop_looking(struct machine *m)
{
	if (m->panic.n_looks)
		(void)platform_probed(m->platform);
	m->panic.looking = false;
	m->panic.n_looks = 0;
	m->panic.looks = (struct panic_looks){ 0 };
}

static void panic_look(struct machine *m, unsigned ms)
{
	vcpus_look(m->cpus);
	m->panic.looking = true;
	panic_arm_timer(m, ms);
}

/* What was seen since; false: not all have been seen, since they are paused or the host is busy. */
static bool panic_seen(struct machine *m)
{
	struct vcpu_look found;

	for (unsigned i = 0; i < vcpus_count(m->cpus); i++)
		if (!vcpus_seen(m->cpus, i, &found))
			return false;
	for (unsigned i = 0; i < vcpus_count(m->cpus); i++)
		if (vcpus_seen(m->cpus, i, &found))
			panic_looks_add(&m->panic.looks, i, &found);
	m->panic.n_looks++;
	return true;
}

static void on_timer(void *arg, GIOCondition revents)
{
	struct machine *m = arg;
	struct machine_panic *p = &m->panic;
	uint64_t count;
	bool stuck;

	(void)revents;
	(void)!read(p->timer, &count, sizeof(count));
	if (!p->looking) {
		panic_look(m, LOOK_MS);
	} else if (!panic_seen(m)) {
		panic_look(m, SILENCE_MS);
	} else if (!p->looks.lives && p->n_looks < PANIC_LOOKS) {
		if (p->n_looks == 1)
			platform_probe(m->platform);
		panic_look(m, LOOK_MS);
	} else {
		stuck = !p->looks.lives && !platform_probed(m->platform) &&
			panic_looks_stuck(&p->looks);
		stop_looking(m);
		if (stuck)
			machine_panicked(m);
		else
			panic_arm_timer(m, AGAIN_MS);
	}
}

/*
 * What it prints.
 */
static bool is_last_word(const struct panic_watch *w)
{
	return w->ended && panic_watch_reason(w);
}

/* The last words have changed somewhere. */
static void panic_judge(struct machine *m)
{
	bool panic = is_last_word(&m->panic.serial);

	for (guint i = 0; i < m->panic.consoles->len && !panic; i++) {
		struct console_watch *c = g_ptr_array_index(m->panic.consoles, i);

		pthread_mutex_lock(&c->lock);
		panic = is_last_word(&c->watch);
		pthread_mutex_unlock(&c->lock);
	}
	stop_looking(m);
	panic_arm_timer(m, panic ? SILENCE_MS : 0);
}

void machine_printed(struct machine *m, const uint8_t *data, size_t len)
{
	bool before = m->panic.serial.ended;

	panic_watch_feed(&m->panic.serial, data, len);
	if (before || m->panic.serial.ended)
		panic_judge(m);
}

static void on_console_changed(void *arg)
{
	struct machine *m = arg;

	m->panic.posted = false;
	panic_judge(m);
}

static void on_console_written(struct chr_tap *tap, const uint8_t *data, size_t len)
{
	struct console_watch *c = (struct console_watch *)tap;
	bool before, after;

	pthread_mutex_lock(&c->lock);
	before = c->watch.ended;
	panic_watch_feed(&c->watch, data, len);
	after = c->watch.ended;
	pthread_mutex_unlock(&c->lock);
	if ((before || after) && !atomic_exchange(&c->m->panic.posted, true))
		loop_post(c->m->main, on_console_changed, c->m);
}

struct chr_tap *machine_console_tap(void *opaque)
{
	struct machine *m = opaque;
	struct console_watch *c = g_new0(struct console_watch, 1);

	c->tap.written = on_console_written;
	c->m = m;
	pthread_mutex_init(&c->lock, NULL);
	g_ptr_array_add(m->panic.consoles, c);
	return &c->tap;
}

static void free_console(void *p)
{
	struct console_watch *c = p;

	pthread_mutex_destroy(&c->lock);
	g_free(c);
}

/*
 * What it says to the panic device, on a vCPU's thread.
 */
void machine_on_panicked(void *opaque)
{
	machine_ask(opaque, ASK_PANICKED);
}

static void said_crash_loaded(void *arg)
{
	machine_tell(arg, "GUEST_CRASHLOADED", true);
}

/* Once from reset to reset: the guest runs on and could say it without end. */
void machine_on_crash_loaded(void *opaque)
{
	struct machine *m = opaque;

	if (!atomic_exchange(&m->panic.crash_loaded, true))
		loop_post(m->main, said_crash_loaded, m);
}

/*
 * Life.
 */
void machine_panic_init(struct machine *m)
{
	m->panic.timer = -1;
	m->panic.consoles = g_ptr_array_new_with_free_func(free_console);
}

bool machine_panic_watch(struct machine *m, GError **err)
{
	m->panic.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (m->panic.timer < 0)
		return ringside_error_errno(err, errno, "timerfd");
	m->panic.source = loop_watch(m->main, m->panic.timer, G_IO_IN, on_timer, m);
	return true;
}

void machine_panic_unwatch(struct machine *m)
{
	g_clear_pointer(&m->panic.source, loop_unwatch);
	if (m->panic.timer >= 0)
		close(m->panic.timer);
	m->panic.timer = -1;
}

void machine_panic_reset(struct machine *m)
{
	panic_watch_reset(&m->panic.serial);
	for (guint i = 0; i < m->panic.consoles->len; i++) {
		struct console_watch *c = g_ptr_array_index(m->panic.consoles, i);

		pthread_mutex_lock(&c->lock);
		panic_watch_reset(&c->watch);
		pthread_mutex_unlock(&c->lock);
	}
	m->panic.crash_loaded = false;
	panic_judge(m);
}

void machine_panic_free(struct machine *m)
{
	g_clear_pointer(&m->panic.consoles, g_ptr_array_unref);
}
