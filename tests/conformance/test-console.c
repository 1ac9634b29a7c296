/* The console device (5.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/console/console-impl.h"
#include "devices/console/console.h"
#include "tests/conformance/conform.h"
#include "tests/support/console-peer.h"

#define ONE   "console,chr=unix:@/s"
#define THREE "console,chr=unix:@/s,port=org.test.echo:unix:@/a,port=b:unix:@/b"

/* With more room for ports than there are. */
#define ROOM THREE ",max-ports=5"

/* At every stage of a driver's life, from none on. */
static void emerg_wr_works_at_any_time(struct rig *r)
{
	static const uint32_t stages[] = { VIRTIO_S_ACKNOWLEDGE, VIRTIO_S_DRIVER };
	int fd = host_connect(r, "s");

	assert_true(vfeatures_has(rig_offered(r), CONSOLE_F_EMERG_WRITE));
	rig_config_write(r, CFG_EMERG, "a", 1);
	rig_reset(r);
	rig_config_write(r, CFG_EMERG, "b", 1);
	rig_set_status(r, stages[0]);
	rig_config_write(r, CFG_EMERG, "c", 1);
	rig_set_status(r, stages[0] | stages[1]);
	rig_config_write(r, CFG_EMERG, "d", 1);
	conform_prepare(r, conform_plain(r)); /* which does not accept it */
	rig_config_write(r, CFG_EMERG, "e", 1);
	rig_driver_ok(r);
	rig_config_write(r, CFG_EMERG, "f", 1);
	host_hears(r, fd, "abcdef", 6);
	rig_spoil_address(r, TX0, UINT64_MAX - 8); /* "eg. virtio ring corruption" */
	rig_config_write(r, CFG_EMERG, "g", 1);
	host_hears(r, fd, "g", 1);
	close(fd);
}

/* A write of four bytes, or of the lowest alone; one beside it means nothing. */
static void the_lower_byte_of_emerg_wr_is_output(struct rig *r)
{
	int fd = host_connect(r, "s");

	rig_config_write(r, CFG_EMERG, "A\x01\x02\x03", 4);
	rig_config_write(r, CFG_EMERG, "B\x04", 2);
	rig_config_write(r, CFG_EMERG, "C", 1);
	rig_config_write(r, CFG_EMERG, "\0\0\0\0", 4);
	host_hears(r, fd, "ABC\0", 4);
	rig_config_write(r, CFG_EMERG + 1, "D", 1);
	rig_config_write(r, CFG_EMERG + 2, "E\0", 2);
	host_hears_nothing(r, fd);
	close(fd);
}

static void there_are_several_ports(struct rig *r)
{
	const unsigned tx[3] = { TX0, TX1, TX2 };
	const char *const names[3] = { "s", "a", "b" };
	struct ctl c;

	assert_int_equal(rig_config32(r, CFG_MAX_PORTS), 3);
	ctl_ports_up(&c, r);
	for (unsigned id = 0; id < 3; id++) {
		int fd = host_connect(r, names[id]);

		guest_says(r, tx[id], names[id]);
		host_hears(r, fd, names[id], 1);
		close(fd);
	}
}

/* All messages until there are no more: which ports are added, and that nothing else is told of the
 * others. */
static unsigned added(struct ctl *c)
{
	unsigned ports = 0;

	for (rig_wait_idle(c->r); c->req[c->next]->done; rig_wait_idle(c->r)) {
		struct msg m = ctl_next(c);

		assert_true(m.id < rig_config32(c->r, CFG_MAX_PORTS));
		if (m.event != CONSOLE_PORT_ADD) {
			assert_true(ports & 1u << m.id);
			continue;
		}
		assert_false(ports & 1u << m.id);
		ports |= 1u << m.id;
	}
	return ports;
}

static void a_port_is_added_once_and_below_max_nr_ports(struct rig *r)
{
	struct ctl c;

	for (unsigned round = 0; round < 2; round++) {
		rig_start(r, RIG_ALL);
		ctl_start(&c, r);
		for (uint32_t id = 0; id < 6; id++)
			ctl_say(r, id, CONSOLE_PORT_READY, 1); /* it was told of none */
		ctl_silence(&c);
		ctl_say(r, UINT32_MAX, CONSOLE_DEVICE_READY, 1);
		assert_int_equal(added(&c), 7);
		ctl_say(r, 0, CONSOLE_DEVICE_READY, 1);
		ctl_silence(&c);
		rig_reset(r); /* after which it knows of none */
	}
}

static void what_follows_is_about_a_port_that_was_added(struct rig *r)
{
	struct ctl c;
	struct msg m;

	ctl_ports_up(&c, r);
	assert_int_equal(added(&c), 7);
	ctl_say(r, 1, CONSOLE_PORT_READY, 1);
	m = ctl_expect(&c, CONSOLE_PORT_NAME, 1, 1);
	assert_int_equal(m.n_extra, strlen("org.test.echo")); /* without a NUL */
	assert_memory_equal(m.extra, "org.test.echo", m.n_extra);
	ctl_say(r, 0, CONSOLE_PORT_READY, 1);
	ctl_expect(&c, CONSOLE_CONSOLE_PORT, 0, 1);
	ctl_silence(&c);
}

static void only_a_port_that_was_added_is_removed(struct rig *r)
{
	struct ctl c;

	assert_true(console_port_remove(rig_dev(r), "b")); /* there is no driver */
	rig_start(r, RIG_ALL);
	ctl_start(&c, r);
	ctl_silence(&c);
	ctl_say(r, 0, CONSOLE_DEVICE_READY, 1);
	assert_int_equal(added(&c), 3);
	assert_true(console_port_remove(rig_dev(r), "org.test.echo"));
	ctl_expect(&c, CONSOLE_PORT_REMOVE, 1, 1);
	ctl_silence(&c);
	ctl_say(r, 0, CONSOLE_DEVICE_READY, 1); /* nor is it added again */
	ctl_silence(&c);
}

static const struct conform_case cases[] = {
	{ "DEV-CONSOLE-INIT-01", "emerg_wr works at any time", emerg_wr_works_at_any_time,
	  .spec = ONE },
	{ "DEV-CONSOLE-INIT-02", "the lower byte of emerg_wr is output",
	  the_lower_byte_of_emerg_wr_is_output, .spec = ONE },
	{ "DEV-CONSOLE-INFGEN-01", "there are several ports", there_are_several_ports,
	  .spec = THREE },
	{ "DEV-CONSOLE-MULTIPORT-01", "a port is added once and below max_nr_ports",
	  a_port_is_added_once_and_below_max_nr_ports, .spec = ROOM },
	{ "DEV-CONSOLE-MULTIPORT-01", "what follows is about a port that was added",
	  what_follows_is_about_a_port_that_was_added, .spec = THREE },
	{ "DEV-CONSOLE-MULTIPORT-02", "only a port that was added is removed",
	  only_a_port_that_was_added_is_removed, .spec = THREE },
};

int main(void)
{
	return conform_run("console", cases, G_N_ELEMENTS(cases));
}
