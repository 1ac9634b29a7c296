/*
 * Records of a device's state (devices/core/state.h), which may come from anywhere. The heading
 * chooses link, variant, class and layout of rings; a driver uses the device; its state is saved,
 * the record is changed, and it is loaded into the device again, which then goes on.
 *
 * A record is changed as one who knows its form would: parts are taken by their number, and a part
 * whose length changes says so. So most records get as far as the class's and the transport's part.
 */
#include <string.h>

#include "devices/core/state.h"
#include "devices/registry.h"
#include "tools/fuzz/fuzz.h"
#include "tools/fuzz/host/race.h"
#include "tools/fuzz/language/arena.h"
#include "tools/fuzz/language/grammar.h"
#include "tools/fuzz/language/trace.h"
#include "tools/fuzz/language/variants.h"
#include "tools/fuzz/targets/device.h"

#define HEADER     16u /* of a part: type, flags, reserved, selector[8], length */
#define LENGTH_AT  12u
#define RECORD_MAX 65536u

struct state_run {
	struct fixture *fx;
	GByteArray *record;
	bool host_fails; /* at times: what a device takes depends on it, then */
};

/*
 * Parts.
 */
static uint32_t part_length(const GByteArray *r, guint at)
{
	uint32_t len;

	memcpy(&len, r->data + at + LENGTH_AT, sizeof(len));
	return GUINT32_FROM_LE(len);
}

static void set_part_length(GByteArray *r, guint at, uint32_t len)
{
	len = GUINT32_TO_LE(len);
	memcpy(r->data + at + LENGTH_AT, &len, sizeof(len));
}

/* Where the next part begins; the record's end after the last, or where one is not whole. */
static guint part_end(const GByteArray *r, guint at)
{
	if (r->len - at < HEADER || part_length(r, at) > r->len - at - HEADER)
		return r->len;
	return at + HEADER + part_length(r, at);
}

/* The @n-th part, modulo how many there are; its end in *@ret_end. False if there is none. */
static bool find_part(const GByteArray *r, unsigned n, guint *ret_at, guint *ret_end)
{
	unsigned parts = 0;

	for (guint at = 0; at < r->len; at = part_end(r, at))
		parts++;
	if (!parts)
		return false;
	*ret_at = 0;
	for (n %= parts; n; n--)
		*ret_at = part_end(r, *ret_at);
	*ret_end = part_end(r, *ret_at);
	return true;
}

static void insert_bytes(GByteArray *r, guint at, const uint8_t *bytes, guint len)
{
	guint rest = r->len - at;

	if (!len || r->len + len > RECORD_MAX)
		return;
	g_byte_array_set_size(r, r->len + len);
	memmove(r->data + at + len, r->data + at, rest);
	memcpy(r->data + at, bytes, len);
}

/* Bytes over those of a value. */
static void change_value(struct state_run *s, struct input *in)
{
	unsigned n = in8(in), off = in16(in);
	uint8_t value[8];
	unsigned len = 1u << in8(in) % 4;
	guint at, end;
	uint64_t v = GUINT64_TO_LE(in64(in));

	if (!find_part(s->record, n, &at, &end) || end - at <= HEADER)
		return;
	at += HEADER + off % (end - at - HEADER);
	memcpy(value, &v, sizeof(v));
	memcpy(s->record->data + at, value, MIN(len, end - at));
	trace("record: byte %u and on is %#lx", at, in->at ? (unsigned long)v : 0);
}

/* A value becomes longer by @in's bytes, or shorter by @cut. */
static void change_length(struct state_run *s, struct input *in)
{
	unsigned n = in8(in), off = in16(in), cut = in8(in);
	guint at, end, value;

	if (!find_part(s->record, n, &at, &end) || end - at < HEADER)
		return;
	value = end - at - HEADER;
	off = value ? off % (value + 1) : 0;
	cut = MIN(cut, value - off);
	if (cut)
		g_byte_array_remove_range(s->record, at + HEADER + off, cut);
	set_part_length(s->record, at, value - cut + (uint32_t)in_left(in));
	insert_bytes(s->record, at + HEADER + off, in->at, (guint)in_left(in));
	trace("record: part %u is %u bytes", n, part_length(s->record, at));
}

static void change_header(struct state_run *s, struct input *in)
{
	unsigned n = in8(in), off = in8(in), value = in8(in);
	guint at, end;

	if (!find_part(s->record, n, &at, &end) || end - at < HEADER)
		return;
	s->record->data[at + off % HEADER] = (uint8_t)value;
	trace("record: byte %u of header %u is %#x", off % HEADER, n, value);
}

enum { PART_DROPPED, PART_TWICE, PART_LAST, PART_ALONE, N_PART_CHANGES };

static void change_order(struct state_run *s, struct input *in)
{
	unsigned n = in8(in), how = in8(in) % N_PART_CHANGES;
	g_autofree uint8_t *part = NULL;
	guint at, end;

	if (!find_part(s->record, n, &at, &end))
		return;
	part = g_memdup2(s->record->data + at, end - at);
	if (how == PART_TWICE) {
		insert_bytes(s->record, at, part, end - at);
	} else if (how == PART_ALONE) {
		g_byte_array_set_size(s->record, 0);
		g_byte_array_append(s->record, part, end - at);
	} else {
		g_byte_array_remove_range(s->record, at, end - at);
		if (how == PART_LAST)
			g_byte_array_append(s->record, part, end - at);
	}
	trace("record: part %u: change %u, %u bytes", n, how, s->record->len);
}

/* All of it, or what comes at the end. */
static void write_record(struct state_run *s, struct input *in)
{
	unsigned keep = in16(in);

	g_byte_array_set_size(s->record, MIN(keep, s->record->len));
	if (s->record->len + in_left(in) <= RECORD_MAX)
		g_byte_array_append(s->record, in->at, (guint)in_left(in));
	trace("record: %u bytes", s->record->len);
}

/*
 * Saving and loading.
 */
static void save_to(struct state_run *s, GByteArray *out)
{
	g_autoptr(GError) err = NULL;

	device_driver_op(s->fx, DEV_PAUSE, NULL);
	g_byte_array_set_size(out, 0);
	if (!vdev_state_save(s->fx->dev, out, &err))
		fuzz_bug("a paused device is not saved: %s", err->message);
	trace("host: a record of %u bytes", out->len);
}

static void save(struct state_run *s, struct input *in)
{
	(void)in;
	save_to(s, s->record);
}

/* Of a device that runs, into itself: the driver notices nothing. */
static void save_and_load(struct state_run *s, struct input *in)
{
	g_autoptr(GByteArray) record = g_byte_array_new();
	g_autoptr(GError) err = NULL;

	(void)in;
	save_to(s, record);
	if (!vdev_state_load(s->fx->dev, record->data, record->len, &err) && !s->host_fails)
		fuzz_bug("a device does not take its own state: %s", err->message);
}

/* What a driver had laid out is nobody's promise any more: a ring may be anywhere. */
static void forget_driver(struct fixture *fx)
{
	fx->moved = true;
	fx->unknown_features = true;
	for (unsigned q = 0; q < REFDRV_QUEUES; q++)
		if (fixture_refdrv(q))
			fixture_refdrv(q)->lies = true;
	arena_wild();
}

/* Refused: nothing has happened, or the device is as after a reset. */
static void check_refused(struct state_run *s, const GByteArray *before)
{
	g_autoptr(GByteArray) after = g_byte_array_new();

	if (vdev_status(s->fx->dev) == 0)
		return;
	save_to(s, after);
	if (after->len != before->len || memcmp(after->data, before->data, after->len) != 0)
		fuzz_bug("a record was refused, and the device is another");
}

/* Taken: what the device makes of it is a state that it can be in. */
static void check_taken(struct state_run *s)
{
	g_autoptr(GByteArray) record = g_byte_array_new();
	g_autoptr(GError) err = NULL;

	save_to(s, record);
	if (!vdev_state_load(s->fx->dev, record->data, record->len, &err) && !s->host_fails)
		fuzz_bug("a state was taken, and is refused when it is saved: %s", err->message);
}

static void load(struct state_run *s, struct input *in)
{
	g_autoptr(GByteArray) before = g_byte_array_new();
	g_autoptr(GError) err = NULL;
	bool taken;

	if (in8(in) & 1)
		fixture_reset(s->fx);
	save_to(s, before);
	forget_driver(s->fx);
	taken = vdev_state_load(s->fx->dev, s->record->data, s->record->len, &err);
	trace("host: loads %u bytes: %s", s->record->len,
	      taken ? "taken"
	      : err ? err->message
		    : "");
	if (taken == (err != NULL))
		fuzz_bug("an answer and its opposite");
	if (taken)
		check_taken(s);
	else
		check_refused(s, before);
}

/*
 * The driver, and the host.
 */
static void drive(struct state_run *s, unsigned op, struct input *in)
{
	device_driver_op(s->fx, DEV_RESUME, in);
	if (op == DEV_WRITE)
		fixture_reset_selectors(s->fx);
	device_driver_op(s->fx, op, in);
}

static void host(struct state_run *s, struct input *in)
{
	static const uint8_t ops[] = { DEV_TIME,     DEV_REFUSE, DEV_FAIL,   DEV_DISK_POLICY,
				       DEV_DISK_END, DEV_FRAME,  DEV_SOCKET, DEV_BYTES,
				       DEV_PEER,     DEV_EVENTS };
	unsigned op = ops[in8(in) % G_N_ELEMENTS(ops)];

	s->host_fails |= op == DEV_FAIL;
	device_host_op(s->fx, op, in);
}

void fuzz_state_run(const struct fuzz_target *t, const uint8_t *data, size_t size)
{
	static void (*const run[N_STATE_OPS])(struct state_run * s, struct input * in) = {
		[STATE_SAVE] = save,
		[STATE_LOAD] = load,
		[STATE_SAVE_LOAD] = save_and_load,
		[STATE_VALUE] = change_value,
		[STATE_LENGTH] = change_length,
		[STATE_HEADER] = change_header,
		[STATE_ORDER] = change_order,
		[STATE_BYTES] = write_record,
		[STATE_HOST] = host,
	};
	static const uint8_t driver[N_STATE_OPS] = {
		[STATE_START] = DEV_START,           [STATE_CHAIN] = DEV_CHAIN,
		[STATE_PUBLISH] = DEV_PUBLISH,       [STATE_TURN] = DEV_TURN,
		[STATE_COLLECT] = DEV_COLLECT,       [STATE_WRITE] = DEV_WRITE,
		[STATE_INTERRUPTS] = DEV_INTERRUPTS,
	};
	struct input in = { data, data + size }, args = in;
	struct state_run s = { .record = g_byte_array_new() };
	struct fixture_plan plan = { .link = in8(&in) };
	unsigned variant = in8(&in), class = in8(&in), classes = 0;
	uint8_t op;

	(void)t;
	while (variant_class(classes))
		classes++;
	plan.spec = variant_nth(variant_class(class % MAX(classes, 1)), variant);
	plan.packed = in8(&in) & 1;
	s.fx = fixture_get(&plan);
	fixture_begin(s.fx);
	while (in_record(&in, &op, &args)) {
		op %= N_STATE_OPS;
		if (run[op])
			run[op](&s, &args);
		else
			drive(&s, driver[op], &args);
		s.fx->clean = false;
	}
	device_driver_op(s.fx, DEV_RESUME, &args);
	fixture_turn(s.fx, TURNS);
	fixture_end(s.fx);
	g_byte_array_unref(s.record);
}
