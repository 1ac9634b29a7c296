/* Files that are read at a place, whole. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads @len bytes from @at on, in however many parts: a network file system gives a large read in
 * several. False with errno, which is ENODATA if the file ends before. */
bool read_all(int fd, void *buf, size_t len, uint64_t at);
