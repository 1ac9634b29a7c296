/*
 * The account of what is in flight: whoever had the queue may come to his end after any
 * instruction, and the next one loses no chain and does none twice that the driver has seen used.
 *
 * A process of its own works on the queue, in memory that is shared, and is stepped through it.
 * Whenever an instruction has changed the memory, that is a place to die at: a queue is started
 * here on what is there then, finishes everything, and the driver counts. Then all is put back, and
 * the process goes on.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "virtqueue/driver/drv.h"
#include "virtqueue/vq.h"

#define GPA   0x10000u
#define BYTES 0x8000u /* guest memory, then the area */
#define AREA  0x4000u
#define BUFS  (GPA + 0x3000u)
#define SIZE  8u

#define ROUNDS    6u
#define SEEDS     2u
#define PROCESSES 3u

struct spec {
	bool packed, in_order, indirect, event_idx;
	unsigned seed;
};

struct scene {
	struct spec spec;
	uint8_t *bytes; /* shared; [AREA, BYTES) is the area */
	struct gmem mem;
	struct drv_vq drv;
	struct vq_config cfg;
	unsigned sent;  /* requests; their numbers are their cookies, from 1 on */
	bool seen[256]; /* used, as the driver found them */
};

static uint32_t rand_next(unsigned *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 16;
}

static void scene_open(struct scene *s, const struct spec *spec)
{
	struct drv_config cfg = { .size = SIZE,
				  .packed = spec->packed,
				  .in_order = spec->in_order,
				  .indirect = spec->indirect,
				  .event_idx = spec->event_idx,
				  .gpa = GPA,
				  .table_max = 4 };

	memset(s, 0, sizeof(*s));
	s->spec = *spec;
	s->bytes = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(s->bytes, MAP_FAILED);
	assert_int_equal(gmem_add(&s->mem, GPA, AREA, s->bytes), 0);
	cfg.base = s->bytes;
	cfg.len = drv_bytes(&cfg);
	assert_true(cfg.len < BUFS - GPA && drv_vq_init(&s->drv, &cfg));
	assert_true(vq_inflight_bytes(SIZE) < BYTES - AREA);
	s->cfg = (struct vq_config){ .desc = s->drv.desc,
				     .driver = s->drv.driver,
				     .device = s->drv.device,
				     .size = SIZE,
				     .packed = spec->packed,
				     .in_order = spec->in_order,
				     .indirect = spec->indirect,
				     .event_idx = spec->event_idx,
				     .inflight = (void *)(s->bytes + AREA),
				     .position = vq_position_initial(spec->packed) };
}

/* As many requests as there is room for, some of several buffers; the first byte is the number. */
static void send(struct scene *s, unsigned *seed)
{
	for (;;) {
		unsigned n = rand_next(seed) % 3 + 1;
		uint64_t at = BUFS + (s->sent % 32) * 64ull;
		struct drv_buf bufs[] = {
			{ at, 1 }, { at + 8, 8 }, { at + 16, 8 }, { at + 24, 8 }
		};

		s->bytes[at - GPA] = (uint8_t)(s->sent + 1);
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): a cookie */
		if (drv_add(&s->drv, bufs, 1, n, (void *)(uintptr_t)(s->sent + 1)) < 0)
			break;
		s->sent++;
	}
	(void)drv_publish(&s->drv);
}

/*
 * The process: takes what there is, gives some back, in any order, some of it to the ring.
 */
static void give_back(struct vq *vq, struct vq_chain **held, unsigned *n, unsigned *seed)
{
	unsigned i = rand_next(seed) % *n;

	vq_push(vq, held[i]);
	memmove(&held[i], &held[i + 1], (--*n - i) * sizeof(held[0]));
}

static void work(struct scene *s)
{
	struct vq *vq = vq_new();
	struct vq_chain *held[2 * SIZE];
	unsigned n = 0, seed = s->spec.seed;

	raise(SIGSTOP);
	if (vq_start(vq, &s->mem, &s->cfg) != VQ_OK)
		_exit(1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		int got = vq_pop(vq, held + n, 1 + rand_next(&seed) % SIZE);

		if (got < 0)
			_exit(1);
		n += (unsigned)got;
		if (got > 0 && rand_next(&seed) % 3 == 0)
			vq_unpop(vq, held[--n]);
		for (unsigned k = rand_next(&seed) % 5; k && n; k--)
			give_back(vq, held, &n, &seed);
		(void)vq_publish(vq);
		(void)vq_enable_notify(vq);
	}
	_exit(0);
}

/*
 * Who comes after it.
 */
static void take_used(struct drv_vq *drv, bool *seen)
{
	void *cookie;
	uint32_t len;

	while (drv_used(drv, &cookie, &len)) {
		if (seen[(uintptr_t)cookie])
			fail_msg("request %lu was used twice", (unsigned long)(uintptr_t)cookie);
		seen[(uintptr_t)cookie] = true;
	}
	if (drv->broken)
		fail_msg("the driver finds %s", drv->broken);
}

/* What comes is in its order, and nothing that the driver has had. It goes back one by one, the
 * last first, and the driver looks each time. */
static void finish(struct vq *vq, struct drv_vq *drv, bool *seen)
{
	struct vq_chain *chains[SIZE];
	uint8_t number, last = 0;
	int n;

	while ((n = vq_pop(vq, chains, SIZE)) > 0) {
		for (int i = 0; i < n; i++) {
			assert_true(vq_pull(chains[i], &number, 1));
			assert_true(number > last && !seen[number]);
			last = number;
		}
		while (n) {
			vq_push(vq, chains[--n]);
			(void)vq_publish(vq);
			take_used(drv, seen);
		}
	}
	assert_int_equal(n, 0);
	assert_false(vq_pending(vq));
	assert_true(vq_enable_notify(vq));
}

/* Twice: what it leaves is sound, too. */
static void succeed(struct scene *s)
{
	struct drv_vq drv = s->drv;
	bool seen[256];

	memcpy(seen, s->seen, sizeof(seen));
	take_used(&drv, seen);
	for (unsigned i = 0; i < 2; i++) {
		struct vq *vq = vq_new();

		assert_int_equal(vq_start(vq, &s->mem, &s->cfg), VQ_OK);
		finish(vq, &drv, seen);
		vq_stop(vq);
		vq_free(vq);
	}
	for (unsigned i = 1; i <= s->sent; i++)
		if (!seen[i])
			fail_msg("request %u was lost", i);
}

static unsigned follow(struct scene *s, pid_t child)
{
	uint8_t *last = malloc(BYTES);
	unsigned places = 0;
	int status;

	memcpy(last, s->bytes, BYTES);
	for (;;) {
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (!WIFSTOPPED(status))
			break;
		assert_int_equal(WSTOPSIG(status), SIGTRAP);
		if (memcmp(last, s->bytes, BYTES) == 0)
			continue;
		memcpy(last, s->bytes, BYTES);
		places++;
		succeed(s);
		memcpy(s->bytes, last, BYTES);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	free(last);
	return places;
}

/* One process after another goes on where the one before it ended, with chains in flight. */
static void one_after_another(const struct spec *spec)
{
	struct scene s;
	unsigned seed = spec->seed;

	scene_open(&s, spec);
	for (unsigned i = 0; i < PROCESSES; i++) {
		pid_t child;
		int status;

		take_used(&s.drv, s.seen);
		send(&s, &seed);
		s.spec.seed = seed + i;
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			ptrace(PTRACE_TRACEME, 0, NULL, NULL);
			work(&s);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSTOPPED(status));
		assert_true(follow(&s, child) > 10);
	}
	assert_true(s.sent > 0 && s.sent < 255);
	munmap(s.bytes, BYTES);
}

static void it_may_end_at_any_instruction(void **state)
{
	const struct spec *spec = *state;

	for (unsigned seed = 1; seed <= SEEDS; seed++) {
		struct spec s = *spec;

		s.seed = seed * 77;
		one_after_another(&s);
	}
}

/*
 * What is in the area is not to be trusted.
 */
static void an_area_of_noise_harms_nobody(void **state)
{
	const struct spec *spec = *state;
	unsigned seed = 5, faults = 0;

	for (unsigned i = 0; i < 3000; i++) {
		struct vq *vq = vq_new();
		struct vq_chain *chains[SIZE];
		uint16_t *words;
		struct scene s;
		int n;

		scene_open(&s, spec);
		send(&s, &seed);
		assert_int_equal(vq_start(vq, &s.mem, &s.cfg), VQ_OK);
		assert_true(vq_pop(vq, chains, SIZE) > 0);
		vq_stop(vq);
		words = (uint16_t *)(s.bytes + AREA);
		for (unsigned k = rand_next(&seed) % 8; k; k--) {
			unsigned at = rand_next(&seed) % (unsigned)(vq_inflight_bytes(SIZE) / 2);

			words[at] = (uint16_t)(rand_next(&seed) % 2 ? rand_next(&seed)
								    : rand_next(&seed) % 10);
		}
		assert_int_equal(vq_start(vq, &s.mem, &s.cfg), VQ_OK);
		for (unsigned turn = 0; turn < 4 && (n = vq_pop(vq, chains, SIZE)) > 0; turn++) {
			for (int c = 0; c < n; c++)
				vq_push(vq, chains[c]);
			(void)vq_publish(vq);
			(void)vq_enable_notify(vq);
		}
		faults += vq_fault(vq) != VQ_OK;
		vq_stop(vq);
		vq_free(vq);
		munmap(s.bytes, BYTES);
	}
	assert_true(faults < 3000);
}

/* Of a queue of another size, or of none. */
static void what_is_not_its_own_counts_as_nothing(void **state)
{
	const struct spec *spec = *state;
	struct vq_chain *chains[SIZE];
	struct vq *vq = vq_new();
	unsigned seed = 1;
	struct scene s;

	scene_open(&s, spec);
	send(&s, &seed);
	assert_int_equal(vq_start(vq, &s.mem, &s.cfg), VQ_OK);
	assert_true(vq_pop(vq, chains, 1) == 1);
	vq_stop(vq);
	s.bytes[AREA + 10]++; /* its size */
	assert_int_equal(vq_start(vq, &s.mem, &s.cfg), VQ_OK);
	assert_int_equal(vq_position(vq).next_avail, s.cfg.position.next_avail);
	vq_stop(vq);
	vq_free(vq);
	munmap(s.bytes, BYTES);
}

/* Chains that are given back to the ring come again before others, and no kick is waited for. */
static void what_comes_again_may_be_given_back(void **state)
{
	const struct spec *spec = *state;
	struct vq_chain *chains[SIZE];
	struct vq *vq = vq_new();
	unsigned seed = 3;
	uint8_t number;
	struct scene s;
	int n, again;

	scene_open(&s, spec);
	send(&s, &seed);
	assert_int_equal(vq_start(vq, &s.mem, &s.cfg), VQ_OK);
	n = vq_pop(vq, chains, 2);
	assert_int_equal(n, 2);
	vq_stop(vq);
	assert_int_equal(vq_start(vq, &s.mem, &s.cfg), VQ_OK);
	assert_true(vq_pending(vq) && !vq_enable_notify(vq));
	n = vq_pop(vq, chains, 1);
	assert_int_equal(n, 1);
	again = vq_pop(vq, chains + 1, SIZE);
	assert_int_equal(again, 1); /* those of before first */
	vq_unpop(vq, chains[1]);
	vq_unpop(vq, chains[0]);
	(void)vq_enable_notify(vq);
	assert_true(vq_pending(vq));
	for (uint8_t want = 1; vq_pop(vq, chains, 1) == 1; want++) {
		assert_true(vq_pull(chains[0], &number, 1));
		assert_int_equal(number, want);
		vq_push(vq, chains[0]);
	}
	(void)vq_publish(vq);
	assert_true(vq_enable_notify(vq));
	vq_stop(vq);
	vq_free(vq);
	munmap(s.bytes, BYTES);
}

static struct spec specs[] = {
	{ false, false, false, false, 0 }, { false, false, true, true, 0 },
	{ false, true, false, false, 0 },  { true, false, false, false, 0 },
	{ true, false, true, true, 0 },    { true, true, false, true, 0 },
};

#define ON(fn, i)                                     \
	{                                             \
#fn " " #i, fn, NULL, NULL, &specs[i] \
	}
#define ALL(fn) ON(fn, 0), ON(fn, 1), ON(fn, 2), ON(fn, 3), ON(fn, 4), ON(fn, 5)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ALL(it_may_end_at_any_instruction),
		ALL(an_area_of_noise_harms_nobody),
		ALL(what_is_not_its_own_counts_as_nothing),
		ALL(what_comes_again_may_be_given_back),
	};

	return cmocka_run_group_tests_name("vq-inflight", tests, NULL, NULL);
}
