/*
 * Kernel loader: which protocol a kernel is entered by, and what is common to them.
 *
 * The file is not trusted: every offset in it is checked against the file and against RAM before
 * it is used. Kernel and initrd go from the file into guest memory in one pread each (one per
 * segment of an ELF file), and no page of guest memory is touched that need not be: boot time and
 * memory are counted.
 */
#include "vmm/x86/boot.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/machine/read-all.h"
#include "vmm/unpack/unpack.h"
#include "vmm/x86/boot-int.h"
#include "vmm/x86/layout.h"

#define MIB ((uint64_t)1 << 20)

const struct boot_msr boot_msrs[] = {
	{ 0x1a0, 0x1 },   /* IA32_MISC_ENABLE: fast strings */
	{ 0x2ff, 0xc06 }, /* IA32_MTRR_DEF_TYPE: on, fixed ranges on, write-back */
};
const unsigned boot_n_msrs = G_N_ELEMENTS(boot_msrs);

static unsigned add_entry(struct boot_map_entry *map, unsigned n, struct boot_map_entry e)
{
	if (e.len == 0 || n == BOOT_MAP_MAX)
		return n;
	map[n] = e;
	return n + 1;
}

unsigned boot_map(const struct boot_job *job, struct boot_map_entry map[BOOT_MAP_MAX])
{
	const struct boot_params *p = job->p;
	const struct boot_map_entry fixed[] = {
		{ 0, LAYOUT_LOW_RAM_END, BOOT_RAM },
		{ LAYOUT_ACPI, LAYOUT_KERNEL - LAYOUT_ACPI, BOOT_RESERVED },
		{ LAYOUT_KERNEL, job->low_end - LAYOUT_KERNEL, BOOT_RAM },
		{ LAYOUT_HIGH, layout_high_len(p->mem_size), BOOT_RAM },
	};
	unsigned n = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(fixed); i++)
		n = add_entry(map, n, fixed[i]);
	for (unsigned i = 0; i < p->n_reserved; i++)
		n = add_entry(map, n,
			      (struct boot_map_entry){ p->reserved[i].base, p->reserved[i].len,
						       BOOT_RESERVED });
	return n;
}

static const char *option_of(const struct boot_job *job, const struct boot_file *file)
{
	return file == job->kernel ? "--kernel" : "--initrd";
}

/*
 * A kernel image has megabytes of zeros in it. Where the file has holes for them, fresh memory is
 * right as it is and stays untouched. Returns where the next data starts, and how much there is.
 */
static struct boot_range next_data(const struct boot_job *job, int fd, struct boot_range rest)
{
	off_t data, hole;

	if (job->p->used)
		return rest;
	data = lseek(fd, (off_t)rest.base, SEEK_DATA);
	if (data < 0 && errno == ENXIO) /* nothing but a hole */
		return (struct boot_range){ rest.base + rest.len, 0 };
	if (data < 0 || (uint64_t)data < rest.base) /* holes are not to be had here */
		return rest;
	if ((uint64_t)data - rest.base >= rest.len)
		return (struct boot_range){ rest.base + rest.len, 0 };
	rest.len -= (uint64_t)data - rest.base;
	rest.base = (uint64_t)data;
	hole = lseek(fd, data, SEEK_HOLE);
	if (hole > data)
		rest.len = MIN(rest.len, (uint64_t)(hole - data));
	return rest;
}

static bool read_data(const struct boot_job *job, const struct boot_file *file,
		      struct boot_range from, uint64_t gpa, GError **err)
{
	while (from.len) {
		uint64_t room = MIN(gmem_room(job->mem, gpa), from.len);
		void *to = room ? gmem_at(job->mem, gpa, room) : NULL;
		ssize_t got;

		if (!to)
			return ringside_usage(err,
					      "%s: needs memory at %#lx, where the machine has "
					      "none; give a larger --memory",
					      option_of(job, file), gpa);
		got = pread(file->fd, to, room, (off_t)from.base);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return ringside_error_errno(err, errno, "%s: cannot read the file",
						    option_of(job, file));
		if (got == 0)
			return ringside_usage(err, "%s: the file ends early; give a complete one",
					      option_of(job, file));
		from.base += (uint64_t)got;
		from.len -= (uint64_t)got;
		gpa += (uint64_t)got;
	}
	return true;
}

bool boot_read(const struct boot_job *job, const struct boot_file *file,
	       const struct boot_range *from, uint64_t gpa, GError **err)
{
	const uint64_t end = from->base + from->len;
	struct boot_range data = *from;

	while (data.len) {
		data = next_data(job, file->fd, data);
		if (!read_data(job, file, data, gpa + (data.base - from->base), err))
			return false;
		data.base += data.len;
		data.len = end - data.base;
	}
	return true;
}

bool boot_clear(const struct boot_job *job, uint64_t gpa, uint64_t len, GError **err)
{
	void *at = job->p->used && len ? gmem_at(job->mem, gpa, len) : NULL;

	if (!job->p->used || !len)
		return true;
	if (at)
		memset(at, 0, len);
	return at || boot_need(job, UINT64_MAX, err);
}

bool boot_peek(const struct boot_job *job, uint64_t off, void *dst, size_t len)
{
	if (off > job->kernel->size || len > job->kernel->size - off)
		return false;
	return read_all(job->kernel->fd, dst, len, off);
}

bool boot_broken(const struct boot_job *job, const char *what, GError **err)
{
	return ringside_usage(err,
			      "--kernel: '%s' is truncated or damaged: %s; give a complete "
			      "kernel",
			      job->kernel->name, what);
}

bool boot_take_place(struct boot_job *job, uint64_t base, uint64_t end)
{
	bool low = job->low && base >= LAYOUT_LOW_KERNEL && end <= LAYOUT_MULTIBOOT;

	if (end < base || (base < LAYOUT_KERNEL && !low))
		return false;
	job->kernel_at = job->kernel_end ? MIN(job->kernel_at, base) : base;
	job->kernel_end = MAX(job->kernel_end, MAX(end, LAYOUT_KERNEL));
	return true;
}

bool boot_need(const struct boot_job *job, uint64_t end, GError **err)
{
	uint64_t need = (end + MIB - 1) / MIB;

	if (end <= job->low_end)
		return true;
	if (end > LAYOUT_HOLE)
		return ringside_usage(
			err,
			"--kernel: '%s' loads up to %#lx; a kernel must lie below %#x (firmware "
			"is a flat image, for --firmware)",
			job->kernel->name, end, LAYOUT_HOLE);
	return ringside_usage(err,
			      "--memory: %lu MiB are too little for '%s'; it needs "
			      "at least %luM",
			      job->p->mem_size / MIB, job->kernel->name, need);
}

/* Of all initrds, for a message; free with g_free(). */
static char *initrd_names(const struct boot_job *job)
{
	GString *out = g_string_new(NULL);

	for (unsigned i = 0; i < job->files->n_initrds; i++)
		g_string_append_printf(out, "%s%s", i ? " + " : "", job->files->initrd[i].name);
	return g_string_free(out, FALSE);
}

/* The initrds cannot lie where they should. Says what would help: more memory, or nothing but less.
 */
static bool initrd_too_large(const struct boot_job *job, uint64_t size, uint64_t limit,
			     GError **err)
{
	uint64_t need = (job->kernel_end + size + MIB - 1) / MIB;
	g_autofree char *names = initrd_names(job);

	if (size > limit || need * MIB > limit)
		return ringside_usage(err,
				      "--initrd: '%s' has %lu MiB; this kernel accepts "
				      "at most %lu MiB",
				      names, (size + MIB - 1) / MIB,
				      (limit - MIN(limit, job->kernel_end)) / MIB);
	return ringside_usage(err,
			      "--initrd: '%s' has %lu MiB and does not fit beside the "
			      "kernel in %lu MiB; give --memory at least %luM",
			      names, (size + MIB - 1) / MIB, job->p->mem_size / MIB, need);
}

/* Linux takes one archive behind the other, each at a multiple of four, and zeros between them. */
static uint64_t initrd_next(uint64_t at)
{
	return (at + 3) & ~3ull;
}

static uint64_t initrd_total(const struct boot_job *job)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < job->files->n_initrds; i++)
		sum = initrd_next(sum) + job->files->initrd[i].size;
	return sum;
}

static bool initrd_read(const struct boot_job *job, uint64_t at, GError **err)
{
	uint64_t end = at;

	for (unsigned i = 0; i < job->files->n_initrds; i++) {
		const struct boot_file *file = &job->files->initrd[i];

		at = initrd_next(end);
		if (!boot_clear(job, end, at - end, err) ||
		    !boot_read(job, file, &(struct boot_range){ 0, file->size }, at, err))
			return false;
		end = at + file->size;
	}
	return true;
}

bool boot_load_initrd(struct boot_job *job, uint64_t limit, GError **err)
{
	uint64_t size = initrd_total(job), end = MIN(limit, job->low_end), at;

	if (!size)
		return true;
	at = size <= end ? (end - size) & ~(uint64_t)(LAYOUT_PAGE - 1) : 0;
	if (at < job->kernel_end)
		return initrd_too_large(job, size, MIN(limit, LAYOUT_HOLE), err);
	job->initrd = at;
	job->initrd_len = size;
	return initrd_read(job, at, err);
}

bool boot_load_cmdline(const struct boot_job *job, uint64_t max, GError **err)
{
	const char *cmdline = job->p->cmdline ? job->p->cmdline : "";
	size_t len = strlen(cmdline);

	max = MIN(max, LAYOUT_CMDLINE_MAX - 1);
	if (len > max)
		return ringside_usage(err,
				      "--append: the command line has %zu bytes; '%s' accepts "
				      "at most %lu",
				      len, job->kernel->name, max);
	if (!gmem_write(job->mem, LAYOUT_CMDLINE, cmdline, len + 1))
		return boot_need(job, LAYOUT_KERNEL + MIB, err);
	return true;
}

/* No selector need be loadable: a kernel brings its own table. */
struct boot_entry boot_enter_protected(uint64_t rip)
{
	return (struct boot_entry){
		.mode = BOOT_PROTECTED_32,
		.rip = rip,
		.rsp = LAYOUT_STACK_END,
		.rflags = 0x2,
		.cr0 = 0x11, /* ET, PE */
		.code = { .limit = 0xffffffff,
			  .selector = 0x8,
			  .type = 0xb,
			  .wide = true,
			  .granularity = true },
		.data = { .limit = 0xffffffff,
			  .selector = 0x10,
			  .type = 0x3,
			  .wide = true,
			  .granularity = true },
		.task = { .limit = 0x67, .selector = 0x18, .type = 0xb, .system = true },
	};
}

/* The one that is looked for first is first. */
static const struct boot_protocol *const protocols[] = {
	&boot_bzimage, &boot_pvh, &boot_multiboot2, &boot_multiboot, &boot_linux_elf,
};

const char *const boot_protocols[] = { "linux", "pvh", "multiboot2", "multiboot", NULL };

/* "a bzImage, an ELF file ... or ...": free with g_free(). */
static char *what_is_taken(void)
{
	GString *out = g_string_new(NULL);
	unsigned n = G_N_ELEMENTS(protocols);

	for (unsigned i = 0; i < n; i++)
		g_string_append_printf(out, "%s%s",
				       i == 0      ? ""
				       : i + 1 < n ? ", "
						   : " or ",
				       protocols[i]->file);
	g_string_append(out, "; plain, or compressed by");
	for (unsigned i = 0; unpack_nth(i); i++)
		g_string_append_printf(out, "%s %s", i ? "," : "", unpack_nth(i)->name);
	return g_string_free(out, FALSE);
}

/* Files that are kernels, but not for us; a user who mixed them up wants to hear which. */
static const struct {
	unsigned at, len;
	const char *magic, *is;
} strangers[] = {
	{ 0x38, 4, "ARM\x64", "a kernel for aarch64" },
	{ 0x38, 4, "RSC\x05", "a kernel for riscv64" },
	{ 0x24, 4, "\x18\x28\x6f\x01", "a kernel for arm" },
	{ 0, 4, "\x02\x21\x4c\x18", "compressed by lz4" },
	{ 0, 4, "\x04\x22\x4d\x18", "compressed by lz4" },
	{ 0, 4, "\x89LZO", "compressed by lzop" },
	{ 0, 3, "\x5d\0\0", "compressed by lzma" },
	{ 0, 2, "MZ", "an EFI program without a Linux setup header" },
};

static bool unknown_kernel(const struct boot_job *job, GError **err)
{
	const char *is = job->head_len < 0x300 ? "too short to be a kernel" : "not a kernel";
	g_autofree char *take = what_is_taken();

	for (unsigned i = 0; i < G_N_ELEMENTS(strangers); i++) {
		if (strangers[i].at + strangers[i].len > job->head_len)
			continue;
		if (memcmp(job->head + strangers[i].at, strangers[i].magic, strangers[i].len) != 0)
			continue;
		is = strangers[i].is;
		break;
	}
	if (unpack_find(job->head, job->head_len))
		is = "compressed twice";
	if (job->is_elf)
		is = "an ELF file with no entry that is known here";
	return ringside_usage(err, "--kernel: '%s' is %s; give, for x86, %s", job->kernel->name, is,
			      take);
}

/* What the operator has chosen is not there: says what is. */
static bool not_offered(const struct boot_job *job, GError **err)
{
	GString *names = g_string_new(NULL);

	for (unsigned i = 0; i < G_N_ELEMENTS(protocols); i++)
		if (protocols[i]->offered(job))
			g_string_append_printf(names, "%s%s", names->len ? ", " : "",
					       protocols[i]->name);
	ringside_usage(err, "--protocol %s: '%s' does not offer it; it offers %s", job->p->protocol,
		       job->kernel->name, names->len ? names->str : "none");
	g_string_free(names, TRUE);
	return false;
}

static const struct boot_protocol *choose_protocol(const struct boot_job *job)
{
	const char *name = job->p->protocol;

	for (unsigned i = 0; i < G_N_ELEMENTS(protocols); i++) {
		const struct boot_protocol *p = protocols[i];

		if ((!name || strcmp(name, p->name) == 0) && p->offered(job) &&
		    (name || !p->yields || !p->yields(job)))
			return p;
	}
	return NULL;
}

static bool read_head(struct boot_job *job, GError **err)
{
	ssize_t got = pread(job->kernel->fd, job->head, sizeof(job->head), 0);

	if (got < 0)
		return ringside_error_errno(err, errno, "--kernel: cannot read '%s'",
					    job->kernel->name);
	job->head_len = (size_t)got;
	return true;
}

/* What was unpacked takes the place of the file. */
static bool unpack_kernel(struct boot_job *job, const struct unpack_format *format, GError **err)
{
	struct boot_file *file = &job->files->kernel;
	uint64_t size = 0;
	int fd = unpack_file(format, file->fd, file->size, job->low_end, "--kernel", file->name,
			     &size, err);

	if (fd < 0)
		return false;
	close(file->fd);
	file->fd = fd;
	file->size = size;
	return read_head(job, err);
}

static bool load_kernel(struct boot_job *job, struct boot_entry *ret_entry, GError **err)
{
	const struct boot_protocol *protocol;
	const struct unpack_format *format;

	if (!read_head(job, err))
		return false;
	format = unpack_find(job->head, job->head_len);
	if ((format && !unpack_kernel(job, format, err)) || !boot_elf_open(job, err))
		return false;
	protocol = choose_protocol(job);
	if (protocol)
		return protocol->load(job, ret_entry, err);
	return job->p->protocol ? not_offered(job, err) : unknown_kernel(job, err);
}

bool boot_load(const struct boot_params *p, const struct gmem *mem, struct boot_entry *ret_entry,
	       GError **err)
{
	struct boot_job job = {
		.p = p,
		.mem = mem,
		.files = p->files,
		.kernel = &p->files->kernel,
		.low_end = layout_low_len(p->mem_size),
	};
	struct boot_entry entry = { 0 };

	if (!boot_need(&job, LAYOUT_KERNEL + MIB, err) || !load_kernel(&job, &entry, err))
		return false;
	*ret_entry = entry;
	return true;
}
