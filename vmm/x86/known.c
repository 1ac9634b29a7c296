/*
 * What kernels look for on a PC, and which option of ours gives it, if one does: the names for
 * accesses that nobody answered (vmm/machine/unanswered.h).
 */
#include <stddef.h>

#include "vmm/machine/arch.h"

#define NO_OPTION SIZE_MAX

enum {
	MEMORY = 0,
	IO = 1,
	IDLE = 2,  /* kernels write there to lose time */
	TICKS = 4, /* what is written there makes interrupts come */
};

static const struct known {
	uint64_t first, last;
	const char *name;
	const char *gives; /* an option */
	size_t on;         /* of a bool in struct machine_pc, if that is the option */
	unsigned flags;
} knowns[] = {
#define PC(member) offsetof(struct machine_pc, member)
	{ 0x00, 0x0f, "DMA controller (8237)", NULL, NO_OPTION, IO },
	{ 0x20, 0x21, "interrupt controller (8259)", NULL, NO_OPTION, IO },
	{ 0x40, 0x43, "interval timer (PIT)", "--pc pit=on", PC(pit), IO | TICKS },
	{ 0x60, 0x60, "keyboard (i8042)", NULL, NO_OPTION, IO },
	{ 0x61, 0x61, "system control port B of the timer", "--pc pit=on", PC(pit), IO },
	{ 0x64, 0x64, "keyboard (i8042)", NULL, NO_OPTION, IO },
	{ 0x70, 0x71, "clock (RTC)", "--pc rtc=on", PC(rtc), IO },
	{ 0x80, 0x80, "port for POST codes", NULL, NO_OPTION, IO | IDLE },
	{ 0x81, 0x8f, "DMA page registers", NULL, NO_OPTION, IO },
	{ 0xa0, 0xa1, "interrupt controller (8259)", NULL, NO_OPTION, IO },
	{ 0xc0, 0xdf, "DMA controller (8237)", NULL, NO_OPTION, IO },
	{ 0xe9, 0xe9, "debug console", "--debugcon STREAM", NO_OPTION, IO },
	{ 0xed, 0xed, "port for delays", NULL, NO_OPTION, IO | IDLE },
	{ 0xf4, 0xf7, "debug exit", "--debug-exit", NO_OPTION, IO },
	{ 0x170, 0x177, "IDE disk (secondary)", "--disk FILE gives a virtio disk", NO_OPTION, IO },
	{ 0x1ce, 0x1cf, "Bochs' VBE display", NULL, NO_OPTION, IO },
	{ 0x1f0, 0x1f7, "IDE disk", "--disk FILE gives a virtio disk", NO_OPTION, IO },
	{ 0x278, 0x27f, "parallel port", NULL, NO_OPTION, IO },
	{ 0x2e8, 0x2ef, "serial port COM4", NULL, NO_OPTION, IO },
	{ 0x2f8, 0x2ff, "serial port COM2", NULL, NO_OPTION, IO },
	{ 0x376, 0x376, "IDE disk (secondary)", "--disk FILE gives a virtio disk", NO_OPTION, IO },
	{ 0x378, 0x37f, "parallel port", NULL, NO_OPTION, IO },
	{ 0x3b0, 0x3bb, "VGA", NULL, NO_OPTION, IO },
	{ 0x3c0, 0x3df, "VGA", NULL, NO_OPTION, IO },
	{ 0x3e8, 0x3ef, "serial port COM3", NULL, NO_OPTION, IO },
	{ 0x3f0, 0x3f5, "floppy disk controller", NULL, NO_OPTION, IO },
	{ 0x3f6, 0x3f6, "IDE disk", "--disk FILE gives a virtio disk", NO_OPTION, IO },
	{ 0x3f7, 0x3f7, "floppy disk controller", NULL, NO_OPTION, IO },
	{ 0x3f8, 0x3ff, "serial port COM1", "leaving out --serial none", NO_OPTION, IO },
	{ 0x402, 0x402, "debug port of firmware", "--debugcon STREAM", NO_OPTION, IO },
	{ 0x501, 0x504, "debug exit", "--debug-exit=0x501", NO_OPTION, IO },
	{ 0x510, 0x51b, "QEMU's fw_cfg", "--firmware FILE", NO_OPTION, IO },
	{ 0x608, 0x60b, "ACPI's timer of QEMU's PCs", NULL, NO_OPTION, IO },
	{ 0xb000, 0xb03f, "ACPI registers of old PCs", NULL, NO_OPTION, IO },
	{ 0xc000, 0xffff, "I/O BAR of a PCI function (legacy virtio has one)", NULL, NO_OPTION,
	  IO },
	{ 0x5658, 0x5659, "VMware's backdoor", NULL, NO_OPTION, IO },
	{ 0xfd000000, 0xfdffffff, "frame buffer of QEMU's VGA", NULL, NO_OPTION, MEMORY },
	{ 0xfeb00000, 0xfebfffff, "BARs where QEMU's PCs have them", NULL, NO_OPTION, MEMORY },
	{ 0xfec00000, 0xfec00fff, "I/O APIC", NULL, NO_OPTION, MEMORY },
	{ 0xfed00000, 0xfed003ff, "HPET", NULL, NO_OPTION, MEMORY },
	{ 0xfed40000, 0xfed44fff, "TPM", NULL, NO_OPTION, MEMORY },
	{ 0xb0000000, 0xbfffffff, "ECAM where QEMU's q35 has it", NULL, NO_OPTION, MEMORY },
	{ 0xffc00000, 0xffffffff, "firmware's flash memory", "--firmware FILE", NO_OPTION, MEMORY },
#undef PC
};

bool arch_known_place(bool io, uint64_t addr, const struct machine_pc *pc, struct arch_known *ret)
{
	for (size_t i = 0; i < G_N_ELEMENTS(knowns); i++) {
		const struct known *k = &knowns[i];

		if (!!(k->flags & IO) != io || addr < k->first || addr > k->last)
			continue;
		*ret = (struct arch_known){
			.name = k->name,
			.gives = k->gives,
			.there = k->on != NO_OPTION && *(const bool *)((const char *)pc + k->on),
			.idle = k->flags & IDLE,
			.ticks = k->flags & TICKS,
		};
		return true;
	}
	return false;
}

/*
 * The screen. There is none: its text memory is RAM that nothing else uses, so what a kernel writes
 * there causes no exit and can be read in the end.
 */
#define SCREEN    0xb8000u
#define COLUMNS   80u
#define ROWS      25u
#define FEW_CELLS 8u /* with a character: fewer are no text */

static bool is_blank(uint8_t c)
{
	return c == 0 || c == ' ';
}

static bool is_text(uint8_t c)
{
	return c >= ' ' && c < 0x7f;
}

/* How many cells of @n have a character, and of them how many one of a text's. */
static void count_cells(const uint8_t (*cell)[2], unsigned n, unsigned *ret_used,
			unsigned *ret_text)
{
	*ret_used = *ret_text = 0;
	for (unsigned i = 0; i < n; i++) {
		if (is_blank(cell[i][0]))
			continue;
		++*ret_used;
		*ret_text += is_text(cell[i][0]) && cell[i][1];
	}
}

char *arch_screen_text(const struct gmem *mem)
{
	uint8_t cell[ROWS][COLUMNS][2];
	unsigned used, text, row = ROWS;
	char line[COLUMNS + 1] = { 0 };

	if (!gmem_read(mem, SCREEN, cell, sizeof(cell)))
		return NULL;
	count_cells(cell[0], ROWS * COLUMNS, &used, &text);
	if (used < FEW_CELLS || text * 2 < used)
		return NULL;
	do
		count_cells(cell[--row], COLUMNS, &used, &text);
	while (row && text < FEW_CELLS);
	for (unsigned i = 0; i < COLUMNS; i++) {
		uint8_t c = cell[row][i][0];

		line[i] = is_text(c) ? (char)c : ' ';
	}
	return g_strdup(g_strstrip(line));
}
