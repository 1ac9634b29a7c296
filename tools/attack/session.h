/*
 * A session of a hostile front-end: messages to a back-end whose rings an honest one has set up.
 */
#pragma once

#include "tools/attack/back-end.h"
#include "tools/attack/input.h"

/* What messages bring along, but for the memory and the event, which are the connection's. */
struct attack_files {
	int fd[N_ATTACK_FILES];
};

void attack_files_init(struct attack_files *f);
bool attack_files_open(struct attack_files *f, GError **err);
void attack_files_close(struct attack_files *f); /* closed already is fine */

/* Sends the input's messages, reads what is answered, and ends the connection. True if the back-end
 * has not ended it before, and has read all of them. */
bool attack_session(struct attack_files *f, struct attack_back_end *b,
		    const struct attack_input *in);
