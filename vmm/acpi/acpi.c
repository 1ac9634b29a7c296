/*
 * ACPI tables (ACPI 6.3, chapter 5): RSDP -> XSDT -> FADT -> DSDT, MADT and, with PCI, MCFG.
 *
 * The machine is of the hardware-reduced kind (4.1): it has no PM1 block, no PM timer and no fixed
 * events. A kernel then looks for no 8259, no PIT and no SCI, which is most of what it would probe
 * for (the 8259s and the PIT are there for those who know no ACPI), and the interrupts of the
 * tables are I/O APIC pins and nothing else. What remains to be
 * described is small: two sleep registers and a reset register (vmm/x86/pm.h), and an event device
 * whose interrupt means "read the event register". The power button is such an event.
 *
 * A machine with firmware is described as a whole PC instead, with the few registers of fixed
 * hardware that such a one must have (4.8.3): a BIOS leaves the 8259s and the PIT at work, at
 * vectors that are exceptions to a kernel, and the kernel puts them off only if the tables say that
 * they are there.
 *
 * The flags of the FADT say which relics of a PC are missing: keyboard controller, clock, VGA.
 * The DSDT itself is written by dsdt.c.
 */
#include "vmm/acpi/acpi-int.h"

#include <string.h>

#include "devices/base/error.h"
#include "vmm/acpi/dsdt.h"
#include "vmm/x86/layout.h"
#include "vmm/x86/pm.h"

struct __attribute__((packed)) header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision;
	char creator[4];
	uint32_t creator_revision;
};

struct __attribute__((packed)) rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem[6];
	uint8_t revision;
	uint32_t rsdt, length;
	uint64_t xsdt;
	uint8_t checksum_all, reserved[3];
};

struct __attribute__((packed)) address { /* Generic Address Structure, 5.2.3.2 */
	uint8_t space, bits, offset, access;
	uint64_t at;
};

struct __attribute__((packed)) fadt {
	struct header h;
	uint32_t facs, dsdt;
	uint8_t reserved1, profile;
	uint16_t sci;
	uint32_t smi_command;
	uint8_t smi_values[4];
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, timer, gpe[2];
	uint8_t pm1_event_len, pm1_control_len, other_lens[4], gpe1_base, cstates;
	uint16_t c2_latency, c3_latency;
	uint8_t flush_and_duty[6], alarms[2];
	uint8_t century; /* the clock's register */
	uint16_t boot_flags;
	uint8_t reserved2;
	uint32_t flags;
	struct address reset;
	uint8_t reset_value;
	uint16_t arm_flags;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	struct address blocks[8];
	struct address sleep_control, sleep_status;
	char hypervisor[8];
};

struct __attribute__((packed)) facs {
	char signature[4];
	uint32_t length;
	uint8_t nothing[24]; /* nobody wakes up here */
	uint8_t version, reserved[31];
};

struct __attribute__((packed)) madt {
	struct header h;
	uint32_t lapic, flags;
};

struct __attribute__((packed)) mcfg {
	struct header h;
	uint64_t reserved, base;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint32_t reserved2;
};

enum {
	SPACE_IO = 1,
	ACCESS_BYTE = 1,

	BOOT_NO_VGA = 1u << 2,
	BOOT_NO_CLOCK = 1u << 5,

	FLAG_WBINVD = 1u << 0,
	FLAG_POWER_BUTTON = 1u << 4, /* is a device, not a fixed event */
	FLAG_SLEEP_BUTTON = 1u << 5, /* likewise, or missing */
	FLAG_NO_RTC_EVENT = 1u << 6, /* the clock's alarm is no fixed event */
	FLAG_RESET_REGISTER = 1u << 10,
	FLAG_HW_REDUCED = 1u << 20,

	PROFILE_SERVER = 4,
	LATENCY_NONE = 0xffff, /* there is no such sleep */
	PC_COMPATIBLE = 1,     /* of a MADT: there are 8259s */
	LAPIC_MAX = 254,       /* larger APIC ids need the x2APIC structure */
};

static const struct header blank = {
	.oem = { 'R', 'I', 'N', 'G', 'S', 'D' },
	.oem_table = { 'R', 'I', 'N', 'G', 'S', 'I', 'D', 'E' },
	.oem_revision = 1,
	.creator = { 'R', 'I', 'N', 'G' },
	.creator_revision = 1,
};

static struct header header(const char *signature, uint8_t revision)
{
	struct header h = blank;

	memcpy(h.signature, signature, sizeof(h.signature));
	h.revision = revision;
	return h;
}

static uint8_t acpi_checksum(const void *data, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += ((const uint8_t *)data)[i];
	return (uint8_t)-sum;
}

static void align(struct acpi_image *im)
{
	static const uint8_t zero[16];

	g_byte_array_append(im->bytes, zero, -im->bytes->len & 15);
}

/* Appends a whole table, filling in its length and checksum. Returns its address. */
static uint64_t add_table(struct acpi_image *im, const void *table, size_t len)
{
	struct header *h;
	guint at;

	align(im);
	at = im->bytes->len;
	g_byte_array_append(im->bytes, table, (guint)len);
	h = (struct header *)(im->bytes->data + at);
	h->length = (uint32_t)len;
	h->checksum = 0;
	h->checksum = acpi_checksum(h, len);
	return im->at + at;
}

/* The @size bytes at @field of the table at @table are the address of another one. */
static void add_link(struct acpi_image *im, uint64_t table, size_t field, unsigned size)
{
	const struct acpi_link link = { (uint32_t)(table - im->at + field), size };

	g_array_append_val(im->links, link);
}

/* The checksum at @field, of @len bytes of the table at @table, has to be made again when its links
 * are. */
static void add_sum(struct acpi_image *im, uint64_t table, size_t field, size_t len)
{
	const uint32_t from = (uint32_t)(table - im->at);
	const struct acpi_sum sum = { from + (uint32_t)field, from, (uint32_t)len };

	g_array_append_val(im->sums, sum);
}

static uint64_t add_array(struct acpi_image *im, GByteArray *a)
{
	uint64_t at = add_table(im, a->data, a->len);

	g_byte_array_unref(a);
	return at;
}

static uint64_t add_dsdt(struct acpi_image *im, const struct acpi_params *p)
{
	struct header h = header("DSDT", 2);
	GByteArray *a = g_byte_array_new();

	g_byte_array_append(a, (const guint8 *)&h, sizeof(h));
	acpi_dsdt(a, p);
	return add_array(im, a);
}

static struct address pm_register(unsigned reg)
{
	return (struct address){ SPACE_IO, 8, 0, ACCESS_BYTE, LAYOUT_PM_PORT + reg };
}

/* First of all tables, since it wants to be at a multiple of 64. Its checksum is no field. */
static uint64_t add_facs(struct acpi_image *im)
{
	const struct facs f = { .signature = { 'F', 'A', 'C', 'S' },
				.length = sizeof(f),
				.version = 2 };

	G_STATIC_ASSERT(sizeof(f) == 64);
	g_byte_array_append(im->bytes, (const guint8 *)&f, sizeof(f));
	return im->at + im->bytes->len - sizeof(f);
}

/* Fixed hardware, of a machine with firmware. */
static void fill_fixed(struct fadt *f, uint64_t facs)
{
	f->facs = (uint32_t)facs;
	f->sci = LAYOUT_GSI_SCI;
	f->pm1a_event = LAYOUT_PM1_EVENT;
	f->pm1_event_len = LAYOUT_PM1_EVENT_LEN;
	f->pm1a_control = LAYOUT_PM1_QEMU;
	f->pm1_control_len = 2;
	f->c2_latency = f->c3_latency = LATENCY_NONE;
	f->flags &= ~(uint32_t)(FLAG_HW_REDUCED | FLAG_POWER_BUTTON);
	f->flags |= FLAG_NO_RTC_EVENT;
}

static uint64_t add_fadt(struct acpi_image *im, const struct acpi_params *p, uint64_t facs,
			 uint64_t dsdt)
{
	struct fadt f = {
		.h = header("FACP", 6),
		.dsdt = (uint32_t)dsdt,
		.profile = PROFILE_SERVER,
		.century = p->rtc ? LAYOUT_RTC_CENTURY : 0,
		.boot_flags = BOOT_NO_VGA | (p->rtc ? 0 : BOOT_NO_CLOCK),
		.flags = FLAG_WBINVD | FLAG_POWER_BUTTON | FLAG_SLEEP_BUTTON | FLAG_RESET_REGISTER |
			 FLAG_HW_REDUCED,
		.reset = pm_register(PM_RESET),
		.reset_value = PM_RESET_VALUE,
		.minor = 3,
		.x_dsdt = dsdt,
		.sleep_control = pm_register(PM_SLEEP_CONTROL),
		.sleep_status = pm_register(PM_SLEEP_STATUS),
		.hypervisor = "RINGSIDE",
	};
	uint64_t at;

	G_STATIC_ASSERT(sizeof(f) == 276);
	if (p->firmware)
		fill_fixed(&f, facs);
	at = add_table(im, &f, sizeof(f));
	if (p->firmware)
		add_link(im, at, offsetof(struct fadt, facs), sizeof(f.facs));
	add_link(im, at, offsetof(struct fadt, dsdt), sizeof(f.dsdt));
	add_link(im, at, offsetof(struct fadt, x_dsdt), sizeof(f.x_dsdt));
	add_sum(im, at, offsetof(struct fadt, h.checksum), sizeof(f));
	return at;
}

static void add_cpu(GByteArray *a, uint32_t id)
{
	struct __attribute__((packed)) {
		uint8_t type, len, uid, id;
		uint32_t flags;
	} lapic = { 0, sizeof(lapic), (uint8_t)id, (uint8_t)id, 1 };
	struct __attribute__((packed)) {
		uint8_t type, len;
		uint16_t reserved;
		uint32_t id, flags, uid;
	} x2apic = { 9, sizeof(x2apic), 0, id, 1, id };

	if (id <= LAPIC_MAX)
		g_byte_array_append(a, (const guint8 *)&lapic, sizeof(lapic));
	else
		g_byte_array_append(a, (const guint8 *)&x2apic, sizeof(x2apic));
}

static uint64_t add_madt(struct acpi_image *im, const struct acpi_params *p)
{
	const struct madt head = { .h = header("APIC", 5),
				   .lapic = LAYOUT_LAPIC,
				   .flags = p->firmware ? PC_COMPATIBLE : 0 };
	const struct __attribute__((packed)) {
		uint8_t type, len, id, reserved;
		uint32_t at, gsi;
	} ioapic = { 1, sizeof(ioapic), 0, 0, LAYOUT_IOAPIC, 0 };
	const struct __attribute__((packed)) { /* level, active-high: not what ISA presumes */
		uint8_t type, len, bus, source;
		uint32_t gsi;
		uint16_t flags;
	} override[] = {
		{ 2, sizeof(override[0]), 0, LAYOUT_GSI_SCI, LAYOUT_GSI_SCI, 0xd },
		{ 2, sizeof(override[0]), 0, 0, LAYOUT_GSI_PIT, 0 },
	};
	const struct __attribute__((packed)) { /* LINT1 of every processor */
		uint8_t type, len, uid;
		uint16_t flags;
		uint8_t lint;
	} nmi = { 4, sizeof(nmi), 0xff, 0, 1 };
	GByteArray *a = g_byte_array_new();

	g_byte_array_append(a, (const guint8 *)&head, sizeof(head));
	for (unsigned i = 0; i < p->n_cpus; i++)
		add_cpu(a, i);
	g_byte_array_append(a, (const guint8 *)&ioapic, sizeof(ioapic));
	g_byte_array_append(a, (const guint8 *) override, (p->pit ? 2 : 1) * sizeof(override[0]));
	g_byte_array_append(a, (const guint8 *)&nmi, sizeof(nmi));
	return add_array(im, a);
}

static uint64_t add_mcfg(struct acpi_image *im)
{
	const struct mcfg m = {
		.h = header("MCFG", 1),
		.base = LAYOUT_ECAM,
		.last_bus = LAYOUT_PCI_BUSES - 1,
	};

	return add_table(im, &m, sizeof(m));
}

static uint64_t add_xsdt(struct acpi_image *im)
{
	struct __attribute__((packed)) {
		struct header h;
		uint64_t table[G_N_ELEMENTS(im->table)];
	} x = { .h = header("XSDT", 1) };
	size_t len = sizeof(x.h) + im->n * sizeof(x.table[0]);
	uint64_t at;

	for (unsigned i = 0; i < im->n; i++)
		x.table[i] = im->table[i];
	at = add_table(im, &x, len);
	for (unsigned i = 0; i < im->n; i++)
		add_link(im, at, sizeof(x.h) + i * sizeof(x.table[0]), sizeof(x.table[0]));
	add_sum(im, at, offsetof(struct header, checksum), len);
	return at;
}

static void fill_rsdp(struct acpi_image *im, uint64_t xsdt)
{
	struct rsdp r = {
		.signature = { 'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ' },
		.revision = 2,
		.length = sizeof(r),
		.xsdt = xsdt,
	};

	G_STATIC_ASSERT(sizeof(r) == 36);
	memcpy(r.oem, blank.oem, sizeof(r.oem));
	r.checksum = acpi_checksum(&r, 20);
	r.checksum_all = acpi_checksum(&r, sizeof(r));
	memcpy(im->bytes->data, &r, sizeof(r));
	add_link(im, im->at, offsetof(struct rsdp, xsdt), sizeof(r.xsdt));
	add_sum(im, im->at, offsetof(struct rsdp, checksum), 20);
	add_sum(im, im->at, offsetof(struct rsdp, checksum_all), sizeof(r));
}

void acpi_image_make(struct acpi_image *im, const struct acpi_params *p, uint64_t at)
{
	uint64_t facs, dsdt;

	*im = (struct acpi_image){
		.bytes = g_byte_array_new(),
		.at = at,
		.links = g_array_new(FALSE, FALSE, sizeof(struct acpi_link)),
		.sums = g_array_new(FALSE, FALSE, sizeof(struct acpi_sum)),
	};
	G_STATIC_ASSERT(ACPI_RSDP_ROOM >= sizeof(struct rsdp) && ACPI_RSDP_ROOM % 16 == 0);
	g_byte_array_set_size(im->bytes, ACPI_RSDP_ROOM);
	memset(im->bytes->data, 0, ACPI_RSDP_ROOM); /* filled in last */
	facs = p->firmware ? add_facs(im) : 0;
	dsdt = add_dsdt(im, p);
	im->table[im->n++] = add_fadt(im, p, facs, dsdt);
	im->table[im->n++] = add_madt(im, p);
	if (p->pci)
		im->table[im->n++] = add_mcfg(im);
	fill_rsdp(im, add_xsdt(im));
}

void acpi_image_clear(struct acpi_image *im)
{
	g_byte_array_unref(im->bytes);
	g_array_unref(im->links);
	g_array_unref(im->sums);
}

uint64_t acpi_build(const struct acpi_params *p, const struct gmem *mem, GError **err)
{
	struct acpi_image im;
	bool ok;

	acpi_image_make(&im, p, LAYOUT_ACPI);
	ok = im.bytes->len <= LAYOUT_ACPI_LEN &&
	     gmem_write(mem, im.at, im.bytes->data, im.bytes->len);
	if (!ok)
		ringside_usage(err,
			       "--device: too many virtio-mmio devices or processors: their "
			       "ACPI tables take %u bytes of %u",
			       im.bytes->len, LAYOUT_ACPI_LEN);
	acpi_image_clear(&im);
	return ok ? LAYOUT_ACPI : 0;
}

/*
 * Hardware-reduced tables have no 8259 (Linux takes a dummy for it; with acpi=off it finds the real
 * one), so there is nothing to fall back to, and a PC described in full would be slower to boot for
 * everybody. Linux 6.12 then says "IRQ index 0 not found" of each device on mmio.
 */
const char *acpi_will_miss(const char *cmdline)
{
	g_auto(GStrv) words = g_strsplit(cmdline, " ", -1);

	if (!g_strv_contains((const gchar *const *)words, "noapic") ||
	    g_strv_contains((const gchar *const *)words, "acpi=off"))
		return NULL;
	return "--append noapic: without the I/O APIC (the ACPI tables have no 8259) devices on mmio, the power button and "
	       "the serial port have no interrupts; devices on pci have (MSI-X)";
}
