/*
 * Tests of the checker (vmm/check): a driver that breaks one rule, and what is told of it.
 */
#pragma once

#include "devices/core/observe.h"
#include "tests/support/rig.h"
#include "vmm/check/rules.h"

struct check_case {
	unsigned rule;     /* N_CHECK_RULES: none */
	const char *spec;  /* NULL: the echo device */
	const char *links; /* with blanks between */
	void (*run)(struct rig *r);
	const char *also; /* rules that are broken with it, with blanks between; or NULL */
};

/* Runs each over each of its links: the rule is told, once or more, and no other but those `also`.
 * As a cmocka test's function, with the cases as its state. */
struct check_cases {
	const struct check_case *cases;
	size_t n;
	bool bait; /* with baits */
	bool must; /* without advice */
};
void check_cases_run(void **state);

/* The same; how many were not as they should be, which it prints. */
unsigned check_cases_wrong(const struct check_cases *cases);

/* Has @rule a row among @cases? */
bool check_cases_have(const struct check_cases *cases, unsigned rule);

/* Violations in this case so far. */
uint64_t check_told(void);

/* The checker of this case looks at the device behind @o, which looks first; and has judged what
 * there was when it left. */
void check_behind(struct rig *r, struct vdev_observer *o);

/* A bait of this case's checker, on the rig's board at @base. */
struct check_page *check_bait(struct rig *r, unsigned n, uint64_t base);

/* Lets @ms pass with the device at work. */
void check_pass(struct rig *r, unsigned ms);

/*
 * A chain that is made by hand: a queue's first, of @n readable buffers, which the rig knows as its
 * own; its descriptors are changed (check_desc(): split), and then it is made available.
 */
void check_chain(struct rig *r, unsigned q, unsigned n);
void check_desc(struct rig *r, unsigned q, unsigned i, struct drv_buf b, unsigned flags,
		unsigned next);
void check_offer(struct rig *r, unsigned q);
