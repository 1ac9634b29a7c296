/*
 * How the machine gets from running to paused and back (vmm/machine/run.c), with vCPUs that are
 * counters: what is asked for while something else is under way.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "tests/support/board-fake.h"
#include "vmm/machine/machine-int.h"

/*
 * In the place of KVM's: vCPUs that stand as soon as they are asked to, or when the test lets them.
 */
struct vcpus {
	bool asked_to_stand;
	unsigned resumed;        /* how often */
	void (*meanwhile)(void); /* once, while they are waited for */
	bool slow;               /* they never stand */
};

static struct vcpus cpus;
static unsigned loads, overdue_calls;

void vcpus_start(struct vcpus *c, const struct vcpu_ops *ops, void *opaque)
{
	(void)c;
	(void)ops;
	(void)opaque;
}

void vcpus_pause(struct vcpus *c)
{
	c->asked_to_stand = true;
}

bool vcpus_all_paused(struct vcpus *c)
{
	void (*meanwhile)(void) = c->meanwhile;

	c->meanwhile = NULL;
	if (meanwhile) {
		meanwhile();
		g_main_context_wakeup(NULL);
		return false;
	}
	return c->asked_to_stand && !c->slow;
}

void vcpus_resume(struct vcpus *c)
{
	c->asked_to_stand = false;
	c->resumed++;
}

pid_t vcpus_thread_id(struct vcpus *c, unsigned cpu)
{
	(void)c;
	return 4711 + (pid_t)cpu;
}

bool machine_power_on(struct machine *m, GError **err)
{
	(void)m;
	(void)err;
	return true;
}

bool machine_load(struct machine *m, GError **err)
{
	(void)m;
	(void)err;
	loads++;
	return true;
}

void machine_seal(struct machine *m, enum sandbox_role role)
{
	(void)m;
	(void)role;
}

static const char *panic_reason;

char *machine_panic_reason(struct machine *m)
{
	(void)m;
	return g_strdup(panic_reason);
}

void machine_panicked(struct machine *m)
{
	machine_finish(m, MACHINE_PANIC, machine_panic_reason(m));
}

void machine_panic_reset(struct machine *m)
{
	(void)m;
	panic_reason = NULL;
}

void terminal_start(struct terminal *t)
{
	(void)t;
}

int kvm_irq_line(struct kvm *kvm, unsigned gsi, bool level)
{
	(void)kvm;
	(void)gsi;
	(void)level;
	return 0;
}

/*
 * A machine without anything.
 */
static struct machine_config cfg;
static struct machine *m;
static struct board_fake *board;

static void on_overdue(enum machine_end end, uint32_t value)
{
	(void)value;
	assert_int_equal(end, MACHINE_QUIT);
	overdue_calls++;
	cpus.slow = false;
	g_main_context_wakeup(NULL);
}

static int setup(void **state)
{
	static const struct platform_ops platform_ops = {
		.power_off = machine_on_power_off,
		.reset = machine_on_reset,
	};
	const struct pci_root_config root = { .ecam_base = 0xe0000000u,
					      .mem_base = 0xe1000000u,
					      .mem_size = 1u << 20 };
	static const struct machine_pc pc = { .rtc = true };
	struct platform_config platform;

	(void)state;
	board = board_fake_new(false);
	cpus = (struct vcpus){ 0 };
	loads = overdue_calls = 0;
	panic_reason = NULL;
	cfg = (struct machine_config){ .overdue = on_overdue };
	m = g_new0(struct machine, 1);
	m->cfg = &cfg;
	m->cpus = &cpus;
	m->devices = g_ptr_array_new();
	m->observers = g_array_new(FALSE, FALSE, sizeof(struct machine_observer));
	m->main = loop_main();
	m->bus = bus_new();
	platform = (struct platform_config){ .bus = m->bus,
					     .main = m->main,
					     .kvm = &m->kvm,
					     .pc = &pc,
					     .debug_exit = -1,
					     .ops = &platform_ops,
					     .opaque = m };
	m->platform = platform_new(&platform, NULL);
	assert_non_null(m->platform);
	m->pci = pci_root_new(board_fake_board(board), &root, NULL);
	pthread_mutex_init(&m->lock, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_unwatch(m->overdue);
	g_ptr_array_unref(m->devices);
	g_array_unref(m->observers);
	platform_free(m->platform);
	bus_free(m->bus);
	pci_root_free(m->pci);
	board_fake_free(board);
	machine_forget_io_errors(m);
	loop_free(m->main);
	pthread_mutex_destroy(&m->lock);
	g_free(m->text);
	g_free(m->failure);
	g_free(m);
	return 0;
}

static void power_off(void)
{
	machine_on_power_off(m);
}

static void guest_resets(void)
{
	machine_on_reset(m);
}

static void triple_fault(void)
{
	machine_vcpu_ops.failed(0, VCPU_EXIT_SHUTDOWN, "vCPU 0: triple fault", m);
}

static void operator_resets(void)
{
	machine_reset(m);
}

static void operator_stops(void)
{
	machine_stop(m);
}

static void operator_goes_on(void)
{
	machine_cont(m);
}

/*
 * The promises.
 */
static void stop_and_cont(void **state)
{
	(void)state;
	machine_stop(m);
	assert_int_equal(machine_status(m), MACHINE_STATUS_PAUSED);
	assert_true(cpus.asked_to_stand);
	machine_cont(m);
	assert_int_equal(machine_status(m), MACHINE_STATUS_RUNNING);
	assert_int_equal(cpus.resumed, 1);
}

static GString *told;

static void on_told(const char *event, bool guest, void *opaque)
{
	(void)guest;
	(void)opaque;
	g_string_append_printf(told, "%s ", event);
}

static void on_io_error_told(const char *name, const struct vdev_io_error *error, void *opaque)
{
	(void)opaque;
	g_string_append_printf(told, "%s:%s ", name,
			       error->action == VDEV_ERROR_STOP ? "stop" : "report");
}

static void *disk_fails(void *action)
{
	const struct vdev_io_error error = { .write = true,
					     .action = *(enum vdev_error_action *)action,
					     .errnum = ENOSPC };
	struct vdev dev = { .id = (char *)"disk0" };

	machine_on_io_error(m, &dev, &error);
	return NULL;
}

static void fail_on_a_thread(enum vdev_error_action action)
{
	g_thread_join(g_thread_new("queue", disk_fails, &action));
}

/* As a disk's thread says it: told first, then the stop; a client's `cont` ends it. */
static void an_error_that_a_device_cannot_pass_stops_the_machine(void **state)
{
	(void)state;
	told = g_string_new(NULL);
	machine_observe(m, on_told, NULL);
	machine_observe_io_errors(m, on_io_error_told, NULL);
	fail_on_a_thread(VDEV_ERROR_STOP);
	assert_true(cpus.asked_to_stand);
	machine_cont(m); /* whatever is asked for: the requests are seen to */
	assert_int_equal(machine_status(m), MACHINE_STATUS_IO_ERROR);
	assert_string_equal(told->str, "disk0:stop STOP ");
	machine_cont(m);
	assert_int_equal(machine_status(m), MACHINE_STATUS_RUNNING);
	assert_int_equal(cpus.resumed, 1);
	machine_stop(m);
	assert_int_equal(machine_status(m), MACHINE_STATUS_PAUSED);
	machine_cont(m);
	assert_string_equal(told->str, "disk0:stop STOP RESUME STOP RESUME ");
	fail_on_a_thread(VDEV_ERROR_REPORT);
	while (g_main_context_iteration(NULL, FALSE))
		;
	assert_int_equal(machine_status(m), MACHINE_STATUS_RUNNING);
	assert_true(g_str_has_suffix(told->str, " disk0:report "));
	machine_observe_io_errors(m, NULL, NULL);
	machine_unobserve(m, on_told, NULL);
	fail_on_a_thread(VDEV_ERROR_REPORT); /* nobody listens, and it is not told late */
	g_string_free(told, TRUE);
}

static void nobody_runs_past_a_power_off(void **state)
{
	(void)state;
	power_off();
	machine_stop(m);
	machine_cont(m);
	machine_stop(m);
	machine_cont(m);
	assert_int_equal(cpus.resumed, 0);
	assert_int_equal(m->end, MACHINE_POWEROFF);
}

static void nobody_runs_past_a_power_off_that_came_while_stopping(void **state)
{
	(void)state;
	cpus.meanwhile = power_off;
	machine_stop(m);
	machine_cont(m);
	assert_int_equal(cpus.resumed, 0);
	assert_int_equal(m->end, MACHINE_POWEROFF);
}

static void a_power_off_while_a_reset_waits_for_the_processors_is_one(void **state)
{
	(void)state;
	cpus.meanwhile = power_off;
	machine_reset(m);
	assert_int_equal(m->end, MACHINE_POWEROFF);
	assert_int_equal(loads, 0);
	assert_int_equal(cpus.resumed, 0);
}

static void a_triple_fault_while_a_reset_waits_is_one(void **state)
{
	(void)state;
	cpus.meanwhile = triple_fault;
	machine_reset(m);
	assert_int_equal(m->end, MACHINE_TRIPLE_FAULT);
	assert_string_equal(m->text, "vCPU 0: triple fault");
}

static void the_guests_reset_while_a_reset_waits_is_the_same_one(void **state)
{
	(void)state;
	cpus.meanwhile = guest_resets;
	machine_reset(m);
	assert_int_equal(m->end, MACHINE_RUNNING);
	assert_int_equal(loads, 1);
	assert_int_equal(cpus.resumed, 1);
}

static void but_ends_a_run_that_is_not_to_reboot(void **state)
{
	(void)state;
	cfg.no_reboot = true;
	cpus.meanwhile = guest_resets;
	machine_reset(m);
	assert_int_equal(m->end, MACHINE_REBOOT);
	assert_int_equal(loads, 0);
}

static void what_is_asked_for_while_it_waits_is_done_afterwards(void **state)
{
	(void)state;
	cpus.meanwhile = operator_stops;
	machine_reset(m);
	assert_int_equal(loads, 1);
	assert_int_equal(machine_status(m), MACHINE_STATUS_PAUSED);
	assert_true(cpus.asked_to_stand);

	cpus.meanwhile = operator_resets;
	machine_cont(m); /* waits for nothing */
	machine_stop(m);
	assert_int_equal(loads, 2);
	assert_int_equal(machine_status(m), MACHINE_STATUS_PAUSED);

	machine_cont(m);
	cpus.meanwhile = operator_goes_on;
	machine_stop(m); /* and changes the mind */
	assert_int_equal(machine_status(m), MACHINE_STATUS_RUNNING);
	assert_false(cpus.asked_to_stand);
}

static void a_stopped_machine_is_reset_and_stays_stopped(void **state)
{
	unsigned resumed;

	(void)state;
	machine_stop(m);
	resumed = cpus.resumed;
	machine_reset(m);
	assert_int_equal(loads, 1);
	assert_int_equal(cpus.resumed, resumed);
	assert_int_equal(machine_status(m), MACHINE_STATUS_PAUSED);
}

static void panic(void)
{
	machine_ask(m, ASK_PANICKED);
}

/* Told to the panic device, and then a reset: the first is what happened. */
static void nobody_runs_past_a_panic(void **state)
{
	(void)state;
	panic();
	guest_resets();
	machine_stop(m);
	machine_cont(m);
	assert_int_equal(cpus.resumed, 0);
	assert_int_equal(loads, 0);
	assert_int_equal(m->end, MACHINE_PANIC);
}

/* A reset after the kernel's words is a panic; one that the operator asks for begins without a
 * past. */
static void a_reset_after_a_panics_words_is_one(void **state)
{
	(void)state;
	panic_reason = "why";
	machine_reset(m);
	assert_int_equal(m->end, MACHINE_RUNNING);
	guest_resets();
	machine_cont(m);
	assert_int_equal(m->end, MACHINE_RUNNING);
	panic_reason = "why";
	guest_resets();
	machine_cont(m);
	assert_int_equal(m->end, MACHINE_PANIC);
	assert_string_equal(m->text, "why");
	assert_int_equal(loads, 2);
}

/* The first value holds, and a power-off that comes with it is too late. */
static void the_guest_ends_the_run_with_a_value(void **state)
{
	(void)state;
	machine_on_debug_exit(m, 0x10);
	machine_on_debug_exit(m, 0x11);
	power_off();
	machine_stop(m);
	machine_cont(m);
	assert_int_equal(cpus.resumed, 0);
	assert_int_equal(m->end, MACHINE_DEBUG_EXIT);
	assert_int_equal(machine_debug_value(m), 0x10);
}

static void what_the_guest_waited_for_has_a_name(void **state)
{
	g_autofree char *nothing = NULL, *little = NULL, *timer = NULL, *more = NULL;

	(void)state;
	nothing = machine_missed(m);
	assert_null(nothing);
	for (unsigned i = 0; i < 99; i++)
		(void)bus_read(m->bus, true, 0x40, 1);
	for (unsigned i = 0; i < 5000; i++) /* to lose time */
		bus_write(m->bus, true, 0x80, 1, 0);
	little = machine_missed(m);
	assert_null(little);
	for (unsigned i = 0; i < 94901; i++)
		(void)bus_read(m->bus, true, 0x40, 1);
	timer = machine_missed(m);
	assert_string_equal(timer, "the guest read port 0x40 95,000 times: there is no interval "
				   "timer (PIT) (--pc pit=on)");
	for (unsigned i = 0; i < 200; i++) {
		bus_write(m->bus, true, 0x1234, 1, 0);
		(void)bus_read(m->bus, false, 0xfed00000 + i, 1);
	}
	more = machine_missed(m);
	assert_non_null(strstr(more,
			       "(--pc pit=on); it wrote to port 0x1234 200 times, where "
			       "nothing is; it read the page of memory at 0xfed00000 200 times: "
			       "there is no HPET"));
	machine_reset(m);
	g_free(g_steal_pointer(&more));
	more = machine_missed(m);
	assert_null(more); /* another guest */
}

/* A guest that waits for interrupts of a timer that is not there makes a handful of writes, then no
 * access. */
static void a_timer_that_was_set_up_is_told_of(void **state)
{
	g_autofree char *looked = NULL, *waits = NULL, *once = NULL;

	(void)state;
	(void)bus_read(m->bus, true, 0x40, 1);
	looked = machine_missed(m);
	assert_null(looked);
	bus_write(m->bus, true, 0x43, 1, 0x34);
	bus_write(m->bus, true, 0x40, 1, 0x9c);
	bus_write(m->bus, true, 0x3f2, 1, 0); /* a floppy's motor, to be sure that it is off */
	waits = machine_missed(m);
	assert_string_equal(waits, "the guest set up the interval timer (PIT), which is not there "
				   "(--pc pit=on)");
	for (unsigned i = 0; i < 100; i++)
		bus_write(m->bus, true, 0x43, 1, 0);
	once = machine_missed(m);
	assert_string_equal(once, "the guest wrote to port 0x43 101 times: there is no interval "
				  "timer (PIT) (--pc pit=on)");
	machine_reset(m);
}

static void a_clock_that_is_to_interrupt_is_told_of(void **state)
{
	g_autofree char *comes = NULL, *waits = NULL, *nothing = NULL;

	(void)state;
	bus_write(m->bus, true, 0x70, 1, 0x0b);
	bus_write(m->bus, true, 0x71, 1, 0x42);
	comes = machine_missed(m);
	assert_null(comes); /* the periodic one is there */
	bus_write(m->bus, true, 0x71, 1, 0x62);
	waits = machine_missed(m);
	assert_string_equal(waits, "the guest enabled the alarm or update interrupt of the clock "
				   "(RTC), which has none");
	machine_reset(m);
	nothing = machine_missed(m);
	assert_null(nothing);
}

static gboolean quit_now(void *arg)
{
	(void)arg;
	machine_quit(m);
	return G_SOURCE_REMOVE;
}

static void quitting_does_not_wait_for_ever(void **state)
{
	const char *text;

	(void)state;
	cpus.slow = true;
	g_idle_add(quit_now, NULL);
	assert_int_equal(machine_run(m, &text), MACHINE_QUIT);
	assert_int_equal(overdue_calls, 1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_error_that_a_device_cannot_pass_stops_the_machine),
		TEST(stop_and_cont),
		TEST(nobody_runs_past_a_power_off),
		TEST(nobody_runs_past_a_power_off_that_came_while_stopping),
		TEST(a_power_off_while_a_reset_waits_for_the_processors_is_one),
		TEST(a_triple_fault_while_a_reset_waits_is_one),
		TEST(the_guests_reset_while_a_reset_waits_is_the_same_one),
		TEST(but_ends_a_run_that_is_not_to_reboot),
		TEST(what_is_asked_for_while_it_waits_is_done_afterwards),
		TEST(a_stopped_machine_is_reset_and_stays_stopped),
		TEST(nobody_runs_past_a_panic),
		TEST(a_reset_after_a_panics_words_is_one),
		TEST(the_guest_ends_the_run_with_a_value),
		TEST(what_the_guest_waited_for_has_a_name),
		TEST(a_timer_that_was_set_up_is_told_of),
		TEST(a_clock_that_is_to_interrupt_is_told_of),
		TEST(quitting_does_not_wait_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
