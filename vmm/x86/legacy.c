#include "vmm/x86/legacy.h"

#include <stdatomic.h>

#include "vmm/machine/unanswered.h"
#include "vmm/x86/layout.h"

/* more than any keyboard controller has room for, and than who drains one takes */
#define OUTPUT_BYTES 32u

enum { STATUS_OUTPUT_FULL = 0x01, COMMAND_RESET = 0xfe };
enum { PORT_A_RESET = 0x01, PORT_A_A20 = 0x02 };
enum { PM1_SCI_ENABLE = 1, PM1_SLEEP_ENABLE = 1u << 13 };

/*
 * The keyboard controller.
 */
static uint64_t keyboard_status(void *opaque, uint64_t off, unsigned len)
{
	const struct legacy *l = opaque;

	(void)off;
	(void)len;
	if (l->unread)
		return STATUS_OUTPUT_FULL;
	if (l->unanswered)
		unanswered_add(l->unanswered, true, LAYOUT_KBD_PORT, 1, false);
	return 0;
}

static uint64_t keyboard_data(void *opaque, uint64_t off, unsigned len)
{
	struct legacy *l = opaque;
	unsigned n = l->unread;

	(void)off;
	(void)len;
	while (n && !atomic_compare_exchange_weak(&l->unread, &n, n - 1))
		;
	return 0xff;
}

static void keyboard_data_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct legacy *l = opaque;

	(void)off;
	(void)len;
	(void)value;
	l->unread = OUTPUT_BYTES;
}

static void keyboard_command(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct legacy *l = opaque;

	keyboard_data_write(l, off, len, value);
	if ((value & 0xff) == COMMAND_RESET)
		l->ops->reset(l->opaque);
}

/*
 * The others.
 */
static uint64_t port_a_read(void *opaque, uint64_t off, unsigned len)
{
	(void)opaque;
	(void)off;
	(void)len;
	return PORT_A_A20;
}

static void port_a_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct legacy *l = opaque;

	(void)off;
	(void)len;
	if (value & PORT_A_RESET)
		l->ops->reset(l->opaque);
}

static uint64_t pm1_read(void *opaque, uint64_t off, unsigned len)
{
	(void)opaque;
	(void)len;
	return off == 0 ? PM1_SCI_ENABLE : 0;
}

static void pm1_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct legacy *l = opaque;

	if (off == 0 && len == 2 && value & PM1_SLEEP_ENABLE)
		l->ops->power_off(l->opaque);
}

static const struct board_region regions[LEGACY_REGIONS] = {
	{ .base = LAYOUT_KBD_DATA, .size = 1, .read = keyboard_data, .write = keyboard_data_write },
	{ .base = LAYOUT_KBD_PORT, .size = 1, .read = keyboard_status, .write = keyboard_command },
	{ .base = LAYOUT_PORT_A, .size = 1, .read = port_a_read, .write = port_a_write },
	{ .base = LAYOUT_PM1_QEMU, .size = 2, .read = pm1_read, .write = pm1_write },
	{ .base = LAYOUT_PM1_BOCHS, .size = 2, .read = pm1_read, .write = pm1_write },
};

void legacy_init(struct legacy *l, const struct pm_ops *ops, void *opaque,
		 struct unanswered_table *unanswered)
{
	*l = (struct legacy){
		.ops = ops, .opaque = opaque, .unanswered = unanswered, .unread = OUTPUT_BYTES
	};
	for (unsigned i = 0; i < LEGACY_REGIONS; i++) {
		l->region[i] = regions[i];
		l->region[i].io = true;
		l->region[i].opaque = l;
	}
}
