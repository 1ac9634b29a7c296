/* The kernel's memory that the driver's addresses are about: each region a descriptor, mapped. */
#include <errno.h>
#include <unistd.h>

#include "transport/vduse/impl.h"
#include "transport/vduse/sys.h"

void vduse_memory_clear(struct vduse *v)
{
	v->mem->n = 0;
	while (v->n_maps)
		given_unmap(&v->map[--v->n_maps]);
}

static bool vduse_memory_wrong(const struct vduse *v, const char *wrong)
{
	vdev_host_error(v->dev, "vduse %s: %s", v->name, wrong);
	return false;
}

static bool vduse_memory_add(struct vduse *v, const struct vduse_iotlb_entry *e, int fd)
{
	uint64_t len = e->last - e->start + 1;
	struct given_map *map = &v->map[v->n_maps];
	const char *wrong;

	if (!(e->perm & VDUSE_ACCESS_RO))
		return vduse_memory_wrong(v, "memory that is not for reading");
	if (v->n_maps >= GMEM_REGIONS_MAX)
		return vduse_memory_wrong(v, "more regions of memory than there is room for");
	wrong = given_map(map, fd, e->offset, len,
			  e->perm == VDUSE_ACCESS_RW ? GIVEN_SHARED : GIVEN_READ_ONLY);
	if (wrong)
		return vduse_memory_wrong(v, wrong);
	v->n_maps++;
	return gmem_add(v->mem, e->start, len, map->bytes) == 0 ||
	       vduse_memory_wrong(v, "regions of memory that overlap");
}

bool vduse_memory_renew(struct vduse *v)
{
	struct vduse_iotlb_entry e = { .start = 0, .last = UINT64_MAX };
	bool ok = true;
	int fd;

	vduse_memory_clear(v);
	while (ok && (fd = vduse_sys_ioctl(v->fd, VDUSE_IOTLB_GET_FD, &e)) >= 0) {
		ok = vduse_memory_add(v, &e, fd);
		close(fd);
		if (e.last == UINT64_MAX)
			break;
		e.start = e.last + 1;
		e.last = UINT64_MAX;
	}
	if (!ok)
		vduse_memory_clear(v);
	return ok;
}

bool vduse_memory_complete(const struct vduse *v)
{
	return gmem_region(v->mem, 0);
}
