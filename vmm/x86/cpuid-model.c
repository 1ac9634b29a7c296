/*
 * --cpu: which features the guest does not get to see.
 */
#include <string.h>

#include "devices/base/error.h"
#include "vmm/x86/cpuid-features.h"
#include "vmm/x86/cpuid.h"

static int find_feature(const char *name)
{
	for (unsigned i = 0; i < cpuid_n_features; i++) {
		if (strcmp(cpuid_features[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

static bool is_masked(const struct cpu_model *model, unsigned i)
{
	return model->masked[i / 64] >> i % 64 & 1;
}

static void feature_mask(struct cpu_model *model, unsigned i)
{
	model->masked[i / 64] |= 1ull << i % 64;
}

/* Masks what needs something masked, until nothing is left to do. */
static void mask_dependents(struct cpu_model *model)
{
	bool again;

	do {
		again = false;
		for (unsigned i = 0; i < cpuid_n_features; i++) {
			const char *needs = cpuid_features[i].needs;

			if (!needs || is_masked(model, i) || cpuid_model_has(model, needs))
				continue;
			feature_mask(model, i);
			again = true;
		}
	} while (again);
}

bool cpuid_model_has(const struct cpu_model *model, const char *name)
{
	int i = find_feature(name);

	return i >= 0 && !(model && is_masked(model, (unsigned)i));
}

/* How many letters must change, come or go to make @a of @b (Levenshtein's distance). */
static unsigned feature_distance(const char *a, const char *b)
{
	unsigned row[64], len = (unsigned)MIN(strlen(b), G_N_ELEMENTS(row) - 1);

	for (unsigned j = 0; j <= len; j++)
		row[j] = j;
	for (unsigned i = 0; a[i]; i++) {
		unsigned diagonal = row[0];

		row[0] = i + 1;
		for (unsigned j = 1; j <= len; j++) {
			unsigned replaced = diagonal + (a[i] != b[j - 1]);

			diagonal = row[j];
			row[j] = MIN(replaced, MIN(row[j], row[j - 1]) + 1);
		}
	}
	return row[len];
}

static const char *nearest(const char *name)
{
	unsigned best = 0, least = UINT32_MAX;

	for (unsigned i = 0; i < cpuid_n_features; i++) {
		unsigned d = feature_distance(name, cpuid_features[i].name);

		if (d < least) {
			least = d;
			best = i;
		}
	}
	return cpuid_features[best].name;
}

static bool parse_item(const char *item, struct cpu_model *model, GError **err)
{
	int i;

	if (*item == '+')
		return ringside_usage(err,
				      "--cpu: '%s': features can only be removed; give "
				      "'-%s', or nothing to keep it",
				      item, item + 1);
	if (*item != '-')
		return ringside_usage(err,
				      "--cpu: '%s' is not understood; give 'host' or "
				      "'host,-FEATURE,...' ('--cpu help' lists them)",
				      item);
	i = find_feature(item + 1);
	if (i < 0)
		return ringside_usage(err,
				      "--cpu: there is no feature '%s'; did you mean '%s'? "
				      "('--cpu help' lists them)",
				      item + 1, nearest(item + 1));
	feature_mask(model, (unsigned)i);
	return true;
}

bool cpuid_parse_model(const char *text, struct cpu_model *ret_model, GError **err)
{
	g_auto(GStrv) items = g_strsplit(text, ",", -1);
	struct cpu_model model = { 0 };

	if (!items[0] || strcmp(items[0], "host") != 0)
		return ringside_usage(err,
				      "--cpu: there is no model '%s'; give 'host' or "
				      "'host,-FEATURE,...'",
				      items[0] ? items[0] : "");
	for (unsigned i = 1; items[i]; i++) {
		if (!parse_item(items[i], &model, err))
			return false;
	}
	mask_dependents(&model);
	*ret_model = model;
	return true;
}

void cpuid_print_help(FILE *out)
{
	static const char *const regs[] = { "eax", "ebx", "ecx", "edx" };

	fprintf(out, "--cpu host             the host's processor, as far as KVM supports it\n"
		     "--cpu host,-NAME,...   the same without these features, and without what\n"
		     "                       needs them:\n\n"
		     "  NAME                  leaf        reg bit  needs\n");
	for (unsigned i = 0; i < cpuid_n_features; i++) {
		const struct cpuid_feature *f = &cpuid_features[i];
		g_autofree char *leaf = f->subleaf ? g_strdup_printf("%#x.%u", f->leaf, f->subleaf)
						   : g_strdup_printf("%#x", f->leaf);

		fprintf(out, "  %-21s %-11s %s  %2u%s%s\n", f->name, leaf, regs[f->reg], f->bit,
			f->needs ? "  " : "", f->needs ? f->needs : "");
	}
}
