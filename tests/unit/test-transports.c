/* The table of transports (transport/registry.h): what is promised of each row, over a board of
 * bookkeeping. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/echo.h"
#include "tests/support/rig.h"
#include "transport/pci/root.h"
#include "transport/registry.h"

#define PAGE 0xd0001000u
#define GSI  7u

/* A machine with room for one device: of each kind of place. */
struct room {
	struct rig *r; /* whose device it is; no driver yet */
	struct board_fake *board;
	struct pci_root *pci;
	unsigned pages; /* given out */
	struct transport_env env;
};

static bool give_page(void *opaque, struct transport_page *ret, GError **err)
{
	struct room *m = opaque;

	if (m->pages++)
		return ringside_usage(err, "no page is left");
	*ret = (struct transport_page){ PAGE, GSI };
	return true;
}

static void take_page_back(void *opaque, const struct transport_page *page)
{
	struct room *m = opaque;

	assert_int_equal(page->base, PAGE);
	assert_int_equal(page->gsi, GSI);
	m->pages--;
}

static void room_open(struct room *m)
{
	static const struct rig_case echo = { "", "echo", NULL, .class = &echo_class };
	const struct pci_root_config config = { .ecam_base = RIG_PCI_ECAM,
						.mem_base = 1ull << 40,
						.mem_size = 1 << 30 };

	*m = (struct room){ .r = rig_open(rig_link_find("direct"), &echo) };
	vdev_detach(rig_dev(m->r)); /* from the rig's link: it is ours now */
	m->board = board_fake_new(true);
	m->pci = pci_root_new(board_fake_board(m->board), &config, NULL);
	m->env = (struct transport_env){ .board = board_fake_board(m->board),
					 .pci = m->pci,
					 .page = give_page,
					 .page_free = take_page_back,
					 .opaque = m };
}

/* The board fails the test if a transport left anything on it. */
static void room_close(struct room *m)
{
	pci_root_free(m->pci);
	board_fake_free(m->board);
	rig_close(m->r);
}

static void *options_of(const struct transport *t, const char *text)
{
	g_autofree char *spec = g_strdup_printf("%s,%s", t->name, text), *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	void *options = g_malloc0(t->options_size);

	assert_true(prop_parse(t->props, options, pairs, t->name, NULL));
	return options;
}

static void *attach(struct room *m, const struct transport *t, const char *text, GError **err)
{
	g_autofree void *options = options_of(t, text);

	return t->attach(rig_dev(m->r), &m->env, options, err);
}

/*
 * All rows.
 */
static void names_and_rows_are_the_same_list(void **state)
{
	const struct transport *t;
	unsigned n = 0;

	(void)state;
	for (; (t = transport_nth(n)); n++) {
		assert_string_equal(t->name, transport_names[n]);
		assert_ptr_equal(transport_find(t->name), t);
		assert_true(strlen(t->summary) > 0);
	}
	assert_true(n >= 2);
	assert_null(transport_names[n]);
	assert_null(transport_find("direct")); /* no guest can use it */
}

static void each_says_where_the_driver_finds_the_device(void **state)
{
	const struct transport *t;

	(void)state;
	for (unsigned i = 0; (t = transport_nth(i)); i++) {
		struct transport_place place;
		struct room m;
		void *handle;

		room_open(&m);
		handle = attach(&m, t, "", NULL);
		assert_non_null(handle);
		assert_non_null(rig_dev(m.r)->transport);
		t->place(handle, &place);
		assert_true(place.has_page != (place.pci_slot != 0));
		if (place.has_page) {
			assert_int_equal(place.page.base, PAGE);
			assert_int_equal(place.page.gsi, GSI);
			assert_int_equal(board_fake_read(m.board, false, PAGE, 4), 0x74726976);
		} else {
			assert_int_equal(pci_root_read(m.pci, place.pci_slot << 3, 0, 4),
					 0x1af4u | (0x1040 + echo_class.id) << 16);
		}
		t->detach(handle);
		assert_null(rig_dev(m.r)->transport);
		room_close(&m);
	}
}

static void the_machines_reset_and_detaching_reset_the_device(void **state)
{
	const struct transport *t;

	(void)state;
	for (unsigned i = 0; (t = transport_nth(i)); i++) {
		struct room m;
		void *handle;

		room_open(&m);
		handle = attach(&m, t, "", NULL);
		vdev_set_status(rig_dev(m.r), VIRTIO_S_ACKNOWLEDGE);
		if (t->reset)
			t->reset(handle);
		else
			pci_root_reset(m.pci);
		assert_int_equal(vdev_status(rig_dev(m.r)), 0);
		vdev_set_status(rig_dev(m.r), VIRTIO_S_ACKNOWLEDGE);
		t->detach(handle);
		assert_int_equal(vdev_status(rig_dev(m.r)), 0);
		room_close(&m);
	}
}

/*
 * Single rows.
 */
static void pci_takes_the_slot_that_is_asked_for(void **state)
{
	const struct transport *t = transport_find("pci");
	g_autofree void *any = options_of(t, ""), *fixed = options_of(t, "slot=9");
	struct transport_place place;
	struct room m;
	void *handle;

	(void)state;
	assert_false(t->wants_place(any));
	assert_true(t->wants_place(fixed));
	room_open(&m);
	handle = t->attach(rig_dev(m.r), &m.env, fixed, NULL);
	t->place(handle, &place);
	assert_int_equal(place.pci_slot, 9);
	t->detach(handle);
	room_close(&m);
}

static void what_the_machine_lacks_is_a_usage_error(void **state)
{
	struct room m;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const struct transport *t = transport_find(i ? "mmio" : "pci");
		g_autoptr(GError) err = NULL;

		room_open(&m);
		m.env.pci = NULL;
		m.pages = 1;
		assert_null(attach(&m, t, "", &err));
		assert_true(g_error_matches(err, RINGSIDE_ERROR, RINGSIDE_ERROR_USAGE));
		assert_string_equal(err->message, i ? "no page is left"
						    : "transport=pci: this machine has no PCI bus");
		assert_null(rig_dev(m.r)->transport);
		room_close(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_and_rows_are_the_same_list),
		cmocka_unit_test(each_says_where_the_driver_finds_the_device),
		cmocka_unit_test(the_machines_reset_and_detaching_reset_the_device),
		cmocka_unit_test(pci_takes_the_slot_that_is_asked_for),
		cmocka_unit_test(what_the_machine_lacks_is_a_usage_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
