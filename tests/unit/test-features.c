/*
 * ring=, features= and queue-size=: what they make a device offer, and that each mistake gets one
 * line that names the option and says what would be right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "devices/net/net.h"
#include "devices/registry.h"
#include "tests/support/rig.h"

#define BIT(b) (1ull << (b))

/* What every device offers by itself. */
#define USUAL                                                                              \
	(BIT(VIRTIO_F_INDIRECT_DESC) | BIT(VIRTIO_F_EVENT_IDX) | BIT(VIRTIO_F_VERSION_1) | \
	 BIT(VIRTIO_F_RING_RESET))

/* Opens the device, asks what it offers, closes it again. False with a mistake. */
static bool try_device(const char *spec, uint64_t *ret_offered, GError **err)
{
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	struct gmem mem = { 0 };
	struct vdev_env env = { .mem = &mem, .main_loop = loop_main(), .n_cpus = 1 };
	struct vdev *dev = vdev_new(vdev_class_find(name), pairs, &env, err);

	if (dev)
		*ret_offered = dev->offered.w[0];
	vdev_free(dev);
	loop_free(env.main_loop);
	return dev != NULL;
}

static uint64_t offered(const char *spec)
{
	g_autoptr(GError) err = NULL;
	uint64_t bits = 0;

	if (!try_device(spec, &bits, &err))
		fail_msg("%s: %s", spec, err->message);
	return bits;
}

static void assert_refuses(const char *spec, const char *option, const char *because)
{
	g_autoptr(GError) err = NULL;
	uint64_t bits;

	assert_false(try_device(spec, &bits, &err));
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	if (!strstr(err->message, option) || !strstr(err->message, because) ||
	    strchr(err->message, '\n'))
		fail_msg("'%s' gave: %s", spec, err->message);
}

static void by_itself_a_device_offers_the_usual(void **state)
{
	(void)state;
	assert_int_equal(offered("rng"), USUAL);
	assert_int_equal(offered("rng,ring=split"), USUAL);
}

static void a_packed_ring_is_offered_when_asked_for(void **state)
{
	(void)state;
	assert_int_equal(offered("rng,ring=packed"), USUAL | BIT(VIRTIO_F_RING_PACKED));
	assert_int_equal(offered("rng,features=+ring_packed"), USUAL | BIT(VIRTIO_F_RING_PACKED));
	assert_int_equal(offered("rng,ring=packed,features=-ring_packed"), USUAL);
}

static void common_features_come_and_go(void **state)
{
	static const struct {
		const char *name;
		unsigned bit;
	} rows[] = {
		{ "access_platform", VIRTIO_F_ACCESS_PLATFORM },
		{ "in_order", VIRTIO_F_IN_ORDER },
		{ "order_platform", VIRTIO_F_ORDER_PLATFORM },
		{ "notification_data", VIRTIO_F_NOTIFICATION_DATA },
		{ "notif_config_data", VIRTIO_F_NOTIF_CONFIG_DATA },
		{ "indirect_desc", VIRTIO_F_INDIRECT_DESC },
		{ "event_idx", VIRTIO_F_EVENT_IDX },
		{ "ring_reset", VIRTIO_F_RING_RESET },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *plus = g_strdup_printf("rng,features=+%s", rows[i].name);
		g_autofree char *minus = g_strdup_printf("rng,features=-%s", rows[i].name);

		assert_int_equal(offered(plus), USUAL | BIT(rows[i].bit));
		assert_int_equal(offered(minus), USUAL & ~BIT(rows[i].bit));
	}
}

static void a_list_may_be_long_and_given_twice(void **state)
{
	uint64_t want = (USUAL & ~BIT(VIRTIO_F_EVENT_IDX)) | BIT(VIRTIO_F_IN_ORDER);

	(void)state;
	assert_int_equal(offered("rng,features=-event_idx,+in_order,max-bytes=1K"), want);
	assert_int_equal(offered("rng,features=-event_idx,features=+in_order"), want);
	assert_int_equal(offered("rng,features=-event_idx+in_order"), want);
	assert_int_equal(offered("rng,features=+event_idx,-event_idx,+in_order"), want);
}

static void what_is_not_offered_can_be_taken_away(void **state)
{
	(void)state;
	assert_int_equal(offered("rng,features=-admin_vq,-suspend,-in_order"), USUAL);
	assert_int_equal(offered("rng,features=+version_1"), USUAL);
}

static void mistakes_get_one_line(void **state)
{
	static const struct {
		const char *spec, *option, *because;
	} rows[] = {
		{ "rng,features=event_idx", "features=event_idx", "begins with + " },
		{ "rng,features=+in_order,,,,-event_idx", "features=", "begins with + " },
		{ "rng,features=-evnt_idx", "features=-evnt_idx", "did you mean 'event_idx'?" },
		{ "rng,features=+a+b", "features=+a:", "no such feature: 'a' (" },
		{ "rng,features=+in_order-event_idx+b", "features=+b:", "no such feature: 'b' (" },
		{ "rng,features=+-in_order", "features=+-in_order", "no such feature" },
		{ "rng,features=+", "features=+:", "no such feature" },
		{ "rng,features=-mrg_rxbuf", "features=-mrg_rxbuf", "no such feature" },
		{ "rng,features=-Event_Idx", "features=-Event_Idx", "did you mean 'event_idx'?" },
		{ "rng,features=-version_1", "features=-version_1", "cannot be removed" },
		{ "rng,features=+admin_vq", "features=+admin_vq", "does not implement it" },
		{ "rng,features=+sr_iov", "features=+sr_iov", "does not implement it" },
		{ "rng,features=", "features=", "not valid" },
		{ "rng,ring=pact", "ring=pact", "split|packed" },
		{ "rng,queue-size=100", "queue-size=100", "power of two" },
		{ "rng,queue-size=100,ring=packed,features=-ring_packed", "queue-size=100",
		  "power of two" },
		{ "rng,queue-size=32769,ring=packed", "queue-size=32769", "1 to 32768" },
		{ "console,chr=null,features=+multiport", "features=+multiport", "other options" },
		{ "console,chr=null,features=+multi_port", "features=+multi_port",
		  "did you mean 'multiport'?" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		assert_refuses(rows[i].spec, rows[i].option, rows[i].because);
}

/* A class's own features: DEV-BASE-FEAT-01. */
#define NET "net,backend=user"

static void a_class_loses_what_is_taken_away_and_what_needs_it(void **state)
{
	uint64_t all = offered(NET), less = offered(NET ",features=-ctrl_vq");
	const uint64_t needy = BIT(NET_F_CTRL_VQ) | BIT(NET_F_CTRL_RX) | BIT(NET_F_CTRL_VLAN) |
			       BIT(NET_F_CTRL_RX_EXTRA) | BIT(NET_F_CTRL_MAC_ADDR) |
			       BIT(NET_F_CTRL_GUEST_OFFLOADS);

	(void)state;
	assert_int_equal(offered(NET ",features=-mrg_rxbuf"), all & ~BIT(NET_F_MRG_RXBUF));
	assert_true(all & BIT(NET_F_CTRL_VQ) && all & BIT(NET_F_CTRL_RX));
	assert_int_equal(less, all & ~needy);
	assert_int_equal(offered(NET ",features=+ctrl_vq,+mrg_rxbuf"), all);
	assert_refuses(NET ",features=-ctrl_vq,+ctrl_rx", "features=+ctrl_rx", "removed");
	assert_refuses(NET ",features=-ctrl_vq,+ctrl_rx_extra", "features=+ctrl_rx_extra",
		       "does not have it");
}

static void every_class_names_all_that_it_offers(void **state)
{
	const struct vdev_class *class;

	(void)state;
	for (unsigned i = 0; (class = vdev_class_nth(i)); i++) {
		for (const unsigned char *bit = class->feature_bits; bit && *bit != 255; bit++) {
			const struct vdev_feature *row = class->features;

			assert_non_null(row);
			while (row->name && row->bit != *bit)
				row++;
			if (!row->name)
				fail_msg("%s: feature %u has no name", class->name, *bit);
		}
	}
}

/*
 * Queue sizes. DEV-PCI-COMMON-15: a power of two unless RING_PACKED has been negotiated.
 */
static const struct rig_case odd = { .spec = "rng,ring=packed,queue-size=100" };

static uint64_t size_of(struct rig *r, enum vdev_queue_reg reg)
{
	return vdev_queue_read(rig_dev(r), 0, reg);
}

static void any_size_is_there_once_the_ring_is_packed(void **state)
{
	struct rig *r = rig_open(rig_link_find("direct"), &odd);
	struct rig_buf buf = rig_alloc(r, 8);

	(void)state;
	assert_int_equal(size_of(r, VQR_SIZE_MAX), 64);
	assert_true(rig_negotiate(r, rig_offered(r)));
	assert_int_equal(size_of(r, VQR_SIZE_MAX), 100);
	assert_int_equal(size_of(r, VQR_SIZE), 100);
	rig_start(r, RIG_ALL);
	assert_int_equal(rig_vq(r, 0)->cfg.size, 100);
	for (int i = 0; i < 250; i++)
		assert_int_equal(rig_do(r, 0, &buf, 0, 1), 8);
	rig_queue_reset(r, 0);
	assert_int_equal(size_of(r, VQR_SIZE_MAX), 100);
	rig_reset(r);
	assert_int_equal(size_of(r, VQR_SIZE_MAX), 64);
	assert_int_equal(size_of(r, VQR_SIZE), 64);
	rig_close(r);
}

static void a_split_ring_gets_the_power_of_two_below(void **state)
{
	struct rig *r = rig_open(rig_link_find("direct"), &odd);
	struct rig_buf buf = rig_alloc(r, 8);

	(void)state;
	rig_start(r, rig_all_but(VIRTIO_F_RING_PACKED));
	assert_int_equal(size_of(r, VQR_SIZE_MAX), 64);
	assert_int_equal(rig_vq(r, 0)->cfg.size, 64);
	for (int i = 0; i < 150; i++)
		assert_int_equal(rig_do(r, 0, &buf, 0, 1), 8);
	rig_close(r);
}

static void rings_of_every_size_work(void **state)
{
	(void)state;
	for (unsigned size = 1; size <= 32768; size = size < 9 ? size + 1 : size * 2 - 3) {
		g_autofree char *spec = g_strdup_printf("rng,ring=packed,queue-size=%u", size);
		struct rig_case c = { .spec = spec };
		struct rig *r = rig_open(rig_link_find("direct"), &c);
		struct rig_buf buf = rig_alloc(r, 8);

		rig_start(r, RIG_ALL);
		assert_int_equal(size_of(r, VQR_SIZE_MAX), size);
		for (unsigned i = 0; i < 2 * size + 1 && i < 1000; i++)
			assert_int_equal(rig_do(r, 0, &buf, 0, 1), 8);
		rig_close(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_itself_a_device_offers_the_usual),
		cmocka_unit_test(a_packed_ring_is_offered_when_asked_for),
		cmocka_unit_test(common_features_come_and_go),
		cmocka_unit_test(a_list_may_be_long_and_given_twice),
		cmocka_unit_test(what_is_not_offered_can_be_taken_away),
		cmocka_unit_test(mistakes_get_one_line),
		cmocka_unit_test(a_class_loses_what_is_taken_away_and_what_needs_it),
		cmocka_unit_test(every_class_names_all_that_it_offers),
		cmocka_unit_test(any_size_is_there_once_the_ring_is_packed),
		cmocka_unit_test(a_split_ring_gets_the_power_of_two_below),
		cmocka_unit_test(rings_of_every_size_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
