/* The names QMP has for keys, buttons and axes, as the numbers of Linux's evdev. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "devices/backend/input/model.h"

/* The key of a QKeyCode name ("a", "ret", "kp_5"); 0 if there is none. */
uint16_t control_key(const char *qcode);

/* The names, by number; NULL behind the last. */
const char *control_key_name(unsigned i);
const char *control_button_name(unsigned i);

/* The key of a number as QMP has it: a scan code of set 1, with 0x80 added if it is an extended
 * one; 0 if there is none. */
uint16_t control_key_number(int64_t number);

/* What pressing (@down) or releasing the button of that name ("left", "wheel-up") sends: *ret_n
 * events (0 or 1) in @ret. False if there is no such button. */
bool control_button(const char *name, bool down, struct input_ev *ret, unsigned *ret_n);
