#include "devices/error.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* clang-format off */
G_DEFINE_QUARK(ringside-error-quark, ringside_error)
/* clang-format on */

/* The command line named something that is not there, is of the wrong kind or belongs to somebody
 * else; everything else is the host's trouble. */
static enum ringside_error culprit(int errnum)
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
	g_set_error(err, RINGSIDE_ERROR, (gint)culprit(errnum), "%s: %s", what, strerror(errnum));
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
