/* Virtio over PCI: ISR status (4.1.4.5), MSI-X vectors (4.1.5.1.2) and what they are used for. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/conformance/pci-caps.h"

#define MSIX_LINKS "pci pci-cfg pci-thread"

static unsigned isr(struct rig *r)
{
	return (unsigned)peek_get(r, pci_cap_find(r, CAP_ISR).off, 1);
}

static bool pci_interrupt_status(struct rig *r)
{
	return peek_cfg(r, 0x06, 2) & 0x08;
}

static bool line_is_up(struct rig *r)
{
	return board_fake_level(rig_board(r), peek_cfg(r, 0x3c, 1));
}

static void lower_line(struct rig *r)
{
	board_fake_eoi(rig_board(r), peek_cfg(r, 0x3c, 1));
}

/* One chain is used in a new ring, with its interrupt not taken. */
static void use_one(struct rig *r)
{
	(void)peek_request(r);
	conform_await_first(r, ECHO_COPY);
}

/*
 * ISR status.
 */

static void isr_tells_of_a_config_change_when_it_interrupts(struct rig *r)
{
	bool intx = strcmp(rig_link_name(r), "pci-intx") == 0;

	rig_start(r, conform_plain(r));
	for (uint32_t i = 1; i < 10; i++) {
		assert_int_equal(isr(r), 0);
		echo_set_pair(rig_dev(r), i, true);
		assert_true(intx ? line_is_up(r) : peek_messages(r, 0) == 1);
		assert_int_equal(isr(r), 2);
		if (intx)
			lower_line(r);
	}
}

static void isr_tells_of_a_queue_when_it_interrupts(struct rig *r)
{
	for (unsigned i = 0; i < 5; i++) {
		rig_start(r, conform_plain(r));
		assert_int_equal(isr(r), 0);
		use_one(r);
		assert_true(line_is_up(r));
		assert_int_equal(isr(r), 1);
		lower_line(r);
		echo_set_pair(rig_dev(r), 100 + i, true);
		assert_int_equal(isr(r), 2);
		lower_line(r);
	}
}

static void interrupt_status_is_that_of_isr(struct rig *r)
{
	rig_start(r, conform_plain(r));
	assert_false(pci_interrupt_status(r));
	use_one(r);
	assert_true(pci_interrupt_status(r));
	assert_true(pci_interrupt_status(r)); /* reading it changes nothing */
	assert_int_equal(isr(r), 1);
	assert_false(pci_interrupt_status(r));
	lower_line(r);
	echo_set_pair(rig_dev(r), 7, true);
	assert_true(pci_interrupt_status(r));
	assert_int_equal(isr(r), 2);
	assert_false(pci_interrupt_status(r));
}

static void reading_isr_clears_it(struct rig *r)
{
	rig_start(r, conform_plain(r));
	use_one(r);
	echo_set_pair(rig_dev(r), 7, true);
	assert_int_equal(isr(r), 3);
	assert_int_equal(isr(r), 0);
	lower_line(r);
	conform_let_work(r);
	assert_false(line_is_up(r)); /* and lets the line go */
}

/*
 * MSI-X.
 */

static unsigned n_vectors(struct rig *r)
{
	return (peek_cfg(r, peek_cap(r, 0x11, 0, 0) + 2, 2) & 0x7ff) + 1;
}

static void forget_messages(struct rig *r)
{
	for (unsigned v = 0, n = n_vectors(r); v < n; v++)
		(void)peek_messages(r, v);
}

/* Messages of @vector are @count, those of all others none. */
static void only_vector(struct rig *r, unsigned vector, unsigned count)
{
	for (unsigned v = 0, n = n_vectors(r); v < n; v++)
		assert_int_equal(peek_messages(r, v), v == vector ? count : 0);
}

static void the_table_size_is_the_number_of_vectors(struct rig *r)
{
	unsigned n = n_vectors(r);

	rig_reset(r);
	assert_in_range(n, 2, 2048);
	pci_set(r, CONFIG_VECTOR, 2, n - 1);
	assert_int_equal(pci_get(r, CONFIG_VECTOR, 2), n - 1);
	peek_put(r, PEEK_TABLE + (n - 1) * 16 + 8, 4, 0x1234);
	assert_int_equal(peek_get(r, PEEK_TABLE + (n - 1) * 16 + 8, 4), 0x1234);
	pci_set(r, CONFIG_VECTOR, 2, n);
	assert_int_equal(pci_get(r, CONFIG_VECTOR, 2), NO_VECTOR);
}

static void any_event_can_have_any_vector(struct rig *r)
{
	for (unsigned v = 0, n = n_vectors(r); v < n; v++) {
		rig_start(r, conform_plain(r));
		pci_set(r, CONFIG_VECTOR, 2, v);
		pci_queue_set(r, ECHO_COPY, QUEUE_VECTOR, 2, v);
		assert_int_equal(pci_get(r, CONFIG_VECTOR, 2), v);
		assert_int_equal(pci_get(r, QUEUE_VECTOR, 2), v);
		forget_messages(r);
		use_one(r);
		only_vector(r, v, 1);
		echo_set_pair(rig_dev(r), 100 + v, true);
		only_vector(r, v, 1);
	}
}

static void any_event_can_be_unmapped(struct rig *r)
{
	rig_start(r, conform_plain(r));
	for (unsigned q = 0; q < ECHO_QUEUES; q++) {
		assert_int_equal(pci_queue_get(r, q, QUEUE_VECTOR, 2), q + 1);
		pci_set(r, QUEUE_VECTOR, 2, NO_VECTOR);
		assert_int_equal(pci_get(r, QUEUE_VECTOR, 2), NO_VECTOR);
	}
	pci_set(r, CONFIG_VECTOR, 2, NO_VECTOR);
	assert_int_equal(pci_get(r, CONFIG_VECTOR, 2), NO_VECTOR);
}

static void a_queue_without_a_vector_is_silent(struct rig *r)
{
	rig_start(r, conform_plain(r));
	pci_queue_set(r, ECHO_COPY, QUEUE_VECTOR, 2, NO_VECTOR);
	forget_messages(r);
	use_one(r);
	conform_let_work(r);
	only_vector(r, NO_VECTOR, 0);
}

static void a_config_change_without_a_vector_is_silent(struct rig *r)
{
	rig_start(r, conform_plain(r));
	pci_set(r, CONFIG_VECTOR, 2, NO_VECTOR);
	forget_messages(r);
	echo_set_pair(rig_dev(r), 9, true);
	conform_let_work(r);
	only_vector(r, NO_VECTOR, 0);
}

static void vectors_are_unmapped_by_a_reset(struct rig *r)
{
	rig_start(r, conform_plain(r));
	assert_int_equal(pci_get(r, CONFIG_VECTOR, 2), 0);
	rig_reset(r);
	assert_int_equal(pci_get(r, CONFIG_VECTOR, 2), NO_VECTOR);
	for (unsigned q = 0; q < ECHO_QUEUES; q++)
		assert_int_equal(pci_queue_get(r, q, QUEUE_VECTOR, 2), NO_VECTOR);
}

static void a_vector_that_is_not_there_is_not_mapped(struct rig *r)
{
	unsigned n = n_vectors(r);

	rig_start(r, conform_plain(r));
	for (unsigned v = n; v < 0x10000; v = v < n + 4 ? v + 1 : v * 2 + 1) {
		pci_queue_set(r, ECHO_COPY, QUEUE_VECTOR, 2, 1);
		pci_set(r, QUEUE_VECTOR, 2, v);
		assert_int_equal(pci_get(r, QUEUE_VECTOR, 2), NO_VECTOR);
		pci_set(r, CONFIG_VECTOR, 2, 0);
		pci_set(r, CONFIG_VECTOR, 2, v);
		assert_int_equal(pci_get(r, CONFIG_VECTOR, 2), NO_VECTOR);
	}
}

static const struct conform_case cases[] = {
	{ "DEV-PCI-ISR-02", "ISR tells of a configuration change when it interrupts",
	  isr_tells_of_a_config_change_when_it_interrupts, .links = "pci*" },
	{ "DEV-PCI-ISR-03", "ISR tells of a queue when it interrupts",
	  isr_tells_of_a_queue_when_it_interrupts, .rings = CONFORM_RINGS, .links = "pci-intx" },
	{ "DEV-PCI-ISR-04", "PCI's interrupt status is that of ISR",
	  interrupt_status_is_that_of_isr, .rings = CONFORM_RINGS, .links = "pci-intx" },
	{ "DEV-PCI-ISR-05", "reading ISR clears it", reading_isr_clears_it, .rings = CONFORM_RINGS,
	  .links = "pci-intx" },
	{ "DEV-PCI-MSIX-02", "the table size is the number of vectors",
	  the_table_size_is_the_number_of_vectors, .links = MSIX_LINKS },
	{ "DEV-PCI-MSIX-04 DEV-PCI-MSIX-06", "any event can have any vector",
	  any_event_can_have_any_vector, .rings = CONFORM_RINGS, .links = MSIX_LINKS },
	{ "DEV-PCI-MSIX-05 DEV-PCI-MSIX-06", "any event can be unmapped", any_event_can_be_unmapped,
	  .links = MSIX_LINKS },
	{ "DEV-PCI-USEDNOTIF-01", "a queue without a vector is silent",
	  a_queue_without_a_vector_is_silent, .rings = CONFORM_RINGS, .links = MSIX_LINKS },
	{ "DEV-PCI-CFGNOTIF-01", "a configuration change without a vector is silent",
	  a_config_change_without_a_vector_is_silent, .links = MSIX_LINKS },
	{ "DEV-PCI-MSIX-07", "vectors are unmapped by a reset", vectors_are_unmapped_by_a_reset,
	  .links = MSIX_LINKS },
	{ "DEV-PCI-MSIX-09", "a vector that is not there is not mapped",
	  a_vector_that_is_not_there_is_not_mapped, .links = MSIX_LINKS },
};

int main(void)
{
	return conform_run("pci-irq", cases, G_N_ELEMENTS(cases));
}
