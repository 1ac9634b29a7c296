/*
 * Descriptors that another program gave us: a file in which its memory lies, an eventfd of its. It
 * is not to be trusted, so what they are is looked at before they are used.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/base/syscalls.h"

/* A part of a file, mapped. */
struct given_map {
	uint8_t *bytes; /* its first one */
	void *at;       /* all that is mapped: the file's pages around the part, too */
	size_t len;
};

/* What others write there is seen here, and what is written here by them; or only the former, and
 * what is written here is lost to them: in pages that are copied when that happens. */
enum given_access { GIVEN_SHARED, GIVEN_READ_ONLY };

/*
 * Maps @len bytes of @fd, which stays the caller's, from @offset on. All of them lie in the file,
 * so that touching them is no SIGBUS as long as nobody shortens it. NULL, or what is wrong with
 * it.
 */
const char *given_map(struct given_map *ret, int fd, uint64_t offset, uint64_t len,
		      enum given_access access);
void given_unmap(struct given_map *m); /* of one that is none (zeroes): nothing happens */

/*
 * Who gave a file may shorten it, or have no pages for it: then touching what is mapped is a
 * SIGBUS. Its handler asks here, on the thread that did it: memory of our own, zeroes, is put
 * there, @fd of given_tell() is written (an eventfd), and true says that the thread can go on.
 * False: @at is no such memory. (A system call has EFAULT instead, and nobody is told.)
 */
bool given_fault(const void *at);

/* One @fd at a time; -1: nobody wants to know. */
void given_tell(int fd);

/* Is @fd an eventfd, for reading and writing, that neither makes wait? (Unless its other owner has
 * it so, afterwards.) */
bool given_eventfd(int fd);

extern const struct syscall_use given_syscalls[];
