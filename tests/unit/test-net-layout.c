/* Where a frame's headers end, and what is a fragment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "devices/net/layout.h"
#include "tests/support/net-frames.h"

static void headers_end_behind_the_transport_header(void **state)
{
	static const uint8_t payload[100];
	uint8_t frame[300];

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct packet p = { .version = i & 1 ? 6 : 4,
				    .protocol = i & 2 ? 6 : 17,
				    .vlan = i & 4,
				    .payload = payload,
				    .len = sizeof(payload) };
		size_t len = frame_packet(frame, &p);
		struct net_layout layout = net_layout(frame, len);

		assert_int_equal(layout.headers, len - sizeof(payload));
		assert_false(layout.fragment);
	}
}

static void options_are_headers(void **state)
{
	static const uint8_t payload[100];
	struct packet p = {
		.version = 4, .protocol = 6, .payload = payload, .len = sizeof(payload)
	};
	uint8_t frame[300];
	size_t len = frame_packet(frame, &p);

	(void)state;
	frame[46] = 0xa0; /* TCP: 40 bytes */
	assert_int_equal(net_layout(frame, len).headers, 14 + 20 + 40);
	frame[14] = 0x47; /* IP: 28 bytes, so that TCP's length is what was its reserved bits */
	frame[54] = 0x50;
	assert_int_equal(net_layout(frame, len).headers, 14 + 28 + 20);
}

static void what_we_do_not_know_ends_our_view(void **state)
{
	uint8_t frame[300] = { 0 };
	struct packet p = { .version = 4, .protocol = 6 };

	(void)state;
	assert_int_equal(net_layout(frame, frame_plain(frame, mac_guest, 100, 0)).headers, 14);
	frame[12] = 0x88; /* two tags of providers, then something unknown */
	frame[13] = 0xa8;
	frame[16] = 0x81;
	frame[17] = 0;
	assert_int_equal(net_layout(frame, 100).headers, 22);
	frame_packet(frame, &p);
	frame[23] = 132; /* SCTP */
	assert_int_equal(net_layout(frame, 100).headers, 34);
}

static void fragments_are_told(void **state)
{
	static const struct {
		uint16_t field;
		bool fragment;
		unsigned headers;
	} v4[] = {
		{ 0x0000, false, 42 }, { 0x4000, false, 42 }, /* DF */
		{ 0x2000, true, 42 },  { 0x2001, true, 34 },  { 0x1fff, true, 34 },
	};
	static const struct {
		uint16_t field;
		bool fragment;
		unsigned headers;
	} v6[] = {
		{ 0x0000, false, 70 }, { 0x0006, false, 70 }, /* reserved */
		{ 0x0001, true, 70 },  { 0x0008, true, 62 },  { 0xfff9, true, 62 },
	};
	struct packet p = { .version = 4, .protocol = 17 };
	uint8_t frame[300] = { 0 };

	(void)state;
	frame_packet(frame, &p);
	for (size_t i = 0; i < G_N_ELEMENTS(v4); i++) {
		frame[20] = (uint8_t)(v4[i].field >> 8);
		frame[21] = (uint8_t)v4[i].field;
		assert_int_equal(net_layout(frame, 200).fragment, v4[i].fragment);
		assert_int_equal(net_layout(frame, 200).headers, v4[i].headers);
	}
	p.version = 6;
	frame_packet(frame, &p);
	frame[20] = 44; /* a fragment header before UDP's */
	frame[54] = 17;
	for (size_t i = 0; i < G_N_ELEMENTS(v6); i++) {
		frame[56] = (uint8_t)(v6[i].field >> 8);
		frame[57] = (uint8_t)v6[i].field;
		assert_int_equal(net_layout(frame, 200).fragment, v6[i].fragment);
		assert_int_equal(net_layout(frame, 200).headers, v6[i].headers);
	}
}

static void extension_headers_are_headers(void **state)
{
	struct packet p = { .version = 6, .protocol = 6 };
	uint8_t frame[300] = { 0 };

	(void)state;
	frame_packet(frame, &p);
	memset(frame + 54, 0, 200);
	frame[20] = 0; /* hop by hop, 8 bytes; destination, 24; authentication, 16; TCP */
	frame[54] = 60;
	frame[62] = 51;
	frame[63] = 2;
	frame[86] = 6;
	frame[87] = 2;
	frame[102 + 12] = 0x50;
	assert_int_equal(net_layout(frame, 300).headers, 14 + 40 + 8 + 24 + 16 + 20);
	memset(frame + 54, 0, 200); /* hop by hop, again and again: there is an end */
	assert_in_range(net_layout(frame, 300).headers, 54, 54 + 64);
}

/* However a frame is cut and whatever it claims, the view ends within it (with a sanitizer: is kept
 * within). */
static void nothing_is_read_beyond_the_frame(void **state)
{
	static const uint8_t protocols[] = { 0, 6, 17, 43, 44, 51, 60, 255 };
	struct packet p = { .protocol = 6, .vlan = true };
	uint8_t frame[300];

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(protocols); i++) {
		p.version = i & 1 ? 6 : 4;
		memset(frame, 0xff, sizeof(frame));
		frame_packet(frame, &p);
		frame[i & 1 ? 24 : 27] = protocols[i / 2];
		memset(frame + 58, i & 4 ? 0xff : 0, 200);
		for (size_t len = 14; len < sizeof(frame); len++) {
			g_autofree uint8_t *copy = g_memdup2(frame, len);

			assert_in_range(net_layout(copy, len).headers, 14, len);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_end_behind_the_transport_header),
		cmocka_unit_test(options_are_headers),
		cmocka_unit_test(what_we_do_not_know_ends_our_view),
		cmocka_unit_test(fragments_are_told),
		cmocka_unit_test(extension_headers_are_headers),
		cmocka_unit_test(nothing_is_read_beyond_the_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
