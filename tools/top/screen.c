#include "tools/top/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "tools/top/ring.h"

#define BEGIN   "\033[?1049h\033[?25l" /* the other screen, no cursor */
#define END     "\033[?25h\033[?1049l"
#define HOME    "\033[H"
#define REST    "\033[K" /* clears the rest of the line, */
#define BELOW   "\033[J" /* of the screen */
#define INVERSE "\033[7m"
#define BOLD    "\033[1m"
#define PLAIN   "\033[0m"

static const char help_line[] =
	"arrows: pick  Enter: its ring  s: sort  +/-: faster, slower  p: pause  q: leave";
static const char ring_help_line[] =
	"arrows, PgUp, PgDn: scroll  a: all descriptors or busy ones  Enter: back  q: leave";

enum screen_key {
	KEY_NONE,
	KEY_UP = 256,
	KEY_DOWN,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_LEFT,
};

struct screen {
	struct top_client *client;
	struct termios found;
	unsigned width, height;
	double interval;
	bool over, frozen;

	enum top_sort sort;
	struct top_sample *before, *now;
	GArray *rows; /* of those that are shown, in order */
	guint picked;
	char *picked_device; /* stays picked where the order changes */
	unsigned picked_q;

	bool ring, all; /* the picked queue's ring is shown; all of it */
	unsigned scrolled;
};

static volatile sig_atomic_t screen_asked_to_end;

static void screen_on_signal(int number)
{
	(void)number;
	screen_asked_to_end = 1;
}

/* It ends the wait: what comes next is drawn in the new size. */
static void screen_on_resize(int number)
{
	(void)number;
}

static void screen_measure(struct screen *s)
{
	struct winsize size = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || !size.ws_col || !size.ws_row)
		size = (struct winsize){ .ws_col = 80, .ws_row = 24 };
	s->width = MAX(size.ws_col, 40);
	s->height = MAX(size.ws_row, 6);
}

/*
 * Rows.
 */
static const struct top_row *screen_picked(const struct screen *s)
{
	return s->rows->len ? &g_array_index(s->rows, struct top_row, s->picked) : NULL;
}

static void screen_pick(struct screen *s, guint at)
{
	const struct top_row *row;

	s->picked = s->rows->len ? MIN(at, s->rows->len - 1) : 0;
	row = screen_picked(s);
	g_free(s->picked_device);
	s->picked_device = row ? g_strdup(row->queue->device) : NULL;
	s->picked_q = row ? row->queue->q : 0;
}

static void screen_follow_picked(struct screen *s)
{
	for (guint i = 0; s->picked_device && i < s->rows->len; i++) {
		const struct top_queue *queue = g_array_index(s->rows, struct top_row, i).queue;

		if (queue->q == s->picked_q && strcmp(queue->device, s->picked_device) == 0) {
			s->picked = i;
			return;
		}
	}
	screen_pick(s, s->picked);
}

static void screen_order(struct screen *s)
{
	GArray *rows = top_rows_new(s->before, s->now);

	for (guint i = rows->len; i-- > 0;)
		if (!top_row_is_shown(&g_array_index(rows, struct top_row, i)))
			g_array_remove_index(rows, i);
	top_sort_rows(rows, s->sort);
	if (s->rows)
		g_array_unref(s->rows);
	s->rows = rows;
	screen_follow_picked(s);
}

static bool screen_look(struct screen *s, GError **err)
{
	struct top_sample *now = top_sample_new(s->client, err);

	if (!now)
		return false;
	top_sample_free(s->before);
	s->before = s->now;
	s->now = now;
	screen_order(s);
	return true;
}

/*
 * Drawing: into one string, so that a terminal never shows half of it.
 */
static void screen_put(GString *out, const struct screen *s, const char *style, const char *text)
{
	g_string_append(out, style);
	g_string_append_printf(out, "%.*s", (int)s->width, text);
	g_string_append(out, *style ? REST PLAIN "\r\n" : REST "\r\n");
}

static void screen_draw_queues(GString *out, const struct screen *s)
{
	g_autofree char *heading = top_heading(s->width);
	unsigned room = s->height - 4, first = s->picked >= room ? s->picked - room + 1 : 0;

	screen_put(out, s, BOLD, heading);
	for (guint i = first; i < s->rows->len && i < first + room; i++) {
		g_autofree char *line = top_line(&g_array_index(s->rows, struct top_row, i),
						 s->width);

		screen_put(out, s, i == s->picked ? INVERSE : "", line);
	}
	if (!s->rows->len)
		screen_put(out, s, "", "no queue is in use");
}

static void screen_draw_ring(GString *out, struct screen *s)
{
	g_autofree char *title = g_strdup_printf("%s queue %u", s->picked_device, s->picked_q);
	unsigned room = s->height - 4, n;
	g_autoptr(GError) err = NULL;
	g_auto(GStrv) lines = top_ring_new(s->client, s->picked_device, s->picked_q, !s->all, &err);

	screen_put(out, s, BOLD, title);
	if (!lines) {
		screen_put(out, s, "", err->message);
		return;
	}
	n = g_strv_length(lines);
	s->scrolled = MIN(s->scrolled, n > room ? n - room : 0);
	for (unsigned i = s->scrolled; i < n && i < s->scrolled + room; i++)
		screen_put(out, s, "", lines[i]);
}

static void screen_draw(struct screen *s)
{
	g_autoptr(GString) out = g_string_new(HOME);
	g_autofree char *title = top_title(s->now, s->rows, s->width);
	g_autofree char *state = g_strdup_printf("sorted by %s, every %.1f s%s",
						 top_sort_name(s->sort), s->interval,
						 s->frozen ? ", paused" : "");

	screen_measure(s);
	screen_put(out, s, INVERSE, title);
	screen_put(out, s, "", state);
	if (s->ring && s->picked_device)
		screen_draw_ring(out, s);
	else
		screen_draw_queues(out, s);
	g_string_append(out, BELOW);
	g_string_append_printf(out, "\033[%u;1H" BOLD "%.*s" REST PLAIN, s->height, (int)s->width,
			       s->ring ? ring_help_line : help_line);
	(void)!write(STDOUT_FILENO, out->str, out->len);
}

/*
 * Keys.
 */
/* The first key of @bytes, which may hold several; *ret_n: how many of them it is. */
static int screen_decode(const char *bytes, size_t n, size_t *ret_n)
{
	static const struct {
		const char *bytes;
		int key;
	} sequences[] = {
		{ "\033[A", KEY_UP },   { "\033OA", KEY_UP },       { "\033[B", KEY_DOWN },
		{ "\033OB", KEY_DOWN }, { "\033[5~", KEY_PAGE_UP }, { "\033[6~", KEY_PAGE_DOWN },
		{ "\033[D", KEY_LEFT }, { "\033OD", KEY_LEFT },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(sequences); i++) {
		*ret_n = strlen(sequences[i].bytes);
		if (n >= *ret_n && memcmp(bytes, sequences[i].bytes, *ret_n) == 0)
			return sequences[i].key;
	}
	*ret_n = 1;
	if (bytes[0] != '\033' || n == 1)
		return bytes[0];
	*ret_n = n; /* one that nobody here knows */
	return KEY_NONE;
}

static void screen_move(struct screen *s, int by)
{
	if (s->ring)
		s->scrolled = (unsigned)MAX((int)s->scrolled + by, 0);
	else
		screen_pick(s, (guint)MAX((int)s->picked + by, 0));
}

static void screen_key(struct screen *s, int key)
{
	switch (key) {
	case 'q':
	case 3: /* Ctrl-C: the terminal makes no signals of keys */
		s->over = true;
		break;
	case KEY_UP:
	case 'k':
		screen_move(s, -1);
		break;
	case KEY_DOWN:
	case 'j':
		screen_move(s, 1);
		break;
	case KEY_PAGE_UP:
		screen_move(s, -(int)(s->height - 4));
		break;
	case KEY_PAGE_DOWN:
		screen_move(s, (int)(s->height - 4));
		break;
	case '\r':
	case '\n':
		s->ring = !s->ring;
		s->scrolled = 0;
		break;
	case '\033':
	case KEY_LEFT:
		s->ring = false;
		break;
	case 'a':
		s->all = !s->all;
		break;
	case 's':
		s->sort = (s->sort + 1) % N_TOP_SORTS;
		screen_order(s);
		break;
	case 'p':
		s->frozen = !s->frozen;
		break;
	case '+':
		s->interval = MAX(s->interval / 2, 0.1);
		break;
	case '-':
		s->interval = MIN(s->interval * 2, 60);
		break;
	default:
		break;
	}
}

/* Until it is time to look again, or a key was pressed. */
static void screen_wait(struct screen *s, gint64 until)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	gint64 left = (until - g_get_monotonic_time()) / 1000;
	char bytes[16];
	ssize_t n;

	if (poll(&p, 1, left < 0 ? 0 : (int)left + 1) <= 0)
		return;
	n = read(STDIN_FILENO, bytes, sizeof(bytes));
	if (n == 0 || (n < 0 && errno != EINTR))
		s->over = true; /* the terminal is gone */
	for (size_t at = 0, len; n > 0 && at < (size_t)n; at += len)
		screen_key(s, screen_decode(bytes + at, (size_t)n - at, &len));
}

static bool screen_run(struct screen *s, GError **err)
{
	gint64 next = g_get_monotonic_time() + (gint64)(s->interval * G_USEC_PER_SEC);

	while (!s->over && !screen_asked_to_end) {
		if (g_get_monotonic_time() >= next) {
			if (!s->frozen && !screen_look(s, err))
				return false;
			next = g_get_monotonic_time() + (gint64)(s->interval * G_USEC_PER_SEC);
		}
		screen_draw(s);
		screen_wait(s, next);
		next = MIN(next, g_get_monotonic_time() + (gint64)(s->interval * G_USEC_PER_SEC));
	}
	return true;
}

bool top_screen(struct top_client *c, enum top_sort sort, double interval, GError **err)
{
	struct screen s = { .client = c, .sort = sort, .interval = interval };
	struct sigaction end = { .sa_handler = screen_on_signal }; /* no SA_RESTART: waits end */
	struct sigaction resized = { .sa_handler = screen_on_resize };
	struct termios raw;
	bool ok;

	if (tcgetattr(STDIN_FILENO, &s.found) < 0 || !isatty(STDOUT_FILENO))
		return ringside_usage(err, "top: this is no terminal; --once prints one look");
	if (!screen_look(&s, err))
		return false;
	(void)sigaction(SIGTERM, &end, NULL);
	(void)sigaction(SIGHUP, &end, NULL);
	(void)sigaction(SIGWINCH, &resized, NULL);
	raw = s.found;
	cfmakeraw(&raw);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	(void)!write(STDOUT_FILENO, BEGIN, strlen(BEGIN));
	ok = screen_run(&s, err);
	(void)!write(STDOUT_FILENO, END, strlen(END));
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &s.found);
	top_sample_free(s.before);
	top_sample_free(s.now);
	g_array_unref(s.rows);
	g_free(s.picked_device);
	return ok;
}
