#include "tools/fuzz/targets/served.h"

#include <string.h>

#include "devices/registry.h"
#include "tools/fuzz/language/trace.h"

#define ROOM 0x8000ul /* of file 0, one ring's, buffers last */
#define BUFS 0x6000ul

/* As another program shares them. */
static _Alignas(4096) uint8_t served_memory[SERVED_FILES][SERVED_FILE];

void served_run(void (*run)(void *opaque), void *opaque)
{
	unsigned before;

	memset(served_memory, 0, sizeof(served_memory));
	host_begin(1);
	host_running(true);
	host_memory(served_memory[0], sizeof(served_memory));
	(void)g_main_context_default(); /* GLib's own: a descriptor from its first use on */
	before = host_fds_open();
	run(opaque);
	if (host_fds_open() != before)
		fuzz_bug("%u descriptors are open, and were not", host_fds_open() - before);
	host_memory(NULL, 0);
	host_running(false);
}

bool served_open_as(struct served *s, const char *spec)
{
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	struct vdev_env env = { .mem = &s->mem, .n_cpus = 1 };

	s->context = g_main_context_new();
	g_main_context_set_poll_func(s->context, host_poll);
	host_set_context(s->context);
	fakes_collect(&s->fakes);
	s->loop = env.main_loop = loop_main();
	trace("device: %s", spec);
	s->dev = vdev_new(vdev_class_find(name), pairs, &env, NULL);
	if (s->dev)
		fakes_begin(&s->fakes);
	return s->dev;
}

void served_open(struct served *s, unsigned heading, const char *more)
{
	static const char *const specs[] = { "blk,path=fake,queues=2",
					     "net,backend=tap,ifname=fake", "console,chr=fake",
					     "input,type=keyboard", "rng" };
	g_autofree char *spec = g_strdup_printf("%s,id=dev%s%s",
						specs[heading / 2 % G_N_ELEMENTS(specs)],
						heading & 1 ? ",ring=packed" : "", more);

	s->packed = heading & 1;
	if (!served_open_as(s, spec))
		fuzz_bug("%s cannot be opened", spec);
}

void served_close(struct served *s)
{
	host_send_fds(NULL, 0);
	vdev_free(s->dev);
	loop_free(s->loop);
	fakes_collect(NULL);
	host_set_context(NULL);
	g_main_context_unref(s->context);
}

void served_turn(struct served *s, unsigned n)
{
	for (unsigned i = 0; i < n && i < SERVED_TURNS; i++)
		if (!g_main_context_iteration(s->context, FALSE))
			break;
}

int served_fd(unsigned kind)
{
	switch (kind % 8) {
	case 0:
	case 1:
		return host_fd_new(HOST_EVENT);
	case 2:
		return host_fd_new(HOST_STREAM);
	case 3:
		return host_file_new(served_memory[1], SERVED_FILE, 64); /* a short one */
	default:
		return host_file_new(served_memory[kind % SERVED_FILES], SERVED_FILE, SERVED_FILE);
	}
}

bool served_lay_out(struct served *s, unsigned q)
{
	struct drv_config cfg = { .size = SERVED_SIZE,
				  .packed = s->packed,
				  .base = served_memory[0] + q * ROOM,
				  .gpa = q * ROOM };

	cfg.len = drv_bytes(&cfg);
	memset(s->request[q], 0, sizeof(s->request[q]));
	s->driven[q] = cfg.len <= BUFS && drv_vq_init(&s->vq[q], &cfg);
	return s->driven[q];
}

void served_kick(struct served *s, unsigned q)
{
	host_event_add(s->dev->queue[q % s->dev->n_queues].kick_fd, 1);
	served_turn(s, 2);
}

static struct served_request *served_idle(struct served *s, unsigned q)
{
	for (unsigned i = 0; i < SERVED_SIZE; i++)
		if (!s->request[q][i].in_flight)
			return &s->request[q][i];
	return NULL;
}

void served_chain(struct served *s, struct input *in)
{
	unsigned q = in8(in) % SERVED_RINGS, shape = in8(in), len = in16(in) % 0x400 + 1;
	unsigned n_rd = shape % 4, n_wr = shape / 16 % 4, n = n_rd + n_wr;
	struct served_request *r = served_idle(s, q);
	uint64_t at = q * ROOM + BUFS;
	struct drv_buf bufs[8];
	size_t size = MIN(in_left(in), 64);

	if (!s->driven[q] || !n || !r || q >= s->dev->n_queues)
		return;
	memcpy(served_memory[0] + at, in->at, size);
	for (unsigned i = 0; i < n; i++)
		bufs[i] = (struct drv_buf){ at + i * 0x400ul,
					    i == 0 && n_rd ? (uint32_t)MAX(size, 1) : len };
	if (drv_add(&s->vq[q], bufs, n_rd, n_wr, r) >= 0) {
		*r = (struct served_request){ true, n_wr * len };
		(void)drv_publish(&s->vq[q]);
	}
	served_kick(s, q);
}

void served_bytes(struct input *in)
{
	unsigned file = in8(in) % SERVED_FILES, off = in16(in);
	size_t size = MIN(in_left(in), SERVED_FILE - off);

	memcpy(served_memory[file] + off, in->at, size);
}

void served_time(struct served *s, struct input *in)
{
	host_advance(in8(in) * 1000ull);
	served_turn(s, SERVED_TURNS);
}
