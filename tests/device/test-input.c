/* The input device as a driver sees it: what it is, what it sends, what it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glib.h>
#include <string.h>

#include "devices/registry.h"
#include "tests/support/input-driver.h"

/*
 * Questions.
 */
static bool has(struct rig *r, uint8_t type, unsigned code)
{
	return code / 8 < id_ask(r, INPUT_CFG_EV_BITS, type) &&
	       rig_config8(r, ID_PAYLOAD + code / 8) >> code % 8 & 1;
}

/* How many codes of a type there are. */
static unsigned count(struct rig *r, uint8_t type)
{
	unsigned n = 0;

	for (unsigned code = 0; code < 8 * INPUT_BITMAP_BYTES; code++)
		n += has(r, type, code);
	return n;
}

static void name_is(struct rig *r, uint8_t select, const char *name)
{
	char text[INPUT_PAYLOAD_MAX + 1] = "";
	uint8_t size = id_ask(r, select, 0);

	rig_config(r, ID_PAYLOAD, text, size);
	assert_string_equal(text, name);
	assert_int_equal(size, strlen(name));
}

static void axis_is(struct rig *r, uint8_t axis, uint32_t min, uint32_t max)
{
	assert_true(has(r, EV_ABS, axis));
	assert_int_equal(id_ask(r, INPUT_CFG_ABS_INFO, axis), 20);
	assert_int_equal(rig_config32(r, ID_PAYLOAD), min);
	assert_int_equal(rig_config32(r, ID_PAYLOAD + 4), max);
	for (unsigned i = 2; i < 5; i++)
		assert_int_equal(rig_config32(r, ID_PAYLOAD + 4 * i), 0);
}

/*
 * What the devices are.
 */
static void a_keyboard_is_a_keyboard(struct rig *r)
{
	name_is(r, INPUT_CFG_ID_NAME, "ringside keyboard");
	name_is(r, INPUT_CFG_ID_SERIAL, "");
	assert_int_equal(id_ask(r, INPUT_CFG_ID_DEVIDS, 0), 8);
	assert_int_equal(rig_config16(r, ID_PAYLOAD), BUS_VIRTUAL);
	assert_int_equal(id_ask(r, INPUT_CFG_PROP_BITS, 0), 0);
	assert_int_equal(count(r, EV_KEY), KEY_MICMUTE);
	assert_true(has(r, EV_KEY, KEY_A));
	assert_false(has(r, EV_KEY, BTN_LEFT));
	assert_int_equal(count(r, EV_LED), 3);
	assert_true(has(r, EV_LED, LED_CAPSL));
	assert_int_equal(id_ask(r, INPUT_CFG_EV_BITS, EV_REP), 1);
	assert_int_equal(count(r, EV_REL), 0);
	assert_int_equal(count(r, EV_ABS), 0);
}

static void a_mouse_is_a_mouse(struct rig *r)
{
	name_is(r, INPUT_CFG_ID_NAME, "rodent");
	name_is(r, INPUT_CFG_ID_SERIAL, "4711");
	assert_int_equal(count(r, EV_KEY), 5);
	assert_true(has(r, EV_KEY, BTN_LEFT));
	assert_int_equal(count(r, EV_REL), 4);
	assert_true(has(r, EV_REL, REL_X));
	assert_true(has(r, EV_REL, REL_WHEEL));
	assert_int_equal(count(r, EV_ABS), 0);
	assert_int_equal(id_ask(r, INPUT_CFG_EV_BITS, EV_REP), 0);
}

static void a_tablet_is_a_tablet(struct rig *r)
{
	name_is(r, INPUT_CFG_ID_NAME, "ringside tablet");
	assert_true(has(r, EV_KEY, BTN_LEFT));
	assert_int_equal(count(r, EV_ABS), 2);
	axis_is(r, ABS_X, 0, 32767);
	axis_is(r, ABS_Y, 0, 32767);
	assert_false(has(r, EV_REL, REL_X));
}

static void a_touch_screen_is_a_touch_screen(struct rig *r)
{
	name_is(r, INPUT_CFG_ID_NAME, "ringside multitouch");
	assert_int_equal(id_ask(r, INPUT_CFG_PROP_BITS, 0), 1);
	assert_int_equal(rig_config8(r, ID_PAYLOAD), 1 << INPUT_PROP_DIRECT);
	assert_int_equal(count(r, EV_KEY), 1);
	assert_true(has(r, EV_KEY, BTN_TOUCH));
	assert_int_equal(count(r, EV_ABS), 4);
	axis_is(r, ABS_MT_SLOT, 0, 9);
	axis_is(r, ABS_MT_TRACKING_ID, 0, 65535);
	axis_is(r, ABS_MT_POSITION_X, 0, 32767);
	axis_is(r, ABS_MT_POSITION_Y, 0, 32767);
}

/* DEV-INPUT-INIT-01 */
static void unknown_questions_have_no_answer(struct rig *r)
{
	for (unsigned select = 0; select < 256; select++) {
		for (unsigned subsel = 0; subsel < 256; subsel += select < 0x20 ? 1 : 51) {
			bool known = subsel == 0 ? (select >= INPUT_CFG_ID_NAME &&
						    select <= INPUT_CFG_ID_DEVIDS &&
						    select != INPUT_CFG_ID_SERIAL)
				     : select == INPUT_CFG_EV_BITS
					     ? (subsel == EV_KEY || subsel == EV_REL ||
						subsel == EV_ABS)
					     : false;

			if (select == INPUT_CFG_ABS_INFO)
				known = subsel == ABS_X || subsel == ABS_Y;
			assert_int_equal(id_ask(r, (uint8_t)select, (uint8_t)subsel) != 0, known);
			if (!known)
				assert_int_equal(rig_config64(r, ID_PAYLOAD), 0);
		}
	}
}

static void only_the_selectors_can_be_written(struct rig *r)
{
	uint8_t size = id_ask(r, INPUT_CFG_ID_NAME, 0), first = rig_config8(r, ID_PAYLOAD);

	for (unsigned off = ID_SIZE; off < ID_PAYLOAD + 4; off++)
		rig_config_write(r, off, "\xff", 1);
	rig_config_write(r, ID_PAYLOAD + INPUT_PAYLOAD_MAX - 4, "\xff\xff\xff\xff", 4);
	assert_int_equal(rig_config8(r, ID_SIZE), size);
	assert_int_equal(rig_config8(r, ID_PAYLOAD), first);
	assert_int_equal(rig_config32(r, ID_PAYLOAD + INPUT_PAYLOAD_MAX - 4), 0);
	assert_int_equal(rig_config8(r, ID_SELECT), INPUT_CFG_ID_NAME);
	rig_start(r, RIG_ALL);
	rig_reset(r);
	assert_int_equal(rig_config8(r, ID_SELECT), INPUT_CFG_UNSET);
	assert_int_equal(rig_config8(r, ID_SIZE), 0);
}

static void both_selectors_can_be_written_at_once(struct rig *r)
{
	rig_config_write(r, ID_SELECT, (uint8_t[]){ INPUT_CFG_EV_BITS, EV_REP }, 2);
	assert_int_equal(rig_config8(r, ID_SIZE), 1);
}

/*
 * Events to the driver.
 */
static void a_key_arrives_as_a_report(struct rig *r)
{
	struct id_listener l;

	id_start(&l, r, 10);
	id_key(r, KEY_A, true);
	id_key(r, KEY_A, false);
	id_expect(&l, EV_KEY, KEY_A, 1);
	id_expect(&l, EV_SYN, SYN_REPORT, 0);
	id_expect(&l, EV_KEY, KEY_A, 0);
	id_expect(&l, EV_SYN, SYN_REPORT, 0);
	id_silence(&l);
}

static void a_movement_arrives_as_a_report(struct rig *r)
{
	const struct input_ev move[] = { { EV_REL, REL_X, -7 },
					 { EV_REL, REL_Y, 12 },
					 { EV_KEY, BTN_LEFT, 1 } };
	struct id_listener l;

	id_start(&l, r, 10);
	assert_true(input_send(rig_dev(r), move, 3));
	id_expect(&l, EV_REL, REL_X, -7);
	id_expect(&l, EV_REL, REL_Y, 12);
	id_expect(&l, EV_KEY, BTN_LEFT, 1);
	id_expect(&l, EV_SYN, SYN_REPORT, 0);
}

static void a_position_arrives_as_a_report(struct rig *r)
{
	const struct input_ev move[] = { { EV_ABS, ABS_X, 0 }, { EV_ABS, ABS_Y, 32767 } };
	struct id_listener l;

	id_start(&l, r, 10);
	assert_true(input_send(rig_dev(r), move, 2));
	id_expect(&l, EV_ABS, ABS_X, 0);
	id_expect(&l, EV_ABS, ABS_Y, 32767);
	id_expect(&l, EV_SYN, SYN_REPORT, 0);
}

static void contacts_arrive_as_a_report(struct rig *r)
{
	struct input_ev touch[4 * INPUT_SLOTS];
	struct id_listener l;
	unsigned n = 0;

	id_start(&l, r, 50);
	for (unsigned i = 0; i < INPUT_SLOTS; i++) {
		touch[n++] = (struct input_ev){ EV_ABS, ABS_MT_SLOT, (int32_t)i };
		touch[n++] = (struct input_ev){ EV_ABS, ABS_MT_TRACKING_ID, (int32_t)(100 + i) };
		touch[n++] = (struct input_ev){ EV_ABS, ABS_MT_POSITION_X, (int32_t)(1000 * i) };
		touch[n++] = (struct input_ev){ EV_ABS, ABS_MT_POSITION_Y, 5 };
	}
	assert_true(input_send(rig_dev(r), touch, n));
	for (unsigned i = 0; i < n; i++)
		id_expect(&l, touch[i].type, touch[i].code, touch[i].value);
	id_expect(&l, EV_SYN, SYN_REPORT, 0);
}

static void what_a_device_does_not_offer_is_not_sent(struct rig *r)
{
	struct input_ev many[INPUT_REPORT_MAX];
	struct id_listener l;

	id_start(&l, r, 10);
	many[0] = (struct input_ev){ EV_KEY, KEY_A, 1 };
	many[1] = (struct input_ev){ EV_REL, REL_X, 1 };
	assert_false(input_send(rig_dev(r), many, 2));
	for (unsigned i = 0; i < INPUT_REPORT_MAX; i++)
		many[i] = (struct input_ev){ EV_KEY, KEY_A, 1 };
	assert_false(input_send(rig_dev(r), many, INPUT_REPORT_MAX));
	assert_false(input_offers(rig_dev(r), EV_KEY, 60000));
	assert_false(input_offers(rig_dev(r), 60000, 1));
	id_silence(&l);
}

/* DEV-INPUT-OP-02, -03 */
static void a_report_waits_until_all_of_it_has_room(struct rig *r)
{
	const struct input_ev two[] = { { EV_KEY, KEY_A, 1 }, { EV_KEY, KEY_B, 1 } };
	struct id_listener l;

	id_start(&l, r, 2);
	assert_true(input_send(rig_dev(r), two, 2));
	id_key(r, KEY_C, true);
	id_silence(&l); /* two buffers, three events */
	id_supply(&l, 1);
	id_expect(&l, EV_KEY, KEY_A, 1);
	id_expect(&l, EV_KEY, KEY_B, 1);
	id_expect(&l, EV_SYN, SYN_REPORT, 0);
	id_silence(&l);
	id_supply(&l, 3);
	id_expect(&l, EV_KEY, KEY_C, 1);
	id_expect(&l, EV_SYN, SYN_REPORT, 0);
	id_silence(&l);
}

static void reports_are_dropped_whole_when_nobody_takes_them(struct rig *r)
{
	struct input_ev report[7];
	unsigned sent = 500, reports;
	struct id_listener l;

	id_start(&l, r, 0);
	for (unsigned i = 0; i < sent; i++) {
		for (unsigned k = 0; k < 7; k++)
			report[k] = (struct input_ev){ EV_KEY, (uint16_t)(KEY_1 + k), i % 2 };
		assert_true(input_send(rig_dev(r), report, 7));
	}
	/* Those that are kept came first, and each is whole. */
	reports = sent - (unsigned)input_dropped(rig_dev(r));
	assert_int_equal(reports, 1024 / 8);
	for (unsigned i = 0; i < reports; i++) {
		if (i % 12 == 0) {
			l.n = l.next = 0;
			id_supply(&l, MIN(12, reports - i) * 8);
		}
		for (unsigned k = 0; k < 7; k++)
			id_expect(&l, EV_KEY, (uint16_t)(KEY_1 + k), i % 2);
		id_expect(&l, EV_SYN, SYN_REPORT, 0);
	}
	id_supply(&l, 4);
	id_key(r, KEY_Z, true); /* and it goes on */
	id_expect(&l, EV_KEY, KEY_Z, 1);
	id_expect(&l, EV_SYN, SYN_REPORT, 0);
	id_silence(&l);
}

static void a_report_larger_than_the_queue_is_dropped(struct rig *r)
{
	struct input_ev report[8];
	struct id_listener l = { .r = r };

	for (unsigned k = 0; k < 8; k++)
		report[k] = (struct input_ev){ EV_KEY, (uint16_t)(KEY_1 + k), 1 };
	rig_start(r, RIG_ALL);
	id_supply(&l, 8);
	assert_true(input_send(rig_dev(r), report, 8));
	id_silence(&l);
	assert_int_equal(input_dropped(rig_dev(r)), 1);
	id_key(r, KEY_A, true);
	id_expect(&l, EV_KEY, KEY_A, 1);
	id_expect(&l, EV_SYN, SYN_REPORT, 0);
}

static void what_came_before_the_driver_is_forgotten(struct rig *r)
{
	struct id_listener l;

	id_key(r, KEY_A, true);
	id_start(&l, r, 4);
	id_silence(&l);
	rig_reset(r);
	id_key(r, KEY_B, true);
	id_start(&l, r, 4);
	id_silence(&l);
	id_key(r, KEY_C, true);
	id_expect(&l, EV_KEY, KEY_C, 1);
	assert_int_equal(input_dropped(rig_dev(r)), 0);
}

/* The buffers that were held for a report belong to the driver again. */
static void a_pause_gives_held_buffers_back(struct rig *r)
{
	const struct input_ev two[] = { { EV_KEY, KEY_A, 1 }, { EV_KEY, KEY_B, 1 } };
	struct id_listener l;

	id_start(&l, r, 2);
	assert_true(input_send(rig_dev(r), two, 2));
	id_silence(&l);
	vdev_pause(rig_dev(r));
	vdev_resume(rig_dev(r));
	id_key(r, KEY_C, true);
	id_expect(&l, EV_KEY, KEY_C, 1);
	id_expect(&l, EV_SYN, SYN_REPORT, 0);
}

/* DRV-INPUT-OP-03 */
static void a_small_event_buffer_is_the_drivers_mistake(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 7);
	struct rig_req *req;

	rig_start(r, RIG_ALL);
	req = rig_submit(r, ID_EVENTQ, &b, 0, 1);
	id_key(r, KEY_A, true);
	assert_int_equal(rig_wait(r, req), 0);
	RIG_UNTIL(r, rig_status(r) & VIRTIO_S_NEEDS_RESET);
	assert_int_equal(rig_logged(r, "an event buffer of 7 bytes"), 1);
	rig_reset(r);
	a_key_arrives_as_a_report(r);
}

/*
 * Status from the driver.
 */
static void led(struct rig *r, uint16_t code, int32_t value)
{
	struct input_event_wire wire = { cpu_le16(EV_LED), cpu_le16(code),
					 cpu_le32((uint32_t)value) };
	struct rig_buf b = rig_dup(r, &wire, sizeof(wire));

	assert_int_equal(rig_do(r, ID_STATUSQ, &b, 1, 0), 0);
}

static void leds_are_lit(struct rig *r)
{
	rig_start(r, RIG_ALL);
	led(r, LED_CAPSL, 1);
	led(r, LED_NUML, 1);
	assert_int_equal(input_leds(rig_dev(r)), 1 << LED_CAPSL | 1 << LED_NUML);
	led(r, LED_CAPSL, 0);
	led(r, 40000, 1);
	assert_int_equal(input_leds(rig_dev(r)), 1 << LED_NUML);
	rig_reset(r);
	assert_int_equal(input_leds(rig_dev(r)), 0);
}

/* DRV-INPUT-OP-04 */
static void a_small_status_buffer_is_the_drivers_mistake(struct rig *r)
{
	struct rig_buf b = rig_alloc(r, 7);

	rig_start(r, RIG_ALL);
	assert_int_equal(rig_do(r, ID_STATUSQ, &b, 1, 0), 0);
	RIG_UNTIL(r, rig_status(r) & VIRTIO_S_NEEDS_RESET);
	assert_int_equal(rig_logged(r, "a status buffer of 7 bytes"), 1);
}

/*
 * What the operator can get wrong.
 */
static void refused(const char *spec, const char *why)
{
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	struct loop *loop = loop_main();
	struct vdev_env env = { .main_loop = loop };
	g_autoptr(GError) err = NULL;

	assert_null(vdev_new(vdev_class_find(name), pairs, &env, &err));
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	assert_true(g_str_has_prefix(err->message, "--device input"));
	if (!strstr(err->message, why))
		fail_msg("'%s' does not say '%s'", err->message, why);
	loop_free(loop);
}

static void bad_options_are_refused(void **state)
{
	g_autofree char *longest = g_strnfill(129, 'x');
	g_autofree char *name = g_strconcat("input,name=", longest, NULL);
	g_autofree char *serial = g_strconcat("input,serial=", longest, NULL);

	(void)state;
	refused("input,type=joystick", "type");
	refused("input,type=evdev", "go together");
	refused("input,evdev=/dev/null", "go together");
	refused("input,type=evdev,evdev=/dev/null", "not an input device");
	refused("input,type=evdev,evdev=/nonexistent", "input,evdev=/nonexistent: No such file");
	refused(name, "at most 128 bytes");
	refused(serial, "at most 128 bytes");
}

#define CASE(n, s, ...)                                  \
	{                                                \
		.name = n, .spec = s, .run = __VA_ARGS__ \
	}
#define KEYBOARD "input"
#define MOUSE    "input,type=mouse,name=rodent,serial=4711"
#define TABLET   "input,type=tablet"
#define TOUCH    "input,type=multitouch"

int main(void)
{
	const struct rig_case cases[] = {
		CASE("a keyboard is a keyboard", KEYBOARD, a_keyboard_is_a_keyboard),
		CASE("a mouse is a mouse", MOUSE, a_mouse_is_a_mouse),
		CASE("a tablet is a tablet", TABLET, a_tablet_is_a_tablet),
		CASE("a touch screen is a touch screen", TOUCH, a_touch_screen_is_a_touch_screen),
		CASE("unknown questions have no answer", TABLET, unknown_questions_have_no_answer),
		CASE("only the selectors can be written", KEYBOARD,
		     only_the_selectors_can_be_written),
		CASE("both selectors can be written at once", KEYBOARD,
		     both_selectors_can_be_written_at_once),
		CASE("a key arrives as a report", KEYBOARD, a_key_arrives_as_a_report),
		CASE("a movement arrives as a report", MOUSE, a_movement_arrives_as_a_report),
		CASE("a position arrives as a report", TABLET, a_position_arrives_as_a_report),
		CASE("contacts arrive as a report", TOUCH, contacts_arrive_as_a_report),
		CASE("what a device does not offer is not sent", KEYBOARD,
		     what_a_device_does_not_offer_is_not_sent),
		CASE("a report waits until all of it has room", KEYBOARD,
		     a_report_waits_until_all_of_it_has_room),
		CASE("reports are dropped whole when nobody takes them", KEYBOARD,
		     reports_are_dropped_whole_when_nobody_takes_them),
		CASE("a report larger than the queue is dropped", "input,queue-size=8",
		     a_report_larger_than_the_queue_is_dropped),
		CASE("what came before the driver is forgotten", KEYBOARD,
		     what_came_before_the_driver_is_forgotten),
		CASE("a pause gives held buffers back", KEYBOARD, a_pause_gives_held_buffers_back),
		CASE("a small event buffer is the driver's mistake", KEYBOARD,
		     a_small_event_buffer_is_the_drivers_mistake),
		CASE("LEDs are lit", KEYBOARD, leds_are_lit),
		CASE("a small status buffer is the driver's mistake", KEYBOARD,
		     a_small_status_buffer_is_the_drivers_mistake),
	};
	const struct CMUnitTest options[] = {
		cmocka_unit_test(bad_options_are_refused),
	};
	int failed;

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	failed = rig_run_copied("input", cases, G_N_ELEMENTS(cases));
	return cmocka_run_group_tests_name("input options", options, NULL, NULL) || failed;
}
