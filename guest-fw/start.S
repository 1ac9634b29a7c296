/*
 * guest-fw at privilege level 0: entry, and what interrupts, exceptions and the two gates do. All
 * else is C at level 3.
 *
 * Where KVM cannot run level 0 on the processor and emulates it (a nested host), each instruction
 * here costs half a microsecond and many end the guest. So there are few, of the plainest kind, and
 * nothing is computed that can stand in memory from the start: page tables, descriptors and vectors
 * are data. For that the linker script puts vectors and task state at fixed addresses.
 *
 * The first 5 GiB are mapped where they are, in pages that level 3 may use: rings, registers of
 * devices, local APIC. Interrupts are counted and nothing else: ending them is up to level 3.
 * SYSCALL and software interrupts are among what a nested host gets wrong, so the way from level 3
 * to level 0 is an undefined instruction.
 *
 * Seen on such a host: level 0 takes IRETQ, exceptions and interrupts from level 3, STI, HLT, LTR and
 * string output well; IOPL is ignored; a far return, INT n at level 0 and pages of 1 GiB are refused;
 * and its local APIC takes an interrupt for ended as soon as it is delivered.
 */
#define CODE0	0x08
#define DATA3	0x23
#define CODE3	0x2b
#define TASK	0x30

#define FLAGS3	0x202				/* interrupts on */

#define VECTOR_UNDEFINED 6
#define VECTOR_TIMER	 0xe0			/* machine.c has it too */
#define HAS_ERROR_CODE	 0x60227d00		/* bit n: exception n pushes one */

#define APIC_EOI	0xfee000b0

/*
 * Addresses that are computed with; fw.ld puts the sections there. So high up because when we fuzz a
 * device may be led to take any bytes of its rings for an address, and those that look like one are
 * small.
 */
	.globl VECTORS, TASK_STATE
	.set VECTORS, 0x2c00000
	.set TASK_STATE, 0x2c01000

	.section .note.pvh, "a"
	.long 4, 4, 18				/* name and descriptor sizes, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

/* ebx: start info. Protected mode without paging, flat segments. */
	.text
	.code32
	.globl start
start:
	mov	$level4, %eax
	mov	%eax, %cr3
	mov	$0x20, %eax			/* PAE */
	mov	%eax, %cr4
	mov	$0xc0000080, %ecx		/* EFER: LME */
	mov	$0x100, %eax
	xor	%edx, %edx
	wrmsr
	mov	$0x80000011, %eax		/* PG, ET, PE */
	mov	%eax, %cr0
	lgdt	gdt_pointer
	ljmp	$CODE0, $1f
	.code64
1:	mov	$TASK, %eax
	ltr	%ax
	lidt	idt_pointer
	mov	$stack0, %esp
	mov	%ebx, %edi
	push	$DATA3
	push	$(stack3 - 8)			/* as if called */
	push	$FLAGS3
	push	$CODE3
	push	$fw_main
	iretq

/*
 * Functions for level 3 (fw.h).
 */
	.globl fw_out, fw_wait
fw_out:						/* edi: port, rsi: bytes, rdx: how many */
	mov	%rdx, %rcx
	mov	%edi, %edx
	xor	%eax, %eax
	jmp	gate
fw_wait:					/* rdi: a counter, esi: its value as it was seen */
	mov	$1, %eax
gate:	ud2
	ret

/*
 * Level 0 again.
 */
undefined:
	cmpq	$gate, (%rsp)
	jne	not_ours
	addq	$2, (%rsp)
	test	%eax, %eax
	jnz	wait
	rep	outsb
	iretq
wait:	cmp	%esi, (%rdi)			/* with interrupts off: none is missed */
	jne	1f
	sti
	hlt
1:	iretq

timer:	incl	fw_irqs + 4 * VECTOR_TIMER
	push	%rax
	mov	$APIC_EOI, %eax
	movl	$0, (%rax)
	pop	%rax
	iretq

/* Goes on at level 3, in fw_fault(vector, error code, where, cr2), which does not return. */
not_ours:
	push	$0
	push	$VECTOR_UNDEFINED
fault:	pop	%rdi
	pop	%rsi
	mov	(%rsp), %rdx
	mov	%cr2, %rcx
	movq	$fw_fault, (%rsp)
	movq	$CODE3, 8(%rsp)
	movq	$FLAGS3, 16(%rsp)
	movq	$(stack3 - 8), 24(%rsp)
	movq	$DATA3, 32(%rsp)
	iretq

/*
 * At VECTORS: 16 bytes of code for each vector.
 */
	.section .vectors, "ax"
	.set	vector, 0
	.rept	256
	.balign	16
	.if	vector == VECTOR_UNDEFINED
	jmp	undefined
	.elseif	vector == VECTOR_TIMER
	jmp	timer
	.elseif	vector >= 32
	incl	fw_irqs + 4 * vector
	iretq
	.else
	.if	(HAS_ERROR_CODE >> vector & 1) == 0
	push	$0
	.endif
	push	$vector
	jmp	fault
	.endif
	.set	vector, vector + 1
	.endr
	.balign	16

	.section .task, "a"			/* at TASK_STATE: level 0's stack is all it has to say */
	.long	0
	.quad	stack0
	.fill	92

	.data
	.balign	16
gdt:	.quad	0
	.quad	0x00af9b000000ffff		/* CODE0 */
	.quad	0x00cf93000000ffff
	.quad	0x00cffb000000ffff
	.quad	0x00cff3000000ffff		/* DATA3 */
	.quad	0x00affb000000ffff		/* CODE3 */
	.word	103, TASK_STATE & 0xffff, 0x8900 | (TASK_STATE >> 16 & 0xff), TASK_STATE >> 16 & 0xff00
	.quad	0
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.quad	gdt
idt_pointer:
	.word	4095
	.quad	idt

	.balign	4096
idt:	.set	vector, 0
	.rept	256				/* interrupt gates, to level 0 */
	.word	(VECTORS + 16 * vector) & 0xffff, CODE0, 0x8e00, VECTORS >> 16
	.quad	0
	.set	vector, vector + 1
	.endr
level4:	.quad	level3 + 7			/* present, writable, level 3's */
	.fill	511, 8
level3:	.set	page, 0
	.rept	5
	.quad	level2 + (page << 12) + 7
	.set	page, page + 1
	.endr
	.fill	507, 8
level2:	.set	page, 0
	.rept	2560				/* as above, 2 MiB each */
	.quad	page << 21 | 0x87
	.set	page, page + 1
	.endr

	.bss
	.balign	16
	.globl	fw_irqs
fw_irqs: .skip	4 * 256
	.skip	4096
stack0:	.skip	65536
stack3:

	.section .note.GNU-stack, "", @progbits
