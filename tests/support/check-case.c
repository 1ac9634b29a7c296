#include "tests/support/check-case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/echo.h"
#include "tests/support/rig-impl.h"
#include "vmm/check/check.h"

#define WAIT_MS 20u

static unsigned n_wrong; /* cases */

static struct checker *checker; /* of the rig that is open */

uint64_t check_told(void)
{
	return checker_count(checker);
}

static void watch(struct vdev *dev)
{
	checker_watch(checker, dev);
}

void check_behind(struct rig *r, struct vdev_observer *o)
{
	struct vdev *dev = rig_dev(r);

	checker_leave(checker, dev);
	if (o)
		vdev_observe(dev, o);
	checker_watch(checker, dev);
}

struct check_page *check_bait(struct rig *r, unsigned n, uint64_t base)
{
	struct check_page *p = check_page_new(checker, n, board_fake_board(rig_board(r)), base,
					      NULL);

	assert_non_null(p);
	return p;
}

/* For block devices. */
static void make_disk(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "disk", NULL);
	static const char bytes[1 << 20];

	assert_true(g_file_set_contents(path, bytes, sizeof(bytes), NULL));
}

static void note(const struct check_finding *f, void *opaque)
{
	g_string_append_printf(opaque, " %s ", f->v.rule);
	assert_non_null(f->v.section);
	assert_true(f->count > 0 && f->last >= f->first);
}

/* Takes " @name " out of @found; was it there? */
static bool take(GString *found, const char *name)
{
	g_autofree char *padded = g_strdup_printf(" %s ", name);

	return g_string_replace(found, padded, "", 0) > 0;
}

static void G_GNUC_PRINTF(1, 2) wrong(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint_error(fmt, ap);
	va_end(ap);
	print_error("\n");
	n_wrong++;
}

static void run_case(const struct check_case *c, const char *link,
		     const struct check_config *config)
{
	struct rig_case rc = { .spec = c->spec ? c->spec : "echo",
			       .class = c->spec ? NULL : &echo_class,
			       .setup = make_disk,
			       .opened = watch };
	const char *name = check_row(c->rule).name;
	g_auto(GStrv) also = g_strsplit(c->also ? c->also : "", " ", -1);
	g_autoptr(GString) found = g_string_new(NULL);
	struct vdev *dev;
	struct rig *r;

	checker = checker_new(config, NULL);
	r = rig_open(rig_link_find(link), &rc);
	dev = rig_dev(r);
	c->run(r);
	rig_reset(r);
	checker_leave(checker, dev);
	checker_for_each(checker, note, found);
	if (c->rule < N_CHECK_RULES && !take(found, name))
		wrong("%s over %s is not told; of others:%s", name, link, found->str);
	for (char **a = also; *a; a++)
		if (**a && !take(found, *a))
			wrong("%s over %s: not told with it: %s", name, link, *a);
	(void)take(found, "needs-reset"); /* by who broke a ring, and then took his time */
	if (*g_strstrip(found->str))
		wrong("%s over %s: told besides: %s", name ? name : "no rule", link, found->str);
	rig_close(r);
	checker_free(checker);
}

unsigned check_cases_wrong(const struct check_cases *cases)
{
	const struct check_config config = {
		.on = true, .advice = !cases->must, .bait = cases->bait, .wait_ms = WAIT_MS
	};

	n_wrong = 0;
	for (size_t i = 0; i < cases->n; i++) {
		g_auto(GStrv) links = g_strsplit(cases->cases[i].links, " ", -1);

		for (char **link = links; *link; link++)
			run_case(&cases->cases[i], *link, &config);
	}
	return n_wrong;
}

void check_cases_run(void **state)
{
	assert_int_equal(check_cases_wrong(*state), 0);
}

bool check_cases_have(const struct check_cases *cases, unsigned rule)
{
	for (size_t i = 0; i < cases->n; i++)
		if (cases->cases[i].rule == rule)
			return true;
	return false;
}

void check_pass(struct rig *r, unsigned ms)
{
	int64_t end = g_get_monotonic_time() + ms * 1000l;

	while (g_get_monotonic_time() < end) {
		g_usleep(1000);
		g_main_context_iteration(NULL, FALSE);
		rig_wait_idle(r);
	}
}

void check_chain(struct rig *r, unsigned q, unsigned n)
{
	struct rig_buf bufs[4];

	assert_true(n <= G_N_ELEMENTS(bufs));
	for (unsigned i = 0; i < n; i++)
		bufs[i] = rig_alloc(r, 4);
	rig_add(r, q, bufs, n, 0);
}

void check_desc(struct rig *r, unsigned q, unsigned i, struct drv_buf b, unsigned flags,
		unsigned next)
{
	rig_vq(r, q)->split.desc[i] = (struct vring_desc){
		.addr = cpu_le64(b.gpa),
		.len = cpu_le32(b.len),
		.flags = cpu_le16((uint16_t)flags),
		.next = cpu_le16((uint16_t)next),
	};
}

void check_offer(struct rig *r, unsigned q)
{
	rig_publish(r, q);
	rig_kick(r, q);
	rig_wait_idle(r);
}
