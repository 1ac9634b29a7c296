/*
 * Linux bzImage (Documentation/arch/x86/boot.rst).
 *
 * The kernel is put where it prefers to run, so that it need not move itself first. One that says
 * that it can is entered 0x200 behind that in long mode; any other, 32-bit ones and those from
 * before 3.8, at its beginning by the 32-bit protocol (boot-linux.c has the states).
 */
#include <string.h>

#include "devices/base/error.h"
#include "vmm/x86/boot-int.h"
#include "vmm/x86/layout.h"

/* Offsets into the file's first sectors. */
enum {
	SETUP_SECTS = 0x1f1,
	SYSSIZE = 0x1f4,
	BOOT_FLAG = 0x1fe,
	JUMP_LEN = 0x201, /* the header ends this many bytes behind 0x202 */
	MAGIC = 0x202,
	VERSION = 0x206,
	LOADFLAGS = 0x211,
	CODE32_START = 0x214,
	INITRD_ADDR_MAX = 0x22c,
	XLOADFLAGS = 0x236,
	CMDLINE_SIZE = 0x238,
	PREF_ADDRESS = 0x258,
	INIT_SIZE = 0x260,
	HEADER_MIN = 0x264, /* up to here in the newest version that is looked at */
};

enum {
	LOADED_HIGH = 0x01,
	XLF_KERNEL_64 = 0x01,
	VERSION_MIN = 0x206,  /* Linux 2.6.22: says how long a command line it takes */
	VERSION_PREF = 0x20a, /* Linux 2.6.31: says where it prefers to run, and in how much */
	VERSION_64 = 0x20c,   /* Linux 3.8: says whether it can be entered in long mode */
	ENTRY_64 = 0x200,
	DEFAULT_SETUP_SECTS = 4,
	GROWS = 8, /* an older one, to how many times its size: a guess */
};

/* The header's fields that decide, copied once out of the file. */
struct setup {
	enum boot_mode mode;
	uint64_t offset; /* of the part that runs in protected mode, in the file */
	uint64_t len;    /* of that part */
	uint64_t load;   /* where to put it */
	uint64_t end;    /* of the memory it needs while it starts */
	uint64_t cmdline_max;
	uint64_t initrd_limit;
	size_t header_len;
};

static uint64_t bzimage_get(const struct boot_job *job, unsigned at, unsigned bytes)
{
	uint64_t v = 0;

	memcpy(&v, job->head + at, bytes);
	return v;
}

static bool bzimage_offered(const struct boot_job *job)
{
	return job->head_len >= HEADER_MIN && bzimage_get(job, BOOT_FLAG, 2) == 0xaa55 &&
	       memcmp(job->head + MAGIC, "HdrS", 4) == 0;
}

static bool bzimage_check(const struct boot_job *job, GError **err)
{
	unsigned version = (unsigned)bzimage_get(job, VERSION, 2);

	if (version < VERSION_MIN)
		return ringside_usage(err,
				      "--kernel: '%s' has boot protocol %u.%02u; it must be "
				      "2.06 or later (Linux 2.6.22); what calls a BIOS boots "
				      "from a disk with --firmware",
				      job->kernel->name, version >> 8, version & 0xff);
	if (!(bzimage_get(job, LOADFLAGS, 1) & LOADED_HIGH))
		return ringside_usage(err,
				      "--kernel: '%s' is a zImage, made to be loaded below 1 MiB; "
				      "give a bzImage",
				      job->kernel->name);
	return true;
}

/* What a header of this version says of where the kernel goes. */
static void bzimage_place(const struct boot_job *job, struct setup *s)
{
	unsigned version = (unsigned)bzimage_get(job, VERSION, 2);
	bool pref = version >= VERSION_PREF;
	uint64_t room = pref ? bzimage_get(job, INIT_SIZE, 4) : s->len * GROWS;

	s->mode = version >= VERSION_64 && (bzimage_get(job, XLOADFLAGS, 2) & XLF_KERNEL_64)
			  ? BOOT_LONG_64
			  : BOOT_PROTECTED_32;
	s->load = pref ? bzimage_get(job, PREF_ADDRESS, 8) : bzimage_get(job, CODE32_START, 4);
	s->end = s->load + MAX(s->len, room);
}

static bool bzimage_parse(const struct boot_job *job, struct setup *ret_setup, GError **err)
{
	uint64_t sects = bzimage_get(job, SETUP_SECTS, 1);
	struct setup s = {
		.offset = ((sects ? sects : DEFAULT_SETUP_SECTS) + 1) * 512,
		.len = bzimage_get(job, SYSSIZE, 4) * 16,
		.cmdline_max = bzimage_get(job, CMDLINE_SIZE, 4),
		.initrd_limit = bzimage_get(job, INITRD_ADDR_MAX, 4) + 1,
		.header_len = MAGIC + bzimage_get(job, JUMP_LEN, 1) - BOOT_LINUX_HEADER,
	};
	uint64_t rest = job->kernel->size > s.offset ? job->kernel->size - s.offset : 0;

	if (rest + 15 < s.len || s.len <= ENTRY_64)
		return ringside_usage(
			err,
			"--kernel: '%s' is truncated: %lu bytes of %lu; give a complete bzImage",
			job->kernel->name, job->kernel->size, s.offset + s.len);
	bzimage_place(job, &s);
	s.len = MIN(s.len, rest);
	if (!s.load)
		return ringside_usage(err,
				      "--kernel: '%s' has no entry in protected mode "
				      "(code32_start is 0): it begins in real mode and calls a "
				      "BIOS; boot it from a disk with --firmware",
				      job->kernel->name);
	if (s.load < LAYOUT_KERNEL || s.load >= LAYOUT_HOLE)
		return ringside_usage(
			err, "--kernel: '%s' loads at %#lx; a kernel must lie between %#x and %#x",
			job->kernel->name, s.load, LAYOUT_KERNEL, LAYOUT_HOLE);
	s.header_len = MIN(s.header_len, BOOT_LINUX_HEADER_MAX);
	*ret_setup = s;
	return boot_need(job, s.end, err);
}

static bool bzimage_load(struct boot_job *job, struct boot_entry *ret_entry, GError **err)
{
	struct setup s = { 0 };

	if (!bzimage_check(job, err) || !bzimage_parse(job, &s, err))
		return false;
	job->kernel_end = s.end;
	if (!boot_load_cmdline(job, s.cmdline_max, err) ||
	    !boot_load_initrd(job, s.initrd_limit, err) ||
	    !boot_read(job, job->kernel, &(struct boot_range){ s.offset, s.len }, s.load, err))
		return false;
	boot_linux_zero_page(job, job->head + BOOT_LINUX_HEADER, s.header_len);
	*ret_entry = boot_linux_enter(job, s.mode,
				      s.load + (s.mode == BOOT_LONG_64 ? ENTRY_64 : 0));
	return true;
}

const struct boot_protocol boot_bzimage = {
	.name = "linux",
	.file = "a bzImage",
	.offered = bzimage_offered,
	.load = bzimage_load,
};
