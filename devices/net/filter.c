#include "devices/net/filter.h"

#include <string.h>

void net_filter_init(struct net_filter *f, const uint8_t *mac, bool by_address, bool by_vlan)
{
	*f = (struct net_filter){ .by_address = by_address, .by_vlan = by_vlan };
	if (mac)
		net_filter_own(f, mac);
}

void net_filter_own(struct net_filter *f, const uint8_t mac[6])
{
	memcpy(f->mac, mac, 6);
	f->has_mac = true;
}

void net_filter_vlan(struct net_filter *f, unsigned id, bool on)
{
	uint8_t bit = (uint8_t)(1u << (id % 8));

	f->vlans[id / 8] = on ? f->vlans[id / 8] | bit : f->vlans[id / 8] & (uint8_t)~bit;
}

static bool net_filter_vlan_passes(const struct net_filter *f, const uint8_t *frame, size_t len)
{
	unsigned id;

	if (!f->by_vlan || len < 18 || frame[12] != 0x81 || frame[13] != 0x00)
		return true;
	id = (frame[14] & 0x0fu) << 8 | frame[15];
	return f->vlans[id / 8] & 1u << (id % 8);
}

static bool net_filter_listed(const struct net_filter *f, const uint8_t *mac)
{
	for (unsigned i = 0; i < f->n_macs; i++)
		if (memcmp(f->macs[i], mac, 6) == 0)
			return true;
	return false;
}

static bool net_filter_unicast_passes(const struct net_filter *f, const uint8_t *mac)
{
	if (!f->by_address || !f->has_mac || f->alluni || f->many_uni)
		return true;
	return memcmp(mac, f->mac, 6) == 0 || net_filter_listed(f, mac);
}

static bool net_filter_multicast_passes(const struct net_filter *f, const uint8_t *mac)
{
	return !f->by_address || f->allmulti || f->many_multi || net_filter_listed(f, mac);
}

/* What suppresses a kind comes before what lets it through. */
static bool net_filter_address_passes(const struct net_filter *f, const uint8_t *mac)
{
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (memcmp(mac, broadcast, 6) == 0)
		return !f->nobcast;
	if (mac[0] & 1)
		return !f->nomulti && net_filter_multicast_passes(f, mac);
	return !f->nouni && net_filter_unicast_passes(f, mac);
}

bool net_filter_pass(const struct net_filter *f, const uint8_t *frame, size_t len)
{
	return f->promisc ||
	       (net_filter_address_passes(f, frame) && net_filter_vlan_passes(f, frame, len));
}
