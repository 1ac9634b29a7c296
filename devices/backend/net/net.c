/* What network backends share: choosing one by its kind, and the check that an option belongs to
 * the chosen kind. */
#include "devices/backend/net/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/base/error.h"

const char *const net_kind_names[] = {
	[NET_USER] = "user", [NET_TAP] = "tap",    [NET_SOCKET] = "socket",
	[NET_NULL] = "null", [N_NET_KINDS] = NULL,
};

static const net_open_fn openers[] = {
	[NET_USER] = net_user_open,
	[NET_TAP] = net_tap_open,
	[NET_SOCKET] = net_socket_open,
	[NET_NULL] = net_null_open,
};
G_STATIC_ASSERT(G_N_ELEMENTS(openers) == N_NET_KINDS);

/* An option given to a backend that has no use for it is a misunderstanding: say so. */
static bool net_check_belongs(const struct net_options *opt, GError **err)
{
	const struct {
		const char *key;
		bool given;
		enum net_kind kind;
	} rows[] = {
		{ "hostfwd", opt->hostfwd && opt->hostfwd->len, NET_USER },
		{ "net", opt->net, NET_USER },
		{ "dns", opt->dns, NET_USER },
		{ "hostname", opt->hostname, NET_USER },
		{ "restrict", opt->restricted, NET_USER },
		{ "ifname", opt->ifname, NET_TAP },
		{ "fd", opt->fds && opt->fds->len, NET_TAP },
		{ "queue-pairs", opt->n_channels > 1 && opt->kind != NET_NULL, NET_TAP },
		{ "path", opt->path, NET_SOCKET },
		{ "listen", opt->listen, NET_SOCKET },
		{ "generate", opt->generate, NET_NULL },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (rows[i].given && rows[i].kind != opt->kind)
			return ringside_usage(
				err, "--device net: '%s=' is for backend=%s, not backend=%s",
				rows[i].key, net_kind_names[rows[i].kind],
				net_kind_names[opt->kind]);
	return true;
}

struct net_backend *net_backend_open(const struct net_options *opt, struct loop *loop,
				     const struct net_events *events, void *opaque, GError **err)
{
	const struct net_backend common = {
		.events = events, .opaque = opaque, .loop = loop, .n_channels = 1
	};

	if (!net_check_belongs(opt, err))
		return NULL;
	return openers[opt->kind](opt, &common, err);
}

void net_backend_close(struct net_backend *be)
{
	if (be)
		be->ops->close(be);
}

size_t net_iov_len(const struct iovec *iov, unsigned n)
{
	size_t len = 0;

	for (unsigned i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len;
}

size_t net_gather(uint8_t *dst, const struct iovec *iov, unsigned n)
{
	size_t len = 0;

	for (unsigned i = 0; i < n; i++) {
		if (iov[i].iov_len > NET_FRAME_MAX - len)
			return 0;
		memcpy(dst + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	return len;
}

bool net_parse_number(const char *text, unsigned min, unsigned max, unsigned *ret)
{
	unsigned long v;
	char *end;

	if (!g_ascii_isdigit(*text))
		return false;
	errno = 0;
	v = strtoul(text, &end, 10);
	if (*end || errno || v < min || v > max)
		return false;
	*ret = (unsigned)v;
	return true;
}
