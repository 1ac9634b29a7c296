#include "tools/bench/command.h"

#include <errno.h>
#include <string.h>

#include "devices/base/error.h"

static gboolean command_on_axis(const char *name, const char *value, gpointer data, GError **err)
{
	const struct bench_choosing *c = data;

	for (unsigned i = 0; i < c->n; i++)
		if (strcmp(c->axes[i].option, name + 2) == 0)
			return bench_choice_parse(&c->axes[i], value, &c->choices[i], err);
	return ringside_usage(err, "%s: unknown option", name);
}

static void command_add_axes(GOptionGroup *group, const struct bench_choosing *c)
{
	GOptionEntry entries[N_AXES + 1] = { 0 }; /* no other benchmark has more */

	g_assert(c->n <= N_AXES);
	for (unsigned i = 0; i < c->n; i++)
		entries[i] = (GOptionEntry){
			.long_name = c->axes[i].option,
			.arg = G_OPTION_ARG_CALLBACK,
			.arg_data = (gpointer)command_on_axis,
			.description = c->axes[i].help,
			.arg_description = c->takes[i],
		};
	g_option_group_add_entries(group, entries); /* copies them */
}

GOptionContext *bench_options(const struct bench_choosing *c, const GOptionEntry *rest,
			      bool axes_first)
{
	GOptionContext *context = g_option_context_new(NULL);
	GOptionGroup *group = g_option_group_new("bench", NULL, NULL, (gpointer)c, NULL);

	if (axes_first)
		command_add_axes(group, c);
	g_option_group_add_entries(group, rest);
	if (!axes_first)
		command_add_axes(group, c);
	g_option_context_set_main_group(context, group);
	g_option_context_set_help_enabled(context, FALSE);
	return context;
}

void bench_print_help(FILE *out, GOptionContext *context, const char *head)
{
	g_autofree char *text = g_option_context_get_help(context, TRUE, NULL);
	const char *options = strstr(text, "\n\n");

	fprintf(out, "%s\n%s", head, options ? options + 1 : "");
}

bool bench_check_limits(const struct bench_limits *l, int rounds_max, int time_max_ms, GError **err)
{
	if (l->json && l->csv)
		return ringside_usage(err, "--csv: not together with --json");
	if (l->rounds < 1 || l->rounds > rounds_max)
		return ringside_usage(err, "--rounds %d: it takes 1 to %d", l->rounds, rounds_max);
	if (l->time_ms < 1 || l->time_ms > time_max_ms)
		return ringside_usage(err, "--time %d: it takes 1 to %d ms", l->time_ms,
				      time_max_ms);
	if (l->limit_s < 1)
		return ringside_usage(err, "--limit %d: it takes a number of seconds", l->limit_s);
	return true;
}

bool bench_next_combination(unsigned *count, const unsigned *n, unsigned axes)
{
	while (axes--) {
		if (++count[axes] < n[axes])
			return true;
		count[axes] = 0;
	}
	return false;
}

bool bench_written(FILE *out, GError **err)
{
	if (fflush(out) != 0 || ferror(out))
		return ringside_error_errno(err, errno, "bench: writing the results");
	return true;
}
