/*
 * The main loop: what the guest, the operator and the control socket ask for, and how the machine
 * gets from running to standing still and back.
 *
 * vCPU threads only set a bit and wake the main thread; they stand still by themselves after a
 * power-off, a reset or a failure, so the guest never runs past one.
 */
#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/error.h"
#include "vmm/machine-int.h"
#include "vmm/x86/layout.h"

#define PANIC_SILENCE_S 1

static void tell(struct machine *m, const char *event, bool guest)
{
	if (m->event)
		m->event(event, guest, m->event_opaque);
}

static void finish(struct machine *m, enum machine_end end, char *text)
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
static void ask(struct machine *m, unsigned what)
{
	m->asked |= what;
	g_main_context_wakeup(NULL);
}

static void on_failed(unsigned cpu, enum vcpu_exit why, const char *text, void *opaque)
{
	struct machine *m = opaque;

	(void)cpu;
	g_mutex_lock(&m->lock);
	if (!m->failure) {
		m->why = why;
		m->failure = g_strdup(text);
	}
	g_mutex_unlock(&m->lock);
	ask(m, ASK_FAILED);
}

static void on_paused(void *opaque)
{
	(void)opaque;
	g_main_context_wakeup(NULL);
}

const struct vcpu_ops machine_vcpu_ops = { .failed = on_failed, .paused = on_paused };

static void on_power_off(void *opaque)
{
	struct machine *m = opaque;

	vcpus_pause(m->cpus);
	ask(m, ASK_POWEROFF);
}

static void on_reset(void *opaque)
{
	struct machine *m = opaque;

	vcpus_pause(m->cpus);
	ask(m, ASK_RESET);
}

static void on_sci(void *opaque, bool level)
{
	struct machine *m = opaque;

	(void)kvm_irq_line(&m->kvm, LAYOUT_GSI_SCI, level);
}

const struct pm_ops machine_pm_ops = {
	.power_off = on_power_off,
	.reset = on_reset,
	.irq = on_sci,
};

static void on_serial_irq(void *opaque, bool level)
{
	struct machine *m = opaque;

	(void)kvm_irq_line(&m->kvm, LAYOUT_GSI_SERIAL, level);
}

/*
 * Panic.
 */
static void on_printed(void *opaque, const uint8_t *data, size_t len)
{
	struct machine *m = opaque;
	struct itimerspec silence = { 0 };

	panic_watch_feed(&m->panic, data, len);
	if (m->panic.ended)
		silence.it_value.tv_sec = PANIC_SILENCE_S;
	if (m->panic_timer >= 0)
		(void)timerfd_settime(m->panic_timer, 0, &silence, NULL);
}

const struct serial_ops machine_serial_ops = { .irq = on_serial_irq, .printed = on_printed };

static void panicked(struct machine *m)
{
	tell(m, "GUEST_PANICKED", true);
	finish(m, MACHINE_PANIC,
	       g_strdup_printf("the guest panicked: %s", panic_watch_reason(&m->panic)));
}

static void on_panic_timer(void *arg, GIOCondition revents)
{
	struct machine *m = arg;
	uint64_t count;

	(void)revents;
	(void)!read(m->panic_timer, &count, sizeof(count));
	if (m->panic.ended && panic_watch_reason(&m->panic))
		panicked(m);
}

/*
 * Standing still.
 */
static void pause_cpus(struct machine *m)
{
	if (m->serial)
		serial_hurry(m->serial, true);
	vcpus_pause(m->cpus);
	while (!vcpus_all_paused(m->cpus))
		g_main_context_iteration(NULL, TRUE);
}

static void resume_cpus(struct machine *m)
{
	if (m->serial)
		serial_hurry(m->serial, false);
	vcpus_resume(m->cpus);
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

static void stop(struct machine *m)
{
	pause_cpus(m);
	pause_devices(m, true);
	m->stopped = true;
	tell(m, "STOP", false);
}

static void cont(struct machine *m)
{
	pause_devices(m, false);
	m->stopped = false;
	resume_cpus(m);
	tell(m, "RESUME", false);
}

static void reset_devices(struct machine *m)
{
	for (guint i = 0; i < m->devices->len; i++) {
		struct device *d = g_ptr_array_index(m->devices, i);

		if (d->mmio)
			mmio_reset(d->mmio);
	}
	pci_root_reset(m->pci);
	if (m->serial)
		serial_reset(m->serial);
	pm_reset(m->pm);
}

static void reset(struct machine *m)
{
	g_autoptr(GError) err = NULL;

	pause_cpus(m);
	if (m->stopped)
		pause_devices(m, false);
	panic_watch_reset(&m->panic);
	m->asked = 0;
	reset_devices(m);
	if (!machine_power_on(m, &err) || !machine_load(m, &err)) {
		finish(m, MACHINE_HOST_ERROR, g_strdup_printf("reset: %s", err->message));
		return;
	}
	tell(m, "RESET", false);
	if (m->stopped)
		pause_devices(m, true);
	else
		resume_cpus(m);
}

/* Makes what was asked for so. While it waits for vCPUs, more may be asked for. */
static void settle(struct machine *m)
{
	if (m->changing)
		return;
	m->changing = true;
	while (m->end == MACHINE_RUNNING) {
		if (m->want_reset) {
			m->want_reset = false;
			reset(m);
		} else if (m->want_stopped && !m->stopped) {
			stop(m);
		} else if (!m->want_stopped && m->stopped) {
			cont(m);
		} else {
			break;
		}
	}
	m->changing = false;
}

/*
 * What vCPUs asked for.
 */
static void failed(struct machine *m)
{
	g_mutex_lock(&m->lock);
	finish(m, m->why == VCPU_EXIT_SHUTDOWN ? MACHINE_TRIPLE_FAULT : MACHINE_KVM_ERROR,
	       g_strdup(m->failure));
	g_mutex_unlock(&m->lock);
}

static void guest_reset(struct machine *m)
{
	if (m->serial)
		serial_flush(m->serial); /* the last lines tell whether it panicked */
	if (panic_watch_reason(&m->panic))
		panicked(m);
	else if (m->cfg->no_reboot)
		finish(m, MACHINE_REBOOT, g_strdup("the guest asked for a reboot"));
	else
		m->want_reset = true;
}

static void answer(struct machine *m)
{
	unsigned asked = atomic_exchange(&m->asked, 0);

	if (asked & ASK_FAILED)
		failed(m);
	if (asked & ASK_POWEROFF)
		finish(m, MACHINE_POWEROFF, NULL);
	if (asked & ASK_RESET)
		guest_reset(m);
	settle(m);
}

enum machine_end machine_run(struct machine *m, const char **ret_text)
{
	terminal_start(m->terminal);
	vcpus_start(m->cpus, &machine_vcpu_ops, m);
	resume_cpus(m);
	while (m->end == MACHINE_RUNNING) {
		g_main_context_iteration(NULL, TRUE);
		answer(m);
	}
	pause_cpus(m);
	if (m->serial)
		serial_flush(m->serial);
	tell(m, "SHUTDOWN", m->end != MACHINE_QUIT);
	*ret_text = m->text;
	return m->end;
}

/*
 * Signals.
 */
static void on_signal(void *arg, GIOCondition revents)
{
	struct machine *m = arg;
	struct signalfd_siginfo info;

	(void)revents;
	if (read(m->signals, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGWINCH:
		terminal_resized(m->terminal);
		break;
	case SIGCONT:
		terminal_start(m->terminal); /* the shell may have changed its mode */
		break;
	default: /* SIGTERM, SIGINT */
		if (m->terminations++ == 0)
			machine_powerdown(m);
		else
			machine_quit(m);
	}
}

bool machine_watch(struct machine *m, GError **err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGCONT);
	pthread_sigmask(SIG_BLOCK, &set, NULL); /* threads made from now on inherit it */
	m->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	m->panic_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (m->signals < 0 || m->panic_timer < 0)
		return ringside_error_errno(err, errno, "signalfd or timerfd");
	m->signal_watch = loop_watch(m->main, m->signals, G_IO_IN, on_signal, m);
	m->panic_watch = loop_watch(m->main, m->panic_timer, G_IO_IN, on_panic_timer, m);
	return true;
}

void machine_unwatch(struct machine *m)
{
	g_clear_pointer(&m->signal_watch, loop_unwatch);
	g_clear_pointer(&m->panic_watch, loop_unwatch);
	if (m->signals >= 0)
		close(m->signals);
	if (m->panic_timer >= 0)
		close(m->panic_timer);
	m->signals = m->panic_timer = -1;
}

/*
 * For the control socket, the terminal and signals.
 */
enum machine_status machine_status(const struct machine *m)
{
	if (m->end != MACHINE_RUNNING)
		return MACHINE_STATUS_SHUTDOWN;
	return m->stopped ? MACHINE_STATUS_PAUSED : MACHINE_STATUS_RUNNING;
}

unsigned machine_cpus(const struct machine *m)
{
	return m->cfg->cpus;
}

void machine_quit(struct machine *m)
{
	finish(m, MACHINE_QUIT, NULL);
	g_main_context_wakeup(NULL);
}

void machine_powerdown(struct machine *m)
{
	pm_power_button(m->pm);
	tell(m, "POWERDOWN", false);
}

void machine_reset(struct machine *m)
{
	m->want_reset = true;
	settle(m);
}

void machine_stop(struct machine *m)
{
	m->want_stopped = true;
	settle(m);
}

void machine_cont(struct machine *m)
{
	m->want_stopped = false;
	settle(m);
}

void machine_observe(struct machine *m, machine_event_fn fn, void *opaque)
{
	m->event = fn;
	m->event_opaque = opaque;
}
