/* What the sandbox's own files share. */
#pragma once

#include "vmm/sandbox.h"

/*
 * The sixteen bits that come with a trap (siginfo's si_errno): the role, and whether this call may
 * be an access to SYSCALLS_RESOLV, to be answered from which descriptor.
 */
#define TRAP_RESOLV     0x8000u
#define TRAP_ROLE_SHIFT 13u
#define TRAP_ROLE_MASK  3u
#define TRAP_FILE_MASK  0x1fffu
#define TRAP_NO_FILE    TRAP_FILE_MASK

/* sandbox-calls.c: what every thread of a role may call, two tables. */
extern const struct syscall_use sandbox_common_calls[];
const struct syscall_use *sandbox_role_calls(enum sandbox_role role);

/* sandbox-names.c: the name of system call @nr, or NULL. Async-signal-safe. */
const char *sandbox_call_name(int nr);

/* sandbox-root.c: may directory @path be kept? Not one that the new root takes the place of. */
bool sandbox_root_can_keep(const char *path);

/* The process into namespaces and a root of its own. 0; or -errno with *ret_what,
 * what it could not do. Then some of it may be done. */
int sandbox_root_enter(const struct sandbox_plan *plan, const char **ret_what);
