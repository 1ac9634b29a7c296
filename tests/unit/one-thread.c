/*
 * A library to be loaded before all others (LD_PRELOAD): a test program of one thread has no second
 * one. `make unit' runs with it, so that the thread sanitizer, which can find nothing in such
 * programs, may leave them out, and a program that starts threads later on is not forgotten.
 * $THREADED names those that may, with blanks between; what else runs under a test is not asked.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Is @name among the words of @list? */
static bool one_thread_named(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = list; (at = strstr(at, name)); at += n)
		if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
			return true;
	return false;
}

int pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *), void *opaque)
{
	int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	const char *name = program_invocation_short_name, *threaded = getenv("THREADED");

	if (threaded && strncmp(name, "test-", 5) == 0 && !one_thread_named(threaded, name)) {
		fprintf(stderr, "# %s starts a thread: a name for THREADED in tests/check.mk\n",
			name);
		abort();
	}
	*(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
	return next(ret, attr, run, opaque);
}
