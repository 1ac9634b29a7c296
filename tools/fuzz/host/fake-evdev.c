/* A device of the host's that the guest is given: its events are the input's. */
#include <errno.h>

#include "devices/backend/input/evdev.h"
#include "devices/base/error.h"
#include "tools/fuzz/host/fakes-int.h"
#include "tools/fuzz/language/trace.h"

struct fake_evdev {
	const struct input_evdev_user *user; /* NULL: not attached */
	void *arg;
};

void fake_evdev_event(struct fake_evdev *e, const struct input_ev *ev)
{
	if (e->user)
		e->user->event(e->arg, ev);
}

void fake_evdev_gone(struct fake_evdev *e)
{
	if (e->user)
		e->user->gone(e->arg, ENODEV);
}

/* Half a report is kept until the rest comes: here it ends, while nobody listens. */
void fake_evdev_begin(struct fake_evdev *e)
{
	fake_evdev_event(e, &(struct input_ev){ EV_SYN, SYN_REPORT, 0 });
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
#define WRAP(type, name, args)   \
	type __wrap_##name args; \
	type __wrap_##name args

WRAP(struct input_evdev *, input_evdev_open,
     (const char *path, struct input_model *model, const char *context, GError **err))
{
	struct fake_evdev *e = g_new0(struct fake_evdev, 1);

	(void)path;
	input_model_of_kind(model, INPUT_KEYBOARD);
	if (fakes_take_evdev(e))
		return (struct input_evdev *)e;
	g_free(e);
	ringside_error_errno(err, ENODEV, "%s", context);
	return NULL;
}

WRAP(void, input_evdev_close, (struct input_evdev * host))
{
	if (host)
		fakes_forget(host);
	g_free(host);
}

WRAP(void, input_evdev_attach,
     (struct input_evdev * host, struct loop *loop, const struct input_evdev_user *user, void *arg))
{
	(void)loop;
	((struct fake_evdev *)host)->user = user;
	((struct fake_evdev *)host)->arg = arg;
}

WRAP(void, input_evdev_detach, (struct input_evdev * host))
{
	((struct fake_evdev *)host)->user = NULL;
}

WRAP(void, input_evdev_status, (struct input_evdev * host, const struct input_ev *ev))
{
	(void)host;
	trace("keyboard: shows %u, %u, %d", ev->type, ev->code, ev->value);
}
/* NOLINTEND(bugprone-reserved-identifier) */
