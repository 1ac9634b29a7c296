/* The serial port between the guest's ports and a stream: no byte is lost or swapped either way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "vmm/console/serial.h"
#include "vmm/machine/bus.h"
#include "vmm/x86/layout.h"

#define THR  LAYOUT_SERIAL_PORT
#define IER  (LAYOUT_SERIAL_PORT + 1)
#define FCR  (LAYOUT_SERIAL_PORT + 2)
#define MCR  (LAYOUT_SERIAL_PORT + 4)
#define LSR  (LAYOUT_SERIAL_PORT + 5)
#define MANY 300000u /* more than the port keeps for a slow reader */

/* A stream of our own: takes @most bytes a write, gives what is in @input. */
struct stream {
	struct chr chr;
	size_t most;
	GByteArray *out;
	GByteArray *input;
	bool want_readable, want_writable;
	struct bus *echo; /* on it another byte is printed while one is written */
};

static size_t stream_read(struct chr *chr, void *buf, size_t len)
{
	struct stream *s = (struct stream *)chr;

	len = MIN(len, s->input->len);
	if (!len)
		return 0;
	memcpy(buf, s->input->data, len);
	g_byte_array_remove_range(s->input, 0, (guint)len);
	return len;
}

static size_t stream_write(struct chr *chr, const void *buf, size_t len)
{
	struct stream *s = (struct stream *)chr;

	len = MIN(len, s->most);
	g_byte_array_append(s->out, buf, (guint)len);
	if (s->echo)
		bus_write(s->echo, true, THR, 1, 'x');
	return len;
}

static void stream_want(struct chr *chr, bool readable, bool writable)
{
	struct stream *s = (struct stream *)chr;

	s->want_readable = readable;
	s->want_writable = writable;
}

static void stream_nothing(struct chr *chr)
{
	(void)chr;
}

static const struct chr_ops stream_ops = {
	.read = stream_read,
	.write = stream_write,
	.want = stream_want,
	.attach = stream_nothing,
	.detach = stream_nothing,
	.close = stream_nothing,
};

struct fixture {
	struct loop *main;
	struct bus *bus;
	struct stream stream;
	struct serial *serial;
	GString *printed;
	_Atomic bool line;
};

static void on_irq(void *opaque, bool level)
{
	struct fixture *f = opaque;

	f->line = level;
}

static void on_printed(void *opaque, const uint8_t *data, size_t len)
{
	struct fixture *f = opaque;

	g_string_append_len(f->printed, (const char *)data, (gssize)len);
}

static const struct serial_ops ops = { .irq = on_irq, .printed = on_printed };

static int setup(void **state)
{
	struct fixture *f = g_new0(struct fixture, 1);
	GError *err = NULL;

	f->main = loop_main();
	f->bus = bus_new();
	f->stream.chr = (struct chr){ .ops = &stream_ops, .connected = true };
	f->stream.most = SIZE_MAX;
	f->stream.out = g_byte_array_new();
	f->stream.input = g_byte_array_new();
	f->printed = g_string_new(NULL);
	f->serial = serial_new(&f->stream.chr, f->main, &ops, f, &err);
	assert_null(err);
	assert_int_equal(serial_plug(f->serial, f->bus, LAYOUT_SERIAL_PORT), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	serial_free(f->serial);
	bus_free(f->bus);
	g_byte_array_unref(f->stream.out);
	g_byte_array_unref(f->stream.input);
	g_string_free(f->printed, TRUE);
	loop_free(f->main);
	g_free(f);
	return 0;
}

static void print(struct fixture *f, const char *text)
{
	for (; *text; text++)
		bus_write(f->bus, true, THR, 1, (uint8_t)*text);
}

static void until(const struct fixture *f, size_t written)
{
	while (f->stream.out->len < written)
		g_main_context_iteration(NULL, TRUE);
}

static void assert_out(const struct fixture *f, const char *text)
{
	assert_int_equal(f->stream.out->len, strlen(text));
	assert_memory_equal(f->stream.out->data, text, strlen(text));
}

static void printed_bytes_arrive_soon_and_in_one_piece(void **state)
{
	struct fixture *f = *state;

	print(f, "hello");
	assert_int_equal(f->stream.out->len, 0); /* waits for company */
	until(f, 5);
	assert_out(f, "hello");
	print(f, ", world");
	until(f, 12);
	assert_out(f, "hello, world");
	assert_string_equal(f->printed->str, "hello, world");
}

static void a_flush_does_not_wait(void **state)
{
	struct fixture *f = *state;

	print(f, "now");
	serial_flush(f->serial);
	assert_out(f, "now");
}

static void what_the_stream_does_not_take_is_kept(void **state)
{
	struct fixture *f = *state;

	f->stream.most = 2;
	print(f, "abcdef");
	serial_flush(f->serial);
	assert_out(f, "ab");
	assert_true(f->stream.want_writable);
	print(f, "gh");
	f->stream.chr.user->writable(f->stream.chr.arg);
	assert_out(f, "abcd");
	f->stream.most = SIZE_MAX;
	f->stream.chr.user->writable(f->stream.chr.arg);
	assert_out(f, "abcdef");
	until(f, 8);
	assert_out(f, "abcdefgh");
	assert_false(f->stream.want_writable);
	assert_string_equal(f->printed->str, "abcdefgh");
}

/* Processors that print as fast as they are written do not keep the loop from others, nor from
 * us. */
static void output_without_end_leaves_turns_to_others(void **state)
{
	struct fixture *f = *state;

	f->stream.echo = f->bus;
	print(f, "a");
	for (unsigned i = 1; i <= 5; i++) {
		until(f, i);
		assert_int_equal(f->stream.out->len, i);
	}
	f->stream.echo = NULL;
}

static void input_goes_no_faster_than_the_guest_reads(void **state)
{
	struct fixture *f = *state;
	g_autoptr(GString) got = g_string_new(NULL);

	bus_write(f->bus, true, FCR, 1, 0x07); /* FIFOs on and empty */
	bus_write(f->bus, true, IER, 1, 0x01);
	bus_write(f->bus, true, MCR, 1, 0x0b); /* lets the interrupt out */
	for (unsigned i = 0; i < 100; i++)
		g_byte_array_append(f->stream.input, (const uint8_t *)"0123456789", 10);
	while (!f->stream.want_readable)
		g_main_context_iteration(NULL, TRUE);
	while (got->len < 1000) {
		while (f->stream.want_readable && f->stream.input->len)
			f->stream.chr.user->readable(f->stream.chr.arg);
		assert_true(f->line);
		while (bus_read(f->bus, true, LSR, 1) & 1)
			g_string_append_c(got, (char)bus_read(f->bus, true, THR, 1));
		assert_false(f->line);
		while (!f->stream.want_readable) /* the port tells the main loop */
			g_main_context_iteration(NULL, TRUE);
	}
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(got->str[i], '0' + i % 10);
}

static void input_waits_until_somebody_listens(void **state)
{
	struct fixture *f = *state;

	g_byte_array_append(f->stream.input, (const uint8_t *)"early", 5);
	bus_write(f->bus, true, IER, 1, 0x0f); /* as a driver that looks what it has found */
	bus_write(f->bus, true, IER, 1, 0x00);
	print(f, "boot messages");
	serial_flush(f->serial);
	assert_false(f->stream.want_readable);
	bus_write(f->bus, true, FCR, 1, 0x07); /* would have lost it */
	bus_write(f->bus, true, MCR, 1, 0x0b);
	bus_write(f->bus, true, IER, 1, 0x05);
	while (!f->stream.want_readable)
		g_main_context_iteration(NULL, TRUE);
	f->stream.chr.user->readable(f->stream.chr.arg);
	assert_int_equal(bus_read(f->bus, true, THR, 1), 'e');
}

static void a_guest_that_polls_is_a_listener(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 1000; i++) { /* that is printing, not polling */
		print(f, "x");
		assert_int_equal(bus_read(f->bus, true, LSR, 1) & 1, 0);
	}
	serial_flush(f->serial);
	assert_false(f->stream.want_readable);
	for (unsigned i = 0; i < 256; i++)
		(void)bus_read(f->bus, true, LSR, 1);
	while (!f->stream.want_readable)
		g_main_context_iteration(NULL, TRUE);
}

/* As Linux's driver sees the prelude to a SysRq command. */
static void a_break_comes_before_what_is_typed_after_it(void **state)
{
	struct fixture *f = *state;

	bus_write(f->bus, true, FCR, 1, 0x07);
	bus_write(f->bus, true, MCR, 1, 0x0b);
	bus_write(f->bus, true, IER, 1, 0x05);
	while (!f->stream.want_readable)
		g_main_context_iteration(NULL, TRUE);
	serial_send_break(f->serial);
	g_byte_array_append(f->stream.input, (const uint8_t *)"h", 1);
	f->stream.chr.user->readable(f->stream.chr.arg);
	assert_int_equal(bus_read(f->bus, true, LSR, 1) & 0x11, 0x11); /* break, data */
	assert_int_equal(bus_read(f->bus, true, THR, 1), 0);
	assert_int_equal(bus_read(f->bus, true, LSR, 1) & 0x11, 0x1);
	assert_int_equal(bus_read(f->bus, true, THR, 1), 'h');
}

static void odd_accesses_do_nothing(void **state)
{
	struct fixture *f = *state;

	bus_write(f->bus, true, THR, 2, 0x4142);
	serial_flush(f->serial);
	assert_int_equal(f->stream.out->len, 0);
	assert_int_equal(bus_read(f->bus, true, THR, 4), UINT32_MAX);
}

static void *chatty_guest(void *arg)
{
	struct fixture *f = arg;

	for (unsigned i = 0; i < MANY; i++)
		bus_write(f->bus, true, THR, 1, 'a' + i % 26);
	return NULL;
}

static void a_guest_faster_than_its_reader_waits_and_loses_nothing(void **state)
{
	struct fixture *f = *state;
	GThread *guest = g_thread_new("guest", chatty_guest, f);

	f->stream.most = 1000;
	while (f->stream.out->len < MANY) {
		g_main_context_iteration(NULL, FALSE);
		if (f->stream.want_writable)
			f->stream.chr.user->writable(f->stream.chr.arg);
	}
	g_thread_join(guest);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(f->stream.out->data[i], 'a' + i % 26);
}

static void a_guest_in_a_hurry_does_not_wait(void **state)
{
	struct fixture *f = *state;
	GThread *guest;

	f->stream.most = 0; /* nobody reads at all */
	guest = g_thread_new("guest", chatty_guest, f);
	while (!f->stream.want_writable)
		g_main_context_iteration(NULL, TRUE);
	serial_unthrottle(f->serial, true);
	g_thread_join(guest);
	f->stream.most = SIZE_MAX;
	serial_flush(f->serial);
	assert_int_equal(f->stream.out->len, MANY);
}

static void a_reset_drops_what_waits_for_the_guest(void **state)
{
	struct fixture *f = *state;

	bus_write(f->bus, true, FCR, 1, 0x07);
	g_byte_array_append(f->stream.input, (const uint8_t *)"old", 3);
	f->stream.chr.user->readable(f->stream.chr.arg);
	assert_int_equal(bus_read(f->bus, true, LSR, 1) & 1, 1);
	serial_reset(f->serial);
	assert_int_equal(bus_read(f->bus, true, LSR, 1) & 1, 0);
	assert_false(f->stream.want_readable); /* the next guest has to listen first */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(printed_bytes_arrive_soon_and_in_one_piece),
		TEST(a_flush_does_not_wait),
		TEST(what_the_stream_does_not_take_is_kept),
		TEST(output_without_end_leaves_turns_to_others),
		TEST(input_goes_no_faster_than_the_guest_reads),
		TEST(input_waits_until_somebody_listens),
		TEST(a_guest_that_polls_is_a_listener),
		TEST(a_break_comes_before_what_is_typed_after_it),
		TEST(odd_accesses_do_nothing),
		TEST(a_guest_faster_than_its_reader_waits_and_loses_nothing),
		TEST(a_guest_in_a_hurry_does_not_wait),
		TEST(a_reset_drops_what_waits_for_the_guest),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
