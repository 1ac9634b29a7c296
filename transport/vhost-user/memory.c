#include "transport/vhost-user/memory.h"

#include <errno.h>
#include <unistd.h>

void vhu_memory_init(struct vhu_memory *m, struct gmem *mem)
{
	*m = (struct vhu_memory){ .mem = mem };
}

static const char *vhu_memory_add_mapping(struct vhu_memory *m, struct vhu_mapping *map, int fd)
{
	const struct vhu_region *r = &map->region;
	const char *wrong;
	int ret;

	if (r->user + r->len < r->user)
		return "a memory region of impossible addresses";
	wrong = given_map(&map->map, fd, r->offset, r->len, GIVEN_SHARED);
	if (wrong)
		return wrong;
	ret = gmem_add(m->mem, r->gpa, r->len, map->map.bytes);
	if (ret == 0)
		return NULL;
	given_unmap(&map->map);
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
		given_unmap(&m->mapping[i].map);
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
