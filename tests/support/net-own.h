/* A network of the test's own, in which it may make taps whoever runs it. */
#pragma once

#include <stdbool.h>

/* Moves the process there, before it has threads. False (and said) if this system does not allow
 * it. */
bool own_network(void);

/* A descriptor of a tap with IFF_* @flags. */
int tap_open(const char *name, int flags);

/* As `ip tuntap add` and `ip tuntap del`. */
void tap_make(const char *name, int flags);
void tap_remove(const char *name, int flags);

/* As `ip link set down` and `up`, after the tap was opened. An interface that is up already gets
 * its carrier back when a worker of the kernel's comes to it; until then frames that a test sends
 * are dropped without an error. */
void tap_up(const char *name);

/* What the host's end of the link sends and sees, of the ethertype of frame_plain(). */
int tap_host_end(const char *name);

/* An ioctl() on a socket. */
int net_control(unsigned long request, void *arg);
