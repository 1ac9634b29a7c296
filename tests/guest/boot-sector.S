/*
 * A boot sector for tests/guest/firmware. Says who it is through the BIOS's screen, which SeaBIOS
 * sends to the serial port, and resets the machine, once: a byte of the clock's memory tells. Then it
 * reads the disk's second sector through the BIOS, prints that on the debug console, waits by the
 * BIOS (interrupt 8) and for its clock (interrupt 0), and ends the run with (21 << 1 | 1).
 */
	.code16
	.globl _start
_start:
	ljmp $0, $begin
begin:
	xor %ax, %ax
	mov %ax, %ds
	mov %ax, %es
	mov %ax, %ss
	mov $0x7c00, %sp
	cld
	mov %dl, drive
	mov $hello, %si
	call print

	mov $0x7f, %al		/* nobody's byte */
	out %al, $0x70
	in $0x71, %al
	cmp $0x5a, %al
	je 1f
	mov $0x5a, %al
	out %al, $0x71
	mov $0xcf9, %dx
	mov $6, %al
	out %al, %dx
	hlt

1:	mov $packet, %si	/* int 0x13, extended read */
	mov drive, %dl
	mov $0x42, %ah
	int $0x13
	jc failed
	mov $0x8000, %si
2:	lodsb
	test %al, %al
	jz 3f
	out %al, $0xe9
	jmp 2b

3:	sti
	mov $0x86, %ah		/* int 0x15, wait: 20 ms by the clock's periodic interrupt */
	xor %cx, %cx
	mov $20000, %dx
	int $0x15
	jc failed
	mov 0x46c, %ax		/* ticks, in the BIOS's data area */
4:	hlt
	cmp %ax, 0x46c
	je 4b
	mov $21, %al
	jmp leave
failed:
	mov $99, %al
leave:
	out %al, $0xf4
	cli
	hlt

print:
	lodsb
	test %al, %al
	jz 1f
	mov $0x0e, %ah
	mov $7, %bx
	push %si
	int $0x10
	pop %si
	jmp print
1:	ret

hello:	.asciz "boot sector up\r\n"
drive:	.byte 0
	.balign 4
packet:	.byte 16, 0
	.word 1, 0x8000, 0	/* one sector, to 0000:8000 */
	.quad 1			/* the second one */

	.org 510
	.word 0xaa55
