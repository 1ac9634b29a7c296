#include "tools/bench/progress.h"

#include <glib.h>
#include <math.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define AGAIN_S  0.2  /* between two lines */
#define GUESS_S  0.5  /* of work before it tells anything of the rest */
#define SOME     1e-4 /* of all work, likewise */
#define COLUMNS  80u  /* if the terminal does not say */
#define SHORTEST 20u  /* a line that is of any use */

static double now_s(void)
{
	return (double)g_get_monotonic_time() / G_USEC_PER_SEC;
}

FILE *progress_terminal(void)
{
	return isatty(STDERR_FILENO) ? stderr : NULL;
}

void progress_begin(struct progress *p, FILE *to)
{
	*p = (struct progress){ .to = to, .since = now_s() };
}

double progress_seconds(const struct progress *p)
{
	return now_s() - p->since;
}

double progress_left(double seconds, double done)
{
	if (seconds < GUESS_S || done < SOME)
		return -1;
	return done < 1 ? seconds * (1 - done) / done : 0;
}

double progress_of_rounds(double seconds, double rounds, unsigned min, unsigned max, double limit)
{
	double in_time = seconds > 0 ? ceil(limit * rounds / seconds) : max;

	return rounds / CLAMP(in_time, MIN(min, max), max);
}

/* "45 s", "3 min 20 s", "1 h 5 min" */
static char *duration(double seconds)
{
	unsigned s = (unsigned)(seconds + 0.5);

	if (s < 100)
		return g_strdup_printf("%u s", s);
	if (s < 3600)
		return g_strdup_printf("%u min %02u s", s / 60, s % 60);
	return g_strdup_printf("%u h %02u min", s / 3600, s / 60 % 60);
}

char *progress_line(double seconds, double left, const char *text, unsigned columns)
{
	g_autofree char *spent = duration(seconds), *rest = duration(MAX(left, 0));
	g_autofree char *line = NULL;

	if (left < 0)
		line = g_strdup_printf("%s, %s", text, spent);
	else
		line = g_strdup_printf("%3.0f%%  %s, %s left",
				       100 * seconds / (seconds + left + 1e-3), text, rest);
	/* In the last column a terminal goes on to the next line. */
	return g_strndup(line, MAX(columns, SHORTEST) - 1);
}

static unsigned columns_of(FILE *to)
{
	struct winsize ws;

	return ioctl(fileno(to), TIOCGWINSZ, &ws) == 0 && ws.ws_col ? ws.ws_col : COLUMNS;
}

void progress_show(struct progress *p, double done, const char *fmt, ...)
{
	double now = now_s(), seconds = now - p->since;
	g_autofree char *text = NULL, *line = NULL;
	va_list ap;

	if (!p->to || now - p->shown < AGAIN_S)
		return;
	p->shown = now;
	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	line = progress_line(seconds, progress_left(seconds, done), text, columns_of(p->to));
	(void)fprintf(p->to, "\r%s\033[K", line);
	(void)fflush(p->to);
}

void progress_end(struct progress *p)
{
	if (!p->to || !p->shown)
		return;
	(void)fputs("\r\033[K", p->to);
	(void)fflush(p->to);
}
