#include "devices/base/given.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE      4096u
#define BLOCK_MAX (1u << 30) /* the hugest pages that there are */
#define FAR       (1ull << 61)

#define KINDS (MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS)

const struct syscall_use given_syscalls[] = {
	{ .name = "mmap", .arg = 2, .mask = PROT_EXEC, .also = { 3, KINDS, MAP_SHARED } },
	{ .name = "mmap", .arg = 2, .mask = PROT_EXEC, .also = { 3, KINDS, MAP_PRIVATE } },
	{ .name = "statx", .arg = 2, .mask = UINT32_MAX, .value = AT_EMPTY_PATH },
	{ SYSCALL_FCNTL(F_GETFL) },
	{ SYSCALL_FCNTL(F_SETFL) },
	{ .name = NULL },
};

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
	return NULL;
}

void given_unmap(struct given_map *m)
{
	if (m->at)
		munmap(m->at, m->len);
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
