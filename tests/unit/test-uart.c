/*
 * The serial port: what a driver may rely on, in the order in which Linux's 8250 driver tries it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "vmm/console/uart.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };

struct line {
	GString *sent;
	bool irq;
	unsigned edges, rooms;
};

static void on_send(void *opaque, const uint8_t *data, size_t len)
{
	g_string_append_len(((struct line *)opaque)->sent, (const char *)data, (gssize)len);
}

static void on_irq(void *opaque, bool level)
{
	struct line *l = opaque;

	assert_int_not_equal(l->irq, level); /* told of changes only */
	l->irq = level;
	l->edges++;
}

static void on_room(void *opaque)
{
	((struct line *)opaque)->rooms++;
}

static const struct uart_ops ops = { .send = on_send, .irq = on_irq, .room = on_room };

static struct line line;

static int setup(void **state)
{
	line = (struct line){ .sent = g_string_new(NULL) };
	*state = uart_new(&ops, &line);
	return 0;
}

static int teardown(void **state)
{
	uart_free(*state);
	g_string_free(line.sent, TRUE);
	return 0;
}

/* As a driver in use leaves it: FIFO on, trigger at 8, interrupts out to the line. */
static void start(struct uart *u, uint8_t ier)
{
	uart_write(u, IIR, 0x81);
	uart_write(u, MCR, 0x0b);
	uart_write(u, IER, ier);
}

static void probe_finds_a_16550a(void **state)
{
	struct uart *u = *state;

	uart_write(u, IER, 0x00);
	assert_int_equal(uart_read(u, IER), 0x00);
	uart_write(u, IER, 0xff);
	assert_int_equal(uart_read(u, IER), 0x0f);
	uart_write(u, IER, 0x00);
	uart_write(u, MCR, 0x1a); /* loop, OUT2, RTS */
	assert_int_equal(uart_read(u, MSR) & 0xf0, 0x90);
	uart_write(u, MCR, 0x00);
	assert_int_equal(uart_read(u, MSR) & 0xf0, 0xb0);
	uart_write(u, IIR, 0x01);
	assert_int_equal(uart_read(u, IIR) >> 6, 3);
	uart_write(u, IIR, 0x00);
	assert_int_equal(uart_read(u, IIR) >> 6, 0);
	uart_write(u, SCR, 0xa5);
	assert_int_equal(uart_read(u, SCR), 0xa5);
	assert_int_equal(uart_read(u, LSR), 0x60);
}

static void divisor_is_behind_dlab(void **state)
{
	struct uart *u = *state;

	uart_write(u, LCR, 0x83);
	uart_write(u, DATA, 0x01);
	uart_write(u, IER, 0x02);
	assert_int_equal(uart_read(u, DATA), 0x01);
	assert_int_equal(uart_read(u, IER), 0x02);
	uart_write(u, LCR, 0x03);
	assert_int_equal(uart_read(u, LCR), 0x03);
	assert_int_equal(uart_read(u, IER), 0x00);
	assert_int_equal(line.sent->len, 0);
}

static void bytes_are_sent_at_once(void **state)
{
	struct uart *u = *state;

	uart_write(u, DATA, 'o');
	uart_write(u, DATA, 'k');
	assert_string_equal(line.sent->str, "ok");
	assert_false(line.irq);
}

static void empty_transmitter_interrupts_once_per_write(void **state)
{
	struct uart *u = *state;

	start(u, 0x02);
	assert_true(line.irq);
	assert_int_equal(uart_read(u, IIR), 0xc2);
	assert_false(line.irq);
	assert_int_equal(uart_read(u, IIR), 0xc1);
	uart_write(u, DATA, 'x');
	assert_true(line.irq);
	uart_write(u, IER, 0x00);
	assert_false(line.irq);
	uart_write(u, IER, 0x02); /* the driver's test for a lost interrupt */
	assert_true(line.irq);
}

static void received_bytes_interrupt_until_read(void **state)
{
	struct uart *u = *state;

	start(u, 0x05);
	assert_int_equal(uart_receive(u, (const uint8_t *)"ab", 2), 2);
	assert_true(line.irq);
	assert_int_equal(uart_read(u, IIR), 0xcc); /* fewer than the trigger: as if timed out */
	assert_int_equal(uart_read(u, LSR), 0x61);
	assert_int_equal(uart_read(u, DATA), 'a');
	assert_true(line.irq);
	assert_int_equal(uart_read(u, DATA), 'b');
	assert_false(line.irq);
	assert_int_equal(uart_read(u, LSR), 0x60);
	uart_receive(u, (const uint8_t *)"12345678", 8);
	assert_int_equal(uart_read(u, IIR), 0xc4);
}

static void full_fifo_takes_no_more_and_says_when_it_does(void **state)
{
	static const uint8_t many[40] = { 1 };
	struct uart *u = *state;

	assert_int_equal(uart_room(u), 1); /* no FIFO so far */
	start(u, 0x01);
	assert_int_equal(uart_room(u), UART_FIFO);
	assert_int_equal(uart_receive(u, many, sizeof(many)), UART_FIFO);
	assert_int_equal(uart_room(u), 0);
	assert_int_equal(line.rooms, 0);
	uart_read(u, DATA);
	assert_int_equal(line.rooms, 1);
	assert_int_equal(uart_room(u), 1);
	uart_read(u, DATA);
	assert_int_equal(line.rooms, 1); /* told once */
}

static void loop_returns_bytes_to_the_guest_alone(void **state)
{
	struct uart *u = *state;

	start(u, 0x01);
	uart_write(u, MCR, 0x1b);
	uart_write(u, DATA, 0x5a);
	assert_int_equal(line.sent->len, 0);
	assert_false(line.irq);
	assert_int_equal(uart_room(u), 0);
	assert_int_equal(uart_read(u, LSR), 0x61);
	assert_int_equal(uart_read(u, DATA), 0x5a);
	for (unsigned i = 0; i < UART_FIFO + 1; i++)
		uart_write(u, DATA, (uint8_t)i);
	assert_int_equal(uart_read(u, LSR), 0x63); /* overrun */
	assert_int_equal(uart_read(u, LSR), 0x61);
	uart_write(u, IIR, 0x83);
	assert_int_equal(uart_read(u, LSR), 0x60);
	uart_write(u, MCR, 0x0b);
	assert_int_equal(line.rooms, 1);
}

static void break_marks_its_own_byte(void **state)
{
	struct uart *u = *state;

	start(u, 0x05);
	uart_receive(u, (const uint8_t *)"a", 1);
	uart_receive_break(u);
	uart_receive(u, (const uint8_t *)"h", 1);
	assert_int_equal(uart_read(u, LSR), 0x61);
	assert_int_equal(uart_read(u, DATA), 'a');
	assert_int_equal(uart_read(u, IIR), 0xc6);
	assert_int_equal(uart_read(u, LSR), 0x71);
	assert_int_equal(uart_read(u, LSR), 0x61); /* reading takes the error back */
	assert_int_equal(uart_read(u, DATA), 0);
	assert_int_equal(uart_read(u, LSR), 0x61);
	assert_int_equal(uart_read(u, DATA), 'h');
}

static void modem_lines_interrupt_on_change(void **state)
{
	struct uart *u = *state;

	uart_write(u, IER, 0x08);
	uart_write(u, MCR, 0x1f); /* in the loop RI comes on, the others stay */
	assert_int_equal(uart_read(u, MSR), 0xf0);
	uart_write(u, MCR, 0x18); /* CTS, DSR and RI go */
	uart_write(u, MCR, 0x08); /* and come, DCD was there all along */
	assert_true(line.irq);
	assert_int_equal(uart_read(u, IIR) & 0xf, 0x00);
	assert_int_equal(uart_read(u, MSR), 0xb7);
	assert_false(line.irq);
}

static void without_out2_no_interrupt_leaves(void **state)
{
	struct uart *u = *state;

	uart_write(u, IER, 0x02);
	assert_false(line.irq);
	assert_int_equal(uart_read(u, IIR), 0x02);
}

static void reset_forgets_everything(void **state)
{
	struct uart *u = *state;

	start(u, 0x03);
	uart_receive(u, (const uint8_t *)"abc", 3);
	assert_true(line.irq);
	uart_reset(u);
	assert_false(line.irq);
	assert_int_equal(uart_read(u, LSR), 0x60);
	assert_int_equal(uart_read(u, IER), 0);
	assert_int_equal(uart_read(u, 9), 0xff);
}

static void *guest(void *u)
{
	for (unsigned got = 0; got < 10000;) {
		if (uart_read(u, LSR) & 1) {
			assert_int_equal(uart_read(u, DATA), (uint8_t)got);
			got++;
		}
	}
	return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
	struct uart *u = *state;
	GThread *t;

	start(u, 0x01);
	t = g_thread_new("guest", guest, u);
	for (unsigned put = 0; put < 10000;) {
		uint8_t byte = (uint8_t)put;

		put += (unsigned)uart_receive(u, &byte, 1);
	}
	g_thread_join(t);
	assert_false(line.irq);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(probe_finds_a_16550a),
		TEST(divisor_is_behind_dlab),
		TEST(bytes_are_sent_at_once),
		TEST(empty_transmitter_interrupts_once_per_write),
		TEST(received_bytes_interrupt_until_read),
		TEST(full_fifo_takes_no_more_and_says_when_it_does),
		TEST(loop_returns_bytes_to_the_guest_alone),
		TEST(break_marks_its_own_byte),
		TEST(modem_lines_interrupt_on_change),
		TEST(without_out2_no_interrupt_leaves),
		TEST(reset_forgets_everything),
		TEST(nothing_is_lost_between_threads),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
