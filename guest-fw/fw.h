/*
 * guest-fw: a guest without an operating system that tests virtio devices, or measures them, with
 * the reference driver (virtqueue/driver/drv.h).
 *
 * It runs at privilege level 3, all memory being its own and mapped where it is; start.S says why,
 * and what is left at level 0. Nothing here is a library's: no libc, one processor, no floating
 * point, memory that is taken and given back as a stack.
 *
 *	main.c		the self-test's order, and the verdict
 *	machine.c	what is where (ACPI), power, interrupt controllers
 *	text.c		printing, command line, memory
 *	virtio.c	devices: found, started, asked and ended, over transport/driver
 *	blk.c ...	a driver each
 *	bench.c		the measurement that `ringside bench guest` makes
 *	fuzz.c ...	a hostile driver: fuzz.h
 *	hostile.c ...	attacks by name: hostile.h
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FW_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * start.S.
 */

/* The program lies from VECTORS to fw_end. */
extern const uint8_t VECTORS[], fw_end[];

/* Interrupts since the start, by vector. Not ended: see irq_end(). */
extern volatile uint32_t fw_irqs[256];

/* Bytes to an I/O port, one after the other. */
void fw_out(uint16_t port, const void *bytes, size_t n);

/* Sleeps until there is an interrupt, any; returns at once if *@count is not @seen any more. */
void fw_wait(const volatile uint32_t *count, uint32_t seen);

/*
 * Registers in memory: one plain instruction each, which KVM's emulator is sure to know.
 */
static inline uint8_t reg_read8(uintptr_t at)
{
	uint8_t v;

	__asm__ volatile("movb (%1), %0" : "=q"(v) : "r"(at) : "memory");
	return v;
}

static inline uint16_t reg_read16(uintptr_t at)
{
	uint16_t v;

	__asm__ volatile("movw (%1), %0" : "=r"(v) : "r"(at) : "memory");
	return v;
}

static inline uint32_t reg_read32(uintptr_t at)
{
	uint32_t v;

	__asm__ volatile("movl (%1), %0" : "=r"(v) : "r"(at) : "memory");
	return v;
}

static inline uint64_t reg_read64(uintptr_t at)
{
	uint64_t v;

	__asm__ volatile("movq (%1), %0" : "=r"(v) : "r"(at) : "memory");
	return v;
}

static inline void reg_write8(uintptr_t at, uint8_t v)
{
	__asm__ volatile("movb %0, (%1)" : : "q"(v), "r"(at) : "memory");
}

static inline void reg_write16(uintptr_t at, uint16_t v)
{
	__asm__ volatile("movw %0, (%1)" : : "r"(v), "r"(at) : "memory");
}

static inline void reg_write32(uintptr_t at, uint32_t v)
{
	__asm__ volatile("movl %0, (%1)" : : "r"(v), "r"(at) : "memory");
}

static inline void reg_write64(uintptr_t at, uint64_t v)
{
	__asm__ volatile("movq %0, (%1)" : : "r"(v), "r"(at) : "memory");
}

/* Ticks of the time stamp counter. */
static inline uint64_t fw_ticks(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static inline void fw_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

/*
 * text.c.
 */

/* Prints on the serial port: %s %c %u %d %x %#x, with l or z for 64 bits. At most 500 bytes. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_args(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* Says why, and ends the run as a kernel's panic does. */
_Noreturn void fw_panic(const char *why);

bool fw_same(const void *a, const void *b, size_t n);
bool fw_same_text(const char *a, const char *b);

/* The value of the word NAME=VALUE of the command line, up to its end; "" if the word is NAME
 * alone; NULL if there is none such. */
const char *fw_option(const char *name);
bool fw_option_is(const char *name, const char *value);
uint64_t fw_option_number(const char *name, uint64_t default_value);

/* Zeroed memory, on a page of its own. Given back with all that was taken after @mark. */
void *fw_take(size_t bytes);
size_t fw_taken(void);
void fw_give_back(size_t mark);

/*
 * machine.c.
 */

/* Finds its way from what the loader left. */
void machine_init(const void *start_info);

_Noreturn void machine_power_off(void);
_Noreturn void machine_reset(void);

/* The PCI configuration space (ECAM) of bus 0; 0 if there is none. */
uintptr_t machine_ecam(void);

struct machine_mmio { /* a virtio-mmio device in the ACPI tables */
	uintptr_t base;
	uint32_t gsi;
	bool level; /* triggered; else by edges */
};
/* The @n-th. */
bool machine_mmio(unsigned n, struct machine_mmio *ret);

/*
 * Interrupts. Vectors for devices are IRQ_VECTOR and the 15 after it: one priority, so that no two
 * are under way at a time.
 */
#define IRQ_VECTOR  0x30u
#define IRQ_VECTORS 16u

/* Sends a pin of the I/O APIC to a vector, or nowhere. */
void irq_route(uint32_t gsi, unsigned vector, bool level);
void irq_unroute(uint32_t gsi);

#define IRQ_MSI_ADDRESS 0xfee00000u /* a message here whose data is a vector */

void irq_end(void);

/* Interrupts of a timer, one every second or so. What waits for an interrupt gives up after: */
uint32_t irq_clock(void);
#define IRQ_PATIENCE 20u

/*
 * Of the whole program.
 */
struct fw {
	const char *cmdline;
	uint64_t rsdp;
	uint64_t memory_end[2]; /* below 4 GiB, and beyond: 0 if there is none */
	size_t taken;
	uint32_t irqs_ended[IRQ_VECTORS]; /* of the devices' vectors */
};
extern struct fw fw;
