/*
 * The host's devices by libevdev, which makes up for events that the kernel had to drop
 * (SYN_DROPPED): it then tells the differences between what was and what is.
 *
 * Not passed on: a key's repetitions, since a guest that is told of EV_REP repeats keys by itself,
 * and the echo of LEDs.
 */
#include "devices/backend/input/evdev.h"

#include <errno.h>
#include <fcntl.h>
#include <libevdev/libevdev.h>
#include <unistd.h>

#include "devices/base/error.h"

#define EVENTS_A_TURN 256u

struct input_evdev {
	struct libevdev *dev;
	int fd;
	struct loop *loop;
	GSource *watch;
	const struct input_evdev_user *user;
	void *arg;
	bool syncing; /* libevdev has differences to tell */
};

static void evdev_describe(struct libevdev *dev, struct input_model *m)
{
	*m = (struct input_model){
		.bustype = (uint16_t)libevdev_get_id_bustype(dev),
		.vendor = (uint16_t)libevdev_get_id_vendor(dev),
		.product = (uint16_t)libevdev_get_id_product(dev),
		.version = (uint16_t)libevdev_get_id_version(dev),
	};
	g_strlcpy(m->name, libevdev_get_name(dev), sizeof(m->name));
	if (libevdev_get_uniq(dev))
		g_strlcpy(m->serial, libevdev_get_uniq(dev), sizeof(m->serial));
	for (unsigned p = 0; p < INPUT_PROP_CNT; p++)
		if (libevdev_has_property(dev, p))
			m->props[p / 8] |= (uint8_t)(1u << p % 8);
	for (unsigned type = EV_SYN + 1; type < EV_FF; type++) {
		int max = libevdev_event_type_get_max(type);

		for (int code = 0; code <= max; code++)
			if (libevdev_has_event_code(dev, type, (unsigned)code))
				input_model_add(m, type, (unsigned)code);
	}
	for (unsigned a = 0; a < ABS_CNT; a++) {
		const struct input_absinfo *info = libevdev_get_abs_info(dev, a);

		if (info)
			m->axis[a] = (struct input_axis_info){ info->minimum, info->maximum,
							       info->fuzz, info->flat,
							       info->resolution };
	}
}

struct input_evdev *input_evdev_open(const char *path, struct input_model *ret_model,
				     const char *context, GError **err)
{
	struct input_evdev *e = g_new0(struct input_evdev, 1);
	int ret;

	e->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (e->fd < 0) {
		ringside_error_errno(err, errno, "%s", context);
		goto fail;
	}
	ret = libevdev_new_from_fd(e->fd, &e->dev);
	if (ret < 0) {
		ringside_usage(err, "%s: not an input device; give /dev/input/eventN", context);
		goto fail;
	}
	ret = libevdev_grab(e->dev, LIBEVDEV_GRAB);
	if (ret < 0) {
		ringside_error_errno(err, -ret, "%s: grabbing it (EVIOCGRAB)", context);
		goto fail;
	}
	evdev_describe(e->dev, ret_model);
	return e;
fail:
	input_evdev_close(e);
	return NULL;
}

void input_evdev_close(struct input_evdev *e)
{
	if (!e)
		return;
	libevdev_free(e->dev);
	if (e->fd >= 0)
		close(e->fd); /* ends the grab */
	g_free(e);
}

static void evdev_pass_on(struct input_evdev *e, const struct input_event *event)
{
	struct input_ev ev = { event->type, event->code, event->value };

	if (ev.type == EV_LED || (ev.type == EV_SYN && ev.code == SYN_DROPPED) ||
	    (ev.type == EV_KEY && ev.value == 2 && libevdev_has_event_type(e->dev, EV_REP)))
		return;
	e->user->event(e->arg, &ev);
}

static void evdev_on_events(void *arg, GIOCondition revents)
{
	struct input_evdev *e = arg;
	struct input_event event;
	int ret = 0;

	(void)revents;
	for (unsigned i = 0; i < EVENTS_A_TURN || e->syncing; i++) {
		ret = libevdev_next_event(
			e->dev, e->syncing ? LIBEVDEV_READ_FLAG_SYNC : LIBEVDEV_READ_FLAG_NORMAL,
			&event);
		if (ret == -EAGAIN && e->syncing) {
			e->syncing = false;
			continue;
		}
		if (ret < 0)
			break;
		if (ret == LIBEVDEV_READ_STATUS_SYNC)
			e->syncing = true;
		evdev_pass_on(e, &event);
	}
	if (ret < 0 && ret != -EAGAIN && ret != -EINTR) {
		loop_unwatch(g_steal_pointer(&e->watch));
		e->user->gone(e->arg, -ret);
	}
}

/* What libevdev asks after events were lost: any of the numbers that read a state. */
const struct syscall_use input_evdev_syscalls[] = {
	{ .name = "ioctl",
	  .arg = 1,
	  .mask = (uint64_t)_IOC_DIRMASK << _IOC_DIRSHIFT | (uint64_t)_IOC_TYPEMASK
								    << _IOC_TYPESHIFT,
	  .value = (uint64_t)_IOC_READ << _IOC_DIRSHIFT | (uint64_t)'E' << _IOC_TYPESHIFT },
	{ .name = NULL },
};

static void evdev_attach(void *arg)
{
	struct input_evdev *e = arg;

	e->watch = loop_watch(e->loop, e->fd, G_IO_IN, evdev_on_events, e);
}

static void evdev_detach(void *arg)
{
	struct input_evdev *e = arg;

	loop_unwatch(g_steal_pointer(&e->watch));
}

void input_evdev_attach(struct input_evdev *e, struct loop *loop,
			const struct input_evdev_user *user, void *arg)
{
	e->loop = loop;
	e->user = user;
	e->arg = arg;
	loop_call(loop, evdev_attach, e);
}

void input_evdev_detach(struct input_evdev *e)
{
	if (e->loop)
		loop_call(e->loop, evdev_detach, e);
}

void input_evdev_status(struct input_evdev *e, const struct input_ev *ev)
{
	struct input_event event = { .type = ev->type, .code = ev->code, .value = ev->value };
	struct input_event sync = { .type = EV_SYN, .code = SYN_REPORT };

	if (!libevdev_has_event_code(e->dev, ev->type, ev->code))
		return;
	/* A device that is gone says so when it is read. */
	(void)!write(e->fd, &event, sizeof(event));
	(void)!write(e->fd, &sync, sizeof(sync));
}
