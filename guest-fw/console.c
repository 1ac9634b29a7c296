/*
 * Console (VIRTIO 1.4, 5.3): a line goes out on port 0, unless MULTIPORT tells that there is none.
 * With the word "echo" on the command line there is a port of that name, and what is sent on it has
 * to come back.
 */
#include "guest-fw/virtio.h"

enum { F_SIZE = 0, F_MULTIPORT = 1, F_EMERG_WRITE = 2 };
enum { RX0, TX0, CONTROL_RX, CONTROL_TX, N_QUEUES = 8 };

/* Control events (5.3.6.2). */
enum {
	DEVICE_READY,
	PORT_ADD,
	PORT_REMOVE,
	PORT_READY,
	CONSOLE_PORT,
	RESIZE,
	PORT_OPEN,
	PORT_NAME,
};

struct message {
	le32 id;
	le16 event, value;
};

#define MESSAGES      16u /* buffers for those to us */
#define MESSAGE_BYTES 128u
#define NO_PORT       UINT32_MAX

/* What we know; it outlives a reset of the queues. */
struct ports {
	bool any, zero, echo_open;
	uint32_t echo;
};

static const char hello[] = "guest-fw says hello on port 0\n";
static const char word[] = "there and back again";

static struct queue *port_queue(struct virtio *v, uint32_t port, unsigned which)
{
	unsigned index = port == 0 ? which : 2 + 2 * port + which;

	return index < v->n_queues ? v->queue[index] : NULL;
}

static bool fw_console_put(struct queue *q, const char *text, uint32_t n)
{
	const struct drv_buf bufs[] = { buf_of(text, n / 2), buf_of(text + n / 2, n - n / 2) };
	uint32_t len;

	return queue_do(q, bufs, 2, 0, &len);
}

/*
 * Ports.
 */
static bool fw_console_tell(struct virtio *v, uint32_t port, unsigned event)
{
	struct message *m = fw_take(sizeof(*m));
	const struct drv_buf buf = buf_of(m, sizeof(*m));
	uint32_t len;

	*m = (struct message){ cpu_le32(port), cpu_le16((uint16_t)event), cpu_le16(1) };
	return queue_do(v->queue[CONTROL_TX], &buf, 1, 0, &len);
}

/* The next message to us, in *ret_m, with @ret_text behind it. */
static bool fw_console_hear(struct virtio *v, struct message *ret_m,
			    uint8_t ret_text[MESSAGE_BYTES])
{
	struct queue *q = v->queue[CONTROL_RX];
	uint8_t *at;
	uint32_t len;

	if (!queue_wait(q, (void **)&at, &len))
		return false;
	if (len < sizeof(*ret_m))
		return virtio_fail(v, "a control message is too short");
	__builtin_memcpy(ret_m, at, sizeof(*ret_m));
	__builtin_memset(ret_text, 0, MESSAGE_BYTES);
	__builtin_memcpy(ret_text, at + sizeof(*ret_m), len - sizeof(*ret_m));
	if (!queue_give(q, at, MESSAGE_BYTES))
		return false;
	queue_kick(q);
	return true;
}

/* One message to us; what it tells is noted. */
static bool fw_console_learn(struct virtio *v, struct ports *ports)
{
	uint32_t n_ports = virtio_config_read(&v->dev, 4, 4), port;
	uint8_t text[MESSAGE_BYTES];
	struct message m;

	if (!fw_console_hear(v, &m, text))
		return false;
	port = le32_cpu(m.id);
	if (port >= n_ports)
		return virtio_fail(v, "a message about a port there is not");
	switch (le16_cpu(m.event)) {
	case PORT_ADD:
		ports->any = true;
		ports->zero = ports->zero || port == 0;
		return fw_console_tell(v, port, PORT_READY);
	case PORT_NAME:
		if (fw_same_text((const char *)text, "echo"))
			ports->echo = port;
		return true;
	case PORT_OPEN:
		ports->echo_open = ports->echo_open || (port == ports->echo && m.value);
		return true;
	default:
		return true;
	}
}

/* Ports are told of in order, so the first says whether there is a port 0. The one called "echo" is
 * of use once its other end is there. */
static bool fw_console_meet(struct virtio *v, struct ports *ports)
{
	if (!fw_console_tell(v, 0, DEVICE_READY))
		return false;
	while (fw_option("echo") ? !ports->echo_open : !ports->any)
		if (!fw_console_learn(v, ports))
			return false;
	return !ports->echo_open || fw_console_tell(v, ports->echo, PORT_OPEN);
}

static bool fw_console_echo(struct virtio *v, uint32_t port)
{
	struct queue *rx = port_queue(v, port, RX0), *tx = port_queue(v, port, TX0);
	uint8_t *in = fw_take(4096), *at;
	uint32_t n = 0, len;

	if (!rx || !tx)
		return virtio_fail(v, "port echo is beyond the queues we use");
	if (!queue_give(rx, in, sizeof(word)))
		return false;
	queue_kick(rx);
	if (!fw_console_put(tx, word, sizeof(word)))
		return false;
	for (;;) {
		if (!queue_wait(rx, (void **)&at, &len))
			return false;
		n += len;
		if (n >= sizeof(word))
			break;
		if (!queue_give(rx, in + n, sizeof(word) - n))
			return false;
		queue_kick(rx);
	}
	return fw_same(in, word, sizeof(word)) || virtio_fail(v, "other bytes came back");
}

static bool fw_console_use(struct virtio *v, const struct ports *ports)
{
	v->did = "its ports";
	if (ports->zero) {
		v->did = "a line out";
		if (!fw_console_put(v->queue[TX0], hello, sizeof(hello) - 1))
			return false;
	}
	if (ports->echo_open) {
		v->did = ports->zero ? "a line out, a port's echo back" : "a port's echo back";
		if (!fw_console_echo(v, ports->echo))
			return false;
	}
	return true;
}

static bool give_messages(struct virtio *v)
{
	uint8_t *at = fw_take((size_t)MESSAGES * MESSAGE_BYTES);

	return queue_give_all(v->queue[CONTROL_RX], at, MESSAGES, MESSAGE_BYTES, MESSAGE_BYTES);
}

static bool fw_console_test(struct virtio *v)
{
	bool multiport = virtio_has(&v->dev, F_MULTIPORT);

	if (v->round == 0) {
		v->notes = fw_take(sizeof(struct ports));
		*(struct ports *)v->notes = (struct ports){ .zero = !multiport, .echo = NO_PORT };
	}
	if (multiport && !give_messages(v))
		return false;
	if (multiport && v->round == 0 && !fw_console_meet(v, v->notes))
		return false;
	return fw_console_use(v, v->notes);
}

const struct driver console_driver = {
	.id = 3,
	.name = "console",
	.features = 1ull << F_SIZE | 1ull << F_MULTIPORT | 1ull << F_EMERG_WRITE,
	.n_queues = N_QUEUES,
	.test = fw_console_test,
};
