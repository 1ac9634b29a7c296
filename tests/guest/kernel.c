/*
 * A kernel in a hundred lines, written from docs/machine.md: prints on the serial port, reads a
 * disk by interrupt, and ends the run. With -m32 it is a multiboot kernel, with -m64 an ELF file
 * that is entered as Linux is. tests/guest/kernels runs both.
 */
#include <stdint.h>

#ifdef __x86_64__
__asm__(".globl start; start: call kernel");
#define CODE 0x10 /* of the table that is there */
#else
__asm__(".balign 4; .long 0x1badb002, 0, -0x1badb002\n"
	"gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff\n"
	"gdtr: .word 23; .long gdt\n"
	".globl start; start: lgdt gdtr; ljmp $8, $1f\n"
	"1: mov $16, %ax; mov %ax, %ds; mov %ax, %es; mov %ax, %ss; call kernel");
#define CODE 0x08
#endif

#define DISK(offset) \
	(*(volatile uint32_t *)(0xe8000000 + (offset))) /* the first virtio-mmio device */
#define DISK_IRQ 5
#define VECTORS  0x20 /* of the 8259 */

/* NOLINTBEGIN(performance-no-int-to-ptr): registers have addresses. */
static struct {
	struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
	} desc[4];
	struct {
		uint16_t flags, idx, ring[4];
	} avail;
	struct {
		_Alignas(4) uint16_t flags, idx;
		uint32_t ring[4][2];
	} used;
} ring __attribute__((aligned(16)));

static struct {
	uint32_t type, reserved;
	uint64_t sector;
} request;
static char data[513];
static volatile uint8_t status = 0xff;
static volatile unsigned interrupts;
static uint64_t idt[2 * (VECTORS + 8)];

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static void print(const char *text)
{
	while (*text)
		out8(0x3f8, (uint8_t)*text++);
}

struct frame;
__attribute__((interrupt)) static void on_disk(struct frame *f)
{
	(void)f;
	DISK(0x64) = DISK(0x60); /* interrupt acknowledge, interrupt status */
	interrupts = interrupts + 1;
	out8(0x20, 0x20); /* end of interrupt */
}

static void set_up_interrupts(void)
{
	static const uint8_t init[][2] = { { 0x20, 0x11 }, { 0x21, VECTORS },
					   { 0x21, 4 },    { 0x21, 1 },
					   { 0xa1, 0xff }, { 0x21, (uint8_t) ~(1 << DISK_IRQ) } };
	uint64_t at = (uintptr_t)on_disk;
	unsigned n = (VECTORS + DISK_IRQ) * sizeof(void *) / 4;
	struct {
		uint16_t limit;
		uintptr_t base;
	} __attribute__((packed)) idtr = { sizeof(idt) - 1, (uintptr_t)idt };

	idt[n] = (at & 0xffff) | CODE << 16 | (at & 0xffff0000) << 32 | 0x8e0000000000;
	__asm__ volatile("lidt %0" : : "m"(idtr));
	for (unsigned i = 0; i < sizeof(init) / 2; i++)
		out8(init[i][0], init[i][1]);
}

static int start_disk(void)
{
	if (DISK(0x00) != 0x74726976 || DISK(0x08) != 2)
		return 0;
	DISK(0x70) = 1 | 2; /* ACKNOWLEDGE, DRIVER */
	DISK(0x24) = 1;
	DISK(0x20) = 1;         /* VERSION_1 and no more */
	DISK(0x70) = 1 | 2 | 8; /* FEATURES_OK */
	DISK(0x38) = 4;         /* queue 0's size; its parts */
	DISK(0x80) = (uint32_t)(uintptr_t)ring.desc;
	DISK(0x90) = (uint32_t)(uintptr_t)&ring.avail;
	DISK(0xa0) = (uint32_t)(uintptr_t)&ring.used;
	DISK(0x44) = 1;
	DISK(0x70) = 1 | 2 | 8 | 4; /* DRIVER_OK */
	return DISK(0x70) == 15;
}

static void read_sector_0(void)
{
	ring.desc[0].addr = (uintptr_t)&request;
	ring.desc[0].len = 16;
	ring.desc[0].flags = 1; /* NEXT */
	ring.desc[0].next = 1;
	ring.desc[1].addr = (uintptr_t)data;
	ring.desc[1].len = 512;
	ring.desc[1].flags = 1 | 2; /* NEXT, WRITE */
	ring.desc[1].next = 2;
	ring.desc[2].addr = (uintptr_t)&status;
	ring.desc[2].len = 1;
	ring.desc[2].flags = 2;
	__atomic_store_n(&ring.avail.idx, 1, __ATOMIC_SEQ_CST);
	DISK(0x50) = 0; /* notifies queue 0 */
	while (!interrupts)
		__asm__ volatile("sti; hlt; cli" : : : "memory");
}

__attribute__((used)) void kernel(void);
void kernel(void)
{
	uint8_t exit = 1;

	print("a kernel in a hundred lines\n");
	set_up_interrupts();
	if (start_disk()) {
		read_sector_0();
		print(status == 0 ? data : "the disk failed\n");
		exit = status == 0 && interrupts == 1 ? 21 : 2;
	}
	out8(0xf4, exit);
}
/* NOLINTEND(performance-no-int-to-ptr) */
