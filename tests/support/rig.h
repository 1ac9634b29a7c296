/*
 * The test rig: guest memory, one device, one link to it, and our own driver's side of its queues
 * (virtqueue/driver/drv.h). A case is written once and runs over every link; it sees requests and
 * answers, not registers.
 *
 *	static void a_block_can_be_read(struct rig *r)
 *	{
 *		struct rig_buf hdr = rig_alloc(r, 16), data = rig_alloc(r, 512), st = rig_alloc(r,
 *1);
 *
 *		rig_start(r, RIG_ALL);
 *		assert_int_equal(rig_do(r, 0, (struct rig_buf[]){ hdr, data, st }, 1, 2), 513);
 *		assert_int_equal(*(uint8_t *)st.p, 0);
 *	}
 *
 *	static const struct rig_case cases[] = {
 *		{ "a block can be read", "blk,path=@/disk", a_block_can_be_read, .setup = make_disk
 *},
 *	};
 *
 *	int main(void)
 *	{
 *		return rig_run("blk", cases, G_N_ELEMENTS(cases));
 *	}
 *
 * The rig drives a device as a real driver would: it finds capabilities, programs registers, kicks
 * when the ring says so, and looks at a used ring only after an interrupt (a lost one therefore
 * fails the test, by running out of time). Everything here belongs to the test's thread; whatever
 * goes wrong fails the test through cmocka.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/core/vdev.h"
#include "tests/support/board-fake.h"
#include "virtqueue/driver/drv.h"

struct rig;

/*
 * Cases x links.
 */
struct rig_case {
	const char *name; /* the promise */
	const char *spec; /* as after --device; "@/" is the case's own temporary directory */
	void (*run)(struct rig *r);
	void (*setup)(const char *dir);   /* makes files in it before the device is opened */
	void (*opened)(struct vdev *dev); /* it is, and nobody has looked for it yet */
	const struct vdev_class *class;   /* NULL: found in the registry by spec's first word */
	bool direct_only;                 /* what it shows cannot depend on the link */
	const char *links;                /* globs with blanks between ("pci* mmio"), after ! those
					   that are not meant; NULL: all, RIG_MODERN: those with
					   registers of virtio 1 */
	const struct backend_wrapper *const *wrappers; /* that the spec may name beside the usual */
};

#define RIG_MODERN "* !legacy* !vhost-user*" /* has all registers of virtio 1 */
/* But over vhost-user: there the device is reset when its front-end goes, and a front-end waits for
 * it between its messages, not in the middle of one. */
#define RIG_STAYS "* !vhost-user*"
/* And over vfio-user a client waits in the middle of it, with all that it might do besides. */
#define RIG_WAITS RIG_STAYS " !*vfio-user*"

/* A case whose spec says ring= or features= is not run over links that would say it. */

/* Runs each case over each link as cmocka tests "CASE over LINK"; what main() returns. Of the
 * environment, TESTS is a filter ("*flush*"); RIG_LINKS=all means all links, not just those of the
 * usual run, and RIG_LINKS=threads those of the usual run that have a second thread, where a case
 * has such: for the thread sanitizer, which finds nothing on one. RIG_REPLAY=1 has each case
 * recorded (devices/record), and played again when it has ended (tools/replay): the device has to
 * do the same. RIG_KEEP=1 leaves its files, the record among them, in /tmp. */
int rig_run(const char *group, const struct rig_case *cases, size_t n);

/* The same, and over the links on which chains are copied (RIG_COPIES), too: for cases that know
 * a device by what its driver sees. */
int rig_run_copied(const char *group, const struct rig_case *cases, size_t n);

#define RIG_COPIES     "vhost-user-bounce* vfio-user-far*"
#define RIG_NOT_COPIED "* !vhost-user-bounce* !vfio-user-far*"

struct rig_link; /* tests/support/rig-impl.h */

/* The link called "direct", "mmio", "mmio-cached" (cached-registers=on), "pci", "pci-intx",
 * "pci-cfg" or, with the device on a thread of its own, "direct-thread", "mmio-thread",
 * "mmio-cached-thread", "pci-thread". Each of these there is also with "-packed" (ring=packed),
 * "-order" (features=+in_order,... all that is offered on request only) and "-packed-order". And
 * there are the legacy interfaces: "legacy-mmio" and "legacy-pci" (legacy=on), "legacy-pci-intx"
 * (legacy=only), "legacy-pci-thread", "legacy-vfio-user", for devices that have them. Boards have
 * all that KVM's has. By way of other programs there are "vhost-user" and "vfio-user", with
 * "-thread", "-packed" and (vfio-user's) "-intx", "-order", and "-far", "-far-rings" and
 * "-far-buffers" (memory is reached by messages, in all or in part); and "vhost-user-bounce" is the
 * way through our own front-end with memory=bounce, with a split ring before a packed one,
 * "-packed" the other way round.
 */
const struct rig_link *rig_link_find(const char *name);
const char *rig_link_name(const struct rig *r);

/* For tests that want a rig of their own, or two. */
struct rig *rig_open(const struct rig_link *link, const struct rig_case *c);
void rig_close(struct rig *r); /* NULL is fine */

/* Another device of the same options in place of this one, over the same link and on the same
 * memory; what the driver knows of its queues and requests stays. It was never started. */
void rig_replace(struct rig *r);

/*
 * Memory. Buffers are never freed before the rig is; 48 MiB in all. Bytes around each are watched:
 * a device that writes there fails the test in rig_close().
 */
struct rig_buf {
	void *p;
	uint64_t gpa;
	uint32_t len;
};
struct rig_buf rig_alloc(struct rig *r, uint32_t len);                 /* zeroed */
struct rig_buf rig_dup(struct rig *r, const void *src, uint32_t len);  /* a copy */
struct rig_buf rig_part(struct rig_buf b, uint32_t off, uint32_t len); /* a part of one */

/*
 * Life of the driver.
 */
#define RIG_ALL  ((struct vfeatures){ { UINT64_MAX, UINT64_MAX } }) /* whatever is offered */
#define RIG_NONE ((struct vfeatures){ { 0, 0 } })                   /* VERSION_1 alone */
struct vfeatures rig_all_but(unsigned bit);

/* Reset, negotiation (of @want what is offered, and VERSION_1), all queues, DRIVER_OK. */
void rig_start(struct rig *r, struct vfeatures want);
void rig_reset(struct rig *r); /* status 0; the queues are forgotten, buffers stay */

/* The same in steps. */
struct vfeatures rig_offered(struct rig *r);
bool rig_negotiate(struct rig *r, struct vfeatures accept);     /* exactly; FEATURES_OK held? */
void rig_queue_start(struct rig *r, unsigned q, uint16_t size); /* 0: the device's maximum */
void rig_driver_ok(struct rig *r);                              /* and a look at all queues */
bool rig_is_legacy(struct rig *r);               /* the driver: there is no FEATURES_OK, */
uint32_t rig_running(struct rig *r);             /* so this is the status of a device that runs */
bool rig_has(struct rig *r, unsigned feature);   /* negotiated */
void rig_queue_reset(struct rig *r, unsigned q); /* queue_reset; start it again to go on */

unsigned rig_n_queues(struct rig *r); /* that exist */
uint32_t rig_status(struct rig *r);
void rig_set_status(struct rig *r, uint32_t status);

/* Configuration space: fields little-endian, read as often as the generation asks for. */
void rig_config(struct rig *r, size_t off, void *dst, size_t len);
uint8_t rig_config8(struct rig *r, size_t off);
uint16_t rig_config16(struct rig *r, size_t off);
uint32_t rig_config32(struct rig *r, size_t off);
uint64_t rig_config64(struct rig *r, size_t off);
void rig_config_write(struct rig *r, size_t off, const void *src, size_t len); /* 1, 2, 4 at once */
uint32_t rig_config_generation(struct rig *r);
bool rig_has_generation(struct rig *r);        /* else that is always 0 */
unsigned rig_config_interrupts(struct rig *r); /* so far */

/*
 * Requests.
 */
struct rig_req {
	unsigned q;
	bool done;
	uint32_t len; /* used length */
};

/* Makes a chain of @n_rd device-readable, then @n_wr device-writable buffers available and kicks if
 * the device wants it. The request stays the rig's, and readable until rig_close(). */
struct rig_req *rig_submit(struct rig *r, unsigned q, const struct rig_buf *bufs, unsigned n_rd,
			   unsigned n_wr);

/* The same without publishing, for batches; then rig_publish(). */
struct rig_req *rig_add(struct rig *r, unsigned q, const struct rig_buf *bufs, unsigned n_rd,
			unsigned n_wr);
void rig_publish(struct rig *r, unsigned q);

uint32_t rig_wait(struct rig *r, struct rig_req *req); /* until used; its length */
uint32_t rig_do(struct rig *r, unsigned q, const struct rig_buf *bufs, unsigned n_rd,
		unsigned n_wr);                     /* rig_submit() and rig_wait() */
unsigned rig_room(struct rig *r, unsigned q);       /* free ring slots */
unsigned rig_interrupts(struct rig *r, unsigned q); /* so far */

/* Lets the device work until @cond holds. */
#define RIG_UNTIL(r, cond)                         \
	do {                                       \
		int64_t rig_end_ = rig_deadline(); \
		while (!(cond))                    \
			rig_turn(r, rig_end_);     \
	} while (0)
int64_t rig_deadline(void);
void rig_turn(struct rig *r, int64_t deadline); /* one turn of the main loop; fails when too late */

/* Lets everything that is under way come to rest: then what did not happen will not. */
void rig_wait_idle(struct rig *r);

/*
 * For tests of rings and of the device itself.
 */
struct drv_vq *rig_vq(struct rig *r, unsigned q);
void rig_kick(struct rig *r, unsigned q); /* whether the device wants it or not */
struct vdev *rig_dev(struct rig *r);
struct gmem *rig_mem(struct rig *r);
struct loop *rig_loop(struct rig *r);        /* the main loop */
struct board_fake *rig_board(struct rig *r); /* NULL over direct */
const char *rig_dir(struct rig *r);          /* its temporary directory */

/* Where the links put things, for tests of registers. The PCI function is 00:01.0; each of its
 * vectors V sends MSI_DATA + V, 0 being the configuration's and 1 + q that of queue q. */
#define RIG_MMIO_BASE    0xd0000000u
#define RIG_MMIO_GSI     5u
#define RIG_PCI_ECAM     0xe0000000u
#define RIG_PCI_IO       0xc000u /* the first I/O port of its legacy interface */
#define RIG_PCI_GSI      17u
#define RIG_PCI_MSI_ADDR 0xfee01000u
#define RIG_PCI_MSI_DATA 0x40u
void *rig_transport(struct rig *r); /* struct mmio * or struct vpci *; NULL over direct */

/* Spoils the first descriptor of queue @q's ring, whatever its format: its buffer is at @gpa. */
void rig_spoil_address(struct rig *r, unsigned q, uint64_t gpa);

/* Runs fn(arg) on the queues' owner. */
void rig_on_owner(struct rig *r, void (*fn)(void *arg), void *arg);

/* Messages the device logged so far that contain @text. */
unsigned rig_logged(struct rig *r, const char *text);
