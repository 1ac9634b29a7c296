/*
 * The harness's board (transport/board.h): what KVM would do with regions, doorbells, cached
 * register pages and interrupts, by tables. tests/support/board-fake.c is the tests'; this one
 * takes no lock, may refuse what the input says, and treats a transport's own mistakes as bugs
 * found.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "transport/board.h"

struct fuzz_board;

enum {
	REFUSE_REGION = 1,
	REFUSE_DOORBELL = 2,
	REFUSE_IRQ_LINE = 4,
	REFUSE_ROUTE = 8,
	REFUSE_ATTACH = 16,
	REFUSE_REGPAGE = 32,
};

struct fuzz_board *fuzz_board_new(bool regpages);
void fuzz_board_free(struct fuzz_board *b); /* all must have been taken away */
struct board *fuzz_board_board(struct fuzz_board *b);

/* From now on it refuses these, or'ed. */
void fuzz_board_refuse(struct fuzz_board *b, unsigned what);

/* An access by the guest. Where nothing is, reads give all ones. */
uint64_t fuzz_board_read(struct fuzz_board *b, bool io, uint64_t addr, unsigned len);
void fuzz_board_write(struct fuzz_board *b, bool io, uint64_t addr, unsigned len, uint64_t value);

/* Lets what eventfds hold arrive as interrupts; how many did. A level stays up until its end. */
unsigned fuzz_board_interrupts(struct fuzz_board *b);
void fuzz_board_eoi(struct fuzz_board *b);
