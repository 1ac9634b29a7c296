/*
 * A machine need have no firmware, so the bus does what it would have done before a kernel looks:
 * every BAR has an address and every pin a line from the start. Decoding is off, as after a
 * hardware reset. Linux keeps addresses that it finds inside the host bridge's window and turns
 * decoding on with the driver; had it been on already, sizing each BAR would take it off and on
 * again, which moves regions and doorbells for nothing.
 *
 * Functions carry no PCI Express capability: a kernel that finds one walks the extended space for a
 * dozen capabilities that no virtio device has, one exit to this process each. ECAM works without.
 *
 * INTx: pin A of the function at slot S is line 16 + S % 4, the usual swizzle. Functions share
 * lines; each has its own level and its own way to know that the interrupt ended.
 */
#include "transport/pci/root.h"

#include <errno.h>
#include <string.h>

#include "devices/base/error.h"

#define PORT_ADDRESS  0xcf8u
#define PORT_ENABLE   0x80000000u
#define PORT_REGISTER 0xfcu

#define RESET_CONTROL 1u /* offset in the ports, of one byte */
#define RESET_NOW     0x04u
#define RESET_KINDS   0x0au /* of a full power cycle, of a hard reset: all the same here */

struct pci_root {
	struct board *board;
	struct pci_root_config config;
	struct board_region ecam, ports;
	pthread_mutex_t lock; /* of address */
	uint32_t address;     /* what was written to port 0xcf8 */
	_Atomic uint8_t reset_control;
	struct pci_function bridge;
	struct pci_function *slot[PCI_SLOTS];
};

/* Of virtual machines' generic PCI Express host bridge; no driver binds to it. */
static const struct pci_ids bridge_ids = {
	.vendor = 0x1b36,
	.device = 0x0008,
	.subsystem_vendor = 0x1af4,
	.subsystem = 0x1100,
	.class = 0x060000,
};

static const struct pci_function_ops bridge_ops = { 0 };

static uint32_t all_ones(unsigned len)
{
	return len >= 4 ? UINT32_MAX : (1u << (8 * len)) - 1;
}

uint32_t pci_root_read(struct pci_root *root, unsigned devfn, unsigned reg, unsigned len)
{
	struct pci_function *f = devfn % 8 == 0 && devfn / 8 < PCI_SLOTS ? root->slot[devfn / 8]
									 : NULL;

	if (!f)
		return all_ones(len);
	return pci_config_read(f, reg, len);
}

void pci_root_write(struct pci_root *root, unsigned devfn, unsigned reg, unsigned len,
		    uint32_t value)
{
	struct pci_function *f = devfn % 8 == 0 && devfn / 8 < PCI_SLOTS ? root->slot[devfn / 8]
									 : NULL;

	if (f)
		pci_config_write(f, reg, len, value);
}

/*
 * ECAM: bits 12 to 19 of the offset are the function, 0 to 11 the register. Only what a processor
 * does in one access of up to four aligned bytes is one (PCI Express 7.2.2); the rest reads ones.
 */

static bool is_sound(uint64_t off, unsigned len)
{
	return len <= 4 && off % len == 0;
}

static uint64_t ecam_read(void *opaque, uint64_t off, unsigned len)
{
	if (!is_sound(off, len))
		return UINT64_MAX;
	return pci_root_read(opaque, (unsigned)(off >> 12), off & 0xfff, len);
}

static void ecam_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	if (is_sound(off, len))
		pci_root_write(opaque, (unsigned)(off >> 12), off & 0xfff, len, (uint32_t)value);
}

/*
 * Ports: 0xcf8 (four bytes at once) says which register 0xcfc to 0xcff stand for. Bus 0 is all
 * there is. A single byte at 0xcf9 is something else, the reset control register that chipsets have
 * there.
 */

/* The function and register behind @off (4 to 7) bytes into the ports; false if there is none. */
static bool port_target(struct pci_root *root, uint64_t off, unsigned *ret_devfn, unsigned *ret_reg)
{
	uint32_t address;

	pthread_mutex_lock(&root->lock);
	address = root->address;
	pthread_mutex_unlock(&root->lock);
	if (!(address & PORT_ENABLE) || address & 0x00ff0000)
		return false;
	*ret_devfn = address >> 8 & 0xff;
	*ret_reg = (address & PORT_REGISTER) | (off & 3);
	return true;
}

static uint64_t ports_read(void *opaque, uint64_t off, unsigned len)
{
	struct pci_root *root = opaque;
	unsigned devfn, reg;
	uint32_t address;

	if (off == 0 && len == 4) {
		pthread_mutex_lock(&root->lock);
		address = root->address;
		pthread_mutex_unlock(&root->lock);
		return address;
	}
	if (off == RESET_CONTROL && len == 1)
		return root->reset_control;
	if (off < 4 || !is_sound(off, len) || !port_target(root, off, &devfn, &reg))
		return UINT64_MAX;
	return pci_root_read(root, devfn, reg, len);
}

static void write_reset_control(struct pci_root *root, uint8_t value)
{
	root->reset_control = value & RESET_KINDS;
	if (value & RESET_NOW && root->config.reset)
		root->config.reset(root->config.opaque);
}

static void ports_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct pci_root *root = opaque;
	unsigned devfn, reg;

	if (off == 0 && len == 4) {
		pthread_mutex_lock(&root->lock);
		root->address = (uint32_t)value;
		pthread_mutex_unlock(&root->lock);
	} else if (off == RESET_CONTROL && len == 1) {
		write_reset_control(root, (uint8_t)value);
	} else if (off >= 4 && is_sound(off, len) && port_target(root, off, &devfn, &reg)) {
		pci_root_write(root, devfn, reg, len, (uint32_t)value);
	}
}

/*
 * Plugging.
 */

unsigned pci_root_gsi(unsigned slot, unsigned pin)
{
	return PCI_GSI_BASE + (slot + pin) % 4;
}

/* A BAR of the first @n of @f's that would overlap @want at @address; NULL: none. */
static const struct pci_bar *bar_at(const struct pci_function *f, unsigned n,
				    const struct pci_bar *want, uint64_t address)
{
	for (unsigned b = 0; b < n; b++) {
		const struct pci_bar *bar = &f->bar[b];

		if (bar->size && bar->io == want->io && address < bar->address + bar->size &&
		    bar->address < address + want->size)
			return bar;
	}
	return NULL;
}

/* The same of all functions there are, and of those of @f that have their addresses: before
 * @want. */
static const struct pci_bar *taken_at(const struct pci_root *root, const struct pci_function *f,
				      const struct pci_bar *want, uint64_t address)
{
	const struct pci_bar *bar = bar_at(f, (unsigned)(want - f->bar), want, address);

	for (unsigned slot = 0; slot < PCI_SLOTS && !bar; slot++)
		if (root->slot[slot])
			bar = bar_at(root->slot[slot], PCI_BARS, want, address);
	return bar;
}

/* The lowest address at which BAR @b fits; those of removed functions are free again. */
static bool place_bar(const struct pci_root *root, struct pci_function *f, unsigned b)
{
	const struct pci_root_config *c = &root->config;
	bool io = f->bar[b].io;
	uint64_t at = io ? c->io_base : c->mem_base, size = f->bar[b].size;
	uint64_t end = at + (io ? c->io_size : c->mem_size);

	for (;;) {
		const struct pci_bar *other;

		at = (at + size - 1) & ~(size - 1);
		if (at > end || size > end - at)
			return false;
		other = taken_at(root, f, &f->bar[b], at);
		if (!other)
			break;
		at = other->address + other->size;
	}
	f->bar[b].address = at;
	return true;
}

/* Addresses for the BARs, each aligned to its size. */
static bool place_bars(const struct pci_root *root, struct pci_function *f, GError **err)
{
	for (unsigned b = 0; b < PCI_BARS; b++)
		if (f->bar[b].size && !place_bar(root, f, b))
			return ringside_usage(err,
					      "no PCI %s left for a BAR of %" G_GUINT64_FORMAT
					      " bytes: use fewer devices",
					      f->bar[b].io ? "I/O ports" : "memory",
					      f->bar[b].size);
	return true;
}

static unsigned free_slot(const struct pci_root *root)
{
	unsigned slot = 1;

	while (slot < PCI_SLOTS && root->slot[slot])
		slot++;
	return slot;
}

bool pci_root_add(struct pci_root *root, struct pci_function *f, unsigned slot, GError **err)
{
	if (slot == 0)
		slot = free_slot(root);
	else if (slot < PCI_SLOTS && root->slot[slot])
		return ringside_usage(err, "slot=%u: is taken; slot=0 finds a free one", slot);
	if (slot >= PCI_SLOTS)
		return ringside_usage(err, "a PCI bus has slots 1 to %u%s", PCI_SLOTS - 1,
				      slot == PCI_SLOTS ? ", and all are taken" : "");
	if (!place_bars(root, f, err))
		return false;
	f->board = root->board;
	f->slot = slot;
	f->gsi = pci_root_gsi(slot, 0);
	if (f->config[PCI_INTERRUPT_PIN])
		f->config[PCI_INTERRUPT_LINE] = (uint8_t)f->gsi;
	pci_config_seal(f);
	root->slot[slot] = f;
	return true;
}

void pci_root_remove(struct pci_root *root, struct pci_function *f)
{
	if (root->slot[f->slot] == f)
		root->slot[f->slot] = NULL;
}

/*
 * Life.
 */

static bool add_regions(struct pci_root *root, GError **err)
{
	const struct board_ops *ops = root->board->ops;
	int ret = ops->region_add(root->board, &root->ecam);

	if (ret < 0)
		return ringside_error_errno(err, -ret, "PCI configuration region");
	if (root->config.no_ports)
		return true;
	ret = ops->region_add(root->board, &root->ports);
	if (ret < 0) {
		ops->region_del(root->board, &root->ecam);
		return ringside_error_errno(err, -ret, "PCI configuration ports");
	}
	return true;
}

static void root_destroy(struct pci_root *root)
{
	pci_config_clear(&root->bridge);
	pthread_mutex_destroy(&root->lock);
	g_free(root);
}

struct pci_root *pci_root_new(struct board *board, const struct pci_root_config *config,
			      GError **err)
{
	struct pci_root *root = g_new0(struct pci_root, 1);

	root->board = board;
	root->config = *config;
	root->ecam = (struct board_region){ .base = config->ecam_base,
					    .size = PCI_ECAM_SIZE,
					    .read = ecam_read,
					    .write = ecam_write,
					    .opaque = root };
	root->ports = (struct board_region){ .base = PORT_ADDRESS,
					     .size = 8,
					     .io = true,
					     .read = ports_read,
					     .write = ports_write,
					     .opaque = root };
	pthread_mutex_init(&root->lock, NULL);
	pci_config_init(&root->bridge, &bridge_ops, &bridge_ids);
	root->bridge.board = board;
	pci_config_seal(&root->bridge);
	root->slot[0] = &root->bridge;
	if (!add_regions(root, err)) {
		root_destroy(root);
		return NULL;
	}
	return root;
}

void pci_root_free(struct pci_root *root)
{
	if (!root)
		return;
	root->board->ops->region_del(root->board, &root->ecam);
	if (!root->config.no_ports)
		root->board->ops->region_del(root->board, &root->ports);
	root_destroy(root);
}

void pci_root_reset(struct pci_root *root)
{
	root->address = 0;
	root->reset_control = 0;
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
		if (root->slot[slot])
			pci_config_reset(root->slot[slot]);
}
