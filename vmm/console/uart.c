/*
 * 16550A serial port (National Semiconductor PC16550D).
 *
 * The interrupt line is a function of the state: uart_update() works it out after every change and
 * tells the board when it differs from what it said last. Only the "transmitter empty" interrupt
 * has a memory of its own (thre_pending), because reading IIR takes it back.
 *
 * Registers by offset; DLAB is bit 7 of LCR:
 *
 *	     read    write   with DLAB
 *	0    RBR     THR     DLL
 *	1    IER     IER     DLM
 *	2    IIR     FCR
 *	3    LCR     LCR
 *	4    MCR     MCR
 *	5    LSR     -
 *	6    MSR     -
 *	7    SCR     SCR
 */
#include "vmm/console/uart.h"

#include <glib.h>
#include <pthread.h>

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR, N_REGS };

enum {
	IER_RX = 0x01,
	IER_THRE = 0x02,
	IER_LINE = 0x04,
	IER_MODEM = 0x08,
	IER_ALL = 0x0f,

	IIR_MODEM = 0x00,
	IIR_NONE = 0x01,
	IIR_THRE = 0x02,
	IIR_RX = 0x04,
	IIR_LINE = 0x06,
	IIR_TIMEOUT = 0x0c,
	IIR_FIFO = 0xc0,

	FCR_ENABLE = 0x01,
	FCR_CLEAR_RX = 0x02,
	FCR_TRIGGER_SHIFT = 6,

	LCR_BREAK = 0x40,
	LCR_DLAB = 0x80,

	MCR_DTR = 0x01,
	MCR_RTS = 0x02,
	MCR_OUT1 = 0x04,
	MCR_OUT2 = 0x08, /* lets the interrupt out to the line on a PC */
	MCR_LOOP = 0x10,
	MCR_ALL = 0x1f,

	LSR_DATA = 0x01,
	LSR_OVERRUN = 0x02,
	LSR_BREAK = 0x10,
	LSR_THRE = 0x20,
	LSR_IDLE = 0x40,
	LSR_ERRORS = 0x1e,

	MSR_RI_FELL = 0x04,
	MSR_CTS = 0x10,
	MSR_DSR = 0x20,
	MSR_RI = 0x40,
	MSR_DCD = 0x80,
	MSR_LINES = 0xf0,
};

struct uart {
	pthread_mutex_t lock; /* not GMutex: the thread sanitizer knows this one */
	const struct uart_ops *ops;
	void *opaque;

	uint8_t ier, fcr, lcr, mcr, msr, scr;
	uint8_t dll, dlm;
	uint8_t errors; /* of LSR, until it is read */
	bool thre_pending;
	bool irq_level;    /* level last told to the board */
	bool sender_waits; /* a sender was told there is no room */

	uint8_t fifo[UART_FIFO];
	uint16_t broken; /* bit i: fifo[i] stands for a break */
	unsigned head, n;
};

static unsigned fifo_size(const struct uart *u)
{
	return u->fcr & FCR_ENABLE ? UART_FIFO : 1;
}

static void fifo_clear(struct uart *u)
{
	u->head = u->n = 0;
	u->broken = 0;
}

static bool fifo_push(struct uart *u, uint8_t byte, bool is_break)
{
	unsigned at = (u->head + u->n) % UART_FIFO;

	if (u->n >= fifo_size(u))
		return false;
	u->fifo[at] = byte;
	u->broken &= (uint16_t) ~(1u << at);
	u->broken |= (uint16_t)(is_break << at);
	u->n++;
	return true;
}

static uint8_t fifo_pop(struct uart *u)
{
	uint8_t byte;

	if (u->n == 0)
		return 0;
	byte = u->fifo[u->head];
	u->broken &= (uint16_t) ~(1u << u->head);
	u->head = (u->head + 1) % UART_FIFO;
	u->n--;
	return byte;
}

/* Errors belong to the byte at the head of the FIFO; an overrun to the whole. */
static uint8_t line_errors(const struct uart *u)
{
	return u->errors | (u->n && u->broken >> u->head & 1 ? LSR_BREAK : 0);
}

/* Received bytes below the trigger level are announced as timed out at once: no clock is kept. */
static uint8_t rx_cause(const struct uart *u)
{
	static const uint8_t triggers[] = { 1, 4, 8, 14 };

	if (!(u->fcr & FCR_ENABLE) || u->n >= triggers[u->fcr >> FCR_TRIGGER_SHIFT])
		return IIR_RX;
	return IIR_TIMEOUT;
}

/* The most urgent reason to interrupt, as IIR says it. */
static uint8_t cause(const struct uart *u)
{
	if (u->ier & IER_LINE && line_errors(u))
		return IIR_LINE;
	if (u->ier & IER_RX && u->n)
		return rx_cause(u);
	if (u->ier & IER_THRE && u->thre_pending)
		return IIR_THRE;
	if (u->ier & IER_MODEM && u->msr & ~MSR_LINES)
		return IIR_MODEM;
	return IIR_NONE;
}

/* In the loop OUT2 is cut off from the outside, and with it the interrupt. */
static void uart_update(struct uart *u)
{
	bool out = u->mcr & MCR_OUT2 && !(u->mcr & MCR_LOOP);
	bool level = out && cause(u) != IIR_NONE;

	if (level == u->irq_level)
		return;
	u->irq_level = level;
	u->ops->irq(u->opaque, level);
}

/* The four modem inputs: the other end is always there, or our own outputs in the loop. */
static uint8_t modem_inputs(const struct uart *u)
{
	uint8_t m = u->mcr;

	if (!(m & MCR_LOOP))
		return MSR_DCD | MSR_DSR | MSR_CTS;
	return (m & MCR_RTS ? MSR_CTS : 0) | (m & MCR_DTR ? MSR_DSR : 0) |
	       (m & MCR_OUT1 ? MSR_RI : 0) | (m & MCR_OUT2 ? MSR_DCD : 0);
}

/* Each input has its "changed" bit four places lower; RI's is set by its trailing edge only. */
static void update_modem(struct uart *u)
{
	uint8_t now = modem_inputs(u), changed = (u->msr ^ now) & MSR_LINES;

	if (now & MSR_RI)
		changed &= (uint8_t)~MSR_RI;
	u->msr = now | (u->msr & 0x0f) | changed >> 4;
}

static void power_on(struct uart *u)
{
	u->ier = u->fcr = u->lcr = u->mcr = u->scr = 0;
	u->dll = 12; /* 9600 bit/s */
	u->dlm = 0;
	u->errors = 0;
	u->thre_pending = false;
	u->msr = modem_inputs(u);
	fifo_clear(u);
}

struct uart *uart_new(const struct uart_ops *ops, void *opaque)
{
	struct uart *u = g_new0(struct uart, 1);

	pthread_mutex_init(&u->lock, NULL);
	u->ops = ops;
	u->opaque = opaque;
	power_on(u);
	return u;
}

void uart_free(struct uart *u)
{
	if (!u)
		return;
	pthread_mutex_destroy(&u->lock);
	g_free(u);
}

/* Tells a sender that waited, once there is something to tell. */
static void wake_sender(struct uart *u)
{
	if (!u->sender_waits || u->mcr & MCR_LOOP || u->n >= fifo_size(u))
		return;
	u->sender_waits = false;
	if (u->ops->room)
		u->ops->room(u->opaque);
}

void uart_reset(struct uart *u)
{
	pthread_mutex_lock(&u->lock);
	power_on(u);
	uart_update(u);
	wake_sender(u);
	pthread_mutex_unlock(&u->lock);
}

static uint8_t read_iir(struct uart *u)
{
	uint8_t iir = cause(u);

	if (iir == IIR_THRE)
		u->thre_pending = false;
	return iir | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t read_lsr(struct uart *u)
{
	uint8_t lsr = line_errors(u) | LSR_THRE | LSR_IDLE | (u->n ? LSR_DATA : 0);

	u->errors = 0;
	u->broken &= (uint16_t) ~(1u << u->head);
	return lsr;
}

static uint8_t read_msr(struct uart *u)
{
	uint8_t msr = u->msr;

	u->msr &= MSR_LINES;
	return msr;
}

static uint8_t read_locked(struct uart *u, unsigned reg)
{
	bool dlab = u->lcr & LCR_DLAB;

	switch (reg) {
	case DATA:
		return dlab ? u->dll : fifo_pop(u);
	case IER:
		return dlab ? u->dlm : u->ier;
	case IIR:
		return read_iir(u);
	case LCR:
		return u->lcr;
	case MCR:
		return u->mcr;
	case LSR:
		return read_lsr(u);
	case MSR:
		return read_msr(u);
	case SCR:
		return u->scr;
	default:
		return 0xff;
	}
}

uint8_t uart_read(struct uart *u, unsigned reg)
{
	uint8_t value;

	pthread_mutex_lock(&u->lock);
	value = read_locked(u, reg);
	uart_update(u);
	wake_sender(u);
	pthread_mutex_unlock(&u->lock);
	return value;
}

static void transmit(struct uart *u, uint8_t byte)
{
	if (!(u->mcr & MCR_LOOP))
		u->ops->send(u->opaque, &byte, 1);
	else if (!fifo_push(u, byte, false))
		u->errors |= LSR_OVERRUN;
	u->thre_pending = true;
}

/* Switching the interrupt on while the transmitter is empty raises it. */
static void write_ier(struct uart *u, uint8_t value)
{
	if (value & IER_THRE && !(u->ier & IER_THRE))
		u->thre_pending = true;
	u->ier = value & IER_ALL;
}

static void write_fcr(struct uart *u, uint8_t value)
{
	if (value & FCR_CLEAR_RX || (value ^ u->fcr) & FCR_ENABLE)
		fifo_clear(u);
	u->fcr = value & FCR_ENABLE ? value : 0;
}

/* A break we send comes back in the loop; nobody listens for it otherwise. */
static void write_lcr(struct uart *u, uint8_t value)
{
	if (value & ~u->lcr & LCR_BREAK && u->mcr & MCR_LOOP)
		fifo_push(u, 0, true);
	u->lcr = value;
}

static void write_locked(struct uart *u, unsigned reg, uint8_t value)
{
	bool dlab = u->lcr & LCR_DLAB;

	switch (reg) {
	case DATA:
		if (dlab)
			u->dll = value;
		else
			transmit(u, value);
		break;
	case IER:
		if (dlab)
			u->dlm = value;
		else
			write_ier(u, value);
		break;
	case IIR: /* FCR when written */
		write_fcr(u, value);
		break;
	case LCR:
		write_lcr(u, value);
		break;
	case MCR:
		u->mcr = value & MCR_ALL;
		update_modem(u);
		break;
	case SCR:
		u->scr = value;
		break;
	default: /* LSR and MSR are read-only */
		break;
	}
}

void uart_write(struct uart *u, unsigned reg, uint8_t value)
{
	pthread_mutex_lock(&u->lock);
	write_locked(u, reg, value);
	uart_update(u);
	wake_sender(u);
	pthread_mutex_unlock(&u->lock);
}

static size_t room_locked(struct uart *u)
{
	size_t room = u->mcr & MCR_LOOP ? 0 : fifo_size(u) - u->n;

	if (room == 0)
		u->sender_waits = true;
	return room;
}

size_t uart_room(struct uart *u)
{
	size_t room;

	pthread_mutex_lock(&u->lock);
	room = room_locked(u);
	pthread_mutex_unlock(&u->lock);
	return room;
}

size_t uart_receive(struct uart *u, const uint8_t *data, size_t len)
{
	size_t done, take;

	pthread_mutex_lock(&u->lock);
	take = MIN(len, room_locked(u));
	for (done = 0; done < take; done++)
		fifo_push(u, data[done], false);
	if (take < len)
		u->sender_waits = true;
	uart_update(u);
	pthread_mutex_unlock(&u->lock);
	return take;
}

void uart_receive_break(struct uart *u)
{
	pthread_mutex_lock(&u->lock);
	if (room_locked(u))
		fifo_push(u, 0, true);
	uart_update(u);
	pthread_mutex_unlock(&u->lock);
}
