#include "transport/pci/msix.h"

#include <poll.h>
#include <string.h>

#include "devices/base/eventfd.h"

void pci_msix_init(struct pci_msix *x, struct pci_function *f, const struct pci_msix_layout *l)
{
	uint8_t body[PCI_MSIX_CAP_BYTES] = { PCI_CAP_MSIX };
	uint8_t writable[PCI_MSIX_CAP_BYTES] = {
		[PCI_MSIX_CONTROL + 1] = (PCI_MSIX_CONTROL_ENABLE | PCI_MSIX_CONTROL_MASK_ALL) >> 8
	};

	g_assert(l->n >= 1 && l->n <= PCI_MSIX_TABLE_MAX);
	x->f = f;
	x->n = l->n;
	pthread_mutex_init(&x->lock, NULL);
	x->vector = g_new0(struct pci_msix_vector, x->n);
	for (unsigned v = 0; v < x->n; v++)
		x->vector[v] = (struct pci_msix_vector){ .fd = -1,
							 .msi = -1,
							 .control = PCI_MSIX_ENTRY_MASKED };
	x->cap = pci_config_cap(f, body, sizeof(body), writable);
	pci_config_set16(f, x->cap + PCI_MSIX_CONTROL, (uint16_t)(x->n - 1));
	/* A BAR register's number, not ours: 64-bit BARs take two. */
	pci_config_set32(f, x->cap + PCI_MSIX_TABLE, l->table | l->bar * 2);
	pci_config_set32(f, x->cap + PCI_MSIX_PENDING, l->pending | l->bar * 2);
}

bool pci_msix_open(struct pci_msix *x, GError **err)
{
	for (unsigned v = 0; v < x->n; v++) {
		struct pci_msix_vector *vector = &x->vector[v];

		if (!eventfd_open(&vector->fd, "MSI-X vector", err))
			return false;
		vector->msi = x->f->board->ops->msi_open(x->f->board);
		if (vector->msi < 0)
			return ringside_error_errno(err, -vector->msi, "MSI-X vector %u of %u", v,
						    x->n);
	}
	return true;
}

/*
 * Attaching.
 */

static void drain(int fd)
{
	uint64_t count;

	(void)!read(fd, &count, sizeof(count));
}

static int msix_attach(struct pci_msix *x, struct pci_msix_vector *v, bool on)
{
	struct board *board = x->f->board;
	int ret = 0;

	if (on && v->moved) {
		ret = board->ops->msi_route(board, v->msi, v->address, v->data);
		v->moved = ret < 0;
	}
	if (ret == 0 && on != v->attached) {
		ret = board->ops->msi_attach(board, v->msi, v->fd, on);
		if (ret == 0 || !on)
			v->attached = on;
	}
	return ret;
}

static int follow(struct pci_msix *x, struct pci_msix_vector *v)
{
	return msix_attach(x, v, x->live && !(v->control & PCI_MSIX_ENTRY_MASKED));
}

bool pci_msix_enabled(const struct pci_msix *x)
{
	return pci_config_get16(x->f, x->cap + PCI_MSIX_CONTROL) & PCI_MSIX_CONTROL_ENABLE;
}

int pci_msix_update(struct pci_msix *x)
{
	uint16_t control = pci_config_get16(x->f, x->cap + PCI_MSIX_CONTROL);
	uint16_t command = pci_config_get16(x->f, PCI_COMMAND);
	int ret = 0;

	pthread_mutex_lock(&x->lock);
	/* A message is a write to memory: not without being bus master. */
	x->live = (control & (PCI_MSIX_CONTROL_ENABLE | PCI_MSIX_CONTROL_MASK_ALL)) ==
			  PCI_MSIX_CONTROL_ENABLE &&
		  command & PCI_COMMAND_BUS_MASTER;
	for (unsigned v = 0; v < x->n; v++) {
		int failed = follow(x, &x->vector[v]);

		ret = ret ? ret : failed;
		if (!(control & PCI_MSIX_CONTROL_ENABLE))
			drain(x->vector[v].fd);
	}
	pthread_mutex_unlock(&x->lock);
	return ret;
}

void pci_msix_reset(struct pci_msix *x)
{
	pthread_mutex_lock(&x->lock);
	x->live = false;
	for (unsigned i = 0; i < x->n; i++) {
		struct pci_msix_vector *v = &x->vector[i];

		if (v->attached)
			msix_attach(x, v, false);
		if (v->fd >= 0)
			drain(v->fd);
		v->address = 0;
		v->data = 0;
		v->moved = true;
		v->control = PCI_MSIX_ENTRY_MASKED;
	}
	pthread_mutex_unlock(&x->lock);
}

void pci_msix_clear(struct pci_msix *x)
{
	if (!x->vector)
		return;
	pci_msix_reset(x);
	for (unsigned v = 0; v < x->n; v++) {
		if (x->vector[v].msi >= 0)
			x->f->board->ops->msi_close(x->f->board, x->vector[v].msi);
		eventfd_close(&x->vector[v].fd);
	}
	pthread_mutex_destroy(&x->lock);
	g_free(g_steal_pointer(&x->vector));
}

/*
 * The table: address (two halves), data, control. Accesses are of 4 or 8 aligned bytes (6.8.2);
 * others read 0 and write nothing.
 */

static bool is_sound(const struct pci_msix *x, uint64_t off, unsigned len)
{
	return (len == 4 || len == 8) && off % len == 0 && off / PCI_MSIX_ENTRY_BYTES < x->n;
}

static uint32_t entry_get(const struct pci_msix_vector *v, unsigned word)
{
	switch (word) {
	case 0:
		return (uint32_t)v->address;
	case 1:
		return (uint32_t)(v->address >> 32);
	case 2:
		return v->data;
	default:
		return v->control;
	}
}

static void entry_set(struct pci_msix_vector *v, unsigned word, uint32_t value)
{
	switch (word) {
	case 0:
		v->address = (v->address & ~0xffffffffull) | (value & ~3u);
		break;
	case 1:
		v->address = (v->address & 0xffffffffull) | (uint64_t)value << 32;
		break;
	case 2:
		v->data = value;
		break;
	default:
		v->control = value & PCI_MSIX_ENTRY_MASKED;
		return;
	}
	v->moved = true;
}

uint64_t pci_msix_table_read(struct pci_msix *x, uint64_t off, unsigned len)
{
	unsigned word = off % PCI_MSIX_ENTRY_BYTES / 4;
	uint64_t value;

	if (!is_sound(x, off, len))
		return 0;
	pthread_mutex_lock(&x->lock);
	value = entry_get(&x->vector[off / PCI_MSIX_ENTRY_BYTES], word);
	if (len == 8)
		value |= (uint64_t)entry_get(&x->vector[off / PCI_MSIX_ENTRY_BYTES], word + 1)
			 << 32;
	pthread_mutex_unlock(&x->lock);
	return value;
}

int pci_msix_table_write(struct pci_msix *x, uint64_t off, unsigned len, uint64_t value)
{
	unsigned word = off % PCI_MSIX_ENTRY_BYTES / 4;
	struct pci_msix_vector *v;
	int ret;

	if (!is_sound(x, off, len))
		return 0;
	pthread_mutex_lock(&x->lock);
	v = &x->vector[off / PCI_MSIX_ENTRY_BYTES];
	entry_set(v, word, (uint32_t)value);
	if (len == 8)
		entry_set(v, word + 1, (uint32_t)(value >> 32));
	ret = follow(x, v);
	pthread_mutex_unlock(&x->lock);
	return ret;
}

static bool is_pending(const struct pci_msix_vector *v)
{
	struct pollfd p = { .fd = v->fd, .events = POLLIN };

	return !v->attached && poll(&p, 1, 0) > 0 && p.revents & POLLIN;
}

uint64_t pci_msix_pending_read(struct pci_msix *x, uint64_t off, unsigned len)
{
	uint64_t value = 0;

	if ((len != 4 && len != 8) || off % len)
		return 0;
	pthread_mutex_lock(&x->lock);
	for (unsigned bit = 0; bit < len * 8; bit++) {
		uint64_t v = off * 8 + bit;

		if (v < x->n && is_pending(&x->vector[v]))
			value |= 1ull << bit;
	}
	pthread_mutex_unlock(&x->lock);
	return value;
}
