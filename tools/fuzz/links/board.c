#include "tools/fuzz/links/board.h"

#include <stdarg.h>
#include <stdio.h>

#include "tools/fuzz/host/host.h"
#include "tools/fuzz/language/trace.h"

static void board_signal(int fd)
{
	host_event_add(fd, 1);
}

static bool board_take(int fd)
{
	return host_event_take(fd);
}

static void board_bug(const char *what)
{
	fuzz_bug("%s", what);
}

static G_GNUC_PRINTF(1, 2) void board_trace(const char *format, ...)
{
	char line[128];
	va_list args;

	if (!trace_now.on)
		return;
	va_start(args, format);
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() above */
	(void)vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	trace_line("%s", line);
}

struct board_fake *fuzz_board_new(bool regpages)
{
	static const struct board_fake_env env = { board_signal, board_take, board_bug,
						   board_trace };

	return board_fake_make(&env, regpages);
}
