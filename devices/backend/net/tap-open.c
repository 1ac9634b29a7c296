/*
 * Finding the operator's tap.
 *
 * We never make one: that takes a privilege that this process should not have, and a tap that is
 * born without an address or a bridge is of no use. The operator's mistakes with it are the most
 * common of all network mistakes, so they are told apart here.
 */
#include "devices/backend/net/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/base/error.h"

#define MAKE_ONE "make one with: ip tuntap add dev %s mode tap%s user $USER"

/* Says why TUNSETIFF on an existing interface failed. */
static bool tap_explain(GError **err, int errnum, const char *ifname, bool many)
{
	switch (errnum) {
	case EPERM:
		return ringside_usage(
			err, "--device net,ifname=%s: the tap belongs to another user; " MAKE_ONE,
			ifname, ifname, many ? " multi_queue" : "");
	case EBUSY:
		return ringside_usage(
			err, "--device net,ifname=%s: the tap is in use by another process",
			ifname);
	case EINVAL:
		if (many)
			return ringside_usage(
				err,
				"--device net,ifname=%s: the interface is not a tap with "
				"several queues; " MAKE_ONE,
				ifname, ifname, " multi_queue");
		return ringside_usage(err, "--device net,ifname=%s: the interface is not a tap",
				      ifname);
	default:
		return ringside_error_errno(err, errnum, "--device net,ifname=%s", ifname);
	}
}

/* One more descriptor of the tap. Returns it or -errno. */
static int tap_open_queue(const char *ifname, bool many)
{
	struct ifreq ifr = { .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
						  (many ? IFF_MULTI_QUEUE : 0)) };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int ret;

	if (fd < 0)
		return -errno;
	g_strlcpy(ifr.ifr_name, ifname, IFNAMSIZ);
	if (ioctl(fd, TUNSETIFF, &ifr) == 0)
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

static bool tap_open_by_name(struct tap_fds *fds, const struct net_options *opt, GError **err)
{
	bool many = opt->n_channels > 1;
	int fd;

	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		return ringside_error_errno(
			err, errno,
			"--device net,ifname=%s: /dev/net/tun (`modprobe tun` makes it)",
			opt->ifname);
	if (strlen(opt->ifname) >= IFNAMSIZ)
		return ringside_usage(err,
				      "--device net,ifname=%s: an interface's name has 1 to %d "
				      "characters",
				      opt->ifname, IFNAMSIZ - 1);
	if (!if_nametoindex(opt->ifname))
		return ringside_usage(err,
				      "--device net,ifname=%s: there is no such tap; " MAKE_ONE,
				      opt->ifname, opt->ifname, many ? " multi_queue" : "");
	fd = tap_open_queue(opt->ifname, many);
	if (fd == -EINVAL && !many) /* one that was made for several queues serves as well */
		fd = tap_open_queue(opt->ifname, true);
	for (;;) {
		if (fd < 0)
			return tap_explain(err, -fd, opt->ifname, many);
		fds->fd[fds->n++] = fd;
		if (fds->n >= opt->n_channels)
			break;
		fd = tap_open_queue(opt->ifname, true);
	}
	fds->vnet = true;
	return true;
}

static bool tap_take_fd(struct tap_fds *fds, const char *text, GError **err)
{
	struct ifreq ifr = { 0 };
	unsigned fd;
	int flags;

	if (!net_parse_number(text, 3, INT_MAX, &fd))
		return ringside_usage(err,
				      "--device net,fd=%s: not the number of an open descriptor (3 "
				      "or more)",
				      text);
	if (fcntl((int)fd, F_GETFD) < 0)
		return ringside_usage(err, "--device net,fd=%s: no such descriptor is open", text);
	if (ioctl((int)fd, TUNGETIFF, &ifr) < 0 || !(ifr.ifr_flags & IFF_TAP))
		return ringside_usage(err, "--device net,fd=%s: the descriptor is not a tap", text);
	if (!(ifr.ifr_flags & IFF_NO_PI))
		return ringside_usage(
			err, "--device net,fd=%s: the tap must be opened with IFF_NO_PI", text);
	flags = fcntl((int)fd, F_GETFL);
	if (fcntl((int)fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		return ringside_error_errno(err, errno, "--device net,fd=%s", text);
	fds->vnet = ifr.ifr_flags & IFF_VNET_HDR;
	fds->fd[fds->n++] = (int)fd;
	return true;
}

static bool tap_open_by_fd(struct tap_fds *fds, const struct net_options *opt, GError **err)
{
	if (opt->ifname)
		return ringside_usage(err, "--device net: ifname= and fd= exclude each other");
	if (opt->n_channels > 1 && opt->n_channels != opt->fds->len)
		return ringside_usage(err,
				      "--device net,queue-pairs=%u: %u fd= are given; one for each "
				      "pair is needed",
				      opt->n_channels, opt->fds->len);
	if (opt->fds->len > NET_CHANNELS_MAX)
		return ringside_usage(err, "--device net,fd=: at most %u", NET_CHANNELS_MAX);
	for (guint i = 0; i < opt->fds->len; i++)
		if (!tap_take_fd(fds, g_ptr_array_index(opt->fds, i), err))
			return false;
	return true;
}

bool tap_find(const struct net_options *opt, struct tap_fds *fds, GError **err)
{
	if (opt->fds && opt->fds->len)
		return tap_open_by_fd(fds, opt, err);
	if (opt->ifname)
		return tap_open_by_name(fds, opt, err);
	return ringside_usage(err, "--device net,backend=tap: 'ifname=' (or 'fd=') is missing");
}
