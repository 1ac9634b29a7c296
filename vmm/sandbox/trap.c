/*
 * A call that a thread's filter does not let through arrives here as SIGSYS, before anything of it
 * took place. Nearly always the end. Nothing here may call what is not async-signal-safe: the
 * thread may have been anywhere.
 *
 * One kind is answered: libslirp looks /etc/resolv.conf up by its name whenever a guest asks for a
 * name. A filter cannot see names, so it traps these calls, and here the name is compared, and
 * another process is asked to open the file (resolv.c). What somebody who has taken the thread over
 * could gain by tricking this code is nothing: it runs under the same filter.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "vmm/sandbox/sandbox-int.h"

#define CODE_SECCOMP 1 /* SYS_SECCOMP, which not every libc has */

/* 0 or more, or -errno: as the kernel puts it. */
static long errno_result(long ret)
{
	return ret < 0 ? -errno : ret;
}

/*
 * The answered kind.
 */
static bool is_resolv(greg_t path)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): a register of the thread that trapped */
	return strcmp((const char *)path, SYSCALLS_RESOLV) == 0;
}

static long open_resolv(int sock, greg_t flags)
{
	if (flags & ~(greg_t)(O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_LARGEFILE))
		return -EACCES;
	return sandbox_resolv_ask(sock);
}

static long stat_fd(int fd, greg_t to)
{
	return errno_result(syscall(SYS_fstat, fd, to));
}

static long stat_resolv(int sock, greg_t to)
{
	int fd = sandbox_resolv_ask(sock);
	long ret = fd < 0 ? fd : stat_fd(fd, to);

	if (fd >= 0)
		(void)syscall(SYS_close, fd);
	return ret;
}

/* stdio asks about a descriptor with an empty name. */
static bool is_fstat(const greg_t *regs)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): as above */
	return regs[REG_R10] == AT_EMPTY_PATH && *(const char *)regs[REG_RSI] == 0;
}

static bool trap_answer(int nr, int sock, greg_t *regs)
{
	if (nr == SYS_open && is_resolv(regs[REG_RDI]))
		regs[REG_RAX] = open_resolv(sock, regs[REG_RSI]);
	else if (nr == SYS_openat && is_resolv(regs[REG_RSI]))
		regs[REG_RAX] = open_resolv(sock, regs[REG_RDX]);
	else if (nr == SYS_stat && is_resolv(regs[REG_RDI]))
		regs[REG_RAX] = stat_resolv(sock, regs[REG_RSI]);
	else if (nr == SYS_newfstatat && is_resolv(regs[REG_RSI]))
		regs[REG_RAX] = stat_resolv(sock, regs[REG_RDX]);
	else if (nr == SYS_newfstatat && is_fstat(regs))
		regs[REG_RAX] = stat_fd((int)regs[REG_RDI], regs[REG_RDX]);
	else
		return false;
	return true;
}

bool sandbox_trapped(const siginfo_t *info)
{
	return info->si_code == CODE_SECCOMP;
}

bool sandbox_trap_answer(const siginfo_t *info, void *ucontext)
{
	ucontext_t *uc = ucontext;
	unsigned bits = (unsigned)info->si_errno & 0xffffu;
	unsigned file = bits & TRAP_FILE_MASK;
	int saved = errno;
	bool ret = bits & TRAP_RESOLV &&
		   trap_answer(info->si_syscall, file == TRAP_NO_FILE ? -1 : (int)file,
			       uc->uc_mcontext.gregs);

	errno = saved;
	return ret;
}

/*
 * The end.
 */
struct line {
	char text[160];
	size_t len;
};

static void line_add(struct line *l, const char *text)
{
	size_t len = strlen(text);

	if (len > sizeof(l->text) - l->len)
		len = sizeof(l->text) - l->len;
	memcpy(l->text + l->len, text, len);
	l->len += len;
}

static void add_number(struct line *l, unsigned n)
{
	char digits[12];
	size_t at = sizeof(digits) - 1;

	digits[at] = 0;
	do
		digits[--at] = (char)('0' + n % 10);
	while (n /= 10);
	line_add(l, digits + at);
}

void sandbox_trap_die(const siginfo_t *info)
{
	static const char *const roles[TRAP_ROLE_MASK + 1] = {
		[SANDBOX_MAIN] = "the main thread",
		[SANDBOX_VCPU] = "a vCPU's thread",
		[SANDBOX_LOOP] = "an event loop's thread",
		[SANDBOX_SERVE] = "the main thread",
		[N_SANDBOX_ROLES] = "a thread",
	};
	const char *name = sandbox_call_name(info->si_syscall);
	struct line l = { .len = 0 };

	line_add(&l, "ringside: sandbox: ");
	line_add(&l, roles[(unsigned)info->si_errno >> TRAP_ROLE_SHIFT & TRAP_ROLE_MASK]);
	line_add(&l, " made system call ");
	add_number(&l, (unsigned)info->si_syscall);
	line_add(&l, " (");
	line_add(&l, name ? name : "unknown");
	line_add(&l, "), which it has no use for: killed\n");
	(void)!write(STDERR_FILENO, l.text, l.len);
	/* SIGSYS is blocked in its handler, so a second one kills, whoever handles the first; and
	 * no role may trace. */
	for (;;) {
		(void)syscall(SYS_ptrace, 0, 0, 0, 0);
		(void)syscall(SYS_exit_group, 128 + SIGSYS);
	}
}
