#include "devices/base/given.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096u

#define KINDS (MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS)

const struct syscall_use given_syscalls[] = {
	{ .name = "mmap", .arg = 2, .mask = PROT_EXEC, .also = { 3, KINDS, MAP_SHARED } },
	{ .name = "mmap", .arg = 2, .mask = PROT_EXEC, .also = { 3, KINDS, MAP_PRIVATE } },
	{ .name = "statx", .arg = 2, .mask = UINT32_MAX, .value = AT_EMPTY_PATH },
	{ SYSCALL_FCNTL(F_GETFL) },
	{ SYSCALL_FCNTL(F_SETFL) },
	{ .name = NULL },
};

static bool given_file_holds(int fd, uint64_t offset, uint64_t len)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE, &st) == 0 &&
	       (!S_ISREG(st.stx_mode) || (offset <= st.stx_size && len <= st.stx_size - offset));
}

const char *given_map(struct given_map *ret, int fd, uint64_t offset, uint64_t len,
		      enum given_access access)
{
	uint64_t before = offset % PAGE;
	int flags = MAP_NORESERVE | (access == GIVEN_SHARED ? MAP_SHARED : MAP_PRIVATE);
	void *at;

	if (!len || offset > INT64_MAX - PAGE || len > INT64_MAX - offset - PAGE)
		return "memory of an impossible size";
	if (!given_file_holds(fd, offset, len))
		return "memory that its file is too short for";
	at = mmap(NULL, len + before, PROT_READ | PROT_WRITE, flags, fd, (off_t)(offset - before));
	if (at == MAP_FAILED)
		return "memory that cannot be mapped";
	*ret = (struct given_map){ (uint8_t *)at + before, at, len + before };
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
