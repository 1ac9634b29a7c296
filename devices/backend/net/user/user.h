/* The user backend's options, parsed: what guest and host are called on the network between them.
 */
#pragma once

#include <netinet/in.h>

#include "devices/backend/net/net.h"

struct user_net {
	struct in_addr net, mask;
	struct in_addr host, dns, guest; /* us, the name server, the first address DHCP gives */
};

struct user_forward {
	bool udp;
	struct in_addr host_addr, guest_addr; /* 0: any; the first DHCP gives */
	unsigned host_port, guest_port;
};

/* net=10.0.2.0/24 and dns=; NULL for their defaults. */
bool user_parse_net(const char *net, const char *dns, struct user_net *ret, GError **err);

/* hostfwd=[tcp|udp]:[HOST-ADDRESS]:HOST-PORT-[GUEST-ADDRESS]:GUEST-PORT */
bool user_parse_forward(const char *text, struct user_forward *ret, GError **err);

/* Can @f, which was @text, lead to a guest of @net? */
bool user_check_forward(const char *text, const struct user_forward *f, const struct user_net *net,
			GError **err);
