/*
 * A write to configuration space changes the bits that the write mask allows, byte by byte, and
 * then three things are looked at anew: the BARs (their address bits are plain bytes; sizing works
 * because the bits below a BAR's size are not writable), where they are decoded, and whatever the
 * function's own hook watches.
 *
 * A BAR that is decoded is a region of the board. It is moved by taking the region away and putting
 * it back elsewhere. An address where the board has something already is the guest's mistake: the
 * BAR is then decoded nowhere, as if the other device had won.
 */
#include "transport/pci/config.h"

#include <glib.h>
#include <string.h>

static bool in_space(unsigned reg, unsigned len)
{
	return reg < PCI_CONFIG_BYTES && len <= PCI_CONFIG_BYTES - reg;
}

uint16_t pci_config_get16(const struct pci_function *f, unsigned reg)
{
	return (uint16_t)(f->config[reg] | f->config[reg + 1] << 8);
}

uint32_t pci_config_get32(const struct pci_function *f, unsigned reg)
{
	return pci_config_get16(f, reg) | (uint32_t)pci_config_get16(f, reg + 2) << 16;
}

void pci_config_set16(struct pci_function *f, unsigned reg, uint16_t value)
{
	f->config[reg] = (uint8_t)value;
	f->config[reg + 1] = (uint8_t)(value >> 8);
}

void pci_config_set32(struct pci_function *f, unsigned reg, uint32_t value)
{
	pci_config_set16(f, reg, (uint16_t)value);
	pci_config_set16(f, reg + 2, (uint16_t)(value >> 16));
}

/*
 * Making.
 */

void pci_config_init(struct pci_function *f, const struct pci_function_ops *ops,
		     const struct pci_ids *ids)
{
	f->ops = ops;
	pthread_mutex_init(&f->lock, NULL);
	pci_config_set16(f, PCI_VENDOR_ID, ids->vendor);
	pci_config_set16(f, PCI_DEVICE_ID, ids->device);
	pci_config_set16(f, PCI_SUBSYSTEM_VENDOR, ids->subsystem_vendor);
	pci_config_set16(f, PCI_SUBSYSTEM_ID, ids->subsystem);
	pci_config_set32(f, PCI_REVISION, ids->class << 8 | ids->revision);
	f->config[PCI_INTERRUPT_PIN] = ids->intx ? 1 : 0;
	f->wmask[PCI_INTERRUPT_LINE] = 0xff;
	f->wmask[PCI_COMMAND] = PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER;
	f->wmask[PCI_COMMAND + 1] = ids->intx ? PCI_COMMAND_INTX_DISABLE >> 8 : 0;
	f->cap_end = PCI_FIRST_CAP;
}

void pci_config_clear(struct pci_function *f)
{
	for (unsigned b = 0; b < PCI_BARS; b++)
		if (f->bar[b].mapped) {
			f->board->ops->region_del(f->board, &f->bar[b].region);
			f->bar[b].mapped = 0;
		}
	pthread_mutex_destroy(&f->lock);
}

static uint64_t region_read(void *opaque, uint64_t off, unsigned len)
{
	struct pci_bar *bar = opaque;
	struct pci_function *f = bar->function;

	return f->ops->bar_read(f, (unsigned)(bar - f->bar), off, len);
}

static void region_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct pci_bar *bar = opaque;
	struct pci_function *f = bar->function;

	f->ops->bar_write(f, (unsigned)(bar - f->bar), off, len, value);
}

/* In @bytes of registers, of which the first has these @flags. */
static void add_bar(struct pci_function *f, unsigned bar, uint64_t size, unsigned bytes,
		    uint8_t flags)
{
	unsigned reg = PCI_BAR0 + bar * 8;
	uint64_t writable = ~(size - 1);

	g_assert(bar < PCI_BARS && (size & (size - 1)) == 0);
	f->bar[bar].size = size;
	f->bar[bar].io = flags & PCI_BAR_IO;
	f->bar[bar].function = f;
	f->bar[bar].region = (struct board_region){ .size = size,
						    .io = f->bar[bar].io,
						    .read = region_read,
						    .write = region_write,
						    .opaque = &f->bar[bar] };
	f->config[reg] = flags;
	for (unsigned i = 0; i < bytes; i++)
		f->wmask[reg + i] = (uint8_t)(writable >> (8 * i));
}

void pci_config_bar(struct pci_function *f, unsigned bar, uint64_t size)
{
	g_assert(size >= 4096);
	add_bar(f, bar, size, 8, PCI_BAR_64);
}

/* All 32 bits can be written, though ports have 16: who asks for the size wants to see them. */
void pci_config_io_bar(struct pci_function *f, unsigned bar, uint64_t size)
{
	g_assert(size >= 4 && size <= 256);
	add_bar(f, bar, size, 4, PCI_BAR_IO);
	f->wmask[PCI_COMMAND] |= PCI_COMMAND_IO;
}

unsigned pci_config_cap(struct pci_function *f, const void *body, unsigned len,
			const uint8_t *writable)
{
	unsigned at = f->cap_end;

	g_assert(len >= 2 && len <= PCI_CONFIG_BYTES - at);
	memcpy(f->config + at, body, len);
	if (writable)
		memcpy(f->wmask + at, writable, len);
	f->config[at + 1] = 0;
	f->config[f->cap_last ? f->cap_last + 1 : PCI_CAP_POINTER] = (uint8_t)at;
	f->config[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
	f->cap_last = at;
	f->cap_end = (at + len + 3) & ~3u;
	return at;
}

void pci_config_seal(struct pci_function *f)
{
	for (unsigned b = 0; b < PCI_BARS; b++)
		if (f->bar[b].size) {
			unsigned reg = PCI_BAR0 + b * 8;

			pci_config_set32(f, reg,
					 (uint32_t)f->bar[b].address | (f->config[reg] & 0x0f));
			if (!f->bar[b].io)
				pci_config_set32(f, reg + 4, (uint32_t)(f->bar[b].address >> 32));
		}
	memcpy(f->after_reset, f->config, sizeof(f->after_reset));
}

/*
 * BARs.
 */

/* 0: it is not decoded. */
static uint64_t bar_address(const struct pci_function *f, unsigned b)
{
	const struct pci_bar *bar = &f->bar[b];
	unsigned reg = PCI_BAR0 + b * 8;
	uint64_t address = pci_config_get32(f, reg) &
			   (bar->io ? PCI_BAR_IO_MASK : PCI_BAR_MEM_MASK);

	if (!bar->size ||
	    !(f->config[PCI_COMMAND] & (bar->io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)))
		return 0;
	if (bar->io)
		return address <= UINT16_MAX ? address : 0;
	return address | (uint64_t)pci_config_get32(f, reg + 4) << 32;
}

static void map_bar(struct pci_function *f, unsigned b)
{
	struct pci_bar *bar = &f->bar[b];
	uint64_t address = bar_address(f, b);

	if (address == bar->mapped)
		return;
	if (bar->mapped)
		f->board->ops->region_del(f->board, &bar->region);
	bar->region.base = address;
	if (address && f->board->ops->region_add(f->board, &bar->region) < 0)
		address = 0;
	if (address == bar->mapped)
		return;
	bar->mapped = address;
	if (f->ops->remapped)
		f->ops->remapped(f, b);
}

static void map_bars(struct pci_function *f)
{
	for (unsigned b = 0; b < PCI_BARS; b++)
		map_bar(f, b);
}

/*
 * Accesses.
 */

uint32_t pci_config_read(struct pci_function *f, unsigned reg, unsigned len)
{
	uint32_t value = 0;

	if (!in_space(reg, len))
		return 0;
	pthread_mutex_lock(&f->lock);
	if (f->ops->before_read)
		f->ops->before_read(f, reg, len);
	for (unsigned i = 0; i < len; i++)
		value |= (uint32_t)f->config[reg + i] << (8 * i);
	pthread_mutex_unlock(&f->lock);
	return value;
}

static bool pci_overlaps(unsigned reg, unsigned len, unsigned first, unsigned end)
{
	return reg < end && first < reg + len;
}

void pci_config_write(struct pci_function *f, unsigned reg, unsigned len, uint32_t value)
{
	if (!in_space(reg, len))
		return;
	pthread_mutex_lock(&f->lock);
	for (unsigned i = 0; i < len; i++) {
		uint8_t mask = f->wmask[reg + i], byte = (uint8_t)(value >> (8 * i));

		f->config[reg + i] = (uint8_t)((f->config[reg + i] & ~mask) | (byte & mask));
	}
	if (pci_overlaps(reg, len, PCI_BAR0, PCI_BAR0 + 8 * PCI_BARS) ||
	    pci_overlaps(reg, len, PCI_COMMAND, PCI_COMMAND + 2))
		map_bars(f);
	if (f->ops->written)
		f->ops->written(f, reg, len);
	pthread_mutex_unlock(&f->lock);
}

void pci_config_reset(struct pci_function *f)
{
	pthread_mutex_lock(&f->lock);
	memcpy(f->config, f->after_reset, sizeof(f->config));
	map_bars(f);
	pthread_mutex_unlock(&f->lock);
	if (f->ops->reset)
		f->ops->reset(f);
}
