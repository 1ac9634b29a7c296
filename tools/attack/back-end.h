/*
 * The back-end that is attacked: its process, if it is ours to start, and the connection to it,
 * whose messages are those of an honest front-end.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "tools/bench/peer.h"

struct attack_back_end {
	const char *path;     /* of its socket */
	char **start;         /* command and arguments; NULL: it is somebody else's */
	unsigned patience_ms; /* how long it may take to answer */
	uint64_t protocol;    /* features of the protocol to accept */

	pid_t child; /* 0: there is none */
	int said;    /* a file with what it printed; -1 */
	struct peer peer;
	bool connected;
	uint64_t features; /* that were accepted, */
	unsigned n_rings;  /* and so many rings */
	bool brief;        /* it keeps of a ring that was stopped what it was told before */
	bool rewound;      /* its rings, which stand still, are to begin from their first entry */
};

/* What has become of one that does not answer. */
enum attack_lost { LOST_CONNECTION, LOST_PROCESS, LOST_TIME };

void back_end_init(struct attack_back_end *b);

/* Starts it, if it is ours, and waits until its socket can be connected to. */
bool back_end_start(struct attack_back_end *b, GError **err);
void back_end_stop(struct attack_back_end *b); /* stopped already is fine */

/* Starts it anew, if it is ours, and connects anew. */
bool back_end_restart(struct attack_back_end *b, GError **err);

/* Asks which features it offers, of those that a driver can have here. */
bool back_end_offered(struct attack_back_end *b, uint64_t *ret, GError **err);

/* Connects anew, accepts @features, and sets up @n_rings, of ATTACK_SIZE entries. */
bool back_end_connect(struct attack_back_end *b, uint64_t features, unsigned n_rings, GError **err);

/* The rings run from their first entry on, and have a kick. @reset: they were broken before. */
bool back_end_run(struct attack_back_end *b, bool reset);

/* They are stopped. False, of both: it does not answer. */
bool back_end_halt(struct attack_back_end *b);

/* It does not answer: why? @told, of @size bytes, has it in words. Afterwards it is connected
 * again, being started anew if it has to be. False with an error if it cannot be. */
bool back_end_recover(struct attack_back_end *b, enum attack_lost *ret, char *told, size_t size,
		      GError **err);
