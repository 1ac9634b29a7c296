/*
 * The machine's map: where everything is in the guest's physical memory, its I/O ports and its
 * interrupt lines. One page to look at, and the only place where these numbers are written.
 *
 *                     0  +--------------------------+
 *                        | boot structures, RAM     |  GDT, zero page, stack, page tables,
 *                        |                          |  command line
 *                0a0000  +--------------------------+
 *                        | RAM, not listed as such  |  where a PC has its VGA window
 *                0e0000  +--------------------------+
 *                        | ACPI tables (reserved)   |  RSDP first, on the classic search path;
 *                        |                          |  MP table last
 *                100000  +--------------------------+
 *                        | RAM                      |  kernel from its own address, initrd on top
 *     c0000000 = 3 GiB   +--------------------------+
 *                        | PCI memory, 32-bit       |
 *              e0000000  +--------------------------+
 *                        | ECAM, one MiB a bus      |
 *              e8000000  +--------------------------+
 *                        | virtio-mmio regions      |  one whole page each
 *              fec00000  | I/O APIC                 |
 *              fee00000  | local APIC               |
 *              feffc000  | KVM's own four pages     |  identity map and task state, old Intel
 *                        | (firmware, to the end)   |  with --firmware
 *    100000000 = 4 GiB   +--------------------------+
 *                        | the rest of RAM          |
 *                        +--------------------------+  next multiple of 16 GiB
 *                        | PCI memory, 64-bit       |
 *                        +--------------------------+
 *
 * Memory beyond 3 GiB continues at 4 GiB. A virtio-mmio region has a page of its own so that its
 * registers can be served from a read-only memory slot (cached-registers=on).
 */
#pragma once

#include <stdint.h>

#define LAYOUT_PAGE 0x1000u

/* Below 640 KiB: what the loader leaves for the kernel; free RAM once the kernel has read it. */
#define LAYOUT_BDA           0x400u /* a part of a PC's BIOS data area, for multiboot kernels */
#define LAYOUT_GDT           0x1000u
#define LAYOUT_ZERO_PAGE     0x2000u /* Linux boot protocol */
#define LAYOUT_START_INFO    0x3000u /* PVH; its module list follows in the same page */
#define LAYOUT_MEMMAP        0x4000u /* PVH */
#define LAYOUT_STACK         0x5000u /* for a kernel that calls before it has one; grows down */
#define LAYOUT_STACK_END     0x8000u
#define LAYOUT_PAGE_TABLES   0x8000u  /* six pages: identity map of the first 4 GiB */
#define LAYOUT_CMDLINE       0x10000u /* up to LAYOUT_CMDLINE_MAX bytes with the final NUL */
#define LAYOUT_CMDLINE_MAX   0x10000u
#define LAYOUT_LOW_KERNEL    0x8000u  /* multiboot kernels may have segments from here */
#define LAYOUT_MULTIBOOT     0x70000u /* to here; multiboot's information, either version's */
#define LAYOUT_MULTIBOOT_LEN 0x10000u
#define LAYOUT_LOW_RAM_END   0xa0000u

#define LAYOUT_ACPI         0xe0000u /* RSDP; the tables behind it */
#define LAYOUT_ACPI_LEN     0x1f000u
#define LAYOUT_MP           0xff000u /* the MP table: vmm/x86/mptable.h */
#define LAYOUT_MP_LEN       0xff0u
#define LAYOUT_RESET_VECTOR 0xffff0u  /* f000:fff0; vmm/x86/arch.c puts a reset there */
#define LAYOUT_KERNEL       0x100000u /* no kernel but a multiboot one is loaded below this */

/* The hole below 4 GiB. */
#define LAYOUT_HOLE               0xc0000000u
#define LAYOUT_PCI32              0xc0000000u
#define LAYOUT_PCI32_LEN          0x20000000u
#define LAYOUT_ECAM               0xe0000000u
#define LAYOUT_PCI_BUSES          16u
#define LAYOUT_ECAM_LEN           (LAYOUT_PCI_BUSES << 20)
#define LAYOUT_MMIO               0xe8000000u
#define LAYOUT_MMIO_STRIDE        LAYOUT_PAGE
#define LAYOUT_MMIO_MAX           256u
#define LAYOUT_PCI32_FIRMWARE     0xf0000000u /* where SeaBIOS places BARs, from the end down */
#define LAYOUT_PCI32_FIRMWARE_LEN 0x0ec00000u
#define LAYOUT_IOAPIC             0xfec00000u
#define LAYOUT_LAPIC              0xfee00000u
#define LAYOUT_KVM_IDENTITY       0xfeffc000u    /* KVM_SET_IDENTITY_MAP_ADDR: one page */
#define LAYOUT_KVM_TSS            0xfeffd000u    /* KVM_SET_TSS_ADDR: three pages */
#define LAYOUT_KVM_LEN            0x4000u        /* of both */
#define LAYOUT_FIRMWARE_END       0x100000000ull /* its image lies below; */
#define LAYOUT_FIRMWARE_MAX       0x1000000u     /* above KVM's pages */
#define LAYOUT_FIRMWARE_LOW       0x40000u       /* bytes of its end are below 1 MiB, too */
#define LAYOUT_HIGH               0x100000000ull
#define LAYOUT_PCI64_LEN          0x400000000ull /* and its alignment */

/* I/O ports. */
#define LAYOUT_KBD_DATA      0x60u /* vmm/x86/legacy.h: ways to reset and to switch off */
#define LAYOUT_KBD_PORT      0x64u
#define LAYOUT_PORT_A        0x92u
#define LAYOUT_PIC           0x20u /* and 0xa0, two ports each: KVM's, as are the next two */
#define LAYOUT_PIT           0x40u
#define LAYOUT_PORT_B        0x61u /* system control port B: the PIT's third channel */
#define LAYOUT_RTC_PORT      0x70u
#define LAYOUT_RTC_CENTURY   0x32u /* its register of the century */
#define LAYOUT_PM1_QEMU      0x604u
#define LAYOUT_PM1_BOCHS     0xb004u
#define LAYOUT_PVPANIC_PORT  0x505u
#define LAYOUT_FW_CFG        0x510u /* with --firmware: vmm/x86/fw-cfg.h */
#define LAYOUT_FW_CFG_PORTS  12u
#define LAYOUT_SERIAL_PORT   0x3f8u
#define LAYOUT_SERIAL_PORTS  8u
#define LAYOUT_PM_PORT       0x600u /* vmm/x86/pm.h names the registers */
#define LAYOUT_PM_PORTS      4u
#define LAYOUT_PM1_EVENT     0x60cu /* with --firmware: the PM1 event block, four ports */
#define LAYOUT_PM1_EVENT_LEN 4u
/* address; data at 0xcfc; a byte at 0xcf9 is the reset control */
#define LAYOUT_PCI_CFG_PORT  0xcf8u
#define LAYOUT_PCI_CFG_PORTS 8u
#define LAYOUT_PCI_IO        0xc000u
#define LAYOUT_PCI_IO_LEN    0x4000u

/*
 * Global system interrupts: the 24 pins of KVM's I/O APIC, all active-high. A PCI function's INTx
 * reaches LAYOUT_GSI_INTX + (slot + pin) % 4, level-triggered. virtio-mmio takes the pins that
 * layout_mmio_gsi() lists, edge-triggered, and starts over when they run out. Left alone:
 * 8 (KVM takes it for the clock's and counts its EOIs), 0 and 2. The PIT's interrupt is 0 of the
 * 8259s and, as on every PC, pin 2 of the I/O APIC, where their cascade would be.
 */
#define LAYOUT_GSIS       24u
#define LAYOUT_GSI_PIT    2u /* the I/O APIC's pin */
#define LAYOUT_GSI_SERIAL 4u
#define LAYOUT_GSI_RTC    8u /* its periodic interrupt; not in the ACPI tables */
#define LAYOUT_GSI_SCI    9u
#define LAYOUT_GSI_INTX   16u

/* Bytes of RAM below the hole, and from 4 GiB on, of a machine with @mem_size bytes. */
static inline uint64_t layout_low_len(uint64_t mem_size)
{
	return mem_size < LAYOUT_HOLE ? mem_size : LAYOUT_HOLE;
}

static inline uint64_t layout_high_len(uint64_t mem_size)
{
	return mem_size - layout_low_len(mem_size);
}

/* Where the 64-bit PCI window starts; LAYOUT_PCI64_LEN bytes. */
static inline uint64_t layout_pci64(uint64_t mem_size)
{
	uint64_t top = LAYOUT_HIGH + layout_high_len(mem_size);

	return (top + LAYOUT_PCI64_LEN - 1) & ~(LAYOUT_PCI64_LEN - 1);
}

static inline uint64_t layout_mmio_region(unsigned n)
{
	return LAYOUT_MMIO + (uint64_t)n * LAYOUT_MMIO_STRIDE;
}

/* The pin of the @n-th virtio-mmio device. */
static inline unsigned layout_mmio_gsi(unsigned n)
{
	static const uint8_t pins[] = { 5, 6, 7, 10, 11, 12, 14, 15, 20, 21, 22, 23, 3, 1, 13 };

	return pins[n % sizeof(pins)];
}

/* The pin that INTA..INTD (@pin 0..3) of the device in @slot is wired to. */
static inline unsigned layout_intx_gsi(unsigned slot, unsigned pin)
{
	return LAYOUT_GSI_INTX + (slot + pin) % 4;
}
