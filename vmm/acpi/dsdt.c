/*
 * The DSDT: every device that cannot be found by itself. One function a device, each beside the
 * ASL it stands for. `iasl -d` shows the whole.
 */
#include "vmm/acpi/dsdt.h"

#include "vmm/acpi/aml.h"
#include "vmm/x86/layout.h"
#include "vmm/x86/pm.h"

/* Name (\_S5, Package () { 5, 5, 0, 0 }): the only sleep there is */
static void add_power_off(GByteArray *a)
{
	gsize s5;

	aml_name(a, "\\_S5");
	s5 = aml_package(a, 4);
	aml_int(a, PM_SLEEP_TYPE_OFF);
	aml_int(a, PM_SLEEP_TYPE_OFF);
	aml_int(a, 0);
	aml_int(a, 0);
	aml_end(a, s5);
}

/*
 * OperationRegion (PMIO, SystemIO, 0x600, 4)	with a field for each port
 * Method (_EVT, 1) {
 *	Local0 = EVNT				taking the events lets the line go
 *	If (Local0 & 1) { Notify (\_SB.PWRB, 0x80) }
 * }
 */
static void add_event_method(GByteArray *a)
{
	static const char *const ports[] = { "SLPC", "SLPS", "RSET", "EVNT" };
	gsize evt, button;

	G_STATIC_ASSERT(G_N_ELEMENTS(ports) == PM_REGS);
	aml_io_fields(a, "PMIO", LAYOUT_PM_PORT, ports, PM_REGS);
	evt = aml_method(a, "_EVT", 1);
	aml_op(a, AML_STORE);
	aml_path(a, ports[PM_EVENT]);
	aml_op(a, AML_LOCAL0);

	button = aml_if(a);
	aml_op(a, AML_AND);
	aml_op(a, AML_LOCAL0);
	aml_int(a, PM_EVENT_BUTTON);
	aml_op(a, AML_NOTHING);
	aml_op(a, AML_NOTIFY);
	aml_path(a, "\\_SB.PWRB");
	aml_int(a, 0x80);
	aml_end(a, button);
	aml_end(a, evt);
}

/* The generic event device (5.6.9), in place of an SCI. */
static void add_events(GByteArray *a)
{
	gsize dev = aml_device(a, "GED");
	GByteArray *crs = aml_crs_begin();

	aml_name_string(a, "_HID", "ACPI0013");
	aml_name_int(a, "_UID", 0);
	aml_crs_irq(crs, LAYOUT_GSI_SCI, AML_IRQ_LEVEL);
	aml_crs_end(a, "_CRS", crs);
	add_event_method(a);
	aml_end(a, dev);
}

static void add_power_button(GByteArray *a)
{
	gsize dev = aml_device(a, "PWRB");

	aml_name_eisaid(a, "_HID", "PNP0C0C");
	aml_name_int(a, "_UID", 0);
	aml_end(a, dev);
}

static void add_serial(GByteArray *a)
{
	gsize dev = aml_device(a, "COM1");
	GByteArray *crs = aml_crs_begin();

	aml_name_eisaid(a, "_HID", "PNP0501");
	aml_name_int(a, "_UID", 0);
	aml_crs_io(crs, LAYOUT_SERIAL_PORT, LAYOUT_SERIAL_PORTS);
	aml_crs_irq(crs, LAYOUT_GSI_SERIAL, AML_IRQ_EDGE);
	aml_crs_end(a, "_CRS", crs);
	aml_end(a, dev);
}

/* vmm/x86/rtc.h: without an interrupt. */
static void add_rtc(GByteArray *a)
{
	gsize dev = aml_device(a, "RTC");
	GByteArray *crs = aml_crs_begin();

	aml_name_eisaid(a, "_HID", "PNP0B00");
	aml_crs_io(crs, LAYOUT_RTC_PORT, 2);
	aml_crs_end(a, "_CRS", crs);
	aml_end(a, dev);
}

/* vmm/x86/pvpanic.h: the name is QEMU's, as drivers know it. */
static void add_pvpanic(GByteArray *a)
{
	gsize dev = aml_device(a, "PEVT");
	GByteArray *crs = aml_crs_begin();

	aml_name_string(a, "_HID", "QEMU0001");
	aml_name_int(a, "_UID", 0);
	aml_crs_io(crs, LAYOUT_PVPANIC_PORT, 1);
	aml_crs_end(a, "_CRS", crs);
	aml_end(a, dev);
}

/* There are fewer pins than there may be devices. */
static bool is_shared(const struct acpi_params *p, unsigned n)
{
	for (unsigned i = 0; i < p->n_mmio; i++) {
		if (i != n && p->mmio[i].gsi == p->mmio[n].gsi)
			return true;
	}
	return false;
}

static void add_mmio(GByteArray *a, const struct acpi_params *p, unsigned n)
{
	g_autofree char *name = g_strdup_printf("VM%02X", n);
	unsigned flags = AML_IRQ_EDGE | (is_shared(p, n) ? AML_IRQ_SHARED : 0);
	gsize dev = aml_device(a, name);
	GByteArray *crs = aml_crs_begin();

	aml_name_string(a, "_HID", "LNRO0005");
	aml_name_int(a, "_UID", n);
	aml_name_int(a, "_CCA", 1); /* its DMA is coherent */
	aml_crs_memory(crs, p->mmio[n].base, p->mmio[n].len);
	aml_crs_irq(crs, p->mmio[n].gsi, flags);
	aml_crs_end(a, "_CRS", crs);
	aml_end(a, dev);
}

/* Claims the ECAM, which MCFG names but is not allowed to reserve (PCI Firmware 3.2, 4.1.2). */
static void add_board(GByteArray *a)
{
	gsize dev = aml_device(a, "MBRD");
	GByteArray *crs = aml_crs_begin();

	aml_name_eisaid(a, "_HID", "PNP0C02");
	aml_name_int(a, "_UID", 0);
	aml_crs_memory(crs, LAYOUT_ECAM, LAYOUT_ECAM_LEN);
	aml_crs_end(a, "_CRS", crs);
	aml_end(a, dev);
}

/* Package () { slot << 16 | 0xffff, pin, Zero, gsi }: Zero says the pin is one of the I/O APIC */
static void add_route(GByteArray *a, unsigned slot, unsigned pin)
{
	gsize route = aml_package(a, 4);

	aml_int(a, (uint64_t)slot << 16 | 0xffff);
	aml_int(a, pin);
	aml_int(a, 0);
	aml_int(a, layout_intx_gsi(slot, pin));
	aml_end(a, route);
}

static void add_routes(GByteArray *a, uint32_t slots)
{
	unsigned n = (unsigned)__builtin_popcount(slots);
	gsize prt;

	aml_name(a, "_PRT");
	prt = aml_package(a, (uint8_t)(4 * n));
	for (unsigned slot = 0; slot < 32; slot++) {
		for (unsigned pin = 0; slots >> slot & 1 && pin < 4; pin++)
			add_route(a, slot, pin);
	}
	aml_end(a, prt);
}

/*
 * Method (_OSC, 4) {
 *	If (Arg0 == ToUUID ("33db4d5b-...")) { Return (Arg3) }	all that is asked for is granted
 *	CreateDWordField (Arg3, 0, CDW1)
 *	CDW1 |= 4						unknown UUID
 *	Return (Arg3)
 * }
 */
static void add_osc(GByteArray *a)
{
	gsize osc = aml_method(a, "_OSC", 4), is_pci = aml_if(a);

	aml_op(a, AML_EQUAL);
	aml_op(a, AML_ARG0);
	aml_uuid(a, "33db4d5b-1ff7-401c-9657-7441c03dd766");
	aml_op(a, AML_RETURN);
	aml_op(a, AML_ARG3);
	aml_end(a, is_pci);

	aml_op(a, AML_DWORD_FIELD);
	aml_op(a, AML_ARG3);
	aml_int(a, 0);
	aml_path(a, "CDW1");
	aml_op(a, AML_OR);
	aml_path(a, "CDW1");
	aml_int(a, 4);
	aml_path(a, "CDW1");
	aml_op(a, AML_RETURN);
	aml_op(a, AML_ARG3);
	aml_end(a, osc);
}

static void add_pci(GByteArray *a, const struct acpi_params *p)
{
	gsize dev = aml_device(a, "PCI0");
	GByteArray *crs = aml_crs_begin();

	aml_name_eisaid(a, "_HID", "PNP0A08");
	aml_name_eisaid(a, "_CID", "PNP0A03");
	aml_name_int(a, "_UID", 0);
	aml_name_int(a, "_SEG", 0);
	aml_name_int(a, "_BBN", 0);
	aml_name_int(a, "_CCA", 1);
	aml_crs_bus_window(crs, 0, LAYOUT_PCI_BUSES);
	aml_crs_io(crs, LAYOUT_PCI_CFG_PORT, LAYOUT_PCI_CFG_PORTS);
	aml_crs_io_window(crs, LAYOUT_PCI_IO, LAYOUT_PCI_IO_LEN);
	aml_crs_memory_window(crs, LAYOUT_PCI32, LAYOUT_PCI32_LEN);
	if (p->firmware)
		aml_crs_memory_window(crs, LAYOUT_PCI32_FIRMWARE, LAYOUT_PCI32_FIRMWARE_LEN);
	aml_crs_memory_window(crs, layout_pci64(p->mem_size), LAYOUT_PCI64_LEN);
	aml_crs_end(a, "_CRS", crs);
	add_routes(a, p->pci_slots);
	add_osc(a);
	aml_end(a, dev);
}

void acpi_dsdt(GByteArray *a, const struct acpi_params *p)
{
	gsize sb;

	add_power_off(a);
	sb = aml_scope(a, "\\_SB");
	if (p->pci) {
		add_board(a);
		add_pci(a, p);
	}
	if (p->serial)
		add_serial(a);
	for (unsigned i = 0; i < p->n_mmio; i++)
		add_mmio(a, p, i);
	if (p->rtc)
		add_rtc(a);
	add_pvpanic(a);
	if (!p->firmware) { /* else the button is fixed hardware */
		add_power_button(a);
		add_events(a);
	}
	aml_end(a, sb);
}
