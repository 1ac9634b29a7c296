/*
 * The program: arguments to a machine, the machine's end to an exit status. The only file that
 * prints messages, and that knows how the process itself has to behave: signals, the allocator,
 * the terminal's mode on every way out.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "devices/base/given.h"
#include "devices/base/log-limit.h"
#include "tools/bench/bench.h"
#include "tools/bench/progress.h"
#include "tools/cli/cli.h"
#include "tools/cli/fuzz-command.h"
#include "tools/cli/serve-command.h"
#include "tools/replay/command.h"
#include "tools/top/command.h"
#include "tools/trace/command.h"
#include "vmm/console/printable.h"
#include "vmm/console/std-fds.h"
#include "vmm/console/terminal.h"
#include "vmm/control/machine.h"
#include "vmm/gdb/machine.h"
#include "vmm/machine/machine.h"
#include "vmm/sandbox/sandbox.h"

/* File-scope because atexit() and signal handlers have no other way to it. */
static struct terminal_mode mode;

/* Of the log writer, which any thread may come to. */
static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_limit limit;

static void restore(void)
{
	terminal_restore(&mode);
}

static void on_deadly(int sig)
{
	restore();
	raise(sig); /* SA_RESETHAND: this time it kills */
}

/* Memory that another program gave, and took away again. */
static void on_bus(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_code != BUS_ADRERR || !given_fault(info->si_addr)) {
		signal(sig, SIG_DFL);
		on_deadly(sig);
	}
}

/* A system call that the sandbox does not allow, or does not want to get to the kernel. */
static void on_sys(int sig, siginfo_t *info, void *context)
{
	if (!sandbox_trapped(info))
		on_deadly(sig);
	if (sandbox_trap_answer(info, context))
		return;
	restore();
	sandbox_trap_die(info);
}

static void catch_deadly(void)
{
	static const int deadly[] = { SIGHUP, SIGQUIT, SIGABRT, SIGFPE,
				      SIGILL, SIGSEGV, SIGTRAP, SIGXCPU };
	struct sigaction act = { .sa_handler = on_deadly, .sa_flags = (int)SA_RESETHAND };
	struct sigaction bus = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };
	struct sigaction sys = { .sa_sigaction = on_sys, .sa_flags = SA_SIGINFO };

	for (size_t i = 0; i < G_N_ELEMENTS(deadly); i++) {
		struct sigaction old;

		/* What somebody had ignored (nohup) stays so. A sanitizer's handler goes: ours
		 * lets the default follow. */
		if (sigaction(deadly[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(deadly[i], &act, NULL);
	}
	sigaction(SIGSYS, &sys, NULL);
	sigaction(SIGBUS, &bus, NULL);
	signal(SIGPIPE, SIG_IGN); /* writes report EPIPE */
	signal(SIGXFSZ, SIG_IGN); /* and EFBIG */
}

/* The only way of a line to the terminal. Without memory from the heap, which may have run out; and
 * in raw mode a line feed alone does not return to the first column. */
static void main_say(const char *text)
{
	bool utf8 = printable_utf8();
	char buf[1024] = "ringside: ";
	size_t n = strlen(buf);

	flockfile(stderr);
	do {
		n += printable_next(&text, buf + n, sizeof(buf) - n - strlen("\r\n"), utf8);
		if (!*text)
			n = g_strlcat(buf, mode.raw ? "\r\n" : "\n", sizeof(buf));
		(void)fwrite(buf, 1, n, stderr);
		n = 0;
	} while (*text);
	funlockfile(stderr);
}

/* A line that a guest may be the cause of. */
static void say_limited(const char *text)
{
	unsigned dropped;
	char more[64];
	bool pass;

	pthread_mutex_lock(&limit_lock);
	pass = log_limit_pass(&limit, g_get_monotonic_time(), &dropped);
	pthread_mutex_unlock(&limit_lock);
	if (!pass)
		return;
	if (dropped) {
		g_snprintf(more, sizeof(more), "(%u more messages, not shown)", dropped);
		main_say(more);
	}
	main_say(text);
}

static GLogWriterOutput on_log(GLogLevelFlags level, const GLogField *fields, gsize n,
			       gpointer data)
{
	(void)data;
	if (level & (G_LOG_LEVEL_DEBUG | G_LOG_LEVEL_INFO))
		return G_LOG_WRITER_HANDLED;
	for (gsize i = 0; i < n; i++)
		if (strcmp(fields[i].key, "MESSAGE") == 0)
			say_limited(fields[i].value);
	return G_LOG_WRITER_HANDLED;
}

static int complain(const GError *err)
{
	main_say(err->message);
	return g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE) ? CLI_USAGE
									  : CLI_HOST_ERROR;
}

static int main_status(enum machine_end end, uint32_t value)
{
	return end == MACHINE_DEBUG_EXIT ? cli_debug_status(value) : (int)cli_status(end);
}

/* Nothing is freed: I/O in flight still uses it. */
static void overdue(enum machine_end end, uint32_t value)
{
	restore();
	main_say("I/O of a device does not complete on the host; not waiting for it");
	_exit(main_status(end, value));
}

static void say_missed(struct machine *m)
{
	g_autofree char *missed = machine_missed(m);

	if (missed)
		main_say(missed);
}

/* Where others connect who control the machine. */
struct sockets {
	struct control *control;
	struct gdb_machine *gdb;
};

static bool sockets_open(struct sockets *s, struct machine *m, const struct machine_config *cfg,
			 GError **err)
{
	if (cfg->control)
		s->control = control_machine_new(cfg->control, m, err);
	if (cfg->control && !s->control)
		return false;
	if (cfg->gdb)
		s->gdb = gdb_machine_new(cfg->gdb, m, err);
	return !cfg->gdb || s->gdb;
}

static void sockets_close(struct sockets *s, struct machine *m)
{
	gdb_machine_free(s->gdb);
	control_machine_free(s->control, m);
}

/* What the checker found, also where the guest ended before it could be stopped for it. */
static bool report_check(struct checker *c, const struct machine_config *cfg, enum machine_end *end,
			 GError **err)
{
	checker_print(c, stderr);
	if (cfg->check.fatal && checker_count(c))
		*end = MACHINE_VIOLATION;
	return checker_write(c, err);
}

static int run_machine(struct machine *m, const struct machine_config *cfg, GError **err)
{
	struct sockets sockets = { 0 };
	const char *text = NULL;
	enum machine_end end;

	if (!sockets_open(&sockets, m, cfg, err) || !machine_build(m, err)) {
		sockets_close(&sockets, m);
		return -1;
	}
	end = machine_run(m, &text);
	sockets_close(&sockets, m);
	restore();
	if (text)
		main_say(text);
	if (end == MACHINE_QUIT)
		say_missed(m);
	if (cfg->stats)
		machine_stats_print(m, stderr);
	if (machine_checker(m) && !report_check(machine_checker(m), cfg, &end, err))
		return -1;
	return main_status(end, machine_debug_value(m));
}

static int main_run(struct machine_config *cfg)
{
	g_autoptr(GError) err = NULL;
	struct machine *m;
	int ret = -1;

	cfg->mode = &mode;
	cfg->overdue = overdue;
	m = machine_new(cfg, &err);
	if (m)
		ret = run_machine(m, cfg, &err);
	machine_free(m);
	return ret < 0 ? complain(err) : ret;
}

static int bench(int argc, char **argv)
{
	g_autoptr(GError) err = NULL;

	if (bench_command(argc, argv, stdout, progress_terminal(), &err))
		return 0;
	return complain(err);
}

/* What was asked for instead of a run. */
static int show(const char *text)
{
	fputs(text, stdout);
	return fflush(stdout) == 0 ? 0 : CLI_HOST_ERROR;
}

/* From now on the terminal's mode is put back on every way out. */
static bool guard_terminal(void)
{
	catch_deadly();
	return atexit(restore) == 0;
}

static int serve(char **argv)
{
	g_autoptr(GError) err = NULL;
	g_autofree char *text = NULL;
	bool ok, broken = false;

	if (!guard_terminal())
		return CLI_HOST_ERROR;
	ok = serve_command(argv, &mode, &text, &broken, &err);
	restore();
	if (!ok)
		return complain(err);
	if (text)
		return show(text);
	return broken ? CLI_VIOLATION : 0;
}

static int fuzz(char **argv)
{
	g_autoptr(GError) err = NULL;
	int status;

	signal(SIGPIPE, SIG_IGN);
	return fuzz_command(argv, &status, &err) ? status : complain(err);
}

static int trace(char **argv)
{
	g_autoptr(GError) err = NULL;

	return trace_command(argv, stdout, &err) ? 0 : complain(err);
}

static int replay(char **argv)
{
	g_autoptr(GError) err = NULL;
	bool diverged;

	if (!replay_command(argv, stdout, &diverged, &err))
		return complain(err);
	return diverged ? CLI_HOST_ERROR : 0;
}

static int top(char **argv)
{
	g_autoptr(GError) err = NULL;

	signal(SIGPIPE, SIG_IGN);
	return top_command(argv, stdout, &err) ? 0 : complain(err);
}

int main(int argc, char **argv)
{
	g_autoptr(GError) err = NULL;
	struct machine_config *cfg;
	g_autofree char *text = NULL;
	int ret;

	if (!std_fds_open())
		return CLI_HOST_ERROR;
	/* One arena: threads allocate seldom, and each arena of their own costs memory. */
	mallopt(M_ARENA_MAX, 1);
	g_log_set_writer_func(on_log, NULL, NULL);
	if (argc > 1 && strcmp(argv[1], "bench") == 0)
		return bench(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "serve") == 0)
		return serve(argv + 1);
	if (argc > 1 && strcmp(argv[1], "trace") == 0)
		return trace(argv + 1);
	if (argc > 1 && strcmp(argv[1], "replay") == 0)
		return replay(argv + 1);
	if (argc > 1 && strcmp(argv[1], "top") == 0)
		return top(argv + 1);
	if (argc > 1 && strcmp(argv[1], "fuzz") == 0)
		return fuzz(argv + 1);
	if (!cli_parse(argc, argv, &cfg, &text, &err))
		return complain(err);
	if (text)
		return show(text);
	if (!guard_terminal())
		return CLI_HOST_ERROR;
	ret = main_run(cfg);
	machine_config_free(cfg);
	return ret;
}
