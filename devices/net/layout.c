#include "devices/net/layout.h"

#include <glib.h>

#define ETHERTYPE_AT   12u
#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_IPV6 0x86ddu
#define ETHERTYPE_VLAN 0x8100u
#define ETHERTYPE_QINQ 0x88a8u
#define VLAN_TAG       4u
#define TAGS_MAX       2u
#define EXTENSIONS_MAX 8u /* as many as a packet that means well has */

/* Protocols and IPv6 extension headers. */
enum {
	HOP_BY_HOP = 0,
	TCP = 6,
	UDP = 17,
	ROUTING = 43,
	FRAGMENT = 44,
	AUTHENTICATION = 51,
	DESTINATION = 60,
};

/* What is being looked at; all that is read of it is within. */
struct view {
	const uint8_t *frame;
	size_t len, at;
	bool fragment, first; /* the first fragment has the transport header */
};

static bool net_layout_has(const struct view *v, size_t bytes)
{
	return v->len - v->at >= bytes;
}

static unsigned net_layout_get16(const struct view *v, size_t off)
{
	const uint8_t *p = v->frame + v->at + off;

	return (unsigned)p[0] << 8 | p[1];
}

/* Steps over a header of @bytes that is known to be as long. False: the frame ends within it. */
static bool net_layout_step(struct view *v, size_t bytes)
{
	if (!net_layout_has(v, bytes))
		return false;
	v->at += bytes;
	return true;
}

static void net_layout_transport(struct view *v, unsigned protocol)
{
	if (protocol == UDP)
		(void)net_layout_step(v, 8);
	else if (protocol == TCP && net_layout_has(v, 20))
		(void)net_layout_step(v, MAX(20u, (v->frame[v->at + 12] >> 4) * 4u));
}

static void net_layout_ipv4(struct view *v)
{
	unsigned header, protocol, offset;

	if (!net_layout_has(v, 20))
		return;
	header = (v->frame[v->at] & 15u) * 4;
	protocol = v->frame[v->at + 9];
	offset = net_layout_get16(v, 6);
	v->fragment = offset & 0x3fff; /* its place, or more to come */
	v->first = !(offset & 0x1fff);
	if (net_layout_step(v, MAX(20u, header)) && v->first)
		net_layout_transport(v, protocol);
}

/* Bytes of the extension header @kind; 0: it is none, or cut off. */
static unsigned net_layout_extension(const struct view *v, unsigned kind)
{
	unsigned length;

	if (!net_layout_has(v, 8))
		return 0;
	length = v->frame[v->at + 1];

	switch (kind) {
	case HOP_BY_HOP:
	case ROUTING:
	case DESTINATION:
		return (length + 1) * 8;
	case FRAGMENT:
		return 8;
	case AUTHENTICATION:
		return (length + 2) * 4;
	default:
		return 0;
	}
}

static void net_layout_ipv6(struct view *v)
{
	unsigned kind, bytes;

	if (!net_layout_has(v, 40))
		return;
	kind = v->frame[v->at + 6];
	v->at += 40;
	v->first = true;
	for (unsigned i = 0; i < EXTENSIONS_MAX && (bytes = net_layout_extension(v, kind)); i++) {
		unsigned next = v->frame[v->at];

		if (kind == FRAGMENT) {
			v->fragment |= net_layout_get16(v, 2) &
				       0xfff9; /* its place, or more to come */
			v->first &= !(net_layout_get16(v, 2) & 0xfff8);
		}
		if (!net_layout_step(v, bytes))
			return;
		kind = next;
	}
	if (v->first)
		net_layout_transport(v, kind);
}

struct net_layout net_layout(const uint8_t *frame, size_t len)
{
	struct view v = { .frame = frame, .len = len, .at = ETHERTYPE_AT };
	unsigned type;

	for (unsigned i = 0; i < TAGS_MAX && net_layout_has(&v, 2 + VLAN_TAG); i++) {
		type = net_layout_get16(&v, 0);
		if (type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ)
			break;
		v.at += VLAN_TAG;
	}
	type = net_layout_get16(&v, 0);
	v.at += 2;
	if (type == ETHERTYPE_IPV4)
		net_layout_ipv4(&v);
	else if (type == ETHERTYPE_IPV6)
		net_layout_ipv6(&v);
	return (struct net_layout){ (uint16_t)MIN(v.at, UINT16_MAX), v.fragment };
}
