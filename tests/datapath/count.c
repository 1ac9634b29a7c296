/*
 * A library to be loaded before all others (LD_PRELOAD): counts the process's allocations and locks
 * and writes both numbers to the file $DATAPATH_COUNTS when it ends. System calls are strace's to
 * count.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* glibc's own, under the names by which it exports them for this. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);

static _Atomic unsigned long n_allocations, n_locks;

void *malloc(size_t size)
{
	n_allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	n_allocations++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	n_allocations++;
	return __libc_realloc(p, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	n_allocations++;
	return __libc_memalign(align, size);
}

int posix_memalign(void **ret, size_t align, size_t size)
{
	n_allocations++;
	*ret = __libc_memalign(align, size);
	return 0;
}

/* The next one in the order of libraries: libc's. */
static int take(const char *name, void *lock)
{
	int (*next)(void *lock);

	*(void **)&next = dlsym(RTLD_NEXT, name);
	n_locks++;
	return next(lock);
}

int pthread_mutex_lock(pthread_mutex_t *lock)
{
	return take("pthread_mutex_lock", lock);
}

int pthread_mutex_trylock(pthread_mutex_t *lock)
{
	return take("pthread_mutex_trylock", lock);
}

int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
	return take("pthread_rwlock_rdlock", lock);
}

int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
	return take("pthread_rwlock_wrlock", lock);
}

int pthread_spin_lock(pthread_spinlock_t *lock)
{
	return take("pthread_spin_lock", (void *)lock);
}

__attribute__((__destructor__)) static void tell(void)
{
	const char *path = getenv("DATAPATH_COUNTS");
	unsigned long allocations = n_allocations, locks = n_locks;
	FILE *f = path ? fopen(path, "w") : NULL;

	if (!f)
		return;
	fprintf(f, "%lu %lu\n", allocations, locks);
	fclose(f);
}
