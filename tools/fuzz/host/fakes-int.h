/* What the fakes' files share. */
#pragma once

#include <glib.h>

#include "devices/base/error.h"
#include "tools/fuzz/host/fakes.h"

/* Into the fixture that is being made. False: it has enough of them. */
bool fakes_take_disk(struct fake_disk *d);
bool fakes_take_net(struct fake_net *n);
bool fakes_take_chr(struct fake_chr *c);
bool fakes_take_evdev(struct fake_evdev *e);
bool fakes_take_file(int fd);
bool fakes_real_too(void);           /* not fakes_only() */
void fakes_forget(const void *fake); /* it is being closed */

/* A run begins. */
void fake_disk_begin(struct fake_disk *d);
void fake_file_begin(int fd);
void fake_net_begin(struct fake_net *n);
void fake_chr_begin(struct fake_chr *c);
void fake_evdev_begin(struct fake_evdev *e);

#define FAKE_DISK_BYTES 0x10000u

struct blk_file_options;
struct blk_backend *real_disk_new(const struct blk_file_options *o, GError **err);
struct blk_backend *fakes_real_blk_file_open(const struct blk_file_options *o, GError **err);
