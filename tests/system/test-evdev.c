/*
 * A device of the host given to a guest. The device is made with uinput, so this runs as root where
 * that is (tools/kvm-box).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <glib.h>
#include <libevdev/libevdev-uinput.h>
#include <libevdev/libevdev.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "devices/input/input-impl.h"
#include "devices/input/input.h"
#include "tests/support/rig.h"

enum { EVENTQ, STATUSQ };

#define BUFFERS 32

struct bench {
	struct libevdev_uinput *host;
	struct rig *r;
	struct rig_buf buf[BUFFERS];
	struct rig_req *req[BUFFERS];
	unsigned next;
};

/* A keyboard with a knob. */
static struct libevdev_uinput *make_device(void)
{
	const struct input_absinfo knob = {
		.minimum = -100, .maximum = 100, .fuzz = 2, .flat = 3, .resolution = 4
	};
	struct libevdev *dev = libevdev_new();
	struct libevdev_uinput *uinput;

	libevdev_set_name(dev, "board with a knob");
	libevdev_set_id_bustype(dev, BUS_USB);
	libevdev_set_id_vendor(dev, 0x1234);
	libevdev_set_id_product(dev, 0x5678);
	libevdev_set_id_version(dev, 9);
	libevdev_enable_property(dev, INPUT_PROP_POINTER);
	libevdev_enable_event_code(dev, EV_KEY, KEY_A, NULL);
	libevdev_enable_event_code(dev, EV_KEY, KEY_MICMUTE, NULL);
	libevdev_enable_event_code(dev, EV_REL, REL_WHEEL, NULL);
	libevdev_enable_event_code(dev, EV_ABS, ABS_MISC, &knob);
	libevdev_enable_event_code(dev, EV_LED, LED_CAPSL, NULL);
	libevdev_enable_event_type(dev, EV_REP);
	assert_int_equal(
		libevdev_uinput_create_from_device(dev, LIBEVDEV_UINPUT_OPEN_MANAGED, &uinput), 0);
	libevdev_free(dev);
	return uinput;
}

static int setup(void **state)
{
	struct bench *b = g_new0(struct bench, 1);
	struct rig_case c = { .name = "evdev" };
	g_autofree char *spec = NULL;

	b->host = make_device();
	spec = g_strdup_printf("input,type=evdev,evdev=%s", libevdev_uinput_get_devnode(b->host));
	c.spec = spec;
	b->r = rig_open(rig_link_find("direct"), &c);
	rig_start(b->r, RIG_ALL);
	for (unsigned i = 0; i < BUFFERS; i++) {
		b->buf[i] = rig_alloc(b->r, 8);
		b->req[i] = rig_submit(b->r, EVENTQ, &b->buf[i], 0, 1);
	}
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	rig_close(b->r);
	libevdev_uinput_destroy(b->host);
	g_free(b);
	return 0;
}

static void host_sends(struct bench *b, unsigned type, unsigned code, int value)
{
	assert_int_equal(libevdev_uinput_write_event(b->host, type, code, value), 0);
}

static void guest_gets(struct bench *b, uint16_t type, uint16_t code, int32_t value)
{
	const struct input_event_wire *wire = b->buf[b->next].p;

	assert_int_equal(rig_wait(b->r, b->req[b->next]), 8);
	assert_int_equal(le16_cpu(wire->type), type);
	assert_int_equal(le16_cpu(wire->code), code);
	assert_int_equal((int32_t)le32_cpu(wire->value), value);
	b->next++;
}

static uint8_t ask(struct bench *b, uint8_t select, uint8_t subsel)
{
	rig_config_write(b->r, 0, (uint8_t[]){ select, subsel }, 2);
	return rig_config8(b->r, 2);
}

static void the_guest_sees_the_same_device(void **state)
{
	struct bench *b = *state;
	char name[INPUT_PAYLOAD_MAX] = "";

	assert_int_equal(ask(b, INPUT_CFG_ID_NAME, 0), strlen("board with a knob"));
	rig_config(b->r, 8, name, 17);
	assert_string_equal(name, "board with a knob");
	assert_int_equal(ask(b, INPUT_CFG_ID_DEVIDS, 0), 8);
	assert_int_equal(rig_config64(b->r, 8), 0x0009567812340003);
	assert_int_equal(ask(b, INPUT_CFG_PROP_BITS, 0), 1);
	assert_int_equal(ask(b, INPUT_CFG_EV_BITS, EV_KEY), KEY_MICMUTE / 8 + 1);
	assert_int_equal(rig_config8(b->r, 8 + KEY_A / 8), 1 << KEY_A % 8);
	assert_int_equal(ask(b, INPUT_CFG_EV_BITS, EV_REP), 1);
	assert_int_equal(ask(b, INPUT_CFG_EV_BITS, EV_SND), 0);
	assert_int_equal(ask(b, INPUT_CFG_ABS_INFO, ABS_MISC), 20);
	assert_int_equal((int32_t)rig_config32(b->r, 8), -100);
	for (unsigned i = 1; i < 5; i++)
		assert_int_equal(rig_config32(b->r, 8 + 4 * i), i == 1 ? 100 : i);
}

static void what_happens_on_the_host_happens_in_the_guest(void **state)
{
	struct bench *b = *state;

	host_sends(b, EV_KEY, KEY_A, 1);
	host_sends(b, EV_REL, REL_WHEEL, -2);
	host_sends(b, EV_ABS, ABS_MISC, -50);
	host_sends(b, EV_SYN, SYN_REPORT, 0);
	guest_gets(b, EV_KEY, KEY_A, 1);
	guest_gets(b, EV_REL, REL_WHEEL, -2);
	guest_gets(b, EV_ABS, ABS_MISC, -50);
	guest_gets(b, EV_SYN, SYN_REPORT, 0);
}

/* The host's kernel repeats after a quarter of a second; the guest does that by itself. */
static void repetitions_stay_here(void **state)
{
	struct bench *b = *state;

	host_sends(b, EV_KEY, KEY_A, 1);
	host_sends(b, EV_SYN, SYN_REPORT, 0);
	g_usleep(600000);
	host_sends(b, EV_KEY, KEY_A, 0);
	host_sends(b, EV_SYN, SYN_REPORT, 0);
	guest_gets(b, EV_KEY, KEY_A, 1);
	guest_gets(b, EV_SYN, SYN_REPORT, 0);
	guest_gets(b, EV_KEY, KEY_A, 0);
}

static void nobody_else_gets_the_events(void **state)
{
	struct bench *b = *state;
	int fd = open(libevdev_uinput_get_devnode(b->host), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct input_event ev;
	struct libevdev *other;

	assert_true(fd >= 0);
	assert_int_equal(libevdev_new_from_fd(fd, &other), 0);
	assert_int_not_equal(libevdev_grab(other, LIBEVDEV_GRAB), 0);
	host_sends(b, EV_KEY, KEY_A, 1);
	host_sends(b, EV_SYN, SYN_REPORT, 0);
	guest_gets(b, EV_KEY, KEY_A, 1);
	assert_int_equal(read(fd, &ev, sizeof(ev)), -1);
	libevdev_free(other);
	close(fd);
}

static void the_guest_lights_the_leds(void **state)
{
	struct bench *b = *state;
	const struct input_event_wire wire = { cpu_le16(EV_LED), cpu_le16(LED_CAPSL), cpu_le32(1) };
	struct rig_buf buf = rig_dup(b->r, &wire, sizeof(wire));
	struct pollfd p = { .fd = libevdev_uinput_get_fd(b->host), .events = POLLIN };
	struct input_event ev;

	rig_do(b->r, STATUSQ, &buf, 1, 0);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(read(p.fd, &ev, sizeof(ev)), sizeof(ev));
	assert_int_equal(ev.type, EV_LED);
	assert_int_equal(ev.code, LED_CAPSL);
	assert_int_equal(ev.value, 1);
}

static void a_device_that_is_unplugged_is_reported(void **state)
{
	struct bench *b = *state;

	libevdev_uinput_destroy(b->host);
	RIG_UNTIL(b->r, rig_logged(b->r, "No such device") == 1);
	rig_wait_idle(b->r);
	assert_int_equal(rig_logged(b->r, "No such device"), 1);
	assert_false(rig_status(b->r) & VIRTIO_S_NEEDS_RESET);
	b->host = make_device(); /* for the teardown */
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_guest_sees_the_same_device),
		TEST(what_happens_on_the_host_happens_in_the_guest),
		TEST(repetitions_stay_here),
		TEST(nobody_else_gets_the_events),
		TEST(the_guest_lights_the_leds),
		TEST(a_device_that_is_unplugged_is_reported),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
