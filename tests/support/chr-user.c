#include "tests/support/chr-user.h"

#include <glib/gstdio.h>
#include <string.h>

#include "devices/backend/open.h"
#include "devices/base/error.h"

void user_want(struct user *u)
{
	chr_want(u->chr, u->reading, u->out->len > 0);
}

static void chr_user_on_readable(void *arg)
{
	struct user *u = arg;
	uint8_t buf[1000];
	size_t n;

	while ((n = chr_read(u->chr, buf, sizeof(buf))) > 0)
		g_byte_array_append(u->got, buf, (guint)n);
}

static void chr_user_on_writable(void *arg)
{
	struct user *u = arg;

	while (u->out->len > 0) {
		size_t n = chr_write(u->chr, u->out->data, u->out->len);

		if (n == 0)
			break;
		g_byte_array_remove_range(u->out, 0, (guint)n);
	}
	user_want(u);
}

static void on_connected(void *arg, bool on)
{
	struct user *u = arg;

	if (on)
		u->arrivals++;
	else
		u->departures++;
}

static void chr_user_on_trouble(void *arg, const char *what, int errnum)
{
	struct user *u = arg;

	assert_non_null(what);
	assert_true(errnum > 0);
	u->troubles++;
}

static const struct chr_user callbacks = {
	.readable = chr_user_on_readable,
	.writable = chr_user_on_writable,
	.connected = on_connected,
	.trouble = chr_user_on_trouble,
};

struct user *user_new(void)
{
	struct user *u = g_new0(struct user, 1);

	u->loop = loop_main();
	u->dir = g_dir_make_tmp("ringside-chr-XXXXXX", NULL);
	u->path = g_build_filename(u->dir, "end", NULL);
	u->got = g_byte_array_new();
	u->out = g_byte_array_new();
	u->reading = true;
	return u;
}

void user_open_spec(struct user *u, const char *spec)
{
	user_open_wrapped(u, spec, NULL);
}

void user_open_wrapped(struct user *u, const char *spec,
		       const struct backend_wrapper *const *wrappers)
{
	g_autoptr(GError) err = NULL;

	u->chr = chr_spec_open(spec, NULL, wrappers, "--test", &err);
	assert_null(err);
	assert_non_null(u->chr);
	chr_attach(u->chr, u->loop, &callbacks, u);
	user_want(u);
}

void user_open(struct user *u, const char *kind)
{
	g_autofree char *spec = g_strdup_printf("%s:%s", kind, u->path);

	user_open_spec(u, spec);
}

void user_shut(struct user *u)
{
	chr_detach(u->chr);
	chr_close(g_steal_pointer(&u->chr));
}

void user_free(struct user *u)
{
	if (u->chr)
		user_shut(u);
	loop_free(u->loop);
	g_unlink(u->path);
	assert_int_equal(g_rmdir(u->dir), 0);
	g_byte_array_unref(u->got);
	g_byte_array_unref(u->out);
	g_free(u->path);
	g_free(u->dir);
	g_free(u);
}

void user_send(struct user *u, const void *bytes, size_t len)
{
	g_byte_array_append(u->out, bytes, (guint)len);
	chr_user_on_writable(u);
}

void user_wait_idle(void)
{
	for (unsigned i = 0; i < 20; i++)
		while (g_main_context_iteration(NULL, FALSE))
			;
}

void chr_refused(const char *spec, const char *why)
{
	g_autoptr(GError) err = NULL;

	assert_null(chr_open(spec, NULL, "--device console", &err));
	assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
	assert_true(g_str_has_prefix(err->message, "--device console: "));
	if (!strstr(err->message, why))
		fail_msg("'%s' does not say '%s'", err->message, why);
	assert_null(strchr(err->message, '\n'));
}
