#include "tests/support/board-fake.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static void board_fake_signal(int fd)
{
	uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

static bool board_fake_take(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count);
}

static void board_fake_bug(const char *what)
{
	fail_msg("board: %s", what);
}

struct board_fake *board_fake_new(bool regpage)
{
	static const struct board_fake_env env = { board_fake_signal, board_fake_take,
						   board_fake_bug, NULL };

	return board_fake_make(&env, regpage);
}
