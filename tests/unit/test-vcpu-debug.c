/* vCPUs that stop for a debugger, over a KVM that is a fake: what KVM is asked for, whose exception
 * it was, and who goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "tests/support/kvm/fake.h"
#include "vmm/kvm/vcpu.h"

#define DB       1u
#define BP       3u
#define DR6_STEP (1u << 14)

static struct kvm kvm;
static struct bus *bus;
static struct gmem mem;
static struct vcpus *cpus;

/* What the guests do: an exit each, once, and then nothing. */
static struct kvm_debug_exit_arch exits[2];
static atomic_bool has_exit[2];
static atomic_uint runs[2]; /* how often each was in the guest */

static int exit_once(unsigned cpu, struct kvm_run *run)
{
	atomic_fetch_add(&runs[cpu], 1);
	if (!atomic_exchange(&has_exit[cpu], false))
		return 0;
	run->exit_reason = KVM_EXIT_DEBUG;
	run->debug.arch = exits[cpu];
	return 1;
}

static void will_exit(unsigned cpu, uint32_t exception, uint64_t pc, uint64_t dr6)
{
	exits[cpu] = (struct kvm_debug_exit_arch){
		.exception = exception,
		.pc = pc,
		.dr6 = dr6,
	};
	atomic_store(&has_exit[cpu], true);
}

static struct vcpu_stop stopped_at;
static atomic_uint n_stops;

static void on_started(unsigned cpu, void *opaque)
{
	(void)cpu;
	(void)opaque;
}

static void on_stopped(const struct vcpu_stop *stop, void *opaque)
{
	(void)opaque;
	stopped_at = *stop;
	atomic_fetch_add(&n_stops, 1);
}

static void on_paused(void *opaque)
{
	(void)opaque;
}

static int setup(void **state)
{
	static const struct vcpu_ops vcpu_ops = { .started = on_started,
						  .stopped = on_stopped,
						  .paused = on_paused };
	struct vcpus_config cfg = { .kvm = &kvm, .mem = &mem, .n = 2 };

	(void)state;
	fake_kvm_begin(0);
	assert_true(kvm_open(&kvm, NULL));
	assert_true(kvm_create_machine(&kvm, NULL));
	bus = bus_new();
	cfg.bus = bus;
	cpus = vcpus_new(&cfg, NULL);
	assert_non_null(cpus);
	for (unsigned i = 0; i < 2; i++) {
		atomic_store(&has_exit[i], false);
		atomic_store(&runs[i], 0);
	}
	atomic_store(&n_stops, 0);
	fake_kvm_guest(exit_once);
	vcpus_start(cpus, &vcpu_ops, NULL);
	while (!vcpus_all_paused(cpus))
		g_usleep(100);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vcpus_pause(cpus);
	vcpus_free(cpus);
	bus_free(bus);
	kvm_close(&kvm);
	fake_kvm_end();
	return 0;
}

static void run_until_stopped(void)
{
	unsigned before = atomic_load(&n_stops);

	vcpus_resume(cpus);
	while (atomic_load(&n_stops) == before || !vcpus_all_paused(cpus))
		g_usleep(100);
}

static void a_breakpoint_instruction_of_ours_stops_all(void **state)
{
	const uint64_t at[] = { 0x5678, 0x1234 };
	struct vcpu_debug debug = { .instruction = at, .n_instructions = 2 };

	(void)state;
	assert_int_equal(vcpus_debug(cpus, &debug), 0);
	assert_int_equal(fake_kvm_debug(1).control, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP);
	will_exit(1, BP, 0x1234, 0);
	run_until_stopped();
	assert_int_equal(stopped_at.cpu, 1);
	assert_int_equal(stopped_at.reason, VCPU_STOP_INSTRUCTION);
	assert_int_equal(stopped_at.addr, 0x1234);
	assert_int_equal(atomic_load(&n_stops), 1);
}

/* Until the vCPU has been in the guest again after its exit. */
static void run_past_exit(unsigned cpu)
{
	unsigned n;

	vcpus_resume(cpus);
	while (atomic_load(&has_exit[cpu]))
		g_usleep(100);
	n = atomic_load(&runs[cpu]);
	while (atomic_load(&runs[cpu]) < n + 2)
		g_usleep(100);
	vcpus_pause(cpus);
	while (!vcpus_all_paused(cpus))
		g_usleep(100);
}

static void the_guests_own_exceptions_are_given_back(void **state)
{
	const uint64_t at[] = { 0x1234 };
	struct vcpu_debug debug = { .instruction = at, .n_instructions = 1 };
	uint32_t control;

	(void)state;
	assert_int_equal(vcpus_debug(cpus, &debug), 0);
	will_exit(0, BP, 0x1235, 0);
	run_past_exit(0);
	control = fake_kvm_debug(0).control;
	assert_int_equal(control,
			 KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_INJECT_BP);
	will_exit(0, DB, 0x1234, DR6_STEP); /* nobody has asked for a step */
	run_past_exit(0);
	control = fake_kvm_debug(0).control;
	assert_int_equal(control,
			 KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_INJECT_DB);
	assert_int_equal(atomic_load(&n_stops), 0);
}

static void debug_registers_say_what_is_watched(void **state)
{
	struct vcpu_debug debug = {
		.hw = { { VCPU_STOP_EXECUTE, 0x1000, 1 },
			{ VCPU_STOP_WRITE, 0x2000, 8 },
			{ VCPU_STOP_ACCESS, 0x3000, 4 },
			{ VCPU_STOP_ACCESS, 0x4000, 2 } },
		.n_hw = 4,
	};
	struct kvm_guest_debug dbg;

	(void)state;
	assert_int_equal(vcpus_debug(cpus, &debug), 0);
	dbg = fake_kvm_debug(0);
	assert_int_equal(dbg.control, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(dbg.arch.debugreg[i], 0x1000 * (i + 1));
	/* The lengths and kinds (4 bits each: execute 0, 8 bytes 10 write 01, 4 bytes 11 access 11,
	 * 2 bytes 01 access 11), bit 10, global enables. */
	assert_int_equal(dbg.arch.debugreg[7], 0x7f9004aa);
	will_exit(0, DB, 0x9999, 1u << 2);
	run_until_stopped();
	assert_int_equal(stopped_at.reason, VCPU_STOP_ACCESS);
	assert_int_equal(stopped_at.addr, 0x3000);
}

static void one_steps_while_another_is_held(void **state)
{
	unsigned before;

	(void)state;
	assert_int_equal(vcpus_set_run(cpus, 0, VCPU_STEP), 0);
	assert_int_equal(vcpus_set_run(cpus, 1, VCPU_HOLD), 0);
	assert_int_equal(fake_kvm_debug(0).control, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP);
	assert_int_equal(fake_kvm_debug(1).control, 0);
	before = atomic_load(&runs[1]);
	will_exit(0, DB, 0x1234, DR6_STEP);
	run_until_stopped();
	assert_int_equal(stopped_at.reason, VCPU_STOP_STEP);
	assert_int_equal(stopped_at.addr, 0x1234);
	assert_int_equal(atomic_load(&runs[1]), before);
	assert_int_equal(vcpus_set_run(cpus, 0, VCPU_RUN), 0);
	assert_int_equal(vcpus_set_run(cpus, 1, VCPU_RUN), 0);
	assert_int_equal(fake_kvm_debug(0).control, 0);
	vcpus_resume(cpus);
	while (atomic_load(&runs[1]) == before)
		g_usleep(100);
}

static void interrupts_are_held_back_where_kvm_can(void **state)
{
	(void)state;
	kvm.debug_flags = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_BLOCKIRQ;
	assert_int_equal(vcpus_set_run(cpus, 0, VCPU_STEP), 0);
	assert_int_equal(fake_kvm_debug(0).control,
			 KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_BLOCKIRQ);
}

static void a_refusal_is_told(void **state)
{
	struct vcpu_debug debug = { .hw = { { VCPU_STOP_EXECUTE, 0x1000, 1 } }, .n_hw = 1 };

	(void)state;
	fake_kvm_fail(KVM_SET_GUEST_DEBUG, 2);
	assert_int_equal(vcpus_debug(cpus, &debug), -EIO);
	fake_kvm_fail(KVM_SET_GUEST_DEBUG, 1);
	assert_int_equal(vcpus_set_run(cpus, 1, VCPU_STEP), -EIO);
	fake_kvm_fail(0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_breakpoint_instruction_of_ours_stops_all),
		TEST(the_guests_own_exceptions_are_given_back),
		TEST(debug_registers_say_what_is_watched),
		TEST(one_steps_while_another_is_held),
		TEST(interrupts_are_held_back_where_kvm_can),
		TEST(a_refusal_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
