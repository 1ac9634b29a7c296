/* Virtio over PCI: discovery, capabilities and where the structures lie (4.1.2 to 4.1.4). */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/conformance/pci-caps.h"

#define COMMAND  0x04u
#define BAR0     0x10u
#define PIN      0x3du
#define CAP_LIST 0x10u /* in status */

/*
 * Configuration space.
 */

static void capability_list_is_sound(struct rig *r)
{
	unsigned n = 0;

	assert_true(peek_cfg(r, 0x06, 2) & CAP_LIST);
	for (unsigned cap = peek_cfg(r, 0x34, 1); cap; cap = peek_cfg(r, cap + 1, 1)) {
		assert_in_range(cap, 0x40, 0xfc);
		assert_int_equal(cap % 4, 0);
		assert_true(++n <= 48);
	}
}

static void bars_tell_their_size(struct rig *r)
{
	uint32_t command = peek_cfg(r, COMMAND, 2);
	uint64_t was = peek_bar(r), mask;

	peek_cfg_write(r, COMMAND, 2, 0);
	peek_cfg_write(r, BAR0, 4, UINT32_MAX);
	peek_cfg_write(r, BAR0 + 4, 4, UINT32_MAX);
	mask = peek_bar(r);
	assert_true(~mask + 1 >= 0x1000);
	assert_int_equal((~mask + 1) & ~mask, 0); /* a power of two */
	assert_int_equal(was & ~mask, 0);
	for (unsigned bar = 2; bar < 6; bar++) {
		peek_cfg_write(r, BAR0 + bar * 4, 4, UINT32_MAX);
		assert_int_equal(peek_cfg(r, BAR0 + bar * 4, 4), 0);
	}
	peek_cfg_write(r, BAR0, 4, (uint32_t)was);
	peek_cfg_write(r, BAR0 + 4, 4, (uint32_t)(was >> 32));
	peek_cfg_write(r, COMMAND, 2, command);
}

static void the_pci_header_is_sound(struct rig *r)
{
	uint32_t ids = peek_cfg(r, 0, 4), class = peek_cfg(r, 8, 4);
	uint32_t command = peek_cfg(r, COMMAND, 2);

	assert_int_equal(peek_cfg(r, 0x0e, 1) & 0x7f, 0);
	assert_in_range(peek_cfg(r, PIN, 1), 0, 4);
	peek_cfg_write(r, 0, 4, ~ids);
	peek_cfg_write(r, 8, 4, ~class);
	assert_int_equal(peek_cfg(r, 0, 4), ids);
	assert_int_equal(peek_cfg(r, 8, 4), class);
	peek_cfg_write(r, COMMAND, 2, 0xffff);
	assert_int_equal(peek_cfg(r, COMMAND, 2) & 0xf800, 0); /* reserved */
	peek_cfg_write(r, COMMAND, 2, command);
	assert_int_equal(peek_cfg(r, COMMAND, 2), command);
	capability_list_is_sound(r);
	bars_tell_their_size(r);
	rig_start(r, RIG_ALL);
}

static void ids_tell_the_device_type(struct rig *r)
{
	assert_int_equal(peek_cfg(r, 0x00, 2), 0x1af4);
	assert_int_equal(peek_cfg(r, 0x02, 2), 0x1040 + rig_dev(r)->type);
}

/*
 * Capabilities.
 */

static void capability_lengths_count_what_follows(struct rig *r)
{
	for (unsigned at = peek_cfg(r, 0x34, 1); at; at = peek_cfg(r, at + 1, 1)) {
		unsigned type = peek_cfg(r, at + 3, 1), len = peek_cfg(r, at + 2, 1);

		if (peek_cfg(r, at, 1) != 0x09)
			continue;
		assert_int_equal(len, type == CAP_NOTIFY || type == CAP_PCI_ACCESS ? 20 : 16);
		for (unsigned other = peek_cfg(r, 0x34, 1); other;
		     other = peek_cfg(r, other + 1, 1))
			assert_true(other <= at || other >= at + len);
	}
}

static void lies_in_its_bar(struct rig *r, unsigned type, uint32_t at_least)
{
	struct pci_cap cap = pci_cap_find(r, type);

	assert_int_not_equal(cap.at, 0);
	assert_int_equal(cap.bar, 0); /* the one that there is */
	assert_true(cap.len >= at_least);
	assert_true((uint64_t)cap.off + cap.len <= 0x4000);
}

static void common_configuration_is_there_and_aligned(struct rig *r)
{
	assert_in_range(pci_cap_count(r, CAP_COMMON), 1, UINT32_MAX);
	lies_in_its_bar(r, CAP_COMMON, QUEUE_RESET + 2);
	assert_int_equal(pci_cap_find(r, CAP_COMMON).off % 4, 0);
}

static void isr_status_is_there(struct rig *r)
{
	assert_in_range(pci_cap_count(r, CAP_ISR), 1, UINT32_MAX);
	lies_in_its_bar(r, CAP_ISR, 1);
}

static void device_configuration_is_there_and_aligned(struct rig *r)
{
	struct pci_cap cap = pci_cap_find(r, CAP_DEVICE);

	if (rig_dev(r)->config_size == 0) {
		assert_int_equal(cap.at, 0);
		return;
	}
	lies_in_its_bar(r, CAP_DEVICE, (uint32_t)rig_dev(r)->config_size);
	assert_int_equal(cap.off % 4, 0);
}

/* @bytes: what a kick writes. */
static void notify_structure_fits(struct rig *r, uint32_t bytes)
{
	struct pci_cap cap = pci_cap_find(r, CAP_NOTIFY);
	uint32_t multiplier = peek_cfg(r, cap.at + 16, 4);
	unsigned n = pci_get(r, NUM_QUEUES, 2);

	assert_in_range(pci_cap_count(r, CAP_NOTIFY), 1, UINT32_MAX);
	lies_in_its_bar(r, CAP_NOTIFY, bytes);
	assert_int_equal(cap.off % bytes, 0);
	assert_int_equal(multiplier & (multiplier - 1), 0);
	assert_true(multiplier == 0 || multiplier >= bytes);
	assert_true(n > 0);
	for (unsigned q = 0; q < n; q++)
		assert_true((uint64_t)pci_queue_get(r, q, QUEUE_NOTIFY_OFF, 2) * multiplier +
				    bytes <=
			    cap.len);
}

static void kicks_of_two_bytes_fit(struct rig *r)
{
	notify_structure_fits(r, 2);
}

static void kicks_of_four_bytes_fit(struct rig *r)
{
	struct vfeatures f = RIG_ALL;

	if (!vfeatures_has(rig_offered(r), VIRTIO_F_NOTIFICATION_DATA))
		return; /* the clauses are about devices that offer it: echo does */
	rig_start(r, f);
	notify_structure_fits(r, 4);
}

static void config_access_is_there(struct rig *r)
{
	assert_in_range(pci_cap_count(r, CAP_PCI_ACCESS), 1, UINT32_MAX);
}

/* So that uncovered.tsv tells the truth. */
static void no_capability_is_there_whose_clauses_have_no_test(struct rig *r)
{
	assert_int_equal(pci_cap_count(r, CAP_SHARED), 0);
	assert_int_equal(pci_cap_count(r, CAP_VENDOR), 0);
	assert_in_range(pci_cap_find(r, CAP_COMMON).len, 0, QUEUE_RESET + 2);
}

/*
 * Access through configuration space.
 */

static void aim(struct rig *r, uint32_t field, unsigned len)
{
	unsigned cap = pci_cap_find(r, CAP_PCI_ACCESS).at;

	peek_cfg_write(r, cap + 4, 1, 0);
	peek_cfg_write(r, cap + 8, 4, pci_cap_find(r, CAP_COMMON).off + field);
	peek_cfg_write(r, cap + 12, 4, len);
}

static void config_access_writes_the_bar(struct rig *r)
{
	unsigned data = pci_cap_find(r, CAP_PCI_ACCESS).at + 16;

	aim(r, DRIVER_FEATURE_SELECT, 4);
	peek_cfg_write(r, data, 4, 0x12345678);
	assert_int_equal(pci_get(r, DRIVER_FEATURE_SELECT, 4), 0x12345678);
	aim(r, QUEUE_SELECT, 2);
	peek_cfg_write(r, data, 2, 1);
	assert_int_equal(pci_get(r, QUEUE_SELECT, 2), 1);
	aim(r, STATUS, 1);
	peek_cfg_write(r, data, 1, VIRTIO_S_ACKNOWLEDGE);
	assert_int_equal(pci_get(r, STATUS, 1), VIRTIO_S_ACKNOWLEDGE);
	rig_reset(r);
}

static void config_access_reads_the_bar(struct rig *r)
{
	unsigned data = pci_cap_find(r, CAP_PCI_ACCESS).at + 16;

	pci_set(r, DRIVER_FEATURE_SELECT, 4, 0x9abcdef0);
	aim(r, DRIVER_FEATURE_SELECT, 4);
	assert_int_equal(peek_cfg(r, data, 4), 0x9abcdef0);
	aim(r, NUM_QUEUES, 2);
	assert_int_equal(peek_cfg(r, data, 2), pci_get(r, NUM_QUEUES, 2));
	pci_set(r, STATUS, 1, VIRTIO_S_ACKNOWLEDGE);
	aim(r, STATUS, 1);
	assert_int_equal(peek_cfg(r, data, 1), VIRTIO_S_ACKNOWLEDGE);
	rig_reset(r);
}

static const struct conform_case cases[] = {
	{ "DEV-PCI-PCI-01", "the PCI header, BARs and capability list are sound",
	  the_pci_header_is_sound, .links = "pci*" },
	{ "DEV-PCI-DISC-01 DEV-PCI-DISC-02", "ids tell the device type", ids_tell_the_device_type,
	  .links = "pci*", .devices = true },
	{ "DEV-PCI-CAPS-01", "capability lengths count what follows",
	  capability_lengths_count_what_follows, .links = "pci*", .devices = true },
	{ "DEV-PCI-COMMON-01 DEV-PCI-COMMON-02", "common configuration is there and aligned",
	  common_configuration_is_there_and_aligned, .links = "pci*", .devices = true },
	{ "DEV-PCI-ISR-01", "ISR status is there", isr_status_is_there, .links = "pci*",
	  .devices = true },
	{ "DEV-PCI-INFDEVCFG-01 DEV-PCI-DEVCFG-01", "device configuration is there and aligned",
	  device_configuration_is_there_and_aligned, .links = "pci*", .devices = true },
	{ "DEV-PCI-NOTIFYCAP-01 DEV-PCI-NOTIFYCAP-02 DEV-PCI-NOTIFYCAP-03 DEV-PCI-NOTIFYCAP-04 "
	  "DEV-PCI-NOTIFYCAP-05 DEV-PCI-NOTIFYCAP-06",
	  "kicks of two bytes fit", kicks_of_two_bytes_fit, .links = "pci*", .devices = true },
	{ "DEV-PCI-NOTIFYCAP-07 DEV-PCI-NOTIFYCAP-08 DEV-PCI-NOTIFYCAP-09 DEV-PCI-NOTIFYCAP-10 "
	  "DEV-PCI-NOTIFYCAP-11",
	  "NOTIFICATION_DATA: kicks of four bytes fit", kicks_of_four_bytes_fit,
	  .rings = CONFORM_RINGS, .links = "pci*" },
	{ "uncovered.tsv", "no capability is there whose clauses have no test",
	  no_capability_is_there_whose_clauses_have_no_test, .links = "pci*", .devices = true },
	{ "DEV-PCI-PCICFG-01", "configuration access is there", config_access_is_there,
	  .links = "pci*", .devices = true },
	{ "DEV-PCI-PCICFG-02", "configuration access writes the BAR", config_access_writes_the_bar,
	  .links = "pci*" },
	{ "DEV-PCI-PCICFG-03", "configuration access reads the BAR", config_access_reads_the_bar,
	  .links = "pci*" },
};

int main(void)
{
	return conform_run("pci-layout", cases, G_N_ELEMENTS(cases));
}
