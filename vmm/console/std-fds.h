/*
 * Descriptors 0 to 2, which whoever started the process may have left closed. The kernel gives the
 * lowest free number to whatever is opened next, and then a guest's output is written into it.
 */
#pragma once

#include <stdbool.h>

/* Opens /dev/null in the place of each of the three that is closed. First of all. False with errno
 * set if it cannot be opened. */
bool std_fds_open(void);
