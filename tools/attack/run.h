/*
 * An attack: inputs one after another, what each did, and what was found.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdio.h>

#include "tools/attack/back-end.h"
#include "tools/attack/input.h"
#include "tools/attack/rings.h"
#include "tools/attack/session.h"
#include "tools/bench/progress.h"

#define ATTACK_SHOWN     10u  /* findings of a verdict that are told one by one, */
#define ATTACK_KEPT      100u /* and saved, */
#define ATTACK_MINIMISED 3u   /* and made as small as can be */

struct attack_plan {
	struct attack_source source; /* but for what is offered */
	uint64_t forbidden;          /* features that are not to be accepted */
	uint64_t from, inputs;
	double seconds;                    /* 0: as long as it takes */
	uint64_t enough;                   /* findings; then it ends */
	unsigned wait_us;                  /* for a device that looks at its rings now and then */
	const struct attack_input *replay; /* this one alone, @inputs times; NULL */
	const char *save;                  /* folder; NULL: none */
	bool minimise;                     /* what is saved */
};

struct attack_finding {
	enum attack_verdict verdict;
	uint64_t number; /* of the input */
	char told[ATTACK_TOLD];
	char *file; /* where it is saved; NULL */
};

struct attack_run {
	const struct attack_plan *plan;
	struct attack_back_end *back_end;
	struct attack_rings *rings;
	struct attack_files files;
	struct attack_input input;
	struct attack_source source;
	bool reset;  /* the last input left the rings with something unused, or broken */
	bool probes; /* a sound request was served, and has to be always */
	struct progress progress;

	uint64_t done, answered; /* inputs; of those, with something used */
	uint64_t taken; /* sessions of a hostile front-end's that the back-end did not end */
	uint64_t count[ATTACK_N_VERDICTS];
	double seconds;
	char *over; /* why it ended before its end: the back-end cannot be attacked any more */
	GArray *findings; /* of struct attack_finding */
};

/* Runs it, with the back-end started and the progress begun. False with an error, which is not the
 * back-end's doing. */
bool attack_run(struct attack_run *run, GError **err);
void attack_run_free(struct attack_run *run); /* its findings */

/* One input, @run->input: what the device did; false with an error, *ret being a fault if it is the
 * device that cannot be attacked any more. */
bool attack_play(struct attack_run *run, enum attack_verdict *ret, GError **err);

/* minimise.c: makes @run->input as small as it can be with the same verdict, of @v. False with an
 * error. */
bool attack_minimise(struct attack_run *run, enum attack_verdict v, GError **err);

uint64_t attack_faults(const struct attack_run *run);

/* report.c: what was done and found, for people and as JSON. */
void attack_report(FILE *out, const struct attack_run *run);
void attack_report_json(FILE *out, const struct attack_run *run, const char *command);

/* A file to be written for @option: opened, NULL with an error; closed, false with an error if not
 * all of it was written. */
FILE *attack_file_open(const char *option, const char *path, GError **err);
bool attack_file_close(FILE *f, const char *option, const char *path, GError **err);
