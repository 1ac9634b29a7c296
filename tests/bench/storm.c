/*
 * What one device's reads cost while another is under attack. Both are in this process, behind the
 * direct link: a driver thread reads 4 KiB blocks from a disk, one at a time, and sleeps until each
 * is there, as a guest's processor does; an attacker, a thread of its own, plays the guest's other
 * processor.
 *
 *	quiet      no attack
 *	polling    none either, and the disk's event loop looks again before it sleeps (poll=32us)
 *	storm      kicks of a queue with nothing in it, as fast as they can be made
 *	flood      a ring kept full of requests for random bytes
 *	flood64    the same with 64 KiB in each
 *	long       the same with 64 bytes in each, in the longest ring that the reference
 *	           driver has (what a turn of the loop may take does not depend on it)
 *	huge       a second disk's ring kept full of reads of 24 MiB, out of the page cache
 *
 * each with the two devices on one event loop, and on one each. Prints medians; asserts nothing
 * about them. Run by tools/bench/storm.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/registry.h"
#include "transport/direct.h"
#include "virtqueue/driver/drv.h"
#include "virtqueue/le.h"

#define MEMORY  (32u << 20)
#define DISK    (8u << 20)
#define QUEUE   64u
#define BLOCK   4096u
#define WARM_UP 200u

/*
 * A device with its driver: one queue.
 */
struct party {
	struct vdev *dev;
	struct direct *link;
	struct drv_vq vq;
	int wake; /* an interrupt came */
};

struct lab {
	uint8_t *ram;
	uint64_t used; /* bytes handed out */
	uint64_t room; /* of the attackers, one after the other */
	struct gmem mem;
	struct loop *main, *loop[2];
	char *disk;
};

static uint64_t take(struct lab *lab, size_t len)
{
	uint64_t at = lab->used;

	lab->used += (len + 4095) & ~(uint64_t)4095;
	if (lab->used > MEMORY)
		g_error("the lab's memory is used up");
	return at;
}

static struct loop *iothread(void *opaque, const char *name, const uint64_t *poll_ns, GError **err)
{
	(void)poll_ns;
	(void)err;
	return ((struct lab *)opaque)->loop[name[0] - '0'];
}

static struct vdev *open_device(struct lab *lab, const char *spec)
{
	struct vdev_env env = { .mem = &lab->mem,
				.main_loop = lab->main,
				.iothread = iothread,
				.opaque = lab,
				.n_cpus = 1 };
	g_autoptr(GError) err = NULL;
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	struct vdev *dev = vdev_new(vdev_class_find(name), pairs, &env, &err);

	if (!dev)
		g_error("%s", err->message);
	return dev;
}

static void set_queue(struct party *p)
{
	struct vdev *dev = p->dev;

	vdev_queue_write(dev, 0, VQR_SIZE, p->vq.cfg.size, UINT64_MAX);
	vdev_queue_write(dev, 0, VQR_DESC, p->vq.desc, UINT64_MAX);
	vdev_queue_write(dev, 0, VQR_DRIVER, p->vq.driver, UINT64_MAX);
	vdev_queue_write(dev, 0, VQR_DEVICE, p->vq.device, UINT64_MAX);
	vdev_queue_write(dev, 0, VQR_ENABLE, 1, UINT64_MAX);
}

static void party_open(struct party *p, struct lab *lab, const char *spec, uint16_t entries)
{
	struct drv_config cfg = { .size = entries, .event_idx = true };
	const uint32_t ring = 1u << (VIRTIO_F_EVENT_IDX % 32), modern = 1u;

	*p = (struct party){ .dev = open_device(lab, spec), .wake = eventfd(0, EFD_CLOEXEC) };
	p->link = direct_new(p->dev);
	direct_wake(p->link, p->wake);
	cfg.len = drv_bytes(&cfg);
	cfg.gpa = take(lab, cfg.len);
	cfg.base = lab->ram + cfg.gpa;
	if (!drv_vq_init(&p->vq, &cfg))
		g_error("the driver's ring");
	vdev_set_status(p->dev, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
	vdev_features_accept(p->dev, 0, ring);
	vdev_features_accept(p->dev, 1, modern);
	vdev_set_status(p->dev, vdev_status(p->dev) | VIRTIO_S_FEATURES_OK);
	set_queue(p);
	vdev_set_status(p->dev, vdev_status(p->dev) | VIRTIO_S_DRIVER_OK);
	if (!(vdev_status(p->dev) & VIRTIO_S_FEATURES_OK))
		g_error("the device refuses its features");
}

static void party_close(struct party *p)
{
	vdev_set_status(p->dev, 0);
	direct_free(p->link);
	vdev_free(p->dev);
	close(p->wake);
}

static void publish(struct party *p)
{
	if (drv_publish(&p->vq))
		vdev_notify(p->dev, 0);
}

/* Waits for a used chain. */
static void await(struct party *p)
{
	uint32_t len;
	void *cookie;
	uint64_t n;

	while (!drv_used(&p->vq, &cookie, &len)) {
		if (!drv_enable_notify(&p->vq))
			continue;
		if (read(p->wake, &n, sizeof(n)) < 0 && errno != EINTR)
			g_error("eventfd: %s", g_strerror(errno));
	}
}

/*
 * The reader.
 */
struct blk_header {
	le32 type, reserved;
	le64 sector;
};

struct reader {
	struct party p;
	uint64_t header, data, status;
	struct lab *lab;
};

static void reader_open(struct reader *r, struct lab *lab)
{
	g_autofree char *spec = g_strdup_printf("blk,path=%s,iothread=0,id=disk", lab->disk);

	party_open(&r->p, lab, spec, QUEUE);
	r->lab = lab;
	r->header = take(lab, sizeof(struct blk_header));
	r->data = take(lab, BLOCK);
	r->status = take(lab, 1);
}

static void read_block(struct reader *r, uint64_t block)
{
	struct blk_header h = { .sector = cpu_le64(block * (BLOCK / 512)) };
	const struct drv_buf bufs[] = {
		{ r->header, sizeof(h) },
		{ r->data, BLOCK },
		{ r->status, 1 },
	};

	memcpy(r->lab->ram + r->header, &h, sizeof(h));
	if (drv_add(&r->p.vq, bufs, 1, 2, NULL) < 0)
		g_error("no room in the ring");
	publish(&r->p);
	await(&r->p);
	if (r->lab->ram[r->status] != 0)
		g_error("a read failed");
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Microseconds of @n reads, sorted. */
static double *measure(struct reader *r, unsigned n)
{
	double *us = g_new(double, n);

	for (unsigned i = 0; i < WARM_UP; i++)
		read_block(r, i % (DISK / BLOCK));
	for (unsigned i = 0; i < n; i++) {
		struct timespec begin, end;

		clock_gettime(CLOCK_MONOTONIC, &begin);
		read_block(r, (i * 7u) % (DISK / BLOCK));
		clock_gettime(CLOCK_MONOTONIC, &end);
		us[i] = (double)(end.tv_sec - begin.tv_sec) * 1e6 +
			(double)(end.tv_nsec - begin.tv_nsec) / 1e3;
	}
	qsort(us, n, sizeof(us[0]), compare);
	return us;
}

/*
 * The attacker.
 */
struct attacker {
	struct party p;
	_Atomic bool over;
	uint64_t buffer;
	uint32_t bytes; /* of a request; 0: kicks only */
	uint64_t count;
};

static void *kick_storm(void *arg)
{
	struct attacker *a = arg;

	for (; !a->over; a->count++)
		vdev_notify(a->p.dev, 0);
	return NULL;
}

static void *flood(void *arg)
{
	struct attacker *a = arg;
	const struct drv_buf buf = { a->buffer, a->bytes };
	uint32_t len;
	void *cookie;

	while (!a->over) {
		while (drv_add(&a->p.vq, &buf, 0, 1, NULL) >= 0)
			a->count++;
		publish(&a->p);
		await(&a->p);
		while (drv_used(&a->p.vq, &cookie, &len))
			;
	}
	return NULL;
}

#define HUGE_PIECES 6u

/* The same piece of memory again and again: gigabytes a second, if the device lets others wait. */
static void *huge(void *arg)
{
	struct attacker *a = arg;
	struct drv_buf bufs[HUGE_PIECES + 2] = { { a->buffer + a->bytes,
						   sizeof(struct blk_header) } };
	uint32_t len;
	void *cookie;

	for (unsigned i = 1; i <= HUGE_PIECES; i++)
		bufs[i] = (struct drv_buf){ a->buffer, a->bytes };
	bufs[HUGE_PIECES + 1] = (struct drv_buf){ a->buffer + a->bytes + 64, 1 };
	while (!a->over) {
		while (drv_add(&a->p.vq, bufs, 1, HUGE_PIECES + 1, NULL) >= 0)
			a->count++;
		publish(&a->p);
		await(&a->p);
		while (drv_used(&a->p.vq, &cookie, &len))
			;
	}
	return NULL;
}

#define RNG "rng,max-bytes=64K"

static const struct attack {
	const char *name;
	void *(*run)(void *arg);
	uint32_t bytes;
	uint16_t entries;
	const char *device;
} attacks[] = {
	{ "storm", kick_storm, 0, QUEUE, RNG },  { "flood", flood, 4096, QUEUE, RNG },
	{ "flood64", flood, 65536, QUEUE, RNG }, { "long", flood, 64, DRV_QUEUE_MAX, RNG },
	{ "huge", huge, 4u << 20, QUEUE, NULL },
};

/*
 * One line of the table.
 */
struct row {
	const char *attack;
	const double *us;
	unsigned n;
	double quiet; /* median */
	double rate;  /* of the attack, per second */
};

static void print_row(const struct row *row, bool same_loop)
{
	double median = row->us[row->n / 2];

	printf("%-8s %-10s %8.1f %8.1f %9.1f", row->attack,
	       row->rate > 0 ? (same_loop ? "the same" : "its own") : "-", median,
	       row->us[row->n * 99 / 100], row->us[row->n - 1]);
	if (row->rate > 0)
		printf(" %8.2f %12.0f", median / row->quiet, row->rate);
	putchar('\n');
}

static void attack_and_print(struct reader *r, const struct attack *attack, bool same_loop,
			     struct row row)
{
	g_autofree char *large = g_strdup_printf("blk,path=%s.large", r->lab->disk);
	g_autofree char *spec = g_strdup_printf("%s,queue-size=%u,iothread=%d,id=other",
						attack->device ? attack->device : large,
						attack->entries, !same_loop);
	struct attacker a = { .bytes = attack->bytes };
	g_autofree double *us = NULL;
	gint64 begin;
	pthread_t thread;

	party_open(&a.p, r->lab, spec, attack->entries);
	a.buffer = r->lab->room;
	begin = g_get_monotonic_time();
	if (pthread_create(&thread, NULL, attack->run, &a) != 0)
		g_error("thread");
	us = measure(r, row.n);
	row.us = us;
	row.rate = (double)a.count * 1e6 / (double)(g_get_monotonic_time() - begin);
	a.over = true;
	pthread_join(thread, NULL);
	party_close(&a.p);
	row.attack = attack->name;
	print_row(&row, same_loop);
}

/* In turn with what it is compared with. */
static void print_polling(struct reader *r, struct row row)
{
	for (unsigned i = 0; i < 3; i++) {
		g_autofree double *quiet = measure(r, row.n), *polling = NULL;

		loop_set_poll(r->lab->loop[0], POLLER_AUTO_NS);
		polling = measure(r, row.n);
		loop_set_poll(r->lab->loop[0], 0);
		row.attack = "quiet";
		row.us = quiet;
		print_row(&row, true);
		row.attack = "polling";
		row.us = polling;
		print_row(&row, true);
	}
}

static void make_disk(struct lab *lab)
{
	int fd = g_file_open_tmp("storm-XXXXXX", &lab->disk, NULL);
	g_autofree uint8_t *bytes = g_malloc0(DISK);
	g_autofree char *large = NULL;

	if (fd < 0 || write(fd, bytes, DISK) != DISK)
		g_error("a disk of %u MiB in the temporary directory", DISK >> 20);
	close(fd);
	large = g_strconcat(lab->disk, ".large", NULL);
	fd = open(large, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, HUGE_PIECES * 4l << 20) < 0)
		g_error("%s: %s", large, g_strerror(errno));
	close(fd);
}

int main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 5000;
	struct row row = { .attack = "quiet", .n = n };
	struct lab lab = { .main = loop_main() };
	g_autofree double *quiet = NULL;
	g_autofree char *large = NULL;
	struct reader r;

	lab.ram = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (n < 100 || lab.ram == MAP_FAILED)
		return EXIT_FAILURE;
	gmem_add(&lab.mem, 0, MEMORY, lab.ram);
	lab.loop[0] = loop_new("disk");
	lab.loop[1] = loop_new("other");
	loop_start(lab.loop[0], NULL, NULL);
	loop_start(lab.loop[1], NULL, NULL);
	make_disk(&lab);
	lab.room = take(&lab, (4u << 20) + 4096);
	reader_open(&r, &lab);
	row.us = quiet = measure(&r, n);
	row.quiet = quiet[n / 2];
	printf("4 KiB reads, one at a time: microseconds\n%-8s %-10s %8s %8s %9s %8s %12s\n",
	       "attack", "on loop", "median", "99%", "worst", "x quiet", "attack/s");
	print_row(&row, false);
	print_polling(&r, row);
	for (size_t i = 0; i < G_N_ELEMENTS(attacks); i++)
		for (unsigned same = 2; same-- > 0;)
			attack_and_print(&r, &attacks[i], same, row);
	party_close(&r.p);
	(void)unlink(lab.disk);
	large = g_strconcat(lab.disk, ".large", NULL);
	(void)unlink(large);
	return EXIT_SUCCESS;
}
