#include "devices/base/given.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE      4096u
#define BLOCK_MAX (1u << 30) /* the hugest pages that there are */
#define FAR       (1ull << 61)
#define MAPS      128u /* that are mended; more there are of nobody's here */

#define KINDS (MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS)

const struct syscall_use given_syscalls[] = {
	{ .name = "mmap", .arg = 2, .mask = PROT_EXEC, .also = { 3, KINDS, MAP_SHARED } },
	{ .name = "mmap", .arg = 2, .mask = PROT_EXEC, .also = { 3, KINDS, MAP_PRIVATE } },
	{ .name = "statx", .arg = 2, .mask = UINT32_MAX, .value = AT_EMPTY_PATH },
	{ SYSCALL_FCNTL(F_GETFL) },
	{ SYSCALL_FCNTL(F_SETFL) },
	{ .name = NULL },
};

/* What is mapped, for the signal handler, which has no other way to it: so it is file-scope.
 * Written by the thread that maps and unmaps, while nobody touches the place that is written. */
static struct {
	struct {
		_Atomic uintptr_t at; /* 0: free */
		_Atomic size_t len;
		_Atomic size_t block;
	} map[MAPS];
	_Atomic int tell; /* a descriptor, and one; 0: none */
} given;

static void given_note(const struct given_map *m, size_t block)
{
	for (unsigned i = 0; i < MAPS; i++)
		if (!given.map[i].at) {
			given.map[i].len = m->len;
			given.map[i].block = block;
			given.map[i].at = (uintptr_t)m->at;
			return;
		}
}

static void given_forget(const struct given_map *m)
{
	for (unsigned i = 0; i < MAPS; i++)
		if (given.map[i].at == (uintptr_t)m->at)
			given.map[i].at = 0;
}

void given_tell(int fd)
{
	given.tell = fd + 1;
}

static bool given_mend(uintptr_t page, size_t block)
{
	const uint64_t one = 1;
	int fd = given.tell - 1;

	/* NOLINTNEXTLINE(performance-no-int-to-ptr): an address out of a signal */
	if (mmap((void *)page, block, PROT_READ | PROT_WRITE,
		 MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		return false;
	if (fd >= 0)
		(void)!write(fd, &one, sizeof(one));
	return true;
}

/* Nothing in here may call what is not async-signal-safe. */
bool given_fault(const void *at)
{
	for (unsigned i = 0; i < MAPS; i++) {
		uintptr_t begin = given.map[i].at, off = (uintptr_t)at - begin;
		size_t block = given.map[i].block;

		if (begin && off < given.map[i].len)
			return given_mend(begin + (off & ~(block - 1)), block);
	}
	return false;
}

static bool given_file_holds(const struct statx *st, uint64_t offset, uint64_t len)
{
	return !S_ISREG(st->stx_mode) || (offset <= st->stx_size && len <= st->stx_size - offset);
}

/* What offset and length of a mapping have to be multiples of. Huge pages are their file system's
 * blocks; where blocks are as large for other reasons, it does no harm. */
static uint64_t given_block(const struct statx *st)
{
	uint64_t size = st->stx_blksize;

	return size < PAGE || size > BLOCK_MAX || size & (size - 1) ? PAGE : size;
}

const char *given_map(struct given_map *ret, int fd, uint64_t offset, uint64_t len,
		      enum given_access access)
{
	int flags = MAP_NORESERVE | (access == GIVEN_SHARED ? MAP_SHARED : MAP_PRIVATE);
	uint64_t block, before;
	struct statx st;
	void *at;

	if (!len || offset > FAR || len > FAR)
		return "memory of an impossible size";
	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE, &st) < 0 ||
	    !given_file_holds(&st, offset, len))
		return "memory that its file is too short for";
	block = given_block(&st);
	before = offset % block;
	len = (before + len + block - 1) & ~(block - 1);
	at = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, (off_t)(offset - before));
	if (at == MAP_FAILED)
		return "memory that cannot be mapped";
	*ret = (struct given_map){ (uint8_t *)at + before, at, len };
	given_note(ret, block);
	return NULL;
}

void given_unmap(struct given_map *m)
{
	if (m->at) {
		given_forget(m);
		munmap(m->at, m->len);
	}
	*m = (struct given_map){ 0 };
}

/* It is in no file system, and of no type that statx() knows. */
static bool given_is_eventfd(int fd)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) == 0 && !(st.stx_mode & S_IFMT);
}

bool given_eventfd(int fd)
{
	int flags = fd < 0 ? -1 : fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) == O_RDWR && given_is_eventfd(fd) &&
	       (flags & O_NONBLOCK || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
}
