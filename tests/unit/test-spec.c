/* Backends by a spec (devices/backend/spec.h): how one is taken apart, what is refused and how it
 * is said, and wrappers in front of a disk, a network and a stream. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/backend/open.h"
#include "devices/base/error.h"
#include "tests/support/blk-disk.h"
#include "tests/support/chr-user.h"
#include "tests/support/net-frames.h"
#include "tests/support/wrappers.h"

/*
 * Taking apart.
 */
static void a_spec_is_wrappers_and_a_kind(void **state)
{
	static const struct {
		const char *spec;
		enum backend_type type;
		unsigned n;
		const char *kind;
	} rows[] = {
		{ "file:disk", BACKEND_BLK, 0, "file:disk" },
		{ "fault,file:disk", BACKEND_BLK, 1, "file:disk" },
		{ "fault:every=3,file:disk", BACKEND_BLK, 1, "file:disk" },
		{ "fault:every=3:file:disk", BACKEND_BLK, 1, "file:disk" },
		{ "fault:every=3,error=EIO,file:a=b,c:d", BACKEND_BLK, 1, "file:a=b,c:d" },
		{ "fault:every=3,fault:error=EIO:every=5,file:x", BACKEND_BLK, 2, "file:x" },
		{ "faulty:every=3,file:x", BACKEND_BLK, 0, "faulty:every=3,file:x" },
		{ "fault:every=3,null", BACKEND_CHR, 0, "fault:every=3,null" },
		{ "slow,drop:every=7,null", BACKEND_CHR, 2, "null" },
		{ "drop:slow:tap:tap0", BACKEND_NET, 2, "tap:tap0" },
		{ "", BACKEND_BLK, 0, "" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct backend_spec s;

		assert_true(backend_spec_parse(&s, rows[i].spec, rows[i].type, test_wrappers,
					       "--test", NULL));
		assert_int_equal(s.links->len, rows[i].n);
		assert_string_equal(s.kind, rows[i].kind);
		backend_spec_clear(&s);
	}
}

static void a_mistake_in_a_spec_is_said_where_it_is(void **state)
{
	static const struct {
		const char *spec, *says;
	} rows[] = {
		{ "fault", "'fault' is a wrapper, and no backend follows it" },
		{ "fault:every=3", "'fault' is a wrapper, and no backend follows it" },
		{ "fault:every=0,file:x",
		  "--device blk,backend=fault,every=0: not valid; it takes a "
		  "number from 1" },
		{ "fault:evry=3,file:x", "--device blk,backend=fault: unknown key 'evry'; did you "
					 "mean 'every'?" },
		{ "fault:error=EPERM,file:x", "EIO|ENOSPC" },
		{ "fault,fault:every=x,file:x", "--device blk,backend=fault,fault,every=x: not" },
		{ "fault:file", "none of file:PATH" },
		{ "fault:file:", "none of file:PATH" },
		{ "fault,", "none of file:PATH" },
		{ "drop,file:/x", "none of file:PATH" }, /* it stands before no disk */
		{ "nbd:x", "none of file:PATH" },
		{ "fault,file:/no/such", "No such file" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *what = g_strconcat("--device blk,backend=", rows[i].spec, NULL);
		const struct blk_file_options o = { .what = what };
		g_autoptr(GError) err = NULL;

		assert_null(blk_spec_open(rows[i].spec, &o, test_wrappers, &err));
		assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
		if (!strstr(err->message, rows[i].says) || strchr(err->message, '\n') ||
		    !g_str_has_prefix(err->message, "--device blk,backend="))
			fail_msg("'%s' for %s", err->message, rows[i].spec);
	}
}

static void help_lists_wrappers_by_type(void **state)
{
	g_autofree char *blk = backend_wrappers_help(BACKEND_BLK, 80);

	(void)state;
	assert_non_null(strstr(blk, "fault: every Nth"));
	assert_non_null(strstr(blk, "every=N"));
	assert_null(backend_wrappers_help(BACKEND_CHR, 80));
}

/*
 * A disk that fails.
 */
static const struct disk_variant variants[] = {
	{ .name = "uring", .aio = BLK_AIO_URING },
	{ .name = "sync", .aio = BLK_AIO_SYNC },
};

/* The disk of @v behind @wrappers. */
static struct disk *wrapped_disk(const struct disk_variant *v, const char *wrappers)
{
	struct disk *d = disk_open(v, MIB);
	g_autofree char *spec = g_strdup_printf("%s,file:%s", wrappers, d->path);
	const struct blk_file_options o = { .what = spec, .aio = v->aio };

	disk_free_channel(d);
	d->be->ops->close(d->be);
	d->be = blk_spec_open(spec, &o, NULL, NULL);
	assert_non_null(d->be);
	assert_int_equal(d->be->info.size, MIB);
	assert_int_equal(d->be->ops->prepare(d->be, 2), 0);
	d->ch = disk_channel(d);
	return d;
}

static void every_nth_request_fails(void **state)
{
	uint8_t *data = disk_buffer(4096), *seen = disk_buffer(4096);

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(variants); i++) {
		struct disk *d = wrapped_disk(&variants[i], "fault:every=3,error=ENOSPC");

		for (unsigned n = 1; n <= 12; n++) {
			off_t at = (off_t)n * 4096;
			int want = n % 3 ? 0 : -ENOSPC;

			disk_pattern(data, 4096, n);
			assert_int_equal(disk_rw(d, BLK_WRITE, (uint64_t)at, data, 4096), want);
			assert_int_equal(pread(d->fd, seen, 4096, at), 4096);
			assert_int_equal(memcmp(seen, data, 4096) == 0, want == 0);
		}
		assert_int_equal(disk_range(d, BLK_FLUSH, 0, 0, 0), 0);
		assert_int_equal(disk_range(d, BLK_ZERO, 0, 0, 4096), 0);
		assert_int_equal(disk_rw(d, BLK_READ, 0, seen, 4096), -ENOSPC);
		disk_close(d);
	}
	free(data);
	free(seen);
}

static void wrappers_count_what_comes_to_them(void **state)
{
	struct disk *d = wrapped_disk(&variants[1], "fault:every=2,fault:every=2,error=ENOSPC");
	uint8_t *p = disk_buffer(512);

	(void)state;
	for (unsigned n = 1; n <= 12; n++)
		assert_int_equal(disk_rw(d, BLK_READ, 0, p, 512), n % 2 == 0   ? -EIO
								  : n % 4 == 3 ? -ENOSPC
									       : 0);
	disk_close(d);
	free(p);
}

/* Its channels are counted together, and one that has stopped fails nothing more. */
static void what_comes_after_the_stop_is_undone(void **state)
{
	struct disk *d = wrapped_disk(&variants[1], "fault:every=1");
	uint8_t *p = disk_buffer(512);
	const struct iovec iov = { p, 512 };
	struct disk_request r = { .io = { .op = BLK_READ, .iov = &iov, .n_iov = 1, .len = 512 } };

	(void)state;
	assert_null(disk_stop(d));
	disk_submit(d, &r);
	assert_int_equal(r.n_done, 0);
	assert_ptr_equal(d->ch->ops->undone(d->ch), &r.io);
	d->ch->ops->free(d->ch);
	d->ch = NULL;
	disk_close(d);
	free(p);
}

/*
 * A stream.
 */
static void open_stream(struct user *u, const char *wrappers)
{
	g_autofree char *spec = g_strdup_printf("%s,file:%s", wrappers, u->path);

	user_open_wrapped(u, spec, test_wrappers);
}

static void a_stream_may_be_slow(void **state)
{
	struct user *u = user_new();
	g_autofree char *text = NULL;

	(void)state;
	open_stream(u, "slow");
	user_send(u, "hello", 5);
	assert_int_equal(u->out->len, 4); /* so much waits */
	UNTIL(u->out->len == 0);
	user_shut(u);
	assert_true(g_file_get_contents(u->path, &text, NULL, NULL));
	assert_string_equal(text, "hello");
	user_free(u);
}

static void a_stream_may_lose_bytes(void **state)
{
	struct user *u = user_new();
	g_autofree char *text = NULL;

	(void)state;
	open_stream(u, "slow,drop:every=3");
	user_send(u, "abcdefg", 7);
	UNTIL(u->out->len == 0);
	user_shut(u);
	assert_true(g_file_get_contents(u->path, &text, NULL, NULL));
	assert_string_equal(text, "abdeg");
	user_free(u);
}

static void a_wrapper_tells_what_is_behind_it(void **state)
{
	struct user *u = user_new();
	g_autofree char *spec = g_strdup_printf("drop,unix:%s", u->path);

	(void)state;
	u->chr = chr_spec_open("drop,pty", NULL, test_wrappers, "--test", NULL);
	assert_true(g_str_has_prefix(u->chr->where, "/dev/pts/"));
	assert_false(u->chr->connected);
	chr_close(g_steal_pointer(&u->chr));
	u->chr = chr_spec_open(spec, NULL, test_wrappers, "--test", NULL);
	assert_string_equal(u->chr->kept_path, u->path);
	assert_non_null(u->chr->syscalls);
	chr_close(g_steal_pointer(&u->chr));
	user_free(u);
}

/*
 * A network: the two ends of a socket.
 */
struct end {
	struct net_backend *be;
	GPtrArray *got; /* of frames' first bytes of payload */
	bool up;
	unsigned writable;
};

static bool on_frame(void *opaque, unsigned channel, uint8_t *data, size_t len,
		     const struct net_offload *off)
{
	struct end *e = opaque;

	(void)off;
	assert_int_equal(channel, 0);
	assert_true(len >= NET_FRAME_MIN);
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): how GLib keeps a number */
	g_ptr_array_add(e->got, GUINT_TO_POINTER(data[14]));
	return true;
}

static void on_batch_end(void *opaque, unsigned channel)
{
	(void)opaque;
	(void)channel;
}

static void on_writable(void *opaque, unsigned channel)
{
	struct end *e = opaque;

	(void)channel;
	e->writable++;
}

static void on_link(void *opaque, bool up)
{
	((struct end *)opaque)->up = up;
}

static void on_trouble(void *opaque, bool guest, const char *text)
{
	(void)opaque;
	(void)guest;
	(void)text;
}

static const struct net_events end_events = { on_frame, on_batch_end, on_writable, on_link,
					      on_trouble };

static void open_end(struct end *e, struct loop *loop, const char *spec, bool listens)
{
	struct net_options opt = { .n_channels = 1, .listen = listens };

	e->got = g_ptr_array_new();
	e->be = net_spec_open(spec, &opt, loop, &end_events, e, test_wrappers, NULL);
	assert_non_null(e->be);
	assert_int_equal(opt.kind, NET_SOCKET);
	g_free(opt.path);
}

static void close_end(struct end *e)
{
	net_backend_close(e->be);
	g_ptr_array_unref(e->got);
}

static int send_frame(struct end *e, uint8_t payload)
{
	static const struct net_offload nothing;
	uint8_t frame[60] = { 0 };
	struct iovec iov = { frame, sizeof(frame) };

	frame[14] = payload;
	return e->be->ops->send(e->be, 0, &iov, 1, &nothing);
}

static void expect_frames(struct end *e, const uint8_t *want, unsigned n)
{
	UNTIL(e->got->len >= n);
	user_wait_idle();
	assert_int_equal(e->got->len, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(GPOINTER_TO_UINT(g_ptr_array_index(e->got, i)), want[i]);
}

/* Frames of 'a' (through @wrappers) to 'b' and back: either way @want arrives of 1 to 7. */
static void frames_through(const char *wrappers, const uint8_t *want, unsigned n)
{
	g_autofree char *dir = g_dir_make_tmp("ringside-spec-XXXXXX", NULL);
	g_autofree char *plain = g_strdup_printf("socket:%s/peer", dir);
	g_autofree char *wrapped = g_strdup_printf("%s,%s", wrappers, plain);
	struct loop *loop = loop_main();
	struct end a = { 0 }, b = { 0 };

	open_end(&a, loop, wrapped, true);
	open_end(&b, loop, plain, false);
	UNTIL(a.up && b.up);
	a.be->ops->receive(a.be, 0, true);
	b.be->ops->receive(b.be, 0, true);
	for (uint8_t i = 1; i <= 7; i++) {
		unsigned before = a.writable;

		while (send_frame(&a, i) == -EAGAIN)
			UNTIL(a.writable > before);
		assert_int_equal(send_frame(&b, i), 0);
	}
	expect_frames(&b, want, n);
	expect_frames(&a, want, n);
	close_end(&a);
	close_end(&b);
	loop_free(loop);
	assert_int_equal(rmdir(dir), 0);
}

static void a_network_may_lose_frames(void **state)
{
	(void)state;
	frames_through("drop:every=3", (const uint8_t[]){ 1, 2, 4, 5, 7 }, 5);
}

static void a_network_may_be_slow(void **state)
{
	(void)state;
	frames_through("slow", (const uint8_t[]){ 1, 2, 3, 4, 5, 6, 7 }, 7);
	frames_through("slow:drop:every=2", (const uint8_t[]){ 1, 3, 5, 7 }, 4);
}

static void a_network_that_cannot_be_is_refused(void **state)
{
	static const struct {
		const char *spec, *says;
	} rows[] = {
		{ "cable", "--device net,backend=cable: not valid; it takes user|tap|socket|null" },
		{ "user:x", "not valid" },
		{ "tap:", "not valid" },
		{ "tap", "'ifname=' (or 'fd=') is missing" },
		{ "drop,", "not valid" },
		{ "drop:every=0:user", "--device net,backend=drop,every=0: not valid" },
		{ "socket:/a", "'/taken' is given, too" },
	};
	struct loop *loop = loop_main();

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct net_options opt = { .n_channels = 1 };
		g_autoptr(GError) err = NULL;

		if (g_str_has_prefix(rows[i].spec, "socket"))
			opt.path = g_strdup("/taken");
		assert_null(net_spec_open(rows[i].spec, &opt, loop, &end_events, NULL,
					  test_wrappers, &err));
		if (!strstr(err->message, rows[i].says))
			fail_msg("'%s' for %s", err->message, rows[i].spec);
		g_free(opt.path);
		g_free(opt.ifname);
	}
	loop_free(loop);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spec_is_wrappers_and_a_kind),
		cmocka_unit_test(a_mistake_in_a_spec_is_said_where_it_is),
		cmocka_unit_test(help_lists_wrappers_by_type),
		cmocka_unit_test(every_nth_request_fails),
		cmocka_unit_test(wrappers_count_what_comes_to_them),
		cmocka_unit_test(what_comes_after_the_stop_is_undone),
		cmocka_unit_test(a_stream_may_be_slow),
		cmocka_unit_test(a_stream_may_lose_bytes),
		cmocka_unit_test(a_wrapper_tells_what_is_behind_it),
		cmocka_unit_test(a_network_may_lose_frames),
		cmocka_unit_test(a_network_may_be_slow),
		cmocka_unit_test(a_network_that_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
