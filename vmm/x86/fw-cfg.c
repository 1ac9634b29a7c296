/*
 * Items are few and small: byte arrays, looked for one by one. The directory is one of them, made
 * anew whenever a file is added; a file's key is its place in it.
 */
#include "vmm/x86/fw-cfg.h"

#include <glib.h>
#include <pthread.h>
#include <string.h>

#include "vmm/x86/layout.h"

enum { SELECTOR = 0, DATA = 1, DMA_HIGH = 4, DMA_LOW = 8 };
enum { ID_PORTS = 1, ID_DMA = 2 };
enum { DMA_ERROR = 0x01, DMA_READ = 0x02, DMA_SKIP = 0x04, DMA_SELECT = 0x08, DMA_WRITE = 0x10 };

/* An entry of the directory. */
struct __attribute__((packed)) file {
	uint32_t size; /* these two are big-endian */
	uint16_t key;
	uint16_t reserved;
	char name[FW_CFG_NAME_MAX + 1];
};

/* What a guest asks for. */
struct __attribute__((packed)) descriptor {
	uint32_t control, length; /* all are big-endian; a key is control's upper half */
	uint64_t address;
};

struct item {
	uint16_t key;
	GByteArray *bytes;
};

struct fw_cfg {
	struct board_region region;
	const struct gmem *mem;
	pthread_mutex_t lock;       /* of these: */
	GArray *items;              /* of struct item */
	GArray *files;              /* of struct file */
	const GByteArray *selected; /* NULL: there is no item of that key */
	size_t at;                  /* the next byte of it */
	uint32_t dma_high;
};

/* NULL: there is none. */
static GByteArray *find_item(const struct fw_cfg *f, uint16_t key)
{
	for (guint i = 0; i < f->items->len; i++) {
		const struct item *item = &g_array_index(f->items, struct item, i);

		if (item->key == key)
			return item->bytes;
	}
	return NULL;
}

/* The item of that key, empty. */
static GByteArray *make_item(struct fw_cfg *f, uint16_t key)
{
	struct item item = { .key = key, .bytes = find_item(f, key) };

	if (item.bytes) {
		g_byte_array_set_size(item.bytes, 0);
		return item.bytes;
	}
	item.bytes = g_byte_array_new();
	g_array_append_val(f->items, item);
	return item.bytes;
}

static void put_item(struct fw_cfg *f, uint16_t key, const void *data, size_t len)
{
	g_byte_array_append(make_item(f, key), data, (guint)len);
}

void fw_cfg_add(struct fw_cfg *f, uint16_t key, const void *data, size_t len)
{
	pthread_mutex_lock(&f->lock);
	put_item(f, key, data, len);
	pthread_mutex_unlock(&f->lock);
}

static void put_directory(struct fw_cfg *f)
{
	const uint32_t n = GUINT32_TO_BE(f->files->len);
	GByteArray *all = make_item(f, FW_CFG_DIRECTORY);

	g_byte_array_append(all, (const guint8 *)&n, sizeof(n));
	for (guint i = 0; i < f->files->len; i++)
		g_byte_array_append(all, (const guint8 *)&g_array_index(f->files, struct file, i),
				    sizeof(struct file));
}

void fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, size_t len)
{
	uint16_t key = (uint16_t)(FW_CFG_FILES + f->files->len);
	struct file file = { .size = GUINT32_TO_BE((uint32_t)len), .key = GUINT16_TO_BE(key) };

	g_assert(f->files->len < FW_CFG_FILES_MAX && strlen(name) <= FW_CFG_NAME_MAX);
	g_strlcpy(file.name, name, sizeof(file.name));
	pthread_mutex_lock(&f->lock);
	g_array_append_val(f->files, file);
	put_item(f, key, data, len);
	put_directory(f);
	pthread_mutex_unlock(&f->lock);
}

/*
 * Reading.
 */
static void select_item(struct fw_cfg *f, uint16_t key)
{
	f->selected = find_item(f, key);
	f->at = 0;
}

/* How many of the next @len bytes the item has. */
static size_t item_has(const struct fw_cfg *f, size_t len)
{
	size_t size = f->selected ? f->selected->len : 0;

	return MIN(size - MIN(size, f->at), len);
}

static void item_skip(struct fw_cfg *f, size_t len)
{
	f->at += item_has(f, len);
}

static uint8_t next_byte(struct fw_cfg *f)
{
	return item_has(f, 1) ? f->selected->data[f->at++] : 0;
}

/* Zeros; false if some of it is not memory. */
static bool clear_memory(const struct gmem *mem, uint64_t gpa, size_t len)
{
	static const uint8_t zeros[4096];

	while (len) {
		size_t n = MIN(len, sizeof(zeros));

		if (!gmem_write(mem, gpa, zeros, n))
			return false;
		gpa += n;
		len -= n;
	}
	return true;
}

/* True if all of it is memory, which then has the item's next bytes, and zeros behind its end. */
static bool item_copy(struct fw_cfg *f, uint64_t gpa, uint32_t len)
{
	size_t has = item_has(f, len);

	if (len > FW_CFG_DMA_MAX || !gmem_has(f->mem, gpa, len))
		return false;
	if (has && !gmem_write(f->mem, gpa, f->selected->data + f->at, has))
		return false;
	f->at += has;
	if (!clear_memory(f->mem, gpa + has, len - has))
		return false;
	gmem_mark(f->mem, gpa, len);
	return true;
}

/* What a descriptor says; true if it could be done. */
static bool dma_run(struct fw_cfg *f, const struct descriptor *d)
{
	uint32_t control = GUINT32_FROM_BE(d->control), len = GUINT32_FROM_BE(d->length);

	if (control & DMA_SELECT)
		select_item(f, (uint16_t)(control >> 16));
	if (control & DMA_READ)
		return item_copy(f, GUINT64_FROM_BE(d->address), len);
	if (control & DMA_WRITE)
		return false;
	if (control & DMA_SKIP)
		item_skip(f, len);
	return true;
}

static void dma_start(struct fw_cfg *f, uint64_t gpa)
{
	struct descriptor d;

	if (!gmem_read(f->mem, gpa, &d, sizeof(d)))
		return;
	d.control = dma_run(f, &d) ? 0 : GUINT32_TO_BE(DMA_ERROR);
	if (gmem_write(f->mem, gpa, &d.control, sizeof(d.control)))
		gmem_mark(f->mem, gpa, sizeof(d.control));
}

/*
 * On the bus.
 */
static uint64_t fw_cfg_read(void *opaque, uint64_t off, unsigned len)
{
	static const char signature[8] = { 'Q', 'E', 'M', 'U', ' ', 'C', 'F', 'G' };
	struct fw_cfg *f = opaque;
	uint64_t value = UINT64_MAX;

	if (off == DATA && len == 1) {
		pthread_mutex_lock(&f->lock);
		value = next_byte(f);
		pthread_mutex_unlock(&f->lock);
	} else if (off >= DMA_HIGH) {
		value = 0;
		memcpy(&value, signature + (off - DMA_HIGH), len);
	}
	return value;
}

static void fw_cfg_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct fw_cfg *f = opaque;

	pthread_mutex_lock(&f->lock);
	if (off == SELECTOR && len == 2) {
		select_item(f, (uint16_t)value);
	} else if (off == DMA_HIGH && len == 4) {
		f->dma_high = GUINT32_FROM_BE((uint32_t)value);
	} else if (off == DMA_LOW && len == 4) {
		dma_start(f, (uint64_t)f->dma_high << 32 | GUINT32_FROM_BE((uint32_t)value));
		f->dma_high = 0;
	}
	pthread_mutex_unlock(&f->lock);
}

static void clear_item(void *item)
{
	g_byte_array_unref(((struct item *)item)->bytes);
}

struct fw_cfg *fw_cfg_new(const struct gmem *mem)
{
	struct fw_cfg *f = g_new0(struct fw_cfg, 1);

	pthread_mutex_init(&f->lock, NULL);
	f->mem = mem;
	f->items = g_array_new(FALSE, FALSE, sizeof(struct item));
	g_array_set_clear_func(f->items, clear_item);
	f->files = g_array_new(FALSE, FALSE, sizeof(struct file));
	f->region = (struct board_region){
		.base = LAYOUT_FW_CFG,
		.size = LAYOUT_FW_CFG_PORTS,
		.io = true,
		.read = fw_cfg_read,
		.write = fw_cfg_write,
		.opaque = f,
	};
	fw_cfg_reset(f);
	return f;
}

void fw_cfg_free(struct fw_cfg *f)
{
	if (!f)
		return;
	g_array_unref(f->items);
	g_array_unref(f->files);
	pthread_mutex_destroy(&f->lock);
	g_free(f);
}

struct board_region *fw_cfg_region(struct fw_cfg *f)
{
	return &f->region;
}

void fw_cfg_reset(struct fw_cfg *f)
{
	const uint32_t id = GUINT32_TO_LE(ID_PORTS | ID_DMA);

	pthread_mutex_lock(&f->lock);
	g_array_set_size(f->items, 0);
	f->selected = NULL;
	g_array_set_size(f->files, 0);
	f->dma_high = 0;
	put_item(f, FW_CFG_SIGNATURE, "QEMU", 4);
	put_item(f, FW_CFG_ID, &id, sizeof(id));
	put_directory(f);
	pthread_mutex_unlock(&f->lock);
}
