/*
 * The checker of drivers (--check): an observer of each device that says which rule of the
 * specification the driver broke, when it does.
 *
 * A rule is a row of rules.c: its clauses, and what it looks at. Those that registers show and
 * those of rings are the device core's (devices/core/rules.h, enum vq_fault); the others are judged
 * here, by what observers are told (docs/check.md). Nothing is asked of the driver, and the device
 * does what it would do unchecked.
 *
 * A violation is a line in the log, the first few times; all are counted, and the report at the end
 * has them by rule. Violations are told from any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "devices/core/vdev.h"

#define CHECK_WAIT_MS 5000u

struct check_config {
	bool on;
	bool advice;        /* SHOULDs, too */
	bool fatal;         /* the first violation of a MUST ends the run */
	bool bait;          /* oddities that the specification allows are offered */
	unsigned wait_ms;   /* how long the driver may take for what it must do; 0: CHECK_WAIT_MS */
	char *json, *junit; /* files for the report, or NULL */
};

/* The words of --check=WORDS, with commas between; NULL: there are none. False with a usage error.
 */
bool check_config_parse(struct check_config *cfg, const char *words, GError **err);
void check_config_clear(struct check_config *cfg);

/* What of WORDS there is, for help. */
extern const char check_help[];

struct checker;

/* Opens the report's files. NULL with @err. @cfg outlives it. */
struct checker *checker_new(const struct check_config *cfg, GError **err);
void checker_free(struct checker *c); /* NULL is fine; all devices have left */

/* @dev is looked at from now on, until checker_leave(). While nobody drives it. */
void checker_watch(struct checker *c, struct vdev *dev);
void checker_leave(struct checker *c, struct vdev *dev);

/* Baits on virtio-mmio: register pages that are no device of this version, with "magic", "version" or
 * "id" (a DeviceID of 0) telling so. The driver is to leave them at that. @n: which of them. */
#define CHECK_PAGES 3u
struct board;
struct check_page;
struct check_page *check_page_new(struct checker *c, unsigned n, struct board *board, uint64_t base,
				  GError **err);
void check_page_free(struct check_page *p); /* NULL is fine; no vCPU runs, and the checker lives */

/* Bytes that it may come to need when @dev's queues start. */
size_t checker_memory(const struct vdev *dev);

/* One that was found. Texts are valid during the call. */
struct check_violation {
	const char *rule;    /* "blk-beyond-capacity" */
	const char *clauses; /* "DRV-BLK-OP-02"; NULL: none says it */
	const char *section; /* "5.2.6.1" */
	const char *level;   /* "MUST NOT"; "SHOULD": advice */
	const char *text;    /* the rule, in words */
	const char *seen;    /* what was seen, or "" */
	const char *device;
	int queue, head; /* -1: of none */
	bool advice;
};

/* Called for the first violation of each rule by each device, from any thread, also with locks of
 * the device's held: it must not call that, nor wait. Set before a device is watched. */
typedef void (*check_first_fn)(const struct check_violation *v, void *opaque);
void checker_on_first(struct checker *c, check_first_fn fn, void *opaque);

/* Violations so far, advice not among them. */
uint64_t checker_count(struct checker *c);

/* What was found, of one device and rule. */
struct check_finding {
	struct check_violation v; /* the first one */
	uint64_t count;
	double first, last; /* seconds since the checker was made */
};
typedef void (*check_finding_fn)(const struct check_finding *f, void *opaque);
void checker_for_each(struct checker *c, check_finding_fn fn, void *opaque);

/* The report: as text, and into the files that were asked for (which are then complete). False with
 * @err if a file could not be written. */
void checker_print(struct checker *c, FILE *to);
bool checker_write(struct checker *c, GError **err);

/* The table, for who wants to list it: the @n-th rule, false beyond the last. */
struct check_rule_info {
	const char *name, *clauses, *section, *level, *text, *group;
};
bool check_rule_nth(unsigned n, struct check_rule_info *ret);
