/* Consoles (VIRTIO 1.4, 5.3.6), input devices (5.8) and sources of entropy (5.4.6). */
#include <string.h>

#include "devices/console/console-impl.h"
#include "devices/input/input-impl.h"
#include "vmm/check/check-int.h"

/*
 * Consoles. Of a port that the device names as the console's, PORT_OPEN comes next, with 1.
 */

#define CONTROL_BUFFERS 256u

struct console_seen {
	bool ready;
	const uint8_t *buffer[CONTROL_BUFFERS]; /* by chain: where the device writes */
	uint32_t named[8];  /* ports, a bit each, that were named the console and not opened yet */
	uint32_t waited[8]; /* when we looked last, */
	unsigned looks;     /* so often, and nothing else came */
};

struct console_message { /* 5.3.6.2 */
	le32 id;
	le16 event, value;
};

static uint32_t *console_named(struct console_seen *s, uint32_t id, uint32_t *ret_bit)
{
	*ret_bit = 1u << (id % 32);
	return id / 32 < G_N_ELEMENTS(s->named) ? &s->named[id / 32] : NULL;
}

static void console_judge_open(struct check_dev *d, int head, uint32_t id, unsigned value)
{
	uint32_t bit, *named = console_named(d->own, id, &bit);

	if (!named || !(*named & bit))
		return;
	*named &= ~bit;
	if (value != 1)
		check_broken(d, CHECK_CONSOLE_OPEN, CONSOLE_CONTROL_TX, head, "port %u, %u", id,
			     value);
}

static void console_judge_control(struct check_dev *d, const struct vq_chain *c)
{
	struct console_seen *s = d->own;
	struct console_message m;
	unsigned event;

	if (d->dev->legacy && !check_accepted(d, VIRTIO_F_ANY_LAYOUT) && c->rd.n != 1)
		check_broken(d, CHECK_CONSOLE_LEGACY_CONTROL, CONSOLE_CONTROL_TX, c->id, NULL);
	if (check_peek(c, 0, &m, sizeof(m)) < sizeof(m))
		return;
	event = le16_cpu(m.event);
	s->looks = 0;
	if (d->dev->legacy && event >= N_CONSOLE_EVENTS &&
	    GUINT16_SWAP_LE_BE(event) < N_CONSOLE_EVENTS) {
		check_broken(d, CHECK_CONSOLE_LEGACY_ENDIAN, CONSOLE_CONTROL_TX, c->id, "%#x",
			     event);
		return;
	}
	if (event == CONSOLE_DEVICE_READY)
		s->ready = true;
	else if (!s->ready && !d->joined)
		check_broken(d, CHECK_CONSOLE_READY, CONSOLE_CONTROL_TX, c->id, "event %u", event);
	if (event == CONSOLE_PORT_OPEN)
		console_judge_open(d, c->id, le32_cpu(m.id), le16_cpu(m.value));
}

static void console_popped(struct check_dev *d, unsigned q, const struct vq_chain *c)
{
	struct console_seen *s = d->own;
	bool control = check_accepted(d, CONSOLE_F_MULTIPORT);

	if (q % 2 == 0 && c->rd.left)
		check_broken(d, CHECK_CONSOLE_RX, (int)q, c->id, "%zu bytes", c->rd.left);
	if (q % 2 == 1 && c->wr.left)
		check_broken(d, CHECK_CONSOLE_TX, (int)q, c->id, "%zu bytes", c->wr.left);
	if (control && q == CONSOLE_CONTROL_TX)
		console_judge_control(d, c);
	if (control && q == CONSOLE_CONTROL_RX && c->id < CONTROL_BUFFERS)
		s->buffer[c->id] = c->wr.n && c->wr.iov[0].iov_len >= sizeof(struct console_message)
					   ? c->wr.iov[0].iov_base
					   : NULL;
}

static void console_pushed(struct check_dev *d, unsigned q, const struct vq_chain *c)
{
	struct console_seen *s = d->own;
	struct console_message m;
	uint32_t bit, *named;

	if (q != CONSOLE_CONTROL_RX || c->id >= CONTROL_BUFFERS || !s->buffer[c->id] ||
	    c->written < sizeof(m) || !check_accepted(d, CONSOLE_F_MULTIPORT))
		return;
	memcpy(&m, s->buffer[c->id], sizeof(m));
	named = console_named(s, le32_cpu(m.id), &bit);
	if (named && le16_cpu(m.event) == CONSOLE_CONSOLE_PORT)
		*named |= bit;
}

/* The driver answers whom it was told of, and sends nothing else while it has not. */
static void console_tick(struct check_dev *d, unsigned q)
{
	struct console_seen *s = d->own;

	if (q != CONSOLE_CONTROL_TX || !check_accepted(d, CONSOLE_F_MULTIPORT))
		return;
	if (memcmp(s->waited, s->named, sizeof(s->named)) != 0)
		s->looks = 0;
	memcpy(s->waited, s->named, sizeof(s->named));
	s->looks++;
	for (unsigned i = 0; s->looks == 3 && i < 32 * G_N_ELEMENTS(s->named); i++) {
		uint32_t bit, *named = console_named(s, i, &bit);

		if (!(*named & bit))
			continue;
		*named &= ~bit;
		check_broken(d, CHECK_CONSOLE_UNANSWERED, CONSOLE_CONTROL_TX, -1,
			     "port %u, for %u ms", i, 2 * d->checker->wait_ms);
	}
}

/* Under the device's lock: no legacy driver's character is 0 with more above it. */
static void console_config_seen(struct check_dev *d, size_t off, const uint8_t *bytes, size_t len,
				bool write)
{
	if (write && d->dev->legacy && off == offsetof(struct console_config, emerg_wr) &&
	    len == 4 && !bytes[0] && !bytes[1] && !bytes[2] && bytes[3])
		check_broken(d, CHECK_CONSOLE_LEGACY_EMERGENCY, -1, -1, "%#x",
			     (unsigned)bytes[3] << 24);
}

static void console_reset_seen(struct check_dev *d)
{
	memset(d->own, 0, sizeof(struct console_seen));
}

#define AT(field) offsetof(struct console_config, field)

static const struct check_field console_fields[] = {
	{ AT(cols), 4, CONSOLE_F_SIZE },
	{ AT(max_nr_ports), 4, CONSOLE_F_MULTIPORT },
	{ AT(emerg_wr), 4, CONSOLE_F_EMERG_WRITE },
	{ 0 },
};

const struct check_type check_console = {
	.class = "console",
	.group = CHECK_CONSOLE,
	.state_size = sizeof(struct console_seen),
	.fields = console_fields,
	.popped = console_popped,
	.pushed = console_pushed,
	.config = console_config_seen,
	.reset = console_reset_seen,
	.tick = console_tick,
};

/*
 * Input: a query is both selectors, then the answer.
 */

struct input_seen {
	bool select, subsel, answered;
};

static void input_config_seen(struct check_dev *d, size_t off, const uint8_t *bytes, size_t len,
			      bool write)
{
	struct input_seen *s = d->own;

	(void)bytes;
	if (write) {
		if (off + len > offsetof(struct input_config, size))
			check_broken(d, CHECK_INPUT_WRITTEN, -1, -1, "at %u", (unsigned)off);
		if (s->answered)
			*s = (struct input_seen){ 0 };
		s->select |= off == offsetof(struct input_config, select);
		s->subsel |= off + len > offsetof(struct input_config, subsel);
		return;
	}
	if (off + len <= offsetof(struct input_config, size))
		return;
	if (!s->answered && !(s->select && s->subsel))
		check_broken(d, CHECK_INPUT_SUBSEL, -1, -1, "%s was written",
			     s->select   ? "select alone"
			     : s->subsel ? "subsel alone"
					 : "neither");
	s->answered = true;
}

static void input_reset_seen(struct check_dev *d)
{
	*(struct input_seen *)d->own = (struct input_seen){ 0 };
}

static void input_popped(struct check_dev *d, unsigned q, const struct vq_chain *c)
{
	const size_t event = sizeof(struct input_event_wire);

	if (q == 0 && c->rd.left)
		check_broken(d, CHECK_INPUT_WRITABLE, 0, c->id, "%zu bytes", c->rd.left);
	else if (q == 0 && c->wr.left < event)
		check_broken(d, CHECK_INPUT_EVENT_BYTES, 0, c->id, "%zu", c->wr.left);
	else if (q == 1 && c->rd.left < event)
		check_broken(d, CHECK_INPUT_STATUS_BYTES, 1, c->id, "%zu", c->rd.left);
}

const struct check_type check_input = {
	.class = "input",
	.group = CHECK_INPUT,
	.state_size = sizeof(struct input_seen),
	.popped = input_popped,
	.config = input_config_seen,
	.reset = input_reset_seen,
};

/*
 * Entropy.
 */

static void rng_popped(struct check_dev *d, unsigned q, const struct vq_chain *c)
{
	if (c->rd.left)
		check_broken(d, CHECK_RNG_WRITABLE, (int)q, c->id, "%zu bytes", c->rd.left);
}

const struct check_type check_rng = {
	.class = "rng",
	.group = CHECK_RNG,
	.popped = rng_popped,
};
