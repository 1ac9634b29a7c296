/*
 * `ringside bench net`: how many frames a network device behind a vhost-user socket takes, gives,
 * or sends back, and by how much it differs from another one.
 */
#include "tools/bench/net.h"

#include "tools/bench/net-impl.h"

static const struct bench_axis_info net_axes[N_NET_AXES] = {
	[NET_OP] = { "op", "op", "transmit, receive, echo [transmit]",
		     .names = { "transmit", "receive", "echo" },
		     .all = { NET_TRANSMIT, NET_RECEIVE, NET_ECHO }, .n_all = 3, .n_defaults = 1,
		     .defaults = { NET_TRANSMIT } },
	[NET_SIZE] = { "size", "bytes", "bytes of a frame [64]", .n_defaults = 1,
		       .defaults = { 64 }, .min = NET_SIZE_MIN, .max = NET_SIZE_MAX },
	[NET_DEPTH] = { "depth", "depth", "frames in flight; not of receive [32]", .n_defaults = 1,
			.defaults = { 32 }, .min = 1, .max = NET_DEPTH_MAX },
	[NET_RING] = { "ring", "ring", "layout of the rings [split]",
		       .names = { "split", "packed" }, .all = { 0, 1 }, .n_all = 2, .n_defaults = 1,
		       .defaults = { 0 } },
	[NET_MERGE] = { "merge", "merge", "receive buffers of 1 KiB that are merged [off]",
			.names = { "off", "on" }, .all = { 0, 1 }, .n_all = 2, .n_defaults = 1,
			.defaults = { 0 } },
	[NET_WAIT] = { "wait", "wait", "asleep for an interrupt, or looking at the ring [irq]",
		       .names = { "irq", "poll" }, .all = { 0, 1 }, .n_all = 2, .n_defaults = 1,
		       .defaults = { 0 } },
};

static const char *const takes[N_NET_AXES] = { "NAME,...",     "N,...",  "N,...",
					       "split,packed", "off,on", "irq,poll" };

static const char help[] =
	"ringside bench net --socket PATH [OPTION...]: a network card behind vhost-user.\n"
	"\n"
	"The reference driver as front-end of any back-end: ringside serve, DPDK's\n"
	"net_vhost, ... Frames a second and latencies, for all combinations of what is\n"
	"given. To receive, the back-end has to send by itself, frames of --size bytes\n"
	"(ringside serve net,backend=null,generate=64; testpmd --forward-mode=txonly); to\n"
	"echo, it has to send back what it gets (testpmd --forward-mode=io or macswap).";

static double net_bytes(const unsigned *at)
{
	return at[NET_SIZE];
}

static const struct socket_bench net_bench = {
	.command = "ringside bench net",
	.title = "A network card behind vhost-user",
	.help = help,
	.takes = takes,
	.axes = net_axes,
	.n_axes = N_NET_AXES,
	.columns = {
		[SOCKET_RATE] = { "thousand", "k/s", "thousand frames a second", 1, true },
		[SOCKET_SPREAD] = { "spread", "+-%", "distance of its quartiles, in percent", 0 },
		[SOCKET_DATA] = { "mib", "MiB/s", "data", 0 },
		[SOCKET_P50] = { "p50", "p50 us", "half of the frames were back, or gone, as soon",
				 1, true },
		[SOCKET_P99] = { "p99", "p99 us", "99 %", 1, true },
		[SOCKET_P999] = { "p999", "p99.9 us", "99.9 %", 1 },
		[SOCKET_RATIO] = { "ratio", "A:B", "of their rates", 2 },
	},
	.bytes = net_bytes,
	.run = net_run,
};

bool bench_net_command(int argc, char *const *argv, FILE *out, FILE *progress, GError **err)
{
	(void)argc;
	return bench_sockets_command(&net_bench, argv, out, progress, err);
}
