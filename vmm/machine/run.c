/*
 * The main loop: what the guest, the operator and the control socket ask for, and how the machine
 * gets from running to paused and back.
 *
 * vCPU threads only set a bit and wake the main thread; they are paused after a power-off, a reset
 * or a failure, and no resume gets in between: while something is asked for, nobody lets them go
 * on. So the guest never runs past one, whatever the operator asks for at the same time.
 *
 * While the main thread waits, for vCPUs or for the host to give back what it has in hand for a
 * device, it serves its loop. What is asked for then is noted, and seen to by the one
 * apply_requests() further up the stack.
 */
#include <errno.h>
#include <string.h>

#include "vmm/kvm/registers.h"
#include "vmm/machine/machine-int.h"
#include "vmm/machine/symbols.h"
#include "vmm/machine/unanswered.h"

#define QUIT_PATIENCE_MS 1500u

void machine_tell(struct machine *m, const char *event, bool guest)
{
	for (guint i = 0; i < m->observers->len; i++) {
		const struct machine_observer *o = &g_array_index(m->observers,
								  struct machine_observer, i);

		o->fn(event, guest, o->opaque);
	}
}

void machine_finish(struct machine *m, enum machine_end end, char *text)
{
	if (m->end != MACHINE_RUNNING) {
		g_free(text);
		return;
	}
	m->end = end;
	m->text = text;
}

/*
 * On vCPU threads.
 */
void machine_ask(struct machine *m, unsigned what)
{
	pthread_mutex_lock(&m->lock);
	m->asked |= what;
	vcpus_pause(m->cpus);
	pthread_mutex_unlock(&m->lock);
	g_main_context_wakeup(NULL);
}

static void on_failed(unsigned cpu, enum vcpu_exit why, const char *text, void *opaque)
{
	struct machine *m = opaque;

	(void)cpu;
	pthread_mutex_lock(&m->lock);
	if (!m->failure) {
		m->why = why;
		m->failure = g_strdup(text);
	}
	pthread_mutex_unlock(&m->lock);
	machine_ask(m, ASK_FAILED);
}

static void on_stopped(const struct vcpu_stop *stop, void *opaque)
{
	struct machine *m = opaque;

	pthread_mutex_lock(&m->lock);
	if (!m->at_stop)
		m->stop = *stop;
	m->at_stop = true;
	pthread_mutex_unlock(&m->lock);
	machine_ask(m, ASK_STOP);
}

static void on_paused(void *opaque)
{
	(void)opaque;
	g_main_context_wakeup(NULL);
}

static void on_started(unsigned cpu, void *opaque)
{
	(void)cpu;
	machine_seal(opaque, SANDBOX_VCPU);
}

const struct vcpu_ops machine_vcpu_ops = {
	.started = on_started,
	.failed = on_failed,
	.stopped = on_stopped,
	.paused = on_paused,
};

void machine_on_power_off(void *opaque)
{
	machine_ask(opaque, ASK_POWEROFF);
}

void machine_on_reset(void *opaque)
{
	machine_ask(opaque, ASK_RESET);
}

void machine_on_debug_exit(void *opaque, uint32_t value)
{
	struct machine *m = opaque;

	pthread_mutex_lock(&m->lock);
	if (!m->debug_written)
		m->debug_value = value;
	m->debug_written = true;
	pthread_mutex_unlock(&m->lock);
	machine_ask(m, ASK_DEBUG_EXIT);
}

/*
 * Pausing and resuming.
 */
static void unthrottle(struct machine *m, bool unthrottled)
{
	if (m->serial)
		serial_unthrottle(m->serial, unthrottled);
	if (m->debugcon)
		debugcon_unthrottle(m->debugcon, unthrottled);
}

static void pause_cpus(struct machine *m)
{
	unthrottle(m, true);
	vcpus_pause(m->cpus);
	while (!vcpus_all_paused(m->cpus))
		g_main_context_iteration(NULL, TRUE);
}

/* Not past what one of them has asked for. */
static void resume_cpus(struct machine *m)
{
	unthrottle(m, false);
	pthread_mutex_lock(&m->lock);
	if (!m->asked)
		vcpus_resume(m->cpus);
	pthread_mutex_unlock(&m->lock);
}

static void pause_devices(struct machine *m, bool pause)
{
	for (guint i = 0; i < m->devices->len; i++) {
		struct device *d = g_ptr_array_index(m->devices, i);

		if (pause)
			vdev_pause(d->dev);
		else
			vdev_resume(d->dev);
	}
}

static void stop_machine(struct machine *m)
{
	pause_cpus(m);
	atomic_fetch_and(&m->asked, ~(unsigned)ASK_STOP); /* of one more that stopped meanwhile */
	pause_devices(m, true);
	m->stopped = true;
	machine_tell(m, "STOP", false);
}

static void cont_machine(struct machine *m)
{
	pthread_mutex_lock(&m->lock);
	m->at_stop = false;
	pthread_mutex_unlock(&m->lock);
	pause_devices(m, false);
	m->stopped = false;
	m->io_error = false;
	resume_cpus(m);
	machine_tell(m, "RESUME", false);
}

static void reset_devices(struct machine *m)
{
	for (guint i = 0; i < m->devices->len; i++) {
		const struct device *d = g_ptr_array_index(m->devices, i);

		if (d->transport->reset)
			d->transport->reset(d->handle);
	}
	pci_root_reset(m->pci);
	for (guint i = 0; i < m->devices->len; i++)
		vdev_restart(((struct device *)g_ptr_array_index(m->devices, i))->dev);
	if (m->serial)
		serial_reset(m->serial);
	platform_reset(m->platform);
	unanswered_reset(bus_unanswered(m->bus));
}

/*
 * What vCPUs asked for.
 */
static void apply_failure(struct machine *m)
{
	pthread_mutex_lock(&m->lock);
	machine_finish(m, m->why == VCPU_EXIT_SHUTDOWN ? MACHINE_TRIPLE_FAULT : MACHINE_KVM_ERROR,
		       g_strdup(m->failure));
	pthread_mutex_unlock(&m->lock);
}

static void guest_reset(struct machine *m)
{
	g_autofree char *reason = NULL;

	if (m->serial)
		serial_flush(m->serial); /* the last lines tell whether it panicked */
	reason = machine_panic_reason(m);
	if (reason)
		machine_panicked(m);
	else if (m->cfg->no_reboot)
		machine_finish(m, MACHINE_REBOOT, g_strdup("the guest asked for a reboot"));
	else
		m->want_reset = true;
}

static void apply_asked(struct machine *m)
{
	unsigned asked = atomic_exchange(&m->asked, 0);

	if (asked & ASK_FAILED)
		apply_failure(m);
	if (asked & (ASK_STOP | ASK_IO_ERROR))
		m->want_stopped = true;
	if (asked & ASK_IO_ERROR) {
		m->io_error = true;
		machine_tell_io_errors(m);
	}
	if (asked & ASK_PANICKED)
		machine_panicked(m);
	if (asked & ASK_DEBUG_EXIT)
		machine_finish(m, MACHINE_DEBUG_EXIT, NULL);
	if (asked & ASK_POWEROFF)
		machine_finish(m, MACHINE_POWEROFF, NULL);
	if (asked & ASK_RESET)
		guest_reset(m);
}

static void restart_guest(struct machine *m)
{
	g_autoptr(GError) err = NULL;

	machine_panic_reset(m);
	reset_devices(m);
	if (!machine_power_on(m, &err) || !machine_load(m, &err)) {
		machine_finish(m, MACHINE_HOST_ERROR, g_strdup_printf("reset: %s", err->message));
		return;
	}
	machine_tell(m, "RESET", false);
	if (!m->stopped)
		resume_cpus(m);
}

/* What was asked for until they were paused comes first: a power-off is one, though a reset was on
 * its way. Another reset is this one. */
static void reset_machine(struct machine *m)
{
	pause_cpus(m);
	apply_asked(m);
	m->want_reset = false;
	if (m->end == MACHINE_RUNNING)
		restart_guest(m);
}

/* Goes one step towards what is wanted; false if all is as it is wanted. */
static bool apply_next(struct machine *m)
{
	if (m->want_reset)
		reset_machine(m);
	else if (m->want_stopped && !m->stopped)
		stop_machine(m);
	else if (!m->want_stopped && m->stopped)
		cont_machine(m);
	else
		return false;
	return true;
}

/* Makes what was asked for so. While it waits, more may be asked for. */
static void apply_requests(struct machine *m)
{
	if (m->changing)
		return;
	m->changing = true;
	do
		apply_asked(m);
	while (m->end == MACHINE_RUNNING && apply_next(m));
	m->changing = false;
}

static void begin_guest(struct machine *m)
{
	m->want_stopped = m->stopped = m->cfg->paused;
	if (m->stopped)
		pause_devices(m, true);
	else
		resume_cpus(m);
}

enum machine_end machine_run(struct machine *m, const char **ret_text)
{
	terminal_start(m->terminal);
	vcpus_start(m->cpus, &machine_vcpu_ops, m);
	machine_seal(m, SANDBOX_MAIN); /* no thread can be made after this */
	begin_guest(m);
	while (m->end == MACHINE_RUNNING) {
		g_main_context_iteration(NULL, TRUE);
		apply_requests(m);
	}
	pause_cpus(m);
	if (m->serial)
		serial_flush(m->serial);
	if (m->debugcon)
		debugcon_flush(m->debugcon);
	machine_tell(m, "SHUTDOWN", m->end != MACHINE_QUIT);
	*ret_text = m->text;
	return m->end;
}

/*
 * For the control socket, the terminal and signals.
 */
int machine_while_paused(struct machine *m, void (*fn)(void *arg), void *arg)
{
	bool runs = !m->stopped && m->end == MACHINE_RUNNING;

	if (m->changing)
		return -EBUSY;
	m->changing = true;
	if (runs)
		pause_cpus(m);
	fn(arg);
	if (runs)
		resume_cpus(m);
	m->changing = false;
	g_main_context_wakeup(NULL); /* for what was asked for meanwhile */
	return 0;
}

struct look_at_registers {
	struct machine *m;
	unsigned cpu;
	struct vcpu_registers *to;
	int ret;
};

static void look_at_registers(void *arg)
{
	struct look_at_registers *look = arg;

	look->ret = vcpus_registers(look->m->cpus, look->cpu, look->to);
}

int machine_registers(struct machine *m, unsigned cpu, struct vcpu_registers *ret, char **ret_where)
{
	struct look_at_registers look = { m, cpu, ret, 0 };
	int busy = machine_while_paused(m, look_at_registers, &look);

	if (busy < 0)
		return busy;
	if (look.ret >= 0)
		*ret_where = m->symbols ? symbols_name(m->symbols, ret->pc, ret->system_call)
					: NULL;
	return look.ret;
}

enum machine_status machine_status(const struct machine *m)
{
	if (m->end != MACHINE_RUNNING)
		return MACHINE_STATUS_SHUTDOWN;
	if (!m->stopped)
		return MACHINE_STATUS_RUNNING;
	return m->io_error ? MACHINE_STATUS_IO_ERROR : MACHINE_STATUS_PAUSED;
}

uint32_t machine_debug_value(const struct machine *m)
{
	return m->debug_value;
}

unsigned machine_cpus(const struct machine *m)
{
	return m->cfg->cpus;
}

const char *machine_name(const struct machine *m)
{
	return m->cfg->name;
}

pid_t machine_cpu_thread(struct machine *m, unsigned cpu)
{
	return vcpus_thread_id(m->cpus, cpu);
}

static gboolean on_overdue(void *opaque)
{
	struct machine *m = opaque;

	m->cfg->overdue(m->end, m->debug_value);
	return G_SOURCE_CONTINUE;
}

/* A request that the host neither finishes nor cancels (a dead network file system, say) keeps its
 * device, and with it a vCPU or this thread, waiting; which is right, but for an operator who wants
 * to be off. */
void machine_quit(struct machine *m)
{
	machine_finish(m, MACHINE_QUIT, NULL);
	g_main_context_wakeup(NULL);
	if (m->overdue || !m->cfg->overdue)
		return;
	m->overdue = g_timeout_source_new(QUIT_PATIENCE_MS);
	g_source_set_callback(m->overdue, on_overdue, m, NULL);
	g_source_attach(m->overdue, NULL);
}

bool machine_send_break(struct machine *m)
{
	if (m->serial)
		serial_send_break(m->serial);
	return m->serial;
}

void machine_powerdown(struct machine *m)
{
	platform_power_button(m->platform);
	machine_tell(m, "POWERDOWN", false);
}

void machine_reset(struct machine *m)
{
	m->want_reset = true;
	apply_requests(m);
}

void machine_stop(struct machine *m)
{
	m->want_stopped = true;
	apply_requests(m);
}

void machine_cont(struct machine *m)
{
	m->want_stopped = false;
	apply_requests(m);
}

void machine_observe(struct machine *m, machine_event_fn fn, void *opaque)
{
	const struct machine_observer o = { fn, opaque };

	g_array_append_val(m->observers, o);
}

void machine_unobserve(struct machine *m, machine_event_fn fn, void *opaque)
{
	for (guint i = m->observers->len; i-- > 0;) {
		const struct machine_observer *o = &g_array_index(m->observers,
								  struct machine_observer, i);

		if (o->fn == fn && o->opaque == opaque)
			g_array_remove_index(m->observers, i);
	}
}

/*
 * For a debugger.
 */
bool machine_stopped_at(struct machine *m, struct vcpu_stop *ret)
{
	bool at_stop;

	pthread_mutex_lock(&m->lock);
	at_stop = m->at_stop;
	*ret = m->stop;
	pthread_mutex_unlock(&m->lock);
	return at_stop;
}

struct vcpus *machine_vcpus(struct machine *m)
{
	return m->cpus;
}

const struct gmem *machine_memory(const struct machine *m)
{
	return &m->ram.memory.mem;
}
