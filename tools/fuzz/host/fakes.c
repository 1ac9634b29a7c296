#include "tools/fuzz/host/fakes.h"

#include <unistd.h>

#include "tools/fuzz/host/fakes-int.h"

/* File-scope because the wrapped functions that make them have no argument of ours. */
static struct fakes *current;
static bool only;

void fakes_only(bool on)
{
	only = on;
}

bool fakes_real_too(void)
{
	return !only;
}

void fakes_collect(struct fakes *f)
{
	current = f;
}

#define TAKE(kind, type)                                              \
	bool fakes_take_##kind(type fake)                             \
	{                                                             \
		unsigned *n = current ? &current->n_##kind##s : NULL; \
                                                                      \
		if (!n || *n == FAKES_MAX)                            \
			return false;                                 \
		current->kind[(*n)++] = fake;                         \
		return true;                                          \
	}

TAKE(disk, struct fake_disk *)
TAKE(net, struct fake_net *)
TAKE(chr, struct fake_chr *)
TAKE(evdev, struct fake_evdev *)
TAKE(file, int)

static void fakes_forget_one(void **list, unsigned *n, const void *fake)
{
	for (unsigned i = 0; i < *n; i++)
		if (list[i] == fake)
			list[i] = list[--*n];
}

void fakes_forget(const void *fake)
{
	if (!current)
		return;
	fakes_forget_one((void **)current->disk, &current->n_disks, fake);
	fakes_forget_one((void **)current->net, &current->n_nets, fake);
	fakes_forget_one((void **)current->chr, &current->n_chrs, fake);
	fakes_forget_one((void **)current->evdev, &current->n_evdevs, fake);
}

void fakes_begin(struct fakes *f)
{
	for (unsigned i = 0; i < f->n_disks; i++)
		fake_disk_begin(f->disk[i]);
	for (unsigned i = 0; i < f->n_files; i++)
		fake_file_begin(f->file[i]);
	for (unsigned i = 0; i < f->n_nets; i++)
		fake_net_begin(f->net[i]);
	for (unsigned i = 0; i < f->n_chrs; i++)
		fake_chr_begin(f->chr[i]);
	for (unsigned i = 0; i < f->n_evdevs; i++)
		fake_evdev_begin(f->evdev[i]);
}

void fakes_end(struct fakes *f)
{
	while (f->n_files)
		close(f->file[--f->n_files]);
}
