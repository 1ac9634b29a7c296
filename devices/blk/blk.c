/*
 * Block device (VIRTIO 1.4, 5.2): options, features, configuration space and the queues' lives.
 * What happens to a request is in request.c, what a request may be in command.c, the disk in
 * devices/backend/blk/file.c.
 *
 * Cache. The disk's volatile cache is the host's page cache. A write is made stable before it
 * completes whenever the specification says so (5.2.6.2): the driver took neither FLUSH nor
 * CONFIG_WCE, or it runs with writeback = 0. cache=unsafe makes no such promise, for disks that are
 * thrown away: it offers neither, and so must every disk that is not safe against the host's loss
 * of power (5.2.6.2, note).
 */
#include "devices/blk/blk.h"

#include <string.h>

#include "devices/backend/open.h"
#include "devices/base/pack.h"

#define OPT(field) offsetof(struct blk, field)

enum {
	BLOCK_MAX = 4096, /* what stock drivers take: a page */
	PHYS_MAX = 64 * 1024,
	IO_MAX = 16 * 1024 * 1024,
	QUEUES_MAX = 64,
	QUEUES_DEFAULT = 4,    /* at most, when the guest has as many CPUs */
	DISCARD_MAX = 1 << 21, /* sectors: 1 GiB */
	ZEROES_MAX = 1 << 19,  /* sectors: 256 MiB, for they may have to be written */
};

static const char *const aio_names[] = { "auto", "uring", "sync", NULL };
static const char *const cache_names[] = { "writeback", "writethrough", "unsafe", NULL };

static const char *const werror_names[] = { "report", "enospc", "stop", NULL };

static const struct prop blk_props[] = {
	{ "path", PROP_STR, OPT(path),
	  .help = "raw image file or block device (this or backend= is required)",
	  .also = "file filename drive image img disk" },
	{ "backend", PROP_STR, OPT(spec), .also = "blockdev",
	  .help = "in place of path=: file:PATH, or that with a wrapper in front, as in "
		  "fault:every=100,file:PATH (docs/backends.md)" },
	{ "ro", PROP_BOOL, OPT(ro), .default_value = "off", .also = "readonly read-only read_only",
	  .help = "read-only; others may read the file meanwhile" },
	{ "direct", PROP_BOOL, OPT(direct), .default_value = "off",
	  .help = "bypass the host's page cache (O_DIRECT); a write of less than a host block costs a "
		  "read first" },
	{ "lock", PROP_BOOL, OPT(lock), .default_value = "on", .also = "locking",
	  .help = "refuse a file that another writes or, with ro=off, reads; off for the two ends of a "
		  "migration, of which one at a time uses it" },
	{ "aio", PROP_ENUM, OPT(aio), .default_value = "auto", .choices = aio_names,
	  .help = "how the file is read and written; auto is io_uring where permitted and useful" },
	{ "cache", PROP_ENUM, OPT(cache), .default_value = "writeback", .choices = cache_names,
	  .help = "when writes are durable: once flushed, once completed, or when the host likes "
		  "(no VIRTIO_BLK_F_FLUSH then)" },
	{ "werror", PROP_ENUM, OPT(werror), .default_value = "report", .choices = werror_names,
	  .help = "when the host cannot write: tell the driver, or stop the machine and try again on "
		  "`cont`, always or (enospc) if there is no space left" },
	{ "queues", PROP_U16, OPT(queues), .max = QUEUES_MAX, .also = "num-queues num_queues mq",
	  .help = "request queues; 0: one for each CPU of the guest, up to 4" },
	{ "serial", PROP_STR, OPT(serial),
	  .help = "serial number, at most 20 characters; default: the device's id" },
	{ "discard", PROP_BOOL, OPT(discard), .default_value = "on",
	  .help = "offer VIRTIO_BLK_F_DISCARD, where the host can give space back" },
	{ "write-zeroes", PROP_BOOL, OPT(write_zeroes), .default_value = "on",
	  .help = "offer VIRTIO_BLK_F_WRITE_ZEROES" },
	{ "block-size", PROP_SIZE, OPT(block_size), .min = 512, .max = BLOCK_MAX,
	  .also = "logical_block_size blocksize sector-size",
	  .help = "logical block size; else 512 for a file, whatever lies below it, and the device's for a "
		  "block device: with another than it was made with, a disk's partitions are not found" },
	{ "physical-block-size", PROP_SIZE, OPT(block_phys), .min = 512, .max = PHYS_MAX,
	  .also = "physical_block_size",
	  .help = "physical block size that the driver is told; default: the host's" },
	{ "min-io", PROP_SIZE, OPT(io_min), .max = IO_MAX,
	  .help = "minimum I/O size that the driver is told; default: the host's" },
	{ "opt-io", PROP_SIZE, OPT(io_opt), .max = IO_MAX,
	  .help = "optimal I/O size that the driver is told; default: the host's" },
	{ "seg-max", PROP_U32, OPT(seg_max), .max = VRING_QUEUE_SIZE_MAX,
	  .help = "most data segments of a request; 0: two less than the queue's size" },
	{ 0 },
};

static const unsigned char blk_offered[] = {
	BLK_F_SEG_MAX,
	BLK_F_BLK_SIZE,
	BLK_F_TOPOLOGY,
	255,
};

static const struct vdev_feature blk_features[] = {
	{ "seg_max", BLK_F_SEG_MAX, 0 },
	{ "ro", BLK_F_RO, 0 },
	{ "blk_size", BLK_F_BLK_SIZE, 0 },
	{ "flush", BLK_F_FLUSH, 0 },
	{ "topology", BLK_F_TOPOLOGY, 0 },
	{ "config_wce", BLK_F_CONFIG_WCE, 0 },
	{ "mq", BLK_F_MQ, 0 },
	{ "discard", BLK_F_DISCARD, 0 },
	{ "write_zeroes", BLK_F_WRITE_ZEROES, 0 },
	{ 0 },
};

/*
 * Opening.
 */

static bool blk_is_power_of_2(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* Puts what the operator left open to what the backend suggests, and checks the rest against it. */
static bool blk_choose_blocks(struct blk *blk, const char *what, GError **err)
{
	const struct blk_info *info = &blk->backend->info;

	blk->block_size = blk->block_size ? blk->block_size : MIN(info->block_size, BLOCK_MAX);
	if (!blk_is_power_of_2(blk->block_size))
		return ringside_usage(err,
				      "%s,block-size=%" G_GUINT64_FORMAT
				      ": it takes a power of two "
				      "from %u to %u",
				      what, blk->block_size, BLK_SECTOR, BLOCK_MAX);
	if (info->size % blk->block_size)
		return ringside_usage(err,
				      "%s: its size, %" G_GUINT64_FORMAT
				      ", is not a multiple of block-size=%" G_GUINT64_FORMAT,
				      what, info->size, blk->block_size);
	if (!blk->block_phys)
		blk->block_phys = CLAMP(info->block_phys, blk->block_size, PHYS_MAX);
	if (!blk_is_power_of_2(blk->block_phys) || blk->block_phys < blk->block_size)
		return ringside_usage(err,
				      "%s,physical-block-size=%" G_GUINT64_FORMAT
				      ": it takes a power "
				      "of two from %" G_GUINT64_FORMAT " (block-size) to %u",
				      what, blk->block_phys, blk->block_size, PHYS_MAX);
	blk->io_min = blk->io_min ? blk->io_min : info->io_min;
	blk->io_opt = blk->io_opt ? blk->io_opt : info->io_opt;
	return true;
}

static bool blk_check_serial(const struct blk *blk, GError **err)
{
	if (!blk->serial || (strlen(blk->serial) <= BLK_ID_BYTES && g_str_is_ascii(blk->serial)))
		return true;
	return ringside_usage(err, "--device blk,serial=%s: it takes at most %u ASCII characters",
			      blk->serial, BLK_ID_BYTES);
}

static struct loop *blk_worker(void *dev)
{
	return vdev_worker(dev);
}

static bool blk_open_backend(struct blk *blk, const char *what, GError **err)
{
	g_autofree char *file = blk->path ? g_strconcat("file:", blk->path, NULL) : NULL;
	struct blk_file_options o = {
		.what = what,
		.ro = blk->ro,
		.direct = blk->direct,
		.unlocked = !blk->lock,
		.aio = blk->aio,
		.worker = blk_worker,
		.opaque = blk,
	};

	blk->backend = blk_spec_open(blk->spec ? blk->spec : file, &o, blk->vdev.env->wrappers,
				     err);
	return blk->backend != NULL;
}

/* The option that says where the disk is, for messages: "--device blk,path=disk.img". */
static char *blk_where(const struct blk *blk, GError **err)
{
	if (blk->path && blk->spec) {
		ringside_usage(err, "--device blk: path= and backend= exclude each other");
		return NULL;
	}
	if (!blk->path && !blk->spec) {
		ringside_usage(err,
			       "--device blk: 'path=' is missing: raw image file or block device");
		return NULL;
	}
	return blk->spec ? g_strdup_printf("--device blk,backend=%s", blk->spec)
			 : g_strdup_printf("--device blk,path=%s", blk->path);
}

static void blk_choose_queues(struct blk *blk)
{
	struct vdev *dev = &blk->vdev;
	unsigned size = vdev_queue_size(dev);
	unsigned cpus = dev->env ? dev->env->n_cpus : 1;

	dev->n_queues = blk->queues ? blk->queues : CLAMP(cpus, 1, QUEUES_DEFAULT);
	if (vfeatures_has(dev->withheld, BLK_F_MQ)) /* there is one then (5.2.2) */
		dev->n_queues = 1;
	blk->queue = g_new0(struct blk_queue, dev->n_queues);
	for (unsigned q = 0; q < dev->n_queues; q++)
		blk->queue[q] = (struct blk_queue){ .blk = blk, .index = q };
	if (!blk->seg_max)
		blk->seg_max = size > 3 ? size - 2 : 1; /* header and status take one each */
}

/* What the topology is in: a driver that cannot be told the block size takes the sector for it. */
static uint64_t blk_told_block(const struct blk *blk)
{
	return vfeatures_has(blk->vdev.offered, BLK_F_BLK_SIZE) ? blk->block_size : BLK_SECTOR;
}

static void blk_fill_config(struct blk *blk)
{
	const struct blk_info *info = &blk->backend->info;
	uint64_t block = blk_told_block(blk);

	blk->config = (struct blk_config){
		.capacity = cpu_le64(info->size / BLK_SECTOR),
		.seg_max = cpu_le32(blk->seg_max),
		.blk_size = cpu_le32((uint32_t)block),
		.physical_block_exp = (uint8_t)__builtin_ctzll(blk->block_phys / block),
		.alignment_offset = (uint8_t)MIN(info->align_offset / block, UINT8_MAX),
		.min_io_size = cpu_le16((uint16_t)MIN(blk->io_min / block, UINT16_MAX)),
		.opt_io_size = cpu_le32((uint32_t)(blk->io_opt / block)),
		.writeback = blk->cache != BLK_CACHE_WRITETHROUGH,
		.num_queues = cpu_le16((uint16_t)blk->vdev.n_queues),
	};
	if (vfeatures_has(blk->vdev.offered, BLK_F_DISCARD)) {
		blk->config.max_discard_sectors = cpu_le32(DISCARD_MAX);
		blk->config.max_discard_seg = cpu_le32(BLK_RANGES_MAX);
		blk->config.discard_sector_alignment =
			cpu_le32((uint32_t)MAX(info->discard_align, block) / BLK_SECTOR);
	}
	if (vfeatures_has(blk->vdev.offered, BLK_F_WRITE_ZEROES)) {
		blk->config.max_write_zeroes_sectors = cpu_le32(ZEROES_MAX);
		blk->config.max_write_zeroes_seg = cpu_le32(BLK_RANGES_MAX);
		blk->config.write_zeroes_may_unmap = blk->discard;
	}
}

static void blk_set_writeback(struct blk *blk, bool on)
{
	const uint8_t byte = on;

	blk->writeback = on;
	vdev_config_set(&blk->vdev, offsetof(struct blk_config, writeback), &byte, 1, false);
}

static bool blk_prepare_backend(struct blk *blk, const char *what, GError **err)
{
	const struct blk_backend_ops *ops = blk->backend->ops;
	int ret = ops->prepare ? ops->prepare(blk->backend, blk->vdev.n_queues) : 0;

	vdev_add_syscalls(&blk->vdev, blk->backend->syscalls);
	return ret == 0 || ringside_error_errno(err, -ret, "%s: aio=uring", what);
}

/* A request that is kept wants somebody who makes the device go on. */
static bool blk_check_werror(const struct blk *blk, const char *what, GError **err)
{
	return blk->werror == BLK_WERROR_REPORT || blk->vdev.env->io_error ||
	       ringside_usage(err,
			      "%s,werror=%s: nobody here stops the guest and lets it go on; "
			      "leave it out",
			      what, werror_names[blk->werror]);
}

static bool blk_open(struct vdev *dev, GError **err)
{
	struct blk *blk = (struct blk *)dev;
	g_autofree char *what = blk_where(blk, err);

	if (!what || !blk_check_serial(blk, err) || !blk_check_werror(blk, what, err) ||
	    !blk_open_backend(blk, what, err) || !blk_choose_blocks(blk, what, err))
		return false;
	blk->discard = blk->discard && blk->backend->info.discard;
	blk_choose_queues(blk);
	if (!blk_prepare_backend(blk, what, err))
		return false;
	vdev_offer(dev, BLK_F_RO, blk->ro);
	vdev_offer(dev, BLK_F_MQ, dev->n_queues > 1);
	/* The offer of CONFIG_WCE needs FLUSH (DEV-BLK-INIT-02), its acceptance does not. */
	vdev_offer(dev, BLK_F_FLUSH, blk->cache != BLK_CACHE_UNSAFE);
	vdev_offer(dev, BLK_F_CONFIG_WCE, vfeatures_has(dev->offered, BLK_F_FLUSH));
	vdev_offer(dev, BLK_F_DISCARD, blk->discard);
	vdev_offer(dev, BLK_F_WRITE_ZEROES, blk->write_zeroes && !blk->ro);
	blk->limits = (struct blk_limits){
		.capacity = blk->backend->info.size / BLK_SECTOR,
		.max_discard = DISCARD_MAX,
		.max_zeroes = ZEROES_MAX,
		.ro = blk->ro,
		.no_flush = blk->cache == BLK_CACHE_UNSAFE,
	};
	blk_fill_config(blk);
	vdev_config_set(dev, 0, &blk->config, sizeof(blk->config), false);
	blk->writeback = blk->config.writeback;
	return true;
}

static void blk_close(struct vdev *dev)
{
	struct blk *blk = (struct blk *)dev;

	if (blk->backend)
		blk->backend->ops->close(blk->backend);
	g_free(blk->queue);
}

/*
 * Negotiation and configuration space.
 */

/* A driver without FLUSH cannot ask for stability, so all its writes are stable; CONFIG_WCE without
 * FLUSH starts that way too (DEV-BLK-INIT-03). */
static void blk_choose_mode(struct blk *blk)
{
	blk_set_writeback(blk, blk->cache == BLK_CACHE_UNSAFE ||
				       (blk->cache == BLK_CACHE_WRITEBACK &&
					vdev_accepted(&blk->vdev, BLK_F_FLUSH)));
}

/* A legacy driver's features leave the mode alone, and so does DRIVER_OK if it took CONFIG_WCE
 * (5.2.5.2). One that cannot flush gets stable writes all the same. */
static void blk_negotiated(struct vdev *dev)
{
	struct blk *blk = (struct blk *)dev;

	blk->limits.discard = vdev_accepted(dev, BLK_F_DISCARD);
	blk->limits.write_zeroes = vdev_accepted(dev, BLK_F_WRITE_ZEROES);
	blk->limits.legacy = vdev_is_legacy(dev);
	blk->always_stable = vdev_is_legacy(dev) && blk->cache != BLK_CACHE_UNSAFE &&
			     !vdev_accepted(dev, BLK_F_FLUSH);
	if (!vdev_is_legacy(dev))
		blk_choose_mode(blk);
}

static void blk_legacy_driver_ok(struct vdev *dev)
{
	if (!vdev_accepted(dev, BLK_F_CONFIG_WCE))
		blk_choose_mode((struct blk *)dev);
}

/* A legacy driver may write it before it has accepted anything (5.2.5.2). */
static bool blk_may_set_mode(const struct vdev *dev)
{
	if (vdev_is_legacy(dev) && !(dev->status & VIRTIO_S_DRIVER_OK))
		return vfeatures_has(dev->offered, BLK_F_CONFIG_WCE);
	return vdev_accepted(dev, BLK_F_CONFIG_WCE);
}

static void blk_config_written(struct vdev *dev, size_t off, const uint8_t *bytes, size_t len,
			       uint8_t *config)
{
	const size_t at = offsetof(struct blk_config, writeback);
	struct blk *blk = (struct blk *)dev;

	if (off > at || at - off >= len || !blk_may_set_mode(dev))
		return;
	config[at] = bytes[at - off] != 0;
	blk->writeback = config[at];
}

static void blk_reset(struct vdev *dev)
{
	struct blk *blk = (struct blk *)dev;

	blk->limits.discard = false;
	blk->limits.write_zeroes = false;
	blk->limits.legacy = false;
	blk->always_stable = false;
	blk_set_writeback(blk, blk->cache != BLK_CACHE_WRITETHROUGH);
}

/*
 * Queues.
 */

static void blk_flush(struct blk_queue *queue)
{
	if (queue->pushed) {
		queue->pushed = false;
		vdev_flush(&queue->blk->vdev, queue->index);
	}
}

/* Was what it carries out while it is paused the last of it, but for what the host still cannot do?
 * The channel stays, idle. */
static bool blk_finished(struct blk_queue *queue)
{
	unsigned n_kept = 0;

	if (!queue->finishing)
		return false;
	for (const struct blk_io *io = queue->kept; io; io = io->next)
		n_kept++;
	if (vq_in_flight(queue->blk->vdev.queue[queue->index].vq) != n_kept)
		return false;
	queue->finishing = false;
	return true;
}

static void blk_batch_done(void *arg)
{
	struct blk_queue *queue = arg;

	blk_flush(queue);
	if (blk_finished(queue))
		vdev_queue_stopped(&queue->blk->vdev, queue->index);
}

static void blk_stopped(void *arg);

static void blk_resubmit(struct blk_queue *queue)
{
	struct blk_io *io = g_steal_pointer(&queue->kept), *next;

	for (; io; io = next) {
		next = io->next;
		blk_request_submit(queue, io);
	}
	queue->channel->ops->flush(queue->channel);
	blk_flush(queue);
}

static void blk_queue_started(struct vdev *dev, unsigned q)
{
	struct blk *blk = (struct blk *)dev;
	struct blk_queue *queue = &blk->queue[q];
	const struct blk_owner owner = { dev->queue[q].loop, blk_batch_done, blk_stopped, queue };

	if (!queue->channel)
		queue->channel = blk->backend->ops->channel_new(blk->backend, &owner);
	queue->held_for = 0;
	blk_resubmit(queue);
}

/* Carries out what was kept, and nothing else: no kick comes. */
static bool blk_queue_finish(struct vdev *dev, unsigned q)
{
	struct blk_queue *queue = &((struct blk *)dev)->queue[q];

	if (!queue->kept)
		return true;
	queue->finishing = true;
	blk_queue_started(dev, q);
	return blk_finished(queue);
}

/* The channel has stopped: what is left in it is kept, or forgotten with its chains. */
static void blk_end_channel(struct blk_queue *queue)
{
	struct blk_io *undone = queue->channel->ops->undone(queue->channel);

	queue->channel->ops->free(queue->channel);
	queue->channel = NULL;
	if (queue->paused)
		blk_request_keep(queue, undone);
	else
		queue->kept = NULL;
	blk_flush(queue);
}

static void blk_stopped(void *arg)
{
	struct blk_queue *queue = arg;

	blk_end_channel(queue);
	vdev_queue_stopped(&queue->blk->vdev, queue->index);
}

static bool blk_queue_stop(struct vdev *dev, unsigned q, enum vdev_stop why)
{
	struct blk_queue *queue = &((struct blk *)dev)->queue[q];

	if (why == VDEV_STOP_SAVE)
		return blk_queue_finish(dev, q);
	queue->paused = why == VDEV_STOP_PAUSE;
	if (!queue->channel) { /* reset while paused */
		queue->kept = NULL;
		return true;
	}
	if (!queue->channel->ops->stop(queue->channel))
		return false;
	blk_end_channel(queue);
	return true;
}

static void blk_kick(struct vdev *dev, unsigned q)
{
	struct blk_queue *queue = &((struct blk *)dev)->queue[q];

	vdev_drain(dev, q, blk_handle);
	queue->channel->ops->flush(queue->channel);
	blk_flush(queue);
}

/*
 * State: the cache's mode. The disk must be as large as it was.
 */

static void blk_save(struct vdev *dev, GByteArray *out)
{
	const struct blk *blk = (struct blk *)dev;

	pack_u64(out, blk->limits.capacity);
	pack_u8(out, blk->writeback);
}

/* Could a driver that has accepted what it has have come to this mode? */
static bool blk_mode_fits(const struct blk *blk, bool writeback)
{
	if (writeback == blk->writeback || vdev_accepted(&blk->vdev, BLK_F_CONFIG_WCE))
		return true;
	return vdev_is_legacy(&blk->vdev) &&
	       (!writeback || vfeatures_has(blk->vdev.offered, BLK_F_CONFIG_WCE));
}

static bool blk_load(struct vdev *dev, struct unpack *in, GError **err)
{
	struct blk *blk = (struct blk *)dev;
	uint64_t capacity = unpack_u64(in);
	uint8_t writeback = unpack_u8(in);

	if (capacity != blk->limits.capacity)
		return ringside_usage(err,
				      "%s: state: it is of a disk of %" G_GUINT64_FORMAT
				      " sectors; this one has %" G_GUINT64_FORMAT,
				      vdev_name(dev), capacity, blk->limits.capacity);
	if (!blk_mode_fits(blk, writeback))
		return ringside_usage(
			err, "%s: state: it is of a disk with another cache=", vdev_name(dev));
	blk_set_writeback(blk, writeback);
	return true;
}

static char *blk_help(unsigned width)
{
	g_autofree char *wrappers = backend_wrappers_help(BACKEND_BLK, width);

	return g_strconcat("Wrappers before file:PATH in backend=, as NAME[:KEY=VALUE...]:\n",
			   wrappers, NULL);
}

/* struct blk_config. */
static const struct vdev_field config_fields[] = {
	{ 8, 1 }, { 4, 2 }, { 2, 1 }, { 1, 2 }, { 4, 1 }, { 1, 2 }, { 2, 1 },
	{ 4, 1 }, { 1, 2 }, { 2, 1 }, { 4, 5 }, { 1, 4 }, { 4, 3 }, { 0 },
};

const struct vdev_class blk_class = {
	.name = "blk",
	.summary = "disk: a raw image file or a block device",
	.id = 2,
	.legacy_id = 0x1001,
	.pci_class = 0x010000, /* mass storage, SCSI: what virtio disks say */
	.size = sizeof(struct blk),
	.request_size = sizeof(struct blk_request),
	.config_size = sizeof(struct blk_config),
	.config_fields = config_fields,
	.queue_size = 128,
	.n_queues = 1,
	.feature_bits = blk_offered,
	.features = blk_features,
	.props = blk_props,
	.open = blk_open,
	.close = blk_close,
	.negotiated = blk_negotiated,
	.legacy_driver_ok = blk_legacy_driver_ok,
	.queue_started = blk_queue_started,
	.queue_stop = blk_queue_stop,
	.kick = blk_kick,
	.reset = blk_reset,
	.config_written = blk_config_written,
	.state_version = 1,
	.save = blk_save,
	.load = blk_load,
	.help = blk_help,
};
