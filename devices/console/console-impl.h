/*
 * Inside the console device (VIRTIO 1.4, 5.3): its ports and its control queue.
 *
 * All of it runs on the loop that owns the queues (all of them the same), but for emergency output.
 */
#pragma once

#include "devices/backend/chr/chr.h"
#include "devices/backend/chr/fifo.h"
#include "devices/core/vdev.h"

#define CONSOLE_PORTS_MAX (VDEV_QUEUES_MAX / 2 - 1) /* the control queues take a pair */
#define CONSOLE_NAME_MAX  64u
#define EMERGENCY_MAX     256u /* bytes between the vCPU and the loop */
#define PORT_INPUT_MAX    4096u
#define PORT_STASH_MAX    (64u << 10)

/* Feature bits (5.3.3). */
enum { CONSOLE_F_SIZE = 0, CONSOLE_F_MULTIPORT = 1, CONSOLE_F_EMERG_WRITE = 2 };

/* Queue numbers (5.3.2): port 0's pair, the control pair, then the other ports' pairs. */
enum { CONSOLE_RX0, CONSOLE_TX0, CONSOLE_CONTROL_RX, CONSOLE_CONTROL_TX };

struct console_config { /* 5.3.4 */
	le16 cols, rows;
	le32 max_nr_ports;
	le32 emerg_wr;
};

/* Control events (5.3.6.2): what they are called and who sends them is in control.c's table. */
enum console_event {
	CONSOLE_DEVICE_READY,
	CONSOLE_PORT_ADD,
	CONSOLE_PORT_REMOVE,
	CONSOLE_PORT_READY,
	CONSOLE_CONSOLE_PORT,
	CONSOLE_RESIZE,
	CONSOLE_PORT_OPEN,
	CONSOLE_PORT_NAME,
	N_CONSOLE_EVENTS,
};

struct console;

struct console_port {
	struct console *con;
	unsigned id;
	char *name;      /* NULL: none */
	struct chr *chr; /* NULL: gone */
	bool is_console;
	bool gone; /* taken away (console.h) */

	bool rx_runs, tx_runs; /* the queues are started */
	bool added;            /* the driver was told of it */
	bool ready;            /* the driver knows the port (multiport) */
	bool guest_open;       /* and somebody in the guest has it open */
	unsigned queued;       /* control messages to send: 1 << enum console_event */

	struct vq_chain *tx; /* being written; NULL: none */
	uint32_t tx_done; /* bytes of the next chain that were written before it was given back */
	struct chr_fifo stash; /* output taken from the guest that goes out before anything else */
	uint8_t input[PORT_INPUT_MAX]; /* read from the host, not yet with the guest */
	size_t input_at, input_len;
};

struct console {
	struct vdev dev;

	/* Options. */
	char *opt_chr;
	GPtrArray *opt_ports; /* "NAME:CHR" */
	uint32_t opt_max_ports;
	uint16_t opt_cols, opt_rows;
	unsigned opt_resize_order;

	struct console_port *port[CONSOLE_PORTS_MAX]; /* NULL: no such port */
	unsigned max_ports;
	bool multiport; /* negotiated */
	bool control_runs;
	uint16_t cols, rows;

	/* Emergency output on its way to the loop, under a lock that nothing is asked for under. */
	pthread_mutex_t emergency_lock;
	uint8_t emergency[EMERGENCY_MAX];
	size_t n_emergency;
	int emergency_fd;
	GSource *emergency_watch;
};

/*
 * port.c: the bytes.
 */
extern const struct chr_user console_chr_user; /* its arg is a struct console_port */

void console_port_output(struct console_port *port); /* whatever can go to the host */
void console_port_input(struct console_port *port);  /* whatever can go to the guest */

/* Bytes that were written past the queue; those there is no room for are dropped. */
void console_port_emergency(struct console_port *port, const uint8_t *bytes, size_t len);

/* The transmit queue is to stop: its chain's rest is kept here and goes out all the same. */
void console_port_drain(struct console_port *port);

/* The queues are paused: a chain that is not all written goes back into its ring. */
void console_port_give_back(struct console_port *port);

/*
 * state.c
 */
void console_save(struct vdev *dev, GByteArray *out);
bool console_load(struct vdev *dev, struct unpack *in, GError **err);

/* console.c: hands emergency output to the port. */
void console_take_emergency(struct console *con);

/*
 * control.c: the messages.
 */

/* Takes the driver's messages off its control queue. */
void console_control_receive(struct console *con);

/* Sends what is queued, as far as the driver has given buffers. */
void console_control_send(struct console *con);

/* Queues @event for the driver, about a port that it knows; nothing if it knows none or uses no
 * multiport. */
void console_control_queue(struct console_port *port, enum console_event event);

/* The port is gone: tells a driver that knows it. */
void console_control_removed(struct console_port *port);

/* Forgets all about the driver. */
void console_control_reset(struct console *con);
