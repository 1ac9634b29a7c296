/*
 * The registers of a vCPU that is paused, for people and programs that look: names and values, so
 * that only the architecture knows which there are (vmm/x86/registers.c).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "vmm/kvm/vcpu.h"

#define VCPU_REGISTERS_MAX  64u
#define VCPU_CODE_BYTES_MAX 16u

struct vcpu_register {
	const char *name;
	unsigned bits; /* its width, a multiple of 4 */
	uint64_t value;
};

struct vcpu_registers {
	unsigned n;
	struct vcpu_register reg[VCPU_REGISTERS_MAX]; /* general, segments, control */
	bool off;                                     /* it waits for another one to start it */
	bool halted;                                  /* it waits for an interrupt */
	uint64_t pc;     /* linear address of the next instruction, and what is there as far as */
	unsigned n_code; /* guest memory has it */
	uint8_t code[VCPU_CODE_BYTES_MAX];
	uint64_t system_call; /* where the kernel is entered by the system call instruction; 0:
				 not known */
};

/* Of vCPU @cpu, which is paused. 0 or -errno. */
int vcpus_registers(struct vcpus *cpus, unsigned cpu, struct vcpu_registers *ret);

/* The architecture's part of it, of one vCPU. */
int vcpu_get_registers(int vcpu, const struct gmem *mem, struct vcpu_registers *ret);

/* Several lines for a person, each ended by a line feed; @where follows the address of the next
 * instruction, or is NULL. Free with g_free(). */
char *vcpu_registers_text(unsigned cpu, const struct vcpu_registers *r, const char *where);
