#include "tests/support/pci-peek.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CONFIG (RIG_PCI_ECAM + (1u << 15)) /* of 00:01.0 */

static const struct rig_case echo = { "", "echo", NULL, .class = &echo_class };

struct rig *peek_open(const char *link)
{
	return rig_open(rig_link_find(link), &echo);
}

uint32_t peek_cfg(struct rig *r, unsigned reg, unsigned len)
{
	return (uint32_t)board_fake_read(rig_board(r), false, CONFIG + reg, len);
}

void peek_cfg_write(struct rig *r, unsigned reg, unsigned len, uint32_t value)
{
	board_fake_write(rig_board(r), false, CONFIG + reg, len, value);
}

uint64_t peek_bar(struct rig *r)
{
	return (peek_cfg(r, 0x10, 4) & ~0xfull) | (uint64_t)peek_cfg(r, 0x14, 4) << 32;
}

uint64_t peek_get(struct rig *r, unsigned off, unsigned len)
{
	return board_fake_read(rig_board(r), false, peek_bar(r) + off, len);
}

void peek_put(struct rig *r, unsigned off, unsigned len, uint64_t value)
{
	board_fake_write(rig_board(r), false, peek_bar(r) + off, len, value);
}

unsigned peek_cap(struct rig *r, unsigned id, unsigned at, unsigned value)
{
	unsigned cap = peek_cfg(r, 0x34, 1);

	while (cap && (peek_cfg(r, cap, 1) != id || (at && peek_cfg(r, cap + at, 1) != value)))
		cap = peek_cfg(r, cap + 1, 1);
	assert_int_not_equal(cap, 0);
	return cap;
}

unsigned peek_messages(struct rig *r, unsigned vector)
{
	return board_fake_take_msi(rig_board(r), RIG_PCI_MSI_ADDR, RIG_PCI_MSI_DATA + vector);
}

void peek_await_message(struct rig *r, unsigned vector)
{
	int64_t deadline = rig_deadline();

	while (peek_messages(r, vector) == 0) {
		assert_true(g_get_monotonic_time() < deadline);
		g_usleep(50);
	}
}

struct rig_req *peek_request(struct rig *r)
{
	struct rig_buf bufs[] = { rig_dup(r, "1234", 4), rig_alloc(r, 4) };

	return rig_submit(r, ECHO_COPY, bufs, 1, 1);
}

void peek_answer(struct rig *r)
{
	while (g_main_context_iteration(loop_context(rig_loop(r)), FALSE))
		;
}
