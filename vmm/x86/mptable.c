#include "vmm/x86/mptable.h"

#include <glib.h>
#include <string.h>

#include "vmm/x86/layout.h"

#define MP_VERSION 4u /* 1.4 */
#define ALL_LAPICS 0xffu

/* 4.1, 4.2: the pointer, and the header that it points to. */
struct __attribute__((packed)) mp_pointer {
	char signature[4];
	uint32_t table;
	uint8_t paragraphs, version, checksum, features[5];
};

struct __attribute__((packed)) mp_header {
	char signature[4];
	uint16_t length;
	uint8_t version, checksum;
	char oem[8], product[12];
	uint32_t oem_table;
	uint16_t oem_length, n_entries;
	uint32_t lapic;
	uint16_t more_length;
	uint8_t more_checksum, reserved;
};

/* 4.3: entries, in the order of their types. */
enum { MP_CPU, MP_BUS, MP_IOAPIC, MP_IO_INTERRUPT, MP_LOCAL_INTERRUPT };
enum { BUS_PCI, BUS_ISA }; /* PCI's number is that of its bus */
enum { KIND_INT = 0, KIND_NMI = 1, KIND_EXTINT = 3 };
enum { AS_THE_BUS = 0, LEVEL_HIGH = 0xd };

struct __attribute__((packed)) mp_cpu {
	uint8_t type, lapic, lapic_version, flags;
	uint32_t signature, features, reserved[2];
};

struct __attribute__((packed)) mp_bus {
	uint8_t type, id;
	char name[6];
};

struct __attribute__((packed)) mp_ioapic {
	uint8_t type, id, version, flags;
	uint32_t at;
};

struct __attribute__((packed)) mp_interrupt {
	uint8_t type, kind;
	uint16_t flags;
	uint8_t bus, irq, apic, pin;
};

struct mp_table {
	GByteArray *bytes;
	uint16_t n_entries;
};

static void mp_add(struct mp_table *t, const void *entry, size_t len)
{
	g_byte_array_append(t->bytes, entry, (guint)len);
	t->n_entries++;
}

static void add_cpus(struct mp_table *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct mp_cpu cpu = { .type = MP_CPU,
					    .lapic = (uint8_t)i,
					    .lapic_version = 0x14,
					    .flags = i == 0 ? 3 : 1 }; /* the first starts */

		mp_add(t, &cpu, sizeof(cpu));
	}
}

static void add_buses(struct mp_table *t)
{
	const struct mp_bus buses[] = {
		{ MP_BUS, BUS_PCI, { 'P', 'C', 'I', ' ', ' ', ' ' } },
		{ MP_BUS, BUS_ISA, { 'I', 'S', 'A', ' ', ' ', ' ' } },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(buses); i++)
		mp_add(t, &buses[i], sizeof(buses[i]));
}

static void add_interrupt(struct mp_table *t, unsigned bus, unsigned irq, unsigned pin,
			  unsigned flags)
{
	const struct mp_interrupt entry = { .type = MP_IO_INTERRUPT,
					    .kind = KIND_INT,
					    .flags = (uint16_t)flags,
					    .bus = (uint8_t)bus,
					    .irq = (uint8_t)irq,
					    .apic = 0,
					    .pin = (uint8_t)pin };

	mp_add(t, &entry, sizeof(entry));
}

/* All pins that are not PCI's: those from 16 on have no ISA interrupt on a PC, but devices on
 * virtio-mmio here. */
static void add_isa_interrupts(struct mp_table *t, bool pit)
{
	if (pit)
		add_interrupt(t, BUS_ISA, 0, LAYOUT_GSI_PIT, AS_THE_BUS);
	for (unsigned pin = 1; pin < LAYOUT_GSIS; pin++) {
		bool intx = pin >= LAYOUT_GSI_INTX && pin < LAYOUT_GSI_INTX + 4;

		if (pin != LAYOUT_GSI_PIT && !intx)
			add_interrupt(t, BUS_ISA, pin, pin,
				      pin == LAYOUT_GSI_SCI ? LEVEL_HIGH : AS_THE_BUS);
	}
}

static void add_pci_interrupts(struct mp_table *t, uint32_t slots)
{
	for (unsigned slot = 0; slot < 32; slot++)
		for (unsigned pin = 0; pin < 4 && slots >> slot & 1; pin++)
			add_interrupt(t, BUS_PCI, slot << 2 | pin, layout_intx_gsi(slot, pin),
				      LEVEL_HIGH);
}

static void add_local_interrupts(struct mp_table *t)
{
	const struct mp_interrupt local[] = {
		{ MP_LOCAL_INTERRUPT, KIND_EXTINT, AS_THE_BUS, BUS_ISA, 0, ALL_LAPICS, 0 },
		{ MP_LOCAL_INTERRUPT, KIND_NMI, AS_THE_BUS, BUS_ISA, 0, ALL_LAPICS, 1 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(local); i++)
		mp_add(t, &local[i], sizeof(local[i]));
}

static uint8_t mp_checksum(const void *bytes, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + ((const uint8_t *)bytes)[i]);
	return (uint8_t)-sum;
}

static void fill_heads(struct mp_table *t)
{
	struct mp_pointer pointer = { .signature = { '_', 'M', 'P', '_' },
				      .table = LAYOUT_MP + sizeof(pointer),
				      .paragraphs = 1,
				      .version = MP_VERSION };
	struct mp_header header = { .signature = { 'P', 'C', 'M', 'P' },
				    .length = (uint16_t)(t->bytes->len - sizeof(pointer)),
				    .version = MP_VERSION,
				    .oem = { 'R', 'I', 'N', 'G', 'S', 'I', 'D', 'E' },
				    .product = "virtual    ",
				    .n_entries = t->n_entries,
				    .lapic = LAYOUT_LAPIC };
	uint8_t *table = t->bytes->data + sizeof(pointer);

	G_STATIC_ASSERT(sizeof(pointer) == 16 && sizeof(header) == 44);
	pointer.checksum = mp_checksum(&pointer, sizeof(pointer));
	memcpy(t->bytes->data, &pointer, sizeof(pointer));
	memcpy(table, &header, sizeof(header));
	header.checksum = mp_checksum(table, header.length);
	memcpy(table, &header, sizeof(header));
}

bool mptable_write(const struct acpi_params *p, const struct gmem *mem)
{
	const struct mp_ioapic ioapic = { MP_IOAPIC, 0, 0x11, 1, LAYOUT_IOAPIC };
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	struct mp_table t = { .bytes = bytes };

	g_byte_array_set_size(bytes, sizeof(struct mp_pointer) + sizeof(struct mp_header));
	add_cpus(&t, p->n_cpus);
	add_buses(&t);
	mp_add(&t, &ioapic, sizeof(ioapic));
	add_isa_interrupts(&t, p->pit);
	if (p->pci)
		add_pci_interrupts(&t, p->pci_slots);
	add_local_interrupts(&t);
	fill_heads(&t);
	return bytes->len <= LAYOUT_MP_LEN && gmem_write(mem, LAYOUT_MP, bytes->data, bytes->len);
}
