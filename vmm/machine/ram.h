/*
 * The guest's RAM: one anonymous mapping, seen by the guest where its
 * architecture has RAM (arch_ram()). Nothing of it is touched before the guest or the loader needs
 * it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtqueue/gmem.h"
#include "vmm/kvm/kvm.h"

struct ram {
	uint64_t size;
	size_t map_len; /* of the mapping, */
	void *map;      /* which begins before the first region and ends after the last one */
	struct gmem mem;
};

/* @size is a multiple of 4096. False with a host error when the host lacks the memory. */
bool ram_open(struct ram *ram, uint64_t size, GError **err);
void ram_close(struct ram *ram);

/* Gives the memory to the guest, as slots 0 and 1. 0 or -errno. */
int ram_plug(const struct ram *ram, struct kvm *kvm);
