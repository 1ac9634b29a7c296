/*
 * The words of a command line before they are parsed: those that are no option are told here, as
 * GOption knows neither what else there is nor what the same thing is called elsewhere, and takes
 * "-cpu host" for "-c pu".
 */
#include <string.h>

#include "devices/base/error.h"
#include "devices/base/nearest.h"
#include "tools/cli/cli-int.h"
#include "vmm/machine/habits.h"

#define MORE "(ringside help lists all)"

struct words {
	const struct option *options;
	size_t n;
};

static const struct option *find_long(const struct words *w, const char *name, size_t len)
{
	for (size_t i = 0; i < w->n; i++)
		if (strlen(w->options[i].name) == len &&
		    strncmp(w->options[i].name, name, len) == 0)
			return &w->options[i];
	return NULL;
}

static const struct option *find_letter(const struct words *w, char letter)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->options[i].letter == letter)
			return &w->options[i];
	return NULL;
}

/* @name is @word without dashes and value. */
static bool unknown(const struct words *w, const char *word, const char *name, GError **err)
{
	struct nearest near = NEAREST(name);
	const char *here = habit_option(name);

	if (here)
		return ringside_usage(err, "%s: unknown option: %s " MORE, word, here);
	for (size_t i = 0; i < w->n; i++)
		nearest_try(&near, w->options[i].name);
	if (near.best)
		return ringside_usage(err, "%s: unknown option; did you mean --%s? " MORE, word,
				      near.best);
	return ringside_usage(err, "%s: unknown option " MORE, word);
}

/* "-name", of which there is none: letters stand alone here. */
static bool one_dash(const struct words *w, const char *word, const char *name, GError **err)
{
	const struct option *o = find_long(w, name, strlen(name));
	const struct option *letter = find_letter(w, name[0]);

	if (o)
		return ringside_usage(err, "%s: long options take two dashes: --%s%s%s", word,
				      o->name, cli_takes_word(o) ? " " : "", o->arg ? o->arg : "");
	if (letter && cli_takes_word(letter) && !g_ascii_isalpha(word[2]) && !habit_option(name))
		return ringside_usage(err, "%s: the value is a separate argument: -%c %s", word,
				      letter->letter, word + (word[2] == '=' ? 3 : 2));
	return unknown(w, word, name, err);
}

/* One word that begins with a dash. *@ret_takes: the next word is its value. */
static bool check_option(const struct words *w, const char *word, bool *ret_takes, GError **err)
{
	bool is_long = word[1] == '-';
	const char *at = word + (is_long ? 2 : 1);
	size_t len = strcspn(at, "=");
	g_autofree char *name = g_strndup(at, len);
	const struct option *o = is_long ? find_long(w, name, len) : find_letter(w, *at);

	if (!is_long && at[1])
		return one_dash(w, word, name, err);
	if (!o)
		return unknown(w, word, name, err);
	*ret_takes = cli_takes_word(o) && !at[len];
	return true;
}

/* "vmlinux" */
static bool stray(const char *word, GError **err)
{
	return ringside_usage(
		err,
		"'%s': not an option, nor the value of one: a kernel is --kernel FILE, "
		"a disk --disk FILE " MORE,
		word);
}

bool cli_check_words(const struct option *options, size_t n, char *const *words, GError **err)
{
	const struct words w = { options, n };

	for (; *words; words++) {
		const char *word = *words;
		bool takes = false;

		if (word[0] != '-' || !word[1] || strcmp(word, "--") == 0)
			return stray(word, err);
		if (!check_option(&w, word, &takes, err))
			return false;
		if (takes && !words[1])
			return ringside_usage(err, "%s: its argument is missing " MORE, word);
		words += takes;
	}
	return true;
}
