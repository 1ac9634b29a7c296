/*
 * The operator's channel: what GError codes mean throughout the program.
 *
 * A message is one line that names the option ("--memory", "--device blk,path=...") and says what
 * would be right. Library code fills in GErrors; only main.c prints them and turns the code into
 * an exit status.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define RINGSIDE_ERROR (ringside_error_quark())
GQuark ringside_error_quark(void);

enum ringside_error {
	RINGSIDE_ERROR_USAGE, /* the command line asks for something that cannot be */
	RINGSIDE_ERROR_HOST,  /* the request is sound; this host refused it */
};

/* Sets @err to "WHAT: strerror(errnum)" with the code that fits the errno (missing and unreadable
 * files, busy taps and the like are the command line's fault). Always returns false. */
bool ringside_error_errno(GError **err, int errnum, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* Sets @err to a usage error. Always returns false, so `return ringside_usage(err, ...)` reads
 * well in a function that returns bool. */
bool ringside_usage(GError **err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* Takes from @args (and frees) the options that @context knows; @args begins with the command.
 * False with a usage error, which ends in (@more), if something is wrong or is no option. */
bool ringside_options(GOptionContext *context, char ***args, const char *more, GError **err);

/* The same of a command that has @entries and no more; its own --help is among them. */
bool ringside_entries(const GOptionEntry *entries, char ***args, const char *more, GError **err);
