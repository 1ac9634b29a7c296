/*
 * The guest's RAM: one mapping, anonymous or of a memfd that another process can map, too, seen by
 * the guest where its architecture has RAM (arch_ram()). Nothing of it is touched before the guest
 * or the loader needs it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/kvm/kvm.h"
#include "vmm/machine/memory.h"

struct ram {
	uint64_t size;
	size_t map_len; /* of the mapping, */
	void *map;      /* which begins before the first region and ends after the last one */
	int fd;         /* the memfd that it lies in, first region first; -1: none */
	struct memory memory;
};

/* @size is a multiple of 4096; @shared: in a memfd. False with a host error when the host lacks the
 * memory. */
bool ram_open(struct ram *ram, uint64_t size, bool shared, GError **err);
void ram_close(struct ram *ram);

/* Memory slots of the address space; those from here on are others'. */
#define RAM_SLOTS GMEM_REGIONS_MAX

/* Gives the memory, and what will be added to it, to the guest, each region as KVM's slot of its
 * number. 0 or -errno. */
int ram_plug(struct ram *ram, struct kvm *kvm);
