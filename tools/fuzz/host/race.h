/*
 * A driver on another processor, that changes memory while a device looks at it: the bug this finds
 * is the double fetch, a value that is judged and then read again.
 *
 * The compiler calls us before each load of virtqueue/ (trace-loads; the fuzz build asks for it),
 * and the sanitizer's memcpy is wrapped. Once armed, the n-th load from the guest's memory of a
 * word that was loaded before finds something else there. So it is one thread, and the same each
 * time.
 *
 * The same calls count the work: a device that loads for ever is stopped, and said to.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

void race_begin(void); /* a run begins: nothing is armed */

/* The repeated load @n from now finds the word changed as @how says, with @value. */
void race_arm(unsigned n, unsigned how, uint64_t value);

/* While the device works, and only then, loads count. Each spell of work has its own allowance. */
void race_live(bool on);
