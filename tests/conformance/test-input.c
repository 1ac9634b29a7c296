/* The input device (5.8). */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/conformance/conform.h"
#include "tests/support/input-driver.h"

/*
 * Questions.
 */

/* Bit @n of the answer that stands in the configuration space. */
static bool bit_is_set(struct rig *r, unsigned n)
{
	return n / 8 < rig_config8(r, ID_SIZE) && rig_config8(r, ID_PAYLOAD + n / 8) >> n % 8 & 1;
}

/* Is there anything to say? By what the device itself says about types and axes. */
static bool can_be_supported(struct rig *r, unsigned select, unsigned subsel)
{
	switch (select) {
	case INPUT_CFG_ID_NAME:
	case INPUT_CFG_ID_SERIAL:
	case INPUT_CFG_ID_DEVIDS:
	case INPUT_CFG_PROP_BITS:
		return subsel == 0;
	case INPUT_CFG_EV_BITS:
		for (unsigned code = 0; subsel < EV_CNT && code < KEY_CNT; code++)
			if (input_offers(rig_dev(r), (uint16_t)subsel, (uint16_t)code))
				return true;
		return false;
	case INPUT_CFG_ABS_INFO:
		(void)id_ask(r, INPUT_CFG_EV_BITS, EV_ABS);
		return bit_is_set(r, subsel);
	default:
		return false;
	}
}

static void the_size_of_what_is_not_supported_is_0(struct rig *r)
{
	unsigned supported = 0;

	rig_start(r, RIG_ALL);
	for (unsigned select = 0; select < 256; select++)
		for (unsigned subsel = 0; subsel < 256; subsel++) {
			bool can = can_be_supported(r, select, subsel);
			uint8_t size = id_ask(r, (uint8_t)select, (uint8_t)subsel);

			assert_true(size <= INPUT_PAYLOAD_MAX);
			if (!can)
				assert_int_equal(size, 0);
			else if (select != INPUT_CFG_ID_SERIAL && select != INPUT_CFG_PROP_BITS)
				assert_true(size > 0); /* those two may be empty */
			supported += size > 0;
		}
	assert_true(supported > 2);
	id_ask(r, INPUT_CFG_ID_NAME, 0);
	rig_start(r, RIG_ALL);
	assert_int_equal(rig_config8(r, ID_SIZE), 0); /* nothing is selected */
}

/* One selector at a time, in either order, and both at once: what stands there is always the answer
 * to the two that stand there. */
static void the_size_belongs_to_both_selectors(struct rig *r)
{
	const uint8_t abs_info = INPUT_CFG_ABS_INFO, name = INPUT_CFG_ID_NAME;
	const uint8_t x = ABS_X, pressure = ABS_PRESSURE;
	const uint8_t both[] = { INPUT_CFG_ABS_INFO, ABS_PRESSURE };

	rig_start(r, RIG_ALL);
	assert_int_equal(id_ask(r, INPUT_CFG_ABS_INFO, ABS_X), 20);
	rig_config_write(r, ID_SUBSEL, &pressure, 1);
	assert_int_equal(rig_config8(r, ID_SIZE), 0);
	rig_config_write(r, ID_SELECT, &name, 1);
	assert_int_equal(rig_config8(r, ID_SIZE), 0);
	rig_config_write(r, ID_SUBSEL, &x, 1);
	assert_true(rig_config8(r, ID_SIZE) > 0);
	rig_config_write(r, ID_SELECT, &abs_info, 1);
	assert_int_equal(rig_config8(r, ID_SIZE), 20);
	rig_config_write(r, ID_SELECT, both, 2);
	assert_int_equal(rig_config8(r, ID_SIZE), 0);
}

/*
 * Events.
 */

#define KEYS 7u

/* A report of KEYS + 1 events. */
static void send_keys(struct rig *r, int32_t down)
{
	struct input_ev report[KEYS];

	for (unsigned k = 0; k < KEYS; k++)
		report[k] = (struct input_ev){ EV_KEY, (uint16_t)(KEY_1 + k), down };
	assert_true(input_send(rig_dev(r), report, KEYS));
}

static void expect_keys(struct id_listener *l, int32_t down)
{
	for (unsigned k = 0; k < KEYS; k++)
		id_expect(l, EV_KEY, (uint16_t)(KEY_1 + k), down);
	id_expect(l, EV_SYN, SYN_REPORT, 0);
}

/* However few buffers there are: none of it comes before all of it can. */
static void a_report_is_buffered_until_all_of_it_has_room(struct rig *r)
{
	struct id_listener l;

	for (unsigned few = 0; few <= KEYS; few++) {
		id_start(&l, r, few);
		send_keys(r, 1);
		id_silence(&l);
		id_supply(&l, KEYS + 1 - few);
		expect_keys(&l, 1);
		id_supply(&l, 3);
		id_silence(&l);
	}
}

/* With one buffer more at a time, over a border between reports. */
static void reports_come_one_after_the_other(struct rig *r)
{
	struct id_listener l;

	id_start(&l, r, 0);
	for (int32_t i = 0; i < 3; i++)
		send_keys(r, i % 2);
	for (unsigned n = 1; n <= 3 * (KEYS + 1); n++) {
		id_supply(&l, 1);
		if (n % (KEYS + 1) == 0)
			expect_keys(&l, (int32_t)(n / (KEYS + 1) + 1) % 2);
		else
			id_silence(&l);
	}
}

/* What is kept came first and is whole; what is dropped, too. */
static void reports_are_dropped_whole(struct rig *r)
{
	const unsigned sent = 300, group = KEYS + 1, most = ID_BUFFERS / group;
	unsigned kept;
	struct id_listener l;

	id_start(&l, r, 0);
	for (unsigned i = 0; i < sent; i++)
		send_keys(r, (int32_t)i % 2);
	kept = sent - (unsigned)input_dropped(rig_dev(r));
	assert_in_range(kept, 1, sent - 1);
	for (unsigned i = 0; i < kept; i++) {
		if (i % most == 0) {
			l.n = l.next = 0;
			id_supply(&l, MIN(most, kept - i) * group);
		}
		expect_keys(&l, (int32_t)i % 2);
	}
	id_supply(&l, 2);
	id_silence(&l);
	id_key(r, KEY_Z, true); /* and it goes on */
	id_expect(&l, EV_KEY, KEY_Z, 1);
	id_expect(&l, EV_SYN, SYN_REPORT, 0);
}

/* Neither a pause nor the queue's reset leaves a part of one behind. */
static void a_stop_drops_reports_whole(struct rig *r)
{
	struct id_listener l;

	id_start(&l, r, 3);
	send_keys(r, 1);
	id_silence(&l);
	vdev_pause(rig_dev(r));
	vdev_resume(rig_dev(r));
	send_keys(r, 0);
	id_supply(&l, KEYS + 1 - 3);
	expect_keys(&l, 0);
	id_supply(&l, 3);
	send_keys(r, 1);
	id_silence(&l);
	rig_queue_reset(r, ID_EVENTQ);
	rig_queue_start(r, ID_EVENTQ, 0);
	l = (struct id_listener){ .r = r };
	id_supply(&l, KEYS + 1);
	send_keys(r, 0);
	expect_keys(&l, 0);
}

static void a_report_that_can_never_fit_is_dropped_whole(struct rig *r)
{
	struct id_listener l = { .r = r };

	rig_start(r, RIG_ALL);
	id_supply(&l, 4);
	send_keys(r, 1);
	id_silence(&l);
	assert_int_equal(input_dropped(rig_dev(r)), 1);
	id_key(r, KEY_A, true);
	id_expect(&l, EV_KEY, KEY_A, 1);
	id_expect(&l, EV_SYN, SYN_REPORT, 0);
	id_silence(&l);
}

#define CASE(ids, promise, fn, device)                                      \
	{                                                                   \
		.clauses = ids, .says = promise, .run = fn, .spec = device, \
	}
#define WHOLE "DEV-INPUT-OP-02 DEV-INPUT-OP-03"

static const struct conform_case cases[] = {
	CASE("DEV-INPUT-INIT-01", "the size of what is not supported is 0",
	     the_size_of_what_is_not_supported_is_0, "input"),
	CASE("DEV-INPUT-INIT-01", "the size of what is not supported is 0",
	     the_size_of_what_is_not_supported_is_0, "input,type=mouse"),
	CASE("DEV-INPUT-INIT-01", "the size of what is not supported is 0",
	     the_size_of_what_is_not_supported_is_0, "input,type=tablet,serial=1"),
	CASE("DEV-INPUT-INIT-01", "the size of what is not supported is 0",
	     the_size_of_what_is_not_supported_is_0, "input,type=multitouch"),
	CASE("DEV-INPUT-INIT-01", "the size belongs to both selectors",
	     the_size_belongs_to_both_selectors, "input,type=tablet"),
	CASE("DEV-INPUT-OP-03", "a report is buffered until all of it has room",
	     a_report_is_buffered_until_all_of_it_has_room, "input"),
	CASE("DEV-INPUT-OP-03", "reports come one after the other",
	     reports_come_one_after_the_other, "input"),
	CASE("DEV-INPUT-OP-01 " WHOLE, "reports are dropped whole", reports_are_dropped_whole,
	     "input"),
	CASE(WHOLE, "a stop drops reports whole", a_stop_drops_reports_whole, "input"),
	CASE(WHOLE, "a report that can never fit is dropped whole",
	     a_report_that_can_never_fit_is_dropped_whole, "input,queue-size=4"),
};

int main(void)
{
	return conform_run("input", cases, G_N_ELEMENTS(cases));
}
