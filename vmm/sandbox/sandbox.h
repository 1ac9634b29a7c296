/*
 * The process as a bad place to break into.
 *
 * A guest that finds a hole in a device model runs its code in this process. So before the guest
 * runs, the process gives up what it does not need any more: it has everything open by then. Two
 * steps, and the order of the whole is in vmm/machine/sandbox.c:
 *
 *	sandbox_enter()  the process, while it has one thread: namespaces and an empty root,
 *	                 capabilities, limits, no core dumps
 *	sandbox_seal()   each thread for itself, when it is about to begin its
 *	                 work: a filter that lets through the system calls of its role and kills the
 *	                 process for any other
 *
 *	sandbox.c         levels and the first step
 *	root.c    its namespaces
 *	filter.c  filters (libseccomp)
 *	calls.c   the calls of each role
 *	resolv.c  the one file that is opened again and again
 *	trap.c    what happens to a call that a filter does not let through
 */
#pragma once

#include <glib.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "devices/base/syscalls.h"

enum sandbox_level { SANDBOX_OFF, SANDBOX_ON, SANDBOX_STRICT, N_SANDBOX_LEVELS };

/* When the operator says nothing. A sanitizer that has something to report reads files to do so. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANDBOX_DEFAULT SANDBOX_OFF
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANDBOX_DEFAULT SANDBOX_OFF
#endif
#endif
#ifndef SANDBOX_DEFAULT
#define SANDBOX_DEFAULT SANDBOX_ON
#endif

/* Name and one line of what it does, for help. */
extern const struct sandbox_level_text {
	const char *name, *text;
} sandbox_levels[N_SANDBOX_LEVELS];

/* False: none of them. */
bool sandbox_find_level(const char *name, enum sandbox_level *ret);

/* What a thread does. */
enum sandbox_role {
	SANDBOX_MAIN,
	SANDBOX_VCPU,
	SANDBOX_LOOP,
	SANDBOX_SERVE, /* the main thread of a process that has no machine: vmm/serve */
	N_SANDBOX_ROLES
};

/* What of the outside the process still needs. */
struct sandbox_plan {
	enum sandbox_level level;
	const char *const *keep; /* directories in which it has to reach files by name; NULL ends */
	bool network;            /* it makes connections: leave it in the host's network */
	unsigned more_files;     /* descriptors that it may open on top of those it has */
	size_t more_memory;      /* bytes of memory that it may take on top of what it has */
};

/* Has libraries read the files that they read once, when first needed. Part of sandbox_enter(). */
void sandbox_warm_up(void);

/*
 * Shuts the process in. To be called by its only thread. On the level "on", what the host does not
 * permit (namespaces, for an ordinary user, can be one such thing) is left out; "strict" has all or
 * fails. False with a host error that begins with "--sandbox".
 */
bool sandbox_enter(const struct sandbox_plan *plan, GError **err);

/*
 * A filter for threads of @role: what the role may call anyway, and what @syscalls adds. To be made
 * before sandbox_enter(). NULL with a host error that begins with "--sandbox".
 */
struct sandbox_syscalls {
	const struct syscall_use *table;
	bool closing; /* of the table, only the rows that are for closing */
};
struct sandbox_filter *sandbox_filter_new(enum sandbox_role role,
					  const struct sandbox_syscalls *syscalls, unsigned n,
					  GError **err);
void sandbox_filter_free(struct sandbox_filter *f); /* NULL is fine; whom it sealed stays sealed */

/* Puts the calling thread under the filter, for good. 0 or -errno. */
int sandbox_seal(const struct sandbox_filter *f);

/* The same of a thread that must not go on without: @who it is, for the message with which the
 * process ends else. NULL is no filter. */
void sandbox_seal_or_end(const struct sandbox_filter *f, const char *who);

/* For sandbox_plan.keep: adds the directory of file @path to @dirs, of strings, once. */
void sandbox_keep_directory_of(GPtrArray *dirs, const char *path);

/*
 * For a handler of SIGSYS (SA_SIGINFO), which a call that the filter does not let through leads to:
 * sandbox_trapped() is true of such a one. sandbox_trap_answer() is true if it was one that we
 * answer ourselves, and did: the handler returns. Otherwise sandbox_trap_die() writes one line to
 * standard error, which names the thread's role and the call, and ends the process with SIGSYS. All
 * are async-signal-safe.
 */
bool sandbox_trapped(const siginfo_t *info);
bool sandbox_trap_answer(const siginfo_t *info, void *ucontext);
void sandbox_trap_die(const siginfo_t *info) G_GNUC_NORETURN;
