/*
 * The driver library: the example of docs/driver-library.md, taken out of the page and run on a
 * device over each transport; and PCI functions that are not as they should be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "random.h" /* docs/driver-library.md */
#include "tests/support/echo.h"
#include "tests/support/rig-impl.h"
#include "transport/pci/regs.h"

/*
 * The page's example.
 */
#define BYTES 64u

static struct rig_buf page_aligned(struct rig *r, uint32_t len)
{
	struct rig_buf b = rig_alloc(r, len + 4095);

	return rig_part(b, (uint32_t)(-b.gpa & 4095), len);
}

static bool probe(struct rig *r, struct random *ret)
{
	unsigned slot = 0;

	if (g_str_has_prefix(rig_link_name(r), "mmio"))
		return virtio_mmio_probe(&ret->dev, &r->io, RIG_MMIO_BASE);
	while (slot < 32 && !virtio_pci_probe(&ret->dev, &r->io, slot))
		slot++;
	return slot < 32;
}

static void the_example_of_the_page_works(struct rig *r)
{
	struct rig_buf memory = page_aligned(r, RANDOM_MEMORY), buf = rig_alloc(r, BYTES);
	uint8_t before[BYTES] = { 0 };
	struct random random;

	assert_true(probe(r, &random));
	for (unsigned life = 0; life < 2; life++) {
		if (!random_start(&random, memory.p, memory.gpa))
			fail_msg("%s", random.dev.error);
		assert_int_equal(rig_status(r), VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER |
							VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK);
		for (unsigned i = 0; i < 20; i++) { /* more than the ring has entries */
			assert_int_equal(random_read(&random, buf.gpa, BYTES), BYTES);
			assert_memory_not_equal(buf.p, before, BYTES);
			memcpy(before, buf.p, BYTES);
		}
		assert_true(random_stop(&random));
		assert_int_equal(rig_status(r), 0);
	}
}

static void another_device_is_refused(struct rig *r)
{
	struct rig_buf memory = page_aligned(r, RANDOM_MEMORY);
	struct random random;

	assert_true(probe(r, &random));
	assert_false(random_start(&random, memory.p, memory.gpa));
	assert_string_equal(random.dev.error, "not an entropy device");
	assert_int_equal(rig_status(r), VIRTIO_S_FAILED);
}

static void what_a_device_refuses_is_said(struct rig *r)
{
	struct virtio_dev *dev = &r->driver;
	struct virtio_features needs = { { 1ull << VIRTIO_F_VERSION_1 | 1u << ECHO_F_NEEDS_BASE } };

	assert_true(virtio_reset(dev));
	virtio_acknowledge(dev);
	assert_false(virtio_accept(dev, needs)); /* a feature without the one that it needs */
	assert_string_equal(dev->error, "the device refuses these features");
	assert_true(virtio_negotiate(dev, virtio_offered(dev)));
	assert_null(dev->error);
	assert_true(virtio_has(dev, ECHO_F_HIGH));
	assert_int_equal(virtio_queue_max(dev, ECHO_QUEUES), 0);
	assert_int_equal(virtio_config_read64(dev, 0) >> 32, virtio_config_read(dev, 0, 4));
}

/*
 * PCI functions by hand: no more than a configuration space.
 */
struct function {
	uint8_t config[512];
	uint32_t multiplier;
	unsigned end; /* of the capabilities */
};

static uint32_t config_read(void *opaque, uint64_t function, unsigned reg, unsigned len)
{
	const struct function *f = opaque;
	uint32_t value = 0;

	assert_int_equal(function, 7);
	assert_true(reg + len <= sizeof(f->config));
	memcpy(&value, f->config + reg, len);
	return value;
}

static void put(struct function *f, unsigned reg, unsigned len, uint32_t value)
{
	memcpy(f->config + reg, &value, len);
}

static void add_cap(struct function *f, uint8_t type, uint8_t bar, uint32_t off, uint32_t len)
{
	unsigned at = f->end, link = at == PCI_FIRST_CAP ? PCI_CAP_POINTER : at - 24 + PCI_CAP_NEXT;

	f->end += 24;
	put(f, link, 1, at);
	put(f, at, 1, PCI_CAP_VENDOR);
	put(f, at + VPCI_CAP_TYPE, 1, type);
	put(f, at + VPCI_CAP_BAR, 1, bar);
	put(f, at + VPCI_CAP_OFFSET, 4, off);
	put(f, at + VPCI_CAP_LENGTH, 4, len);
	put(f, at + VPCI_CAP_EXTRA, 4, 4);
}

static struct function function_new(uint16_t device)
{
	struct function f = { .end = PCI_FIRST_CAP };

	put(&f, PCI_VENDOR_ID, 2, VPCI_VENDOR);
	put(&f, PCI_DEVICE_ID, 2, device);
	put(&f, PCI_STATUS, 2, PCI_STATUS_CAPABILITIES);
	put(&f, PCI_SUBSYSTEM_ID, 2, 2);
	put(&f, PCI_BAR0, 4, 0xc001);                     /* I/O ports */
	put(&f, PCI_BAR0 + 4, 4, 0xfebd1008);             /* 32 bits, prefetchable */
	put(&f, PCI_BAR0 + 16, 4, 0xfe00000c);            /* 64 bits, and prefetchable: */
	put(&f, PCI_BAR0 + 20, 4, 0x80);                  /* 0x80_fe000000 */
	add_cap(&f, 9, 4, 0, 0x1000);                     /* of no known type */
	add_cap(&f, VPCI_TYPE_COMMON, 7, 0, 0x1000);      /* reserved: no such BAR */
	add_cap(&f, VPCI_TYPE_COMMON, 4, 0x1000, 0x38);   /* preferred, */
	add_cap(&f, VPCI_TYPE_COMMON, 1, 0x2000, 0x1000); /* and another one */
	add_cap(&f, VPCI_TYPE_NOTIFY, 4, 0x3000, 0x1000);
	return f;
}

static bool probe_function(struct function *f, struct virtio_dev *ret)
{
	static struct virtio_io io = { .pci_read = config_read };

	io.opaque = f;
	return virtio_pci_probe(ret, &io, 7);
}

static void a_transitional_function_is_found(void **state)
{
	struct function f = function_new(0x1001);
	struct virtio_dev dev;

	(void)state;
	add_cap(&f, VPCI_TYPE_ISR, 4, 0, 4);
	assert_true(probe_function(&f, &dev));
	assert_int_equal(dev.id, 2);
	assert_int_equal(dev.pci.bar[0], 0);
	assert_int_equal(dev.pci.bar[1], 0xfebd1000);
	assert_int_equal(dev.pci.bar[4], 0x80fe000000);
	assert_int_equal(dev.pci.bar[5], 0);
	assert_int_equal(dev.pci.common.bar, 4);
	assert_int_equal(dev.pci.common.offset, 0x1000);
	assert_int_equal(dev.pci.notify_multiplier, 4);
	assert_int_equal(dev.pci.config.length, 0);
	assert_int_equal(dev.pci.msix_entries, 0);
}

static void functions_of_others_are_passed_over(void **state)
{
	static const uint16_t ids[] = { 0x0fff, 0x1080, 0x1040 };
	struct virtio_dev dev;

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(ids); i++) {
		struct function f = function_new(ids[i]);

		add_cap(&f, VPCI_TYPE_ISR, 4, 0, 4);
		assert_false(probe_function(&f, &dev));
		assert_null(dev.error);
	}
}

static void a_function_that_makes_no_sense_is_refused(void **state)
{
	struct function f = function_new(0x1042);
	struct virtio_dev dev;

	(void)state;
	assert_false(probe_function(&f, &dev)); /* there is no ISR status */
	assert_non_null(strstr(dev.error, "ISR"));
	add_cap(&f, VPCI_TYPE_ISR, 4, 0, 4);
	assert_true(probe_function(&f, &dev));
	put(&f, f.end - 24 + PCI_CAP_NEXT, 1, PCI_FIRST_CAP); /* a list without an end */
	assert_false(probe_function(&f, &dev));
	assert_non_null(strstr(dev.error, "capabilities"));
	put(&f, f.end - 24 + PCI_CAP_NEXT, 1, 0x20); /* in the header */
	assert_false(probe_function(&f, &dev));
	put(&f, f.end - 24 + PCI_CAP_NEXT, 1, 0);
	put(&f, PCI_STATUS, 2, 0); /* no capabilities, whatever the pointer says */
	assert_false(probe_function(&f, &dev));
}

int main(void)
{
	static const struct rig_case cases[] = {
		{ .name = "the_example_of_the_page_works",
		  .spec = "rng",
		  .run = the_example_of_the_page_works,
		  .links = "mmio* pci*" },
		{ .name = "another_device_is_refused",
		  .spec = "echo",
		  .run = another_device_is_refused,
		  .class = &echo_class,
		  .links = "mmio* pci*" },
		{ .name = "what_a_device_refuses_is_said",
		  .spec = "echo",
		  .run = what_a_device_refuses_is_said,
		  .class = &echo_class,
		  .links = RIG_MODERN },
	};
	const struct CMUnitTest functions[] = {
		cmocka_unit_test(a_transitional_function_is_found),
		cmocka_unit_test(functions_of_others_are_passed_over),
		cmocka_unit_test(a_function_that_makes_no_sense_is_refused),
	};

	return rig_run("driver-library", cases, G_N_ELEMENTS(cases)) |
	       cmocka_run_group_tests_name("driver-library-pci", functions, NULL, NULL);
}
