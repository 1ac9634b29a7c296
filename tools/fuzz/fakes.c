#include "tools/fuzz/fakes.h"

#include "tools/fuzz/fakes-int.h"

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

#define TAKE(kind)                                                    \
	bool fakes_take_##kind(struct fake_##kind *fake)              \
	{                                                             \
		unsigned *n = current ? &current->n_##kind##s : NULL; \
                                                                      \
		if (!n || *n == FAKES_MAX)                            \
			return false;                                 \
		current->kind[(*n)++] = fake;                         \
		return true;                                          \
	}

TAKE(disk)
TAKE(net)
TAKE(chr)
TAKE(evdev)

static void forget(void **list, unsigned *n, const void *fake)
{
	for (unsigned i = 0; i < *n; i++)
		if (list[i] == fake)
			list[i] = list[--*n];
}

void fakes_forget(const void *fake)
{
	if (!current)
		return;
	forget((void **)current->disk, &current->n_disks, fake);
	forget((void **)current->net, &current->n_nets, fake);
	forget((void **)current->chr, &current->n_chrs, fake);
	forget((void **)current->evdev, &current->n_evdevs, fake);
}

void fakes_begin(struct fakes *f)
{
	for (unsigned i = 0; i < f->n_disks; i++)
		fake_disk_begin(f->disk[i]);
	for (unsigned i = 0; i < f->n_nets; i++)
		fake_net_begin(f->net[i]);
	for (unsigned i = 0; i < f->n_chrs; i++)
		fake_chr_begin(f->chr[i]);
}
