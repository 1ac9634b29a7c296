#include "tools/fuzz/language/seeds.h"

#include <stdarg.h>
#include <string.h>

#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/refdrv.h"

#define SEED_MAX 8192u

struct seed {
	uint8_t data[SEED_MAX];
	size_t len;
};

/*
 * Records.
 */

static void seeds_put(struct seed *s, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes && s->len < SEED_MAX; i++)
		s->data[s->len++] = (uint8_t)(value >> (8 * i));
}

/* As @signature says (grammar.h): ints for small arguments, uint64_t for v, l and f; an 's' is a
 * pointer and an int of length. */
static void seeds_record(struct seed *s, unsigned op, const char *signature, ...)
{
	size_t begin = s->len;
	va_list ap;

	seeds_put(s, op, 1);
	seeds_put(s, 0, 1);
	va_start(ap, signature);
	/* NOLINTBEGIN(clang-analyzer-valist.Uninitialized): it is, above */
	for (const char *c = signature; *c; c++) {
		if (*c == 's') {
			const char *bytes = va_arg(ap, const char *);

			for (int n = va_arg(ap, int); n > 0; n--)
				seeds_put(s, (uint8_t)*bytes++, 1);
		} else if (strchr("vlf", *c)) {
			seeds_put(s, va_arg(ap, uint64_t), 8);
		} else {
			seeds_put(s, (unsigned)va_arg(ap, int),
				  *c == 'd'          ? 4
				  : strchr("wr", *c) ? 2
						     : 1);
		}
	}
	/* NOLINTEND(clang-analyzer-valist.Uninitialized) */
	va_end(ap);
	if (s->len < SEED_MAX)
		s->data[begin + 1] = (uint8_t)(s->len - begin - 2);
	else
		s->len = begin; /* no room for all of it */
}

/*
 * Devices.
 */

#define ALL   ((uint64_t)0) /* features left out: none */
#define PLAIN (~(uint64_t)0)

/* A request: what is read in one buffer (two, with a header of its own), what is written. */
static void seeds_request(struct seed *s, unsigned q, const struct grammar_bytes *say,
			  unsigned n_wr, unsigned wr_len, unsigned extra, unsigned flags)
{
	seeds_record(s, DEV_CHAIN, "qhgwws", (int)q,
		     (int)((say->len || extra ? 1 + !!extra : 0) | n_wr << 4),
		     (int)(flags | SHAPE_PUBLISH | SHAPE_RUN), (int)wr_len, (int)extra, say->bytes,
		     (int)say->len);
}

static void seeds_finish(struct seed *s)
{
	for (unsigned q = 0; q < 4; q++)
		seeds_record(s, DEV_COLLECT, "qn", (int)q, 1);
	seeds_record(s, DEV_INTERRUPTS, "");
	seeds_record(s, DEV_RESET, "");
}

/* All that the grammar knows for this device, to each of its queues, in every way there is. */
static void all_requests(struct seed *s, const struct grammar *g, unsigned queues)
{
	static const struct grammar_bytes nothing = { "", 0 };

	for (unsigned q = 0; q < queues; q++) {
		seeds_request(s, q, &nothing, 1, 64, 0, 0);
		seeds_request(s, q, &nothing, 2, 600, 0, 0);
		for (unsigned i = 0; i < g->n_examples && i < 16; i++)
			seeds_request(s, q, &g->examples[i], 2, 512, i % 3 == 2 ? 512 : 0,
				      SHAPE_STATUS);
	}
}

static void host_side(struct seed *s)
{
	seeds_record(s, DEV_FRAME, "nbwbwbbs", 0, 2, 50, 0, 0, 0, 0,
		     "\xff\xff\xff\xff\xff\xff\x52\x54\0\0\0\2\x08\0", 14);
	seeds_record(s, DEV_FRAME, "nbwbwbbs", 0, 1, 100, 1, 20, 34, 16,
		     "\x52\x54\0\0\0\1\x52\x54\0\0\0\2\x08\0\x45\0\0\x28\0\0\0\0\x40\6", 24);
	seeds_record(s, DEV_SOCKET, "bbb", 4, 0, 0);
	seeds_record(s, DEV_SOCKET, "bbb", 9, 2, 1);
	seeds_record(s, DEV_BYTES, "ns", 0, "typed\n", 6);
	seeds_record(s, DEV_BYTES, "ns", 1, "more\n", 5);
	seeds_record(s, DEV_PEER, "nbww", 0, 1, 0, 0);
	seeds_record(s, DEV_PEER, "nbww", 0, 3, 0, 0);
	seeds_record(s, DEV_PEER, "nbww", 0, 8, 100, 40);
	seeds_record(s, DEV_EVENTS, "s", "\1\x1e\0\1\0", 5);
	seeds_record(s, DEV_EVENTS, "s", "\3\0\0\x10\0\3\1\0\x10\0", 10);
	seeds_record(s, DEV_HOST_PEER, "bw", 1, 0);
	seeds_record(s, DEV_TURN, "n", 4);
	seeds_record(s, DEV_HOST_BYTES, "ns", 0,
		     "\0\0\0\x0e\xff\xff\xff\xff\xff\xff\x52\x54\0\0\0\2\x08\0", 18);
	seeds_record(s, DEV_TURN, "n", 4);
	for (unsigned select = 0; select < 0x14; select += select == 3 ? 13 : 1) {
		seeds_record(s, DEV_WRITE, "rbv", 0, 4, (uint64_t)select);
		seeds_record(s, DEV_WRITE, "rbv", 1, 4, (uint64_t)(select & 3));
		seeds_record(s, DEV_READ, "rb", 8, 6);
	}
}

static void device_seed(struct seed *s, const struct grammar *g, unsigned link, unsigned variant,
			uint64_t without)
{
	*s = (struct seed){ .len = 0 };
	seeds_put(s, link, 1);
	seeds_put(s, variant, 1);
	seeds_record(s, DEV_READ, "rb", 0, 2);
	seeds_record(s, DEV_START, "fnn", without, 8, 4);
	all_requests(s, g, link % 3 ? 1 : 8);
	host_side(s);
	seeds_finish(s);
}

/* Requests that wait for the disk, a pause in between, queues that come and go. */
static void long_life(struct seed *s, const struct grammar *g, unsigned link, unsigned variant)
{
	*s = (struct seed){ .len = 0 };
	seeds_put(s, link, 1);
	seeds_put(s, variant, 1);
	seeds_record(s, DEV_START, "fnn", ALL, 8, 3);
	seeds_record(s, DEV_DISK_POLICY, "n", 2);
	for (unsigned i = 0; i < g->n_examples && i < 6; i++)
		seeds_request(s, i % 2, &g->examples[i], 2, 512, i == 2 ? 512 : 0, SHAPE_STATUS);
	seeds_record(s, DEV_DISK_END, "nn", 1, 0);
	seeds_record(s, DEV_DISK_END, "nn", 0, 1);
	seeds_record(s, DEV_PAUSE, "");
	seeds_record(s, DEV_EVENTS, "s", "\1\x1e\0\1\0", 5);
	seeds_record(s, DEV_RESUME, "");
	seeds_record(s, DEV_QUEUE_RESET, "q", 0);
	seeds_record(s, DEV_QUEUE_START, "qn", 0, 3);
	for (unsigned i = 0; i < 12; i++) {
		seeds_request(s, i % 3, &g->examples[g->n_examples ? i % g->n_examples : 0], 1, 40,
			      0, 0);
		seeds_record(s, DEV_COLLECT, "qn", (int)(i % 3), (int)(i % 3));
	}
	seeds_record(s, DEV_TIME, "w", 20000);
	seeds_finish(s);
}

static bool device_seeds(const char *dir, const struct grammar *target, seed_save_fn save)
{
	static const struct grammar_bytes bytes = { "0123456789abcdef", 16 };
	static const uint8_t links[] = { 0, 1, 2, 3, 4, 8, 14, 15 }; /* each kind once: link.c */
	static const uint8_t variants[] = { 0, 1, 2, 3, 4, 14, 15 }; /* likewise: variants.c */
	struct grammar g = *target;
	struct seed s;
	bool ok = true;

	if (!g.n_examples) {
		g.n_examples = 1;
		g.examples = &bytes;
	}
	for (unsigned i = 0; i < sizeof(links); i++)
		for (unsigned j = 0; j < sizeof(variants); j++) {
			device_seed(&s, &g, links[i], variants[j], (i + j) % 2 ? PLAIN : ALL);
			ok &= save(dir, s.data, s.len);
			long_life(&s, &g, links[i], variants[j]);
			ok &= save(dir, s.data, s.len);
		}
	return ok;
}

/*
 * The control socket: each command with each example, put to a device that has a driver, or none,
 * or one that has made a mistake.
 */
static void control_seed(struct seed *s, const struct grammar_bytes *args, unsigned command,
			 unsigned device)
{
	*s = (struct seed){ .len = 0 };
	seeds_record(s, CONTROL_CONNECT, "n", 0);
	if (device < 3) {
		seeds_record(s, CONTROL_START, "nfnn", (int)device, ALL, 2, 3);
		seeds_record(s, CONTROL_CHAIN, "qhgwws", 0, 0x11, 0, 8, 0, "0123456789abcdef", 16);
		if (command % 2)
			seeds_record(s, CONTROL_CORRUPT, "qnnv", 0, (int)(command / 2), 0,
				     (uint64_t)0xffffffff);
		seeds_record(s, CONTROL_PUBLISH, "qg", 0, SHAPE_RUN);
	}
	seeds_record(s, CONTROL_LINE, "nbs", 0, (int)command, args->bytes, (int)args->len);
	seeds_record(s, CONTROL_TURN, "n", 8);
}

static bool control_seeds(const char *dir, const struct grammar *g, seed_save_fn save)
{
	struct seed s;
	bool ok = true;

	for (unsigned command = 0; command < CONTROL_COMMANDS; command++)
		for (unsigned i = 0; i < g->n_examples; i++) {
			control_seed(&s, &g->examples[i], command, (command + i) % 4);
			ok &= save(dir, s.data, s.len);
		}
	return ok;
}

/*
 * Options: each text for each device, and after each option's name.
 */
static bool options_seeds(const char *dir, const struct grammar *g, seed_save_fn save)
{
	bool ok = true;

	for (unsigned n = 0; n < 32; n++)
		for (unsigned i = 0; i < g->n_examples; i++) {
			const struct grammar_bytes *e = &g->examples[i];
			struct seed s = { .len = 0 };

			seeds_record(&s, OPT_WORD, "s", "run", 3);
			seeds_record(&s, OPT_PAIR, "ns", 0, "kernel", 6); /* --kernel, a must */
			seeds_record(&s, n < 8 ? OPT_DEVICE : OPT_PAIR, "ns", (int)n, e->bytes,
				     (int)e->len);
			ok &= save(dir, s.data, s.len);
		}
	return ok;
}

/*
 * ACPI tables: the least and the most of everything, each with each.
 */
static bool acpi_seeds(const char *dir, const struct grammar *g, seed_save_fn save)
{
	static const uint16_t cpus[] = { 1, 255, 300 };
	static const uint32_t slots[] = { 0, UINT32_MAX };
	bool ok = true;

	(void)g;
	for (unsigned i = 0; i < 3 * 3 * 2; i++) {
		struct seed s = { .len = 0 };

		seeds_record(&s, ACPI_CPUS, "wn", cpus[i % 3] - 1, (int)(i % 2));
		if (i / 3 % 3)
			seeds_record(&s, ACPI_PCI, "nd", 1, slots[i / 3 % 3 - 1]);
		if (i / 9) {
			seeds_record(&s, ACPI_MMIO, "b", 255);
			seeds_record(&s, ACPI_MMIO, "b", 255);
		}
		seeds_record(&s, ACPI_MEMORY, "v", i % 2 ? UINT64_MAX : (uint64_t)1 << 32);
		ok &= save(dir, s.data, s.len);
	}
	return ok;
}

/*
 * State: of each class, over each kind of link, each part of a record in each of its bytes.
 */
static bool state_seeds(const char *dir, const struct grammar *g, seed_save_fn save)
{
	static const uint8_t links[] = { 0, 1, 2, 3 };
	bool ok = true;

	for (unsigned i = 0; i < 20 * sizeof(links); i++) {
		struct seed s = { .len = 0 };

		seeds_put(&s, links[i / 10 % sizeof(links)], 1);
		seeds_put(&s, i / 40, 1);
		seeds_put(&s, i % 5, 1);
		seeds_put(&s, i / 5 % 2, 1);
		seeds_record(&s, STATE_START, "fnn", ALL, 4, 8);
		for (unsigned q = 0; q < 3; q++)
			seeds_record(&s, STATE_CHAIN, "qhgwws", (int)q, 0x11,
				     SHAPE_PUBLISH | SHAPE_RUN, 600, 0,
				     g->examples[i % g->n_examples].bytes,
				     (int)g->examples[i % g->n_examples].len);
		seeds_record(&s, STATE_SAVE_LOAD, "");
		seeds_record(&s, STATE_TURN, "n", 4);
		for (unsigned part = 0; part < 16; part++) {
			seeds_record(&s, STATE_SAVE, "");
			seeds_record(&s, STATE_VALUE, "nwnv", (int)part, (int)(i + 3 * part),
				     (int)(i % 4), (uint64_t)(i % 3 ? UINT64_MAX : part));
			seeds_record(&s, STATE_LOAD, "n", (int)(part % 2));
			seeds_record(&s, STATE_PUBLISH, "qg", (int)(part % 3),
				     SHAPE_KICK | SHAPE_RUN);
		}
		seeds_record(&s, STATE_SAVE, "");
		seeds_record(&s, STATE_LENGTH, "nwns", (int)i, 0, 1, "", 0);
		seeds_record(&s, STATE_LOAD, "n", 0);
		ok &= save(dir, s.data, s.len);
	}
	return ok;
}

/*
 * All others: each word of the language once, with its examples, and then all of them.
 */
static void seeds_word(struct seed *s, const struct grammar *g, unsigned op, unsigned i)
{
	size_t begin = s->len;

	seeds_put(s, op, 1);
	seeds_put(s, 0, 1);
	for (const char *c = g->ops[op].args; *c; c++) {
		if (*c == 's' && g->n_examples)
			for (unsigned b = 0; b < g->examples[i % g->n_examples].len; b++)
				seeds_put(s, (uint8_t)g->examples[i % g->n_examples].bytes[b], 1);
		else if (*c == 'r' && g->n_registers)
			seeds_put(s, g->registers[i % g->n_registers], 2);
		else
			seeds_put(s, i % 3,
				  *c == 'd'           ? 4
				  : strchr("wr", *c)  ? 2
				  : strchr("vlf", *c) ? 8
						      : 1);
	}
	if (s->len < SEED_MAX)
		s->data[begin + 1] = (uint8_t)(s->len - begin - 2);
	else
		s->len = begin;
}

static bool word_seeds(const char *dir, const struct grammar *g, seed_save_fn save)
{
	unsigned rounds = g->n_examples > 8 ? g->n_examples : 8;
	struct seed s, all = { .len = g->heading };
	bool ok = true;

	for (unsigned i = 0; i < rounds; i++) {
		s = (struct seed){ .len = g->heading };
		for (unsigned op = 0; op < g->n_ops; op++) {
			seeds_word(&s, g, op, i);
			if (all.len < SEED_MAX / 4)
				seeds_word(&all, g, op, i);
		}
		ok &= save(dir, s.data, s.len);
	}
	return ok && save(dir, all.data, all.len);
}

/* Kernels: each format, plain and compressed, with modules, and by each protocol. */
static bool boot_seeds(const char *dir, const struct grammar *g, seed_save_fn save)
{
	bool ok = true;

	for (unsigned format = 0; format < BOOT_FORMATS; format++)
		for (unsigned more = 0; more <= BOOT_PACKERS; more++) {
			struct seed s = { .len = g->heading };

			seeds_record(&s, BOOT_FORMAT, "nb", (int)format, 8);
			seeds_record(&s, BOOT_INITRDS, "nds", 2, 100, "words", 5);
			seeds_record(&s, BOOT_PROTOCOL, "n", (int)more);
			ok &= save(dir, s.data, s.len);
			s.len = g->heading;
			seeds_record(&s, BOOT_FORMAT, "nb", (int)format, 8);
			if (more < BOOT_PACKERS)
				seeds_record(&s, BOOT_PACK, "n", (int)more);
			ok &= save(dir, s.data, s.len);
			seeds_record(&s, BOOT_PATCH, "ws", 40, "\xff\xff", 2);
			ok &= save(dir, s.data, s.len);
		}
	return ok;
}

bool seeds_write(const char *target, const char *dir, seed_save_fn save)
{
	static const struct {
		const char *target;
		bool (*write)(const char *dir, const struct grammar *g, seed_save_fn save);
	} more[] = {
		{ "control", control_seeds }, { "options", options_seeds }, { "acpi", acpi_seeds },
		{ "state", state_seeds },     { "boot", boot_seeds },
	};
	const struct grammar *g = grammar_of(target);

	if (g->n_ops == N_DEV_OPS && g->heading == 2)
		return device_seeds(dir, g, save);
	for (size_t i = 0; i < sizeof(more) / sizeof(*more); i++)
		if (strcmp(g->name, more[i].target) == 0 && !more[i].write(dir, g, save))
			return false;
	return word_seeds(dir, g, save);
}
