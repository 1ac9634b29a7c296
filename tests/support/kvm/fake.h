/*
 * A KVM for programs that are linked with this in the place of vmm/kvm/sys.c: bookkeeping where a
 * kernel has a machine. It refuses what Linux refuses (two doorbells at one place, memory that
 * overlaps), tells what is set, can fail any call, and runs a guest that is a function. Descriptors
 * and struct kvm_run are real ones: memory files.
 */
#pragma once

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

/* What a vCPU does next, on its thread: 1 for an exit that it put into *@run, 0 for nothing, -errno
 * for what KVM_RUN fails with. */
typedef int (*fake_guest)(unsigned cpu, struct kvm_run *run);

/* All is forgotten, and call number @fail_at from here on will fail (0: none). */
void fake_kvm_begin(unsigned fail_at);
void fake_kvm_end(void); /* what it has itself is freed */

/* From here on, call number @nth fails, of those of @request (0: of all). @nth 0: none any more. */
void fake_kvm_fail(unsigned long request, unsigned nth);

/* The call that failed, by its name in linux/kvm.h ("KVM_CAP_..." for a question about a
 * capability), or NULL. */
const char *fake_kvm_failed(void);
unsigned fake_kvm_calls(void); /* so far, KVM_RUN not counted */
unsigned fake_kvm_calls_of(unsigned long request);

void fake_kvm_guest(fake_guest guest);
unsigned fake_kvm_running(void); /* vCPUs in the guest at the moment */

/*
 * Of the first machine that was made.
 */
unsigned fake_kvm_n_doorbells(void);
int fake_kvm_doorbell(uint64_t addr); /* the eventfd there, or -1 */
unsigned fake_kvm_n_irqfds(void);
int fake_kvm_irqfd(unsigned gsi); /* the eventfd that raises it, or -1 */
bool fake_kvm_message(unsigned gsi, uint64_t *ret_addr,
		      uint32_t *ret_data);                        /* as routed; false: not */
bool fake_kvm_routes(unsigned gsi, uint64_t addr, uint32_t data); /* as just this message? */
int fake_kvm_pin_gsi(unsigned chip, unsigned pin); /* as routed by us (not by KVM itself), or -1 */
bool fake_kvm_has_pit(void);
bool fake_kvm_slot(unsigned n, struct kvm_userspace_memory_region *ret);
struct kvm_regs fake_kvm_regs(unsigned cpu);
struct kvm_guest_debug fake_kvm_debug(unsigned cpu); /* as set last */
