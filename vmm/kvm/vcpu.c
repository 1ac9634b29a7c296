/*
 * A vCPU's thread knows two states: it runs the guest, or it is paused under the lock and waits.
 * The wish is one flag for all vCPUs; who changes it to "pause" also sets immediate_exit,
 * which makes the next KVM_RUN return at once, and sends a signal, which interrupts the current
 * one. So no order of events lets a vCPU miss it.
 */
#include "vmm/kvm/vcpu.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "vmm/kvm/arch.h"
#include "vmm/kvm/sys.h"
#include "vmm/kvm/vcpu-int.h"

#define KICK_SIGNAL SIGUSR1
#define STACK_SIZE  (128u << 10)

static const char *const exit_names[] = {
	[VCPU_EXIT_IO_READ] = "io-read",       [VCPU_EXIT_IO_WRITE] = "io-write",
	[VCPU_EXIT_MMIO_READ] = "mmio-read",   [VCPU_EXIT_MMIO_WRITE] = "mmio-write",
	[VCPU_EXIT_SIGNAL] = "signal",         [VCPU_EXIT_DEBUG] = "debug",
	[VCPU_EXIT_SHUTDOWN] = "shutdown",     [VCPU_EXIT_INTERNAL_ERROR] = "internal-error",
	[VCPU_EXIT_FAIL_ENTRY] = "fail-entry", [VCPU_EXIT_OTHER] = "other",
};
static_assert(G_N_ELEMENTS(exit_names) == N_VCPU_EXITS, "name every exit");

const char *vcpu_exit_name(enum vcpu_exit why)
{
	return exit_names[why];
}

/*
 * Running.
 */
static void vcpu_count_exit(struct vcpu *v, enum vcpu_exit why)
{
	uint64_t n = atomic_load_explicit(&v->exits[why], memory_order_relaxed);

	atomic_store_explicit(&v->exits[why], n + 1, memory_order_relaxed);
}

static void do_io(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	unsigned len = run->io.size;
	bool in = run->io.direction == KVM_EXIT_IO_IN;

	vcpu_count_exit(v, in ? VCPU_EXIT_IO_READ : VCPU_EXIT_IO_WRITE);
	for (unsigned i = 0; i < run->io.count; i++, data += len) {
		uint64_t value = 0;

		if (in) {
			value = bus_read(v->all->bus, true, run->io.port, len);
			memcpy(data, &value, len);
		} else {
			memcpy(&value, data, len);
			bus_write(v->all->bus, true, run->io.port, len, value);
		}
	}
}

/* KVM may cut an access into odd lengths where it crosses a page: those go byte by byte. */
static void do_mmio(struct vcpu *v)
{
	struct kvm_run *run = v->run;
	unsigned len = run->mmio.len;
	unsigned step = len == 2 || len == 4 || len == 8 ? len : 1;

	vcpu_count_exit(v, run->mmio.is_write ? VCPU_EXIT_MMIO_WRITE : VCPU_EXIT_MMIO_READ);
	for (unsigned i = 0; i < len; i += step) {
		uint64_t addr = run->mmio.phys_addr + i, value = 0;

		if (run->mmio.is_write) {
			memcpy(&value, &run->mmio.data[i], step);
			bus_write(v->all->bus, false, addr, step, value);
		} else {
			value = bus_read(v->all->bus, false, addr, step);
			memcpy(&run->mmio.data[i], &value, step);
		}
	}
}

/* What KVM says about its failure, in front of the registers. */
static char *failure_text(struct vcpu *v, enum vcpu_exit why, int errnum)
{
	const struct kvm_run *run = v->run;
	g_autofree char *regs = vcpu_describe(v->fd, v->all->mem);

	switch (why) {
	case VCPU_EXIT_SHUTDOWN:
		if (vcpu_is_reset(v->fd))
			return g_strdup_printf("vCPU %u: triple fault: registers are lost, AMD's "
					       "processors reset them",
					       v->id);
		return g_strdup_printf("vCPU %u: triple fault: %s", v->id, regs);
	case VCPU_EXIT_INTERNAL_ERROR:
		return g_strdup_printf("vCPU %u: KVM internal error %u (%s): %s", v->id,
				       run->internal.suberror,
				       run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
					       ? "it cannot emulate this instruction"
					       : "see linux/kvm.h",
				       regs);
	case VCPU_EXIT_FAIL_ENTRY:
		return g_strdup_printf(
			"vCPU %u: KVM cannot enter the guest, hardware reason 0x%llx: %s", v->id,
			run->fail_entry.hardware_entry_failure_reason, regs);
	default:
		if (errnum)
			return g_strdup_printf("vCPU %u: KVM_RUN: %s: %s", v->id,
					       g_strerror(errnum), regs);
		return g_strdup_printf("vCPU %u: unexpected exit %u of KVM: %s", v->id,
				       run->exit_reason, regs);
	}
}

static const char emulated[] =
	" (this host's processor has neither vmx nor svm: its /dev/kvm emulates "
	"kernels, which few bear; tools/kvm-run runs this command in a machine "
	"that is emulated as a whole)";

static void vcpu_fail(struct vcpu *v, enum vcpu_exit why, int errnum)
{
	g_autofree char *said = failure_text(v, why, errnum);
	g_autofree char *text = g_strconcat(said, kvm_on_hardware() ? NULL : emulated, NULL);

	vcpu_count_exit(v, why);
	vcpus_pause(v->all);
	v->all->ops->failed(v->id, why, text, v->all->opaque);
}

static void on_debug(struct vcpu *v)
{
	struct vcpus *all = v->all;
	struct vcpu_stop stop = { .cpu = v->id };

	vcpu_count_exit(v, VCPU_EXIT_DEBUG);
	if (!vcpu_debug_stop(all->kvm, v->fd, v->run, &all->debug, v->how == VCPU_STEP, &stop))
		return;
	vcpus_pause(all);
	all->ops->stopped(&stop, all->opaque);
}

static void handle_exit(struct vcpu *v)
{
	switch (v->run->exit_reason) {
	case KVM_EXIT_IO:
		do_io(v);
		break;
	case KVM_EXIT_MMIO:
		do_mmio(v);
		break;
	case KVM_EXIT_DEBUG:
		on_debug(v);
		break;
	case KVM_EXIT_INTR:
		vcpu_count_exit(v, VCPU_EXIT_SIGNAL);
		break;
	case KVM_EXIT_SHUTDOWN:
		vcpu_fail(v, VCPU_EXIT_SHUTDOWN, 0);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		vcpu_fail(v, VCPU_EXIT_INTERNAL_ERROR, 0);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		vcpu_fail(v, VCPU_EXIT_FAIL_ENTRY, 0);
		break;
	default:
		vcpu_fail(v, VCPU_EXIT_OTHER, 0);
	}
}

/* Whoever asked set immediate_exit; it stays set only for those who want us to pause. */
static void take_look(struct vcpu *v)
{
	struct vcpu_look look;
	bool seen = vcpu_look_at(v->fd, &look) == 0;

	pthread_mutex_lock(&v->all->lock);
	v->look_wanted = false;
	v->seen = seen;
	if (seen)
		v->look = look;
	if (!v->all->pause)
		__atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&v->all->lock);
}

static void on_interrupted(struct vcpu *v)
{
	vcpu_count_exit(v, VCPU_EXIT_SIGNAL);
	if (v->look_wanted)
		take_look(v);
}

static void run_guest(struct vcpu *v)
{
	while (!atomic_load_explicit(&v->all->pause, memory_order_acquire)) {
		int ret = kvm_sys_run(v->fd);

		if (ret == 0)
			handle_exit(v);
		else if (ret == -EINTR)
			on_interrupted(v);
		else if (ret != -EAGAIN)
			vcpu_fail(v, VCPU_EXIT_OTHER, -ret);
	}
	/* The last access is complete for KVM only when it is entered again: so that registers can
	 * be read or replaced, enter it for nothing. */
	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_RELAXED);
	while (kvm_sys_run(v->fd) == 0)
		handle_exit(v); /* its next part */
}

/* Paused until the wish is to run (true) or to quit. */
static bool wait_to_run(struct vcpu *v)
{
	struct vcpus *all = v->all;
	bool last, run;

	pthread_mutex_lock(&all->lock);
	v->paused = true;
	last = ++all->n_paused == all->n;
	if (last && !all->quit) {
		pthread_mutex_unlock(&all->lock);
		all->ops->paused(all->opaque);
		pthread_mutex_lock(&all->lock);
	}
	while ((all->pause || v->how == VCPU_HOLD) && !all->quit)
		pthread_cond_wait(&all->changed, &all->lock);
	run = !all->quit;
	v->paused = false;
	all->n_paused--;
	/* With the lock held: who wanted the pause may have set it after we had seen the wish. */
	__atomic_store_n(&v->run->immediate_exit, v->look_wanted, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&all->lock);
	return run;
}

static void vcpu_tell_id(struct vcpu *v)
{
	pthread_mutex_lock(&v->all->lock);
	v->thread_id = gettid();
	pthread_cond_broadcast(&v->all->changed);
	pthread_mutex_unlock(&v->all->lock);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;
	char name[16];

	g_snprintf(name, sizeof(name), "vcpu%u", v->id);
	pthread_setname_np(pthread_self(), name);
	vcpu_tell_id(v);
	v->all->ops->started(v->id, v->all->opaque);
	while (wait_to_run(v))
		run_guest(v);
	return NULL;
}

static void on_kick(int sig)
{
	(void)sig; /* its coming is the message */
}

void vcpus_start(struct vcpus *all, const struct vcpu_ops *ops, void *opaque)
{
	struct sigaction act = { .sa_handler = on_kick }; /* no SA_RESTART: KVM_RUN must return */
	pthread_attr_t attr;

	all->ops = ops;
	all->opaque = opaque;
	sigaction(KICK_SIGNAL, &act, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	for (unsigned i = 0; i < all->n; i++) {
		struct vcpu *v = &all->vcpu[i];
		int ret = pthread_create(&v->thread, &attr, vcpu_thread, v);

		if (ret)
			g_error("thread of vCPU %u: %s", i, g_strerror(ret));
		v->started = true;
	}
	pthread_attr_destroy(&attr);
}

pid_t vcpus_thread_id(struct vcpus *all, unsigned cpu)
{
	pid_t id;

	pthread_mutex_lock(&all->lock);
	while (!all->vcpu[cpu].thread_id)
		pthread_cond_wait(&all->changed, &all->lock);
	id = all->vcpu[cpu].thread_id;
	pthread_mutex_unlock(&all->lock);
	return id;
}

int vcpus_copy_state(struct vcpus *to, const struct vcpus *from)
{
	int ret = 0;

	for (unsigned i = 0; i < to->n && ret == 0; i++)
		ret = vcpu_copy_state(to->kvm, to->vcpu[i].fd, from->vcpu[i].fd);
	return ret;
}

int vcpus_enter(struct vcpus *all, const struct boot_entry *entry, const char **ret_what)
{
	return vcpu_set_entry(all->vcpu[0].fd, entry, ret_what);
}

void vcpus_pause(struct vcpus *all)
{
	pthread_mutex_lock(&all->lock);
	atomic_store_explicit(&all->pause, true, memory_order_release);
	for (unsigned i = 0; i < all->n; i++) {
		struct vcpu *v = &all->vcpu[i];

		if (!v->started || v->paused)
			continue;
		__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_RELAXED);
		if (!pthread_equal(v->thread, pthread_self()))
			pthread_kill(v->thread, KICK_SIGNAL);
	}
	pthread_mutex_unlock(&all->lock);
}

void vcpus_look(struct vcpus *all)
{
	pthread_mutex_lock(&all->lock);
	for (unsigned i = 0; i < all->n; i++) {
		struct vcpu *v = &all->vcpu[i];

		v->seen = false;
		v->look_wanted = true;
		__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_RELAXED);
		if (v->started)
			pthread_kill(v->thread, KICK_SIGNAL);
	}
	pthread_mutex_unlock(&all->lock);
}

bool vcpus_seen(struct vcpus *all, unsigned cpu, struct vcpu_look *ret)
{
	struct vcpu *v = &all->vcpu[cpu];
	bool seen;

	pthread_mutex_lock(&all->lock);
	seen = v->seen;
	if (seen)
		*ret = v->look;
	pthread_mutex_unlock(&all->lock);
	return seen;
}

bool vcpus_all_paused(struct vcpus *all)
{
	bool ret;

	pthread_mutex_lock(&all->lock);
	ret = all->n_paused == all->n;
	pthread_mutex_unlock(&all->lock);
	return ret;
}

void vcpus_resume(struct vcpus *all)
{
	pthread_mutex_lock(&all->lock);
	for (unsigned i = 0; i < all->n; i++) /* fails where the guest has no kvm-clock */
		(void)kvm_ioctl_value(all->vcpu[i].fd, KVM_KVMCLOCK_CTRL, 0);
	atomic_store_explicit(&all->pause, false, memory_order_release);
	pthread_cond_broadcast(&all->changed);
	pthread_mutex_unlock(&all->lock);
}

const struct syscall_use vcpus_debug_syscalls[] = {
	{ SYSCALL_IOCTL(KVM_SET_GUEST_DEBUG) },
	{ SYSCALL_IOCTL(KVM_TRANSLATE) },
	{ .name = NULL },
};

int vcpus_debug(struct vcpus *all, const struct vcpu_debug *debug)
{
	int ret = 0;

	all->debug = *debug;
	for (unsigned i = 0; i < all->n && ret == 0; i++) {
		const struct vcpu *v = &all->vcpu[i];

		ret = vcpu_set_debug(all->kvm, v->fd, debug, v->how == VCPU_STEP);
	}
	return ret;
}

int vcpus_set_run(struct vcpus *all, unsigned cpu, enum vcpu_run how)
{
	struct vcpu *v = &all->vcpu[cpu];
	bool step = how == VCPU_STEP;
	int ret = 0;

	if (step != (v->how == VCPU_STEP))
		ret = vcpu_set_debug(all->kvm, v->fd, &all->debug, step);
	if (ret < 0)
		return ret;
	pthread_mutex_lock(&all->lock);
	v->how = how;
	pthread_mutex_unlock(&all->lock);
	return 0;
}

int vcpus_fd(const struct vcpus *all, unsigned cpu)
{
	return all->vcpu[cpu].fd;
}

unsigned vcpus_count(const struct vcpus *all)
{
	return all->n;
}

void vcpus_exits(const struct vcpus *all, unsigned cpu, uint64_t ret[N_VCPU_EXITS])
{
	for (unsigned i = 0; i < N_VCPU_EXITS; i++)
		ret[i] = atomic_load_explicit(&all->vcpu[cpu].exits[i], memory_order_relaxed);
}

int vcpus_stats_fd(const struct vcpus *all, unsigned cpu)
{
	return all->vcpu[cpu].stats_fd;
}
