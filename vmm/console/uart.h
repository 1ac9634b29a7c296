/*
 * A 16550A serial port: eight I/O ports, two FIFOs, one interrupt line.
 *
 * A byte written by the guest is sent at once, so the transmitter is always empty and the guest
 * never waits. Bytes for the guest wait in the receive FIFO; whoever feeds it asks uart_room()
 * first and is told by @room when the guest has read some, so nothing is ever lost to an overrun.
 *
 * Every function may be called from any thread. The callbacks are called with the port locked, in
 * the order of the events, and must not call back into the port.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UART_FIFO  16
#define UART_PORTS 8u

struct uart_ops {
	/* The guest sent these bytes. */
	void (*send)(void *opaque, const uint8_t *data, size_t len);
	/* The interrupt line has changed to @level. */
	void (*irq)(void *opaque, bool level);
	/* The receive FIFO was full and has room again; may be NULL. */
	void (*room)(void *opaque);
};

struct uart;

/* A port in its state after power-on. @ops and @opaque must outlive it. */
struct uart *uart_new(const struct uart_ops *ops, void *opaque);
void uart_free(struct uart *u); /* takes NULL */

/* Back to the state after power-on; what waits for the guest is dropped. */
void uart_reset(struct uart *u);

/* An access to register @reg, 0 to 7. */
uint8_t uart_read(struct uart *u, unsigned reg);
void uart_write(struct uart *u, unsigned reg, uint8_t value);

/* How many bytes uart_receive() would take now: none while the guest tests the loop. */
size_t uart_room(struct uart *u);

/* Bytes arrive on the line. Returns how many were taken, from the first on. */
size_t uart_receive(struct uart *u, const uint8_t *data, size_t len);

/* A break arrives on the line (Linux: the magic SysRq key). */
void uart_receive_break(struct uart *u);
