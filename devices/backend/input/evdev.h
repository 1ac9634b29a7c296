/* An input device of the host (/dev/input/eventN), for this process alone while it is open. */
#pragma once

#include <glib.h>

#include "devices/backend/input/model.h"
#include "devices/base/loop.h"
#include "devices/base/syscalls.h"

struct input_evdev;

extern const struct syscall_use input_evdev_syscalls[]; /* of the kernel, on its loop's thread */

struct input_evdev_user {
	void (*event)(void *arg, const struct input_ev *ev); /* each one, SYN_REPORT too */
	void (*gone)(void *arg, int errnum); /* unplugged or broken: the last call */
};

/* Opens and grabs @path and says in @ret_model what it is. NULL with an error that begins with
 * @context, the option as it was given. */
struct input_evdev *input_evdev_open(const char *path, struct input_model *ret_model,
				     const char *context, GError **err);
void input_evdev_close(struct input_evdev *e); /* NULL is fine; detach first */

/* Events come on @loop from now on. From any thread but with no lock held that code on the loop
 * may take; the same for detaching. */
void input_evdev_attach(struct input_evdev *e, struct loop *loop,
			const struct input_evdev_user *user, void *arg);
void input_evdev_detach(struct input_evdev *e);

/* Has the device do something: light an LED, sound. On the loop. */
void input_evdev_status(struct input_evdev *e, const struct input_ev *ev);
