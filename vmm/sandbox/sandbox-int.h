/* What the sandbox's own files share. */
#pragma once

#include "vmm/sandbox/sandbox.h"

/*
 * The sixteen bits that come with a trap (siginfo's si_errno): the role, and whether this call may
 * be an access to SYSCALLS_RESOLV, to be answered over which descriptor.
 */
#define TRAP_RESOLV     0x8000u
#define TRAP_ROLE_SHIFT 12u
#define TRAP_ROLE_MASK  7u
#define TRAP_FILE_MASK  0xfffu
#define TRAP_NO_FILE    TRAP_FILE_MASK

/* calls.c: what every thread of a role may call, two tables. */
extern const struct syscall_use sandbox_common_calls[];
const struct syscall_use *sandbox_role_calls(enum sandbox_role role);

/* names.c: the name of system call @nr, or NULL. Async-signal-safe. */
const char *sandbox_call_name(int nr);

/* sandbox.c: of all sets. 0 or -errno. */
int sandbox_drop_capabilities(void);

/* filter.c: from now on this process, which has one thread, opens files to read and sends
 * descriptors to who asks. 0 or -errno. */
int sandbox_seal_opener(void);

/*
 * resolv.c: starts the process that opens SYSCALLS_RESOLV. Returns the socket to ask it over, which
 * ends it when closed, or -errno. To be called while this process has one thread.
 */
int sandbox_resolv_start(void);

/* Has it opened: a descriptor, or -errno. Async-signal-safe. Any thread may ask at any time. */
int sandbox_resolv_ask(int sock);

/* root.c: may directory @path be kept? Not one that the new root takes the place of. */
bool sandbox_root_can_keep(const char *path);

/* The process into namespaces and a root of its own. 0; or -errno with *ret_what,
 * what it could not do. Then some of it may be done. */
int sandbox_root_enter(const struct sandbox_plan *plan, const char **ret_what);
