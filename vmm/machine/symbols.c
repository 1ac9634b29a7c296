#include "vmm/machine/symbols.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/machine/read-all.h"

#define SECTIONS_MAX 65536u
#define TABLE_MAX    ((uint64_t)1 << 30) /* bytes: a kernel's are some ten million */
#define FAR          (1u << 20)          /* from a label without a size: it is another's */
#define ENTRY        "entry_SYSCALL_64"
#define MOVED_ALIGN  (1u << 20) /* kernels move by whole megabytes, */
#define MOVED_MAX    ((uint64_t)1 << 31)

struct symbol {
	uint64_t addr, size;
	const char *name;
};

struct symbols {
	char *names;
	GArray *all;    /* of struct symbol, by address */
	uint64_t entry; /* of system calls; 0: the file has none */
};

void symbols_free(struct symbols *s)
{
	if (!s)
		return;
	g_free(s->names);
	g_array_unref(s->all);
	g_free(s);
}

/*
 * Reading.
 */
/* A table of the file, with a zero byte behind it; NULL if it cannot be. Free with g_free(). */
static char *read_table(int fd, uint64_t at, uint64_t len)
{
	char *table;

	if (len > TABLE_MAX || at > INT64_MAX - len)
		return NULL;
	table = g_malloc(len + 1);
	table[len] = 0;
	if (read_all(fd, table, len, at))
		return table;
	g_free(table);
	return NULL;
}

struct file {
	int fd;
	bool wide; /* 64 bits */
	uint64_t sections_at;
	unsigned n_sections, section_size;
};

/* The offsets and sizes of the two classes of ELF, read into those of the larger. */
static bool read_section(const struct file *f, unsigned n, Elf64_Shdr *ret)
{
	uint64_t at = f->sections_at + (uint64_t)n * f->section_size;
	Elf32_Shdr narrow;

	if (n >= f->n_sections || at > INT64_MAX - sizeof(*ret))
		return false;
	if (f->wide)
		return read_all(f->fd, ret, sizeof(*ret), at);
	if (!read_all(f->fd, &narrow, sizeof(narrow), at))
		return false;
	*ret = (Elf64_Shdr){ .sh_type = narrow.sh_type,
			     .sh_offset = narrow.sh_offset,
			     .sh_size = narrow.sh_size,
			     .sh_link = narrow.sh_link };
	return true;
}

static bool read_header(struct file *f)
{
	Elf64_Ehdr e;
	Elf32_Ehdr narrow;

	if (!read_all(f->fd, &e, sizeof(e), 0) || memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 ||
	    e.e_ident[EI_DATA] != ELFDATA2LSB)
		return false;
	f->wide = e.e_ident[EI_CLASS] == ELFCLASS64;
	memcpy(&narrow, &e, sizeof(narrow));
	f->sections_at = f->wide ? e.e_shoff : narrow.e_shoff;
	f->n_sections = f->wide ? e.e_shnum : narrow.e_shnum;
	f->section_size = f->wide ? e.e_shentsize : narrow.e_shentsize;
	return f->section_size >= (f->wide ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr)) &&
	       f->n_sections < SECTIONS_MAX;
}

static Elf64_Sym symbol_at(const struct file *f, const char *table, uint64_t i)
{
	Elf64_Sym sym;
	Elf32_Sym narrow;

	if (f->wide) {
		memcpy(&sym, table + i * sizeof(sym), sizeof(sym));
		return sym;
	}
	memcpy(&narrow, table + i * sizeof(narrow), sizeof(narrow));
	return (Elf64_Sym){ .st_name = narrow.st_name,
			    .st_info = narrow.st_info,
			    .st_shndx = narrow.st_shndx,
			    .st_value = narrow.st_value,
			    .st_size = narrow.st_size };
}

static void take_symbol(struct symbols *s, const Elf64_Sym *sym, uint64_t names_len)
{
	unsigned type = ELF64_ST_TYPE(sym->st_info);
	struct symbol one = { sym->st_value, sym->st_size, NULL };

	if ((type != STT_FUNC && type != STT_NOTYPE) || sym->st_shndx == SHN_UNDEF ||
	    sym->st_shndx >= SHN_LORESERVE || sym->st_name >= names_len)
		return;
	one.name = s->names + sym->st_name;
	if (!*one.name)
		return;
	g_array_append_val(s->all, one);
	if (strcmp(one.name, ENTRY) == 0)
		s->entry = one.addr;
}

static int compare_symbols(gconstpointer a, gconstpointer b)
{
	const struct symbol *p = a, *q = b;

	return p->addr < q->addr ? -1 : p->addr > q->addr;
}

static bool read_symbols(struct symbols *s, const struct file *f)
{
	size_t size = f->wide ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
	Elf64_Shdr symtab = { 0 }, strtab;
	char *table;

	for (unsigned i = 0; symtab.sh_type != SHT_SYMTAB; i++)
		if (!read_section(f, i, &symtab))
			return false;
	if (!read_section(f, symtab.sh_link, &strtab))
		return false;
	s->names = read_table(f->fd, strtab.sh_offset, strtab.sh_size);
	table = s->names ? read_table(f->fd, symtab.sh_offset, symtab.sh_size) : NULL;
	for (uint64_t i = 0; table && i < symtab.sh_size / size; i++) {
		Elf64_Sym sym = symbol_at(f, table, i);

		take_symbol(s, &sym, strtab.sh_size);
	}
	g_free(table);
	g_array_sort(s->all, compare_symbols);
	return s->all->len > 0;
}

struct symbols *symbols_open(const char *path, GError **err)
{
	struct symbols *s = NULL;
	struct file f = { .fd = open(path, O_RDONLY | O_CLOEXEC) };

	if (f.fd < 0) {
		ringside_usage(err, "--symbols %s: %s", path, g_strerror(errno));
		return NULL;
	}
	s = g_new0(struct symbols, 1);
	s->all = g_array_new(FALSE, FALSE, sizeof(struct symbol));
	if (!read_header(&f) || !read_symbols(s, &f)) {
		ringside_usage(err,
			       "--symbols %s: no ELF file with a symbol table; a kernel's is its "
			       "vmlinux, not stripped",
			       path);
		g_clear_pointer(&s, symbols_free);
	}
	close(f.fd);
	return s;
}

/*
 * Looking up.
 */

/* The last one that begins at or below @addr, or NULL. */
static const struct symbol *find_symbol(const struct symbols *s, uint64_t addr)
{
	guint lo = 0, hi = s->all->len;

	while (lo < hi) {
		guint mid = lo + (hi - lo) / 2;

		if (g_array_index(s->all, struct symbol, mid).addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? &g_array_index(s->all, struct symbol, lo - 1) : NULL;
}

char *symbols_name(const struct symbols *s, uint64_t addr, uint64_t system_call)
{
	uint64_t moved = s->entry && system_call ? system_call - s->entry : 0;
	const struct symbol *found;
	uint64_t off;

	if (moved % MOVED_ALIGN || moved > MOVED_MAX)
		return NULL; /* that is another kernel's */
	found = find_symbol(s, addr - moved);
	off = found ? addr - moved - found->addr : 0;
	if (!found || off >= (found->size ? found->size : FAR))
		return NULL;
	return g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x%s", found->name, off,
			       moved ? " (moved)" : "");
}
