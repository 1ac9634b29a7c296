/*
 * Fuzzing from inside a guest: guest-fw as a hostile driver, on real doorbells, interrupts, cached
 * register pages and threads.
 *
 * An input is one of the device targets' of tools/fuzz (grammar.h), and means the same here as far
 * as it is the driver's: records of what the host does are passed over. So what the fuzzers found
 * interesting in-process can be played here (fuzz=disk), and what is made up here is made up by
 * their grammar (fuzz=SEED). Memory is laid out as theirs (tools/fuzz/language/arena.h), which
 * wants a machine of more than 3 GiB; only its ends are elsewhere.
 *
 * What happens is decided by the input alone; what comes of it also by how fast the device is. A
 * driver that writes nonsense everywhere must not hit itself: the program is not in reach of what
 * it writes (fuzz-link.c), and the way a message interrupts is one that a processor survives.
 *
 *	fuzz.c		inputs made up or read, several devices at a time, the order of it all
 *	fuzz-driver.c	what a driver does, record by record
 *	fuzz-link.c	registers by their bare numbers; a device brought back to where it was found
 *	fuzz-arena.c	memory
 *	fuzz-disk.c	inputs on a disk
 */
#pragma once

#include "guest-fw/virtio.h"
#include "tools/fuzz/language/area.h"
#include "tools/fuzz/language/input.h"
#include "tools/fuzz/language/refdrv.h"

#define FUZZ_TOGETHER 3u /* drivers at a time, at most */

/* A device and what its driver knows. */
struct fuzzed {
	struct virtio *v;
	unsigned n_queues; /* that it has, of the first REFDRV_QUEUES */
	bool packed;       /* which ring it is to have, if offered */
	struct input in;

	bool by_access; /* pci: the BAR is reached through configuration space */

	/* fuzz-driver.c's. */
	uint64_t accepted;
	bool unknown_features; /* features were written that the reference drivers do not know of */
	unsigned starts;
	struct {
		unsigned n, how;
		uint64_t value;
	} race; /* corrupt that n times, after the next kick */
	struct refdrv *refdrv[REFDRV_QUEUES];
	struct queue *queue[REFDRV_QUEUES]; /* what the transport knows of a ring: its doorbell */
};

/*
 * fuzz-link.c. An access goes where in-process it would, whatever was written before.
 */
uint64_t fuzz_read(const struct fuzzed *f, enum link_area area, uint32_t off, unsigned len);
void fuzz_write(const struct fuzzed *f, enum link_area area, uint32_t off, unsigned len,
		uint64_t value);
void fuzz_kick(const struct fuzzed *f, unsigned q, uint32_t value);
void fuzz_reset_queue(const struct fuzzed *f, unsigned q);

/* Everything outside the device proper as it was found; in two steps, since BARs may be on each
 * other's places. */
void fuzz_leave_bus(const struct fuzzed *f);
void fuzz_restore_bus(const struct fuzzed *f);

/* What @value is here: at the end of memory if it is that in-process, and no address of ours. */
uint64_t fuzz_value(uint64_t value);

/*
 * fuzz-driver.c.
 */

/* @f->v, ->packed and ->in are set. @place: its number among those that are driven together. */
void fuzz_driver_begin(struct fuzzed *f, unsigned place);

/* The next record of @f->in. False at its end. */
bool fuzz_driver_step(struct fuzzed *f);

/* Takes back what there is; resets the device, which has to be possible whatever it was made to
 * do. */
void fuzz_driver_end(struct fuzzed *f);

/* Ends interrupts that came, by whatever vector. */
void fuzz_end_irqs(void);

/*
 * fuzz-arena.c, beside the functions of tools/fuzz/language/arena.h.
 */

/* With one driver only, its reset makes the memory new; else it is new at the next begin. */
void fuzz_arena_begin(unsigned drivers);

/* After all devices were reset: forgets what is there, and looks again at the next begin whether
 * anyone has written since. */
void fuzz_arena_end(void);

/* Whether the program is as it was loaded. */
bool fuzz_program_whole(void);

/*
 * fuzz-disk.c: a disk that holds inputs (build/fuzz/corpus disk).
 */
#define FUZZ_SLOT 1024u

struct fuzz_slot { /* the first: "ringside fuzz 1", and how many follow */
	le16 len;
	char target[22];
	uint8_t data[FUZZ_SLOT - 24];
};

/* True if this is one: it is driven from here on. */
bool fuzz_disk_open(struct virtio *v, uint32_t *ret_n);
void fuzz_disk_read(struct virtio *v, uint32_t n, struct fuzz_slot *ret);
void fuzz_disk_close(struct virtio *v);

/* fuzz.c: as the command line says. Ends in a panic if a device breaks a rule. */
void fuzz(struct virtio *list, unsigned n);
