/*
 * Kernels and initrds, of each format and compressed in each way: a good file, changed. Not the
 * guest's but the operator's, who may have it from anywhere; so what a file says must never lead
 * outside of it or of RAM, and a refusal is one line.
 */
#include <bzlib.h>
#include <elf.h>
#include <lzma.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/host/host.h"
#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/input.h"
#include "tools/fuzz/language/trace.h"
#include "vmm/x86/boot.h"
#include "vmm/x86/layout.h"

#define MIB      ((uint64_t)1 << 20)
#define SPACE    (LAYOUT_HOLE + 64 * MIB) /* of which little is ever touched */
#define FILE_MAX 0x10000u
#define SETUP    2048u
#define ENTRY    0x200u
#define TOUCHED  (256 * MIB) /* then our memory is given back */
#define TEXT     0x200u      /* of what is no bzImage; a multiboot header begins it */
#define INITRDS  4u

struct job {
	uint8_t kernel[FILE_MAX];
	size_t len;
	uint64_t size; /* of the file, holes included */
	uint64_t initrd;
	unsigned n_initrds; /* that many of them */
	char words[64];     /* of the second one */
	const char *protocol;
	bool used;
	uint64_t mem_size;
	char cmdline[70000];
	unsigned n_reserved;
};

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
	memcpy(at, &value, bytes);
}

static void make_bzimage(struct job *j, size_t payload)
{
	uint8_t *k = j->kernel;

	j->len = SETUP + payload;
	put(k + 0x1f1, SETUP / 512 - 1, 1);
	put(k + 0x1f4, payload / 16, 4);
	put(k + 0x1fe, 0xaa55, 2);
	put(k + 0x200, 0x66eb, 2);
	put(k + 0x202, 0x53726448, 4);
	put(k + 0x206, 0x20f, 2);
	put(k + 0x211, 1, 1);
	put(k + 0x22c, 0x7fffffff, 4);
	put(k + 0x236, 0x3, 2);
	put(k + 0x238, 2047, 4);
	put(k + 0x258, 2 * MIB, 8);
	put(k + 0x260, MIB, 4);
}

static void make_elf(struct job *j, size_t payload)
{
	Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_EXEC,
			  .e_machine = EM_X86_64,
			  .e_phoff = sizeof(eh),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = 3 };
	Elf64_Phdr ph[3] = {
		{ .p_type = PT_LOAD,
		  .p_offset = 0x200,
		  .p_paddr = 2 * MIB,
		  .p_filesz = payload,
		  .p_memsz = payload + 0x1000 },
		{ .p_type = PT_NOTE, .p_offset = 0x100, .p_filesz = 20 },
		{ .p_type = PT_LOAD,
		  .p_offset = 0x200,
		  .p_paddr = 3 * MIB,
		  .p_filesz = payload / 2,
		  .p_memsz = payload / 2 },
	};
	const uint32_t note[] = { 4, 4, 18, 0x006e6558, 2 * MIB };

	memcpy(j->kernel, &eh, sizeof(eh));
	memcpy(j->kernel + sizeof(eh), ph, sizeof(ph));
	memcpy(j->kernel + 0x100, note, sizeof(note));
	j->len = 0x200 + payload;
}

/*
 * Formats.
 */
static void boot_elf32(struct job *j, size_t payload)
{
	Elf32_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_EXEC,
			  .e_machine = EM_386,
			  .e_entry = 2 * MIB + 64,
			  .e_phoff = sizeof(eh),
			  .e_phentsize = sizeof(Elf32_Phdr),
			  .e_phnum = 2 };
	Elf32_Phdr ph[2] = {
		{ .p_type = PT_LOAD,
		  .p_offset = TEXT,
		  .p_paddr = 2 * MIB,
		  .p_filesz = (uint32_t)payload,
		  .p_memsz = (uint32_t)payload + 0x1000 },
		{ .p_type = PT_NOTE, .p_offset = 0x100, .p_filesz = 20 },
	};

	memcpy(j->kernel, &eh, sizeof(eh));
	memcpy(j->kernel + sizeof(eh), ph, sizeof(ph));
	j->len = TEXT + payload;
}

static void boot_pvh_note(struct job *j)
{
	const uint32_t note[] = { 4, 4, 18, 0x006e6558, 2 * MIB };

	memcpy(j->kernel + 0x100, note, sizeof(note));
}

/* Version 1 or 2; with the addresses of a file that is loaded from TEXT on. */
static void boot_multiboot(struct job *j, unsigned version, bool flat)
{
	const uint32_t one[] = { 0x1badb002, flat ? 0x10003 : 3, 0,           2 * MIB, 2 * MIB,
				 0,          2 * MIB + 0x8000,   2 * MIB + 64 };
	const uint32_t two[] = { 0xe85250d6,
				 0,
				 flat ? 72 : 40,
				 0,
				 1,
				 16,
				 4,
				 6,
				 flat ? 2 : 0,
				 flat ? 24 : 8,
				 2 * MIB,
				 2 * MIB,
				 0,
				 2 * MIB + 0x8000,
				 3,
				 12,
				 2 * MIB + 64,
				 0,
				 0,
				 8 };

	if (version == 1)
		memcpy(j->kernel + TEXT, one, sizeof(one));
	else
		memcpy(j->kernel + TEXT, two, sizeof(two));
}

static void sum(struct job *j, struct input *in)
{
	uint32_t words[4], total = 0;
	bool two;

	(void)in;
	memcpy(words, j->kernel + TEXT, sizeof(words));
	two = words[0] == 0xe85250d6;
	words[two ? 3 : 2] = 0;
	for (unsigned i = 0; i < (two ? 4 : 3); i++)
		total += words[i];
	put(j->kernel + TEXT + (two ? 12 : 8), -total, 4);
}

static void format(struct job *j, struct input *in)
{
	unsigned kind = in8(in) % BOOT_FORMATS;
	size_t payload = (in8(in) + 1) * 64ul;

	memset(j->kernel, 0, j->len);
	j->len = TEXT + payload;
	switch (kind) {
	case 0: /* PVH, 32 bits */
		boot_elf32(j, payload);
		boot_pvh_note(j);
		break;
	case 1: /* an ELF file without a note */
		make_elf(j, payload);
		put(j->kernel + 0x100, 0, 8);
		put(j->kernel + 24, 2 * MIB + 64, 8);
		break;
	case 2:
	case 3: /* multiboot, by addresses */
		boot_multiboot(j, kind - 1, true);
		break;
	case 4:
	case 5: /* and as ELF files */
		boot_elf32(j, payload);
		boot_pvh_note(j);
		boot_multiboot(j, kind - 3, false);
		break;
	default: /* by Linux's 32-bit protocol, and an older version of it */
		make_bzimage(j, payload + ENTRY);
		put(j->kernel + 0x236, 0, 2);
		put(j->kernel + 0x206, kind == 6 ? 0x20f : 0x206, 2);
		put(j->kernel + 0x214, 2 * MIB, 4);
	}
	if (kind >= 2 && kind <= 5)
		sum(j, in);
	j->size = j->len;
}

/* What it is compressed to; nothing where it does not fit. */
static void pack(struct job *j, struct input *in)
{
	static uint8_t to[FILE_MAX];
	uLongf z_len = FILE_MAX;
	unsigned b_len = FILE_MAX;
	size_t len = 0;
	z_stream z = { 0 };

	switch (in8(in) % BOOT_PACKERS) {
	case 0:
		z.next_in = j->kernel;
		z.avail_in = (uInt)j->len;
		z.next_out = to;
		z.avail_out = (uInt)z_len;
		if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK &&
		    deflate(&z, Z_FINISH) == Z_STREAM_END)
			len = z.total_out;
		deflateEnd(&z);
		break;
	case 1:
		if (BZ2_bzBuffToBuffCompress((char *)to, &b_len, (char *)j->kernel,
					     (unsigned)j->len, 1, 0, 0) == BZ_OK)
			len = b_len;
		break;
	case 2:
		if (lzma_easy_buffer_encode(0, LZMA_CHECK_CRC32, NULL, j->kernel, j->len, to, &len,
					    FILE_MAX) != LZMA_OK)
			len = 0;
		break;
	default:
		len = ZSTD_compress(to, FILE_MAX, j->kernel, j->len, 1);
		if (ZSTD_isError(len))
			len = 0;
	}
	memset(j->kernel, 0, j->len);
	memcpy(j->kernel, to, len);
	j->len = j->size = len;
}

static void protocol(struct job *j, struct input *in)
{
	unsigned n = in8(in);

	j->protocol = NULL;
	for (unsigned i = 0; i < n && boot_protocols[i]; i++)
		j->protocol = boot_protocols[i];
}

static void initrds(struct job *j, struct input *in)
{
	size_t n;

	j->n_initrds = in8(in) % (INITRDS + 1);
	j->initrd = in32(in) % FILE_MAX;
	n = MIN(in_left(in), sizeof(j->words) - 1);
	memcpy(j->words, in->at, n);
	j->words[n] = 0;
}

static void base(struct job *j, struct input *in)
{
	unsigned kind = in8(in);
	size_t payload = in8(in) * 64ul;

	memset(j->kernel, 0, j->len);
	if (kind % 3 == 0)
		make_bzimage(j, payload ? payload : 4096);
	else if (kind % 3 == 1)
		make_elf(j, payload ? payload : 4096);
	else
		j->len = payload;
	j->size = j->len;
}

static void patch(struct job *j, struct input *in)
{
	size_t off = in16(in), n = in_left(in);

	if (off >= FILE_MAX)
		return;
	n = MIN(n, FILE_MAX - off);
	memcpy(j->kernel + off, in->at, n);
	j->len = MAX(j->len, off + n);
	j->size = MAX(j->size, j->len);
}

static void number(struct job *j, struct input *in)
{
	size_t off = in16(in) % (SETUP / 2);
	unsigned bytes = 1u << in8(in) % 4;

	put(j->kernel + off, in64(in), bytes);
}

static void cut(struct job *j, struct input *in)
{
	uint32_t size = in32(in);

	j->size = size % 4 ? size % FILE_MAX : size % (8 * MIB);
}

static void initrd(struct job *j, struct input *in)
{
	uint32_t size = in32(in);

	j->n_initrds = 1;
	j->initrd = size % 4 ? size % FILE_MAX : size % (64 * MIB);
}

static void cmdline(struct job *j, struct input *in)
{
	size_t len = in16(in), n = in_left(in);

	memset(j->cmdline, 'x', len);
	memcpy(j->cmdline, in->at, MIN(n, len));
	j->cmdline[len] = 0;
}

static void memory(struct job *j, struct input *in)
{
	static const uint64_t sizes[] = { 2 * MIB,     4 * MIB, 16 * MIB,  64 * MIB,
					  LAYOUT_HOLE, SPACE,   1024 * MIB };

	j->mem_size = sizes[in8(in) % G_N_ELEMENTS(sizes)];
	j->used = in8(in) & 1 && j->mem_size <= 64 * MIB; /* or clearing takes its time */
	j->n_reserved = in8(in) % 64;
}

static void (*const run[N_BOOT_OPS])(struct job *j, struct input *in) = {
	[BOOT_BASE] = base,     [BOOT_PATCH] = patch,       [BOOT_NUMBER] = number,
	[BOOT_CUT] = cut,       [BOOT_INITRD] = initrd,     [BOOT_CMDLINE] = cmdline,
	[BOOT_MEMORY] = memory, [BOOT_FORMAT] = format,     [BOOT_SUM] = sum,
	[BOOT_PACK] = pack,     [BOOT_PROTOCOL] = protocol, [BOOT_INITRDS] = initrds,
};

/*
 * The machine.
 */

static struct boot_file file_of(char *name, const void *bytes, size_t len, uint64_t size)
{
	struct boot_file f = { .fd = host_fd_new(HOST_FILE), .size = size, .name = name };

	host_feed(f.fd, bytes, MIN(len, size));
	host_size(f.fd, size);
	return f;
}

static uint8_t *space(uint64_t touched)
{
	static uint64_t sum;
	static uint8_t *map;

	if (!map) /* a forbidden page before and behind */
		map = mmap(NULL, SPACE + 0x2000, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED || mprotect(map + 0x1000, SPACE, PROT_READ | PROT_WRITE) < 0)
		fuzz_bug("no memory");
	sum += touched;
	if (sum > TOUCHED) {
		sum = 0;
		(void)madvise(map, SPACE + 0x2000, MADV_DONTNEED);
	}
	return map + 0x1000;
}

/* All initrds, one behind the other. */
static uint64_t initrd_total(const struct job *j)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < j->n_initrds; i++)
		total = ((total + 3) & ~3ull) + j->initrd;
	return total;
}

static void judge_modules(const struct job *j, const uint8_t *ram)
{
	uint32_t n, at, module[2];

	memcpy(&n, ram + LAYOUT_MULTIBOOT + 20, 4);
	memcpy(&at, ram + LAYOUT_MULTIBOOT + 24, 4);
	if (n != j->n_initrds)
		fuzz_bug("%u modules of %u", n, j->n_initrds);
	for (unsigned i = 0; i < n; i++) {
		memcpy(module, ram + at + 16ul * i, sizeof(module));
		if (module[0] < LAYOUT_KERNEL || module[1] < module[0] ||
		    module[1] > layout_low_len(j->mem_size) || module[1] - module[0] != j->initrd)
			fuzz_bug("module at %#x to %#x", module[0], module[1]);
	}
}

static bool is_multiboot(const struct boot_entry *entry)
{
	return entry->rax == 0x2badb002 || entry->rax == 0x36d76289;
}

static void judge(const struct job *j, const uint8_t *ram, const struct boot_entry *entry)
{
	uint64_t low = layout_low_len(j->mem_size);
	uint32_t at = 0, len = 0;

	if (entry->rip < (is_multiboot(entry) ? LAYOUT_LOW_KERNEL : LAYOUT_KERNEL) ||
	    entry->rip >= low)
		fuzz_bug("entered at %#lx", entry->rip);
	if (entry->rax == 0x2badb002)
		judge_modules(j, ram);
	if (entry->rsi != LAYOUT_ZERO_PAGE)
		return;
	memcpy(&at, ram + LAYOUT_ZERO_PAGE + 0x218, 4);
	memcpy(&len, ram + LAYOUT_ZERO_PAGE + 0x21c, 4);
	if (len != initrd_total(j) || at > low || len > low - at || (len && at < LAYOUT_KERNEL))
		fuzz_bug("initrd of %u bytes at %#x", len, at);
}

static void boot(struct job *j)
{
	uint64_t low = layout_low_len(j->mem_size), high = layout_high_len(j->mem_size);
	static const uint8_t archive[64] = "070701";
	struct boot_range reserved[64];
	static char kernel_name[] = "kernel", initrd_name[] = "initrd";
	struct boot_file initrd[INITRDS];
	struct boot_files files = { .kernel = file_of(kernel_name, j->kernel, j->len, j->size),
				    .initrd = initrd,
				    .n_initrds = j->n_initrds };
	struct boot_params p = { .files = &files,
				 .protocol = j->protocol,
				 .cmdline = j->cmdline,
				 .mem_size = j->mem_size,
				 .rsdp = LAYOUT_ACPI,
				 .reserved = reserved,
				 .n_reserved = j->n_reserved,
				 .used = j->used };
	uint8_t *ram = space(j->size + j->n_initrds * j->initrd);
	struct boot_entry entry = { 0 };
	struct gmem mem = { 0 };
	GError *err = NULL;

	for (unsigned i = 0; i < j->n_initrds; i++) {
		initrd[i] = file_of(initrd_name, archive, sizeof(archive), j->initrd);
		initrd[i].words = i == 1 ? j->words : NULL;
	}
	for (unsigned i = 0; i < j->n_reserved; i++)
		reserved[i] = (struct boot_range){ LAYOUT_ECAM + (uint64_t)i * MIB, MIB };
	if (gmem_add(&mem, 0, low, ram) < 0 ||
	    (high && gmem_add(&mem, LAYOUT_HIGH, high, ram + LAYOUT_HOLE) < 0))
		fuzz_bug("no memory of that size");
	if (boot_load(&p, &mem, &entry, &err)) {
		trace("boots at %#lx", entry.rip);
		judge(j, ram, &entry);
	} else if (!err || strchr(err->message, '\n')) {
		fuzz_bug("refused without a line");
	} else {
		trace("%s", err->message);
	}
	g_clear_error(&err);
	close(files.kernel.fd); /* which may be what was unpacked */
	for (unsigned i = 0; i < j->n_initrds; i++)
		host_fd_close(initrd[i].fd);
}

void fuzz_boot_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	struct input in = { data, data + size }, args, none = { data, data };
	static struct job j;
	uint8_t op;

	(void)t;
	host_begin(1);
	base(&j, &none);
	j.used = false;
	j.initrd = j.n_initrds = 0;
	j.protocol = NULL;
	j.words[0] = 0;
	j.mem_size = 16 * MIB;
	j.n_reserved = 0;
	j.cmdline[0] = 0;
	while (in_record(&in, &op, &args))
		run[op % N_BOOT_OPS](&j, &args);
	host_running(true);
	boot(&j);
	host_running(false);
}
