/* The server for GDB: framing, breakpoints, and the protocol over a real socket, of a guest that is
 * an array. What GDB itself makes of it is tests/guest/gdb's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/gdb/arch.h"
#include "vmm/gdb/breaks.h"
#include "vmm/gdb/gdb.h"
#include "vmm/gdb/packet.h"

/*
 * Framing.
 */
static enum gdb_frame_event frame_all(struct gdb_frame *f, const char *bytes, size_t len)
{
	enum gdb_frame_event event = GDB_FRAME_MORE;

	for (size_t i = 0; i < len; i++)
		event = gdb_frame_take(f, bytes[i]);
	return event;
}

#define FRAME(f, bytes) frame_all(f, bytes, sizeof(bytes) - 1)

static void packets_are_told_from_what_is_between(void **state)
{
	struct gdb_frame f;

	(void)state;
	gdb_frame_init(&f);
	assert_int_equal(FRAME(&f, "++xyz$qC#b4"), GDB_FRAME_PACKET);
	assert_string_equal(f.text, "qC");
	assert_int_equal(FRAME(&f, "\3"), GDB_FRAME_INTERRUPT);
	assert_int_equal(FRAME(&f, "-"), GDB_FRAME_NAK);
	assert_int_equal(FRAME(&f, "+"), GDB_FRAME_MORE);
	assert_int_equal(FRAME(&f, "$qC#b5"), GDB_FRAME_BAD);
	assert_int_equal(FRAME(&f, "$qC#zz"), GDB_FRAME_BAD);
	assert_int_equal(FRAME(&f, "$cut o$qC#b4"), GDB_FRAME_PACKET);
	assert_string_equal(f.text, "qC");
	assert_int_equal(FRAME(&f, "$#00"), GDB_FRAME_PACKET);
	assert_int_equal(f.len, 0);
}

static void any_byte_comes_through_a_packet(void **state)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	char all[256];
	struct gdb_frame f;

	(void)state;
	for (unsigned i = 0; i < sizeof(all); i++)
		all[i] = (char)i;
	gdb_frame_append(out, all, sizeof(all));
	gdb_frame_init(&f);
	assert_int_equal(frame_all(&f, (const char *)out->data, out->len), GDB_FRAME_PACKET);
	assert_int_equal(f.len, sizeof(all));
	assert_memory_equal(f.text, all, sizeof(all));
}

static void a_packet_may_be_as_long_as_is_said_and_no_longer(void **state)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_autofree char *text = g_strnfill(GDB_PACKET_MAX + 1, 'm');
	struct gdb_frame f;

	(void)state;
	gdb_frame_init(&f);
	gdb_frame_append(out, text, GDB_PACKET_MAX);
	assert_int_equal(frame_all(&f, (const char *)out->data, out->len), GDB_FRAME_PACKET);
	assert_int_equal(f.len, GDB_PACKET_MAX);
	g_byte_array_set_size(out, 0);
	gdb_frame_append(out, text, GDB_PACKET_MAX + 1);
	assert_int_equal(frame_all(&f, (const char *)out->data, out->len), GDB_FRAME_BAD);
}

/*
 * Breakpoints.
 */
static uint8_t _Alignas(16) code[256];
static struct gmem mem;

static int breaks_setup(void **state)
{
	static struct gdb_breaks breaks;

	mem = (struct gmem){ 0 };
	for (unsigned i = 0; i < sizeof(code); i++)
		code[i] = (uint8_t)i;
	assert_int_equal(gmem_add(&mem, 0x1000, sizeof(code), code), 0);
	gdb_breaks_init(&breaks);
	*state = &breaks;
	return 0;
}

static int breaks_teardown(void **state)
{
	gdb_breaks_free(*state);
	return 0;
}

static bool add_instruction(struct gdb_breaks *b, uint64_t at)
{
	struct vcpu_hw_break want = { VCPU_STOP_INSTRUCTION, 0xffff0000 + at, 1 };
	uint64_t gpa = 0x1000 + at;

	return gdb_breaks_add(b, &want, &mem, &gpa);
}

static bool del_instruction(struct gdb_breaks *b, uint64_t at)
{
	struct vcpu_hw_break want = { VCPU_STOP_INSTRUCTION, 0xffff0000 + at, 1 };

	return gdb_breaks_del(b, &want, &mem);
}

static bool is_written(unsigned at)
{
	return code[at] == gdb_break_instruction[0];
}

static void registers_come_before_memory(void **state)
{
	struct gdb_breaks *b = *state;

	for (unsigned i = 1; i <= 4; i++)
		assert_true(add_instruction(b, i));
	assert_int_equal(b->debug.n_hw, 4);
	assert_int_equal(b->debug.n_instructions, 0);
	assert_false(is_written(1) || is_written(2) || is_written(3) || is_written(4));
	assert_true(add_instruction(b, 5));
	assert_true(add_instruction(b, 5)); /* no second one */
	assert_int_equal(b->debug.n_instructions, 1);
	assert_int_equal(b->debug.instruction[0], 0xffff0005);
	assert_true(is_written(5));
	assert_true(del_instruction(b, 1)); /* so that there is a register for it */
	assert_int_equal(b->debug.n_hw, 4);
	assert_int_equal(b->debug.n_instructions, 0);
	assert_int_equal(code[5], 5);
	assert_false(del_instruction(b, 1));
}

static void what_needs_a_register_gets_one(void **state)
{
	struct vcpu_hw_break watch = { VCPU_STOP_WRITE, 0xffff0010, 8 };
	struct vcpu_hw_break unmapped = { VCPU_STOP_INSTRUCTION, 0xdead0000, 1 };
	struct gdb_breaks *b = *state;

	for (unsigned i = 1; i <= 4; i++)
		assert_true(add_instruction(b, i));
	assert_true(gdb_breaks_add(b, &watch, &mem, NULL));
	assert_true(is_written(4));
	assert_true(gdb_breaks_add(b, &unmapped, &mem, NULL));
	assert_true(is_written(3) && is_written(4));
	assert_false(is_written(2));
	for (watch.addr = 0xffff0020; watch.addr < 0xffff0030; watch.addr += 8)
		assert_true(gdb_breaks_add(b, &watch, &mem, NULL));
	assert_false(gdb_breaks_add(b, &watch, &mem, NULL)); /* a fifth */
	assert_int_equal(b->debug.n_hw, 4);
	assert_int_equal(b->debug.n_instructions, 4);
	gdb_breaks_del_all(b, &mem);
	for (unsigned i = 0; i < sizeof(code); i++)
		assert_int_equal(code[i], i);
	assert_int_equal(b->debug.n_hw + b->debug.n_instructions, 0);
}

static void what_the_guest_wrote_stays(void **state)
{
	struct gdb_breaks *b = *state;

	for (unsigned i = 1; i <= 5; i++)
		assert_true(add_instruction(b, i));
	code[5] = 0x90;
	assert_true(del_instruction(b, 5));
	assert_int_equal(code[5], 0x90);
	assert_true(add_instruction(b, 6));
	code[6] = 0x91; /* the kernel is loaded anew */
	gdb_breaks_reloaded(b, &mem);
	assert_true(is_written(6));
	gdb_breaks_del_all(b, &mem);
	assert_int_equal(code[6], 0x91);
	assert_false(add_instruction(b, sizeof(code)) && add_instruction(b, 7) &&
		     add_instruction(b, 8) && add_instruction(b, 9) &&
		     add_instruction(b, sizeof(code) + 1)); /* no memory there */
	assert_int_equal(code[9], 9);
}

/*
 * A guest of two vCPUs.
 */
static struct guest {
	struct gdb *gdb;
	char *path;
	bool stopped, at_stop, quit, reset;
	struct vcpu_stop stop;
	enum vcpu_run how[2];
	uint8_t regs[2][GDB_REGS_MAX];
	uint8_t memory[64]; /* at 0x100 */
	struct vcpu_hw_break inserted;
	unsigned n_inserted, n_removed_all;
} guest;

static unsigned guest_cpus(void *opaque)
{
	(void)opaque;
	return 2;
}

static bool guest_is_stopped(void *opaque)
{
	return ((struct guest *)opaque)->stopped;
}

static bool guest_stopped_at(struct vcpu_stop *ret, void *opaque)
{
	*ret = ((struct guest *)opaque)->stop;
	return ((struct guest *)opaque)->at_stop;
}

static void guest_stop(void *opaque)
{
	struct guest *g = opaque;

	if (g->stopped)
		return;
	g->stopped = true;
	gdb_stopped(g->gdb);
}

static bool guest_resume(const enum vcpu_run *how, void *opaque)
{
	struct guest *g = opaque;

	memcpy(g->how, how, sizeof(g->how));
	g->stopped = g->at_stop = false;
	return true;
}

static bool guest_read_regs(unsigned cpu, uint8_t *regs, void *opaque)
{
	memcpy(regs, ((struct guest *)opaque)->regs[cpu], GDB_REGS_MAX);
	return true;
}

static bool guest_write_regs(unsigned cpu, const uint8_t *regs, void *opaque)
{
	memcpy(((struct guest *)opaque)->regs[cpu], regs, gdb_regs_size());
	return true;
}

static uint8_t *memory_at(struct guest *g, uint64_t addr, size_t len)
{
	if (addr < 0x100 || addr - 0x100 > sizeof(g->memory) ||
	    len > sizeof(g->memory) - (addr - 0x100))
		return NULL;
	return g->memory + (addr - 0x100);
}

static bool guest_read_memory(unsigned cpu, uint64_t addr, void *dst, size_t len, void *opaque)
{
	const uint8_t *at = memory_at(opaque, addr, len);

	(void)cpu;
	if (at)
		memcpy(dst, at, len);
	return at;
}

static bool guest_write_memory(unsigned cpu, uint64_t addr, const void *src, size_t len,
			       void *opaque)
{
	uint8_t *at = memory_at(opaque, addr, len);

	(void)cpu;
	if (at)
		memcpy(at, src, len);
	return at;
}

static bool guest_insert(unsigned cpu, const struct vcpu_hw_break *b, void *opaque)
{
	struct guest *g = opaque;

	(void)cpu;
	g->inserted = *b;
	return ++g->n_inserted;
}

static bool guest_remove(const struct vcpu_hw_break *b, void *opaque)
{
	struct guest *g = opaque;

	return b->addr == g->inserted.addr && b->reason == g->inserted.reason &&
	       b->len == g->inserted.len && g->n_inserted--;
}

static void guest_remove_all(void *opaque)
{
	((struct guest *)opaque)->n_removed_all++;
}

static char *guest_describe(unsigned cpu, void *opaque)
{
	(void)opaque;
	return g_strdup_printf("vCPU %u", cpu);
}

static void guest_reset(void *opaque)
{
	((struct guest *)opaque)->reset = true;
}

static void guest_quit(void *opaque)
{
	((struct guest *)opaque)->quit = true;
}

static const struct gdb_ops ops = {
	.cpus = guest_cpus,
	.stopped = guest_is_stopped,
	.stopped_at = guest_stopped_at,
	.stop = guest_stop,
	.resume = guest_resume,
	.read_regs = guest_read_regs,
	.write_regs = guest_write_regs,
	.read_memory = guest_read_memory,
	.write_memory = guest_write_memory,
	.insert = guest_insert,
	.remove = guest_remove,
	.remove_all = guest_remove_all,
	.describe = guest_describe,
	.reset = guest_reset,
	.powerdown = guest_quit,
	.quit = guest_quit,
};

static int guest_setup(void **state)
{
	g_autofree char *spec = NULL;
	g_autofree char *dir = g_dir_make_tmp("gdb-XXXXXX", NULL);

	guest = (struct guest){ .path = g_build_filename(dir, "socket", NULL) };
	for (unsigned i = 0; i < sizeof(guest.memory); i++)
		guest.memory[i] = (uint8_t)i;
	spec = g_strdup_printf("unix:%s", guest.path);
	guest.gdb = gdb_new(spec, &ops, &guest, NULL);
	assert_non_null(guest.gdb);
	*state = &guest;
	return 0;
}

static int guest_teardown(void **state)
{
	g_autofree char *dir = g_path_get_dirname(guest.path);

	(void)state;
	gdb_free(guest.gdb);
	assert_int_equal(rmdir(dir), 0); /* the socket's file is gone */
	g_free(guest.path);
	return 0;
}

/*
 * A client.
 */
static int client_connect(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	g_strlcpy(addr.sun_path, guest.path, sizeof(addr.sun_path));
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* The next @n bytes, while the server's loop runs. */
static void client_read(int fd, char *out, size_t n)
{
	while (n) {
		ssize_t got = read(fd, out, n);

		if (got > 0) {
			out += got;
			n -= (size_t)got;
			continue;
		}
		assert_true(got < 0 && errno == EAGAIN);
		g_main_context_iteration(NULL, FALSE);
	}
}

static void client_raw(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void client_send(int fd, const char *text)
{
	g_autoptr(GByteArray) out = g_byte_array_new();

	gdb_frame_append(out, text, strlen(text));
	assert_int_equal(write(fd, out->data, out->len), out->len);
}

/* The next packet's text; acknowledgements are skipped, so are they by GDB. */
static const char *client_next(int fd)
{
	static struct gdb_frame f;
	char byte;

	gdb_frame_init(&f);
	for (;;) {
		client_read(fd, &byte, 1);
		switch (gdb_frame_take(&f, byte)) {
		case GDB_FRAME_PACKET:
			return f.text;
		case GDB_FRAME_MORE:
			break;
		default:
			fail_msg("not a packet");
		}
	}
}

static void ask(int fd, const char *text, const char *answer)
{
	client_send(fd, text);
	assert_string_equal(client_next(fd), answer);
}

static void until_stopped(bool stopped)
{
	while (guest.stopped != stopped)
		g_main_context_iteration(NULL, TRUE);
}

static void connecting_stops_the_guest_and_leaving_lets_it_go_on(void **state)
{
	int fd = client_connect();

	(void)state;
	ask(fd, "?", "T02thread:1;");
	assert_true(guest.stopped);
	close(fd);
	until_stopped(false);
	assert_int_equal(guest.n_removed_all, 1);
	assert_int_equal(guest.how[0] | guest.how[1], VCPU_RUN);
	fd = client_connect(); /* and another may come */
	ask(fd, "qAttached", "1");
	ask(fd, "D", "OK");
	assert_false(guest.stopped);
	close(fd);
}

static void there_is_one_client_at_a_time(void **state)
{
	int fd = client_connect(), other;
	char byte;

	(void)state;
	ask(fd, "qC", "QC1");
	other = client_connect();
	while (read(other, &byte, 1) < 0)
		g_main_context_iteration(NULL, FALSE);
	assert_int_equal(read(other, &byte, 1), 0);
	close(other);
	ask(fd, "qC", "QC1");
	close(fd);
}

static void what_was_garbled_is_asked_for_again(void **state)
{
	int fd = client_connect();
	char answer[1];

	(void)state;
	client_raw(fd, "$qC#00");
	client_read(fd, answer, 1);
	assert_int_equal(answer[0], '-');
	ask(fd, "qC", "QC1");
	client_raw(fd, "-");
	assert_string_equal(client_next(fd), "QC1");
	ask(fd, "QStartNoAckMode", "OK");
	ask(fd, "qUnheardOf", "");
	ask(fd, "", "");
	close(fd);
}

static void memory_is_read_as_far_as_it_goes(void **state)
{
	int fd = client_connect();

	(void)state;
	ask(fd, "m100,4", "00010203");
	ask(fd, "m13c,8", "3c3d3e3f");
	ask(fd, "m200,4", "E22");
	ask(fd, "mffffffffffffffff,ffffffffffffffff", "E22");
	ask(fd, "m100", "E22");
	ask(fd, "M102,2:abcd", "OK");
	ask(fd, "m100,5", "0001abcd04");
	ask(fd, "M102,2:abc", "E22");
	ask(fd, "M102,3:abcd", "E22");
	ask(fd, "M13f,2:abcd", "E22");
	ask(fd, "X100,0:", "OK");
	ask(fd, "X100,2:#}", "OK");
	ask(fd, "m100,2", "237d");
	ask(fd, "X100,3:ab", "E22");
	close(fd);
}

static void registers_go_by_their_numbers(void **state)
{
	int fd = client_connect();
	size_t at, len;

	(void)state;
	assert_true(gdb_reg_at(16, &at, &len)); /* rip */
	assert_int_equal(len, 8);
	ask(fd, "Hg2", "OK");
	ask(fd, "P10=f0debc9a78563412", "OK");
	assert_int_equal(guest.regs[1][at], 0xf0);
	assert_int_equal(guest.regs[1][at + 7], 0x12);
	ask(fd, "p10", "f0debc9a78563412");
	ask(fd, "Hg1", "OK");
	ask(fd, "p10", "0000000000000000");
	ask(fd, "p1000", "E22");
	ask(fd, "P10=f0", "E22");
	ask(fd, "Hg3", "E22");
	client_send(fd, "g");
	assert_int_equal(strlen(client_next(fd)), 2 * gdb_regs_size());
	ask(fd, "G00", "E22");
	close(fd);
}

/* GDB itself checks the description's meaning: tests/guest/gdb. */
static void the_description_comes_in_parts(void **state)
{
	g_autoptr(GString) all = g_string_new(NULL);
	g_autofree char *want = gdb_target_description();
	int fd = client_connect();
	char last = 'm';

	(void)state;
	while (last == 'm') {
		g_autofree char *request = g_strdup_printf("qXfer:features:read:target.xml:%zx,200",
							   all->len);
		const char *text;

		client_send(fd, request);
		text = client_next(fd);
		last = text[0];
		g_string_append(all, text + 1);
	}
	assert_int_equal(last, 'l');
	assert_string_equal(all->str, want);
	ask(fd, "qXfer:features:read:target.xml:100000,10", "E22");
	close(fd);
}

static void threads_are_vcpus(void **state)
{
	int fd = client_connect();

	(void)state;
	ask(fd, "qfThreadInfo", "m1,2");
	ask(fd, "qsThreadInfo", "l");
	ask(fd, "T2", "OK");
	ask(fd, "T3", "E22");
	ask(fd, "qThreadExtraInfo,2", "764350552031"); /* "vCPU 1" */
	close(fd);
}

static void each_vcpu_goes_on_as_it_is_told(void **state)
{
	static const struct {
		const char *packet;
		enum vcpu_run how[2];
	} cases[] = {
		{ "vCont;c", { VCPU_RUN, VCPU_RUN } },
		{ "vCont;s:2", { VCPU_HOLD, VCPU_STEP } },
		{ "vCont;s:1;c", { VCPU_STEP, VCPU_RUN } },
		{ "vCont;S05:2;C05:-1", { VCPU_RUN, VCPU_STEP } },
		{ "c", { VCPU_RUN, VCPU_RUN } },
		{ "s", { VCPU_STEP, VCPU_HOLD } },
	};
	int fd = client_connect();

	(void)state;
	ask(fd, "vCont?", "vCont;c;C;s;S");
	ask(fd, "vCont", "E22");
	ask(fd, "vCont;t", "E22");
	ask(fd, "vCont;s:9", "E22");
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		client_send(fd, cases[i].packet);
		until_stopped(false);
		assert_memory_equal(guest.how, cases[i].how, sizeof(guest.how));
		client_raw(fd, "\3");
		assert_string_equal(client_next(fd), "T02thread:1;");
		assert_true(guest.stopped);
	}
	close(fd);
}

static void stops_say_where_and_why(void **state)
{
	static const struct {
		struct vcpu_stop stop;
		const char *says;
	} cases[] = {
		{ { 0, VCPU_STOP_STEP, 0x10 }, "T05thread:1;" },
		{ { 1, VCPU_STOP_INSTRUCTION, 0x10 }, "T05thread:2;swbreak:;" },
		{ { 0, VCPU_STOP_EXECUTE, 0x10 }, "T05thread:1;hwbreak:;" },
		{ { 0, VCPU_STOP_WRITE, 0x1234 }, "T05thread:1;watch:1234;" },
		{ { 1, VCPU_STOP_ACCESS, 0x1234 }, "T05thread:2;awatch:1234;" },
	};
	int fd = client_connect();

	(void)state;
	client_send(fd, "qSupported:swbreak+;hwbreak+");
	assert_non_null(strstr(client_next(fd), "PacketSize=1000;"));
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		client_send(fd, "vCont;c");
		until_stopped(false);
		guest.stop = cases[i].stop;
		guest.at_stop = true;
		guest_stop(&guest);
		assert_string_equal(client_next(fd), cases[i].says);
		ask(fd, "?", cases[i].says);
	}
	client_send(fd, "vCont;c");
	until_stopped(false);
	gdb_ended(guest.gdb);
	assert_string_equal(client_next(fd), "W00");
	close(fd);
}

static void breakpoints_are_checked(void **state)
{
	static const struct {
		const char *packet;
		struct vcpu_hw_break b;
	} good[] = {
		{ "0,1234,1", { VCPU_STOP_INSTRUCTION, 0x1234, 1 } },
		{ "1,ffffffff81000000,1", { VCPU_STOP_EXECUTE, 0xffffffff81000000, 1 } },
		{ "2,1238,8", { VCPU_STOP_WRITE, 0x1238, 8 } },
		{ "3,1234,4", { VCPU_STOP_ACCESS, 0x1234, 4 } },
		{ "4,1234,2", { VCPU_STOP_ACCESS, 0x1234, 2 } },
	};
	static const char *const bad[] = { "Z2,1234,8", "Z2,1230,3", "Z2,1230,1000000000",
					   "Z5,1234,1", "Z0,1234",   "Z" };
	int fd = client_connect();

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autofree char *insert = g_strconcat("Z", good[i].packet, NULL);
		g_autofree char *remove = g_strconcat("z", good[i].packet, NULL);

		ask(fd, insert, "OK");
		assert_int_equal(guest.inserted.addr, good[i].b.addr);
		assert_int_equal(guest.inserted.reason, good[i].b.reason);
		assert_int_equal(guest.inserted.len, good[i].b.len);
		ask(fd, remove, "OK");
	}
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		ask(fd, bad[i], "E22");
	assert_int_equal(guest.n_inserted, 0);
	close(fd);
}

static void monitor_has_the_operators_words(void **state)
{
	int fd = client_connect();

	(void)state;
	ask(fd, "qRcmd,7265736574", "OK"); /* reset */
	assert_true(guest.reset);
	client_send(fd, "qRcmd,00");
	assert_true(g_str_has_prefix(client_next(fd), "6d6f6e69746f72")); /* monitor */
	ask(fd, "vKill;1", "OK");
	assert_true(guest.quit);
	close(fd);
}

static void addresses_are_checked(void **state)
{
	static const char *const bad[] = {
		"nonsense",        "tcp:",  "tcp:0", "tcp:65536", "tcp:host:1234",
		"tcp:127.0.0.1:x", "unix:", ""
	};
	g_autoptr(GError) err = NULL;
	struct gdb *gdb = NULL;

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		assert_null(gdb_new(bad[i], &ops, &guest, &err));
		assert_true(g_str_has_prefix(err->message, "--gdb"));
		g_clear_error(&err);
	}
	for (unsigned port = 45000; !gdb && port < 46000; port++) {
		g_autofree char *spec = g_strdup_printf("tcp:127.0.0.1:%u", port);

		gdb = gdb_new(spec, &ops, &guest, NULL);
	}
	assert_non_null(gdb);
	gdb_free(gdb);
}

#define SERVER(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
#define BREAKS(name) cmocka_unit_test_setup_teardown(name, breaks_setup, breaks_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_told_from_what_is_between),
		cmocka_unit_test(any_byte_comes_through_a_packet),
		cmocka_unit_test(a_packet_may_be_as_long_as_is_said_and_no_longer),
		BREAKS(registers_come_before_memory),
		BREAKS(what_needs_a_register_gets_one),
		BREAKS(what_the_guest_wrote_stays),
		SERVER(connecting_stops_the_guest_and_leaving_lets_it_go_on),
		SERVER(there_is_one_client_at_a_time),
		SERVER(what_was_garbled_is_asked_for_again),
		SERVER(memory_is_read_as_far_as_it_goes),
		SERVER(registers_go_by_their_numbers),
		SERVER(the_description_comes_in_parts),
		SERVER(threads_are_vcpus),
		SERVER(each_vcpu_goes_on_as_it_is_told),
		SERVER(stops_say_where_and_why),
		SERVER(breakpoints_are_checked),
		SERVER(monitor_has_the_operators_words),
		cmocka_unit_test(addresses_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
