/*
 * vCPUs from KVM's file descriptors to the state after power-on, and back to nothing.
 */
#include "vmm/kvm/vcpu-int.h"

#include <sys/mman.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "vmm/kvm/arch.h"
#include "vmm/kvm/stats.h"
#include "vmm/kvm/sys.h"

static bool open_vcpu(struct vcpu *v, GError **err)
{
	struct kvm *kvm = v->all->kvm;
	void *run;
	int ret;

	v->fd = kvm_create_vcpu(kvm, v->id);
	if (v->fd < 0)
		return ringside_error_errno(err, -v->fd, "/dev/kvm: KVM_CREATE_VCPU %u", v->id);
	ret = kvm_sys_map(v->fd, kvm->run_size, &run);
	if (ret < 0)
		return ringside_error_errno(err, -ret, "/dev/kvm: mmap of vCPU %u", v->id);
	v->run = run;
	if (kvm->binary_stats)
		v->stats_fd = kvm_stats_open(v->fd);
	return true;
}

static bool open_vcpus(struct vcpus *all, const struct cpu_model *model, GError **err)
{
	int *fds = g_new(int, all->n);
	bool ok = true;

	for (unsigned i = 0; ok && i < all->n; i++) {
		ok = open_vcpu(&all->vcpu[i], err);
		fds[i] = all->vcpu[i].fd;
	}
	ok = ok && vcpu_set_up(all->kvm, model, fds, all->n, err);
	g_free(fds);
	return ok;
}

struct vcpus *vcpus_new(const struct vcpus_config *cfg, GError **err)
{
	struct vcpus *all = g_malloc0(sizeof(*all) + cfg->n * sizeof(all->vcpu[0]));

	all->kvm = cfg->kvm;
	all->bus = cfg->bus;
	all->mem = cfg->mem;
	all->n = cfg->n;
	all->pause = true;
	pthread_mutex_init(&all->lock, NULL);
	pthread_cond_init(&all->changed, NULL);
	for (unsigned i = 0; i < all->n; i++) {
		all->vcpu[i].all = all;
		all->vcpu[i].id = i;
		all->vcpu[i].fd = all->vcpu[i].stats_fd = -1;
	}
	if (!open_vcpus(all, cfg->model, err)) {
		vcpus_free(all);
		return NULL;
	}
	return all;
}

void vcpus_free(struct vcpus *all)
{
	if (!all)
		return;
	pthread_mutex_lock(&all->lock);
	all->quit = true;
	pthread_cond_broadcast(&all->changed);
	pthread_mutex_unlock(&all->lock);
	for (unsigned i = 0; i < all->n; i++) {
		struct vcpu *v = &all->vcpu[i];

		if (v->started)
			pthread_join(v->thread, NULL);
		if (v->run)
			munmap(v->run, all->kvm->run_size);
		if (v->stats_fd >= 0)
			close(v->stats_fd);
		if (v->fd >= 0)
			close(v->fd);
	}
	pthread_cond_destroy(&all->changed);
	pthread_mutex_destroy(&all->lock);
	g_free(all);
}
