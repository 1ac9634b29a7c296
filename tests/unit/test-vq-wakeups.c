/*
 * Both sides of a ring, each on its own thread, in the shortest exchange there is: one sends a few
 * chains and sleeps, the other returns them and sleeps. To sleep is to spin on a flag, so the last
 * look of the one and the first word of the other meet millions of times, a few nanoseconds apart
 * this way or that. Of the two full barriers that stand between them neither can be missed for
 * long: the mutants of tests/mutants/run, which lack one, are caught here.
 *
 * A wake-up is lost when both sleep and neither has been woken. That needs no clock: only who is
 * awake can wake the other.
 *
 * RINGSIDE_CHAINS=n makes it longer.
 */
#include "virtqueue/vq.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/ringpair.h"

#define SIZE  16
#define PLACE 64
#define ALONE 300 /* looks before the processor is given to others, if both sides share one */
/* and if each has its own: what it is given to may keep it for milliseconds */
#define PAIRED 20000
#define JITTER 64
#define ROUND  25000u /* chains with the same features */

/* One of the two, each on a cache line of its own. */
struct side {
	_Alignas(64) _Atomic bool asleep;
	_Atomic bool woken;
	uint32_t dice;
	unsigned patience; /* looks */
};

struct pair {
	struct side driver, device;
	uint64_t chains;
	struct ringpair p;
	_Atomic bool over, lost;
};

static uint32_t roll(struct side *me)
{
	me->dice = me->dice * 1664525 + 1013904223;
	return me->dice >> 16;
}

/* So that the two do not fall into step. */
static void dawdle(struct side *me)
{
	for (volatile uint32_t i = roll(me) % JITTER; i; i--)
		;
}

/* Each on a processor of its own, if there are two. */
static void pin(struct side *me, unsigned side)
{
	cpu_set_t allowed, one;

	me->patience = ALONE;
	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0 || CPU_COUNT(&allowed) < 2)
		return;
	for (int cpu = 0, n = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
		if (CPU_ISSET(cpu, &allowed) && n++ == (int)side)
			CPU_SET(cpu, &one);
	if (pthread_setaffinity_np(pthread_self(), sizeof(one), &one) == 0)
		me->patience = PAIRED;
}

static void wake(struct side *other)
{
	other->woken = true;
}

/* Returns true when woken, false when nobody is left to do it. */
static bool sleep_until_woken(struct side *me, const struct side *other)
{
	me->asleep = true;
	for (unsigned spins = 1;; spins++) {
		if (me->woken)
			break;
		if (!other->woken && other->asleep && !me->woken)
			return false;
		if (spins % me->patience == 0)
			sched_yield();
	}
	me->asleep = false; /* before the flag: see above */
	me->woken = false;
	return true;
}

static void *device(void *arg)
{
	struct pair *t = arg;
	struct vq_chain *c[SIZE];
	int n;

	pin(&t->device, 1);
	while (!t->over) {
		dawdle(&t->device);
		if (roll(&t->device) % 2)
			vq_disable_notify(t->p.vq);
		while ((n = vq_pop(t->p.vq, c, SIZE)) > 0) {
			for (int i = 0; i < n; i++)
				vq_push(t->p.vq, c[i]);
			if (vq_publish(t->p.vq))
				wake(&t->driver);
		}
		if (!vq_enable_notify(t->p.vq))
			continue;
		if (!sleep_until_woken(&t->device, &t->driver))
			break;
	}
	t->device.asleep = true;
	return NULL;
}

static unsigned send(struct pair *t, uint64_t left)
{
	unsigned n = 1 + roll(&t->driver) % 3, i;

	for (i = 0; i < n && i < left; i++) {
		struct drv_buf buf = { RINGPAIR_DATA + i * PLACE, 8 };

		if (drv_add(&t->p.drv, &buf, 0, 1, t) < 0)
			break;
	}
	if (drv_publish(&t->p.drv))
		wake(&t->device);
	return i;
}

static void *driver(void *arg)
{
	struct pair *t = arg;
	uint64_t n_sent = 0, n_done = 0;
	void *cookie;
	uint32_t len;

	pin(&t->driver, 0);
	while (n_done < t->chains && !t->lost) {
		dawdle(&t->driver);
		if (roll(&t->driver) % 2)
			drv_disable_notify(&t->p.drv);
		n_sent += send(t, t->chains - n_sent);
		while (n_done < n_sent && !t->lost) {
			while (drv_used(&t->p.drv, &cookie, &len))
				n_done++;
			if (n_done < n_sent && drv_enable_notify(&t->p.drv))
				t->lost = !sleep_until_woken(&t->driver, &t->device);
		}
	}
	t->over = true;
	wake(&t->device);
	return NULL;
}

static void run(unsigned bits, uint64_t chains)
{
	const struct ringpair_spec spec = {
		.size = SIZE,
		.packed = bits & 1,
		.event_idx = bits & 2,
		.in_order = bits & 4,
		.start_at = bits & 1 ? 0 : 65000,
	};
	struct pair *t = aligned_alloc(64, sizeof(*t));
	pthread_t threads[2];

	assert_non_null(t);
	*t = (struct pair){ .chains = chains, .driver.dice = bits, .device.dice = 99 };
	ringpair_open(&t->p, &spec);
	assert_int_equal(pthread_create(&threads[0], NULL, driver, t), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, device, t), 0);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	if (t->lost)
		fail_msg("a wake-up is lost (features %u)", bits);
	ringpair_close(&t->p);
	free(t);
}

static void no_wake_up_is_lost(void **state)
{
	const char *value = getenv("RINGSIDE_CHAINS");
	uint64_t chains = value ? strtoull(value, NULL, 0) : 20000;

	(void)state;
	for (uint64_t done = 0; done < chains; done += ROUND)
		for (unsigned bits = 0; bits < 8; bits++)
			run(bits, chains - done < ROUND ? chains - done : ROUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_wake_up_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
