/*
 * The connection comes and goes.
 *
 * While there is none, two things have it tried again: that the socket appears (a back-end that is
 * started binds its own), which is known at once; and a timer, for what cannot be seen in a folder:
 * one that listens already and has not accepted, a socket that somebody else holds, a folder that
 * itself comes and goes. Between its bind() and its listen() a socket is there and refuses: so
 * the timer begins anew, in small steps.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/vhost-user/front.h"

#define RETRY_MS      10u   /* at first; twice as long each time, */
#define RETRY_MAX_MS  1000u /* up to this; and where one is there that cannot be spoken with: */
#define RETRY_SLOW_MS 5000u
#define APPEARED_MS   1u /* at first, of a socket that has just been bound */

bool vhu_front_connect(struct vhu_front *f)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return false;
	g_strlcpy(to.sun_path, f->path, sizeof(to.sun_path)); /* fits: front_check() */
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		int errnum = errno;

		close(fd);
		errno = errnum;
		return false;
	}
	vhu_link_open(&f->link, fd);
	return true;
}

void vhu_front_unwatch(struct vhu_front *f)
{
	loop_unwatch(g_steal_pointer(&f->watch));
	loop_unwatch(g_steal_pointer(&f->events_watch));
	loop_unwatch(g_steal_pointer(&f->retry));
	appear_end(&f->appear);
}

static void front_said(void *arg, GIOCondition revents);

void vhu_front_watch(struct vhu_front *f)
{
	f->watch = loop_watch(f->loop, f->link.s.fd, G_IO_IN, front_said, f);
	if (f->link.events.fd >= 0)
		f->events_watch = loop_watch(f->loop, f->link.events.fd, G_IO_IN, front_said, f);
}

/* As it is now, to the driver. */
bool vhu_front_refresh_config(struct vhu_front *f, bool notify)
{
	uint8_t config[VDEV_CONFIG_MAX] = { 0 };

	if (!vhu_session_config(f, config))
		return false;
	vdev_config_set(&f->vdev, 0, config, f->vdev.config_size, notify);
	return true;
}

static void front_said(void *arg, GIOCondition revents)
{
	struct vhu_front *f = arg;

	(void)revents;
	vhu_link_serve(&f->link);
	if (f->link.config_changed && vhu_link_is_open(&f->link))
		(void)vhu_front_refresh_config(f, true);
	if (!vhu_link_is_open(&f->link))
		vhu_front_lost(f);
	else if (f->link.events.fd < 0)
		loop_unwatch(g_steal_pointer(&f->events_watch));
}

/* A driver knows the device as it was: the new back-end must have what it has accepted, and has
 * been offered. */
static bool front_fits(struct vhu_front *f)
{
	const uint64_t offered = f->vdev.offered.w[0] & vhu_session_passed(f);

	if (offered & ~f->features)
		return vhu_link_fail(&f->link,
				     "it lacks features that the driver was offered: %#" PRIx64,
				     offered & ~f->features);
	if (vhu_link_has(&f->link, VHU_PF_MQ) && f->queues_max < vhu_front_served(f))
		return vhu_link_fail(&f->link, "it has %u queues only", (unsigned)f->queues_max);
	return true;
}

static void front_try_later(struct vhu_front *f, unsigned ms);

static void front_came_back(struct vhu_front *f)
{
	vdev_host_error(&f->vdev, "back-end %s: it is there again", f->path);
	f->told[0] = '\0';
	appear_end(&f->appear);
	vhu_front_watch(f);
}

static void front_try(struct vhu_front *f)
{
	loop_unwatch(g_steal_pointer(&f->retry));
	if (!vhu_front_connect(f))
		front_try_later(f, MIN(2 * f->retry_ms, RETRY_MAX_MS));
	else if (vhu_session_begin(f) && front_fits(f) && vhu_front_refresh_config(f, true) &&
		 (f->bounce ? vhu_bounce_resume(f) : vhu_rings_resume(f)))
		front_came_back(f);
	else
		vhu_front_lost(f);
}

static gboolean front_try_again(void *arg)
{
	front_try(arg);
	return G_SOURCE_REMOVE;
}

static void front_try_later(struct vhu_front *f, unsigned ms)
{
	f->retry_ms = ms;
	f->retry = g_timeout_source_new(ms);
	g_source_set_callback(f->retry, front_try_again, f, NULL);
	g_source_attach(f->retry, loop_context(f->loop));
}

static void front_appeared(void *arg)
{
	struct vhu_front *f = arg;

	f->retry_ms = APPEARED_MS;
	front_try(f);
}

/* One that is there and cannot be spoken with is told of once, and asked less often. */
void vhu_front_lost(struct vhu_front *f)
{
	bool anew = strcmp(f->told, f->link.wrong) != 0;

	if (f->retry)
		return;
	vhu_front_unwatch(f);
	vhu_link_close(&f->link);
	if (f->bounce)
		vhu_bounce_lost(f);
	else
		vhu_rings_lost(f);
	if (anew)
		vdev_host_error(&f->vdev, "back-end %s: %s; requests wait until there is another",
				f->path, f->link.wrong);
	g_strlcpy(f->told, f->link.wrong, sizeof(f->told));
	(void)appear_begin(&f->appear, f->loop, f->path, front_appeared, f);
	front_try_later(f, anew ? RETRY_MS : RETRY_SLOW_MS);
}
