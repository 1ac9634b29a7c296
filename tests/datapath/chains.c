/*
 * chains WHAT OPTIONS LINK BATCHES CHAINS [SPOIL]: sends BATCHES batches of CHAINS chains each
 * through a ring and takes them back, in one thread. What it costs beyond that is for others to
 * count (tests/datapath/run): it does the same work for a batch of one as for a batch of a
 * thousand, but for the chains.
 *
 *	WHAT     engine: a ring alone; echo, blk: a whole device, asked for what needs no system
 *	         call; echo-recorded: by --record
 *	OPTIONS  the ring's, as after --device; the engine knows ring= and features= of +in_order,
 *	         -event_idx, -indirect_desc
 *	LINK     the rig's name of it (tests/support/rig.h); - for the engine
 *	SPOIL    malloc, lock or syscall: one for each chain, to see that they are counted
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/blk/wire.h"
#include "devices/record/record.h"
#include "tests/support/echo.h"
#include "tests/support/rig.h"
#include "tests/support/ringpair.h"

#define QUEUE_SIZE 1024
#define DEVICE_POP 32u
#define TAKE_BACK  16u /* bytes */

struct load {
	unsigned long batches, chains;
	const char *spoil;
};

static void spoil(const char *how)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

	if (strcmp(how, "malloc") == 0) {
		void *volatile p = malloc(16);

		free(p);
	} else if (strcmp(how, "lock") == 0) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	} else if (strcmp(how, "syscall") == 0) {
		(void)syscall(SYS_getppid);
	}
}

static void add(struct drv_vq *vq, const struct drv_buf *bufs, unsigned n_rd, unsigned n_wr)
{
	if (drv_add(vq, bufs, n_rd, n_wr, vq) < 0)
		g_error("no room in the ring");
}

/* Returns how many came back. */
static unsigned take_back(struct drv_vq *vq)
{
	unsigned n = 0;
	void *cookie;
	uint32_t len;

	while (drv_used(vq, &cookie, &len))
		n++;
	if (vq->broken)
		g_error("the device made no sense: %s", vq->broken);
	return n;
}

/*
 * The ring alone.
 */

static void serve(struct vq *vq, const struct load *load)
{
	struct vq_chain *chains[DEVICE_POP];
	int n;

	do {
		vq_disable_notify(vq);
		while ((n = vq_pop(vq, chains, DEVICE_POP)) > 0) {
			for (int i = 0; i < n; i++) {
				if (load->spoil)
					spoil(load->spoil);
				vq_push(vq, chains[i]);
			}
			vq_publish(vq);
		}
	} while (!vq_enable_notify(vq));
}

static void run_engine(const char *options, const struct load *load)
{
	struct ringpair_spec spec = {
		.size = QUEUE_SIZE,
		.packed = strstr(options, "ring=packed"),
		.in_order = strstr(options, "+in_order"),
		.event_idx = !strstr(options, "-event_idx"),
		.indirect = !strstr(options, "-indirect_desc"),
	};
	struct drv_buf bufs[] = { { RINGPAIR_DATA, TAKE_BACK }, { RINGPAIR_DATA + 64, TAKE_BACK } };
	struct ringpair p;

	ringpair_open(&p, &spec);
	for (unsigned long b = 0; b < load->batches; b++) {
		unsigned long back = 0;

		for (unsigned long i = 0; i < load->chains; i++)
			add(&p.drv, bufs, 1, spec.indirect);
		drv_publish(&p.drv);
		do {
			serve(p.vq, load);
			back += take_back(&p.drv);
		} while (!drv_enable_notify(&p.drv));
		if (back != load->chains)
			g_error("%lu chains came back", back);
	}
	ringpair_close(&p);
}

/*
 * A whole device.
 */

/* One that asks blk for its serial number, and echo for its first bytes. */
struct request {
	struct drv_buf bufs[3];
	unsigned n_wr;
};

static struct request make_request(struct rig *r, bool blk)
{
	struct blk_header header = { .type = cpu_le32(BLK_T_GET_ID) };
	struct rig_buf hdr = rig_dup(r, &header, sizeof(header));
	struct rig_buf answer = rig_alloc(r, blk ? BLK_ID_BYTES : TAKE_BACK);
	struct rig_buf status = rig_alloc(r, 1);

	return (struct request){
		.bufs = { { hdr.gpa, hdr.len }, { answer.gpa, answer.len }, { status.gpa, 1 } },
		.n_wr = blk ? 2 : 1,
	};
}

static void make_disk(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "disk", NULL);
	static const char bytes[4096];

	if (!g_file_set_contents(path, bytes, sizeof(bytes), NULL))
		g_error("no disk");
}

static struct recorder *record(struct rig *r)
{
	g_autofree char *path = g_build_filename(rig_dir(r), "record", NULL);
	struct recorder *recorder = recorder_open(path, "--record", NULL);

	if (!recorder)
		g_error("no record");
	recorder_add(recorder, rig_dev(r));
	recorder_start(recorder, NULL, NULL);
	return recorder;
}

static void run_device(const char *what, const char *options, const char *link,
		       const struct load *load)
{
	bool blk = g_str_has_prefix(what, "blk");
	g_autofree char *spec = g_strdup_printf(
		"%s,queue-size=%u,%s", blk ? "blk,path=@/disk" : "echo", QUEUE_SIZE, options);
	struct rig_case c = { .spec = spec,
			      .setup = blk ? make_disk : NULL,
			      .class = blk ? NULL : &echo_class };
	struct rig *r = rig_open(rig_link_find(link), &c);
	struct request request = make_request(r, blk);
	struct recorder *recorder = strstr(what, "-recorded") ? record(r) : NULL;

	rig_start(r, RIG_ALL);
	for (unsigned long b = 0; b < load->batches; b++) {
		struct drv_vq *vq = rig_vq(r, 0);

		(void)drv_enable_notify(vq); /* one interrupt, please */
		for (unsigned long i = 0; i < load->chains; i++)
			add(vq, request.bufs, 1, request.n_wr);
		if (drv_publish(vq))
			rig_kick(r, 0);
		for (unsigned long back = 0; back < load->chains; back += take_back(vq))
			g_main_context_iteration(loop_context(rig_loop(r)), FALSE);
	}
	if (recorder)
		recorder_remove(recorder, rig_dev(r));
	recorder_close(recorder);
	rig_close(r);
}

int main(int argc, char **argv)
{
	struct load load;

	if (argc < 6) {
		fprintf(stderr, "usage: chains WHAT OPTIONS LINK BATCHES CHAINS [SPOIL]\n");
		return 2;
	}
	load = (struct load){ strtoul(argv[4], NULL, 0), strtoul(argv[5], NULL, 0), argv[6] };
	if (strcmp(argv[1], "engine") == 0)
		run_engine(argv[2], &load);
	else
		run_device(argv[1], argv[2], argv[3], &load);
	return 0;
}
