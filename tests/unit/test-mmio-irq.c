/*
 * InterruptStatus and InterruptACK under load (transport/mmio/irq.c): owners raise, a processor
 * handles interrupts, another one reads InterruptStatus beside it. No event is lost, and what was
 * acknowledged reads as 0 unless something new came.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/echo.h"
#include "tests/support/rig.h"
#include "transport/mmio/regs.h"

#define OWNERS 2
#define EVENTS 4000u /* of each owner */

static const struct rig_case echo = { "", "echo", NULL, .class = &echo_class };

struct owner {
	struct load *load;
	unsigned index;
	pthread_t thread;
};

struct load {
	struct rig *r;
	struct owner owner[OWNERS];
	_Atomic uint32_t published[OWNERS]; /* as a used ring would tell: before it is raised */
	_Atomic uint32_t begun, done;       /* raises, of all owners */
	_Atomic uint32_t handled;           /* events that the driver saw */
	unsigned interrupts;
	bool in_step; /* owners wait until the driver has seen an event before they make the next */
	_Atomic bool failed, stop;
};

static uint32_t get(struct load *l, unsigned reg)
{
	return (uint32_t)board_fake_read(rig_board(l->r), false, RIG_MMIO_BASE + reg, 4);
}

static void put(struct load *l, unsigned reg, uint32_t value)
{
	board_fake_write(rig_board(l->r), false, RIG_MMIO_BASE + reg, 4, value);
}

static void *raise_events(void *arg)
{
	struct owner *o = arg;
	struct load *l = o->load;
	struct vdev *dev = rig_dev(l->r);

	for (uint32_t i = 0; i < EVENTS && !l->failed; i++) {
		atomic_fetch_add(&l->published[o->index], 1);
		atomic_fetch_add(&l->begun, 1);
		dev->transport->queue_changed(dev, ECHO_COPY);
		atomic_fetch_add(&l->done, 1);
		while (l->in_step && l->handled < l->begun && !l->failed)
			g_usleep(0);
	}
	return NULL;
}

static void *watch(void *arg)
{
	struct load *l = arg;

	while (!l->stop)
		(void)get(l, R_INTERRUPT_STATUS);
	return NULL;
}

static void look_at_queues(struct load *l)
{
	uint32_t seen = 0;

	for (unsigned i = 0; i < OWNERS; i++)
		seen += l->published[i];
	l->handled = seen;
}

/* One interrupt, as Linux handles it: without a bit it is not for this device. Now and then it
 * looks whether its acknowledgement arrived; not always, for the look would be part of what is
 * tested. False if an acknowledged bit stays without a reason. */
static bool handle(struct load *l)
{
	uint32_t done, status = get(l, R_INTERRUPT_STATUS);

	if (!status)
		return true;
	done = l->done;
	put(l, R_INTERRUPT_ACK, status);
	if (++l->interrupts % 4 == 0 && get(l, R_INTERRUPT_STATUS) && l->begun == done)
		return false;
	look_at_queues(l);
	return true;
}

static bool is_over(struct load *l)
{
	return l->done == OWNERS * EVENTS;
}

/* Handles interrupts, and nothing without one, until all events were seen. */
static const char *drive(struct load *l)
{
	int64_t end = rig_deadline();

	while (!is_over(l) || l->handled < OWNERS * EVENTS) {
		bool over = is_over(l);
		unsigned edges = board_fake_take_edges(rig_board(l->r), RIG_MMIO_GSI);

		if (edges && !handle(l))
			return "an acknowledged bit stays set";
		if (!edges && over && l->handled < OWNERS * EVENTS)
			return "the last event's interrupt was lost";
		if (g_get_monotonic_time() > end)
			return "an interrupt was lost";
	}
	return NULL;
}

static void under_load(bool in_step, bool watched, unsigned refused)
{
	struct load l = { .r = rig_open(rig_link_find("mmio"), &echo), .in_step = in_step };
	const char *failure;
	pthread_t watcher;

	board_fake_refuse(rig_board(l.r), refused);
	rig_start(l.r, RIG_NONE);
	for (unsigned i = 0; i < OWNERS; i++) {
		l.owner[i] = (struct owner){ .load = &l, .index = i };
		pthread_create(&l.owner[i].thread, NULL, raise_events, &l.owner[i]);
	}
	if (watched)
		pthread_create(&watcher, NULL, watch, &l);
	failure = drive(&l);
	l.failed = failure != NULL;
	for (unsigned i = 0; i < OWNERS; i++)
		pthread_join(l.owner[i].thread, NULL);
	l.stop = true;
	if (watched)
		pthread_join(watcher, NULL);
	if (failure)
		fail_msg("%s: %u of %u events", failure, l.handled, l.begun);
	put(&l, R_INTERRUPT_ACK, MMIO_INT_USED);
	assert_int_equal(get(&l, R_INTERRUPT_STATUS), 0);
	rig_close(l.r);
}

static void no_interrupt_is_lost_in_a_storm(void **state)
{
	(void)state;
	under_load(false, false, 0);
	under_load(false, true, 0);
	under_load(false, true, BOARD_REFUSE_DOORBELL);
}

/* Where each event is the last one for now: a lost interrupt is never made up for by the next. */
static void no_interrupt_is_lost_in_step(void **state)
{
	(void)state;
	under_load(true, false, 0);
	under_load(true, true, 0);
	under_load(true, true, BOARD_REFUSE_DOORBELL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_interrupt_is_lost_in_a_storm),
		cmocka_unit_test(no_interrupt_is_lost_in_step),
	};

	return cmocka_run_group_tests_name("mmio-irq", tests, NULL, NULL);
}
