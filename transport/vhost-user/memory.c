#include "transport/vhost-user/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096u

const struct syscall_use vhu_memory_syscalls[] = {
	{ .name = "mmap",
	  .arg = 2,
	  .mask = PROT_EXEC,
	  .value = 0,
	  .also = { 3, MAP_SHARED | MAP_ANONYMOUS, MAP_SHARED } },
	{ .name = "statx", .arg = 2, .mask = UINT32_MAX, .value = AT_EMPTY_PATH },
	{ .name = NULL },
};

void vhu_memory_init(struct vhu_memory *m, struct gmem *mem)
{
	*m = (struct vhu_memory){ .mem = mem };
}

/* All of it lies in the file, so that touching it is no SIGBUS: as long as nobody shortens it. */
static bool vhu_memory_file_holds(int fd, uint64_t offset, uint64_t len)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE, &st) == 0 &&
	       (!S_ISREG(st.stx_mode) || (offset <= st.stx_size && len <= st.stx_size - offset));
}

static const char *vhu_memory_map(struct vhu_mapping *map, int fd)
{
	const struct vhu_region *r = &map->region;
	uint64_t before = r->offset % PAGE;

	if (!r->len || r->len > INT64_MAX - r->offset - PAGE)
		return "a memory region of an impossible size";
	if (!vhu_memory_file_holds(fd, r->offset, r->len))
		return "a memory region that its file is too short for";
	map->len = r->len + before;
	map->at = mmap(NULL, map->len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		       (off_t)(r->offset - before));
	return map->at == MAP_FAILED ? "a memory region that cannot be mapped" : NULL;
}

static const char *vhu_memory_add_mapping(struct vhu_memory *m, struct vhu_mapping *map, int fd)
{
	const struct vhu_region *r = &map->region;
	const char *wrong;
	int ret;

	if (r->offset > INT64_MAX - PAGE || r->user + r->len < r->user)
		return "a memory region of impossible addresses";
	wrong = vhu_memory_map(map, fd);
	if (wrong)
		return wrong;
	ret = gmem_add(m->mem, r->gpa, r->len, (char *)map->at + r->offset % PAGE);
	if (ret == 0)
		return NULL;
	munmap(map->at, map->len);
	return ret == -ENOSPC ? "more memory regions than there is room for"
			      : "a memory region that overlaps another, wraps, or is not aligned "
				"as it is in its file";
}

const char *vhu_memory_add(struct vhu_memory *m, const struct vhu_region *r, int fd)
{
	struct vhu_mapping map = { .region = *r };
	const char *wrong = fd < 0 ? "a memory region without a descriptor"
				   : vhu_memory_add_mapping(m, &map, fd);

	if (fd >= 0)
		close(fd);
	if (!wrong)
		m->mapping[m->n++] = map;
	return wrong;
}

bool vhu_memory_remove(struct vhu_memory *m, const struct vhu_region *r)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct vhu_region *have = &m->mapping[i].region;

		if (have->gpa != r->gpa || have->len != r->len || have->user != r->user)
			continue;
		(void)gmem_remove(m->mem, r->gpa);
		munmap(m->mapping[i].at, m->mapping[i].len);
		m->mapping[i] = m->mapping[--m->n];
		return true;
	}
	return false;
}

void vhu_memory_clear(struct vhu_memory *m)
{
	while (m->n) {
		struct vhu_region last = m->mapping[m->n - 1].region;

		vhu_memory_remove(m, &last);
	}
}

bool vhu_memory_gpa(const struct vhu_memory *m, uint64_t user, uint64_t *ret)
{
	for (unsigned i = 0; i < m->n; i++) {
		const struct vhu_region *r = &m->mapping[i].region;

		if (user - r->user < r->len) {
			*ret = r->gpa + (user - r->user);
			return true;
		}
	}
	return false;
}
