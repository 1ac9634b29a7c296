/* A network by its spec. */
#include <string.h>

#include "devices/backend/net/net.h"
#include "devices/backend/open.h"
#include "devices/base/error.h"

/* The option that a kind's argument stands for; NULL: it takes none. */
static char **net_argument_of(struct net_options *opt, unsigned kind)
{
	switch (kind) {
	case NET_TAP:
		return &opt->ifname;
	case NET_SOCKET:
		return &opt->path;
	default:
		return NULL;
	}
}

static bool net_take_kind(struct net_options *opt, const char *kind, GError **err)
{
	g_auto(GStrv) parts = g_strsplit(kind, ":", 2);
	g_autofree char *all = NULL;
	char **into;

	for (opt->kind = 0; opt->kind < N_NET_KINDS; opt->kind++)
		if (parts[0] && strcmp(parts[0], net_kind_names[opt->kind]) == 0)
			break;
	into = net_argument_of(opt, opt->kind);
	if (opt->kind == N_NET_KINDS || (parts[1] && (!into || !*parts[1]))) {
		all = g_strjoinv("|", (char **)net_kind_names);
		return ringside_usage(err,
				      "--device net,backend=%s: not valid; it takes %s, "
				      "tap:IFNAME or socket:PATH",
				      kind, all);
	}
	if (!parts[1])
		return true;
	if (*into)
		return ringside_usage(err, "--device net,backend=%s: '%s' is given, too", kind,
				      *into);
	*into = g_strdup(parts[1]);
	return true;
}

struct put {
	const struct backend_spec *spec;
	struct net_backend *be;
};

/* On the backend's loop. */
static void net_put_wrappers(void *arg)
{
	struct put *p = arg;

	for (guint i = p->spec->links->len; i > 0; i--) {
		const struct backend_link *link = &g_array_index(p->spec->links,
								 struct backend_link, i - 1);

		p->be = link->wrapper->net(p->be, link->options);
	}
}

struct net_backend *net_spec_open(const char *spec, struct net_options *opt, struct loop *loop,
				  const struct net_events *events, void *opaque,
				  const struct backend_wrapper *const *more, GError **err)
{
	g_autofree char *context = g_strdup_printf("--device net,backend=%s", spec);
	struct backend_spec s;
	struct put put = { &s, NULL };

	if (!backend_spec_parse(&s, spec, BACKEND_NET, more, context, err))
		return NULL;
	if (net_take_kind(opt, s.kind, err))
		put.be = net_backend_open(opt, loop, events, opaque, err);
	if (put.be && s.links->len)
		loop_call(loop, net_put_wrappers, &put);
	backend_spec_clear(&s);
	return put.be;
}
