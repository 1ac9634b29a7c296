/*
 * Input device (VIRTIO 1.4, 5.8): says who it is and what it sends; takes a light's state, if it
 * has lights. With the word "events" on the command line a report is waited for: "@input NAME" is
 * printed, and whoever runs us is to send an event then.
 */
#include "guest-fw/virtio.h"

enum { EVENTS, STATES, N_QUEUES };
enum { CFG_ID_NAME = 0x01, CFG_EV_BITS = 0x11 };
enum { CONFIG_SELECT = 0, CONFIG_SUBSEL = 1, CONFIG_SIZE = 2, CONFIG_PAYLOAD = 8 };
enum { EV_SYN = 0, EV_KEY = 1, EV_LED = 0x11 };

#define PAYLOAD_MAX 128u
#define BUFFERS     16u
#define WORDS_MAX   64u /* events in a report */

struct event {
	le16 type, code;
	le32 value;
};

/* How many bytes of answer there are. */
static uint8_t fw_input_ask(struct virtio *v, uint8_t select, uint8_t subsel)
{
	virtio_config_write(&v->dev, CONFIG_SELECT, 1, select);
	virtio_config_write(&v->dev, CONFIG_SUBSEL, 1, subsel);
	return (uint8_t)virtio_config_read(&v->dev, CONFIG_SIZE, 1);
}

static bool read_name(struct virtio *v, char name[PAYLOAD_MAX + 1])
{
	uint8_t n = fw_input_ask(v, CFG_ID_NAME, 0);

	if (n == 0 || n > PAYLOAD_MAX)
		return virtio_fail(v, "it has no name");
	for (unsigned i = 0; i < n; i++)
		name[i] = (char)virtio_config_read(&v->dev, CONFIG_PAYLOAD + i, 1);
	name[n] = '\0';
	return true;
}

static bool fw_input_light(struct virtio *v)
{
	struct event *e = fw_take(sizeof(*e));
	const struct drv_buf buf = buf_of(e, sizeof(*e));
	uint32_t len;

	*e = (struct event){ .type = cpu_le16(EV_LED), .value = cpu_le32(1) };
	return queue_do(v->queue[STATES], &buf, 1, 0, &len);
}

/* Up to the event that ends a report. */
static bool hear_report(struct virtio *v)
{
	struct event *e;
	uint32_t len;

	for (unsigned i = 0; i < WORDS_MAX; i++) {
		if (!queue_wait(v->queue[EVENTS], (void **)&e, &len))
			return false;
		if (len != sizeof(*e))
			return virtio_fail(v, "an event of impossible length");
		if (le16_cpu(e->type) == EV_SYN)
			return i > 0 || virtio_fail(v, "an empty report");
		if (!queue_give(v->queue[EVENTS], e, sizeof(*e)))
			return false;
		queue_kick(v->queue[EVENTS]);
	}
	return virtio_fail(v, "a report without end");
}

static bool fw_input_test(struct virtio *v)
{
	struct event *events = fw_take(BUFFERS * sizeof(*events));
	char name[PAYLOAD_MAX + 1];

	if (!read_name(v, name))
		return false;
	if (fw_input_ask(v, CFG_EV_BITS, EV_KEY) == 0)
		return virtio_fail(v, "it has no keys");
	v->idle = !fw_input_ask(v, CFG_EV_BITS, EV_LED);
	if (!v->idle && !fw_input_light(v))
		return false;
	if (!queue_give_all(v->queue[EVENTS], events, BUFFERS, sizeof(*events), sizeof(*events)))
		return false;
	v->did = "its name and keys";
	if (!fw_option("events"))
		return true;
	v->did = "its name and keys, a report";
	v->idle = false;
	say("@input %s\n", name);
	return hear_report(v);
}

const struct driver input_driver = {
	.id = 18,
	.name = "input",
	.n_queues = N_QUEUES,
	.test = fw_input_test,
};
