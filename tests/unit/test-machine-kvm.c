/*
 * The machine over a KVM that is a fake (tests/support/kvm/fake.h): what it asks KVM for and takes
 * back, that a call which fails leaves nothing behind, and stops, resets and reboots in any order.
 */
#include <elf.h>
#include <errno.h>
#include <linux/virtio_pci.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/base/error.h"
#include "tests/support/kvm/fake.h"
#include "tests/support/open-files.h"
#include "vmm/kvm/registers.h"
#include "vmm/kvm/sys.h"
#include "vmm/kvm/vcpu-int.h"
#include "vmm/machine/machine-int.h"
#include "vmm/x86/layout.h"
#include "vmm/x86/pm.h"

#define RAM      (16ull << 20)
#define ENTRY    0x200010u
#define MAX_CALL 1000u /* more than a start has */

static char *kernel; /* a file */
static struct terminal_mode mode;

/*
 * A machine of two vCPUs, with two devices on PCI and two on mmio.
 */
static void save_kernel(void)
{
	struct image {
		Elf64_Ehdr eh;
		Elf64_Phdr ph[2];
		struct {
			Elf64_Nhdr nh;
			char name[4];
			uint32_t entry;
		} note;
		uint8_t text[64];
	} e = {
		.eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_phoff = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2 },
		.note = { { 4, 4, 18 }, "Xen", ENTRY },
	};
	int fd = g_file_open_tmp("kvm-fake-XXXXXX", &kernel, NULL);

	e.ph[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
				.p_offset = offsetof(struct image, text),
				.p_paddr = 0x200000,
				.p_filesz = sizeof(e.text),
				.p_memsz = sizeof(e.text) };
	e.ph[1] = (Elf64_Phdr){ .p_type = PT_NOTE,
				.p_offset = offsetof(struct image, note),
				.p_filesz = sizeof(e.note) };
	assert_int_equal(write(fd, &e, sizeof(e)), sizeof(e));
	close(fd);
}

static void add_device(struct machine_config *cfg, const char *spec)
{
	struct machine_device *d = g_new0(struct machine_device, 1);

	d->spec = g_strdup(spec);
	g_ptr_array_add(cfg->devices, d);
}

static struct machine_config *config(void)
{
	struct machine_config *cfg = machine_config_new();

	cfg->kernel = g_strdup(kernel);
	cfg->serial = g_strdup("none");
	cfg->memory = RAM;
	cfg->cpus = 2;
	cfg->sandbox = SANDBOX_OFF;
	cfg->mode = &mode;
	add_device(cfg, "rng");
	add_device(cfg, "rng");
	add_device(cfg, "rng,transport=mmio");
	add_device(cfg, "rng,transport=mmio,cached-registers=on");
	return cfg;
}

/* Built, or NULL with what was said. */
static struct machine *build(const struct machine_config *cfg, GError **err)
{
	struct machine *m = machine_new(cfg, err);

	if (m && !machine_build(m, err)) {
		machine_free(m);
		return NULL;
	}
	return m;
}

/* KVM has nothing any more that refers to a descriptor of ours. */
static void assert_nothing_is_assigned(void)
{
	assert_int_equal(fake_kvm_n_doorbells(), 0);
	assert_int_equal(fake_kvm_n_irqfds(), 0);
}

static void end(struct machine *m, struct machine_config *cfg)
{
	machine_free(m);
	assert_nothing_is_assigned();
	machine_config_free(cfg);
	fake_kvm_end();
}

/* The route of @msi is this message. */
static void assert_message(int msi, uint64_t addr, uint32_t data)
{
	assert_true(fake_kvm_routes((unsigned)msi, addr, data));
}

/*
 * A driver that knows registers by heart, of the first device on PCI.
 */
enum { COMMON, NOTIFY, N_PLACES };

struct driver {
	struct machine *m;
	struct vdev *dev;
	uint64_t bar, config; /* guest-physical */
	uint64_t place[N_PLACES];
	unsigned msix; /* capability */
};

static uint64_t get(struct driver *d, uint64_t addr, unsigned len)
{
	return bus_read(d->m->bus, false, addr, len);
}

static void set(struct driver *d, uint64_t addr, unsigned len, uint64_t value)
{
	bus_write(d->m->bus, false, addr, len, value);
}

static void find_places(struct driver *d)
{
	for (uint64_t cap = get(d, d->config + 0x34, 1); cap;
	     cap = get(d, d->config + cap + 1, 1)) {
		uint64_t type = get(d, d->config + cap + 3, 1);

		if (get(d, d->config + cap, 1) == 0x11)
			d->msix = (unsigned)cap;
		if (get(d, d->config + cap, 1) != 9)
			continue;
		if (type == VIRTIO_PCI_CAP_COMMON_CFG)
			d->place[COMMON] = get(d, d->config + cap + 8, 4);
		if (type == VIRTIO_PCI_CAP_NOTIFY_CFG)
			d->place[NOTIFY] = get(d, d->config + cap + 8, 4);
	}
	assert_true(d->msix && d->place[NOTIFY]);
}

static uint64_t at(const struct driver *d, unsigned place, unsigned off)
{
	return d->bar + d->place[place] + off;
}

static void move_bar(struct driver *d, uint64_t to)
{
	set(d, d->config + 0x10, 4, to);
	set(d, d->config + 0x14, 4, to >> 32);
	d->bar = to;
}

#define DECODE 2u /* the command register's bit for memory */
#define MASTER 4u
#define DESC   0x400000u
#define AVAIL  0x401000u
#define USED   0x402000u
#define BUFFER 0x403000u

static struct driver driver_of(struct machine *m, struct device *device, unsigned slot)
{
	struct driver d = { .m = m, .dev = device->dev, .config = LAYOUT_ECAM + (slot << 15) };

	assert_int_equal(get(&d, d.config, 4), 0x10441af4);
	find_places(&d);
	return d;
}

static struct driver driver_new(struct machine *m, unsigned n)
{
	return driver_of(m, g_ptr_array_index(m->devices, n), n + 1);
}

static void driver_ok(struct driver *d)
{
	set(d, d->config + 4, 2, DECODE | MASTER);
	set(d, at(d, COMMON, VIRTIO_PCI_COMMON_STATUS), 1, 1);
	set(d, at(d, COMMON, VIRTIO_PCI_COMMON_STATUS), 1, 3);
	set(d, at(d, COMMON, VIRTIO_PCI_COMMON_GFSELECT), 4, 1);
	set(d, at(d, COMMON, VIRTIO_PCI_COMMON_GF), 4, 1); /* VERSION_1 */
	set(d, at(d, COMMON, VIRTIO_PCI_COMMON_STATUS), 1, 11);
	assert_int_equal(get(d, at(d, COMMON, VIRTIO_PCI_COMMON_STATUS), 1), 11);
	set(d, at(d, COMMON, VIRTIO_PCI_COMMON_Q_SELECT), 2, 0);
	set(d, at(d, COMMON, VIRTIO_PCI_COMMON_Q_SIZE), 2, 8);
	set(d, at(d, COMMON, VIRTIO_PCI_COMMON_Q_MSIX), 2, 0);
	set(d, at(d, COMMON, VIRTIO_PCI_COMMON_Q_DESCLO), 4, DESC);
	set(d, at(d, COMMON, VIRTIO_PCI_COMMON_Q_AVAILLO), 4, AVAIL);
	set(d, at(d, COMMON, VIRTIO_PCI_COMMON_Q_USEDLO), 4, USED);
	set(d, at(d, COMMON, VIRTIO_PCI_COMMON_Q_ENABLE), 2, 1);
	set(d, at(d, COMMON, VIRTIO_PCI_COMMON_STATUS), 1, 15);
	assert_int_equal(get(d, at(d, COMMON, VIRTIO_PCI_COMMON_STATUS), 1), 15);
}

static int kick_fd(const struct driver *d)
{
	return d->dev->queue[0].kick_fd;
}

static void the_doorbell_goes_with_the_bar(void **state)
{
	const uint64_t first = LAYOUT_PCI32, second = LAYOUT_PCI32 + 0x100000,
		       other = first + 0x8000;
	struct machine_config *cfg = config();
	struct driver d, e;
	struct machine *m;

	(void)state;
	fake_kvm_begin(0);
	m = build(cfg, NULL);
	assert_non_null(m);
	d = driver_new(m, 0);
	e = driver_new(m, 1);
	set(&e, e.config + 4, 2, 0);
	move_bar(&d, first);
	move_bar(&e, other);
	driver_ok(&d);
	assert_int_equal(fake_kvm_n_doorbells(), 1);
	assert_int_equal(fake_kvm_doorbell(at(&d, NOTIFY, 0)), kick_fd(&d));
	move_bar(&d, second); /* while it decodes: low half, then high half */
	assert_int_equal(fake_kvm_n_doorbells(), 1);
	assert_int_equal(fake_kvm_doorbell(at(&d, NOTIFY, 0)), kick_fd(&d));
	assert_int_equal(get(&d, at(&d, COMMON, VIRTIO_PCI_COMMON_STATUS), 1), 15);
	assert_int_equal(get(&d, first + d.place[COMMON] + VIRTIO_PCI_COMMON_STATUS, 1), 0xff);
	set(&d, d.config + 4, 2, 0);
	assert_int_equal(fake_kvm_n_doorbells(), 0);
	assert_int_equal(get(&d, at(&d, COMMON, VIRTIO_PCI_COMMON_STATUS), 1), 0xff);
	set(&d, d.config + 4, 2, DECODE);
	assert_int_equal(fake_kvm_doorbell(at(&d, NOTIFY, 0)), kick_fd(&d));
	/* Where another one's is, it is not decoded, and comes back elsewhere. */
	driver_ok(&e);
	move_bar(&d, other);
	assert_int_equal(fake_kvm_n_doorbells(), 1);
	assert_int_equal(fake_kvm_doorbell(at(&e, NOTIFY, 0)), kick_fd(&e));
	move_bar(&d, first);
	assert_int_equal(fake_kvm_n_doorbells(), 2);
	assert_int_equal(fake_kvm_doorbell(at(&d, NOTIFY, 0)), kick_fd(&d));
	set(&d, at(&d, COMMON, VIRTIO_PCI_COMMON_STATUS), 1, 0);
	set(&e, at(&e, COMMON, VIRTIO_PCI_COMMON_STATUS), 1, 0);
	assert_int_equal(fake_kvm_n_doorbells(), 0);
	end(m, cfg);
}

/* As drivers read it: the device may be writing it on its event loop's thread. */
static uint16_t used_idx(struct machine *m)
{
	const uint16_t *idx = gmem_at(&m->ram.memory.mem, USED + 2, sizeof(*idx));

	assert_non_null(idx);
	return __atomic_load_n(idx, __ATOMIC_ACQUIRE);
}

/* One buffer for random bytes; kicked with a write that reached the process. */
static void ask_for_bytes(struct driver *d, uint16_t n)
{
	const struct {
		uint64_t addr;
		uint32_t len;
		uint16_t flags, next;
	} desc = { BUFFER, 64, 2, 0 };
	uint16_t *available;

	assert_true(gmem_write(&d->m->ram.memory.mem, DESC, &desc, sizeof(desc)));
	available = gmem_at(&d->m->ram.memory.mem, AVAIL + 2, sizeof(*available));
	assert_non_null(available);
	__atomic_store_n(available, n, __ATOMIC_RELEASE);
	set(d, at(d, NOTIFY, 0), 2, 0);
	for (int64_t end = g_get_monotonic_time() + 20ll * G_USEC_PER_SEC; used_idx(d->m) != n;) {
		(void)g_main_context_iteration(NULL, FALSE);
		assert_true(g_get_monotonic_time() < end);
	}
}

/* KVM may take no more doorbells (it has 1000 places on a bus): kicks then come as any other write
 * does. */
static void kicks_arrive_without_a_doorbell(void **state)
{
	struct machine_config *cfg = config();
	struct machine *m;
	struct driver d;

	(void)state;
	fake_kvm_begin(0);
	m = build(cfg, NULL);
	assert_non_null(m);
	d = driver_new(m, 0);
	move_bar(&d, LAYOUT_PCI32);
	fake_kvm_fail(KVM_IOEVENTFD, 1);
	driver_ok(&d);
	assert_string_equal(fake_kvm_failed(), "KVM_IOEVENTFD");
	assert_int_equal(fake_kvm_n_doorbells(), 0);
	ask_for_bytes(&d, 1);
	ask_for_bytes(&d, 2);
	end(m, cfg);
}

static void set_vector(struct driver *d, unsigned v, uint64_t addr, uint32_t data, bool masked)
{
	uint64_t entry = d->bar + (get(d, d->config + d->msix + 4, 4) & ~7ull) + 16ull * v;

	set(d, entry + 12, 4, 1);
	set(d, entry, 4, addr);
	set(d, entry + 4, 4, addr >> 32);
	set(d, entry + 8, 4, data);
	set(d, entry + 12, 4, masked);
}

static void vectors_are_wired_while_they_are_unmasked(void **state)
{
	struct machine_config *cfg = config();
	struct machine *m;
	struct driver d;
	int gsi = LAYOUT_GSIS; /* of the first device's first vector */
	unsigned others;       /* the lines of devices on mmio */

	(void)state;
	fake_kvm_begin(0);
	m = build(cfg, NULL);
	assert_non_null(m);
	d = driver_new(m, 0);
	move_bar(&d, LAYOUT_PCI32);
	others = fake_kvm_n_irqfds();
	driver_ok(&d);
	assert_int_equal(fake_kvm_n_irqfds(), others + 1); /* INTx */
	set(&d, d.config + d.msix + 2, 2, 0x8000);
	assert_int_equal(fake_kvm_n_irqfds(), others);
	set_vector(&d, 0, 0xfee00000, 0x51, false);
	assert_int_equal(fake_kvm_n_irqfds(), others + 1);
	assert_true(fake_kvm_irqfd((unsigned)gsi) >= 0);
	assert_message(gsi, 0xfee00000, 0x51);
	set_vector(&d, 0, 0xfee03000, 0x52, false); /* moved to another processor */
	assert_int_equal(fake_kvm_n_irqfds(), others + 1);
	assert_message(gsi, 0xfee03000, 0x52);
	set_vector(&d, 0, 0xfee03000, 0x52, true);
	assert_int_equal(fake_kvm_n_irqfds(), others);
	set(&d, d.config + d.msix + 2, 2, 0);
	assert_int_equal(fake_kvm_n_irqfds(), others + 1); /* INTx again */
	set(&d, at(&d, COMMON, VIRTIO_PCI_COMMON_STATUS), 1, 0);
	assert_int_equal(fake_kvm_n_irqfds(), others);
	end(m, cfg);
}

/*
 * Devices that come and go.
 */
static uint64_t page_of(const struct device *d)
{
	struct transport_place place;

	d->transport->place(d->handle, &place);
	assert_true(place.has_page);
	return place.page.base;
}

static void copy_thread(void *arg)
{
	*(pthread_t *)arg = pthread_self();
}

static pthread_t thread_of(const struct device *d)
{
	pthread_t thread;

	loop_call(d->dev->loop, copy_thread, &thread);
	return thread;
}

/* More of them than there are pages, slots and threads. */
static void what_a_device_leaves_is_the_next_ones(void **state)
{
	struct machine_config *cfg = config();
	unsigned irqfds, files = 0;
	struct machine *m;

	(void)state;
	cfg->spare_iothreads = 1;
	cfg->stats = true;
	fake_kvm_begin(0);
	m = build(cfg, NULL);
	g_assert(m);
	irqfds = fake_kvm_n_irqfds();
	for (unsigned i = 0; i < 300; i++) {
		struct device *slot = machine_add_device(m, "rng,iothread=late", NULL);
		struct device *page = machine_add_device(m, "rng,transport=mmio,iothread=late",
							 NULL);
		struct driver d;

		assert_non_null(slot);
		assert_non_null(page);
		assert_int_equal(page_of(page), layout_mmio_region(2));
		assert_true(pthread_equal(thread_of(page), thread_of(slot)));
		assert_false(pthread_equal(thread_of(page), pthread_self()));
		d = driver_of(m, slot, 3);
		move_bar(&d, LAYOUT_PCI32);
		assert_true(gmem_write(&m->ram.memory.mem, AVAIL + 2, &(uint16_t){ 0 }, 2));
		assert_true(gmem_write(&m->ram.memory.mem, USED + 2, &(uint16_t){ 0 }, 2));
		driver_ok(&d);
		assert_int_equal(fake_kvm_n_doorbells(), 1);
		ask_for_bytes(&d, 1); /* by the spare thread */
		machine_remove_device(m, i % 2 ? page : slot);
		machine_remove_device(m, i % 2 ? slot : page);
		assert_int_equal(fake_kvm_n_doorbells(), 0);
		assert_int_equal(fake_kvm_n_irqfds(), irqfds);
		assert_int_equal(m->devices->len, 4);
		if (i == 0)
			files = open_files();
	}
	assert_int_equal(open_files(), files);
	end(m, cfg);
}

static void pages_are_given_out_lowest_first(void **state)
{
	struct machine_config *cfg = config();
	struct device *d[4];
	struct machine *m;

	(void)state;
	fake_kvm_begin(0);
	m = build(cfg, NULL);
	g_assert(m);
	for (unsigned i = 0; i < 4; i++) {
		d[i] = machine_add_device(m, "rng,transport=mmio", NULL);
		assert_int_equal(page_of(d[i]), layout_mmio_region(2 + i));
	}
	machine_remove_device(m, d[2]);
	machine_remove_device(m, d[0]);
	d[0] = machine_add_device(m, "rng,transport=mmio,cached-registers=on", NULL);
	assert_int_equal(page_of(d[0]), layout_mmio_region(2));
	assert_int_equal(get(&(struct driver){ .m = m }, page_of(d[0]), 4), 0x74726976);
	d[2] = machine_add_device(m, "rng,transport=mmio", NULL);
	assert_int_equal(page_of(d[2]), layout_mmio_region(4));
	end(m, cfg);
}

static void assert_refused(struct machine *m, const char *spec, const char *why)
{
	guint n = m->devices->len;
	g_autoptr(GError) err = NULL;

	assert_null(machine_add_device(m, spec, &err));
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	if (!strstr(err->message, why))
		fail_msg("%s is refused: %s", spec, err->message);
	assert_int_equal(m->devices->len, n);
}

/* One that cannot be had takes nothing with it. */
static void what_a_refused_device_took_is_given_back(void **state)
{
	static const char *const odd[] = {
		"rng,iothread=a,nonsense=1",
		"rng,iothread=a,max-bytes=none",
		"rng,iothread=a,slot=1",
		"rng,iothread=a,transport=mmio,features=+notif_config_data",
	};
	struct machine_config *cfg = config();
	struct device *a, *also, *b, *c;
	struct machine *m;

	(void)state;
	cfg->spare_iothreads = 2;
	fake_kvm_begin(0);
	m = build(cfg, NULL);
	g_assert(m);
	for (size_t i = 0; i < 8; i++)
		assert_refused(m, odd[i % G_N_ELEMENTS(odd)], "--device rng");
	a = machine_add_device(m, "rng,iothread=a,transport=mmio", NULL);
	b = machine_add_device(m, "rng,iothread=b", NULL);
	assert_false(pthread_equal(thread_of(a), thread_of(b)));
	assert_int_equal(page_of(a), layout_mmio_region(2));
	assert_refused(m, "rng,iothread=c", "iothread=c: all of the 2 spare threads are taken");
	also = machine_add_device(m, "rng,iothread=a,poll=50us", NULL);
	assert_int_equal(loop_poll_stats(a->dev->loop).max_ns, 50000);
	assert_refused(m, "rng,iothread=a,poll=60us", "another device on that thread");
	assert_refused(m, "rng,iothread=a,poll=50", "poll=50: it takes off, auto, or a time");
	assert_refused(m, "rng,poll=50us", "add iothread=NAME");
	machine_remove_device(m, a);
	assert_refused(m, "rng,iothread=c", "all of the 2 spare threads are taken");
	machine_remove_device(m, also);
	assert_int_equal(loop_poll_stats(b->dev->loop).max_ns, 0);
	c = machine_add_device(m, "rng,iothread=c", NULL);
	assert_false(pthread_equal(thread_of(c), thread_of(b)));
	assert_int_equal(loop_poll_stats(c->dev->loop).max_ns, 0); /* it was another's */
	end(m, cfg);
}

/*
 * In a process that is sealed: a child.
 */
static struct machine *build_sealed(struct machine_config *cfg)
{
	struct machine *m;

	cfg->sandbox = SANDBOX_ON;
	cfg->spare_iothreads = 1;
	fake_kvm_begin(0);
	m = build(cfg, NULL);
	if (m)
		machine_seal(m, SANDBOX_MAIN);
	return m;
}

static void call_something_else(void *arg)
{
	(void)arg;
	(void)syscall(SYS_getppid);
}

/* A status for each thing that goes wrong; 0: none did. */
static int plug_into_sealed(struct machine_config *cfg, bool attack)
{
	struct machine *m = build_sealed(cfg);
	g_autoptr(GError) err = NULL;
	struct device *d;
	struct driver driver;

	if (!m)
		return 1;
	d = machine_add_device(m, "rng,iothread=late", NULL);
	if (!d)
		return 2;
	driver = driver_of(m, d, 1);
	move_bar(&driver, LAYOUT_PCI32);
	driver_ok(&driver);
	ask_for_bytes(&driver, 1);
	/* At the start none was on the main thread, which therefore may not ask for random bytes.
	 */
	if (machine_add_device(m, "rng", &err) || !strstr(err->message, "its thread is sealed"))
		return 3;
	if (attack)
		loop_call(d->dev->loop, call_something_else, NULL);
	machine_remove_device(m, d);
	return machine_add_device(m, "rng,iothread=later", NULL) ? 0 : 4;
}

static int end_of_child(bool attack)
{
	struct machine_config *cfg = machine_config_new();
	int status = 0;
	pid_t pid;

	cfg->kernel = g_strdup(kernel);
	cfg->serial = g_strdup("none");
	cfg->memory = RAM;
	cfg->mode = &mode;
	add_device(cfg, "rng,transport=mmio,iothread=first");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)signal(SIGSYS, SIG_DFL); /* it is cmocka's */
		_exit(plug_into_sealed(cfg, attack));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	machine_config_free(cfg);
	return status;
}

static void a_spare_thread_is_sealed_before_it_has_a_device(void **state)
{
	int status;

	(void)state;
	assert_int_equal(end_of_child(false), 0);
	status = end_of_child(true);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
}

/*
 * Calls that fail.
 */

/* What a machine can do without. */
static bool is_optional(const char *call)
{
	static const char *const all[] = {
		"KVM_CAP_", "KVM_GET_STATS_FD", "KVM_GET_TSC_KHZ",
		"KVM_GET_SUPPORTED_CPUID", /* asked again, with more room */
		NULL
	};

	return g_strv_contains(all, call);
}

/* Without the capability that says how many vCPUs there may be there is one, and without any room
 * for interrupt routes it is a device that does not fit; and transports, which know no KVM, speak
 * of lines. */
static void assert_says(const char *message, const char *call)
{
	if (strcmp(call, "KVM_CAP_") == 0 && g_str_has_prefix(message, "--"))
		return;
	if (strcmp(call, "KVM_IRQFD") == 0)
		call = "interrupt line";
	if (!strstr(message, call))
		fail_msg("%s failed, and what is said is: %s", call, message);
}

static void a_start_whose_nth_call_fails_says_so_and_leaves_nothing(void **state)
{
	unsigned n, failed = 0, went_on = 0, files = 0;

	(void)state;
	for (n = 0; n < MAX_CALL; n++) { /* the first as it should be */
		struct machine_config *cfg = config();
		g_autoptr(GError) err = NULL;
		struct machine *m;

		fake_kvm_begin(n);
		m = build(cfg, &err);
		fake_kvm_fail(0, 0); /* taking back is nothing that KVM refuses */
		assert_true(!m == !!err);
		if (m && fake_kvm_failed() && !is_optional(fake_kvm_failed()))
			fail_msg("%s failed, and nobody minds", fake_kvm_failed());
		if (err)
			assert_says(err->message, fake_kvm_failed());
		failed += !!err;
		went_on += m && fake_kvm_failed();
		machine_free(m);
		assert_nothing_is_assigned();
		machine_config_free(cfg);
		if (n && !fake_kvm_failed())
			break;
		if (n)
			assert_int_equal(open_files(), files);
		files = open_files();
		fake_kvm_end();
	}
	fake_kvm_end();
	print_message("# %u calls of a start: with %u it fails, with %u it goes on\n", n - 1,
		      failed, went_on);
	assert_true(failed > 20 && went_on > 4);
}

/*
 * Running.
 */
static GString *events;
static atomic_bool reset_asked, ran_past; /* by a guest; it went on although it had */

static void on_event(const char *event, bool guest, void *opaque)
{
	(void)guest;
	(void)opaque;
	if (strcmp(event, "RESET") == 0)
		atomic_store(&reset_asked, false);
	g_string_append_printf(events, "%s ", event);
}

/* What the operator does, from the machine's main loop. */
struct operator
{
	struct machine *m;
	void (*act)(struct operator* o);
	GSource *source;
	unsigned step;
	GRand *rand;
	unsigned fail_at;
	bool done;
};

static gboolean on_operator(void *arg)
{
	struct operator* o = arg;

	o->act(o);
	return G_SOURCE_CONTINUE;
}

static enum machine_end run(struct machine *m, struct operator* o, char **ret_text)
{
	const char *text = NULL;
	enum machine_end end;

	events = g_string_new(NULL);
	machine_observe(m, on_event, NULL);
	if (o) {
		o->m = m;
		o->source = g_timeout_source_new(1);
		g_source_set_callback(o->source, on_operator, o, NULL);
		g_source_attach(o->source, NULL);
	}
	end = machine_run(m, &text);
	assert_int_equal(fake_kvm_running(), 0);
	if (o) {
		g_source_destroy(o->source);
		g_source_unref(o->source);
	}
	if (ret_text)
		*ret_text = g_strdup(text);
	return end;
}

static int write_port(struct kvm_run *run, uint16_t port, uint8_t value)
{
	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = KVM_EXIT_IO_OUT;
	run->io.size = 1;
	run->io.port = port;
	run->io.count = 1;
	run->io.data_offset = 4096;
	((uint8_t *)run)[4096] = value;
	return 1;
}

static int read_memory(struct kvm_run *run, uint64_t addr)
{
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = addr;
	run->mmio.len = 4;
	run->mmio.is_write = false;
	return 1;
}

static atomic_uint guest_step;

/* Reboots three times; then it switches itself off. */
static int guest_that_reboots(unsigned cpu, struct kvm_run *run)
{
	if (cpu)
		return read_memory(run, LAYOUT_ECAM);
	if (atomic_fetch_add(&guest_step, 1) < 3)
		return write_port(run, LAYOUT_PM_PORT + PM_RESET, PM_RESET_VALUE);
	return write_port(run, LAYOUT_PM_PORT + PM_SLEEP_CONTROL, 0x34); /* S5, now */
}

static struct machine *start(const struct machine_config *cfg, fake_guest guest)
{
	struct machine *m;

	fake_kvm_begin(0);
	m = build(cfg, NULL);
	assert_non_null(m);
	atomic_store(&guest_step, 0);
	atomic_store(&reset_asked, false);
	atomic_store(&ran_past, false);
	fake_kvm_guest(guest);
	return m;
}

static void finish(struct machine *m, struct machine_config *cfg)
{
	end(m, cfg);
	g_string_free(g_steal_pointer(&events), TRUE);
}

static void a_guest_reboots_and_goes(void **state)
{
	struct machine_config *cfg = config();
	struct machine *m = start(cfg, guest_that_reboots);

	(void)state;
	assert_int_equal(run(m, NULL, NULL), MACHINE_POWEROFF);
	assert_string_equal(events->str, "RESET RESET RESET SHUTDOWN ");
	finish(m, cfg);
}

/* Vendor and device of one function, again and again. */
static int guest_that_reads(unsigned cpu, struct kvm_run *run)
{
	return read_memory(run, LAYOUT_ECAM + (cpu << 15));
}

static int guest_that_reboots_now_and_then(unsigned cpu, struct kvm_run *run)
{
	if (cpu && atomic_load(&reset_asked))
		atomic_store(&ran_past, true);
	if (cpu && atomic_fetch_add(&guest_step, 1) % 50 == 49) {
		atomic_store(&reset_asked, true);
		return write_port(run, LAYOUT_PM_PORT + PM_RESET, PM_RESET_VALUE);
	}
	return guest_that_reads(cpu, run);
}

#define STEPS 300u

static void ask_for_registers(struct operator* o)
{
	struct vcpu_registers r;
	char *where = NULL;
	int ret = machine_registers(o->m, o->step % 2, &r, &where);

	assert_true(ret == 0 || ret == -EBUSY);
	assert_null(where);
	if (ret == 0)
		assert_string_equal(r.reg[0].name, "rax");
}

static void act_at_random(struct operator* o)
{
	if (o->step++ == STEPS) {
		machine_quit(o->m);
		return;
	}
	switch (g_rand_int_range(o->rand, 0, 5)) {
	case 0:
		machine_stop(o->m);
		break;
	case 1:
		machine_cont(o->m);
		break;
	case 2:
		machine_reset(o->m);
		break;
	case 3:
		ask_for_registers(o);
		break;
	default:
		break;
	}
	if (o->m->end == MACHINE_RUNNING && o->m->stopped) {
		assert_int_equal(machine_status(o->m), MACHINE_STATUS_PAUSED);
		assert_int_equal(fake_kvm_running(), 0);
	}
}

static void stops_and_resets_in_any_order(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 5; seed++) {
		struct operator o = { .act = act_at_random, .rand = g_rand_new_with_seed(seed) };
		struct machine_config *cfg = config();
		struct machine *m = start(cfg, guest_that_reboots_now_and_then);

		assert_int_equal(run(m, &o, NULL), MACHINE_QUIT);
		assert_false(atomic_load(&ran_past));
		assert_non_null(strstr(events->str, "STOP "));
		assert_non_null(strstr(events->str, "RESUME "));
		assert_non_null(strstr(events->str, "RESET "));
		finish(m, cfg);
		g_rand_free(o.rand);
	}
}

#define CPUS_MAX 8u

static atomic_uint executed[CPUS_MAX];

static int guest_that_counts(unsigned cpu, struct kvm_run *run)
{
	atomic_fetch_add(&executed[cpu], 1);
	return read_memory(run, LAYOUT_ECAM);
}

/* Stops and continues as soon as every vCPU has executed something. */
static void stop_when_all_ran(struct operator* o)
{
	static int64_t began;

	for (unsigned i = 0; i < o->m->cfg->cpus; i++)
		if (atomic_load(&executed[i]) == 0) {
			began = began ? began : g_get_monotonic_time();
			assert_true(g_get_monotonic_time() - began < 20ll * G_USEC_PER_SEC);
			return;
		}
	began = 0;
	if (o->step++ == STEPS) {
		machine_quit(o->m);
		return;
	}
	machine_stop(o->m);
	for (unsigned i = 0; i < CPUS_MAX; i++)
		atomic_store(&executed[i], 0);
	machine_cont(o->m);
}

/* A vCPU may see that it is to pause before its immediate_exit is set: that must not outlast the
 * pause. */
static void every_vcpu_goes_on_after_each_pause(void **state)
{
	struct operator o = { .act = stop_when_all_ran };
	struct machine_config *cfg = config();
	struct machine *m;

	(void)state;
	cfg->cpus = CPUS_MAX;
	m = start(cfg, guest_that_counts);
	assert_int_equal(run(m, &o, NULL), MACHINE_QUIT);
	finish(m, cfg);
}

/* Between a stop and a cont; a reset describes to the guest what is there then. */
static void add_and_remove(struct operator* o)
{
	if (o->step++ == STEPS) {
		machine_quit(o->m);
		return;
	}
	machine_stop(o->m);
	if (!o->m->stopped || o->m->end != MACHINE_RUNNING)
		return;
	if (o->m->devices->len > 4 && g_rand_boolean(o->rand))
		machine_remove_device(
			o->m,
			g_ptr_array_index(o->m->devices,
					  g_rand_int_range(o->rand, 4, (gint)o->m->devices->len)));
	else if (o->m->devices->len < 12)
		assert_non_null(machine_add_device(
			o->m, g_rand_boolean(o->rand) ? "rng,iothread=late" : "rng,transport=mmio",
			NULL));
	if (g_rand_int_range(o->rand, 0, 8) == 0)
		machine_reset(o->m);
	machine_cont(o->m);
}

static void devices_come_and_go_between_stop_and_cont(void **state)
{
	struct operator o = { .act = add_and_remove, .rand = g_rand_new_with_seed(1) };
	struct machine_config *cfg = config();
	struct machine *m;

	(void)state;
	cfg->spare_iothreads = 1;
	m = start(cfg, guest_that_reads);
	assert_int_equal(run(m, &o, NULL), MACHINE_QUIT);
	assert_non_null(strstr(events->str, "RESET "));
	finish(m, cfg);
	g_rand_free(o.rand);
}

/* What the guest did to its registers is gone, and it stands still before its first instruction. */
static void reset_while_stopped(struct operator* o)
{
	struct kvm_regs regs = { .rip = 0x1234, .rbx = 1 };

	machine_stop(o->m);
	assert_int_equal(kvm_ioctl(o->m->cpus->vcpu[0].fd, KVM_SET_REGS, &regs), 0);
	assert_int_equal(fake_kvm_regs(0).rip, 0x1234);
	machine_reset(o->m);
	assert_int_equal(fake_kvm_regs(0).rip, ENTRY);
	assert_int_equal(fake_kvm_running(), 0);
	assert_string_equal(events->str, "STOP RESET ");
	machine_quit(o->m);
}

static void a_reset_begins_at_the_kernels_entry(void **state)
{
	struct operator o = { .act = reset_while_stopped };
	struct machine_config *cfg = config();
	struct machine *m = start(cfg, guest_that_reads);

	(void)state;
	assert_int_equal(run(m, &o, NULL), MACHINE_QUIT);
	finish(m, cfg);
}

/* The guest does not notice, nor do clients. */
static void look_at_registers(struct operator* o)
{
	struct kvm_regs regs = { .rip = 0x1234, .r15 = UINT64_MAX };
	struct vcpu_registers r;
	char *where = NULL;
	unsigned seen = 0;

	machine_stop(o->m);
	assert_int_equal(kvm_ioctl(o->m->cpus->vcpu[1].fd, KVM_SET_REGS, &regs), 0);
	machine_cont(o->m);
	assert_int_equal(machine_registers(o->m, 1, &r, &where), 0);
	assert_int_equal(machine_status(o->m), MACHINE_STATUS_RUNNING);
	assert_int_equal(r.pc, 0x1234);
	for (unsigned i = 0; i < r.n; i++) {
		seen += strcmp(r.reg[i].name, "r15") == 0 && r.reg[i].value == UINT64_MAX;
		seen += strcmp(r.reg[i].name, "rip") == 0 && r.reg[i].value == 0x1234;
		seen += strcmp(r.reg[i].name, "cs") == 0 && r.reg[i].bits == 16;
	}
	assert_int_equal(seen, 3);
	assert_string_equal(events->str, "STOP RESUME ");
	machine_quit(o->m);
}

static void registers_are_read_while_the_guest_runs(void **state)
{
	struct operator o = { .act = look_at_registers };
	struct machine_config *cfg = config();
	struct machine *m = start(cfg, guest_that_reads);

	(void)state;
	assert_int_equal(run(m, &o, NULL), MACHINE_QUIT);
	finish(m, cfg);
}

/* One call of a reset fails: the machine ends and says so, or the reset is done without. */
static void reset_with_a_failure(struct operator* o)
{
	if (o->done)
		return;
	o->done = true;
	fake_kvm_fail(0, o->fail_at);
	machine_reset(o->m);
	fake_kvm_fail(0, 0);
	if (o->m->end == MACHINE_RUNNING)
		machine_quit(o->m);
}

static bool a_reset_can_do_without(const char *call)
{
	static const char *const all[] = { "KVM_GET_XCRS",           "KVM_SET_XCRS",
					   "KVM_GET_DEBUGREGS",      "KVM_SET_DEBUGREGS",
					   "KVM_GET_VCPU_EVENTS",    "KVM_SET_VCPU_EVENTS",
					   "KVM_GET_MSRS",           "KVM_SET_MSRS",
					   "KVM_GET_MSR_INDEX_LIST", "KVM_KVMCLOCK_CTRL",
					   "KVM_IRQ_LINE",           NULL };

	return g_strv_contains(all, call) || is_optional(call);
}

static void the_timer_is_there_unless_it_is_not_wanted(void **state)
{
	(void)state;
	for (unsigned pit = 0; pit < 2; pit++) {
		struct machine_config *cfg = config();
		struct machine *m;

		cfg->pc.pit = pit;
		fake_kvm_begin(0);
		m = build(cfg, NULL);
		assert_non_null(m);
		assert_int_equal(fake_kvm_has_pit(), pit);
		assert_true(machine_power_on(m, NULL));
		assert_int_equal(fake_kvm_calls_of(KVM_SET_PIT2), pit);
		end(m, cfg);
	}
}

static void a_port_of_another_device_is_refused(void **state)
{
	static const struct {
		int port;
		bool free;
	} rows[] = { { 0xf4, true },  { 0x501, true }, { 0x505 - 3, false },
		     { 0x1e, false }, { 0x9f, false }, { 0x3d, false },
		     { 0x61, false }, { 0x6d, false }, { 0xcf8, false } };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct machine_config *cfg = config();
		g_autoptr(GError) err = NULL;
		struct machine *m;

		cfg->debug_exit = rows[i].port;
		fake_kvm_begin(0);
		m = build(cfg, &err);
		assert_int_equal(m != NULL, rows[i].free);
		if (!m)
			assert_non_null(strstr(err->message, "another device has one of"));
		end(m, cfg);
	}
}

static void a_reset_whose_nth_call_fails_ends_the_machine_or_does_without(void **state)
{
	unsigned n, ended = 0, went_on = 0;

	(void)state;
	for (n = 1; n < MAX_CALL; n++) {
		struct operator o = { .act = reset_with_a_failure, .fail_at = n };
		struct machine_config *cfg = config();
		struct machine *m = start(cfg, NULL);
		g_autofree char *text = NULL;
		enum machine_end end = run(m, &o, &text);
		const char *call = fake_kvm_failed();

		if (end == MACHINE_HOST_ERROR) {
			assert_true(g_str_has_prefix(text, "reset: /dev/kvm: "));
			ended++;
		} else {
			assert_int_equal(end, MACHINE_QUIT);
			if (call && !a_reset_can_do_without(call))
				fail_msg("%s failed in a reset, and nobody minds", call);
			went_on += !!call;
		}
		finish(m, cfg);
		if (!call)
			break;
	}
	print_message("# %u calls of a reset: with %u the machine ends, with %u it goes on\n",
		      n - 1, ended, went_on);
	assert_true(ended > 20 && went_on > 10);
}

static int guest_that_kvm_cannot_run(unsigned cpu, struct kvm_run *run)
{
	(void)run;
	return cpu ? -EFAULT : 0;
}

static void a_vcpu_that_kvm_cannot_run_ends_the_machine(void **state)
{
	struct machine_config *cfg = config();
	struct machine *m = start(cfg, guest_that_kvm_cannot_run);
	g_autofree char *text = NULL;

	(void)state;
	assert_int_equal(run(m, NULL, &text), MACHINE_KVM_ERROR);
	assert_true(g_str_has_prefix(text, "vCPU 1: KVM_RUN: Bad address: rip 0 "));
	finish(m, cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_doorbell_goes_with_the_bar),
		cmocka_unit_test(kicks_arrive_without_a_doorbell),
		cmocka_unit_test(vectors_are_wired_while_they_are_unmasked),
		cmocka_unit_test(what_a_device_leaves_is_the_next_ones),
		cmocka_unit_test(pages_are_given_out_lowest_first),
		cmocka_unit_test(what_a_refused_device_took_is_given_back),
		cmocka_unit_test(a_spare_thread_is_sealed_before_it_has_a_device),
		cmocka_unit_test(a_start_whose_nth_call_fails_says_so_and_leaves_nothing),
		cmocka_unit_test(a_guest_reboots_and_goes),
		cmocka_unit_test(stops_and_resets_in_any_order),
		cmocka_unit_test(every_vcpu_goes_on_after_each_pause),
		cmocka_unit_test(devices_come_and_go_between_stop_and_cont),
		cmocka_unit_test(a_reset_begins_at_the_kernels_entry),
		cmocka_unit_test(registers_are_read_while_the_guest_runs),
		cmocka_unit_test(the_timer_is_there_unless_it_is_not_wanted),
		cmocka_unit_test(a_port_of_another_device_is_refused),
		cmocka_unit_test(a_reset_whose_nth_call_fails_ends_the_machine_or_does_without),
		cmocka_unit_test(a_vcpu_that_kvm_cannot_run_ends_the_machine),
	};
	int ret;

	save_kernel();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(kernel);
	g_free(kernel);
	return ret;
}
