#include "devices/vhost-user/region.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const struct syscall_use bounce_region_syscalls[] = {
	{ .name = "memfd_create" },
	{ .name = "ftruncate" },
	{ SYSCALL_FCNTL(F_ADD_SEALS) },
	{ .name = "mmap", .arg = 2, .mask = PROT_EXEC, .also = { 3, MAP_SHARED, MAP_SHARED } },
	{ .name = NULL },
};

void bounce_region_init(struct bounce_region *r)
{
	*r = (struct bounce_region){ .fd = -1 };
}

static bool region_map(struct bounce_region *r, uint64_t len)
{
	r->fd = memfd_create("bounce", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (r->fd < 0 || ftruncate(r->fd, (off_t)len) < 0 ||
	    fcntl(r->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return false;
	r->p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, r->fd, 0);
	if (r->p == MAP_FAILED)
		return false;
	r->len = len;
	return gmem_add_file(&r->mem, BOUNCE_GPA, len, r->p, r->fd, 0) == 0;
}

bool bounce_region_open(struct bounce_region *r, uint64_t len)
{
	int errnum;

	bounce_region_init(r);
	if (region_map(r, len))
		return true;
	errnum = errno;
	bounce_region_close(r);
	errno = errnum;
	return false;
}

void bounce_region_close(struct bounce_region *r)
{
	if (r->len)
		munmap(r->p, r->len);
	if (r->fd >= 0)
		close(r->fd);
	bounce_region_init(r);
}

/*
 * Room.
 */
void bounce_room_open(struct bounce_room *room, uint64_t offset, uint64_t len)
{
	*room = (struct bounce_room){ .offset = offset,
				      .units = (uint32_t)(len / BOUNCE_ROOM_UNIT) };
	room->used = g_new0(uint64_t, room->units / 64 + 1);
}

void bounce_room_close(struct bounce_room *room)
{
	g_free(room->used);
	*room = (struct bounce_room){ 0 };
}

static uint32_t room_units(uint64_t len)
{
	return (uint32_t)((len + BOUNCE_ROOM_UNIT - 1) / BOUNCE_ROOM_UNIT);
}

/* The first unit from @at on that is in use, or is not; @end if there is none before. */
static uint32_t room_next(const struct bounce_room *room, uint32_t at, uint32_t end, bool used)
{
	while (at < end) {
		uint64_t word = room->used[at / 64], found = (used ? word : ~word) >> (at % 64);

		if (found)
			return MIN(at + (uint32_t)__builtin_ctzll(found), end);
		at = (at / 64 + 1) * 64;
	}
	return end;
}

static void room_set(struct bounce_room *room, uint32_t at, uint32_t n, bool used)
{
	for (uint32_t i = at; i < at + n; i++)
		if (used)
			room->used[i / 64] |= 1ull << (i % 64);
		else
			room->used[i / 64] &= ~(1ull << (i % 64));
	room->n_used = used ? room->n_used + n : room->n_used - n;
}

bool bounce_room_take(struct bounce_room *room, uint64_t len, uint64_t *ret_offset)
{
	uint32_t n = room_units(len), at = 0, end;

	if (n > room->units - room->n_used)
		return false;
	for (;; at = end) {
		at = room_next(room, at, room->units, false);
		if (n > room->units - at)
			return false;
		end = room_next(room, at, at + n, true);
		if (end == at + n)
			break;
	}
	room_set(room, at, n, true);
	*ret_offset = room->offset + (uint64_t)at * BOUNCE_ROOM_UNIT;
	return true;
}

void bounce_room_give(struct bounce_room *room, uint64_t offset, uint64_t len)
{
	room_set(room, (uint32_t)((offset - room->offset) / BOUNCE_ROOM_UNIT), room_units(len),
		 false);
}

void bounce_room_give_all(struct bounce_room *room)
{
	memset(room->used, 0, (room->units / 64 + 1) * sizeof(*room->used));
	room->n_used = 0;
}
