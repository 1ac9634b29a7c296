/*
 * The sockets that libslirp has, and what they cost: descriptors, memory, places among the flows.
 *
 * libslirp has no bounds of its own. How many sockets there may be is decided when the backend is
 * opened, by the descriptors that the process may have; whether another may come, each time one
 * would: the host's connections wait in a listening socket while there is no room, and the guest's
 * are not passed on (frame-filter.h, flow.h).
 *
 * A library that asks for memory and gets none ends the process. So it is looked, every
 * USER_RESERVE_STEP bytes that libslirp may have come to keep, whether the process could still have
 * USER_RESERVE.
 */
#include "devices/backend/net/user/user-impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <slirp/libslirp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "devices/base/error.h"

/*
 * Memory.
 */

/* Can the process take USER_RESERVE more? Its limit may be lower than the host has. */
static bool user_has_reserve(void)
{
	void *p = mmap(NULL, USER_RESERVE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	if (p == MAP_FAILED)
		return false;
	munmap(p, USER_RESERVE);
	return true;
}

bool user_has_room(struct user *u, size_t bytes)
{
	u->unseen += bytes;
	if (u->low || u->unseen >= USER_RESERVE_STEP) {
		u->low = !user_has_reserve();
		u->unseen = bytes;
	}
	return !u->low;
}

/*
 * What the host connects to.
 */
/* Of which forward is @fd, which has just been accepted? */
static const struct user_forward *user_forward_of(const struct user *u, int fd)
{
	struct sockaddr_in here = { .sin_family = AF_UNSPEC };
	socklen_t len = sizeof(here);

	if (getsockname(fd, (struct sockaddr *)&here, &len) < 0)
		return NULL;
	for (guint i = 0; i < u->forwards->len; i++) {
		const struct user_forward *f = &g_array_index(u->forwards, struct user_forward, i);

		if (!f->udp && f->host_port == ntohs(here.sin_port) &&
		    (f->host_addr.s_addr == INADDR_ANY ||
		     f->host_addr.s_addr == here.sin_addr.s_addr))
			return f;
	}
	return NULL;
}

static struct net_flow_key user_key_of_forward(const struct user_forward *f)
{
	struct net_flow_key key = { .version = 4,
				    .protocol = f->udp ? NET_UDP : NET_TCP,
				    .guest_port = (uint16_t)f->guest_port };

	memcpy(key.guest, &f->guest_addr, sizeof(f->guest_addr));
	return key;
}

/* Who connected, as the guest will see it. */
static bool user_key_of_peer(const struct user *u, int fd, struct net_flow_key *ret)
{
	const struct user_forward *f = user_forward_of(u, fd);
	struct sockaddr_in peer = { .sin_family = AF_UNSPEC };
	socklen_t len = sizeof(peer);
	struct in_addr seen;

	if (!f || getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
		return false;
	seen = peer.sin_addr;
	if (ntohl(seen.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET)
		seen = u->filter.host;
	*ret = user_key_of_forward(f);
	ret->peer_port = ntohs(peer.sin_port);
	memcpy(ret->peer, &seen, sizeof(seen));
	return true;
}

bool user_add_forward(struct user *u, const struct user_net *net, const char *text, GError **err)
{
	struct user_forward f;

	if (!user_parse_forward(text, &f, err) || !user_check_forward(text, &f, net, err))
		return false;
	if (!f.guest_addr.s_addr)
		f.guest_addr = net->guest;
	if (slirp_add_hostfwd(u->slirp, f.udp, f.host_addr, (int)f.host_port, f.guest_addr,
			      (int)f.guest_port) == 0) {
		struct net_flow_key key = user_key_of_forward(&f);

		g_array_append_val(u->forwards, f);
		if (f.udp)
			g_array_append_val(u->flows.listening, key);
		return true;
	}
	return ringside_error_errno(err, errno, "--device net,hostfwd=%s: port %u of the host",
				    text, f.host_port);
}

int user_note_listener(int fd, int wants, void *opaque)
{
	struct user *u = opaque;
	int listens = 0;
	socklen_t len = sizeof(listens);

	(void)wants;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && listens)
		g_array_append_val(u->listeners, fd);
	return -1;
}

bool user_is_listener(const struct user *u, int fd)
{
	for (guint i = 0; i < u->listeners->len; i++)
		if (g_array_index(u->listeners, int, i) == fd)
			return true;
	return false;
}

bool user_can_accept(struct user *u)
{
	return !net_flows_full(&u->flows) && !u->accept_at && user_has_room(u, NET_FLOW_SOCKET);
}

/*
 * Descriptors.
 */
void user_socket_opened(int fd, void *opaque)
{
	struct user *u = opaque;
	struct net_flow_key key;
	bool from_host = !u->flows.opening;

	if (fd < 0)
		return;
	u->accepted += from_host;
	net_flows_opened(&u->flows, fd, from_host && user_key_of_peer(u, fd, &key) ? &key : NULL);
}

void user_socket_closed(int fd, void *opaque)
{
	struct user *u = opaque;

	net_flows_closed(&u->flows, fd);
}

unsigned user_take_descriptors(void)
{
	struct rlimit old, new;
	rlim_t more;

	if (getrlimit(RLIMIT_NOFILE, &old) < 0)
		return NET_FLOWS_MAX / 4;
	new = old;
	new.rlim_cur = MIN(old.rlim_max, old.rlim_cur + NET_FLOWS_MAX);
	if (new.rlim_cur < old.rlim_cur || setrlimit(RLIMIT_NOFILE, &new) < 0)
		new = old;
	more = MAX(new.rlim_cur - old.rlim_cur, old.rlim_cur / 4);
	return (unsigned)MIN(more, NET_FLOWS_MAX);
}
