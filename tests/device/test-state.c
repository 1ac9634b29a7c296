/*
 * State as data: a device is paused in the middle of its work, its record is taken, another device
 * is made on the same memory and the same link, the record is loaded, and the driver notices
 * nothing. And no record that is not one does anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/console/console-impl.h"
#include "devices/console/console.h"
#include "devices/core/state.h"
#include "tests/support/blk-driver.h"
#include "tests/support/console-peer.h"
#include "tests/support/echo.h"
#include "tests/support/input-driver.h"
#include "tests/support/net-frames.h"
#undef CTRL /* of <sys/ttydefaults.h> */
#include "tests/support/net-peer.h"
#include "tests/support/rig.h"
#undef CASE

static GByteArray *save(struct rig *r)
{
	GByteArray *record = g_byte_array_new();
	GError *err = NULL;

	if (!vdev_state_save(rig_dev(r), record, &err))
		fail_msg("%s", err->message);
	return record;
}

static void load(struct rig *r, const GByteArray *record)
{
	GError *err = NULL;

	if (!vdev_state_load(rig_dev(r), record->data, record->len, &err))
		fail_msg("%s", err->message);
}

/* Another device goes on from where this one is. */
static void move(struct rig *r)
{
	g_autoptr(GByteArray) record = NULL, again = NULL;

	vdev_pause(rig_dev(r));
	record = save(r);
	rig_replace(r);
	load(r, record);
	again = save(r);
	assert_int_equal(again->len, record->len);
	assert_memory_equal(again->data, record->data, record->len);
	vdev_resume(rig_dev(r));
}

/*
 * Each device.
 */

static struct rig_req *submit(struct rig *r, unsigned q)
{
	struct rig_buf bufs[] = { rig_dup(r, "12345678", 8), rig_alloc(r, 8) };

	return rig_submit(r, q, bufs, 1, 1);
}

static void echo_goes_on(struct rig *r)
{
	struct rig_buf in = rig_alloc(r, 4);
	struct rig_req *kept[3], *waiting[5], *fed[2];
	const uint32_t written = 0x01020304;
	uint32_t generation;

	rig_start(r, RIG_ALL);
	rig_config_write(r, ECHO_WRITABLE, &written, 4);
	echo_set_pair(rig_dev(r), 0x77, false);
	generation = rig_config_generation(r);
	for (unsigned i = 0; i < 3; i++)
		kept[i] = submit(r, ECHO_KEEP);
	for (unsigned i = 0; i < 2; i++)
		fed[i] = rig_submit(r, ECHO_FED, &in, 0, 1);
	rig_wait_idle(r);
	for (unsigned i = 0; i < 5; i++)
		waiting[i] = submit(r, ECHO_COPY);
	rig_on_owner(r, echo_feed, rig_dev(r));
	echo_set_pair(rig_dev(r), 0x01010101, false); /* as another device has it */
	assert_true(!rig_has_generation(r) || rig_config_generation(r) != generation);
	generation = rig_config_generation(r);
	move(r);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(rig_wait(r, waiting[i]), 8);
	for (unsigned i = 0; i < 3; i++) /* completed when the record was taken */
		rig_wait(r, kept[i]);
	assert_int_equal(rig_wait(r, fed[0]), 1);
	assert_false(fed[1]->done);
	rig_on_owner(r, echo_feed, rig_dev(r));
	assert_int_equal(rig_wait(r, fed[1]), 1);
	assert_int_equal(*(uint8_t *)in.p, 2); /* it goes on counting */
	assert_int_equal(rig_config32(r, ECHO_WRITABLE), 0x02030405);
	assert_int_equal(rig_config_generation(r), generation);
	move(r);
	assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 8);
	rig_queue_reset(r, ECHO_COPY);
	rig_start(r, RIG_NONE);
	assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 8);
}

/* A queue that another device took over is as good as one that was never moved: all round its ring.
 */
static void a_ring_goes_round_from_device_to_device(struct rig *r)
{
	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 6; i++) {
		for (unsigned n = 0; n < 23; n++)
			assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 8);
		move(r);
	}
	assert_int_equal(rig_logged(r, "guest"), 0);
}

static void a_driver_that_has_not_begun_goes_on_too(struct rig *r)
{
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	move(r);
	assert_int_equal(rig_status(r), VIRTIO_S_ACKNOWLEDGE);
	assert_true(rig_negotiate(r, rig_offered(r)));
	move(r);
	rig_queue_start(r, ECHO_COPY, 16);
	move(r);
	rig_driver_ok(r);
	assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 8);
}

static void a_broken_device_stays_so(struct rig *r)
{
	struct rig_buf buf = rig_alloc(r, 4);

	rig_start(r, rig_all_but(VIRTIO_F_INDIRECT_DESC));
	rig_add(r, ECHO_COPY, &buf, 0, 1);
	rig_spoil_address(r, ECHO_COPY, 1ull << 50);
	rig_publish(r, ECHO_COPY);
	RIG_UNTIL(r, rig_status(r) & VIRTIO_S_NEEDS_RESET);
	move(r);
	assert_true(rig_status(r) & VIRTIO_S_NEEDS_RESET);
	rig_start(r, RIG_ALL);
	assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 8);
}

/* Interrupts that the driver has not taken when it is moved. */
static void an_interrupt_on_its_way_arrives(struct rig *r)
{
	struct rig_req *req;

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 10; i++) {
		req = submit(r, ECHO_COPY);
		while (g_main_context_iteration(NULL, FALSE))
			;
		move(r);
		assert_int_equal(rig_wait(r, req), 8);
	}
}

#define REQUESTS 24u

static void blk_goes_on(struct rig *r)
{
	struct bd_request read[REQUESTS], write[REQUESTS];
	struct rig_buf back = rig_alloc(r, 512 << 10);
	const uint8_t off = 0;

	rig_start(r, RIG_ALL);
	if (rig_has(r, BLK_F_CONFIG_WCE))
		rig_config_write(r, offsetof(struct blk_config, writeback), &off, 1);
	for (unsigned i = 0; i < REQUESTS; i++) {
		write[i] = bd_start(r, 0, BLK_T_OUT, 8ul * i, bd_filled(r, 4096, i + 1));
		read[i] = bd_start(r, 0, BLK_T_IN, 1024, back); /* more than one turn does */
	}
	rig_turn(r, rig_deadline());
	move(r);
	for (unsigned i = 0; i < REQUESTS; i++) {
		rig_wait(r, read[i].req);
		rig_wait(r, write[i].req);
		assert_int_equal(*read[i].status, BLK_S_OK);
		assert_int_equal(*write[i].status, BLK_S_OK);
		bd_expect_on_host(r, 8ul * i, write[i].bufs[1].p, 4096);
	}
	if (rig_has(r, BLK_F_CONFIG_WCE))
		assert_int_equal(rig_config8(r, offsetof(struct blk_config, writeback)), 0);
	assert_int_equal(bd_request(r, BLK_T_FLUSH, 0, bd_no_data), BLK_S_OK);
}

/* Taking a record does not end anything: the same device may go on, or be reset. */
static void a_saved_device_goes_on_itself(struct rig *r)
{
	struct bd_request read[REQUESTS];
	struct rig_buf back = rig_alloc(r, 512 << 10);

	rig_start(r, RIG_ALL);
	for (unsigned twice = 0; twice < 2; twice++) {
		for (unsigned i = 0; i < REQUESTS; i++)
			read[i] = bd_start(r, 0, BLK_T_IN, 1024, back);
		rig_turn(r, rig_deadline());
		vdev_pause(rig_dev(r));
		g_byte_array_unref(save(r));
		g_byte_array_unref(save(r));
		if (twice)
			break;
		vdev_resume(rig_dev(r));
		for (unsigned i = 0; i < REQUESTS; i++) {
			rig_wait(r, read[i].req);
			assert_int_equal(*read[i].status, BLK_S_OK);
		}
	}
	rig_start(r, RIG_ALL);
	assert_int_equal(bd_request(r, BLK_T_IN, 0, back), BLK_S_OK);
}

static void rng_goes_on(struct rig *r)
{
	struct rig_req *req[8];
	struct rig_buf b = rig_alloc(r, 64);

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 8; i++)
		req[i] = rig_submit(r, 0, &b, 0, 1);
	move(r);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(rig_wait(r, req[i]), 64);
	assert_int_equal(rig_do(r, 0, &b, 0, 1), 64);
}

static void input_goes_on(struct rig *r)
{
	const struct input_event_wire led = { cpu_le16(EV_LED), cpu_le16(LED_CAPSL), cpu_le32(1) };
	struct rig_buf b = rig_dup(r, &led, sizeof(led));
	struct id_listener l;
	uint8_t size;

	id_start(&l, r, 8);
	rig_do(r, ID_STATUSQ, &b, 1, 0);
	assert_int_equal(input_leds(rig_dev(r)), 1u << LED_CAPSL);
	size = id_ask(r, INPUT_CFG_EV_BITS, EV_KEY);
	id_key(r, KEY_A, true);
	id_expect(&l, EV_KEY, KEY_A, 1);
	move(r);
	assert_int_equal(input_leds(rig_dev(r)), 1u << LED_CAPSL);
	assert_int_equal(rig_config8(r, ID_SIZE), size);
	id_expect(&l, EV_SYN, SYN_REPORT, 0);
	id_key(r, KEY_A, false);
	id_expect(&l, EV_KEY, KEY_A, 0);
	id_expect(&l, EV_SYN, SYN_REPORT, 0);
}

/* More than the host's end takes: part of a chain is written here, and the rest there. */
static void console_goes_on(struct rig *r)
{
	enum { CHAINS = 4 };
	const size_t chain = 300000;
	struct rig_buf out = rig_alloc(r, chain * CHAINS), in = rig_alloc(r, 64);
	struct rig_req *req[CHAINS], *back;
	g_autoptr(GByteArray) record = NULL;
	int fd = host_connect(r, "s");
	uint8_t *got = g_malloc(chain * CHAINS);
	size_t n = 0;
	ssize_t ret;

	rig_start(r, RIG_NONE);
	host_pattern(out.p, out.len, 7);
	for (unsigned i = 0; i < CHAINS; i++) {
		struct rig_buf part = rig_part(out, i * chain, chain);

		req[i] = rig_submit(r, TX0, &part, 1, 0);
	}
	rig_wait_idle(r);
	assert_false(req[CHAINS - 1]->done);
	vdev_pause(rig_dev(r));
	record = save(r);
	rig_replace(r);
	while ((ret = recv(fd, got + n, chain * CHAINS - n, MSG_DONTWAIT)) > 0)
		n += (size_t)ret;
	close(fd);
	assert_true(n > 0 && n < chain * CHAINS);
	fd = host_connect(r, "s"); /* before it goes on: what nobody listens to is lost */
	rig_wait_idle(r);
	load(r, record);
	vdev_resume(rig_dev(r));
	host_hears(r, fd, (uint8_t *)out.p + n, chain * CHAINS - n);
	assert_memory_equal(got, out.p, n);
	for (unsigned i = 0; i < CHAINS; i++)
		rig_wait(r, req[i]);
	back = rig_submit(r, RX0, &in, 0, 1);
	host_says(fd, "hello", 5);
	assert_int_equal(rig_wait(r, back), 5);
	close(fd);
	g_free(got);
}

static void is_open(const struct console_port_state *state, void *arg)
{
	*(unsigned *)arg |= state->open ? 1u << state->id : 0;
}

static void consoles_ports_stay_open(struct rig *r)
{
	unsigned open = 0;
	struct ctl c;

	ctl_ports_up(&c, r);
	for (unsigned id = 0; id < 2; id++)
		ctl_expect(&c, CONSOLE_PORT_ADD, id, 1);
	ctl_say(r, 1, CONSOLE_PORT_READY, 1);
	ctl_expect(&c, CONSOLE_PORT_NAME, 1, 1);
	ctl_expect(&c, CONSOLE_PORT_OPEN, 1, 1);
	ctl_say(r, 1, CONSOLE_PORT_OPEN, 1);
	rig_wait_idle(r);
	move(r);
	console_ports(rig_dev(r), is_open, &open);
	assert_int_equal(open, 2);
	ctl_say(r, 0, CONSOLE_DEVICE_READY, 1); /* it knows them: they are not added again */
	ctl_say(r, 0, CONSOLE_PORT_READY, 1);
	ctl_expect(&c, CONSOLE_CONSOLE_PORT, 0, 1);
	ctl_expect(&c, CONSOLE_PORT_OPEN, 0, 1);
	ctl_silence(&c);
}

static void net_goes_on(struct rig *r)
{
	static const uint8_t mine[6] = { 0x52, 0x54, 0, 7, 7, 7 }, other[6] = { 2, 1, 1, 1, 1, 1 };
	static const uint8_t group[6] = { 1, 0, 0x5e, 1, 1, 1 };
	uint8_t table[4 + 6 + 4] = { 1, 0, 0, 0, 2, 1, 1, 1, 1, 1 }, now[6];
	struct net_peer p;

	rig_start(r, RIG_ALL);
	assert_int_equal(net_command(r, 1, 0, table, sizeof(table)), ACK_OK);
	assert_int_equal(net_command(r, 1, 1, mine, 6), ACK_OK);
	assert_int_equal(net_command(r, 2, 0, (uint8_t[2]){ 5 }, 2), ACK_OK);
	move(r);
	rig_config(r, 0, now, 6);
	assert_memory_equal(now, mine, 6);
	p = net_peer_connect(r);
	assert_true(net_arrives(&p, mine, 0));
	assert_true(net_arrives(&p, mine, 5));
	assert_true(net_arrives(&p, other, 0));
	assert_false(net_arrives(&p, mac_guest, 0));
	assert_false(net_arrives(&p, mine, 6));
	assert_false(net_arrives(&p, group, 0));
	assert_int_equal(net_command1(r, 0, 1, 1), ACK_OK);
	assert_true(net_arrives(&p, group, 0));
	close(p.fd);
}

/* Frames that the peer's end has no room for go back into the ring, and out of it on the other
 * side. */
static void nets_frames_wait_in_the_ring(struct rig *r)
{
	enum { FRAMES = 40, BYTES = 60000 };
	struct rig_buf frame = rig_alloc(r, HDR + BYTES);
	struct rig_req *req[FRAMES];
	struct net_peer p;
	unsigned done = 0;

	rig_start(r, RIG_ALL);
	p = net_peer_connect(r);
	for (unsigned i = 0; i < FRAMES; i++)
		req[i] = rig_submit(r, TX, &frame, 1, 0);
	rig_wait_idle(r);
	for (unsigned i = 0; i < FRAMES; i++)
		done += req[i]->done;
	assert_true(done > 0 && done < FRAMES);
	vdev_pause(rig_dev(r));
	g_byte_array_unref(save(r));
	for (unsigned i = 0, now = 0; i < FRAMES; i++) {
		now += req[i]->done;
		assert_true(now <= done);
	}
	close(p.fd);
	vdev_resume(rig_dev(r));
	for (unsigned i = 0; i < FRAMES; i++)
		rig_wait(r, req[i]);
}

/*
 * What is no record.
 */

static void refused(struct rig *r, const uint8_t *bytes, size_t len, const char *why)
{
	GError *err = NULL;

	if (vdev_state_load(rig_dev(r), bytes, len, &err))
		fail_msg("loaded, but: %s", why);
	if (!strstr(err->message, why))
		fail_msg("'%s' is refused, but not for '%s'", err->message, why);
	g_error_free(err);
}

/* Where part @type, the @nth of them, begins. */
static size_t find(const GByteArray *record, unsigned type, unsigned nth)
{
	size_t at = 0;

	while (at < record->len) {
		const uint8_t *p = record->data + at;

		if ((p[0] | p[1] << 8) == (int)type && nth-- == 0)
			return at;
		at += 16 + (p[12] | (size_t)p[13] << 8);
	}
	fail_msg("no part %#x", type);
	return 0;
}

static size_t part_bytes(const GByteArray *record, size_t at)
{
	return 16 + (record->data[at + 12] | (size_t)record->data[at + 13] << 8);
}

/* A byte of a part is another. */
static const struct change {
	unsigned type, nth, at;
	uint8_t to;
	const char *why;
} changes[] = {
	{ 0x5f0, 0, 3, 1, "reserved bits" },
	{ 0x5f0, 0, 2, 2, "reserved bits" },
	{ 0x5f0, 0, 2, 1, "wrong flags" },
	{ 0x5f0, 0, 4, 1, "a selector where there is none" },
	{ 0x5f0, 0, 12, 9, "wrong length" },
	{ 0x5f0, 0, 15, 9, "ends after the record" },
	{ 0x5f0, 0, 16, 9, "another type of device" },
	{ 0x5f0, 0, 20, 9, "version" },
	{ 0x5f0, 0, 22, 9, "number of queues" },
	{ 0x100, 0, 2, 0, "wrong flags" },
	{ 0x100, 0, 31, 0x80, "offers other features" },
	{ 0x101, 0, 31, 0x80, "not offered" },
	{ 0x101, 0, 20, 0, "hold together" },
	{ 0x103, 0, 16, 0x20, "unknown bits" },
	{ 0x103, 0, 16, 7, "without FEATURES_OK" },
	{ 0x104, 1, 4, 0, "there twice" },
	{ 0x104, 1, 4, 9, "does not have" },
	{ 0x104, 1, 6, 1, "a selector where there is none" },
	{ 0x104, 0, 18, 0, "a vector" },
	{ 0x104, 0, 20, 2, "a vector" },
	{ 0x104, 0, 22, 1, "reserved" },
	{ 0x5f1, 1, 4, 0, "there twice" },
	{ 0x5f1, 0, 17, 0x7f, "position outside" },
	{ 0x5f1, 0, 0, 0xff, "nothing is known" },
	{ 0x5f2, 0, 0, 0xf0, "out of order" },
	{ 0x5f3, 0, 16, 9, "version" },
};

static void a_record_is_checked(struct rig *r)
{
	g_autoptr(GByteArray) good = NULL;

	rig_start(r, RIG_ALL);
	assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 8);
	vdev_pause(rig_dev(r));
	good = save(r);
	for (unsigned i = 0; i < G_N_ELEMENTS(changes); i++) {
		const struct change *c = &changes[i];
		uint8_t *byte = good->data + find(good, c->type, c->nth) + c->at, was = *byte;

		*byte = c->to;
		refused(r, good->data, good->len, c->why);
		*byte = was;
	}
	load(r, good); /* nothing happened to the device */
	vdev_resume(rig_dev(r));
	assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 8);
}

/* A record without one of its parts, with one twice, and with one at the wrong place. */
static void parts_are_there_once_and_in_order(struct rig *r)
{
	g_autoptr(GByteArray) good = NULL;

	rig_start(r, RIG_ALL);
	vdev_pause(rig_dev(r));
	good = save(r);
	for (size_t at = 0, len; at < good->len; at += len) {
		g_autoptr(GByteArray) bad = g_byte_array_new();
		unsigned type = good->data[at] | (unsigned)good->data[at + 1] << 8;

		len = part_bytes(good, at);
		g_byte_array_append(bad, good->data, (guint)at);
		g_byte_array_append(bad, good->data + at + len, (guint)(good->len - at - len));
		if (type != 0x100 && type != 0x5f1) /* those may be missing */
			refused(r, bad->data, bad->len, "missing");
		g_byte_array_append(bad, good->data + at, (guint)len);
		if (at + len < good->len)
			refused(r, bad->data, bad->len, "state");
		g_byte_array_append(bad, good->data + at, (guint)len);
		refused(r, bad->data, bad->len, "state");
	}
	refused(r, NULL, 0, "missing");
}

/* Whatever a part's type says, one that is optional may be left out by who does not know it. */
static void unknown_parts_are_left_out_if_they_are_optional(struct rig *r)
{
	const uint8_t part[18] = { 0xf9, 5, 1, [12] = 2 };
	g_autoptr(GByteArray) record = NULL;

	rig_start(r, RIG_ALL);
	vdev_pause(rig_dev(r));
	record = save(r);
	g_byte_array_append(record, part, sizeof(part));
	load(r, record);
	record->data[record->len - sizeof(part) + 2] = 0;
	refused(r, record->data, record->len, "nothing is known");
}

static void a_running_device_has_no_record(struct rig *r)
{
	g_autoptr(GByteArray) record = g_byte_array_new(), good = NULL;
	GError *err = NULL;

	good = save(r);
	rig_start(r, RIG_ALL);
	assert_false(vdev_state_save(rig_dev(r), record, &err));
	assert_non_null(strstr(err->message, "paused"));
	assert_int_equal(record->len, 0);
	g_clear_error(&err);
	refused(r, good->data, good->len, "while the device runs");
	assert_int_equal(rig_wait(r, submit(r, ECHO_COPY)), 8);
}

/* Every beginning of a record, and every record with one byte of it wrong, and some with more. */
static void nothing_in_a_record_is_trusted(struct rig *r)
{
	g_autoptr(GByteArray) good = NULL;
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);
	g_autofree uint8_t *bytes = NULL;

	rig_start(r, RIG_ALL);
	vdev_pause(rig_dev(r));
	good = save(r);
	for (guint len = 0; len < good->len; len++) {
		g_autofree uint8_t *part = g_memdup2(good->data,
						     len); /* so that a sanitizer sees the end */

		refused(r, part, len, "state");
	}
	bytes = g_memdup2(good->data, good->len);
	for (unsigned i = 0, went_on = 0; i < good->len + 300; i++) {
		unsigned n = i < good->len ? 1 : 3;

		memcpy(bytes, good->data, good->len);
		for (unsigned k = 0; k < n; k++)
			bytes[n == 1 ? i : (unsigned)g_rand_int_range(rand, 0, (int)good->len)] =
				(uint8_t)g_rand_int_range(rand, 0, 256);
		if (vdev_state_load(rig_dev(r), bytes, good->len, NULL)) {
			g_byte_array_unref(save(r));
			if (went_on++ % 32)
				continue;
			vdev_resume(rig_dev(r));
			for (unsigned turns = 0; turns < 20; turns++) /* it may never be idle */
				g_main_context_iteration(NULL, FALSE);
			vdev_pause(rig_dev(r));
		}
	}
}

#define CASE(fn, s)                                                    \
	{                                                              \
		.name = #fn, .spec = s, .run = fn, .links = RIG_STAYS, \
	}
#define ECHO(fn)                                                                                 \
	{                                                                                        \
		.name = #fn, .spec = "echo", .run = fn, .class = &echo_class, .links = RIG_STAYS \
	}
#define MODERN(fn)                                                                                \
	{                                                                                         \
		.name = #fn, .spec = "echo", .run = fn, .class = &echo_class, .links = RIG_MODERN \
	}
#define ON_DISK(fn, opts)                                                              \
	{                                                                              \
		.name = #fn " (" opts ")", .spec = "blk,path=@/disk," opts, .run = fn, \
		.setup = bd_make_disk, .links = RIG_STAYS,                             \
	}
#define ANY(s) CASE(nothing_in_a_record_is_trusted, s)

static const struct rig_case cases[] = {
	ECHO(echo_goes_on),
	ECHO(a_ring_goes_round_from_device_to_device),
	ECHO(a_driver_that_has_not_begun_goes_on_too),
	ECHO(a_broken_device_stays_so),
	ECHO(an_interrupt_on_its_way_arrives),
	ON_DISK(blk_goes_on, "aio=sync"),
	ON_DISK(blk_goes_on, "aio=uring"),
	ON_DISK(a_saved_device_goes_on_itself, "aio=sync"),
	ON_DISK(a_saved_device_goes_on_itself, "aio=uring"),
	CASE(rng_goes_on, "rng"),
	CASE(input_goes_on, "input"),
	CASE(console_goes_on, "console,chr=unix:@/s"),
	CASE(consoles_ports_stay_open, "console,chr=null,port=a:null"),
	CASE(net_goes_on, NET_PEER),
	CASE(nets_frames_wait_in_the_ring, NET_PEER),

	MODERN(a_record_is_checked),
	MODERN(parts_are_there_once_and_in_order),
	ECHO(unknown_parts_are_left_out_if_they_are_optional),
	ECHO(a_running_device_has_no_record),
	ECHO(nothing_in_a_record_is_trusted),
	ON_DISK(nothing_in_a_record_is_trusted, "aio=sync"),
	ANY("rng"),
	ANY("input"),
	ANY("console,chr=null,port=a:null"),
	ANY(NET_PEER),
};

int main(void)
{
	return rig_run("state", cases, G_N_ELEMENTS(cases));
}
