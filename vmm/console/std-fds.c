#include "vmm/console/std-fds.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool std_fds_open(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", O_RDWR | O_NOCTTY) < 0) /* becomes fd, the lowest free one */
			return false;
	return true;
}
