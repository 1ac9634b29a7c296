/*
 * What happens, in words, for build/fuzz/replay, which also tells by it whether two runs are the
 * same. A fuzzer has no use for it, and then a line costs one branch. (Also for guest-fw, which has
 * no libc and tells it on its serial port.)
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct trace {
	bool on;
	FILE *to;
};

extern struct trace trace_now;

void trace_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Arguments must have no effect: they are not looked at when nobody listens. */

#define trace(...)                                     \
	do {                                           \
		if (__builtin_expect(trace_now.on, 0)) \
			trace_line(__VA_ARGS__);       \
	} while (0)

void trace_into(FILE *to);
void trace_end(void);

/* An oracle's verdict: says it and aborts, which the fuzzers take for a crash. */
_Noreturn void fuzz_bug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
