/*
 * The device core: what all virtio devices share, seen from both sides.
 *
 * Above are device classes (devices/blk/, devices/net/, ...): one const struct each. They know
 * queues, chains and their configuration space, and cannot name their transport. Below are the
 * transports (transport/): they translate registers or messages into the vdev_* calls of the second
 * half of this file and are told two things back, queue_changed and config_changed. The status
 * machine, feature negotiation, the config generation and reset live here once (VIRTIO 1.4, 2.1 to
 * 2.5, 3.1).
 *
 * Threads. Transports call from any vCPU's thread; vdev serialises them with the device's lock.
 * Each queue belongs to its loop's thread (queue->loop): the class's kick(), and whatever it calls
 * on the queue's vq, run there and only there. Starting and stopping a queue happens on the owner's
 * thread too, while the caller waits, so after vdev_set_status(dev, 0) nothing of the device
 * touches guest memory. The owner never takes the device's lock.
 *
 * Stopping takes as long as the host has something in hand for the queue, and no longer: what was
 * not begun is dropped on a reset and kept on a pause. The lock is not held meanwhile
 * (dev->changing keeps other calls of the driver out), and a caller that runs an event loop goes on
 * serving it.
 */
#pragma once

#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/base/error.h"
#include "devices/base/loop.h"
#include "devices/base/prop.h"
#include "devices/base/syscalls.h"
#include "virtqueue/gmem.h"
#include "virtqueue/observe.h"
#include "virtqueue/vq.h"

struct vdev;
struct vdev_engine;
struct vdev_env;
struct chr;
struct chr_tap;
struct unpack; /* devices/base/pack.h */

/* Feature bits 0 to 127 (VIRTIO 1.4, 2.2: net uses bits above 63). */
struct vfeatures {
	uint64_t w[2];
};

static inline bool vfeatures_has(struct vfeatures f, unsigned bit)
{
	return bit < 128 && (f.w[bit / 64] >> (bit % 64) & 1);
}

static inline void vfeatures_set(struct vfeatures *f, unsigned bit, bool on)
{
	uint64_t mask = 1ull << (bit % 64);

	f->w[bit / 64] = on ? f->w[bit / 64] | mask : f->w[bit / 64] & ~mask;
}

/* A feature bit of a class, by the name that features=LIST has for it: the specification's, small
 * and without its prefix. */
struct vdev_feature {
	const char *name;
	unsigned char bit;
	uint64_t one_of; /* bits 0 to 63, of which it needs one; 0: none */
};

/* Fields of a configuration space: @n in a row, each @width bytes (1, 2, 4, 8); or a union of @n
 * bytes, with fields of any width. */
struct vdev_field {
	uint8_t width, n;
};
#define VDEV_UNION 0xffu

/* What the host could not do for a device, and what becomes of it. */
enum vdev_error_action {
	VDEV_ERROR_REPORT, /* the driver is told */
	VDEV_ERROR_STOP,   /* the machine is to stop; it is tried again when it goes on */
};

struct vdev_io_error {
	bool write; /* anything but a read */
	enum vdev_error_action action;
	int errnum; /* positive */
};

/* From any thread, and often. @dev is valid during the call. */
typedef void (*vdev_io_error_fn)(void *opaque, const struct vdev *dev,
				 const struct vdev_io_error *error);

/* Why a queue stops. */
enum vdev_stop {
	VDEV_STOP_RESET, /* for good: by a reset of the device or of the queue, QueueReady 0, the
			    end */
	VDEV_STOP_PAUSE, /* it goes on later from where it was, or is reset */
	VDEV_STOP_SAVE,  /* of one that is paused, and stays so: nothing is to be in flight */
};

/* Feature bits that are baits. */
#define VDEV_BAIT_0 45u
#define VDEV_BAIT_1 49u
#define VDEV_BAIT_2 127u

#define VDEV_CONFIG_MAX   256 /* bytes of device configuration space */
#define VDEV_QUEUES_MAX   128
#define VDEV_SYSCALLS_MAX 8

/*
 * A device class. Facts first, functions last; a NULL function is "nothing to do". The device's own
 * struct begins with a struct vdev; object offsets in props count from there.
 */
struct vdev_class {
	const char *name;    /* as in --device NAME */
	const char *summary; /* one line for --device help */
	uint32_t id;         /* virtio device type (5 Device Types); see vdev.type */
	uint16_t legacy_id;  /* PCI device id of a transitional one (4.1.2.3); 0: it has no legacy
				interface */
	uint32_t pci_class;  /* class << 16 | subclass << 8 | interface for PCI */
	size_t size;         /* of the device's struct */
	size_t request_size; /* of its state per chain, see vq_chain_request() */
	size_t config_size;  /* of its configuration space; open() may lower dev->config_size */
	uint16_t queue_size; /* entries of each queue when the operator says nothing */
	unsigned n_queues;   /* open() may change dev->n_queues, up to VDEV_QUEUES_MAX */
	const unsigned char *feature_bits;   /* class features always offered, ends with 255; open()
					      may add and drop with vdev_offer() */
	const struct vdev_feature *features; /* all that it knows, ends with an empty row; NULL: it
						has none */
	const struct vdev_field
		*config_fields; /* in order, ends with an empty row: rule "config-width" */
	uint16_t config_early;  /* offset of a field that may be written before FEATURES_OK; 0: none
				 */
	const struct prop *props;
	const struct syscall_use
		*syscalls;  /* of the kernel, whatever the options; NULL: nothing special */
	bool outside;       /* its queues are served by others, without whom it is not opened */
	bool shares_memory; /* other processes are given guest memory: it has to lie in files */

	/* Options are in the struct: open the backend, fill the configuration space, offer
	 * features, set n_queues. On failure the class's close() is called on the half-made device.
	 */
	bool (*open)(struct vdev *dev, GError **err);
	void (*close)(struct vdev *dev);

	/* The driver's features are final (FEATURES_OK held; those of a legacy driver until it
	 * writes others). Owner threads are quiet. */
	void (*negotiated)(struct vdev *dev);

	/* A legacy driver, which has no FEATURES_OK, set DRIVER_OK. Queues may run already. */
	void (*legacy_driver_ok)(struct vdev *dev);

	/*
	 * Called on the owner's thread. After queue_started() kicks come, at first and after a
	 * pause. queue_stop() begins nothing any more and cancels what the host has in hand where
	 * that can be done. True: nothing is in hand, and no backend event will touch the queue.
	 * False: the class calls vdev_queue_stopped() on the owner's thread as soon as that is so.
	 *
	 * On a pause the chains that it has popped stay valid; those not begun wait for the next
	 * queue_started(). On a reset all are void and to be forgotten when it has stopped; it may
	 * come while the queue is paused. To be saved, on a paused queue alone, means that all
	 * chains it has popped are completed, or given back with vq_unpop().
	 */
	void (*queue_started)(struct vdev *dev, unsigned q);
	bool (*queue_stop)(struct vdev *dev, unsigned q, enum vdev_stop why);

	/* The queue may have chains. Called on the owner's thread; usually vdev_drain(). */
	void (*kick)(struct vdev *dev, unsigned q);

	/* The device goes back to its state after open(): called with all queues stopped. */
	void (*reset)(struct vdev *dev);

	/* The machine begins anew: called after reset(), by none of the owners. */
	void (*restart)(struct vdev *dev);

	/* The same for a space that somebody else keeps. In a call of the driver's, on its thread,
	 * with no lock of configuration held: may wait for an owner, and ends with
	 * vdev_config_set(). In place of config_written(). */
	void (*config_forward)(struct vdev *dev, size_t off, const uint8_t *bytes, size_t len);

	/* The driver wrote @len @bytes at @off, all of them inside the space. @config is a copy of
	 * the space, as it was: what the class changes in it is what the write changes. Called
	 * under the config lock on a vCPU's thread. Without it the space is read-only. */
	void (*config_written)(struct vdev *dev, size_t off, const uint8_t *bytes, size_t len,
			       uint8_t *config);

	/* What the device keeps besides registers, features and rings: written to a record, when
	 * nothing is in flight, and read from one, after reset() and negotiated(), with all queues
	 * stopped. Called by none of the owners. load() takes what save() of the same state_version
	 * wrote, and trusts none of it; the core sees to its length. docs/state.md */
	uint16_t state_version;
	void (*save)(struct vdev *dev, GByteArray *out);
	bool (*load)(struct vdev *dev, struct unpack *in, GError **err);

	/* False refuses a set of offered features that does not hold together in a way that
	 * `features' cannot tell: FEATURES_OK then stays clear (2.2.2). */
	bool (*features_ok)(struct vdev *dev, struct vfeatures accepted);

	/* What --device NAME,help says after the options; at most @width columns. Free with
	 * g_free(). */
	char *(*help)(unsigned width);
};

/* What a device may know of its transport: how to reach the driver. From any thread. */
struct vdev_transport_ops {
	void (*queue_changed)(struct vdev *dev, unsigned q); /* used buffers: interrupt */
	void (*config_changed)(struct vdev *dev);            /* configuration change interrupt */
	void (*config_stale)(struct vdev *dev); /* changed, but no interrupt; may be NULL */

	/* The transport's own registers, for a record of the device's state; NULL: it keeps none.
	 * Called while the device does not run; load() after the device itself, and trusts nothing.
	 */
	const char *name; /* at most 8 bytes */
	void (*save)(struct vdev *dev, GByteArray *out);
	bool (*load)(struct vdev *dev, struct unpack *in, GError **err);

	/* The eventfd that is queue @q's interrupt when written, until vdev_call_changed() or a
	 * reset; -1 if an interrupt takes more than that just now. NULL: it always does. */
	int (*queue_call_fd)(struct vdev *dev, unsigned q);

	/* A device's control queue, and the features that are about it, are between the driver and
	 * the transport: the device sees which queues run. */
	bool keeps_control;

	/* Rings may have so many entries where the operator gave no queue-size=: the driver is not
	 * told ours. 0: it is. */
	uint16_t untold_queue_size;
};

/*
 * A transport that reaches some of the driver's memory by messages alone. Set before there is a
 * driver, for good. It is asked about the queues that run here (vdev_engine_here); for others
 * such memory is none.
 */
struct vdev_far {
	/* Queue @q starts, with @cfg: where it finds its buffers. dev->mem, or, with cfg->far set,
	 * a table of the transport's. On the owner's thread. */
	const struct gmem *(*starts)(struct vdev_far *f, unsigned q, struct vq_config *cfg);

	/* Is something still on its way to the driver's memory of a queue that was reset, or of any
	 * (@q: -1)? The driver is not told meanwhile that the reset is over. */
	bool (*busy)(struct vdev_far *f, int q);
};

/* A queue as transports program it, and as its owner runs it. */
struct vdev_queue {
	struct vdev *dev;
	struct vq *vq;
	struct loop *loop;                        /* the owner */
	const struct vdev_engine *_Atomic engine; /* what runs it: engine.h; from open() on, where
						     the class says which */
	void *engine_data;                        /* the engine's */
	int kick_fd;         /* eventfd: transports and boards write, the owner reads */
	GSource *kick_watch; /* on loop, while started */
	int call_fd;         /* eventfd, while it runs elsewhere: the loop interrupts for it; -1 */
	GSource *call_watch;

	/* Programmed by the driver before it enables the queue. */
	uint16_t size;     /* as the driver set it; starts as size_max */
	uint16_t size_max; /* 0: the queue does not exist */
	uint64_t desc, driver, device;
	bool enabled; /* queue_enable / QueueReady */

	enum vq_log_ring log_ring; /* vdev_queue_log_ring() */
	uint64_t log_device;

	struct vq_inflight_area *inflight; /* vdev_queue_set_inflight(); or NULL */

	bool ran; /* and was stopped: when it is enabled again it goes on from */
	struct vq_position position;

	struct loop_done stopped; /* of the stop that is waited for */

	/* The owner's. */
	bool paused; /* the ring is started and nobody serves it */
	bool stopping;
	enum vdev_stop why; /* as it was last asked for */

	struct poller_ring look; /* of the loop, while the driver need not kick */
	bool found;              /* by it: there need be no kick */

	bool awaits_room; /* chains wait for room in the pool: look again after a push */
	unsigned batch;   /* chains popped together: fewer where each takes long */

	atomic_uint again;           /* notifications under way that are our own: vdev_again() */
	struct vq_observer observer; /* passes on to dev->observer, */
	struct vq_filter filter;     /* dev->filter */
};

struct vdev {
	const struct vdev_class *class;
	char *id;      /* the operator's name for it, or "blk0", ... ; unique */
	char *options; /* ",path=disk.img,ro=on": as they were given, all of them */

	/* The class's; open() of a class that is of several types says which one this is. */
	uint32_t type, pci_class;

	/* An observer says what rules the driver breaks: the log need not. Set with it. */
	bool checked;
	/* It has oddities that the specification allows and a sound driver leaves alone: feature
	 * bits that nobody knows, structures of unknown kinds. Set before a transport has it. */
	bool baited;
	/* The transport has registers, and the configuration space, read without a trap: observers
	 * do not see all reads, and see its own. */
	bool unseen_reads;

	/* Common options, before open(). */
	uint16_t opt_queue_size; /* 0: the class's */
	char *opt_iothread;      /* loop's name, or NULL: main loop */
	char *opt_poll;          /* of that loop (poller.h), or NULL: it was not said */
	unsigned opt_ring;       /* enum vdev_ring */
	unsigned opt_legacy;     /* enum vdev_legacy */
	GPtrArray *opt_features; /* of "+NAME,-NAME,..." */

	const struct vdev_env *env; /* during open() only */
	const struct gmem *mem;
	struct loop *main_loop;
	struct loop *loop;   /* of the queues unless the class says otherwise in open() */
	struct loop *worker; /* vdev_worker() */

	pthread_mutex_t lock; /* of what follows, as far as transports' calls change it */
	bool changing;        /* such a call waits for owners: others wait for its end */
	pthread_cond_t changed;
	_Atomic uint32_t status;
	struct vfeatures offered, accepted; /* accepted: as written; in force after FEATURES_OK */
	struct vfeatures withheld;          /* by the operator: never offered */
	_Atomic bool running;               /* DRIVER_OK and not being stopped */
	_Atomic bool legacy; /* since its reset the driver is a legacy one (legacy.h), */
	_Atomic bool begun;  /* and its queues are in use, DRIVER_OK or not */

	pthread_mutex_t config_lock;     /* config and generation */
	uint8_t config[VDEV_CONFIG_MAX]; /* changed by config.c alone */
	size_t config_size;
	uint32_t generation;
	bool config_moved; /* since the generation was last looked at */

	unsigned n_queues;
	struct vdev_queue queue[VDEV_QUEUES_MAX];

	const struct syscall_use *syscalls[VDEV_SYSCALLS_MAX]; /* vdev_add_syscalls() */
	unsigned n_syscalls;
	GPtrArray *kept_paths; /* of const char *, vdev_keep_path() */
	bool needs_network;    /* it connects to whom the driver names: */
	/* What its backend may come to need, beside what it has and what queues take. */
	unsigned more_files;
	size_t more_memory; /* bytes */

	const struct vdev_transport_ops *transport; /* set by vdev_attach() */
	void *transport_data;
	pthread_mutex_t transport_lock; /* against the transport's leaving under config_changed() */

	struct vdev_far *far; /* NULL: all memory is mapped */

	struct vdev_observer *observer; /* the first; NULL: nobody looks (observe.h) */
	struct vdev_filter *filter;     /* the first; NULL: there is none (filter.h) */

	_Atomic unsigned log_window, log_count; /* messages in this window of time: rate limit */

	vdev_io_error_fn io_error; /* the environment's, and its opaque */
	void *io_error_opaque;
};

/*
 * ---- for whoever makes devices (machine, tests, fuzzers) ----
 */

/* What a device needs of its surroundings. */
struct vdev_env {
	const struct gmem *mem;
	struct loop *main_loop;
	/* Finds or makes the loop that iothread=NAME asks for, which is to poll for @poll_ns
	 * (POLLER_AUTO: if a processor is to spare; NULL: nothing was said), or answers NULL with a
	 * usage error that does not name the option; NULL: everything on main_loop. */
	struct loop *(*iothread)(void *opaque, const char *name, const uint64_t *poll_ns,
				 GError **err);
	void *opaque;
	unsigned n_cpus;      /* guest's vCPUs: queue counts' defaults */
	struct chr *terminal; /* what chr=stdio means (backend/chr.h); NULL: there is none */
	/* Makes a loop with a thread of its own, @name's, which lives longer than the device; NULL,
	 * or answers NULL: there are none to be had. */
	struct loop *(*worker)(void *opaque, const char *name);
	/* Makes a listener for what one console prints (backend/chr.h); NULL: nobody wants to
	 * listen. */
	struct chr_tap *(*console_tap)(void *opaque);
	/* What may stand before a backend, beside the usual (devices/backend/spec.h); ends with
	 * NULL. NULL: no more. */
	const struct backend_wrapper *const *wrappers;
	vdev_io_error_fn io_error; /* NULL: nobody wants to know, or to stop */
};

/*
 * Makes and opens a device. @pairs are the options (prop_split()); those that the class and the
 * common rows know are marked used, the rest is the caller's (transport=...). NULL with @err.
 */
struct vdev *vdev_new(const struct vdev_class *class, GPtrArray *pairs, const struct vdev_env *env,
		      GError **err);

/* Stops, closes and frees. NULL is fine. */
void vdev_free(struct vdev *dev);

/* What to call it in messages: its id, or its class's name while it has none. */
const char *vdev_name(const struct vdev *dev);

/* The rows that every device has (id, queue-size, ring, ...), for help. */
extern const struct prop vdev_common_props[];

enum vdev_ring { VDEV_RING_SPLIT, VDEV_RING_PACKED };

/* Has it a legacy interface, beside that of virtio 1 or (VDEV_LEGACY_ONLY) in its place? For
 * transports. */
enum vdev_legacy { VDEV_LEGACY_OFF, VDEV_LEGACY_ON, VDEV_LEGACY_ONLY };

/* The names that features=LIST takes for @class: "on" are those that every device offers by itself,
 * "may" those it offers when asked to, "own" the class's (NULL if it has none). Blanks between
 * names. */
enum vdev_names { VDEV_NAMES_ON, VDEV_NAMES_MAY, VDEV_NAMES_OWN };
char *vdev_feature_names(const struct vdev_class *class, enum vdev_names which);

/* The name of feature @bit of @class, as in that list; "" if nobody here knows it. */
const char *vdev_feature_name(const struct vdev_class *class, unsigned bit);

/* Pause and go on, for `stop` and `cont`: queues stop where they are, what the host has in hand
 * comes to its end, and they go on later with what is left. Guest-visible state does not change.
 * The caller goes on serving its loop while it waits. */
void vdev_pause(struct vdev *dev);
void vdev_resume(struct vdev *dev);

/*
 * A paused device, whose memory's table has changed (virtqueue/gmem.h) or is to: does it use @r, so
 * that this cannot go? And afterwards: it looks at the table anew.
 */
bool vdev_uses_memory(struct vdev *dev, const struct gmem_region *r);
void vdev_memory_changed(struct vdev *dev);

/* The machine begins anew, after the device's reset. */
void vdev_restart(struct vdev *dev);

/*
 * ---- for device classes ----
 */

/* In open() only. What features=LIST takes away stays away: dev->offered tells. */
void vdev_offer(struct vdev *dev, unsigned bit, bool on);
bool vdev_accepted(const struct vdev *dev, unsigned bit); /* after negotiation */

/* The transport keeps the driver's control queue (vdev_transport_ops.keeps_control). */
static inline bool vdev_control_elsewhere(const struct vdev *dev)
{
	return dev->transport && dev->transport->keeps_control;
}

/* The driver is a legacy one: VERSION_1 was not accepted, and the device's "Legacy Interface"
 * sections hold (2.2.3). From negotiated() on; in config_written() at any time. */
static inline bool vdev_is_legacy(const struct vdev *dev)
{
	return dev->legacy;
}

/* In open(): what the backend that was chosen asks of the kernel, beside class->syscalls; and the
 * name of a file that it goes on using (the string stays its own). NULL is fine. */
void vdev_add_syscalls(struct vdev *dev, const struct syscall_use *table);
void vdev_keep_path(struct vdev *dev, const char *path);

/* In open(): a loop with a thread of the device's own, for what would hold up those of its queues;
 * the same each time. NULL if there is none to be had. */
struct loop *vdev_worker(struct vdev *dev);

/* Does each of the class's features in @f have what it needs? */
bool vdev_features_fit(const struct vdev_class *class, struct vfeatures f);

/* Entries of each queue that a driver can count on, whatever it negotiates. From open() on. */
uint16_t vdev_queue_size(const struct vdev *dev);

/* Bytes of memory that its queues take at most, all of them started (vq_memory_max()). */
size_t vdev_memory_max(const struct vdev *dev);

/* Takes chains off queue @q until it is empty, calling @handle for each; enables kicks again,
 * publishes and interrupts per batch. @handle must vq_push() the chain or keep it. Bounded: after a
 * budget it schedules itself anew so that other sources of the loop get their turn. On the owner's
 * thread. */
typedef void (*vdev_handle_fn)(struct vdev *dev, unsigned q, struct vq_chain *c);
void vdev_drain(struct vdev *dev, unsigned q, vdev_handle_fn handle);

/* For queues that the device feeds (net receive, input, console input): one chain, or NULL when
 * there is none (kicks are then armed: kick() comes when there is) or the ring broke. */
struct vq_chain *vdev_take(struct vdev *dev, unsigned q);

/* Calls kick() again, after the loop's other sources had their turn. From any thread. */
void vdev_again(struct vdev *dev, unsigned q);

/* Publishes what was pushed and interrupts if wanted. Once per batch, on the owner's thread. */
void vdev_flush(struct vdev *dev, unsigned q);

/* Makes [off, off + len) of the configuration space @bytes: under a new generation and, if @notify
 * and the driver runs, with a configuration change interrupt (2.5.2). Nothing happens if they are
 * that already. From any thread; not in config_written(). */
void vdev_config_set(struct vdev *dev, size_t off, const void *bytes, size_t len, bool notify);

/* What [off, off + len) is now, whoever last changed it. */
void vdev_config_get(struct vdev *dev, size_t off, void *dst, size_t len);

/* Of a queue_stop() that was not over at once: now it is. On the owner's thread. */
void vdev_queue_stopped(struct vdev *dev, unsigned q);

/* The driver broke a rule that is no ring fault (a malformed request of a device whose
 * specification has no status for it): logs and sets DEVICE_NEEDS_RESET. */
void vdev_guest_bug(struct vdev *dev, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* Tells whoever runs the machine, and stops it if that is the action. From any thread. */
void vdev_io_error(struct vdev *dev, const struct vdev_io_error *error);

/* Rate-limited messages through g_log: "DEV: host: ..." and "DEV: guest: ...". */
void vdev_host_error(struct vdev *dev, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void vdev_guest_note(struct vdev *dev, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/*
 * ---- for transports ----
 *
 * One call at a time: others wait until it is over. Selectors and indices are the driver's and
 * unchecked.
 */

/* The transport is there; and it goes, after a reset: when vdev_detach() returns, none of its ops
 * runs any more. */
void vdev_attach(struct vdev *dev, const struct vdev_transport_ops *transport, void *data);
void vdev_detach(struct vdev *dev);

/* 32 bits of the offered features, @select as in device_feature_select; 0 beyond what there is. */
uint32_t vdev_features_offered(struct vdev *dev, uint32_t select);
uint32_t vdev_features_accepted(struct vdev *dev, uint32_t select);
void vdev_features_accept(struct vdev *dev, uint32_t select, uint32_t bits);

uint32_t vdev_status(struct vdev *dev);
/* Writes the status as the driver did; 0 resets and returns when nothing is in flight any more. */
void vdev_set_status(struct vdev *dev, uint32_t status);

/* Queue registers. @q beyond n_queues reads as a queue of size 0 and ignores writes. */
enum vdev_queue_reg {
	VQR_SIZE_MAX,
	VQR_SIZE,
	VQR_DESC,
	VQR_DRIVER,
	VQR_DEVICE,
	VQR_ENABLE,
	VQR_RESET
};
uint64_t vdev_queue_read(struct vdev *dev, unsigned q, enum vdev_queue_reg reg);
/* @mask: the bits of the register that are written (a 64-bit address comes in two halves).
 * VQR_ENABLE 1 starts the queue as soon as the device runs; VQR_ENABLE 0 stops it (MMIO);
 * VQR_RESET 1 stops it and puts it back to its defaults (VIRTIO_F_RING_RESET). */
void vdev_queue_write(struct vdev *dev, unsigned q, enum vdev_queue_reg reg, uint64_t value,
		      uint64_t mask);

/* A kick that came as a register write. */
void vdev_notify(struct vdev *dev, unsigned q);

/*
 * For transports whose driver's side takes single queues away and gives them again (vhost-user's
 * GET_VRING_BASE and SET_VRING_BASE). @q: below n_queues.
 *
 * vdev_queue_suspend() disables the queue, and nothing of it is lost: what the device had in flight
 * is completed, or stays available. Where both sides are then. vdev_queue_go_on_from() has a queue
 * that is not enabled start from there when it is; false if it is enabled, or this is no position
 * in it.
 */
struct vq_position vdev_queue_suspend(struct vdev *dev, unsigned q);
bool vdev_queue_go_on_from(struct vdev *dev, unsigned q, struct vq_position position);

/* While writes to memory are logged, those of queue @q, which is not enabled, to its ring count as
 * @how says; @device_area: as in vq_config.log_device. Until the device's reset. */
void vdev_queue_log_ring(struct vdev *dev, unsigned q, enum vq_log_ring how, uint64_t device_area);

/* Queue @q, which is not enabled, keeps account of what is in flight in @area (as in vq_config,
 * which says what becomes of what is in it), or nowhere (NULL). Until the device's reset. */
void vdev_queue_set_inflight(struct vdev *dev, unsigned q, struct vq_inflight_area *area);

/* Kicks of queue @q, which is not enabled, come on @fd: an eventfd, non-blocking, of which this
 * takes a duplicate. 0, -EBUSY, or -errno. */
int vdev_queue_set_kick_fd(struct vdev *dev, unsigned q, int fd);

/* Queue @q's interrupts have another queue_call_fd() now. The driver did that, in a call of its
 * own. */
void vdev_call_changed(struct vdev *dev, unsigned q);

/* Of a queue with vq_config.far: used buffers are in the driver's ring now, and it wants an
 * interrupt. Not on the owner's thread alone. */
void vdev_far_interrupt(struct vdev *dev, unsigned q);

/* Device configuration space; reads beyond it give 0, writes beyond it are dropped. */
void vdev_config_read(struct vdev *dev, size_t off, void *dst, size_t len);
void vdev_config_write(struct vdev *dev, size_t off, const void *src, size_t len);
uint32_t vdev_config_generation(struct vdev *dev);
