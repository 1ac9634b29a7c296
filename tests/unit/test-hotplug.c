/* Devices that come and go while another one works, on the fake board: what one leaves behind (a
 * slot, addresses of its BARs, ioeventfds, messages, descriptors) is the next one's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/board-fake.h"
#include "tests/support/echo.h"
#include "tests/support/open-files.h"
#include "transport/pci/root.h"
#include "transport/virtio-pci/virtio-pci.h"

#define ECAM  0xe0000000u
#define MEM   0xc0000000u
#define BAR   0x4000ull
#define RAM   0x10000u
#define PLACE 0x4000u /* of a queue's rings in RAM, for each device */

struct host {
	struct board_fake *board;
	struct pci_root *root;
	struct gmem mem;
	struct vdev_env env;
};

struct card {
	struct vdev *dev;
	struct vpci *pci;
};

static uint8_t ram[RAM] __attribute__((aligned(4096)));

static void host_open(struct host *h)
{
	/* Room for four of them. */
	const struct pci_root_config config = { .ecam_base = ECAM,
						.mem_base = MEM,
						.mem_size = 4 * BAR };

	*h = (struct host){ .board = board_fake_new(true) };
	h->root = pci_root_new(board_fake_board(h->board), &config, NULL);
	assert_non_null(h->root);
	assert_int_equal(gmem_add(&h->mem, 0, RAM, ram), 0);
	h->env = (struct vdev_env){ .mem = &h->mem, .main_loop = loop_main() };
}

static void host_close(struct host *h)
{
	pci_root_free(h->root);
	board_fake_free(h->board); /* fails if anything is left there */
	loop_free(h->env.main_loop);
}

static bool plug(struct host *h, struct card *c, GError **err)
{
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split("echo", &name);

	c->dev = vdev_new(&echo_class, pairs, &h->env, NULL);
	assert_non_null(c->dev);
	c->pci = vpci_new(c->dev, h->root, 0, err);
	if (!c->pci)
		vdev_free(g_steal_pointer(&c->dev));
	return c->pci;
}

static void unplug(struct card *c)
{
	vpci_free(c->pci);
	vdev_free(c->dev);
}

static uint64_t bar_of(struct host *h, unsigned slot)
{
	return pci_root_read(h->root, slot << 3, PCI_BAR0, 4) & ~0xfu;
}

/* The common configuration (VIRTIO 1.4, 4.1.4.3). */
static void put(struct host *h, unsigned slot, unsigned reg, unsigned len, uint32_t value)
{
	board_fake_write(h->board, false, bar_of(h, slot) + reg, len, value);
}

/* A driver takes the device with queue 0, whose rings are the @place-th. */
static void drive(struct host *h, unsigned slot, unsigned place)
{
	uint32_t ring = place * PLACE;

	pci_root_write(h->root, slot << 3, PCI_COMMAND, 2,
		       PCI_COMMAND_MEMORY | PCI_COMMAND_BUS_MASTER);
	put(h, slot, 0x08, 4, 1); /* driver_feature_select */
	put(h, slot, 0x0c, 4, 1); /* VERSION_1 */
	put(h, slot, 0x14, 1, 1 | 2 | 8);
	put(h, slot, 0x16, 2, 0);  /* queue_select */
	put(h, slot, 0x18, 2, 16); /* queue_size */
	put(h, slot, 0x20, 4, ring);
	put(h, slot, 0x28, 4, ring + 0x1000);
	put(h, slot, 0x30, 4, ring + 0x2000);
	put(h, slot, 0x1c, 2, 1);
	put(h, slot, 0x14, 1, 1 | 2 | 8 | 4);
}

static void a_thousand_devices_come_and_go(void **state)
{
	struct host h;
	struct card stays, card;
	unsigned files = 0;

	(void)state;
	host_open(&h);
	assert_true(plug(&h, &stays, NULL));
	drive(&h, 1, 0);
	assert_int_equal(board_fake_n_doorbells(h.board), 1);
	for (unsigned i = 0; i < 1000; i++) {
		assert_true(plug(&h, &card, NULL));
		assert_int_equal(vpci_slot(card.pci), 2);
		assert_int_equal(bar_of(&h, 2), MEM + BAR);
		drive(&h, 2, 1);
		assert_int_equal(board_fake_n_doorbells(h.board), 2);
		unplug(&card);
		assert_int_equal(board_fake_n_doorbells(h.board), 1);
		assert_int_equal(pci_root_read(h.root, 2 << 3, 0, 4), UINT32_MAX);
		if (i == 0)
			files = open_files();
	}
	assert_int_equal(open_files(), files);
	assert_int_equal(vdev_status(stays.dev), 1 | 2 | 8 | 4);
	unplug(&stays);
	host_close(&h);
}

/* In whatever order they go: no room is lost, and none is given twice. */
static void any_of_them_may_go(void **state)
{
	struct card card[4];
	struct host h;

	(void)state;
	host_open(&h);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(plug(&h, &card[i], NULL));
		drive(&h, i + 1, i);
	}
	for (unsigned i = 0; i < 200; i++) {
		unsigned n = i * 7 % 4, other = (n + 1 + i % 3) % 4;
		uint64_t at[2] = { bar_of(&h, n + 1), bar_of(&h, other + 1) };
		g_autoptr(GError) err = NULL;
		struct card more;

		assert_false(plug(&h, &more, &err));
		assert_non_null(strstr(err->message, "no PCI memory left"));
		unplug(&card[n]);
		unplug(&card[other]);
		for (unsigned k = 0; k < 2; k++) {
			struct card *c = &card[k ? MAX(n, other) : MIN(n, other)];

			assert_true(plug(&h, c, NULL));
			assert_ptr_equal(c, &card[vpci_slot(c->pci) - 1]);
			drive(&h, vpci_slot(c->pci), vpci_slot(c->pci) - 1);
		}
		assert_int_equal(bar_of(&h, n + 1) + bar_of(&h, other + 1), at[0] + at[1]);
		assert_int_not_equal(bar_of(&h, n + 1), bar_of(&h, other + 1));
		assert_int_equal(board_fake_n_doorbells(h.board), 4);
	}
	for (unsigned i = 0; i < 4; i++)
		unplug(&card[i]);
	host_close(&h);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thousand_devices_come_and_go),
		cmocka_unit_test(any_of_them_may_go),
	};

	return cmocka_run_group_tests_name("hotplug", tests, NULL, NULL);
}
