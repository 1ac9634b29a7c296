/* Virtio over MMIO: the registers (4.2.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/conformance/conform.h"

enum {
	MAGIC = 0x000,
	VERSION = 0x004,
	QUEUE_SEL = 0x030,
	QUEUE_READY = 0x044,
	INTERRUPT_STATUS = 0x060,
	INTERRUPT_ACK = 0x064,
	STATUS = 0x070,
	QUEUE_RESET = 0x0c0,
	CONFIG_GENERATION = 0x0fc,
};

#define USED_BIT   1u
#define CONFIG_BIT 2u

static uint32_t get(struct rig *r, unsigned reg)
{
	return (uint32_t)board_fake_read(rig_board(r), false, RIG_MMIO_BASE + reg, 4);
}

static void put(struct rig *r, unsigned reg, uint32_t value)
{
	board_fake_write(rig_board(r), false, RIG_MMIO_BASE + reg, 4, value);
}

static uint32_t queue_get(struct rig *r, unsigned q, unsigned reg)
{
	put(r, QUEUE_SEL, q);
	return get(r, reg);
}

static void use_one(struct rig *r)
{
	struct rig_buf bufs[] = { rig_dup(r, "abcd", 4), rig_alloc(r, 4) };

	(void)rig_submit(r, ECHO_COPY, bufs, 1, 1);
	conform_await_first(r, ECHO_COPY);
}

static void identity_is_in_place(struct rig *r)
{
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(get(r, MAGIC), 0x74726976);
		assert_int_equal(get(r, VERSION), 2);
		rig_start(r, RIG_ALL);
	}
}

static void interrupt_bits_stay_until_acknowledged(struct rig *r)
{
	rig_start(r, conform_plain(r));
	use_one(r);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(get(r, INTERRUPT_STATUS), USED_BIT);
	echo_set_pair(rig_dev(r), 3, true);
	assert_int_equal(get(r, INTERRUPT_STATUS), USED_BIT | CONFIG_BIT);
	put(r, INTERRUPT_ACK, CONFIG_BIT);
	assert_int_equal(get(r, INTERRUPT_STATUS), USED_BIT);
	echo_set_pair(rig_dev(r), 4, true);
	put(r, INTERRUPT_ACK, USED_BIT | CONFIG_BIT);
	assert_int_equal(get(r, INTERRUPT_STATUS), 0);
}

/* Bits that InterruptStatus shows and that have no event, or'ed over a driver's life. */
static uint32_t bits_without_an_event(struct rig *r)
{
	uint32_t wrong = get(r, INTERRUPT_STATUS);

	rig_start(r, conform_plain(r));
	wrong |= get(r, INTERRUPT_STATUS);
	for (unsigned i = 0; i < 3; i++) {
		use_one(r);
		assert_true(get(r, INTERRUPT_STATUS) & USED_BIT);
		put(r, INTERRUPT_ACK, USED_BIT);
		wrong |= get(r, INTERRUPT_STATUS);
		rig_wait_idle(r);
		wrong |= get(r, INTERRUPT_STATUS);
		rig_reset(r);
		wrong |= get(r, INTERRUPT_STATUS);
		rig_start(r, conform_plain(r));
	}
	echo_set_pair(rig_dev(r), 3, true);
	wrong |= get(r, INTERRUPT_STATUS) & ~CONFIG_BIT;
	put(r, INTERRUPT_ACK, CONFIG_BIT);
	wrong |= get(r, INTERRUPT_STATUS);
	echo_set_pair(rig_dev(r), 4, false); /* a change that is not told of */
	conform_let_work(r);
	return wrong | get(r, INTERRUPT_STATUS);
}

static void interrupt_bits_without_an_event_are_0(struct rig *r)
{
	assert_int_equal(bits_without_an_event(r), 0);
}

/* What cached-registers=on breaks, and all that it breaks. */
static void the_used_buffer_bit_stays(struct rig *r)
{
	assert_int_equal(bits_without_an_event(r), USED_BIT);
}

static void a_reset_clears_interrupts_and_queues(struct rig *r)
{
	rig_start(r, conform_plain(r));
	use_one(r);
	echo_set_pair(rig_dev(r), 3, true);
	assert_int_equal(get(r, INTERRUPT_STATUS), USED_BIT | CONFIG_BIT);
	assert_int_equal(queue_get(r, ECHO_KEEP, QUEUE_READY), 1);
	put(r, STATUS, 0);
	RIG_UNTIL(r, get(r, STATUS) == 0);
	assert_int_equal(get(r, INTERRUPT_STATUS), 0);
	for (unsigned q = 0; q < ECHO_QUEUES; q++)
		assert_int_equal(queue_get(r, q, QUEUE_READY), 0);
}

static void a_changed_configuration_has_another_generation(struct rig *r)
{
	rig_start(r, RIG_ALL);
	for (uint32_t i = 1; i < 300; i++) { /* past the wrap of a byte */
		uint32_t before = get(r, CONFIG_GENERATION);

		(void)rig_config32(r, ECHO_PAIR);
		echo_set_pair(rig_dev(r), i, i % 2);
		assert_int_equal(rig_config32(r, ECHO_PAIR), i);
		assert_int_not_equal(get(r, CONFIG_GENERATION), before);
	}
}

static void a_queue_that_is_not_ready_is_left_alone(struct rig *r)
{
	struct rig_buf buf = rig_alloc(r, 4);
	g_autofree uint8_t *before = NULL;

	rig_start(r, conform_plain(r));
	put(r, QUEUE_SEL, ECHO_COPY);
	put(r, QUEUE_READY, 0);
	RIG_UNTIL(r, queue_get(r, ECHO_COPY, QUEUE_READY) == 0);
	rig_add(r, ECHO_COPY, &buf, 0, 1);
	(void)drv_publish(rig_vq(r, ECHO_COPY));
	before = conform_remember(r);
	rig_kick(r, ECHO_COPY);
	rig_wait_idle(r);
	assert_true(conform_untouched(r, before));
	put(r, QUEUE_SEL, ECHO_COPY);
	put(r, QUEUE_READY, 1);
	conform_await_first(r, ECHO_COPY);
}

static void queue_reset_is_0_after_a_device_reset(struct rig *r)
{
	for (unsigned round = 0; round < 2; round++) {
		rig_start(r, conform_with(r, VIRTIO_F_RING_RESET));
		if (round)
			rig_queue_reset(r, ECHO_COPY);
		rig_reset(r);
		for (unsigned q = 0; q < ECHO_QUEUES; q++)
			assert_int_equal(queue_get(r, q, QUEUE_RESET), 0);
	}
}

static void queue_reset_resets_the_queue(struct rig *r)
{
	rig_start(r, conform_with(r, VIRTIO_F_RING_RESET));
	conform_echo(r, "before");
	put(r, QUEUE_SEL, ECHO_COPY);
	put(r, QUEUE_RESET, 1);
	RIG_UNTIL(r, queue_get(r, ECHO_COPY, QUEUE_RESET) == 0);
	assert_int_equal(get(r, QUEUE_READY), 0);
	assert_int_equal(queue_get(r, ECHO_KEEP, QUEUE_READY), 1);
	rig_queue_reset(r, ECHO_COPY);
	rig_queue_start(r, ECHO_COPY, 0);
	assert_int_equal(queue_get(r, ECHO_COPY, QUEUE_READY), 1);
	assert_int_equal(get(r, QUEUE_RESET), 0);
	conform_echo(r, "after");
}

static uint32_t reset_the_selected_queue(struct rig *r)
{
	put(r, QUEUE_RESET, 1);
	return 0;
}

static uint32_t read_queue_reset(struct rig *r)
{
	return get(r, QUEUE_RESET);
}

static void queue_reset_is_1_until_it_is_over(struct rig *r)
{
	uint32_t seen;

	rig_start(r, conform_with(r, VIRTIO_F_RING_RESET));
	conform_echo(r, "before");
	put(r, QUEUE_SEL, ECHO_COPY);
	if (conform_meanwhile(r, reset_the_selected_queue, read_queue_reset, &seen))
		assert_int_equal(seen, 1);
	assert_int_equal(get(r, QUEUE_RESET), 0);
	assert_int_equal(get(r, QUEUE_READY), 0);
}

static const struct conform_case cases[] = {
	{ "DEV-MMIO-REGS-01 DEV-MMIO-REGS-02", "magic value and version are in place",
	  identity_is_in_place, .links = "mmio*" },
	{ "DEV-MMIO-REGS-03", "interrupt bits stay until acknowledged",
	  interrupt_bits_stay_until_acknowledged, .rings = CONFORM_RINGS, .links = "mmio*" },
	{ "DEV-MMIO-REGS-04", "interrupt bits without an event are 0",
	  interrupt_bits_without_an_event_are_0, .rings = CONFORM_RINGS,
	  .links = "mmio* !mmio-cached*" },
	{ "!DEV-MMIO-REGS-04", "the used-buffer bit stays", the_used_buffer_bit_stays,
	  .rings = CONFORM_RINGS, .links = "mmio-cached*" },
	{ "DEV-MMIO-REGS-05", "a reset clears interrupts and queues",
	  a_reset_clears_interrupts_and_queues, .rings = CONFORM_RINGS, .links = "mmio*" },
	{ "DEV-MMIO-REGS-06", "a changed configuration has another generation",
	  a_changed_configuration_has_another_generation, .links = "mmio*" },
	{ "DEV-MMIO-REGS-07", "a queue that is not ready is left alone",
	  a_queue_that_is_not_ready_is_left_alone, .rings = CONFORM_RINGS, .links = "mmio*" },
	{ "DEV-MMIO-REGS-08", "QueueReset is 0 after a device reset",
	  queue_reset_is_0_after_a_device_reset, .rings = CONFORM_RINGS, .links = "mmio*" },
	{ "DEV-MMIO-REGS-09 DEV-MMIO-REGS-10 DEV-MMIO-REGS-12", "QueueReset resets the queue",
	  queue_reset_resets_the_queue, .rings = CONFORM_RINGS, .links = "mmio*" },
	{ "DEV-MMIO-REGS-11", "QueueReset is 1 until the reset is over",
	  queue_reset_is_1_until_it_is_over, .rings = CONFORM_RINGS, .links = "mmio*-thread" },
};

int main(void)
{
	return conform_run("mmio", cases, G_N_ELEMENTS(cases));
}
