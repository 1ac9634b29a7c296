#include "vmm/console/serial.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/console/uart.h"

/* Registers and bits that tell whether the guest listens. */
enum { REG_DATA = 0, REG_IER = 1, REG_LCR = 3, REG_MCR = 4, REG_LSR = 5 };
enum { IER_RX = 0x01, LCR_DLAB = 0x80, MCR_OUT2 = 0x08 };

#define POLLS_MIN  256u         /* of LSR in a row: a guest that reads without interrupts */
#define GATHER_NS  1000000      /* how long printed bytes may wait for company */
#define BUFFER_MAX (256u << 10) /* then the vCPU waits for the host's reader */

struct serial {
	struct uart *uart;
	struct chr *chr;
	struct loop *main;
	const struct serial_ops *ops;
	void *opaque;
	struct bus *bus;
	struct board_region region;

	pthread_mutex_t lock; /* of these: */
	pthread_cond_t drained;
	GByteArray *gathered; /* by vCPUs */
	bool unthrottled;
	uint8_t ier, lcr, mcr; /* as the guest wrote them last */
	unsigned polls;        /* of LSR since the guest last did something else */
	bool listening;

	GByteArray *writing; /* on the main thread: taken from gathered */
	size_t written;      /* of it */
	int timer;           /* goes off when gathered has waited long enough */
	GSource *timer_watch;
	bool lost; /* told that the host failed */
};

/*
 * From the guest.
 */
static void start_timer(struct serial *s)
{
	static const struct itimerspec soon = { .it_value.tv_nsec = GATHER_NS };

	(void)timerfd_settime(s->timer, 0, &soon, NULL);
}

static void serial_on_send(void *opaque, const uint8_t *data, size_t len)
{
	struct serial *s = opaque;
	bool first;

	pthread_mutex_lock(&s->lock);
	first = s->gathered->len == 0;
	g_byte_array_append(s->gathered, data, (guint)len);
	pthread_mutex_unlock(&s->lock);
	if (first)
		start_timer(s);
}

/* Not in serial_on_send(), which is called with the port locked. */
static void wait_for_reader(struct serial *s)
{
	pthread_mutex_lock(&s->lock);
	while (s->gathered->len >= BUFFER_MAX && !s->unthrottled)
		pthread_cond_wait(&s->drained, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

/* Takes over what was gathered. False if there is nothing to write. */
static bool next_batch(struct serial *s)
{
	GByteArray *empty = s->writing;

	if (s->written < s->writing->len)
		return true;
	g_byte_array_set_size(empty, 0);
	s->written = 0;
	pthread_mutex_lock(&s->lock);
	s->writing = s->gathered;
	s->gathered = empty;
	pthread_cond_broadcast(&s->drained);
	pthread_mutex_unlock(&s->lock);
	if (s->writing->len)
		s->ops->printed(s->opaque, s->writing->data, s->writing->len);
	return s->writing->len != 0;
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

static void serial_want(struct serial *s, bool writable)
{
	chr_want(s->chr, is_listening(s) && uart_room(s->uart) > 0, writable);
}

/* Writes what there is, as far as the host takes it. False if it takes no more, or there was
 * nothing. */
static bool write_batch(struct serial *s)
{
	bool some = next_batch(s);

	if (some)
		s->written += chr_write(s->chr, s->writing->data + s->written,
					s->writing->len - s->written);
	serial_want(s, s->written < s->writing->len);
	return some && s->written == s->writing->len;
}

void serial_flush(struct serial *s)
{
	while (write_batch(s))
		;
}

/* One batch: processors that print without end leave the loop to others. */
static void write_turn(struct serial *s)
{
	bool more;

	if (!write_batch(s))
		return;
	pthread_mutex_lock(&s->lock);
	more = s->gathered->len != 0;
	pthread_mutex_unlock(&s->lock);
	if (more) /* its timer may have gone off while the host was full */
		start_timer(s);
}

static void on_timer(void *arg, GIOCondition revents)
{
	struct serial *s = arg;
	uint64_t count;

	(void)revents;
	(void)!read(s->timer, &count, sizeof(count));
	write_turn(s);
}

static void on_writable(void *arg)
{
	write_turn(arg);
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
	serial_want(s, s->written < s->writing->len);
}

static void serial_rewant(void *arg)
{
	struct serial *s = arg;

	serial_want(s, s->written < s->writing->len);
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
	if (off == REG_DATA)
		wait_for_reader(s);
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
	pthread_cond_init(&s->drained, NULL);
	s->gathered = g_byte_array_new();
	s->writing = g_byte_array_new();
	s->uart = uart_new(&uart_ops, s);
	s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->timer < 0) {
		ringside_error_errno(err, errno, "--serial: timerfd");
		serial_free(s);
		return NULL;
	}
	s->timer_watch = loop_watch(main, s->timer, G_IO_IN, on_timer, s);
	chr_attach(chr, main, &chr_user, s);
	serial_want(s, false);
	return s;
}

void serial_free(struct serial *s)
{
	if (!s)
		return;
	if (s->timer_watch)
		serial_flush(s);
	if (s->bus)
		bus_del(s->bus, &s->region);
	loop_unwatch(s->timer_watch);
	chr_detach(s->chr);
	chr_close(s->chr);
	if (s->timer >= 0)
		close(s->timer);
	uart_free(s->uart);
	g_byte_array_unref(s->gathered);
	g_byte_array_unref(s->writing);
	pthread_cond_destroy(&s->drained);
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
	pthread_mutex_lock(&s->lock);
	s->unthrottled = unthrottled;
	pthread_cond_broadcast(&s->drained);
	pthread_mutex_unlock(&s->lock);
}
