/*
 * Inputs to begin with: what a sound driver does with each device, over each link; good kernels;
 * polite clients. For a target that has none of its own (a new device) there is a sound driver that
 * sends bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef bool (*seed_save_fn)(const char *dir, const uint8_t *data, size_t len);

/* Calls @save(dir, data, len) for each seed of @target. False if one could not be saved. */
bool seeds_write(const char *target, const char *dir, seed_save_fn save);
