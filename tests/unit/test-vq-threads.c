/*
 * Both sides of a ring, each on its own thread, asleep whenever the other asked for nothing: a
 * wake-up that is lost stops them, and the watchdog tells. Worth most under the thread sanitizer.
 *
 * RINGSIDE_CHAINS=n makes it longer.
 */
#include "virtqueue/vq.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/support/ringpair.h"

#define BATCH    16
#define HOLD     5  /* chains that the device keeps for later */
#define LOOK     8  /* chains that it looks ahead */
#define SECONDS  20 /* until a sleeper counts as forgotten */
#define PLACES   64
#define PLACE(n) (RINGPAIR_DATA + (n) % PLACES * 64)

struct pair {
	struct ringpair p;
	uint64_t chains;
	sem_t kick, interrupt;
	const char *_Atomic failed; /* by either side: the first thing that went wrong */

	struct vq_chain *in_flight[HOLD + BATCH]; /* the device's */
	unsigned n_in_flight;
	uint64_t n_served;

	struct place { /* the driver's */
		uint64_t number;
		bool busy;
	} place[PLACES];
};

static bool trouble(struct pair *t, const char *what)
{
	const char *none = NULL;

	atomic_compare_exchange_strong(&t->failed, &none, what);
	sem_post(&t->kick);
	sem_post(&t->interrupt);
	return false;
}

static bool wait_for(struct pair *t, sem_t *sem, const char *otherwise)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SECONDS;
	while (sem_timedwait(sem, &until) < 0)
		if (errno != EINTR)
			return trouble(t, otherwise);
	return !t->failed;
}

/* ---- the device ---- */

static bool complete(struct pair *t, struct vq_chain *c)
{
	uint64_t number;

	if (!vq_pull(c, &number, sizeof(number)))
		return trouble(t, "the device got a short chain");
	number = ~number;
	if (!vq_put(c, &number, sizeof(number)))
		return trouble(t, "the device got no room");
	vq_push(t->p.vq, c);
	t->n_served++;
	return true;
}

/* Keeps some back, and completes the newest first. */
static bool complete_all_but(struct pair *t, unsigned keep)
{
	while (t->n_in_flight > keep)
		if (!complete(t, t->in_flight[--t->n_in_flight]))
			return false;
	if (vq_publish(t->p.vq))
		sem_post(&t->interrupt);
	return true;
}

static bool serve(struct pair *t)
{
	int n;

	do {
		vq_disable_notify(t->p.vq);
		while ((n = vq_pop(t->p.vq, t->in_flight + t->n_in_flight, BATCH)) > 0) {
			t->n_in_flight += n;
			/* At descriptors that the driver may be writing, too. */
			for (unsigned ahead = 0; ahead < LOOK; ahead++)
				(void)vq_fetch_ahead(t->p.vq, ahead);
			if (!complete_all_but(t, HOLD))
				return false;
		}
		if (n < 0)
			return trouble(t, vq_fault_text(vq_fault(t->p.vq)));
		if (!complete_all_but(t, 0))
			return false;
	} while (!vq_enable_notify(t->p.vq));
	return true;
}

static void *device(void *arg)
{
	struct pair *t = arg;

	while (serve(t) && t->n_served < t->chains)
		if (!wait_for(t, &t->kick, "a kick is lost"))
			break;
	return NULL;
}

/* ---- the driver ---- */

static uint64_t add(struct pair *t, uint64_t number, uint64_t max)
{
	uint64_t n;

	for (n = 0; n < max && number + n < t->chains; n++) {
		uint64_t at = PLACE(number + n), value = number + n;
		struct place *place = &t->place[value % PLACES];
		struct drv_buf bufs[3] = { { at, 3 }, { at + 3, 5 }, { at + 16, 8 } };

		if (place->busy || drv_add(&t->p.drv, bufs, 2, 1, place) < 0)
			break;
		*place = (struct place){ .number = value, .busy = true };
		memcpy(t->p.region[0] + (at - RINGPAIR_GPA), &value, sizeof(value));
	}
	if (drv_publish(&t->p.drv))
		sem_post(&t->kick);
	return n;
}

static bool collect(struct pair *t, uint64_t *n_done)
{
	void *cookie;
	uint32_t len;

	while (drv_used(&t->p.drv, &cookie, &len)) {
		struct place *place = cookie;
		uint64_t value;

		memcpy(&value, t->p.region[0] + (PLACE(place->number) + 16 - RINGPAIR_GPA), 8);
		if (len != 8 || value != ~place->number)
			return trouble(t, "the driver got something else");
		place->busy = false;
		++*n_done;
	}
	return !t->p.drv.broken || trouble(t, t->p.drv.broken);
}

static void drive(struct pair *t)
{
	uint64_t n_sent = 0, n_done = 0;

	while (n_done < t->chains && !t->failed) {
		uint64_t n = add(t, n_sent, 1 + n_sent % 7);

		n_sent += n;
		if (!collect(t, &n_done))
			return;
		/* The ring is full, or it is time for a nap. */
		if ((n == 0 || n_sent % 5 == 0) && n_done < n_sent &&
		    drv_enable_notify(&t->p.drv) &&
		    !wait_for(t, &t->interrupt, "an interrupt is lost"))
			return;
		if (n_sent % 3 == 0)
			drv_disable_notify(&t->p.drv);
	}
}

static void run(unsigned bits, uint64_t chains)
{
	const struct ringpair_spec spec = {
		.size = 32,
		.packed = bits & 1,
		.event_idx = bits & 2,
		.in_order = bits & 4,
		.indirect = bits & 8,
		.start_at = bits & 1 ? 0 : 65000,
	};
	struct pair *t = calloc(1, sizeof(*t));
	pthread_t thread;

	assert_non_null(t);
	t->chains = chains;
	sem_init(&t->kick, 0, 0);
	sem_init(&t->interrupt, 0, 0);
	ringpair_open(&t->p, &spec);
	assert_int_equal(pthread_create(&thread, NULL, device, t), 0);
	drive(t);
	sem_post(&t->kick);
	pthread_join(thread, NULL);
	if (t->failed)
		fail_msg("%s (features %u)", t->failed, bits);
	assert_int_equal(vq_stats(t->p.vq)->completed, chains);
	ringpair_close(&t->p);
	sem_destroy(&t->kick);
	sem_destroy(&t->interrupt);
	free(t);
}

static void no_wake_up_is_lost(void **state)
{
	const char *chains = getenv("RINGSIDE_CHAINS");

	(void)state;
	for (unsigned bits = 0; bits < 16; bits++)
		run(bits, chains ? strtoull(chains, NULL, 0) : 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_wake_up_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
