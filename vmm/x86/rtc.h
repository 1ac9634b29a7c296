/*
 * The clock of a PC with its battery-backed memory: an MC146818 at I/O ports 0x70 (index) and 0x71
 * (data), with 128 bytes, the century where ACPI's FADT says (0x32), and the sizes of memory that
 * firmware leaves there (Ralf Brown's CMOS.LST; the last three as QEMU's firmware has it):
 *
 *	0x15, 0x16	KiB below 1 MiB
 *	0x17, 0x18	KiB from 1 MiB on, 65535 at most; again in 0x30, 0x31
 *	0x34, 0x35	64 KiB from 16 MiB on to 4 GiB
 *	0x5b to 0x5d	64 KiB from 4 GiB on
 *
 * The time is the host's, in UTC, plus what the guest set it to. It is read and set in BCD or
 * binary, 12 or 24 hours, as register B says. Register A tells of an update in progress in the
 * last 244 us of a second. Register C has the update-ended and the periodic flag for those who poll
 * it. Of the interrupts there is the periodic one, by which a BIOS waits (int 0x15, 0x86): the line
 * is up until register C is read. There is no alarm.
 *
 * Every function may be called from any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "transport/board.h"

struct rtc;

/* Microseconds since 1970, UTC. */
typedef int64_t (*rtc_now_fn)(void);

/* Called with a lock held, on whatever thread; they do not call back. */
struct rtc_ops {
	void (*irq)(void *opaque, bool level);      /* of the line */
	void (*periodic)(void *opaque, int64_t us); /* wants rtc_tick() that often; 0: never */
};

/* @low_len bytes of RAM from 0 on, @high_len from 4 GiB on. @now: NULL for the host's clock. @ops
 * may be NULL: there is no interrupt. */
struct rtc *rtc_new(uint64_t low_len, uint64_t high_len, rtc_now_fn now, const struct rtc_ops *ops,
		    void *opaque);
void rtc_free(struct rtc *rtc); /* NULL is fine */

/* For the bus. */
struct board_region *rtc_region(struct rtc *rtc);

/* The guest has enabled interrupts that do not come: all but the periodic one. */
bool rtc_awaited(struct rtc *rtc);

/* A period is over. */
void rtc_tick(struct rtc *rtc);

/* The machine starts again: interrupts are off; the time goes on. */
void rtc_reset(struct rtc *rtc);
