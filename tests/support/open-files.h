/* How many descriptors this process has open: a test counts them before and after. */
#pragma once

/* Entries of /proc/self/fd: the open ones, and the same three more each time ("." and "..", and
 * the descriptor by which they are read). */
unsigned open_files(void);
