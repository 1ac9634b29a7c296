/* Split virtqueues (2.7), and what both formats owe chains. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/conformance/conform.h"

/*
 * Chains.
 */

/* 40 bytes in pieces of every size, into pieces of another. */
static void the_cut_of_a_chain_does_not_matter(struct rig *r)
{
	static const char text[] = "the quick brown fox jumps over a lazy dog";
	struct rig_buf in = rig_dup(r, text, 40), out, bufs[80];

	rig_start(r, conform_plain(r));
	for (unsigned cut_in = 1; cut_in <= 40; cut_in += 3)
		for (unsigned cut_out = 1; cut_out <= 40; cut_out += 13) {
			unsigned n_in = 0, n_out = 0;

			out = rig_alloc(r, 40);
			for (unsigned at = 0; at < 40; at += cut_in)
				bufs[n_in++] = rig_part(in, at, MIN(cut_in, 40 - at));
			for (unsigned at = 0; at < 40; at += cut_out)
				bufs[n_in + n_out++] = rig_part(out, at, MIN(cut_out, 40 - at));
			if (n_in + n_out > rig_room(r, ECHO_COPY))
				continue;
			assert_int_equal(rig_do(r, ECHO_COPY, bufs, n_in, n_out), 40);
			assert_memory_equal(out.p, text, 40);
		}
}

static void readable_memory_is_not_written(struct rig *r)
{
	uint8_t bytes[64];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	rig_start(r, conform_plain(r));
	for (unsigned n_wr = 0; n_wr < 3; n_wr++) {
		struct rig_buf bufs[] = { rig_dup(r, bytes, 64), rig_dup(r, bytes, 64),
					  rig_alloc(r, 50), rig_alloc(r, 50) };

		for (unsigned q = ECHO_COPY; q <= ECHO_KEEP; q++) {
			struct rig_req *req = rig_submit(r, q, bufs, 2, n_wr);

			rig_wait_idle(r);
			rig_on_owner(r, echo_release, rig_dev(r));
			rig_wait(r, req);
			assert_memory_equal(bufs[0].p, bytes, 64);
			assert_memory_equal(bufs[1].p, bytes, 64);
		}
	}
}

static void the_descriptor_table_is_not_written(struct rig *r)
{
	struct rig_buf bufs[] = { rig_dup(r, "abcd", 4), rig_alloc(r, 4) };
	struct vring_desc before[64];
	const struct drv_vq *vq;

	rig_start(r, conform_with(r, VIRTIO_F_INDIRECT_DESC));
	vq = rig_vq(r, ECHO_COPY);
	assert_int_equal(vq->cfg.size, 64);
	for (int i = 0; i < 100; i++) {
		struct rig_req *req = rig_add(r, ECHO_COPY, bufs, 1, 1);

		memcpy(before, vq->split.desc, sizeof(before));
		rig_publish(r, ECHO_COPY);
		assert_int_equal(rig_wait(r, req), 4);
		assert_memory_equal(vq->split.desc, before, sizeof(before));
	}
}

/*
 * Chains written by hand, in an empty ring.
 */

static void set_desc(struct vring_desc *d, struct rig_buf buf, unsigned flags, uint16_t next)
{
	*d = (struct vring_desc){ .addr = cpu_le64(buf.gpa),
				  .len = cpu_le32(buf.len),
				  .flags = cpu_le16(flags),
				  .next = cpu_le16(next) };
}

static uint32_t offer_by_hand(struct rig *r, uint16_t head)
{
	const struct drv_vq *vq = rig_vq(r, ECHO_COPY);

	vq->split.avail->ring[0] = cpu_le16(head);
	__atomic_store_n(&vq->split.avail->idx, cpu_le16(1), __ATOMIC_RELEASE);
	rig_kick(r, ECHO_COPY);
	conform_await_first(r, ECHO_COPY);
	assert_int_equal(le32_cpu(vq->split.used->ring[0].id), head);
	return le32_cpu(vq->split.used->ring[0].len);
}

static void write_on_an_indirect_descriptor_means_nothing(struct rig *r)
{
	for (unsigned flag = 0; flag <= VRING_DESC_F_WRITE; flag += VRING_DESC_F_WRITE) {
		struct rig_buf in = rig_dup(r, "abcd", 4), out = rig_alloc(r, 4);
		struct rig_buf table = rig_alloc(r, 2 * sizeof(struct vring_desc));

		rig_start(r, conform_with(r, VIRTIO_F_INDIRECT_DESC));
		set_desc(table.p, in, VRING_DESC_F_NEXT, 1);
		set_desc((struct vring_desc *)table.p + 1, out, VRING_DESC_F_WRITE, 0);
		set_desc(&rig_vq(r, ECHO_COPY)->split.desc[5], table, VRING_DESC_F_INDIRECT | flag,
			 0);
		assert_int_equal(offer_by_hand(r, 5), 4);
		assert_memory_equal(out.p, "abcd", 4);
	}
}

static void a_table_may_follow_direct_descriptors(struct rig *r)
{
	struct rig_buf in = rig_dup(r, "abcdef", 6), out = rig_alloc(r, 6);
	struct rig_buf table = rig_alloc(r, 3 * sizeof(struct vring_desc));
	struct vring_desc *entry = table.p, *desc;

	rig_start(r, conform_with(r, VIRTIO_F_INDIRECT_DESC));
	desc = rig_vq(r, ECHO_COPY)->split.desc;
	set_desc(&desc[7], rig_part(in, 0, 2), VRING_DESC_F_NEXT, 3);
	set_desc(&desc[3], rig_part(in, 2, 2), VRING_DESC_F_NEXT, 4);
	set_desc(&desc[4], table, VRING_DESC_F_INDIRECT, 0);
	set_desc(&entry[0], rig_part(in, 4, 2), VRING_DESC_F_NEXT, 2);
	set_desc(&entry[2], rig_part(out, 0, 5), VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 1);
	set_desc(&entry[1], rig_part(out, 5, 1), VRING_DESC_F_WRITE, 0);
	assert_int_equal(offer_by_hand(r, 7), 6);
	assert_memory_equal(out.p, "abcdef", 6);
}

/*
 * Interrupt suppression. A wait that is not interrupted runs out of time and fails.
 */

static void without_event_idx_used_event_is_ignored(struct rig *r)
{
	rig_start(r, conform_plain(r));
	for (unsigned i = 0; i < 100; i++) {
		*rig_vq(r, ECHO_COPY)->split.used_event = cpu_le16(i * 523);
		conform_echo(r, "used_event");
	}
}

static void without_event_idx_flags_0_mean_an_interrupt(struct rig *r)
{
	rig_start(r, conform_plain(r));
	for (unsigned i = 1; i <= 100; i++) {
		assert_int_equal(le16_cpu(rig_vq(r, ECHO_COPY)->split.avail->flags), 0);
		conform_echo(r, "flags");
		assert_in_range(rig_interrupts(r, ECHO_COPY), i, UINT32_MAX);
	}
}

static void with_event_idx_avail_flags_are_ignored(struct rig *r)
{
	rig_start(r, conform_with(r, VIRTIO_F_EVENT_IDX));
	for (unsigned i = 0; i < 100; i++) {
		rig_vq(r, ECHO_COPY)->split.avail->flags =
			cpu_le16(i % 3 ? VRING_AVAIL_F_NO_INTERRUPT : 0);
		conform_echo(r, "flags");
	}
}

/* The event lies at each place of a batch of four in turn, and the index wraps on the way. */
static void the_entry_at_used_event_interrupts(struct rig *r)
{
	struct rig_buf bufs[] = { rig_dup(r, "abcd", 4), rig_alloc(r, 4) };
	struct rig_req *req[4];

	rig_start(r, conform_with(r, VIRTIO_F_EVENT_IDX));
	for (unsigned i = 0; i < 100; i++) {
		const struct drv_vq *vq = rig_vq(r, ECHO_COPY);

		*vq->split.used_event = cpu_le16(vq->split.last_used + i % 4);
		for (unsigned k = 0; k < 4; k++)
			req[k] = rig_add(r, ECHO_COPY, bufs, 1, 1);
		rig_publish(r, ECHO_COPY);
		RIG_UNTIL(r, req[i % 4]->done);
		for (unsigned k = 0; k < 4; k++)
			rig_wait(r, req[k]);
	}
}

/*
 * The used ring, read by a driver that polls while the device is at work.
 */

#define POLLED 32u

struct polled {
	struct rig_buf in, out[POLLED];
	struct rig_req *req[POLLED];
};

static uint32_t polled_len(unsigned round, unsigned i)
{
	return 1 + (round * POLLED + i) * 37 % 900;
}

/* All that idx tells of is there, the moment that it does. Returns how many are used. */
static unsigned look_at_used(const struct drv_vq *vq, const struct polled *p, unsigned round,
			     unsigned seen)
{
	uint16_t base = (uint16_t)(round * POLLED);
	uint16_t idx = le16_cpu(__atomic_load_n(&vq->split.used->idx, __ATOMIC_ACQUIRE)) - base;

	assert_in_range(idx, seen, POLLED);
	for (; seen < idx; seen++) {
		const struct vring_used_elem *e = &vq->split.used->ring[(base + seen) % 64];
		uint32_t len = polled_len(round, seen);

		assert_int_equal(le32_cpu(e->len), len);
		assert_memory_equal(p->out[seen].p, p->in.p, len);
	}
	return idx;
}

static void used_elements_are_whole_when_idx_says_so(struct rig *r)
{
	struct polled p = { .in = rig_alloc(r, 900) };

	for (unsigned i = 0; i < POLLED; i++)
		p.out[i] = rig_alloc(r, 908);
	rig_start(r, conform_plain(r));
	for (unsigned round = 0; round < 60; round++) {
		int64_t end = rig_deadline();

		memset(p.in.p, (int)round + 1, p.in.len);
		for (unsigned i = 0; i < POLLED; i++)
			p.req[i] =
				rig_add(r, ECHO_COPY,
					(struct rig_buf[]){ rig_part(p.in, 0, polled_len(round, i)),
							    p.out[i] },
					1, 1);
		rig_publish(r, ECHO_COPY);
		for (unsigned seen = 0; seen < POLLED;) {
			g_main_context_iteration(loop_context(rig_loop(r)), FALSE);
			seen = look_at_used(rig_vq(r, ECHO_COPY), &p, round, seen);
			assert_true(g_get_monotonic_time() < end);
		}
		for (unsigned i = 0; i < POLLED; i++)
			rig_wait(r, p.req[i]);
	}
}

/*
 * Kick suppression.
 */

static void used_flags_are(struct rig *r, unsigned max)
{
	struct rig_buf bufs[] = { rig_dup(r, "abcd", 4), rig_alloc(r, 4) };
	const struct drv_vq *vq = rig_vq(r, ECHO_COPY);

	for (unsigned i = 0; i < 60; i++) {
		struct rig_req *req = rig_submit(r, ECHO_COPY, bufs, 1, 1);

		RIG_UNTIL(r, (assert_in_range(le16_cpu(__atomic_load_n(&vq->split.used->flags,
								       __ATOMIC_RELAXED)),
					      0, max),
			      req->done));
	}
}

static void without_event_idx_used_flags_are_0_or_1(struct rig *r)
{
	rig_start(r, conform_plain(r));
	used_flags_are(r, 1);
}

static void with_event_idx_used_flags_stay_0(struct rig *r)
{
	rig_start(r, conform_with(r, VIRTIO_F_EVENT_IDX));
	used_flags_are(r, 0);
}

static void kicks_for_nothing_are_harmless(struct rig *r)
{
	for (unsigned event_idx = 0; event_idx < 2; event_idx++) {
		struct vfeatures f = conform_plain(r);

		vfeatures_set(&f, VIRTIO_F_EVENT_IDX, event_idx);
		rig_start(r, f);
		for (unsigned i = 0; i < 40; i++) {
			for (unsigned k = 0; k < i % 5; k++)
				rig_kick(r, ECHO_COPY);
			if (i % 7 == 0)
				rig_wait_idle(r);
			conform_echo(r, "kick");
		}
		assert_false(rig_status(r) & VIRTIO_S_NEEDS_RESET);
	}
}

static const struct conform_case cases[] = {
	{ "DEV-SPLIT-FRAMING-01", "the cut of a chain does not matter",
	  the_cut_of_a_chain_does_not_matter, .rings = CONFORM_RINGS },
	{ "DEV-SPLIT-DESC-01", "readable memory is not written", readable_memory_is_not_written,
	  .rings = CONFORM_SPLIT },
	{ "DEV-PACKED-DESC-01", "readable memory is not written", readable_memory_is_not_written,
	  .rings = CONFORM_PACKED },
	{ "DEV-SPLIT-DESC-04", "the descriptor table is not written",
	  the_descriptor_table_is_not_written, .rings = CONFORM_SPLIT },
	{ "DEV-SPLIT-INDIRECT-01", "WRITE on an indirect descriptor means nothing",
	  write_on_an_indirect_descriptor_means_nothing, .rings = CONFORM_SPLIT },
	{ "DEV-SPLIT-INDIRECT-02", "a table may follow direct descriptors",
	  a_table_may_follow_direct_descriptors, .rings = CONFORM_SPLIT },
	{ "DEV-SPLIT-USEDSUPP-01", "without EVENT_IDX used_event is ignored",
	  without_event_idx_used_event_is_ignored, .rings = CONFORM_SPLIT },
	{ "DEV-SPLIT-USEDSUPP-03", "without EVENT_IDX flags 0 mean an interrupt",
	  without_event_idx_flags_0_mean_an_interrupt, .rings = CONFORM_SPLIT },
	{ "DEV-SPLIT-USEDSUPP-04", "with EVENT_IDX avail.flags are ignored",
	  with_event_idx_avail_flags_are_ignored, .rings = CONFORM_SPLIT },
	{ "DEV-SPLIT-USEDSUPP-05", "the entry at used_event interrupts",
	  the_entry_at_used_event_interrupts, .rings = CONFORM_SPLIT },
	{ "DEV-SPLIT-USED-01 DEV-SPLIT-USED-02", "used elements are whole when idx says so",
	  used_elements_are_whole_when_idx_says_so, .rings = CONFORM_SPLIT },
	{ "DEV-SPLIT-AVAILSUPP-01", "without EVENT_IDX used.flags are 0 or 1",
	  without_event_idx_used_flags_are_0_or_1, .rings = CONFORM_SPLIT },
	{ "DEV-SPLIT-AVAILSUPP-03", "with EVENT_IDX used.flags stay 0",
	  with_event_idx_used_flags_stay_0, .rings = CONFORM_SPLIT },
	{ "DEV-SPLIT-AVAILSUPP-05", "kicks for nothing are harmless",
	  kicks_for_nothing_are_harmless, .rings = CONFORM_RINGS },
};

int main(void)
{
	return conform_run("split", cases, G_N_ELEMENTS(cases));
}
