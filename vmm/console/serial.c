#include "vmm/console/serial.h"

#include <pthread.h>

#include "vmm/console/gather.h"
#include "vmm/console/uart.h"

/* Registers and bits that tell whether the guest listens. */
enum { REG_DATA = 0, REG_IER = 1, REG_LCR = 3, REG_MCR = 4, REG_LSR = 5 };
enum { IER_RX = 0x01, LCR_DLAB = 0x80, MCR_OUT2 = 0x08 };

#define POLLS_MIN 256u /* of LSR in a row: a guest that reads without interrupts */

struct serial {
	struct uart *uart;
	struct chr *chr;
	struct gather *gather;
	struct loop *main;
	const struct serial_ops *ops;
	void *opaque;
	struct bus *bus;
	struct board_region region;

	pthread_mutex_t lock;  /* of these: */
	uint8_t ier, lcr, mcr; /* as the guest wrote them last */
	unsigned polls;        /* of LSR since the guest last did something else */
	bool listening;

	bool lost; /* told that the host failed */
};

/*
 * From the guest.
 */
static void serial_on_send(void *opaque, const uint8_t *data, size_t len)
{
	struct serial *s = opaque;

	gather_put(s->gather, data, len);
}

static void serial_on_printed(void *opaque, const uint8_t *data, size_t len)
{
	struct serial *s = opaque;

	s->ops->printed(s->opaque, data, len);
}

/*
 * Input for a guest that has not set the port up yet would be lost when it clears the FIFO, so it
 * waits in the stream until there is a listener.
 */
static bool is_listening(struct serial *s)
{
	bool ret;

	pthread_mutex_lock(&s->lock);
	ret = s->listening;
	pthread_mutex_unlock(&s->lock);
	return ret;
}

static void serial_want(void *opaque, bool writable)
{
	struct serial *s = opaque;

	chr_want(s->chr, is_listening(s) && uart_room(s->uart) > 0, writable);
}

static const struct gather_ops gather_ops = { .printed = serial_on_printed, .want = serial_want };

static void on_writable(void *arg)
{
	struct serial *s = arg;

	gather_writable(s->gather);
}

void serial_flush(struct serial *s)
{
	gather_flush(s->gather);
}

/*
 * To the guest.
 */
static void on_readable(void *arg)
{
	struct serial *s = arg;
	uint8_t buf[UART_FIFO];
	size_t n = chr_read(s->chr, buf, MIN(uart_room(s->uart), sizeof(buf)));

	(void)uart_receive(s->uart, buf, n); /* takes what it said there is room for */
	serial_want(s, gather_pending(s->gather));
}

void serial_send_break(struct serial *s)
{
	uart_receive_break(s->uart);
}

static void serial_rewant(void *arg)
{
	struct serial *s = arg;

	serial_want(s, gather_pending(s->gather));
}

/* The guest has read some. */
static void serial_on_room(void *opaque)
{
	struct serial *s = opaque;

	loop_post(s->main, serial_rewant, s);
}

static void serial_on_irq(void *opaque, bool level)
{
	struct serial *s = opaque;

	s->ops->irq(s->opaque, level);
}

static const struct uart_ops uart_ops = { .send = serial_on_send,
					  .irq = serial_on_irq,
					  .room = serial_on_room };

static void on_trouble(void *arg, const char *what, int errnum)
{
	struct serial *s = arg;

	if (!s->lost)
		g_warning("serial: host: %s: %s", what, g_strerror(errnum));
	s->lost = true;
}

static const struct chr_user chr_user = {
	.readable = on_readable,
	.writable = on_writable,
	.trouble = on_trouble,
};

/*
 * On the bus.
 */
static void start_listening(struct serial *s, bool on)
{
	bool first;

	pthread_mutex_lock(&s->lock);
	first = on && !s->listening;
	s->listening |= on;
	pthread_mutex_unlock(&s->lock);
	if (first)
		loop_post(s->main, serial_rewant, s);
}

/* Receive interrupts are on and can reach the processor. */
static bool note_write(struct serial *s, unsigned reg, uint8_t value)
{
	bool ret;

	pthread_mutex_lock(&s->lock);
	s->polls = 0;
	if (reg == REG_IER && !(s->lcr & LCR_DLAB))
		s->ier = value;
	else if (reg == REG_LCR)
		s->lcr = value;
	else if (reg == REG_MCR)
		s->mcr = value;
	ret = s->ier & IER_RX && s->mcr & MCR_OUT2;
	pthread_mutex_unlock(&s->lock);
	return ret;
}

static bool note_poll(struct serial *s)
{
	bool ret;

	pthread_mutex_lock(&s->lock);
	ret = ++s->polls >= POLLS_MIN;
	pthread_mutex_unlock(&s->lock);
	return ret;
}

static uint64_t port_read(void *opaque, uint64_t off, unsigned len)
{
	struct serial *s = opaque;

	if (len != 1)
		return UINT64_MAX;
	if (off == REG_LSR)
		start_listening(s, note_poll(s));
	return uart_read(s->uart, (unsigned)off);
}

static void port_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct serial *s = opaque;

	if (len != 1)
		return;
	uart_write(s->uart, (unsigned)off, (uint8_t)value);
	start_listening(s, note_write(s, (unsigned)off, (uint8_t)value));
	if (off == REG_DATA) /* here, as serial_on_send() is called with the port locked */
		gather_wait(s->gather);
}

int serial_plug(struct serial *s, struct bus *bus, uint64_t port)
{
	s->region = (struct board_region){
		.base = port,
		.size = UART_PORTS,
		.io = true,
		.read = port_read,
		.write = port_write,
		.opaque = s,
	};
	s->bus = bus;
	return bus_add(bus, &s->region);
}

struct serial *serial_new(struct chr *chr, struct loop *main, const struct serial_ops *ops,
			  void *opaque, GError **err)
{
	struct serial *s = g_new0(struct serial, 1);

	s->chr = chr;
	s->main = main;
	s->ops = ops;
	s->opaque = opaque;
	pthread_mutex_init(&s->lock, NULL);
	s->uart = uart_new(&uart_ops, s);
	s->gather = gather_new(chr, main, &gather_ops, s, "--serial", err);
	chr_attach(chr, main, &chr_user, s);
	if (!s->gather) {
		serial_free(s);
		return NULL;
	}
	serial_want(s, false);
	return s;
}

void serial_free(struct serial *s)
{
	if (!s)
		return;
	gather_free(s->gather);
	if (s->bus)
		bus_del(s->bus, &s->region);
	chr_detach(s->chr);
	chr_close(s->chr);
	uart_free(s->uart);
	pthread_mutex_destroy(&s->lock);
	g_free(s);
}

void serial_reset(struct serial *s)
{
	uart_reset(s->uart);
	pthread_mutex_lock(&s->lock);
	s->ier = s->lcr = s->mcr = 0;
	s->polls = 0;
	s->listening = false;
	pthread_mutex_unlock(&s->lock);
	serial_rewant(s);
}

void serial_unthrottle(struct serial *s, bool unthrottled)
{
	gather_unthrottle(s->gather, unthrottled);
}
