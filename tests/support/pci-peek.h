/*
 * For tests of virtio-pci's registers: the echo device on the bus, as the rig put it there, seen
 * register by register.
 */
#pragma once

#include "tests/support/echo.h"
#include "tests/support/rig.h"

/* Where the structures are in the BAR, as the capabilities say. */
#define PEEK_ISR    0x0100u
#define PEEK_TABLE  0x1000u
#define PEEK_PBA    0x2000u
#define PEEK_NOTIFY 0x3000u

struct rig *peek_open(const char *link);

/* Configuration space. */
uint32_t peek_cfg(struct rig *r, unsigned reg, unsigned len);
void peek_cfg_write(struct rig *r, unsigned reg, unsigned len, uint32_t value);

/* The capability @id whose byte @at is @value; @id alone if @at is 0. Fails if there is none. */
unsigned peek_cap(struct rig *r, unsigned id, unsigned at, unsigned value);

/* The BAR, and what is @off bytes into it. */
uint64_t peek_bar(struct rig *r);
uint64_t peek_get(struct rig *r, unsigned off, unsigned len);
void peek_put(struct rig *r, unsigned off, unsigned len, uint64_t value);

/* MSI-X messages of @vector since last asked. */
unsigned peek_messages(struct rig *r, unsigned vector);
/* One comes, and no loop of ours runs meanwhile. */
void peek_await_message(struct rig *r, unsigned vector);

/* A request to queue ECHO_COPY. peek_answer() lets the device answer, without an interrupt handler
 * that takes the interrupt. */
struct rig_req *peek_request(struct rig *r);
void peek_answer(struct rig *r);
