/*
 * What the main loop listens to besides vCPUs and devices: signals, and what follows from them.
 * (And what the guest prints, on its way to panic.c.)
 */
#include <errno.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/machine/machine-int.h"

/* timeout(1) sends a signal to its child, and at once again to the group that the child is in. */
#define SAME_SIGNAL_US 50000

static void on_serial_irq(void *opaque, bool level)
{
	struct machine *m = opaque;

	(void)kvm_irq_line(&m->kvm, arch_places.serial_gsi, level);
}

static void on_printed(void *opaque, const uint8_t *data, size_t len)
{
	machine_printed(opaque, data, len);
}

const struct serial_ops machine_serial_ops = { .irq = on_serial_irq, .printed = on_printed };

/*
 * The end that was asked for from outside: the power button first, and then, by a second signal or
 * when time is up, without asking the guest.
 */
static void on_grace_over(void *arg, GIOCondition revents)
{
	struct machine *m = arg;
	uint64_t count;

	(void)revents;
	if (read(m->grace_timer, &count, sizeof(count)) != sizeof(count))
		return;
	machine_finish(m, MACHINE_QUIT,
		       g_strdup_printf("the guest had not powered off %d s after the "
				       "power button (--grace)",
				       m->cfg->grace));
	machine_quit(m);
}

static void on_terminate(struct machine *m)
{
	const struct itimerspec when = { .it_value.tv_sec = m->cfg->grace };
	int64_t now = g_get_monotonic_time();

	if (m->terminations && now - m->terminated_at < SAME_SIGNAL_US)
		return;
	m->terminated_at = now;
	if (m->terminations++ || m->cfg->grace == 0) {
		machine_quit(m);
		return;
	}
	machine_powerdown(m);
	if (m->cfg->grace > 0)
		(void)timerfd_settime(m->grace_timer, 0, &when, NULL);
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
		on_terminate(m);
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
	m->grace_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (m->signals < 0 || m->grace_timer < 0)
		return ringside_error_errno(err, errno, "signalfd or timerfd");
	m->signal_watch = loop_watch(m->main, m->signals, G_IO_IN, on_signal, m);
	m->grace_watch = loop_watch(m->main, m->grace_timer, G_IO_IN, on_grace_over, m);
	return machine_panic_watch(m, err);
}

void machine_unwatch(struct machine *m)
{
	g_clear_pointer(&m->signal_watch, loop_unwatch);
	g_clear_pointer(&m->grace_watch, loop_unwatch);
	machine_panic_unwatch(m);
	if (m->signals >= 0)
		close(m->signals);
	if (m->grace_timer >= 0)
		close(m->grace_timer);
	m->signals = m->grace_timer = -1;
}
