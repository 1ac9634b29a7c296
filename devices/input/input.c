/*
 * virtio input (VIRTIO 1.4, 5.8): keyboards, mice, tablets and touch screens, fed by the control
 * socket, or a device of the host's passed through.
 *
 * Events travel in reports (all up to a SYN_REPORT), and a report arrives whole or not at all
 * (5.8.6.2). Reports wait in a bounded queue; the loop takes receive buffers one by one until it
 * holds as many as the first report has events, and only then fills them. When the queue is full,
 * new reports are dropped.
 */
#include "devices/input/input.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "devices/backend/input/evdev.h"
#include "devices/base/pack.h"
#include "devices/core/vdev.h"
#include "devices/input/input-impl.h"
#include "devices/input/reports.h"

#define REPORTS_A_TURN 64u

enum { EVENTQ, STATUSQ }; /* 5.8.2 */

extern const struct vdev_class input_class;

struct input {
	struct vdev dev;

	/* Options. */
	unsigned opt_type;
	char *opt_evdev, *opt_name, *opt_serial;

	struct input_model model; /* does not change after open() */
	struct input_evdev *host; /* NULL: made of nothing */
	_Atomic uint32_t leds;

	struct input_reports reports; /* whole ones, on their way to the guest */

	/* The rest is the loop's. */
	bool event_runs; /* the event queue is started */
	int wake_fd;
	GSource *wake;
	struct vq_chain *held[INPUT_REPORT_MAX]; /* buffers for the first report */
	unsigned n_held;
	struct input_ev report[INPUT_REPORT_MAX]; /* of the host's device, not complete yet */
	unsigned n_report; /* may be more than there is room for: then it is dropped */
};

static struct input *input_of(struct vdev *dev)
{
	return (struct input *)dev;
}

static const struct input *input_known(const struct vdev *dev)
{
	return dev->class == &input_class ? (const struct input *)dev : NULL;
}

/* Appends a report, ended by its SYN_REPORT, and has the loop look. */
static void input_enqueue(struct input *in, const struct input_ev *events, unsigned n)
{
	uint64_t one = 1;

	if (input_reports_put(&in->reports, events, n))
		(void)!write(in->wake_fd, &one, sizeof(one));
}

/*
 * To the guest, on the loop.
 */

/* Takes buffers until there are @n. False if the driver has not given so many. */
static bool input_hold(struct input *in, unsigned n)
{
	while (in->n_held < n) {
		struct vq_chain *c = vdev_take(&in->dev, EVENTQ);

		if (!c)
			return false;
		if (c->wr.left < sizeof(struct input_event_wire)) {
			vdev_guest_bug(&in->dev, "an event buffer of %zu bytes, less than 8",
				       c->wr.left);
			vq_push(in->dev.queue[EVENTQ].vq, c);
			vdev_flush(&in->dev, EVENTQ);
			return false;
		}
		in->held[in->n_held++] = c;
	}
	return true;
}

static void input_fill(struct input *in, const struct input_ev *report, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct input_event_wire wire = { cpu_le16(report[i].type), cpu_le16(report[i].code),
						 cpu_le32((uint32_t)report[i].value) };

		(void)vq_put(in->held[i], &wire, sizeof(wire)); /* input_hold() saw the room */
		vq_push(in->dev.queue[EVENTQ].vq, in->held[i]);
	}
	in->n_held -= n;
	memmove(in->held, in->held + n, in->n_held * sizeof(in->held[0]));
}

static void input_deliver(struct input *in)
{
	struct vq *vq = in->dev.queue[EVENTQ].vq;
	struct input_ev report[INPUT_REPORT_MAX];
	bool filled = false;

	for (unsigned i = 0; in->event_runs && i < REPORTS_A_TURN; i++) {
		unsigned n = input_reports_first(&in->reports, report);

		if (n == 0)
			break;
		if (n > vq_size(vq)) { /* would never fit */
			input_reports_forget(&in->reports, n, true);
			continue;
		}
		if (!input_hold(in, n))
			break;
		input_fill(in, report, n);
		input_reports_forget(&in->reports, n, false);
		filled = true;
		if (i == REPORTS_A_TURN - 1)
			vdev_again(&in->dev, EVENTQ);
	}
	if (filled)
		vdev_flush(&in->dev, EVENTQ);
}

static void input_on_wake(void *arg, GIOCondition revents)
{
	struct input *in = arg;
	uint64_t count;

	(void)revents;
	(void)!read(in->wake_fd, &count, sizeof(count));
	input_deliver(in);
}

/*
 * From the host's device, on the loop.
 */
static void input_on_host_event(void *arg, const struct input_ev *ev)
{
	struct input *in = arg;

	if (in->n_report < INPUT_REPORT_MAX)
		in->report[in->n_report] = *ev;
	in->n_report++;
	if (!input_ends_report(ev))
		return;
	/* One that is empty is all that is left of a repetition, which is not passed on. */
	if (in->n_report > 1 && in->n_report <= INPUT_REPORT_MAX)
		input_enqueue(in, in->report, in->n_report);
	in->n_report = 0;
}

static void input_on_host_gone(void *arg, int errnum)
{
	struct input *in = arg;

	vdev_host_error(&in->dev, "%s: %s", in->opt_evdev, g_strerror(errnum));
}

static const struct input_evdev_user host_user = { input_on_host_event, input_on_host_gone };

/*
 * From the guest: what the device is to show (5.8.6).
 */
static void input_status_chain(struct vdev *dev, unsigned q, struct vq_chain *c)
{
	struct input *in = input_of(dev);
	struct input_event_wire wire;
	struct input_ev ev;

	if (!vq_pull(c, &wire, sizeof(wire))) {
		vdev_guest_bug(dev, "a status buffer of %zu bytes, less than 8", c->rd.left);
		vq_push(dev->queue[q].vq, c);
		return;
	}
	ev = (struct input_ev){ le16_cpu(wire.type), le16_cpu(wire.code),
				(int32_t)le32_cpu(wire.value) };
	if (ev.type == EV_LED && ev.code < 32) {
		uint32_t mask = 1u << ev.code;

		in->leds = ev.value ? in->leds | mask : in->leds & ~mask;
	}
	if (in->host && (ev.type == EV_LED || ev.type == EV_SND))
		input_evdev_status(in->host, &ev);
	vq_push(dev->queue[q].vq, c);
}

/*
 * Feeding it, from any thread.
 */
bool input_is(const struct vdev *dev)
{
	return input_known(dev) != NULL;
}

bool input_offers(const struct vdev *dev, uint16_t type, uint16_t code)
{
	return input_known(dev) && input_model_has(&input_known(dev)->model, type, code);
}

bool input_axis(const struct vdev *dev, uint16_t code, struct input_axis_info *ret)
{
	if (!input_offers(dev, EV_ABS, code) || code >= ABS_CNT)
		return false;
	*ret = input_known(dev)->model.axis[code];
	return true;
}

bool input_send(struct vdev *dev, const struct input_ev *events, size_t n)
{
	struct input_ev report[INPUT_REPORT_MAX];

	if (n >= INPUT_REPORT_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!input_offers(dev, events[i].type, events[i].code))
			return false;
		report[i] = events[i];
	}
	report[n] = (struct input_ev){ EV_SYN, SYN_REPORT, 0 };
	input_enqueue(input_of(dev), report, (unsigned)n + 1);
	return true;
}

uint64_t input_dropped(struct vdev *dev)
{
	struct input *in = input_of(dev);
	uint64_t dropped;

	pthread_mutex_lock(&in->reports.lock);
	dropped = in->reports.dropped;
	pthread_mutex_unlock(&in->reports.lock);
	return dropped;
}

uint32_t input_leds(const struct vdev *dev)
{
	return input_known(dev) ? input_known(dev)->leds : 0;
}

/*
 * The device's life.
 */
static void input_watch(void *arg)
{
	struct input *in = arg;

	in->wake = loop_watch(in->dev.loop, in->wake_fd, G_IO_IN, input_on_wake, in);
}

static void input_unwatch(void *arg)
{
	struct input *in = arg;

	loop_unwatch(g_steal_pointer(&in->wake));
}

#define TYPE_EVDEV N_INPUT_KINDS

static bool input_check_length(const char *key, const char *text, GError **err)
{
	return !text || strlen(text) <= INPUT_NAME_BYTES ||
	       ringside_usage(err, "--device input,%s=%s: it takes at most %u bytes", key, text,
			      (unsigned)INPUT_NAME_BYTES);
}

static bool input_find_model(struct input *in, GError **err)
{
	g_autofree char *context = NULL;

	if (!input_check_length("name", in->opt_name, err) ||
	    !input_check_length("serial", in->opt_serial, err))
		return false;
	if ((in->opt_type == TYPE_EVDEV) != (in->opt_evdev != NULL))
		return ringside_usage(err, "--device input: type=evdev and evdev=/dev/input/eventN "
					   "go together");
	if (in->opt_evdev) {
		context = g_strdup_printf("--device input,evdev=%s", in->opt_evdev);
		in->host = input_evdev_open(in->opt_evdev, &in->model, context, err);
		if (!in->host)
			return false;
		vdev_add_syscalls(&in->dev, input_evdev_syscalls);
	} else {
		input_model_of_kind(&in->model, in->opt_type);
	}
	if (in->opt_name)
		g_strlcpy(in->model.name, in->opt_name, sizeof(in->model.name));
	if (in->opt_serial)
		g_strlcpy(in->model.serial, in->opt_serial, sizeof(in->model.serial));
	return true;
}

static bool input_open(struct vdev *dev, GError **err)
{
	struct input *in = input_of(dev);

	input_reports_init(&in->reports);
	if (!input_find_model(in, err))
		return false;
	in->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (in->wake_fd < 0)
		return ringside_error_errno(err, errno, "--device input: eventfd");
	loop_call(dev->loop, input_watch, in);
	if (in->host)
		input_evdev_attach(in->host, dev->loop, &host_user, in);
	return true;
}

/* Of a half-made device, too: wake_fd is one only if it is watched. */
static void input_close(struct vdev *dev)
{
	struct input *in = input_of(dev);

	if (in->host)
		input_evdev_detach(in->host);
	input_evdev_close(in->host);
	if (in->wake) {
		loop_call(dev->loop, input_unwatch, in);
		close(in->wake_fd);
	}
	input_reports_fini(&in->reports);
}

static void input_queue_started(struct vdev *dev, unsigned q)
{
	struct input *in = input_of(dev);

	if (q != EVENTQ)
		return;
	in->event_runs = true;
	input_reports_listen(&in->reports, true);
}

static bool input_queue_stop(struct vdev *dev, unsigned q, enum vdev_stop why)
{
	struct input *in = input_of(dev);

	(void)why;
	if (q != EVENTQ)
		return true;
	in->event_runs = false;
	input_reports_listen(&in->reports, false); /* they are old news for whoever comes next */
	while (in->n_held)
		vq_unpop(dev->queue[q].vq, in->held[--in->n_held]);
	return true;
}

static void input_kick(struct vdev *dev, unsigned q)
{
	if (q == EVENTQ)
		input_deliver(input_of(dev));
	else
		vdev_drain(dev, q, input_status_chain);
}

static void input_reset(struct vdev *dev)
{
	static const struct input_config nothing;
	struct input *in = input_of(dev);

	in->leds = 0;
	vdev_config_set(dev, 0, &nothing, sizeof(nothing), false);
}

/* The driver may write select and subsel; everything else is ours to fill in. */
static void input_config_written(struct vdev *dev, size_t off, const uint8_t *bytes, size_t len,
				 uint8_t *config)
{
	struct input_config cfg;

	for (size_t i = off; i < off + len && i < offsetof(struct input_config, size); i++)
		config[i] = bytes[i - off];
	input_config_answer(&input_of(dev)->model, config[0], config[1], &cfg);
	memcpy(config, &cfg, sizeof(cfg));
}

/*
 * State: what it shows, and what the driver asked for last. Reports do not outlive a pause.
 */

static void input_save(struct vdev *dev, GByteArray *out)
{
	uint8_t asked[2];

	vdev_config_get(dev, 0, asked, sizeof(asked));
	pack_u32(out, input_of(dev)->leds);
	pack_bytes(out, asked, sizeof(asked));
}

static bool input_load(struct vdev *dev, struct unpack *in, GError **err)
{
	struct input *input = input_of(dev);
	struct input_config cfg;
	uint8_t asked[2];

	(void)err;
	input->leds = unpack_u32(in);
	unpack_bytes(in, asked, sizeof(asked));
	input_config_answer(&input->model, asked[0], asked[1], &cfg);
	vdev_config_set(dev, 0, &cfg, sizeof(cfg), false);
	return true;
}

#define OPT(field) offsetof(struct input, field)

static const char *const types[] = {
	[INPUT_KEYBOARD] = "keyboard",     [INPUT_MOUSE] = "mouse", [INPUT_TABLET] = "tablet",
	[INPUT_MULTITOUCH] = "multitouch", [TYPE_EVDEV] = "evdev",  NULL
};

static const struct prop input_props[] = {
	{ "type", PROP_ENUM, OPT(opt_type), .default_value = "keyboard", .choices = types,
	  .help = "what it is" },
	{ "evdev", PROP_STR, OPT(opt_evdev),
	  .help = "device of the host that is given to the guest, with type=evdev" },
	{ "name", PROP_STR, OPT(opt_name), .help = "name the guest sees" },
	{ "serial", PROP_STR, OPT(opt_serial), .help = "serial number the guest sees" },
	{ 0 },
};

/* struct input_config: what is behind its first eight bytes depends on them. */
static const struct vdev_field config_fields[] = { { 1, 8 },
						   { VDEV_UNION, INPUT_PAYLOAD_MAX },
						   { 0 } };

const struct vdev_class input_class = {
	.name = "input",
	.summary = "keyboard, mouse, tablet, multitouch, or an input device of the host",
	.id = 18,
	.pci_class = 0x098000,
	.size = sizeof(struct input),
	.config_size = sizeof(struct input_config),
	.config_fields = config_fields,
	.queue_size = 128,
	.n_queues = 2,
	.props = input_props,
	.open = input_open,
	.close = input_close,
	.queue_started = input_queue_started,
	.queue_stop = input_queue_stop,
	.kick = input_kick,
	.reset = input_reset,
	.config_written = input_config_written,
	.state_version = 1,
	.save = input_save,
	.load = input_load,
};
