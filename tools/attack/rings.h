/*
 * An input in the memory that is shared with the device, and what has become of it: which bytes
 * the device may have written, and what it may have answered.
 */
#pragma once

#include "tools/attack/input.h"
#include "tools/bench/peer.h"

/* What the device did, or did not. */
enum attack_verdict {
	ATTACK_FINE,
	ATTACK_CLOSED, /* the connection, and takes the next: legal */
	ATTACK_DIED,
	ATTACK_HUNG,
	ATTACK_DEAF,
	ATTACK_LATE,
	ATTACK_USED_INDEX,
	ATTACK_USED_ID,
	ATTACK_USED_TWICE,
	ATTACK_USED_LENGTH,
	ATTACK_WROTE,
	ATTACK_N_VERDICTS,
};

/* Those from here on are faults of the device. */
#define ATTACK_FIRST_FAULT ATTACK_DIED

#define ATTACK_MEMORY (ATTACK_RINGS * ATTACK_PAGE + ATTACK_PAGE + ATTACK_DATA) /* at most */
#define ATTACK_TOLD   200u

struct attack_rings {
	struct peer *peer;
	const struct attack_input *in;
	uint64_t rounds; /* memory is filled otherwise in each */
	uint8_t noise[2 * ATTACK_MEMORY];

	uint8_t before[ATTACK_MEMORY];
	uint8_t may[ATTACK_MEMORY];   /* be written: 1; */
	uint8_t might[ATTACK_MEMORY]; /* and with the input before this one */
	struct attack_account {
		struct {
			uint32_t id;
			uint64_t writable;        /* bytes */
			uint32_t available, used; /* how often */
		} chain[ATTACK_SIZE];
		unsigned n;
		uint32_t available; /* of all chains */
	} account[ATTACK_RINGS];
	/* A device that writes over what it still reads, as it was told to, can be told anything:
	 * its answers are not judged then. */
	bool muddled;
	bool late;              /* what was written outside was not outside with the input before */
	char told[ATTACK_TOLD]; /* details of the verdict */
};

const char *attack_verdict_name(enum attack_verdict v);

/* @in into the memory, of which the device's rings do not run. */
void attack_place(struct attack_rings *a, const struct attack_input *in);

/* So many chains of ring @r were used so far. */
unsigned attack_used(const struct attack_rings *a, unsigned r);

/* True when nothing is left in any ring. */
bool attack_all_used(const struct attack_rings *a);

/* What was done to the memory, now that the rings are stopped. */
enum attack_verdict attack_judge(struct attack_rings *a);
