#include "devices/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* clang-format off */
G_DEFINE_QUARK(ringside-error-quark, ringside_error)
/* clang-format on */

/* The command line named something that is not there, is of the wrong kind or belongs to somebody
 * else; everything else is the host's trouble. */
static enum ringside_error error_kind(int errnum)
{
	switch (errnum) {
	case ENOENT:
	case EISDIR:
	case ENOTDIR:
	case EACCES:
	case EPERM:
	case EROFS:
	case EBUSY:
	case EINVAL:
	case ENODEV:
	case ENXIO:
	case ENAMETOOLONG:
	case ELOOP:
	case EADDRINUSE:
	case EADDRNOTAVAIL:
	case ECONNREFUSED:
		return RINGSIDE_ERROR_USAGE;
	default:
		return RINGSIDE_ERROR_HOST;
	}
}

bool ringside_error_errno(GError **err, int errnum, const char *fmt, ...)
{
	g_autofree char *what = NULL;
	va_list ap;

	va_start(ap, fmt);
	what = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	g_set_error(err, RINGSIDE_ERROR, (gint)error_kind(errnum), "%s: %s", what,
		    strerror(errnum));
	return false;
}

bool ringside_usage(GError **err, const char *fmt, ...)
{
	g_autofree char *what = NULL;
	va_list ap;

	va_start(ap, fmt);
	what = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	g_set_error_literal(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE, what);
	return false;
}

bool ringside_options(GOptionContext *context, char ***args, const char *more, GError **err)
{
	GError *mistake = NULL;

	if (g_option_context_parse_strv(context, args, &mistake)) {
		const char *left = (*args)[1];

		return !left || ringside_usage(err, "'%s': not an option (%s)", left, more);
	}
	if (mistake->domain == RINGSIDE_ERROR) { /* of a callback's */
		g_propagate_error(err, mistake);
		return false;
	}
	ringside_usage(err, "%s (%s)", mistake->message, more);
	g_error_free(mistake);
	return false;
}

bool ringside_entries(const GOptionEntry *entries, char ***args, const char *more, GError **err)
{
	GOptionContext *context = g_option_context_new(NULL);
	bool ok;

	g_option_context_add_main_entries(context, entries, NULL);
	g_option_context_set_help_enabled(context, FALSE);
	ok = ringside_options(context, args, more, err);
	g_option_context_free(context);
	return ok;
}
