/*
 * What devices talk to on the host, in the input's hands: a disk in memory whose requests end when
 * and how the input says, a link whose other end it is, streams of bytes, a keyboard. They take the
 * place of blk_file_open(), net_backend_open(), chr_open() and input_evdev_*() (by --wrap), belong
 * to the fixture that is being made, and hold the devices to the seams' contracts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "devices/backend/input/model.h"
#include "devices/backend/net/net.h"
#include "tools/fuzz/language/input.h"

#define FAKES_MAX 8u /* of a kind in one fixture */

struct fake_disk;
struct fake_net;
struct fake_chr;
struct fake_evdev;

struct fakes {
	struct fake_disk *disk[FAKES_MAX];
	struct fake_net *net[FAKES_MAX];
	struct fake_chr *chr[FAKES_MAX];
	struct fake_evdev *evdev[FAKES_MAX];
	int file[FAKES_MAX]; /* behind a disk of the project's own: descriptors of memory */
	unsigned n_disks, n_nets, n_chrs, n_evdevs, n_files;
};

/* Those that are made from now on belong to @f. */
void fakes_collect(struct fakes *f);

/* While on, nothing is the project's own, whatever the specification says. */
void fakes_only(bool on);

/* A run begins: contents, connections and policies as at first. */
void fakes_begin(struct fakes *f);

/* The devices they belong to are gone. */
void fakes_end(struct fakes *f);

/* How requests to a disk end. */
enum disk_policy {
	DISK_AT_ONCE, /* in submit() */
	DISK_AT_FLUSH,
	DISK_HELD, /* when the input says so; a few are in the host's hand until then */
	DISK_FAILS,
	N_DISK_POLICIES,
};
void fake_disk_policy(struct fake_disk *d, enum disk_policy policy);
/* Ends request @n (modulo how many there are) with @result, 0 or an errno. */
void fake_disk_end(struct fake_disk *d, unsigned n, int result);
unsigned fake_disk_pending(const struct fake_disk *d);

/* A frame arrives. */
void fake_net_frame(struct fake_net *n, unsigned channel, struct input frame, uint32_t extra,
		    const struct net_offload *off);
void fake_net_link(struct fake_net *n, bool up);
/* The next @busy sends are to be tried again, the @lost after them fail; then writable() is told.
 */
void fake_net_busy(struct fake_net *n, unsigned busy, unsigned lost);
void fake_net_writable(struct fake_net *n, unsigned channel);
void fake_net_echo(struct fake_net *n, bool on); /* every frame comes back at once */

/* Somebody at the other end of a stream sends, comes, goes, makes room, changes the window. */
void fake_chr_bytes(struct fake_chr *c, struct input bytes);
void fake_chr_connect(struct fake_chr *c, bool on);
void fake_chr_room(struct fake_chr *c, uint32_t room);
void fake_chr_size(struct fake_chr *c, uint16_t cols, uint16_t rows);
void fake_chr_trouble(struct fake_chr *c);

/* A device of the host's has an event, or is unplugged. */
void fake_evdev_event(struct fake_evdev *e, const struct input_ev *ev);
void fake_evdev_gone(struct fake_evdev *e);
