/*
 * A PVH kernel that calls a function with its first instruction, as compilers' code does, and ends, or does not, in the
 * way that the first letter of its command line asks for: what guests without ACPI and without a console driver do.
 * tests/guest/ends says what a monitor makes of each. Needs no more of KVM than a few instructions emulated.
 */
	.section .note.pvh, "a"
	.long 4, 4, 18			/* name and descriptor sizes, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.text
	.code32
	.globl start
start:
	call	find_letter
	mov	$0xff, %al		/* no interrupt of the 8259's */
	out	%al, $0x21
	out	%al, $0xa1
	mov	$up, %esi
	call	print
	mov	$ways, %esi
1:	mov	(%esi), %al
	test	%al, %al
	jz	halt
	add	$5, %esi
	cmp	%al, %bl
	jne	1b
	call	*-4(%esi)
halt:	cli
1:	hlt
	jmp	1b

/* ebx: PVH's start info -> bl: the letter */
find_letter:
	mov	24(%ebx), %ebx
	mov	(%ebx), %bl
	ret

/* esi: a text, to the serial port */
print:	mov	$0x3f8, %edx
print_to:			/* edx: the port */
1:	mov	(%esi), %al
	inc	%esi
	test	%al, %al
	jz	2f
	out	%al, %dx
	jmp	1b
2:	ret

	.macro	way letter, function
	.ascii	"\letter"
	.long	\function
	.endm
ways:	way	k, keyboard
	way	b, busy_keyboard
	way	a, port_a
	way	c, chipset
	way	o, off
	way	p, panicked
	way	w, crash_loaded
	way	d, debug_exit
	way	e, early_debug_exit
	way	t, timer_and_clock
	way	i, idle_for_a_timer
	way	l, living_log
	way	s, spinning_log
	way	h, halted_log
	way	r, log_and_reboot
	way	f, triple_fault
	.byte	0

/* Resets: by the keyboard controller, as Linux and the BSDs do ... */
keyboard:
	in	$0x64, %al
	test	$2, %al			/* its input is full */
	jnz	keyboard
	mov	$0xfe, %al
	out	%al, $0x64
	ret

/* ... and as those do that first take what it has to say, and wait for an answer to a command. */
busy_keyboard:
	in	$0x60, %al
	in	$0x64, %al
	test	$1, %al
	jnz	busy_keyboard
	mov	$0x20, %al
	out	%al, $0x64
1:	in	$0x64, %al
	test	$1, %al
	jz	1b
	jmp	keyboard

port_a:	in	$0x92, %al
	or	$1, %al
	out	%al, $0x92
	ret

/* A byte inside the ports of PCI's configuration; its address register stays what it was. */
chipset:
	mov	$0xcf8, %edx
	mov	$0x80000000, %eax
	out	%eax, %dx
	inc	%edx
	mov	$2, %al
	out	%al, %dx
	dec	%edx
	in	%dx, %eax
	cmp	$0x80000000, %eax
	jne	halt
	inc	%edx
	mov	$6, %al
	out	%al, %dx
	ret

off:	mov	$0x604, %edx
	mov	$0x2000, %eax
	out	%ax, %dx
	ret

panicked:
	mov	$0x505, %edx
	in	%dx, %al
	test	$1, %al
	jz	halt
	mov	$1, %al
	out	%al, %dx
	ret

crash_loaded:
	mov	$0x505, %edx
	mov	$2, %al
	out	%al, %dx
	mov	$alive, %esi
	call	print
	mov	$0x600, %edx		/* the sleep control register */
	mov	$0x34, %al
	out	%al, %dx
	ret

/* Says "@debug" on the debug console, if there is one, and ends with the value 0x10; or at once, with 4. */
debug_exit:
	mov	$0xe9, %edx
	in	%dx, %al
	cmp	$0xe9, %al
	jne	halt
	mov	$debug, %esi
	call	print_to
	mov	$0x10, %eax
	out	%eax, $0xf4
	ret

/* The timer's interrupt comes to the first 8259, port 0x61 gates its third channel, the clock's battery is good: 6. */
timer_and_clock:
	mov	$0x34, %al		/* channel 0, every 65536 ticks */
	out	%al, $0x43
	xor	%eax, %eax
	out	%al, $0x40
	out	%al, $0x40
	mov	$0x0a, %al		/* OCW3: read the requests */
	out	%al, $0x20
1:	in	$0x20, %al
	test	$1, %al
	jz	1b
	in	$0x61, %al
	or	$1, %al
	out	%al, $0x61
	in	$0x61, %al
	test	$1, %al
	jz	halt
	mov	$0x0d, %al
	out	%al, $0x70
	in	$0x71, %al
	cmp	$0x80, %al
	jne	halt
	mov	$0x32, %al		/* the century */
	out	%al, $0x70
	in	$0x71, %al
	cmp	$0x20, %al
	jne	halt
	mov	$6, %al
	out	%al, $0xf4
	ret

/* Waits for ever for a timer to count, as kernels do that have never seen a PC without one. */
idle_for_a_timer:
	mov	$0x04, %al
	out	%al, $0x43
	in	$0x40, %al
	mov	%al, %cl
	in	$0x40, %al
	cmp	%cl, %al
	je	idle_for_a_timer
	ret

early_debug_exit:
	mov	$0x501, %edx
	mov	$4, %al
	out	%al, %dx
	ret

/* An old log, and then: waiting for interrupts, */
living_log:
	mov	$log, %esi
	call	print
1:	sti
	hlt
	jmp	1b

/* as Linux loops after a panic, */
spinning_log:
	mov	$log, %esi
	call	print
	sti
1:	pause
	jmp	1b

/* as others do, */
halted_log:
	mov	$log, %esi
	jmp	print

/* or a reboot as it should be. */
log_and_reboot:
	mov	$log, %esi
	call	print
	mov	$restart, %esi
	call	print
	jmp	keyboard

triple_fault:
	lidt	none
	ud2

none:	.word	0
	.long	0
up:	.asciz	"@up\r\n"
debug:	.asciz	"@debug\n"
alive:	.asciz	"@alive\r\n"
log:	.ascii	"[    1.2] Kernel panic - not syncing: of another day\r\n"
	.asciz	"[    1.3] ---[ end Kernel panic - not syncing: of another day ]---\r\n"
restart:
	.asciz	"[    9.9] reboot: Restarting system\r\n"

	.section .note.GNU-stack, "", @progbits
