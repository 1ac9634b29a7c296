/*
 * A fuzz target: bytes in, and whatever is wrong aborts (a sanitizer's report or fuzz_bug()).
 * main.c gives it to libFuzzer and AFL++, replay.c to a reader.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fuzz_target {
	char *name;
	/* Runs one input. @arg distinguishes targets of a family. */
	void (*run)(const struct fuzz_target *t, const uint8_t *data, size_t size);
	const void *arg;
	bool packed;
};

/* All targets, a new device's among them: of struct fuzz_target. Made once. */
GPtrArray *fuzz_targets(void);

/* The one whose name is the last part of @path ("build/fuzz/blk-split" too), or NULL. */
const struct fuzz_target *fuzz_target_find(const char *path);

/* What every program does before it runs any. */
void fuzz_init(void);

/* The families' runs. */
void fuzz_device_run(const struct fuzz_target *t, const uint8_t *data, size_t size);
void fuzz_ring_run(const struct fuzz_target *t, const uint8_t *data, size_t size);
void fuzz_driver_run(const struct fuzz_target *t, const uint8_t *data, size_t size);
void fuzz_bus_run(const struct fuzz_target *t, const uint8_t *data, size_t size);
void fuzz_control_run(const struct fuzz_target *t, const uint8_t *data, size_t size);
void fuzz_boot_run(const struct fuzz_target *t, const uint8_t *data, size_t size);
void fuzz_options_run(const struct fuzz_target *t, const uint8_t *data, size_t size);
void fuzz_acpi_run(const struct fuzz_target *t, const uint8_t *data, size_t size);
void fuzz_ports_run(const struct fuzz_target *t, const uint8_t *data, size_t size);
void fuzz_state_run(const struct fuzz_target *t, const uint8_t *data, size_t size);
void fuzz_front_end_run(const struct fuzz_target *t, const uint8_t *data, size_t size);
void fuzz_back_end_run(const struct fuzz_target *t, const uint8_t *data, size_t size);
void fuzz_vfio_user_run(const struct fuzz_target *t, const uint8_t *data, size_t size);
void fuzz_net_run(const struct fuzz_target *t, const uint8_t *data, size_t size);
