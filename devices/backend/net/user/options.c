#include "devices/backend/net/user/user.h"

#include <arpa/inet.h>
#include <string.h>

#include "devices/base/error.h"

/* The addresses within the network, as QEMU's users know them. */
#define HOST_NUMBER  2u
#define DNS_NUMBER   3u
#define GUEST_NUMBER 15u
#define PREFIX_MIN   8u
#define PREFIX_MAX   27u /* so that GUEST_NUMBER is in it */

static struct in_addr net_user_nth_address(struct in_addr net, uint32_t n)
{
	return (struct in_addr){ .s_addr = htonl(ntohl(net.s_addr) + n) };
}

/* Not this host, loopback, multicast or reserved: no guest's stack would take an address of those.
 */
static bool net_user_is_unicast(struct in_addr net)
{
	uint32_t first = ntohl(net.s_addr) >> 24;

	return first != 0 && first != 127 && first < 224;
}

static bool net_user_parse_prefix(const char *text, struct user_net *net)
{
	g_auto(GStrv) parts = g_strsplit(text, "/", 2);
	unsigned prefix;

	if (!parts[0] || !parts[1] || inet_pton(AF_INET, parts[0], &net->net) != 1 ||
	    !net_parse_number(parts[1], PREFIX_MIN, PREFIX_MAX, &prefix))
		return false;
	net->mask.s_addr = htonl(~0u << (32 - prefix));
	return net_user_is_unicast(net->net) && !(net->net.s_addr & ~net->mask.s_addr);
}

bool user_parse_net(const char *net, const char *dns, struct user_net *ret, GError **err)
{
	if (!net_user_parse_prefix(net ? net : "10.0.2.0/24", ret))
		return ringside_usage(
			err,
			"--device net,net=%s: not a network of hosts; it takes one with a prefix "
			"of %u to %u bits, as 10.0.2.0/24",
			net, PREFIX_MIN, PREFIX_MAX);
	ret->host = net_user_nth_address(ret->net, HOST_NUMBER);
	ret->dns = net_user_nth_address(ret->net, DNS_NUMBER);
	ret->guest = net_user_nth_address(ret->net, GUEST_NUMBER);
	if (!dns)
		return true;
	if (inet_pton(AF_INET, dns, &ret->dns) != 1 ||
	    (ret->dns.s_addr & ret->mask.s_addr) != ret->net.s_addr ||
	    ret->dns.s_addr == ret->host.s_addr || ret->dns.s_addr == ret->guest.s_addr)
		return ringside_usage(
			err,
			"--device net,dns=%s: not a free address of the guest's "
			"network; the name server is at number %u unless told otherwise",
			dns, DNS_NUMBER);
	return true;
}

/* "[ADDRESS]:PORT" */
static bool net_user_parse_end(const char *text, struct in_addr *addr, unsigned *port)
{
	g_auto(GStrv) parts = g_strsplit(text, ":", 0);

	*addr = (struct in_addr){ 0 };
	return g_strv_length(parts) == 2 &&
	       (!*parts[0] || inet_pton(AF_INET, parts[0], addr) == 1) &&
	       net_parse_number(parts[1], 1, UINT16_MAX, port);
}

static bool net_user_parse_forward(const char *text, struct user_forward *ret)
{
	const char *colon = strchr(text, ':');
	g_autofree char *proto = colon ? g_strndup(text, (gsize)(colon - text)) : NULL;
	g_auto(GStrv) ends = g_strsplit(colon ? colon + 1 : "", "-", 0);

	if (!proto || g_strv_length(ends) != 2)
		return false;
	ret->udp = strcmp(proto, "udp") == 0;
	if (!ret->udp && *proto && strcmp(proto, "tcp") != 0)
		return false;
	return net_user_parse_end(ends[0], &ret->host_addr, &ret->host_port) &&
	       net_user_parse_end(ends[1], &ret->guest_addr, &ret->guest_port);
}

bool user_parse_forward(const char *text, struct user_forward *ret, GError **err)
{
	if (net_user_parse_forward(text, ret))
		return true;
	return ringside_usage(err,
			      "--device net,hostfwd=%s: not valid; it takes tcp|udp:[HOST-ADDRESS]:"
			      "HOST-PORT-[GUEST-ADDRESS]:GUEST-PORT, as tcp::2222-:22",
			      text);
}

bool user_check_forward(const char *text, const struct user_forward *f, const struct user_net *net,
			GError **err)
{
	if (!f->guest_addr.s_addr || (f->guest_addr.s_addr & net->mask.s_addr) == net->net.s_addr)
		return true;
	return ringside_usage(err,
			      "--device net,hostfwd=%s: the guest's address is outside its network "
			      "(net=); without one it is the first that DHCP gives",
			      text);
}
