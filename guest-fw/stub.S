/*
 * The smallest guest: a PVH kernel that says "@up" on the serial port and halts. It measures what a
 * monitor costs before its guest runs, and needs no more of KVM than a few instructions emulated.
 */
	.section .note.pvh, "a"
	.long 4, 4, 18			/* name and descriptor sizes, XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.text
	.code32
	.globl start
start:
	mov	$message, %esi
	mov	$0x3f8, %edx
1:	mov	(%esi), %al
	test	%al, %al
	jz	2f
	out	%al, %dx
	inc	%esi
	jmp	1b
2:	hlt
	jmp	2b

message:
	.asciz "@up\r\n"
