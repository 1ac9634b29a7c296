#include "guest-fw/fuzz.h"

#include <string.h>

#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/mutate-int.h"
#include "tools/fuzz/language/trace.h"

#define INPUT_MAX 16384u
#define PIECES    64u /* records and phrases in an input, at most */

static const char *fuzz_guest_name_of(const struct virtio *v)
{
	const struct driver *driver = driver_of(v);

	return driver ? driver->name : "device";
}

/*
 * Inputs made up.
 */
struct maker {
	struct mutator m;
	bool sound; /* from here on the driver keeps the rules, and so may judge the device */
	unsigned n_queues;
	uint8_t *to;
	size_t n;
};

/* What a driver does; the host's part is the host's. */
static bool fuzz_guest_may(const struct maker *k, unsigned op)
{
	switch (op) {
	case DEV_STATUS:
	case DEV_FEATURES:
	case DEV_WRITE:
	case DEV_CORRUPT:
	case DEV_POKE:
	case DEV_RACE:
		return !k->sound;
	case DEV_TIME:
		return true;
	default:
		return op < DEV_PAUSE;
	}
}

static void fuzz_guest_put(struct maker *k, unsigned op)
{
	uint8_t rec[RECORD_MAX];
	unsigned n;

	if (!fuzz_guest_may(k, op))
		return;
	n = mutate_make_record(&k->m, op, rec);
	if (n > INPUT_MAX - k->n)
		return;
	if (k->m.g->ops[op].args[0] == 'q' && dice(&k->m, 16)) /* one there is */
		rec[2] %= k->n_queues;
	memcpy(k->to + k->n, rec, n);
	k->n += n;
}

static void put_phrase(struct maker *k)
{
	const struct grammar_phrase *p = &k->m.g->phrases[dice(&k->m, k->m.g->n_phrases)];

	for (unsigned i = 0; i < p->n; i++)
		fuzz_guest_put(k, p->op[i]);
}

/* A driver that goes wrong at some point, or not at all. */
static struct input make_up(struct maker *k, bool sound)
{
	unsigned n = 3 + dice(&k->m, PIECES), wrong_from = dice(&k->m, n);

	k->n = 2;
	k->to[0] = (uint8_t)dice(&k->m, 256);
	k->to[1] = 0;
	fuzz_guest_put(k, DEV_START);
	for (unsigned i = 0; i < n; i++) {
		k->sound = sound || i < wrong_from;
		if (dice(&k->m, 2))
			put_phrase(k);
		else
			fuzz_guest_put(k, dice(&k->m, 12) ? mutate_pick_op(&k->m) : DEV_START);
	}
	return (struct input){ k->to, k->to + k->n };
}

/*
 * Running.
 */
static void fuzz_guest_run(struct fuzzed *const *f, unsigned n, struct mutator *order)
{
	unsigned left = n;
	bool done[FUZZ_TOGETHER] = { false };

	fuzz_arena_begin(n);
	for (unsigned i = 0; i < n; i++)
		fuzz_driver_begin(f[i], i);
	while (left) {
		unsigned i = n > 1 ? dice(order, n) : 0;

		if (!done[i] && !fuzz_driver_step(f[i])) {
			done[i] = true;
			left--;
		}
	}
	for (unsigned i = 0; i < n; i++)
		fuzz_leave_bus(f[i]);
	for (unsigned i = 0; i < n; i++)
		fuzz_driver_end(f[i]);
	fuzz_end_irqs();
	fuzz_arena_end();
	if (!fuzz_program_whole())
		fuzz_bug("memory that no address of ours named was written to");
}

/* Different ones, as long as there are. */
static unsigned fuzz_guest_choose(struct mutator *m, struct fuzzed *all, unsigned n,
				  struct fuzzed **ret)
{
	unsigned want = dice(m, 2) ? 1 : 1 + dice(m, FUZZ_TOGETHER), got = 0;

	while (want--) {
		struct fuzzed *f = &all[dice(m, n)];
		bool twice = false;

		for (unsigned i = 0; i < got; i++)
			twice = twice || ret[i] == f;
		if (!twice)
			ret[got++] = f;
	}
	return got;
}

static void one_of_seed(struct fuzzed *all, unsigned n, uint64_t seed, uint32_t number)
{
	static uint8_t bytes[FUZZ_TOGETHER][INPUT_MAX];
	struct maker k = { .m.seed = (seed + 1) * 0x9e3779b97f4a7c15ull ^
				     (number + 1ull) * 0xd1342543de82ef95ull };
	struct fuzzed *f[FUZZ_TOGETHER];
	unsigned n_f;
	bool sound;

	for (unsigned i = 0; i < 8; i++) /* similar seeds go different ways */
		(void)dice(&k.m, 2);
	n_f = fuzz_guest_choose(&k.m, all, n, f);
	sound = dice(&k.m, 4) == 0;
	say("@run %u", number);
	for (unsigned i = 0; i < n_f; i++) {
		f[i]->packed = dice(&k.m, 2);
		k.m.g = grammar_of(fuzz_guest_name_of(f[i]->v));
		k.n_queues = f[i]->n_queues;
		k.to = bytes[i];
		f[i]->in = make_up(&k, sound);
		say(" %s-%s-%s", fuzz_guest_name_of(f[i]->v), f[i]->v->dev.ops->name,
		    f[i]->packed ? "packed" : "split");
	}
	say("\n");
	fuzz_guest_run(f, n_f, &k.m);
}

static void from_seed(struct fuzzed *all, unsigned n)
{
	uint64_t seed = fw_option_number("fuzz", 0), end = fw_option_number("runs", 100);

	for (uint64_t i = fw_option_number("from", 0); i < end; i++)
		one_of_seed(all, n, seed, (uint32_t)i);
}

/* "blk-packed", in all that is a blk. */
static void one_of_disk(struct fuzzed *all, unsigned n, const struct fuzz_slot *slot,
			uint32_t number)
{
	uint16_t len = le16_cpu(slot->len);

	for (unsigned i = 0; i < n; i++) {
		struct fuzzed *f = &all[i];
		const char *name = fuzz_guest_name_of(f->v);
		size_t name_len = strlen(name);

		if (strncmp(slot->target, name, name_len) != 0 || slot->target[name_len] != '-')
			continue;
		f->packed = strcmp(slot->target + name_len, "-packed") == 0;
		f->in = (struct input){ slot->data, slot->data + (len < sizeof(slot->data)
									  ? len
									  : sizeof(slot->data)) };
		say("@run %u %s %s\n", number, f->v->dev.ops->name, slot->target);
		fuzz_guest_run(&f, 1, NULL);
	}
}

static void from_disk(struct fuzzed *all, unsigned n)
{
	struct fuzz_slot *slot = fw_take(sizeof(*slot));
	struct fuzzed last = all[n - 1];
	uint32_t n_slots = 0, at = 0;
	struct virtio *disk;

	while (at < n && !fuzz_disk_open(all[at].v, &n_slots))
		at++;
	if (at == n)
		fw_panic("fuzz=disk: no disk has inputs");
	disk = all[at].v;
	disk->not_tested = true;
	all[at] = last; /* it is not one of those that are fuzzed */
	for (uint64_t i = fw_option_number("from", 0);
	     i < n_slots && i < fw_option_number("runs", n_slots); i++) {
		fuzz_disk_read(disk, (uint32_t)i, slot);
		one_of_disk(all, n - 1, slot, (uint32_t)i);
	}
	fuzz_disk_close(disk);
}

/* Devices may be as the fuzzing left them where a reset does not reach: what a disk holds. */
static void fuzz_guest_mend(struct fuzzed *all, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct driver *driver = driver_of(all[i].v);

		if (driver && !all[i].v->not_tested && driver->mend && !driver->mend(all[i].v))
			fw_panic(all[i].v->why);
	}
}

void fuzz(struct virtio *list, unsigned n)
{
	struct fuzzed *all = fw_take(n * sizeof(*all));

	if (n == 0)
		fw_panic("fuzz: there is no device");
	for (unsigned i = 0; i < n; i++) {
		all[i].v = &list[i];
		while (all[i].n_queues < REFDRV_QUEUES &&
		       virtio_queue_max(&list[i].dev, all[i].n_queues))
			all[i].n_queues++;
		all[i].n_queues = all[i].n_queues ? all[i].n_queues : 1;
	}
	trace_now.on = fw_option("trace") != NULL;
	if (fw_option_is("fuzz", "disk"))
		from_disk(all, n);
	else
		from_seed(all, n);
	say("@fuzzed\n");
	fuzz_guest_mend(all, n);
}
