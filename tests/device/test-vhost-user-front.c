/*
 * Devices that a vhost-user back-end serves (devices/vhost-user/), over every link of a driver's:
 * the back-end is ringside's own, in a thread (tests/support/vhost-user-back.h). What a back-end
 * that misbehaves does to the front-end is tests/unit/test-vhost-user-front.c's; that other
 * programs' back-ends are understood, tests/system/vhost-user-front's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/echo.h"
#include "tests/support/rig.h"
#include "tests/support/vhost-user-back.h"

#define ECHO   "vhost-user,socket=@/back,type=63,queues=3,config-size=20"
#define BOUNCE ECHO ",memory=bounce,size=1M"

static char *path_of(const char *dir)
{
	return g_build_filename(dir, "back", NULL);
}

static void serve_echo(const char *dir)
{
	g_autofree char *path = path_of(dir);

	back_keep(path, "echo,ring=packed,features=+in_order,queue-size=128");
}

static struct rig_req *send(struct rig *r, unsigned q, const char *text, struct rig_buf *ret)
{
	uint32_t len = (uint32_t)strlen(text) + 1;
	struct rig_buf bufs[] = { rig_dup(r, text, len), rig_alloc(r, len) };

	*ret = bufs[1];
	return rig_submit(r, q, bufs, 1, 1);
}

static void echoes(struct rig *r, const char *text)
{
	struct rig_buf answer;
	struct rig_req *req = send(r, ECHO_COPY, text, &answer);

	assert_int_equal(rig_wait(r, req), strlen(text) + 1);
	assert_string_equal(answer.p, text);
}

static void requests_are_answered(struct rig *r)
{
	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 1000; i++)
		echoes(r, "there and back");
}

static void a_reset_begins_anew(struct rig *r)
{
	for (unsigned i = 0; i < 5; i++) {
		rig_start(r, i % 2 ? RIG_NONE : RIG_ALL);
		echoes(r, "once more");
	}
	rig_reset(r);
}

static void a_pause_loses_nothing(struct rig *r)
{
	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 20; i++) {
		struct rig_buf answer;
		struct rig_req *req;

		vdev_pause(rig_dev(r));
		req = send(r, ECHO_COPY, "meanwhile", &answer);
		vdev_resume(rig_dev(r));
		assert_int_equal(rig_wait(r, req), 10);
		assert_string_equal(answer.p, "meanwhile");
	}
}

static unsigned regions_in_use(struct rig *r)
{
	unsigned n = 0;

	vdev_pause(rig_dev(r));
	for (unsigned i = 0; i < rig_mem(r)->n; i++)
		n += vdev_uses_memory(rig_dev(r), &rig_mem(r)->region[i]);
	vdev_resume(rig_dev(r));
	return n;
}

/* Rings are held fast, and nothing else. */
static void memory_with_a_ring_in_it_stays(struct rig *r)
{
	assert_int_equal(regions_in_use(r), 0);
	rig_start(r, RIG_ALL);
	assert_in_range(regions_in_use(r), 1, rig_mem(r)->n);
	echoes(r, "still there");
	rig_reset(r);
	assert_int_equal(regions_in_use(r), 0);
}

/* Added and taken away while a driver runs: the back-end finds what is there, each time. */
static void memory_can_come_and_go(struct rig *r)
{
	const uint64_t gpa = 1ull << 40;
	uint32_t len = 1u << 16;

	rig_start(r, RIG_ALL);
	for (unsigned i = 0; i < 3; i++) {
		int fd = memfd_create("more", MFD_CLOEXEC);
		uint8_t *p;
		struct rig_buf bufs[] = { rig_dup(r, "hello", 6), { .gpa = gpa, .len = 6 } };

		assert_int_equal(ftruncate(fd, len), 0);
		p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		vdev_pause(rig_dev(r));
		assert_int_equal(gmem_add_file(rig_mem(r), gpa, len, p, fd, 0), 0);
		vdev_memory_changed(rig_dev(r));
		vdev_resume(rig_dev(r));
		bufs[1].p = p;
		assert_int_equal(rig_do(r, ECHO_COPY, bufs, 1, 1), 6);
		assert_string_equal((char *)p, "hello");
		vdev_pause(rig_dev(r));
		assert_int_equal(gmem_remove(rig_mem(r), gpa), 0);
		vdev_memory_changed(rig_dev(r));
		munmap(p, len);
		close(fd);
		vdev_resume(rig_dev(r));
		echoes(r, "as before");
	}
}

static void configuration_is_the_back_ends(struct rig *r)
{
	uint8_t bytes[4] = { 1, 2, 3, 4 };

	rig_start(r, RIG_ALL);
	rig_config_write(r, ECHO_WRITABLE, bytes, sizeof(bytes));
	rig_config(r, ECHO_WRITABLE, bytes, sizeof(bytes));
	for (uint8_t i = 0; i < 4; i++)
		assert_int_equal(bytes[i], i + 2);
	echo_set_pair(back_dev(back_kept()), 4711, true);
	RIG_UNTIL(r, rig_config32(r, ECHO_PAIR) == 4711);
	RIG_UNTIL(r, rig_config_interrupts(r) > 0);
}

static void requests_wait_for_a_back_end(struct rig *r)
{
	struct rig_buf answer;
	struct rig_req *req;

	rig_start(r, RIG_ALL);
	echoes(r, "before");
	back_unkeep();
	req = send(r, ECHO_COPY, "waits", &answer);
	rig_wait_idle(r);
	assert_false(req->done);
	serve_echo(rig_dir(r));
	assert_int_equal(rig_wait(r, req), 6);
	assert_string_equal(answer.p, "waits");
}

/* With nobody there: a driver can do all that it likes, and finds its requests answered later. */
static void a_driver_can_begin_without_a_back_end(struct rig *r)
{
	struct rig_buf answer;
	struct rig_req *req;

	back_unkeep();
	rig_start(r, RIG_ALL);
	rig_start(r, RIG_ALL);
	vdev_pause(rig_dev(r));
	vdev_resume(rig_dev(r));
	req = send(r, ECHO_COPY, "early", &answer);
	serve_echo(rig_dir(r));
	assert_int_equal(rig_wait(r, req), 6);
	rig_reset(r);
}

/* A packed ring's position is in nobody's memory but the back-end's that died. */
#define SPLIT_LINKS "* !*-packed* !legacy* !vhost-user*"

/* Where a front-end does not say what memory there is. */
#define OWN_MEMORY "* !legacy* !vhost-user* !vfio-user*"

static const struct rig_case cases[] = {
	{ "requests are answered", ECHO, requests_are_answered, serve_echo, .links = RIG_MODERN },
	{ "a reset begins anew", ECHO, a_reset_begins_anew, serve_echo, .links = RIG_MODERN },
	{ "a pause loses nothing", ECHO, a_pause_loses_nothing, serve_echo, .links = RIG_MODERN },
	{ "memory with a ring in it stays", ECHO, memory_with_a_ring_in_it_stays, serve_echo,
	  .links = OWN_MEMORY },
	{ "memory can come and go", ECHO, memory_can_come_and_go, serve_echo, .links = OWN_MEMORY },
	{ "the configuration space is the back-end's", ECHO, configuration_is_the_back_ends,
	  serve_echo, .links = RIG_MODERN },
	{ "requests wait for a back-end", ECHO, requests_wait_for_a_back_end, serve_echo,
	  .links = SPLIT_LINKS },
	{ "a driver can begin without a back-end", ECHO, a_driver_can_begin_without_a_back_end,
	  serve_echo, .links = RIG_MODERN },
	{ "bounce: requests are answered", BOUNCE, requests_are_answered, serve_echo,
	  .links = RIG_MODERN },
	{ "bounce: a reset begins anew", BOUNCE, a_reset_begins_anew, serve_echo,
	  .links = RIG_MODERN },
	{ "bounce: a pause loses nothing", BOUNCE, a_pause_loses_nothing, serve_echo,
	  .links = RIG_MODERN },
	{ "bounce: memory with a ring in it stays", BOUNCE, memory_with_a_ring_in_it_stays,
	  serve_echo, .links = RIG_MODERN },
	{ "bounce: memory can come and go", BOUNCE, memory_can_come_and_go, serve_echo,
	  .links = RIG_MODERN },
	{ "bounce: the configuration space is the back-end's", BOUNCE,
	  configuration_is_the_back_ends, serve_echo, .links = RIG_MODERN },
	{ "bounce: requests wait for a back-end", BOUNCE, requests_wait_for_a_back_end, serve_echo,
	  .links = RIG_MODERN },
	{ "bounce: a driver can begin without a back-end", BOUNCE,
	  a_driver_can_begin_without_a_back_end, serve_echo, .links = RIG_MODERN },
};

int main(void)
{
	int ret = rig_run("vhost-user-front", cases, G_N_ELEMENTS(cases));

	back_unkeep();
	return ret;
}
