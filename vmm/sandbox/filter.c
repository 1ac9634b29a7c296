/*
 * Filters, by libseccomp: rows in, a program for the kernel out.
 *
 * The program is exported and not loaded by the library: it is made once for a role and put over
 * many threads, and what libseccomp has no words for is written into it. That is the sixteen bits a
 * trap may carry: which role it was, so that the handler needs no state of its own. (libseccomp's
 * action TRACE has such bits and is otherwise not used: it stands for the second kind of trap.)
 *
 * Calls without a condition on their arguments cost nothing: the kernel remembers that they always
 * pass and does not run the program.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/sandbox/sandbox-int.h"

/* As in linux/seccomp.h, which does not go together with seccomp.h everywhere. */
#define SET_MODE_FILTER 1u
#define FLAG_SPEC_ALLOW 4u
#define RET_ACTION      0xffff0000u

struct sandbox_filter {
	struct sock_fprog program;
	int resolv; /* to ask for SYSCALLS_RESOLV, or -1 */
};

/*
 * Rows to rules.
 */
struct rules {
	scmp_filter_ctx ctx;
	bool resolv; /* SYSCALLS_RESOLV may be read */
};

/* What leads to a file by its name. */
static const char *const opening[] = { "open", "openat", "stat", "newfstatat" };

static int add_call(struct rules *r, const char *name, const struct scmp_arg_cmp *cmp, unsigned n)
{
	int nr = seccomp_syscall_resolve_name(name);

	if (nr == __NR_SCMP_ERROR) /* a library older than the call: so is whoever would make it */
		return 0;
	for (size_t i = 0; i < G_N_ELEMENTS(opening) && r->resolv; i++)
		if (strcmp(opening[i], name) == 0)
			return -EEXIST; /* it is trapped: libseccomp would not tell */
	return seccomp_rule_add_array(r->ctx, SCMP_ACT_ALLOW, nr, n, cmp);
}

/* Reading one file by its name: the calls that lead there are trapped, in another way than those
 * that are never allowed, and what the answer needs is allowed. */
static int add_resolv(struct rules *r)
{
	int ret = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(opening) && ret == 0; i++)
		ret = seccomp_rule_add_array(r->ctx, SCMP_ACT_TRACE(0),
					     seccomp_syscall_resolve_name(opening[i]), 0, NULL);
	if (ret == 0)
		ret = add_call(r, "fstat", NULL, 0);
	if (ret == 0)
		ret = add_call(r, "lseek", NULL, 0); /* stdio, where it has read too much */
	return ret == 0 ? add_call(r, "recvmsg", NULL, 0) : ret;
}

static int add_row(struct rules *r, const struct syscall_use *row)
{
	const struct scmp_arg_cmp cmp[] = {
		{ row->arg, SCMP_CMP_MASKED_EQ, row->mask, row->value },
		{ row->also.arg, SCMP_CMP_MASKED_EQ, row->also.mask, row->also.value },
	};

	if (strcmp(row->name, SYSCALLS_RESOLV) == 0)
		return add_resolv(r);
	return add_call(r, row->name, cmp, !!row->mask + !!row->also.mask);
}

static int add_table(struct rules *r, const struct sandbox_syscalls *syscalls)
{
	int ret = 0;

	for (const struct syscall_use *row = syscalls->table; row->name && ret == 0; row++)
		if (!syscalls->closing || row->closing)
			ret = add_row(r, row);
	return ret;
}

/* A thread may send signals, but to threads of this process only. */
static int add_own_signals(struct rules *r)
{
	const struct scmp_arg_cmp own = { 0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0 };

	return add_call(r, "tgkill", &own, 1);
}

static int add_all(struct rules *r, enum sandbox_role role, const struct sandbox_syscalls *syscalls,
		   unsigned n)
{
	const struct sandbox_syscalls always[] = { { sandbox_common_calls, false },
						   { sandbox_role_calls(role), false } };
	int ret = seccomp_attr_set(r->ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (ret == 0)
		ret = add_own_signals(r);
	for (size_t i = 0; i < G_N_ELEMENTS(always) && ret == 0; i++)
		ret = add_table(r, &always[i]);
	for (unsigned i = 0; i < n && ret == 0; i++)
		ret = add_table(r, &syscalls[i]);
	return ret;
}

/*
 * Rules to a program.
 */
static void mark_traps(struct sandbox_filter *f, enum sandbox_role role)
{
	uint32_t trap = SCMP_ACT_TRAP | role << TRAP_ROLE_SHIFT;
	uint32_t file = f->resolv >= 0 ? (uint32_t)f->resolv : TRAP_NO_FILE;

	for (unsigned i = 0; i < f->program.len; i++) {
		struct sock_filter *insn = &f->program.filter[i];

		if (insn->code != (BPF_RET | BPF_K))
			continue;
		if ((insn->k & RET_ACTION) == SCMP_ACT_TRAP)
			insn->k = trap;
		else if ((insn->k & RET_ACTION) == SCMP_ACT_TRACE(0))
			insn->k = trap | TRAP_RESOLV | file;
	}
}

static int export(scmp_filter_ctx ctx, struct sandbox_filter *f)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	struct stat st;
	int ret;

	if (fd < 0)
		return -errno;
	ret = seccomp_export_bpf(ctx, fd);
	if (ret == 0 && fstat(fd, &st) < 0)
		ret = -errno;
	if (ret == 0) {
		f->program.len = (unsigned short)((size_t)st.st_size / sizeof(struct sock_filter));
		f->program.filter = g_malloc((gsize)st.st_size);
		if (pread(fd, f->program.filter, (size_t)st.st_size, 0) != st.st_size)
			ret = -EIO;
	}
	close(fd);
	return ret;
}

static bool wants_resolv(const struct sandbox_syscalls *syscalls, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		for (const struct syscall_use *row = syscalls[i].table; row->name; row++)
			if (strcmp(row->name, SYSCALLS_RESOLV) == 0 && !syscalls[i].closing)
				return true;
	return false;
}

struct sandbox_filter *sandbox_filter_new(enum sandbox_role role,
					  const struct sandbox_syscalls *syscalls, unsigned n,
					  GError **err)
{
	struct sandbox_filter *f = g_new0(struct sandbox_filter, 1);
	struct rules rules = { seccomp_init(SCMP_ACT_TRAP), wants_resolv(syscalls, n) };
	int ret = rules.ctx ? add_all(&rules, role, syscalls, n) : -ENOMEM;

	f->resolv = ret == 0 && rules.resolv ? sandbox_resolv_start() : -1;
	if (rules.resolv && f->resolv < 0 && ret == 0)
		ret = f->resolv;
	if (ret == 0)
		ret = export(rules.ctx, f);
	seccomp_release(rules.ctx);
	if (ret == 0) {
		mark_traps(f, role);
		return f;
	}
	sandbox_filter_free(f);
	ringside_error_errno(err, -ret, "--sandbox: making a system call filter");
	return NULL;
}

void sandbox_filter_free(struct sandbox_filter *f)
{
	if (!f)
		return;
	if (f->resolv >= 0)
		close(f->resolv);
	g_free(f->program.filter);
	g_free(f);
}

int sandbox_seal(const struct sandbox_filter *f)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	/* Without the flag some kernels slow a filtered thread's speculation down. */
	if (syscall(SYS_seccomp, SET_MODE_FILTER, FLAG_SPEC_ALLOW, &f->program) == 0)
		return 0;
	if (errno == EINVAL && syscall(SYS_seccomp, SET_MODE_FILTER, 0u, &f->program) == 0)
		return 0;
	return -errno;
}

int sandbox_seal_opener(void)
{
	const struct scmp_arg_cmp reading = { 2, SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT,
					      O_RDONLY };
	static const char *const calls[] = { "read", "sendmsg", "close", "exit_group" };
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int ret = ctx ? 0 : -ENOMEM;

	for (size_t i = 0; i < G_N_ELEMENTS(calls) && ret == 0; i++)
		ret = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW,
					     seccomp_syscall_resolve_name(calls[i]), 0, NULL);
	if (ret == 0)
		ret = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW,
					     seccomp_syscall_resolve_name("openat"), 1, &reading);
	if (ret == 0)
		ret = seccomp_load(ctx); /* sets no_new_privs */
	seccomp_release(ctx);
	return ret;
}
