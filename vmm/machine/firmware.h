/*
 * Firmware: a flat image that the guest finds, read-only, where its first processor starts (an
 * architecture's arch_firmware_place()). What else it finds is the architecture's: arch_load().
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/kvm/kvm.h"
#include "vmm/machine/ram.h"

/* KVM's slot for it; others' begin behind. */
#define FIRMWARE_SLOT RAM_SLOTS

struct firmware {
	void *image; /* NULL: there is none */
	uint64_t size;
	uint64_t gpa; /* of its first byte */
};

/* Reads @path. False with an error that names the option. */
bool firmware_open(struct firmware *f, const char *path, GError **err);
void firmware_close(struct firmware *f);

/* Shows it to the guest, if there is one. False with a host error. */
bool firmware_plug(const struct firmware *f, struct kvm *kvm, GError **err);
