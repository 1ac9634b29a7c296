/* Virtio over PCI: the common configuration structure (4.1.4.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/conformance/pci-caps.h"

static void halves_can_be_written_apart(struct rig *r)
{
	static const unsigned fields[] = { QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE };

	rig_reset(r);
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
		pci_queue_set(r, 0, fields[i], 4, 0x11223340);
		assert_int_equal(pci_get(r, fields[i], 4), 0x11223340);
		assert_int_equal(pci_get(r, fields[i] + 4, 4), 0);
		pci_set(r, fields[i] + 4, 4, 0x55667788);
		assert_int_equal(pci_get(r, fields[i], 4), 0x11223340);
		assert_int_equal(pci_get(r, fields[i] + 4, 4), 0x55667788);
		pci_set(r, fields[i], 4, 0x99aabbc0);
		assert_int_equal(pci_get(r, fields[i] + 4, 4), 0x55667788);
	}
}

static void device_feature_shows_the_selected_window(struct rig *r)
{
	struct vfeatures offered = rig_dev(r)->offered;
	static const uint32_t beyond[] = { 4, 5, 100, 0x80000000, UINT32_MAX };

	for (unsigned turn = 0; turn < 2; turn++) {
		for (uint32_t i = 4; i--;) {
			pci_set(r, DEVICE_FEATURE_SELECT, 4, i);
			assert_int_equal(pci_get(r, DEVICE_FEATURE, 4),
					 (uint32_t)(offered.w[i / 2] >> (i % 2 * 32)));
		}
		for (size_t i = 0; i < G_N_ELEMENTS(beyond); i++) {
			pci_set(r, DEVICE_FEATURE_SELECT, 4, beyond[i]);
			assert_int_equal(pci_get(r, DEVICE_FEATURE, 4), 0);
		}
		rig_start(r, RIG_ALL);
	}
}

static void driver_feature_reads_back(struct rig *r)
{
	struct vfeatures f = rig_offered(r);

	vfeatures_set(&f, VIRTIO_F_EVENT_IDX, false);
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
	for (uint32_t i = 0; i < 4; i++) {
		pci_set(r, DRIVER_FEATURE_SELECT, 4, i);
		pci_set(r, DRIVER_FEATURE, 4, (uint32_t)(f.w[i / 2] >> (i % 2 * 32)));
	}
	for (uint32_t i = 4; i--;) {
		pci_set(r, DRIVER_FEATURE_SELECT, 4, i);
		assert_int_equal(pci_get(r, DRIVER_FEATURE, 4),
				 (uint32_t)(f.w[i / 2] >> (i % 2 * 32)));
	}
}

static void a_changed_configuration_has_another_generation(struct rig *r)
{
	rig_start(r, RIG_ALL);
	for (uint32_t i = 1; i < 300; i++) { /* past the wrap of a byte */
		uint32_t before = pci_get(r, GENERATION, 1);

		(void)rig_config32(r, ECHO_PAIR);
		echo_set_pair(rig_dev(r), i, i % 2);
		assert_int_equal(rig_config32(r, ECHO_PAIR), i);
		assert_int_not_equal(pci_get(r, GENERATION, 1), before);
	}
}

static void writing_0_to_the_status_resets(struct rig *r)
{
	rig_start(r, RIG_ALL);
	conform_echo(r, "running");
	assert_int_not_equal(pci_get(r, STATUS, 1), 0);
	pci_set(r, STATUS, 1, 0);
	RIG_UNTIL(r, pci_get(r, STATUS, 1) == 0);
	for (unsigned q = 0; q < ECHO_QUEUES; q++)
		assert_int_equal(pci_queue_get(r, q, QUEUE_ENABLE, 2), 0);
	rig_start(r, RIG_ALL);
	conform_echo(r, "anew");
}

static void queues_are_off_after_a_reset(struct rig *r)
{
	for (unsigned round = 0; round < 2; round++) {
		rig_start(r, conform_with(r, VIRTIO_F_RING_RESET));
		if (round)
			rig_queue_reset(r, ECHO_COPY);
		assert_int_equal(pci_queue_get(r, ECHO_KEEP, QUEUE_ENABLE, 2), 1);
		rig_reset(r);
		for (unsigned q = 0; q < ECHO_QUEUES; q++) {
			assert_int_equal(pci_queue_get(r, q, QUEUE_ENABLE, 2), 0);
			assert_int_equal(pci_queue_get(r, q, QUEUE_RESET, 2), 0);
		}
	}
}

static void queue_reset_resets_the_queue(struct rig *r)
{
	rig_start(r, conform_with(r, VIRTIO_F_RING_RESET));
	conform_echo(r, "before");
	pci_queue_set(r, ECHO_COPY, QUEUE_RESET, 2, 1);
	RIG_UNTIL(r, pci_queue_get(r, ECHO_COPY, QUEUE_RESET, 2) == 0);
	assert_int_equal(pci_queue_get(r, ECHO_COPY, QUEUE_ENABLE, 2), 0);
	assert_int_equal(pci_get(r, QUEUE_DESC, 4), 0);
	assert_int_equal(pci_get(r, QUEUE_SIZE, 2), 64);
	assert_int_equal(pci_queue_get(r, ECHO_KEEP, QUEUE_ENABLE, 2), 1);
	rig_queue_reset(r, ECHO_COPY);
	rig_queue_start(r, ECHO_COPY, 0);
	assert_int_equal(pci_queue_get(r, ECHO_COPY, QUEUE_ENABLE, 2), 1);
	assert_int_equal(pci_get(r, QUEUE_RESET, 2), 0);
	conform_echo(r, "after");
}

static void a_queue_that_is_not_there_has_size_0(struct rig *r)
{
	unsigned n = pci_get(r, NUM_QUEUES, 2);

	for (unsigned q = n; q < n + 300; q++)
		assert_int_equal(pci_queue_get(r, q, QUEUE_SIZE, 2), 0);
	assert_int_equal(pci_queue_get(r, 0xffff, QUEUE_SIZE, 2), 0);
	assert_int_not_equal(pci_queue_get(r, n - 1, QUEUE_SIZE, 2), 0);
}

static void queue_sizes_are_powers_of_two(struct rig *r)
{
	rig_reset(r);
	for (unsigned q = 0, n = pci_get(r, NUM_QUEUES, 2); q < n; q++) {
		uint32_t size = pci_queue_get(r, q, QUEUE_SIZE, 2);

		assert_int_equal(size & (size - 1), 0);
	}
}

static uint32_t reset_the_selected_queue(struct rig *r)
{
	pci_set(r, QUEUE_RESET, 2, 1);
	return 0;
}

static uint32_t read_queue_reset(struct rig *r)
{
	return pci_get(r, QUEUE_RESET, 2);
}

static void queue_reset_is_1_until_it_is_over(struct rig *r)
{
	uint32_t seen;

	rig_start(r, conform_with(r, VIRTIO_F_RING_RESET));
	conform_echo(r, "before");
	pci_set(r, QUEUE_SELECT, 2, ECHO_COPY);
	if (conform_meanwhile(r, reset_the_selected_queue, read_queue_reset, &seen))
		assert_int_equal(seen, 1);
	assert_int_equal(pci_get(r, QUEUE_RESET, 2), 0);
	assert_int_equal(pci_get(r, QUEUE_ENABLE, 2), 0);
}

static uint32_t reset_the_device(struct rig *r)
{
	pci_set(r, STATUS, 1, 0);
	return 0;
}

static uint32_t read_status(struct rig *r)
{
	return pci_get(r, STATUS, 1);
}

static void status_is_0_when_the_reset_is_over(struct rig *r)
{
	uint32_t seen;

	rig_start(r, conform_plain(r));
	conform_echo(r, "before");
	if (conform_meanwhile(r, reset_the_device, read_status, &seen))
		assert_int_not_equal(seen, 0);
	assert_int_equal(pci_get(r, STATUS, 1), 0);
}

static const struct conform_case cases[] = {
	{ "DEV-PCI-LAYOUT-01", "halves of addresses can be written apart",
	  halves_can_be_written_apart, .links = "pci*" },
	{ "DEV-PCI-COMMON-03", "device_feature shows the selected window",
	  device_feature_shows_the_selected_window, .rings = CONFORM_RINGS, .links = "pci*" },
	{ "DEV-PCI-COMMON-04", "driver_feature reads back", driver_feature_reads_back,
	  .rings = CONFORM_RINGS, .links = "pci*" },
	{ "DEV-PCI-COMMON-06", "a changed configuration has another generation",
	  a_changed_configuration_has_another_generation, .links = "pci*" },
	{ "DEV-PCI-COMMON-07", "writing 0 to the status resets", writing_0_to_the_status_resets,
	  .rings = CONFORM_RINGS, .links = "pci*" },
	{ "DEV-PCI-COMMON-07", "the status is 0 when the reset is over",
	  status_is_0_when_the_reset_is_over, .rings = CONFORM_RINGS, .links = "pci-thread" },
	{ "DEV-PCI-COMMON-08 DEV-PCI-COMMON-09", "queues are off after a reset",
	  queues_are_off_after_a_reset, .rings = CONFORM_RINGS, .links = "pci*" },
	{ "DEV-PCI-COMMON-10 DEV-PCI-COMMON-11 DEV-PCI-COMMON-13", "queue_reset resets the queue",
	  queue_reset_resets_the_queue, .rings = CONFORM_RINGS, .links = "pci*" },
	{ "DEV-PCI-COMMON-12", "queue_reset is 1 until the reset is over",
	  queue_reset_is_1_until_it_is_over, .rings = CONFORM_RINGS, .links = "pci-thread" },
	{ "DEV-PCI-COMMON-14", "a queue that is not there has size 0",
	  a_queue_that_is_not_there_has_size_0, .links = "pci*", .devices = true },
	{ "DEV-PCI-COMMON-15", "queue sizes are powers of two", queue_sizes_are_powers_of_two,
	  .links = "pci*", .devices = true },
};

int main(void)
{
	return conform_run("pci-common", cases, G_N_ELEMENTS(cases));
}
