#include "tests/support/kvm/fake.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/kvm/sys.h"

#define RUN_SIZE   8192u
#define MAX_SLOTS  64u
#define MAX_ROUTES 64u
#define MAX_GSI    4096u
#define OPEN_CALL  1ul /* in the place of a request: opening /dev/kvm, */
#define MAP_CALL   2ul /* and mmap() of a vCPU */

static const struct {
	unsigned long request;
	const char *name;
} names[] = {
	{ OPEN_CALL, "/dev/kvm" },
	{ MAP_CALL, "mmap" },
#define NAME(request)             \
	{                         \
		request, #request \
	}
	NAME(KVM_GET_API_VERSION),
	{ KVM_CHECK_EXTENSION, "KVM_CAP_" },
	NAME(KVM_GET_VCPU_MMAP_SIZE),
	NAME(KVM_CREATE_VM),
	NAME(KVM_SET_IDENTITY_MAP_ADDR),
	NAME(KVM_SET_TSS_ADDR),
	NAME(KVM_CREATE_IRQCHIP),
	NAME(KVM_SET_USER_MEMORY_REGION),
	NAME(KVM_IOEVENTFD),
	NAME(KVM_IRQFD),
	NAME(KVM_SET_GSI_ROUTING),
	NAME(KVM_IRQ_LINE),
	NAME(KVM_GET_IRQCHIP),
	NAME(KVM_SET_IRQCHIP),
	NAME(KVM_CREATE_PIT2),
	NAME(KVM_GET_PIT2),
	NAME(KVM_SET_PIT2),
	NAME(KVM_CREATE_VCPU),
	NAME(KVM_GET_STATS_FD),
	NAME(KVM_GET_TSC_KHZ),
	NAME(KVM_GET_SUPPORTED_CPUID),
	NAME(KVM_SET_CPUID2),
	NAME(KVM_GET_MSR_INDEX_LIST),
	NAME(KVM_GET_MSRS),
	NAME(KVM_SET_MSRS),
	NAME(KVM_KVMCLOCK_CTRL),
	NAME(KVM_TRANSLATE),
	NAME(KVM_GET_REGS),
	NAME(KVM_SET_REGS),
	NAME(KVM_GET_SREGS),
	NAME(KVM_SET_SREGS),
	NAME(KVM_GET_XCRS),
	NAME(KVM_SET_XCRS),
	NAME(KVM_GET_FPU),
	NAME(KVM_SET_FPU),
	NAME(KVM_GET_DEBUGREGS),
	NAME(KVM_SET_DEBUGREGS),
	NAME(KVM_GET_LAPIC),
	NAME(KVM_SET_LAPIC),
	NAME(KVM_GET_VCPU_EVENTS),
	NAME(KVM_SET_VCPU_EVENTS),
	NAME(KVM_GET_MP_STATE),
	NAME(KVM_SET_MP_STATE),
	NAME(KVM_SET_GUEST_DEBUG),
#undef NAME
};

/* State that is set and read back as it is. */
static const struct {
	unsigned long get, set;
} parts[] = {
	{ KVM_GET_REGS, KVM_SET_REGS },
	{ KVM_GET_SREGS, KVM_SET_SREGS },
	{ KVM_GET_XCRS, KVM_SET_XCRS },
	{ KVM_GET_FPU, KVM_SET_FPU },
	{ KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS },
	{ KVM_GET_LAPIC, KVM_SET_LAPIC },
	{ KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS },
	{ KVM_GET_MP_STATE, KVM_SET_MP_STATE },
};

struct fake_vm {
	int fd;
	GArray *doorbells; /* struct kvm_ioeventfd */
	GArray *irqfds;    /* struct kvm_irqfd */
	struct kvm_userspace_memory_region slot[MAX_SLOTS];
	struct kvm_irq_routing_entry route[MAX_GSI]; /* by GSI; MSI messages only, type 0: none */
	int pin[3][KVM_IOAPIC_NUM_PINS];             /* GSI of a controller's pin, -1: none */
	struct kvm_irqchip chip[3];
	bool has_pit;
	struct kvm_pit_state2 pit;
};

struct fake_vcpu {
	int fd;
	unsigned id;
	struct kvm_run *run;
	struct kvm_guest_debug debug;
	uint8_t part[G_N_ELEMENTS(parts)][4096];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	GPtrArray *vms, *vcpus;
	unsigned calls, calls_of[G_N_ELEMENTS(names)];
	unsigned long fail_request;
	unsigned fail_in; /* calls that will not; 0: none will fail */
	const char *failed;
} kvm;
static _Atomic(fake_guest) guest_fn;
static atomic_uint running;

static void vm_free(void *p)
{
	struct fake_vm *vm = p;

	g_array_unref(vm->doorbells);
	g_array_unref(vm->irqfds);
	g_free(vm);
}

static void vcpu_free(void *p)
{
	struct fake_vcpu *v = p;

	munmap(v->run, RUN_SIZE);
	g_free(v);
}

void fake_kvm_end(void)
{
	g_clear_pointer(&kvm.vms, g_ptr_array_unref);
	g_clear_pointer(&kvm.vcpus, g_ptr_array_unref);
}

void fake_kvm_begin(unsigned fail_at)
{
	fake_kvm_end();
	memset(&kvm, 0, sizeof(kvm));
	kvm.vms = g_ptr_array_new_with_free_func(vm_free);
	kvm.vcpus = g_ptr_array_new_with_free_func(vcpu_free);
	kvm.fail_in = fail_at;
	atomic_store(&guest_fn, NULL);
}

void fake_kvm_fail(unsigned long request, unsigned nth)
{
	pthread_mutex_lock(&lock);
	kvm.fail_request = request;
	kvm.fail_in = nth;
	if (nth)
		kvm.failed = NULL;
	pthread_mutex_unlock(&lock);
}

const char *fake_kvm_failed(void)
{
	return kvm.failed;
}

unsigned fake_kvm_calls(void)
{
	return kvm.calls;
}

static size_t name_of(unsigned long request)
{
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (names[i].request == request)
			return i;
	g_error("the fake KVM does not know request %#lx", request);
}

unsigned fake_kvm_calls_of(unsigned long request)
{
	return kvm.calls_of[name_of(request)];
}

void fake_kvm_guest(fake_guest guest)
{
	atomic_store(&guest_fn, guest);
}

unsigned fake_kvm_running(void)
{
	return atomic_load(&running);
}

/* Counts the call. Shall it fail? */
static bool fails(unsigned long request)
{
	size_t name = name_of(request);

	kvm.calls++;
	kvm.calls_of[name]++;
	if (!kvm.fail_in || (kvm.fail_request && kvm.fail_request != request) || --kvm.fail_in)
		return false;
	kvm.failed = names[name].name;
	return true;
}

static int new_file(const char *name, size_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	g_assert(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	return fd;
}

/* A descriptor's number may have been another's that was closed. */
static struct fake_vm *find_vm(int fd)
{
	for (guint i = kvm.vms->len; i-- > 0;) {
		struct fake_vm *vm = g_ptr_array_index(kvm.vms, i);

		if (vm->fd == fd)
			return vm;
	}
	g_error("no machine has descriptor %d", fd);
}

static struct fake_vcpu *find_vcpu(int fd)
{
	for (guint i = kvm.vcpus->len; i-- > 0;) {
		struct fake_vcpu *v = g_ptr_array_index(kvm.vcpus, i);

		if (v->fd == fd)
			return v;
	}
	g_error("no vCPU has descriptor %d", fd);
}

/*
 * /dev/kvm.
 */
static int check_extension(unsigned long cap)
{
	switch (cap) {
	case KVM_CAP_NR_MEMSLOTS: /* NOLINT(bugprone-branch-clone): as many by chance */
		return MAX_SLOTS;
	case KVM_CAP_IRQ_ROUTING:
		return MAX_ROUTES;
	case KVM_CAP_MAX_VCPUS:
		return 8;
	default:
		return 1;
	}
}

static int create_vm(void)
{
	struct fake_vm *vm = g_new0(struct fake_vm, 1);

	vm->fd = new_file("fake-vm", 0);
	vm->doorbells = g_array_new(FALSE, FALSE, sizeof(struct kvm_ioeventfd));
	vm->irqfds = g_array_new(FALSE, FALSE, sizeof(struct kvm_irqfd));
	memset(vm->pin, 0xff, sizeof(vm->pin));
	g_ptr_array_add(kvm.vms, vm);
	return vm->fd;
}

static int supported_cpuid(struct kvm_cpuid2 *list)
{
	static const uint32_t leaves[] = { 0, 1, 7, 0x80000000, 0x80000001 };

	if (list->nent < 200) /* so that it is asked twice */
		return -E2BIG;
	list->nent = G_N_ELEMENTS(leaves);
	for (size_t i = 0; i < G_N_ELEMENTS(leaves); i++)
		list->entries[i] = (struct kvm_cpuid_entry2){ .function = leaves[i], .eax = 7 };
	return 0;
}

static int msr_indices(struct kvm_msr_list *list)
{
	static const uint32_t msrs[] = { 0x10, 0x174, 0xc0000081 };
	bool fits = list->nmsrs >= G_N_ELEMENTS(msrs);

	list->nmsrs = G_N_ELEMENTS(msrs);
	if (!fits)
		return -E2BIG;
	memcpy(list->indices, msrs, sizeof(msrs));
	return 0;
}

/*
 * Of a machine.
 */
static int create_vcpu(unsigned id)
{
	struct fake_vcpu *v = g_new0(struct fake_vcpu, 1);

	v->fd = new_file("fake-vcpu", RUN_SIZE);
	v->id = id;
	v->run = mmap(NULL, RUN_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	g_assert(v->run != MAP_FAILED);
	g_ptr_array_add(kvm.vcpus, v);
	return v->fd;
}

static bool overlaps(const struct kvm_userspace_memory_region *a,
		     const struct kvm_userspace_memory_region *b)
{
	return a->guest_phys_addr < b->guest_phys_addr + b->memory_size &&
	       b->guest_phys_addr < a->guest_phys_addr + a->memory_size;
}

static int set_slot(struct fake_vm *vm, const struct kvm_userspace_memory_region *r)
{
	if (r->slot >= MAX_SLOTS ||
	    (r->guest_phys_addr | r->memory_size | r->userspace_addr) & 4095)
		return -EINVAL;
	if (!r->memory_size && !vm->slot[r->slot].memory_size)
		return -EINVAL;
	for (unsigned i = 0; i < MAX_SLOTS; i++)
		if (i != r->slot && overlaps(r, &vm->slot[i]))
			return -EEXIST;
	vm->slot[r->slot] = *r;
	return 0;
}

static bool same_doorbell(const struct kvm_ioeventfd *a, const struct kvm_ioeventfd *b)
{
	const uint32_t kind = KVM_IOEVENTFD_FLAG_PIO | KVM_IOEVENTFD_FLAG_DATAMATCH;

	return a->addr == b->addr && a->len == b->len && (a->flags & kind) == (b->flags & kind) &&
	       (!(a->flags & KVM_IOEVENTFD_FLAG_DATAMATCH) || a->datamatch == b->datamatch);
}

static int set_doorbell(struct fake_vm *vm, const struct kvm_ioeventfd *io)
{
	bool add = !(io->flags & KVM_IOEVENTFD_FLAG_DEASSIGN);

	for (guint i = 0; i < vm->doorbells->len; i++) {
		const struct kvm_ioeventfd *have = &g_array_index(vm->doorbells,
								  struct kvm_ioeventfd, i);

		if (!same_doorbell(have, io) || (!add && have->fd != io->fd))
			continue;
		if (add)
			return -EEXIST;
		g_array_remove_index(vm->doorbells, i);
		return 0;
	}
	if (!add)
		return -ENOENT;
	g_array_append_vals(vm->doorbells, io, 1);
	return 0;
}

static int set_irqfd(struct fake_vm *vm, const struct kvm_irqfd *irq)
{
	bool add = !(irq->flags & KVM_IRQFD_FLAG_DEASSIGN);

	for (guint i = 0; i < vm->irqfds->len; i++) {
		const struct kvm_irqfd *have = &g_array_index(vm->irqfds, struct kvm_irqfd, i);

		if (have->fd != irq->fd || (!add && have->gsi != irq->gsi))
			continue;
		if (add)
			return -EBUSY;
		g_array_remove_index(vm->irqfds, i);
		return 0;
	}
	if (add)
		g_array_append_vals(vm->irqfds, irq, 1);
	return 0; /* Linux says so of one that is not there */
}

static int set_routing(struct fake_vm *vm, const struct kvm_irq_routing *table)
{
	memset(vm->route, 0, sizeof(vm->route));
	memset(vm->pin, 0xff, sizeof(vm->pin));
	for (uint32_t i = 0; i < table->nr; i++) {
		const struct kvm_irq_routing_entry *e = &table->entries[i];

		if (e->gsi >= MAX_GSI || (e->type == KVM_IRQ_ROUTING_MSI && vm->route[e->gsi].type))
			return -EINVAL;
		if (e->type == KVM_IRQ_ROUTING_MSI)
			vm->route[e->gsi] = *e;
		else if (e->u.irqchip.irqchip >= G_N_ELEMENTS(vm->pin) ||
			 e->u.irqchip.pin >= KVM_IOAPIC_NUM_PINS)
			return -EINVAL;
		else
			vm->pin[e->u.irqchip.irqchip][e->u.irqchip.pin] = (int)e->gsi;
	}
	return 0;
}

static int copy_chip(struct fake_vm *vm, struct kvm_irqchip *chip, bool set)
{
	if (chip->chip_id >= G_N_ELEMENTS(vm->chip))
		return -EINVAL;
	if (set)
		vm->chip[chip->chip_id] = *chip;
	else
		chip->chip = vm->chip[chip->chip_id].chip;
	return 0;
}

static int copy_pit(struct fake_vm *vm, struct kvm_pit_state2 *state, bool set)
{
	if (!vm->has_pit)
		return -ENXIO;
	if (set)
		vm->pit = *state;
	else
		*state = vm->pit;
	return 0;
}

/* Of a vCPU: its state. -ENOTTY: that is no part of it. */
static int copy_part(int fd, unsigned long request, void *arg)
{
	for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
		if (request == parts[i].get)
			memcpy(arg, find_vcpu(fd)->part[i], _IOC_SIZE(request));
		else if (request == parts[i].set)
			memcpy(find_vcpu(fd)->part[i], arg, _IOC_SIZE(request));
		else
			continue;
		return 0;
	}
	return -ENOTTY;
}

static int answer(int fd, unsigned long request, void *arg)
{
	switch (request) {
	case KVM_SET_IDENTITY_MAP_ADDR:
	case KVM_SET_CPUID2:
	case KVM_IRQ_LINE:
		return 0;
	case KVM_GET_MSRS:
	case KVM_SET_MSRS:
		return 1;
	case KVM_GET_SUPPORTED_CPUID:
		return supported_cpuid(arg);
	case KVM_GET_MSR_INDEX_LIST:
		return msr_indices(arg);
	case KVM_SET_USER_MEMORY_REGION:
		return set_slot(find_vm(fd), arg);
	case KVM_IOEVENTFD:
		return set_doorbell(find_vm(fd), arg);
	case KVM_IRQFD:
		return set_irqfd(find_vm(fd), arg);
	case KVM_SET_GSI_ROUTING:
		return set_routing(find_vm(fd), arg);
	case KVM_GET_IRQCHIP:
	case KVM_SET_IRQCHIP:
		return copy_chip(find_vm(fd), arg, request == KVM_SET_IRQCHIP);
	case KVM_CREATE_PIT2:
		find_vm(fd)->has_pit = true;
		return 0;
	case KVM_GET_PIT2:
	case KVM_SET_PIT2:
		return copy_pit(find_vm(fd), arg, request == KVM_SET_PIT2);
	case KVM_TRANSLATE:
		return 0;
	case KVM_SET_GUEST_DEBUG:
		find_vcpu(fd)->debug = *(const struct kvm_guest_debug *)arg;
		return 0;
	default:
		return copy_part(fd, request, arg);
	}
}

static int answer_value(unsigned long request, unsigned long value)
{
	switch (request) {
	case KVM_GET_API_VERSION:
		return KVM_API_VERSION;
	case KVM_CHECK_EXTENSION:
		return check_extension(value);
	case KVM_GET_VCPU_MMAP_SIZE:
		return RUN_SIZE;
	case KVM_CREATE_VM:
		return create_vm();
	case KVM_CREATE_VCPU:
		return create_vcpu((unsigned)value);
	case KVM_GET_STATS_FD:
		return new_file("fake-stats", 0);
	case KVM_GET_TSC_KHZ:
		return 2000000;
	default:
		return 0;
	}
}

/*
 * In the place of vmm/kvm/sys.c.
 */
int kvm_sys_open(void)
{
	int ret;

	pthread_mutex_lock(&lock);
	ret = fails(OPEN_CALL) ? -EIO : new_file("fake-kvm", 0);
	pthread_mutex_unlock(&lock);
	return ret;
}

int kvm_ioctl(int fd, unsigned long request, void *arg)
{
	int ret;

	pthread_mutex_lock(&lock);
	ret = fails(request) ? -EIO : answer(fd, request, arg);
	pthread_mutex_unlock(&lock);
	return ret;
}

int kvm_ioctl_value(int fd, unsigned long request, unsigned long value)
{
	int ret;

	(void)fd;
	pthread_mutex_lock(&lock);
	ret = fails(request) ? -EIO : answer_value(request, value);
	pthread_mutex_unlock(&lock);
	return ret;
}

int kvm_sys_map(int vcpu, size_t len, void **ret)
{
	void *at = MAP_FAILED;
	bool bad;

	pthread_mutex_lock(&lock);
	bad = fails(MAP_CALL);
	pthread_mutex_unlock(&lock);
	if (!bad)
		at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (at == MAP_FAILED)
		return -EIO;
	*ret = at;
	return 0;
}

int kvm_sys_run(int vcpu)
{
	struct fake_vcpu *v;
	int ret = 0;

	pthread_mutex_lock(&lock);
	v = find_vcpu(vcpu);
	pthread_mutex_unlock(&lock);
	atomic_fetch_add(&running, 1);
	while (ret == 0) {
		fake_guest guest = atomic_load(&guest_fn);

		if (__atomic_load_n(&v->run->immediate_exit, __ATOMIC_RELAXED))
			ret = -EINTR;
		else if (guest)
			ret = guest(v->id, v->run);
		if (ret == 0)
			g_usleep(100);
	}
	atomic_fetch_sub(&running, 1);
	return MIN(ret, 0);
}

/*
 * What is set.
 */
static struct fake_vm *first(void)
{
	g_assert(kvm.vms->len);
	return g_ptr_array_index(kvm.vms, 0);
}

unsigned fake_kvm_n_doorbells(void)
{
	return kvm.vms->len ? first()->doorbells->len : 0;
}

int fake_kvm_doorbell(uint64_t addr)
{
	const GArray *all = first()->doorbells;

	for (guint i = 0; i < all->len; i++)
		if (g_array_index(all, struct kvm_ioeventfd, i).addr == addr)
			return g_array_index(all, struct kvm_ioeventfd, i).fd;
	return -1;
}

unsigned fake_kvm_n_irqfds(void)
{
	return kvm.vms->len ? first()->irqfds->len : 0;
}

int fake_kvm_irqfd(unsigned gsi)
{
	const GArray *all = first()->irqfds;

	for (guint i = 0; i < all->len; i++)
		if (g_array_index(all, struct kvm_irqfd, i).gsi == gsi)
			return (int)g_array_index(all, struct kvm_irqfd, i).fd;
	return -1;
}

int fake_kvm_pin_gsi(unsigned chip, unsigned pin)
{
	return first()->pin[chip][pin];
}

bool fake_kvm_message(unsigned gsi, uint64_t *ret_addr, uint32_t *ret_data)
{
	const struct kvm_irq_routing_entry *e = &first()->route[gsi];

	if (!e->type)
		return false;
	*ret_addr = (uint64_t)e->u.msi.address_hi << 32 | e->u.msi.address_lo;
	*ret_data = e->u.msi.data;
	return true;
}

bool fake_kvm_routes(unsigned gsi, uint64_t addr, uint32_t data)
{
	uint64_t routed_addr;
	uint32_t routed_data;

	return fake_kvm_message(gsi, &routed_addr, &routed_data) && routed_addr == addr &&
	       routed_data == data;
}

bool fake_kvm_has_pit(void)
{
	return first()->has_pit;
}

bool fake_kvm_slot(unsigned n, struct kvm_userspace_memory_region *ret)
{
	*ret = first()->slot[n];
	return ret->memory_size;
}

struct kvm_regs fake_kvm_regs(unsigned cpu)
{
	struct kvm_regs regs;
	struct fake_vcpu *v = g_ptr_array_index(kvm.vcpus, cpu);

	memcpy(&regs, v->part[0], sizeof(regs));
	return regs;
}

struct kvm_guest_debug fake_kvm_debug(unsigned cpu)
{
	return ((struct fake_vcpu *)g_ptr_array_index(kvm.vcpus, cpu))->debug;
}
