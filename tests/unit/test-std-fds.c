/* Descriptors 0 to 2 are there when anything else is opened. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/console/std-fds.h"

/* What a child that starts with the descriptors of @closed (a mask) closed finds wrong: 0 nothing.
 */
static int child(unsigned closed)
{
	struct stat null, before[3], after;
	int fd;

	if (stat("/dev/null", &null) < 0)
		return 1;
	for (fd = 0; fd < 3; fd++) {
		if (dup2(100, fd) < 0 || fstat(fd, &before[fd]) < 0)
			return 2;
		if (closed & 1u << fd)
			close(fd);
	}
	if (!std_fds_open())
		return 3;
	for (fd = 0; fd < 3; fd++) {
		const struct stat *want = closed & 1u << fd ? &null : &before[fd];

		if (fstat(fd, &after) < 0 || after.st_rdev != want->st_rdev ||
		    after.st_ino != want->st_ino)
			return 4 + fd;
	}
	fd = open("/dev/null", O_RDONLY);
	return fd >= 3 ? 0 : 7;
}

static void whichever_is_closed_is_nobodys(void **state)
{
	char path[] = "/tmp/test-std-fds.XXXXXX";
	int file = mkstemp(path);

	(void)state;
	assert_true(file >= 0);
	assert_int_equal(dup2(file, 100), 100);
	for (unsigned closed = 0; closed < 8; closed++) {
		pid_t pid = fork();
		int status;

		assert_true(pid >= 0);
		if (pid == 0)
			_exit(child(closed));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	close(100);
	close(file);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whichever_is_closed_is_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
