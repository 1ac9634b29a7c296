/* The table behind --cpu: for cpuid.c and cpuid-model.c only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum cpuid_reg { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

struct cpuid_feature {
	const char *name; /* as in /proc/cpuinfo; those of KVM as in its documentation */
	uint32_t leaf, subleaf;
	enum cpuid_reg reg;
	uint8_t bit;
	const char *needs; /* the feature without which this one cannot be; or NULL */
};

extern const struct cpuid_feature cpuid_features[];
extern const unsigned cpuid_n_features;
