/*
 * Kernels and initrds, bzImage and ELF: a good file, changed. Not the guest's but the operator's,
 * who may have it from anywhere; so what a file says must never lead outside of it or of RAM, and a
 * refusal is one line.
 */
#include <elf.h>
#include <string.h>
#include <sys/mman.h>

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
#define TOUCHED  (256 * MIB) /* then our memory is given back */

struct job {
	uint8_t kernel[FILE_MAX];
	size_t len;
	uint64_t size; /* of the file, holes included */
	uint64_t initrd;
	bool has_initrd, used;
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

	j->has_initrd = true;
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
	[BOOT_BASE] = base,     [BOOT_PATCH] = patch,     [BOOT_NUMBER] = number, [BOOT_CUT] = cut,
	[BOOT_INITRD] = initrd, [BOOT_CMDLINE] = cmdline, [BOOT_MEMORY] = memory,
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

static void judge(const struct job *j, const uint8_t *ram, const struct boot_entry *entry)
{
	uint64_t low = layout_low_len(j->mem_size);
	uint32_t at = 0, len = 0;

	if (entry->rip < LAYOUT_KERNEL || entry->rip >= low)
		fuzz_bug("entered at %#lx", entry->rip);
	if (entry->mode != BOOT_LONG_64)
		return;
	memcpy(&at, ram + LAYOUT_ZERO_PAGE + 0x218, 4);
	memcpy(&len, ram + LAYOUT_ZERO_PAGE + 0x21c, 4);
	if (len != (j->has_initrd ? j->initrd : 0) || at > low || len > low - at ||
	    (len && at < LAYOUT_KERNEL))
		fuzz_bug("initrd of %u bytes at %#x", len, at);
}

static void boot(struct job *j)
{
	uint64_t low = layout_low_len(j->mem_size), high = layout_high_len(j->mem_size);
	static const uint8_t archive[64] = "070701";
	struct boot_range reserved[64];
	static char kernel_name[] = "kernel", initrd_name[] = "initrd";
	struct boot_file initrd = file_of(initrd_name, archive, sizeof(archive), j->initrd);
	struct boot_files files = { .kernel = file_of(kernel_name, j->kernel, j->len, j->size),
				    .initrd = &initrd,
				    .n_initrds = j->has_initrd };
	struct boot_params p = { .files = &files,
				 .cmdline = j->cmdline,
				 .mem_size = j->mem_size,
				 .rsdp = LAYOUT_ACPI,
				 .reserved = reserved,
				 .n_reserved = j->n_reserved,
				 .used = j->used };
	uint8_t *ram = space(j->size + j->initrd);
	struct boot_entry entry = { 0 };
	struct gmem mem = { 0 };
	GError *err = NULL;

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
	host_fd_close(files.kernel.fd);
	host_fd_close(initrd.fd);
}

void fuzz_boot_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	struct input in = { data, data + size }, args, none = { data, data };
	static struct job j;
	uint8_t op;

	(void)t;
	host_begin(1);
	base(&j, &none);
	j.has_initrd = j.used = false;
	j.initrd = 0;
	j.mem_size = 16 * MIB;
	j.n_reserved = 0;
	j.cmdline[0] = 0;
	while (in_record(&in, &op, &args))
		run[op % N_BOOT_OPS](&j, &args);
	host_running(true);
	boot(&j);
	host_running(false);
}
