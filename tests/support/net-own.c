#include "tests/support/net-own.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define EXPERIMENTAL 0x88b5

static void net_own_write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!write(fd, text, strlen(text));
		close(fd);
	}
}

bool own_network(void)
{
	g_autofree char *uids = g_strdup_printf("0 %u 1", (unsigned)getuid());
	g_autofree char *gids = g_strdup_printf("0 %u 1", (unsigned)getgid());

	if (unshare(CLONE_NEWNET) < 0) { /* not privileged: in a user namespace of our own we are */
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
			print_error("unshare: %s\n", g_strerror(errno));
			return false;
		}
		net_own_write_file("/proc/self/setgroups", "deny");
		net_own_write_file("/proc/self/uid_map", uids);
		net_own_write_file("/proc/self/gid_map", gids);
	}
	return true;
}

int net_control(unsigned long request, void *arg)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret = ioctl(fd, request, arg);

	close(fd);
	return ret;
}

int tap_open(const char *name, int flags)
{
	struct ifreq ifr = { .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags) };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		fail_msg("/dev/net/tun: %s", g_strerror(errno));
	g_strlcpy(ifr.ifr_name, name, IFNAMSIZ);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		fail_msg("TUNSETIFF %s: %s", name, g_strerror(errno));
	return fd;
}

void tap_make(const char *name, int flags)
{
	int fd = tap_open(name, flags);

	assert_int_equal(ioctl(fd, TUNSETPERSIST, 1), 0);
	close(fd);
}

void tap_remove(const char *name, int flags)
{
	int fd = tap_open(name, flags);

	assert_int_equal(ioctl(fd, TUNSETPERSIST, 0), 0);
	close(fd);
}

void tap_up(const char *name)
{
	for (int up = 0; up < 2; up++) {
		struct ifreq ifr = { .ifr_flags = up ? IFF_UP : 0 };

		g_strlcpy(ifr.ifr_name, name, IFNAMSIZ);
		assert_int_equal(net_control(SIOCSIFFLAGS, &ifr), 0);
	}
}

int tap_host_end(const char *name)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(EXPERIMENTAL),
				  .sll_ifindex = (int)if_nametoindex(name) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(EXPERIMENTAL));

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&ll, sizeof(ll)), 0);
	return fd;
}
