/*
 * A board of bookkeeping that does what KVM's does, and counts what would be an exit:
 *
 * 	write	ioeventfd: exact address, its length or any, its value or any: signals, never
 * 	reaches the region
 * 		else		an exit to the process: the region's write
 * 	read	a page shown by regpage() (read-only memory slot): any width, from memory
 * 		else		an exit: the region's read; an ioeventfd is for writes alone
 * 	line, message		an eventfd's count, whatever it is, is one interrupt (irqfd); what
 * 	was written
 * 				before it was attached arrives then
 *
 * Tests and fuzzers are its processor: they read and write guest-physical addresses and take
 * interrupts. How eventfds are written and read is theirs (the fuzzers' are not the kernel's), and
 * who hears of a mistake that a transport makes.
 *
 * Transports may call it from any thread, and so may processors read and write; the other
 * board_fake_*() functions belong to one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "transport/board.h"

struct board_fake;

struct board_fake_env {
	void (*signal)(int fd); /* adds one to an eventfd's count */
	bool (*take)(int fd);   /* takes the count back; false if it is 0 */

	/* A transport's mistake. Does not return. */
	void (*bug)(const char *what);

	/* What happens, in words. NULL: nobody wants to know. */
	void (*trace)(const char *format, ...) G_GNUC_PRINTF(1, 2);
};

/* @env stays the caller's. @regpage: whether it has board_ops.regpage, as KVM has on x86 (else
 * that answers -ENOTSUP). */
struct board_fake *board_fake_make(const struct board_fake_env *env, bool regpage);

/* A region, doorbell, cached register page, line or message that was left behind is a bug. */
void board_fake_free(struct board_fake *b);

struct board *board_fake_board(struct board_fake *b);

/* An access by the guest. Where nothing is, reads give all ones and writes are lost. */
uint64_t board_fake_read(struct board_fake *b, bool io, uint64_t addr, unsigned len);
void board_fake_write(struct board_fake *b, bool io, uint64_t addr, unsigned len, uint64_t value);

/* What a real board would have made of the accesses so far. */
struct board_fake_counts {
	unsigned reads, writes; /* exits to the process */
	unsigned doorbells;     /* writes that signalled an eventfd instead */
	unsigned regpage_reads; /* reads that a cached register page served */
	unsigned regpages;      /* times that one was put up */
};
struct board_fake_counts board_fake_counts(struct board_fake *b);

unsigned board_fake_n_doorbells(struct board_fake *b); /* hung up just now */
bool board_fake_has_regpage(struct board_fake *b, uint64_t addr);
bool board_fake_has_irq_line(struct board_fake *b, unsigned gsi);

/* Interrupts: edges of @gsi since last asked. */
unsigned board_fake_take_edges(struct board_fake *b, unsigned gsi);

/* A level-triggered line: is it up? And the guest's end of interrupt: lowers it, resamples. */
bool board_fake_level(struct board_fake *b, unsigned gsi);
void board_fake_eoi(struct board_fake *b, unsigned gsi);

/* The same of all lines that are up. */
void board_fake_eoi_all(struct board_fake *b);

/* Messages of @addr and @data since last asked. */
unsigned board_fake_take_msi(struct board_fake *b, uint64_t addr, uint32_t data);

/* Interrupts of any kind since last asked. */
unsigned board_fake_interrupts(struct board_fake *b);

/* From now on the board refuses (-ENOSPC) what is named here, or'ed; 0: nothing. */
enum {
	BOARD_REFUSE_REGION = 1,
	BOARD_REFUSE_DOORBELL = 2,
	BOARD_REFUSE_IRQ_LINE = 4,
	BOARD_REFUSE_ROUTE = 8, /* -EINVAL */
	BOARD_REFUSE_ATTACH = 16,
	BOARD_REFUSE_REGPAGE = 32,
	BOARD_REFUSE_MSI = 64,
};
void board_fake_refuse(struct board_fake *b, unsigned what);
