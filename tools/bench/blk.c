/*
 * `ringside bench blk`: what a block device behind a vhost-user socket is capable of, and by how
 * much it differs from another one's.
 */
#include "tools/bench/blk.h"

#include "tools/bench/blk-impl.h"

static const struct bench_axis_info blk_axes[N_BLK_AXES] = {
	[BLK_OP] = { "op", "op", "randread, read, randwrite, write [randread]",
		     .names = { "randread", "read", "randwrite", "write" },
		     .all = { BLK_RANDREAD, BLK_READ, BLK_RANDWRITE, BLK_WRITE }, .n_all = 4,
		     .n_defaults = 1, .defaults = { BLK_RANDREAD } },
	[BLK_SIZE] = { "size", "KiB", "KiB of a request [4]", .n_defaults = 1, .defaults = { 4 },
		       .min = 1, .max = BLK_SIZE_MAX },
	[BLK_DEPTH] = { "depth", "depth", "requests in flight [1,32]", .n_defaults = 2,
			.defaults = { 1, 32 }, .min = 1, .max = BLK_DEPTH_MAX },
	[BLK_RING] = { "ring", "ring", "layout of the ring [split]", .names = { "split", "packed" },
		       .all = { 0, 1 }, .n_all = 2, .n_defaults = 1, .defaults = { 0 } },
	[BLK_WAIT] = { "wait", "wait", "asleep for an interrupt, or looking at the ring [irq]",
		       .names = { "irq", "poll" }, .all = { 0, 1 }, .n_all = 2, .n_defaults = 1,
		       .defaults = { 0 } },
};

static const char *const takes[N_BLK_AXES] = { "NAME,...", "N,...", "N,...", "split,packed",
					       "irq,poll" };

static const char help[] =
	"ringside bench blk --socket PATH [OPTION...]: a block device behind vhost-user.\n"
	"\n"
	"The reference driver as front-end of any back-end: ringside serve,\n"
	"qemu-storage-daemon, ... Requests a second and latencies, for all combinations\n"
	"of what is given. What is written destroys the disk's content.";

static double blk_bytes(const unsigned *at)
{
	return at[BLK_SIZE] * 1024.0;
}

static const struct socket_bench blk_bench = {
	.command = "ringside bench blk",
	.title = "A disk behind vhost-user",
	.help = help,
	.takes = takes,
	.axes = blk_axes,
	.n_axes = N_BLK_AXES,
	.columns = {
		[SOCKET_RATE] = { "thousand", "k/s", "thousand requests a second", 1, true },
		[SOCKET_SPREAD] = { "spread", "+-%", "distance of its quartiles, in percent", 0 },
		[SOCKET_DATA] = { "mib", "MiB/s", "data", 0 },
		[SOCKET_P50] = { "p50", "p50 us", "half of the requests took no longer", 1, true },
		[SOCKET_P99] = { "p99", "p99 us", "99 %", 1, true },
		[SOCKET_P999] = { "p999", "p99.9 us", "99.9 %", 1 },
		[SOCKET_RATIO] = { "ratio", "A:B", "of their rates", 2 },
	},
	.bytes = blk_bytes,
	.run = blk_run,
};

bool bench_blk_command(int argc, char *const *argv, FILE *out, FILE *progress, GError **err)
{
	(void)argc;
	return bench_sockets_command(&blk_bench, argv, out, progress, err);
}
