/* Which received frames are for the guest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "devices/net/filter.h"

static const uint8_t own[6] = { 0x52, 0x54, 0, 0, 0, 1 };
static const uint8_t other[6] = { 0x52, 0x54, 0, 0, 0, 2 };
static const uint8_t group[6] = { 0x01, 0, 0x5e, 0, 0, 1 };
static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static bool passes(const struct net_filter *f, const uint8_t *dst)
{
	uint8_t frame[64] = { 0 };

	memcpy(frame, dst, 6);
	return net_filter_pass(f, frame, sizeof(frame));
}

static struct net_filter filter(void)
{
	struct net_filter f;

	net_filter_init(&f, own, true, false);
	return f;
}

static void own_address_and_broadcast_pass(void **state)
{
	struct net_filter f = filter();

	(void)state;
	assert_true(passes(&f, own));
	assert_true(passes(&f, all));
	assert_false(passes(&f, other));
	assert_false(passes(&f, group));
}

static void without_the_feature_all_pass(void **state)
{
	struct net_filter f;

	(void)state;
	net_filter_init(&f, own, false, false);
	assert_true(passes(&f, other));
	assert_true(passes(&f, group));
}

static void what_is_suppressed_does_not_pass_without_the_feature_either(void **state)
{
	struct net_filter f;

	(void)state;
	net_filter_init(&f, own, false, false);
	f.nomulti = true;
	assert_false(passes(&f, group));
	assert_true(passes(&f, all));
	f.nobcast = true;
	assert_false(passes(&f, all));
	f.nouni = true;
	assert_false(passes(&f, own));
	f.promisc = true;
	assert_true(passes(&f, own));
}

static void all_unicast_passes_until_the_address_is_known(void **state)
{
	struct net_filter f;

	(void)state;
	net_filter_init(&f, NULL, true, false);
	assert_true(passes(&f, other));
	assert_false(passes(&f, group));
	net_filter_own(&f, own);
	assert_true(passes(&f, own));
	assert_false(passes(&f, other));
}

static void listed_addresses_pass(void **state)
{
	struct net_filter f = filter();

	(void)state;
	memcpy(f.macs[f.n_macs++], other, 6);
	assert_true(passes(&f, other));
	assert_false(passes(&f, group));
	memcpy(f.macs[f.n_macs++], group, 6);
	assert_true(passes(&f, group));
}

static void too_many_of_a_kind_pass_that_kind(void **state)
{
	struct net_filter f = filter();

	(void)state;
	f.many_multi = true;
	assert_true(passes(&f, group));
	assert_false(passes(&f, other));
	f.many_uni = true;
	assert_true(passes(&f, other));
}

static void modes(void **state)
{
	struct net_filter f = filter();

	(void)state;
	f.allmulti = true;
	assert_true(passes(&f, group));
	assert_false(passes(&f, other));
	f.nomulti = true; /* over allmulti, and not of broadcast: DEV-NET-RXFILT-08, -09 */
	assert_false(passes(&f, group));
	assert_true(passes(&f, all));
	f.nobcast = true;
	assert_false(passes(&f, all));
	f.alluni = true;
	assert_true(passes(&f, other));
	f.nouni = true; /* over alluni: DEV-NET-RXFILT-11 */
	assert_false(passes(&f, other));
	assert_false(passes(&f, own));
	f.promisc = true; /* over all: DEV-NET-RXFILT-03 */
	assert_true(passes(&f, other));
	assert_true(passes(&f, group));
	assert_true(passes(&f, all));
}

static bool tagged_passes(const struct net_filter *f, unsigned tag)
{
	uint8_t frame[64] = { 0 };

	memcpy(frame, own, 6);
	frame[12] = 0x81;
	frame[14] = (uint8_t)(tag >> 8);
	frame[15] = (uint8_t)tag;
	return net_filter_pass(f, frame, sizeof(frame));
}

static void vlans(void **state)
{
	struct net_filter f = filter();

	(void)state;
	assert_true(tagged_passes(&f, 5)); /* DEV-NET-VLAN-01 */
	f.by_vlan = true;
	assert_true(passes(&f, own)); /* untagged */
	assert_false(tagged_passes(&f, 5));
	net_filter_vlan(&f, 5, true);
	net_filter_vlan(&f, 4095, true);
	assert_true(tagged_passes(&f, 5));
	assert_true(tagged_passes(&f, 0xe000 | 5)); /* priority bits do not count */
	assert_true(tagged_passes(&f, 4095));
	assert_false(tagged_passes(&f, 6));
	net_filter_vlan(&f, 5, false);
	assert_false(tagged_passes(&f, 5));
	f.promisc = true; /* DEV-NET-RXFILT-02 */
	assert_true(tagged_passes(&f, 5));
}

static void a_frame_cut_within_its_tag_passes(void **state)
{
	struct net_filter f = filter();
	uint8_t frame[14];

	(void)state;
	f.by_vlan = true;
	memcpy(frame, own, 6);
	frame[12] = 0x81;
	frame[13] = 0;
	assert_true(net_filter_pass(&f, frame, sizeof(frame)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_address_and_broadcast_pass),
		cmocka_unit_test(without_the_feature_all_pass),
		cmocka_unit_test(what_is_suppressed_does_not_pass_without_the_feature_either),
		cmocka_unit_test(all_unicast_passes_until_the_address_is_known),
		cmocka_unit_test(listed_addresses_pass),
		cmocka_unit_test(too_many_of_a_kind_pass_that_kind),
		cmocka_unit_test(modes),
		cmocka_unit_test(vlans),
		cmocka_unit_test(a_frame_cut_within_its_tag_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
