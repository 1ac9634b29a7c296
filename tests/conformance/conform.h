/*
 * Conformance tests: each row names the clauses of the specification (clauses.tsv) that it proves,
 * and runs over every link that it applies to, and over both ring formats if the format matters.
 * tests/conformance/table joins the clauses with what the tests said.
 *
 *	static const struct conform_case cases[] = {
 *		{ "DEV-BASE-RESET-01", "status reads 0 after a reset", status_is_cleared },
 *	};
 *
 *	int main(void)
 *	{
 *		return conform_run("basic", cases, G_N_ELEMENTS(cases));
 *	}
 *
 * The device is the echo device of tests/support/echo.h, which here offers RING_PACKED (when the
 * row's format is packed) and IN_ORDER, too; or one of each class of the registry; or the one that
 * the row's spec names, for the chapters of the device types:
 *
 *	{ "DEV-BLK-OP-03 DEV-BLK-OP-04", "a read-only disk stays as it is", ro_stays,
 *	  .spec = "blk,path=@/disk,ro=on", .setup = bd_make_disk },
 *
 * Real devices run with a split ring and with a packed one, which then also offers all that is
 * offered on request. Clauses of the device types are in clauses.tsv whatever their level, those of
 * the basic facilities, rings and transports if they are a must. Where the text leaves a choice or
 * contradicts itself, choices.tsv says what we do, and a row names its id (CHOICE-...) like a
 * clause's.
 */
#pragma once

#include "tests/support/echo.h"
#include "tests/support/rig.h"

enum {
	CONFORM_SPLIT = 1,
	CONFORM_PACKED = 2,
	CONFORM_RINGS = CONFORM_SPLIT | CONFORM_PACKED,
	/* Over the legacy links alone; and with legacy=on over the others. */
	CONFORM_LEGACY = 4,
	CONFORM_TRANSITIONAL = 8,
};

struct conform_case {
	const char
		*clauses; /* ids, with blanks between; !ID: broken by an option (exceptions.tsv) */
	const char *says;
	void (*run)(struct rig *r);
	unsigned rings;    /* CONFORM_*: formats it is run with; 0: any for echo, both for others */
	const char *links; /* as in struct rig_case; NULL: all that there are for the format */
	bool devices;      /* on one of each class, not on the echo device */
	const char *spec;  /* on this device (rig_case.spec), without ring=; */
	void (*setup)(const char *dir); /* and with these files in "@/"; NULL: none */
};

int conform_run(const char *group, const struct conform_case *cases, size_t n);

/* VERSION_1, and RING_PACKED if it is the row's format. */
struct vfeatures conform_plain(struct rig *r);
struct vfeatures conform_with(struct rig *r, unsigned bit); /* and @bit, which must be offered */

/* rig_negotiate(), which must succeed, and all queues, but no DRIVER_OK. */
void conform_prepare(struct rig *r, struct vfeatures accept);

/* One request of echo's: a few bytes that must come back. */
void conform_echo(struct rig *r, const char *text);

/* Lets the device work until the first chain sent since the ring was started is used, and its owner
 * has done all that goes with it. Interrupts stay untaken; the ring need not look right. */
void conform_await_first(struct rig *r, unsigned q);
bool conform_first_used(struct rig *r, unsigned q);

/* Does the same for @n turns, used or not. */
void conform_let_work(struct rig *r);

/*
 * While the queues' owner is kept busy, one processor does @slow, which must wait for the owner,
 * and as soon as it does another one does @look. True, with what it saw, if that came back before
 * the owner was free; false if it had to wait, too. Over links with a thread.
 */
bool conform_meanwhile(struct rig *r, uint32_t (*slow)(struct rig *r),
		       uint32_t (*look)(struct rig *r), uint32_t *ret_value);

/* A copy of the memory where rings are, and whether it still is the same. */
uint8_t *conform_remember(struct rig *r);
bool conform_untouched(struct rig *r, const uint8_t *copy);
