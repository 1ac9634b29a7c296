/*
 * What the host could not do for a device: told on the main thread, and the machine stops where the
 * device cannot go on.
 *
 * Devices say it on their queues' threads. The device may be gone when the main thread comes to it,
 * so its name is copied. An error that stops the machine pauses the vCPUs at once, as what they ask
 * for themselves does; it is told before the stop is.
 */
#include "vmm/machine/machine-int.h"

struct machine_io_error {
	char *name;
	struct vdev_io_error error;
};

static void io_error_free(void *p)
{
	struct machine_io_error *e = p;

	g_free(e->name);
	g_free(e);
}

static struct machine_io_error *io_error_take(struct machine *m)
{
	struct machine_io_error *e;

	pthread_mutex_lock(&m->lock);
	e = g_queue_pop_head(&m->io_errors);
	pthread_mutex_unlock(&m->lock);
	return e;
}

void machine_tell_io_errors(struct machine *m)
{
	struct machine_io_error *e;

	while ((e = io_error_take(m))) {
		if (m->io_error_fn)
			m->io_error_fn(e->name, &e->error, m->io_error_opaque);
		io_error_free(e);
	}
}

static void tell_io_errors(void *arg)
{
	machine_tell_io_errors(arg);
}

void machine_on_io_error(void *opaque, const struct vdev *dev, const struct vdev_io_error *error)
{
	struct machine_io_error *e = g_new(struct machine_io_error, 1);
	struct machine *m = opaque;

	*e = (struct machine_io_error){ g_strdup(vdev_name(dev)), *error };
	pthread_mutex_lock(&m->lock);
	g_queue_push_tail(&m->io_errors, e);
	pthread_mutex_unlock(&m->lock);
	if (error->action == VDEV_ERROR_STOP)
		machine_ask(m, ASK_IO_ERROR);
	else
		loop_post(m->main, tell_io_errors, m);
}

void machine_observe_io_errors(struct machine *m, machine_io_error_fn fn, void *opaque)
{
	m->io_error_fn = fn;
	m->io_error_opaque = opaque;
}

void machine_forget_io_errors(struct machine *m)
{
	g_queue_clear_full(&m->io_errors, io_error_free);
}
