#include "vmm/machine/initramfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/machine/boot-files.h"

#define OPTION     "--initrd-dir"
#define MIB        ((uint64_t)1 << 20)
#define DEPTH_MAX  200u /* folders within folders: each has a descriptor open */
#define COPY_BYTES ((size_t)64 << 10)

/* An archive in the making. */
struct archive {
	const char *folder;
	FILE *out;
	uint64_t len, limit;
	uint32_t inodes;   /* given out so far */
	GHashTable *links; /* of files with several names: "device:inode" to the number here */
	unsigned depth;
	GError **err;
	uint8_t copy[COPY_BYTES];
};

/* What one entry's header says of it. */
struct entry {
	const char *name; /* within the archive */
	uint32_t inode, links;
	uint64_t size;
	const struct stat *st; /* NULL: the end's */
};

/* One that is wrong, by its name; false. */
static bool archive_fail(const struct archive *a, const char *name, int error)
{
	return ringside_error_errno(a->err, error, OPTION ": '%s/%s'", a->folder, name);
}

static bool archive_put(struct archive *a, const void *bytes, size_t len)
{
	if (len > a->limit - a->len)
		return ringside_usage(a->err,
				      OPTION ": '%s' makes more than %lu MiB; give a larger "
					     "--memory, or a smaller folder",
				      a->folder, a->limit / MIB);
	a->len += len;
	return fwrite(bytes, 1, len, a->out) == len ||
	       ringside_error_errno(a->err, errno, OPTION ": memory for an initramfs of '%s'",
				    a->folder);
}

/* Names and contents end at a multiple of four. */
static bool archive_pad(struct archive *a)
{
	return archive_put(a, "\0\0\0", -a->len & 3);
}

/* What is ours is root's in there. */
static uint32_t archive_owner(uint32_t id, uint32_t own)
{
	return id == own ? 0 : id;
}

static bool archive_header(struct archive *a, const struct entry *e)
{
	static const struct stat none;
	const struct stat *st = e->st ? e->st : &none;
	size_t name_len = strlen(e->name) + 1;
	char head[111];

	(void)snprintf(head, sizeof(head),
		       "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", e->inode,
		       st->st_mode, e->st ? archive_owner(st->st_uid, geteuid()) : 0,
		       e->st ? archive_owner(st->st_gid, getegid()) : 0, e->links, 0u /* time */,
		       (uint32_t)e->size, 0u, 0u /* of the device it lies on */, major(st->st_rdev),
		       minor(st->st_rdev), (uint32_t)name_len, 0u /* no checksum */);
	return archive_put(a, head, sizeof(head) - 1) && archive_put(a, e->name, name_len) &&
	       archive_pad(a);
}

/* The number of a file that has several names; *ret_new: it was not there before. */
static uint32_t archive_inode(struct archive *a, const struct stat *st, bool *ret_new)
{
	g_autofree char *key = NULL;
	const uint32_t *had;

	*ret_new = true;
	if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
		return ++a->inodes;
	key = g_strdup_printf("%lu:%lu", (unsigned long)st->st_dev, (unsigned long)st->st_ino);
	had = g_hash_table_lookup(a->links, key);
	*ret_new = !had;
	if (had)
		return *had;
	a->inodes++;
	g_hash_table_insert(a->links, g_steal_pointer(&key),
			    g_memdup2(&a->inodes, sizeof(a->inodes)));
	return a->inodes;
}

static bool archive_contents(struct archive *a, int fd, const char *name, uint64_t size)
{
	while (size) {
		ssize_t got = read(fd, a->copy, MIN(size, COPY_BYTES));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return archive_fail(a, name, errno);
		if (got == 0)
			return ringside_usage(a->err,
					      OPTION ": '%s/%s' became shorter while it was read; "
						     "give a folder that does not change",
					      a->folder, name);
		if (!archive_put(a, a->copy, (size_t)got))
			return false;
		size -= (uint64_t)got;
	}
	return archive_pad(a);
}

static bool archive_file(struct archive *a, int dir, const char *base, const char *name)
{
	int fd = openat(dir, base, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	struct entry e = { .name = name, .st = &st };
	bool first, ok;

	if (fd < 0 || fstat(fd, &st) < 0) {
		archive_fail(a, name, errno);
		if (fd >= 0)
			close(fd);
		return false;
	}
	e.inode = archive_inode(a, &st, &first);
	e.links = (uint32_t)st.st_nlink;
	e.size = first && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	if (e.size > UINT32_MAX)
		ok = archive_fail(a, name, EFBIG);
	else
		ok = archive_header(a, &e) && archive_contents(a, fd, name, e.size);
	close(fd);
	return ok;
}

static bool archive_symlink(struct archive *a, int dir, const char *base, struct entry *e)
{
	char to[PATH_MAX];
	ssize_t len = readlinkat(dir, base, to, sizeof(to));

	if (len < 0)
		return archive_fail(a, e->name, errno);
	e->size = (uint64_t)len;
	return archive_header(a, e) && archive_put(a, to, (size_t)len) && archive_pad(a);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in folder @fd, which it closes, in order; NULL with errno. */
static GPtrArray *folder_names(int fd)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	DIR *dir = fdopendir(fd);
	const struct dirent *d;
	int error;

	if (!dir) {
		error = errno;
		close(fd);
		g_ptr_array_unref(names);
		errno = error;
		return NULL;
	}
	while ((d = readdir(dir)))
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			g_ptr_array_add(names, g_strdup(d->d_name));
	closedir(dir);
	g_ptr_array_sort(names, by_name);
	return names;
}

static bool archive_entry(struct archive *a, int dir, const char *base, const char *name);

/* What is in folder @base of @dir; @name is its name within the archive, "" at the top. */
static bool archive_folder(struct archive *a, int dir, const char *base, const char *name)
{
	int fd = openat(dir, base, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	int list = fd >= 0 ? openat(fd, ".", O_RDONLY | O_CLOEXEC | O_DIRECTORY) : -1;
	g_autoptr(GPtrArray) names = list >= 0 ? folder_names(list) : NULL;
	bool ok = names && a->depth < DEPTH_MAX;

	if (!names)
		archive_fail(a, name, errno);
	else if (!ok)
		archive_fail(a, name, ELOOP);
	a->depth++;
	for (guint i = 0; ok && i < names->len; i++) {
		const char *under = g_ptr_array_index(names, i);
		g_autofree char *path = g_strconcat(name, *name ? "/" : "", under, NULL);

		ok = archive_entry(a, fd, under, path);
	}
	a->depth--;
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool archive_entry(struct archive *a, int dir, const char *base, const char *name)
{
	struct stat st;
	struct entry e = { .name = name, .st = &st };
	bool first;

	if (fstatat(dir, base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return archive_fail(a, name, errno);
	if (S_ISREG(st.st_mode))
		return archive_file(a, dir, base, name);
	e.inode = archive_inode(a, &st, &first);
	e.links = S_ISDIR(st.st_mode) ? 2 : (uint32_t)st.st_nlink;
	if (S_ISLNK(st.st_mode))
		return archive_symlink(a, dir, base, &e);
	return archive_header(a, &e) &&
	       (!S_ISDIR(st.st_mode) || archive_folder(a, dir, base, name));
}

bool initramfs_make(const char *folder, uint64_t limit, struct boot_file *ret_file, GError **err)
{
	struct archive a = { .folder = folder, .limit = limit, .err = err };
	bool ok = false;

	*ret_file = (struct boot_file){ .fd = -1, .name = g_strdup(folder) };
	if (!g_file_test(folder, G_FILE_TEST_IS_DIR))
		return ringside_usage(err, OPTION ": '%s' is not a folder; give the path of one",
				      folder);
	ret_file->fd = memfd_create("ringside-initramfs", MFD_CLOEXEC);
	a.out = ret_file->fd >= 0 ? fdopen(dup(ret_file->fd), "w") : NULL;
	if (!a.out)
		return ringside_error_errno(err, errno, OPTION ": memory for an initramfs of '%s'",
					    folder);
	a.links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	ok = archive_folder(&a, AT_FDCWD, folder, "") &&
	     archive_header(&a, &(struct entry){ .name = "TRAILER!!!", .links = 1 });
	if (fclose(a.out) != 0 && ok)
		ok = ringside_error_errno(err, errno, OPTION ": memory for an initramfs of '%s'",
					  folder);
	g_hash_table_unref(a.links);
	ret_file->size = a.len;
	return ok;
}
