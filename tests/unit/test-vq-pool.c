/* What chains cost: room for all there can be, touched only as it is used, and capped. */
#include "virtqueue/vq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/ringpair.h"

#define BIG   32768u /* ring entries: a ring that the reference driver does not do */
#define TABLE (RINGPAIR_DATA + 0x10000)
#define LONG  40 /* buffers, more than a chain's slot holds */

/* A ring of BIG entries in the second region, each a chain of LONG buffers: all the same table. */
struct big {
	struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
};

static struct big big_ring(struct ringpair *p)
{
	struct vring_desc *table = ringpair_at(p, TABLE);
	struct big b;

	p->cfg.size = BIG;
	p->cfg.desc = RINGPAIR_BORDER;
	p->cfg.driver = p->cfg.desc + vring_desc_bytes(BIG);
	p->cfg.device = p->cfg.driver + vring_avail_bytes(BIG) + 2;
	b.desc = ringpair_at(p, p->cfg.desc);
	b.avail = ringpair_at(p, p->cfg.driver);
	b.used = ringpair_at(p, p->cfg.device);
	for (unsigned i = 0; i < LONG; i++)
		table[i] = (struct vring_desc){
			.addr = cpu_le64(RINGPAIR_DATA + i),
			.len = cpu_le32(1),
			.flags = cpu_le16(i + 1 < LONG ? VRING_DESC_F_NEXT : 0),
			.next = cpu_le16(i + 1),
		};
	for (unsigned i = 0; i < BIG; i++) {
		b.desc[i] = (struct vring_desc){
			.addr = cpu_le64(TABLE),
			.len = cpu_le32(LONG * sizeof(*table)),
			.flags = cpu_le16(VRING_DESC_F_INDIRECT),
		};
		b.avail->ring[i] = cpu_le16(i);
	}
	return b;
}

/* The driver sees no kick asked for and sends none, so a push must tell that there is work again.
 */
static void a_pool_without_room_makes_chains_wait(void **state)
{
	const struct ringpair_spec spec = { .size = 2, .indirect = true };
	static struct vq_chain *c[BIG];
	struct ringpair p;
	struct big b;
	unsigned n = 0, total = 0;
	int got;

	(void)state;
	ringpair_open(&p, &spec);
	(void)vq_stop(p.vq);
	b = big_ring(&p);
	assert_int_equal(vq_start(p.vq, &p.mem, &p.cfg), VQ_OK);
	b.avail->idx = cpu_le16(BIG);
	while ((got = vq_pop(p.vq, c + n, BIG - n)) > 0)
		n += got;
	assert_int_equal(got, 0);
	assert_int_equal(vq_fault(p.vq), VQ_OK);
	assert_true(n > 64 && n < BIG);
	assert_true(vq_pool_exhausted(p.vq));
	assert_false(vq_pending(p.vq));
	assert_true(vq_enable_notify(p.vq)); /* no use in looking again */
	for (total = n; total < BIG; total++) {
		assert_int_equal(c[n - 1]->rd.left, LONG);
		vq_push(p.vq, c[n - 1]);
		vq_publish(p.vq);
		assert_false(vq_pool_exhausted(p.vq));
		assert_true(vq_pending(p.vq));
		assert_int_equal(vq_pop(p.vq, c + n - 1, 1), 1);
		if (total + 1 < BIG) {
			struct vq_chain *none;

			assert_int_equal(vq_pop(p.vq, &none, 1), 0);
			assert_true(vq_pool_exhausted(p.vq));
		}
	}
	assert_false(vq_pending(p.vq));
	assert_int_equal(vq_in_flight(p.vq), n);
	ringpair_close(&p);
}

/* Slots are for as many chains as the ring holds: short ones never wait. */
static void short_chains_always_have_room(void **state)
{
	const struct ringpair_spec spec = { .size = 2, .indirect = true };
	static struct vq_chain *c[BIG];
	struct ringpair p;
	struct big b;

	(void)state;
	ringpair_open(&p, &spec);
	(void)vq_stop(p.vq);
	b = big_ring(&p);
	for (unsigned i = 0; i < BIG; i++)
		b.desc[i].len = cpu_le32(8 * sizeof(*b.desc));
	((struct vring_desc *)ringpair_at(&p, TABLE))[7].flags = 0;
	assert_int_equal(vq_start(p.vq, &p.mem, &p.cfg), VQ_OK);
	b.avail->idx = cpu_le16(BIG);
	assert_int_equal(vq_pop(p.vq, c, BIG), BIG);
	for (unsigned i = BIG; i-- > 0;)
		vq_push(p.vq, c[i]);
	vq_publish(p.vq);
	assert_int_equal(le16_cpu(b.used->idx), BIG);
	ringpair_close(&p);
}

/* The thread sanitizer keeps its own pages for each of ours. */
#ifdef __SANITIZE_THREAD__
#define FAULTS_EACH 16
#else
#define FAULTS_EACH 1
#endif

static long faults(void)
{
	struct rusage usage;

	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_minflt;
}

/* Two chains in flight at a time, ten thousand times, in a ring for a thousand: a few pages. */
static void only_what_is_in_flight_costs_memory(void **state)
{
	const struct ringpair_spec spec = { .size = 1024, .indirect = true };
	struct ringpair p;
	struct vq_chain *c[2];
	long before;

	(void)state;
	ringpair_open(&p, &spec);
	ringpair_remember(&p); /* touches all of guest memory */
	memset(p.region[0], 0, RINGPAIR_REGION);
	assert_true(drv_vq_init(&p.drv, &p.drv.cfg));
	before = faults();
	for (unsigned i = 0; i < 10000; i++) {
		ringpair_send(&p, RINGPAIR_DATA, 64, 20, 20);
		ringpair_send(&p, RINGPAIR_DATA, 64, 1, 1);
		assert_int_equal(vq_pop(p.vq, c, 2), 2);
		vq_push(p.vq, c[0]);
		vq_push(p.vq, c[1]);
		vq_publish(p.vq);
		ringpair_used(&p);
		ringpair_used(&p);
	}
	assert_true(faults() - before < 64l * FAULTS_EACH);
	ringpair_close(&p);
}

/* What RLIMIT_DATA counts, in bytes, or -1. */
static long data_now(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long pages = -1;

	if (!f || fscanf(f, "%*u %*u %*u %*u %*u %ld", &pages) != 1)
		pages = -1;
	if (f)
		(void)fclose(f);
	return pages < 0 ? -1 : pages * sysconf(_SC_PAGESIZE);
}

/* The process has no more than was promised, and must not need it. */
static int start_within_limits(size_t request_size)
{
	static const uint16_t sizes[] = { 1, 3, 100, 1000, 4096, 9999, 20000, BIG };
	const struct ringpair_spec spec = { .size = 2, .packed = true };
	struct ringpair p;
	struct rlimit limit;
	size_t promised = vq_memory_max(BIG, request_size);

	ringpair_open(&p, &spec);
	vq_stop(p.vq);
	p.cfg.driver = RINGPAIR_DATA;
	p.cfg.device = RINGPAIR_DATA + 64;
	p.cfg.desc = RINGPAIR_BORDER;
	p.cfg.request_size = request_size;
	limit.rlim_cur = limit.rlim_max = (rlim_t)data_now() + promised;
	if (data_now() < 0 || setrlimit(RLIMIT_DATA, &limit) < 0)
		return 1;
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		p.cfg.size = sizes[i];
		if (vq_start(p.vq, &p.mem, &p.cfg) != VQ_OK)
			return 2;
		if (vq_memory_max(sizes[i], request_size) > promised)
			return 3;
		vq_stop(p.vq);
	}
	return 0;
}

/* The sandbox leaves so much and no more. */
static void no_size_takes_more_than_is_said(void **state)
{
	static const size_t request_sizes[] = { 0, 200, 5000 };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		pid_t child = fork();
		int status;

		assert_true(child >= 0);
		if (child == 0)
			_exit(start_within_limits(request_sizes[i]));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pool_without_room_makes_chains_wait),
		cmocka_unit_test(short_chains_always_have_room),
		cmocka_unit_test(only_what_is_in_flight_costs_memory),
		cmocka_unit_test(no_size_takes_more_than_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
