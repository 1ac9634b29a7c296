/*
 * An input device's driver, as its tests want it: questions to the configuration space, and a
 * listener that gives the event queue buffers and takes events from it one by one.
 */
#pragma once

#include "devices/input/input-impl.h"
#include "devices/input/input.h"
#include "tests/support/rig.h"

enum { ID_EVENTQ, ID_STATUSQ };

/* Fields of the configuration space. */
#define ID_SELECT  0
#define ID_SUBSEL  1
#define ID_SIZE    2
#define ID_PAYLOAD 8

/* Writes the selectors; the size of the answer. */
uint8_t id_ask(struct rig *r, uint8_t select, uint8_t subsel);

#define ID_BUFFERS 100

struct id_listener {
	struct rig *r;
	struct rig_buf buf[ID_BUFFERS];
	struct rig_req *req[ID_BUFFERS];
	unsigned n, next; /* given; the next to be used */
};

/* Starts the driver, with @buffers in the event queue; gives it @n more. */
void id_start(struct id_listener *l, struct rig *r, unsigned buffers);
void id_supply(struct id_listener *l, unsigned n);

/* Waits for the next event, which must be this one; or makes sure that none comes. */
void id_expect(struct id_listener *l, uint16_t type, uint16_t code, int32_t value);
void id_silence(struct id_listener *l);

/* The operator's hand: a report of one key. */
void id_key(struct rig *r, uint16_t code, bool down);
