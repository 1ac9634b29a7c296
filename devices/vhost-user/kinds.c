#include "devices/vhost-user/kinds.h"

#include <string.h>

#include "devices/base/error.h"

#define BIT(n) (1ull << (n))

/* A network card's control queue is the front-end's with all that its commands are about, and this
 * one has none: CTRL_GUEST_OFFLOADS, CTRL_VQ to CTRL_MAC_ADDR. */
#define NET_CONTROL (BIT(2) | BIT(17) | BIT(18) | BIT(19) | BIT(20) | BIT(21) | BIT(22) | BIT(23))

#define BLK_F_MQ            BIT(12)
#define CONSOLE_F_MULTIPORT BIT(1)

/* By type. Sizes and queues: VIRTIO 1.4, 5 Device Types. */
static const struct vhu_kind kinds[] = {
	{ "net", 1, 0x020000, 12, .queues = 2, .withheld = NET_CONTROL },
	{ "blk", 2, 0x010000, 60, .more = 1, .has = "request queues", .count_at = 34,
	  .count_bytes = 2, .count_if = BLK_F_MQ, .trailer = 1 },
	{ "console", 3, 0x078000, 12, .queues = 2, .withheld = CONSOLE_F_MULTIPORT },
	{ "rng", 4, 0xff0000, 0, .queue_size = 64, .queues = 1 },
	{ "scsi", 8, 0x010000, 36, .queues = 2, .more = 1, .has = "request queues",
	  .count_bytes = 4 },
	{ "input", 18, 0x098000, 136, .queue_size = 64, .queues = 2 },
	/* The event queue tells of a guest that has moved; nobody has anything to say there. */
	{ "vsock", 19, 0x078000, 8, .queues = 3, .apart = 1 },
	{ "crypto", 20, 0x100000, 56, .queues = 1, .more = 1, .has = "data queues", .trailer = 1 },
	{ "snd", 25, 0x040100, 12, .queues = 4, .trailer = 8 },
	{ "fs", 26, 0x018000, 40, .queues = 1, .more = 1, .has = "request queues", .count_at = 36,
	  .count_bytes = 4 },
	{ "i2c", 34, 0x0c0500, 0, .queues = 1, .trailer = 1 },
	{ "gpio", 41, 0xff0000, 8, .queues = 2 },
};

#define TRAILER_UNKNOWN 8u

#define UNKNOWN_TYPE_MAX 63u /* PCI device ids of virtio 1: 0x1040 + type, below 0x1080 */

static char *kind_names(void)
{
	GString *out = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		g_string_append_printf(out, "%s%s", i ? ", " : "", kinds[i].name);
	return g_string_free(out, FALSE);
}

static const struct vhu_kind *kind_by_id(guint64 id)
{
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (kinds[i].id == id)
			return &kinds[i];
	return NULL;
}

/* Balloon, gpu, iommu, memory, pmem: what they are about is where the guest has its pages. */
static bool kind_by_address(uint32_t id)
{
	return id == 5 || id == 16 || id == 23 || id == 24 || id == 27;
}

bool vhu_kind_find(struct vhu_kind *ret, const char *text, const char *context, GError **err)
{
	g_autofree char *names = kind_names();
	const struct vhu_kind *known;
	guint64 id = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (strcmp(kinds[i].name, text) == 0)
			id = kinds[i].id;
	if (!id && !g_ascii_string_to_unsigned(text, 10, 1, UNKNOWN_TYPE_MAX, &id, NULL))
		return ringside_usage(err,
				      "%s,type=%s: not known; it takes %s, or the number of a "
				      "virtio device type, 1 to %u",
				      context, text, names, UNKNOWN_TYPE_MAX);
	known = kind_by_id(id);
	if (known)
		*ret = *known;
	else
		*ret = (struct vhu_kind){
			.id = (uint32_t)id,
			.pci_class = 0xff0000,
			.more = 1,
			.has = "queues",
			.trailer = TRAILER_UNKNOWN,
			.by_address = kind_by_address((uint32_t)id),
		};
	return true;
}

char *vhu_kinds_help(unsigned width)
{
	GString *out = g_string_new("Types of devices, by virtio's number, with their queues:\n");

	(void)width;
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		const struct vhu_kind *k = &kinds[i];

		g_string_append_printf(out, "  %-8s %2u  ", k->name, k->id);
		if (k->queues)
			g_string_append_printf(out, "%u%s", k->queues, k->more ? ", and " : "");
		if (k->more)
			g_string_append_printf(out, "queues= %s", k->has);
		g_string_append_c(out, '\n');
	}
	g_string_append(out, "  any other: type=N,queues=N,config-size=N\n");
	return g_string_free(out, FALSE);
}
