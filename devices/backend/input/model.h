/*
 * What an input device is: its name, the events it can send, the range of its axes. Numbers and
 * meanings are those of Linux's evdev (linux/input-event-codes.h); no virtio in here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/input.h>

#define INPUT_BITMAP_BYTES 128u /* bits of a type's codes; the largest, EV_KEY, takes 96 */
#define INPUT_NAME_BYTES   128u /* not terminated when full */

/* An event as evdev has it (EV_KEY, KEY_A, 1). */
struct input_ev {
	uint16_t type, code;
	int32_t value;
};

struct input_axis_info {
	int32_t min, max, fuzz, flat, resolution;
};

struct input_model {
	char name[INPUT_NAME_BYTES + 1], serial[INPUT_NAME_BYTES + 1];
	uint16_t bustype, vendor, product, version;
	uint8_t props[INPUT_BITMAP_BYTES];
	uint8_t bits[EV_CNT][INPUT_BITMAP_BYTES]; /* by type; a bit a code */
	struct input_axis_info axis[ABS_CNT];     /* of the codes in bits[EV_ABS] */
};

/* Devices made of nothing. */
enum input_kind { INPUT_KEYBOARD, INPUT_MOUSE, INPUT_TABLET, INPUT_MULTITOUCH, N_INPUT_KINDS };

#define INPUT_AXIS_MAX 0x7fff /* of a tablet's and a multitouch device's axes, which start at 0 */
#define INPUT_SLOTS    10     /* contacts of a multitouch device */

void input_model_of_kind(struct input_model *m, enum input_kind kind);

void input_model_add(struct input_model *m, unsigned type, unsigned code);
bool input_model_has(const struct input_model *m, unsigned type, unsigned code);
