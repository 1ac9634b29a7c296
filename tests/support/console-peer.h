/*
 * Both ends of a console: a client on the host's unix socket, and what a driver does with the
 * queues.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tests/support/rig.h"

enum { RX0, TX0, CTRL_RX, CTRL_TX, RX1, TX1, RX2, TX2 };

/* Fields of the configuration space. */
#define CFG_COLS      0
#define CFG_ROWS      2
#define CFG_MAX_PORTS 4
#define CFG_EMERG     8

/*
 * The host's end.
 */

/* A non-blocking connection to unix:@/NAME. */
int host_connect(struct rig *r, const char *name);
void host_says(int fd, const void *bytes, size_t len);

/* Waits for exactly these bytes. */
void host_hears(struct rig *r, int fd, const void *bytes, size_t len);
void host_hears_nothing(struct rig *r, int fd);

/* Bytes to tell from others. */
void host_pattern(uint8_t *bytes, size_t len, uint32_t seed);

/*
 * The driver's end.
 */
void guest_says(struct rig *r, unsigned q, const char *text);

/* Waits for exactly this text in one receive buffer. */
void guest_hears(struct rig *r, unsigned q, const char *text);

/* The control queues of a driver with several ports. */
#define CTL_BUFFERS 4

struct ctl {
	struct rig *r;
	struct rig_buf buf[CTL_BUFFERS];
	struct rig_req *req[CTL_BUFFERS];
	unsigned next;
};

struct msg {
	uint32_t id;
	uint16_t event, value;
	char extra[65];
	uint32_t n_extra;
};

void ctl_start(struct ctl *c, struct rig *r); /* gives receive buffers */
struct msg ctl_next(struct ctl *c);
struct msg ctl_expect(struct ctl *c, uint16_t event, uint32_t id, uint16_t value);
void ctl_silence(struct ctl *c); /* no message comes */
void ctl_say(struct rig *r, uint32_t id, uint16_t event, uint16_t value);

/* Starts the driver and has it say that it is ready. */
void ctl_ports_up(struct ctl *c, struct rig *r);
