/*
 * What the main loop listens to besides vCPUs and devices: signals, and what the guest prints, in
 * case it panics.
 */
#include <errno.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/error.h"
#include "vmm/machine-int.h"
#include "vmm/x86/layout.h"

#define PANIC_SILENCE_S 1

static void on_serial_irq(void *opaque, bool level)
{
	struct machine *m = opaque;

	(void)kvm_irq_line(&m->kvm, LAYOUT_GSI_SERIAL, level);
}

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

void machine_panicked(struct machine *m)
{
	machine_tell(m, "GUEST_PANICKED", true);
	machine_finish(m, MACHINE_PANIC,
		       g_strdup_printf("the guest panicked: %s", panic_watch_reason(&m->panic)));
}

static void on_panic_timer(void *arg, GIOCondition revents)
{
	struct machine *m = arg;
	uint64_t count;

	(void)revents;
	(void)!read(m->panic_timer, &count, sizeof(count));
	if (m->panic.ended && panic_watch_reason(&m->panic))
		machine_panicked(m);
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

static sigset_t our_signals(void)
{
	static const int ours[] = { SIGTERM, SIGINT, SIGWINCH, SIGCONT };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < G_N_ELEMENTS(ours); i++)
		sigaddset(&set, ours[i]);
	return set;
}

void machine_block_signals(void)
{
	sigset_t set = our_signals();

	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

bool machine_watch(struct machine *m, GError **err)
{
	sigset_t set = our_signals();

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
