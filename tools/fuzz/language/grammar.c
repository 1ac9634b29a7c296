#include "tools/fuzz/language/grammar.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Devices.
 */
static const struct grammar_op device_ops[N_DEV_OPS] = {
	[DEV_START] = { "start", "fnn", 2 },
	[DEV_STATUS] = { "status", "b", 1 },
	[DEV_FEATURES] = { "features", "nd", 1 },
	[DEV_READ] = { "read", "rb", 2 },
	[DEV_WRITE] = { "write", "rbv", 4 },
	[DEV_CHAIN] = { "chain", "qhgwws", 30 },
	[DEV_CORRUPT] = { "corrupt", "qnnv", 8 },
	[DEV_PUBLISH] = { "publish", "qg", 6 },
	[DEV_KICK] = { "kick", "q", 4 },
	[DEV_TURN] = { "turn", "n", 6 },
	[DEV_COLLECT] = { "collect", "qn", 5 },
	[DEV_INTERRUPTS] = { "interrupts", "", 2 },
	[DEV_RESET] = { "reset", "", 2 },
	[DEV_QUEUE_RESET] = { "queue reset", "q", 2 },
	[DEV_QUEUE_START] = { "queue start", "qn", 2 },
	[DEV_PAUSE] = { "pause", "", 1 },
	[DEV_RESUME] = { "resume", "", 1 },
	[DEV_POKE] = { "poke", "ws", 2 },
	[DEV_RACE] = { "race", "nnv", 3 },
	[DEV_TIME] = { "time", "w", 1 },
	[DEV_REFUSE] = { "refuse", "b", 1 },
	[DEV_FAIL] = { "fail", "nn", 1 },
	[DEV_DISK_POLICY] = { "disk policy", "n", 2 },
	[DEV_DISK_END] = { "disk end", "nn", 3 },
	[DEV_FRAME] = { "frame", "nbwbwbbs", 5 },
	[DEV_SOCKET] = { "socket", "bbb", 2 },
	[DEV_BYTES] = { "bytes", "ns", 1 },
	[DEV_PEER] = { "peer", "nbww", 2 },
	[DEV_EVENTS] = { "events", "s", 2 },
	[DEV_HOST_BYTES] = { "host bytes", "ns", 1 },
	[DEV_HOST_PEER] = { "host peer", "bw", 1 },
	[DEV_MACHINE_RESET] = { "machine reset", "", 1 },
};

static const struct grammar_phrase device_phrases[] = {
	{ 4, { DEV_CHAIN, DEV_CORRUPT, DEV_PUBLISH, DEV_TURN } },
	{ 4, { DEV_CHAIN, DEV_CORRUPT, DEV_PUBLISH, DEV_TURN } },
	{ 5, { DEV_CHAIN, DEV_CORRUPT, DEV_CORRUPT, DEV_PUBLISH, DEV_TURN } },
	{ 4, { DEV_CHAIN, DEV_RACE, DEV_PUBLISH, DEV_TURN } },
	{ 4, { DEV_CHAIN, DEV_PUBLISH, DEV_TURN, DEV_COLLECT } },
	{ 6, { DEV_CHAIN, DEV_CHAIN, DEV_CHAIN, DEV_PUBLISH, DEV_TURN, DEV_COLLECT } },
	{ 4, { DEV_CHAIN, DEV_PUBLISH, DEV_KICK, DEV_RESET } },
	{ 5, { DEV_DISK_POLICY, DEV_CHAIN, DEV_PUBLISH, DEV_TURN, DEV_DISK_END } },
	{ 4, { DEV_QUEUE_RESET, DEV_QUEUE_START, DEV_CHAIN, DEV_PUBLISH } },
	{ 4, { DEV_CHAIN, DEV_PUBLISH, DEV_TURN, DEV_FRAME } },
};

/* Offsets of virtio-mmio's registers, of the common configuration structure, of config space. */
static const uint16_t device_registers[] = {
	0x000, 0x004, 0x010,  0x014,  0x020,  0x024,  0x030,  0x034, 0x038, 0x044, 0x050,
	0x060, 0x064, 0x070,  0x080,  0x084,  0x090,  0x094,  0x0a0, 0x0a4, 0x0c0, 0x0fc,
	0x100, 0x104, 0x108,  0x00,   0x04,   0x08,   0x0c,   0x10,  0x12,  0x14,  0x15,
	0x16,  0x18,  0x1a,   0x1c,   0x1e,   0x20,   0x28,   0x30,  0x38,  0x3a,  0x40,
	0x42,  0x50,  0x1000, 0x100c, 0x2000, 0x3000, 0x3004,
};

#define BYTES(text)                    \
	{                              \
		text, sizeof(text) - 1 \
	}

/* A request's header: type, reserved, sector; ranges behind it. */
static const struct grammar_bytes blk_examples[] = {
	BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
	BYTES("\0\0\0\0\0\0\0\0\x7f\0\0\0\0\0\0\0"),
	BYTES("\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"),
	BYTES("\1\0\0\0\0\0\0\0\x7f\0\0\0\0\0\0\0"),
	BYTES("\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
	BYTES("\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
	BYTES("\x0b\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0"),
	BYTES("\x0d\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\x08\0\0\0\1\0\0\0"
	      "\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0"),
};

/* The header before a frame, and a frame; commands of the control queue. */
static const struct grammar_bytes net_examples[] = {
	BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\x52\x54\0\0\0\1\x08\x06"),
	BYTES("\1\0\0\0\0\0\x22\0\x10\0\0\0\xff\xff\xff\xff\xff\xff\x52\x54\0\0\0\1\x08\0"
	      "\x45\0\0\x28\0\0\0\0\x40\6\0\0\x0a\0\2\x0f\x0a\0\2\2\0\1\0\2\0\0\0\0\0\0\0\0\x50\2"
	      "\0\0\0\0\0\0"),
	BYTES("\1\1\x36\0\x64\0\x22\0\x10\0\0\0\xff\xff\xff\xff\xff\xff\x52\x54\0\0\0\1\x08\0"
	      "\x45\0\0\x28\0\0\0\0\x40\6\0\0\x0a\0\2\x0f\x0a\0\2\2\0\1\0\2\0\0\0\0\0\0\0\0\x50\2"
	      "\0\0\0\0\0\0"),
	BYTES("\1\4\x4a\0\x64\0\x36\0\x10\0\0\0\xff\xff\xff\xff\xff\xff\x52\x54\0\0\0\1\x86\xdd"
	      "\x60\0\0\0\0\x14\6\x40\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
	      "\2\0\1\0\2\0\0\0\0\0\0\0\0\x50\2\0\0\0\0\0\0"),
	BYTES("\xff\xff\xff\xff\xff\xff\x52\x54\0\0\0\2\x81\0\0\5\x08\0abcd"),
	BYTES("\0\0\1"),
	BYTES("\0\1\1"),
	BYTES("\0\5\0"),
	BYTES("\1\0\1\0\0\0\x52\x54\0\0\0\3\1\0\0\0\1\0\x5e\0\0\1"),
	BYTES("\1\1\x52\x54\0\0\0\4"),
	BYTES("\2\0\5\0"),
	BYTES("\2\1\5\0"),
	BYTES("\4\0\2\0"),
	BYTES("\5\0\2\0\0\0\0\0\0\0"),
};

/* Control messages: port, event, value; and plain bytes. */
static const struct grammar_bytes console_examples[] = {
	BYTES("\0\0\0\0\0\0\1\0"), BYTES("\0\0\0\0\3\0\1\0"), BYTES("\1\0\0\0\3\0\1\0"),
	BYTES("\0\0\0\0\6\0\1\0"), BYTES("\1\0\0\0\6\0\1\0"), BYTES("\1\0\0\0\6\0\0\0"),
	BYTES("\2\0\0\0\3\0\1\0"), BYTES("\2\0\0\0\6\0\1\0"), BYTES("hello, world\r\n"),
};

/* Events: type, code, value; of the harness, then of the status queue. */
static const struct grammar_bytes input_examples[] = {
	BYTES("\1\x1e\0\1\0"),
	BYTES("\1\x1e\0\1\0\1\x1f\0\1\0\1\x20\0\0\0"),
	BYTES("\3\0\0\x10\0\3\1\0\x10\0"),
	BYTES("\3\x2f\0\1\0\3\x39\0\1\0\3\x35\0\x10\0"),
	BYTES("\x11\0\0\0\1\0\0\0"),
	BYTES("\x11\0\1\0\0\0\0\0"),
};

/*
 * Rings.
 */
static const struct grammar_op ring_ops[N_RING_OPS] = {
	[RING_START] = { "start", "nnn", 3 },
	[RING_CHAIN] = { "chain", "qhgwws", 30 },
	[RING_CORRUPT] = { "corrupt", "qnnv", 8 },
	[RING_PUBLISH] = { "publish", "", 10 },
	[RING_COLLECT] = { "collect", "n", 8 },
	[RING_POP] = { "pop", "n", 20 },
	[RING_USE] = { "use", "nnw", 8 },
	[RING_PUSH] = { "push", "n", 16 },
	[RING_UNPOP] = { "unpop", "n", 4 },
	[RING_FLUSH] = { "flush", "", 10 },
	[RING_ARM] = { "arm", "n", 5 },
	[RING_STOP] = { "stop", "nv", 2 },
	[RING_POKE] = { "poke", "ws", 2 },
	[RING_RACE] = { "race", "nnv", 4 },
};

static const struct grammar_phrase ring_phrases[] = {
	{ 4, { RING_CHAIN, RING_CORRUPT, RING_PUBLISH, RING_POP } },
	{ 4, { RING_CHAIN, RING_RACE, RING_PUBLISH, RING_POP } },
	{ 6, { RING_CHAIN, RING_PUBLISH, RING_POP, RING_PUSH, RING_FLUSH, RING_COLLECT } },
	{ 6, { RING_CHAIN, RING_PUBLISH, RING_POP, RING_USE, RING_PUSH, RING_FLUSH } },
	{ 5, { RING_CHAIN, RING_CHAIN, RING_PUBLISH, RING_POP, RING_UNPOP } },
};

static const struct grammar_op driver_ops[N_DRIVER_OPS] = {
	[DRIVER_START] = { "start", "nn", 1 },       [DRIVER_CHAIN] = { "chain", "hw", 20 },
	[DRIVER_PUBLISH] = { "publish", "", 8 },     [DRIVER_USED] = { "used", "n", 12 },
	[DRIVER_NOTIFY] = { "notify", "n", 4 },      [DRIVER_SAY] = { "say", "nnl", 16 },
	[DRIVER_SCRIBBLE] = { "scribble", "ws", 8 },
};

static const struct grammar_phrase driver_phrases[] = {
	{ 4, { DRIVER_CHAIN, DRIVER_PUBLISH, DRIVER_SAY, DRIVER_USED } },
	{ 5, { DRIVER_CHAIN, DRIVER_CHAIN, DRIVER_SAY, DRIVER_SAY, DRIVER_USED } },
	{ 4, { DRIVER_CHAIN, DRIVER_PUBLISH, DRIVER_SCRIBBLE, DRIVER_USED } },
};

/*
 * Transports.
 */
static const struct grammar_op bus_ops[N_BUS_OPS] = {
	[BUS_READ] = { "read", "rb", 10 },
	[BUS_WRITE] = { "write", "rbv", 30 },
	[BUS_PORT_READ] = { "port read", "nb", 2 },
	[BUS_PORT_WRITE] = { "port write", "nbv", 4 },
	[BUS_RAISE] = { "raise", "nn", 6 },
	[BUS_CONFIG] = { "config", "nnnb", 2 },
	[BUS_START] = { "start", "nb", 4 },
	[BUS_INTERRUPTS] = { "interrupts", "", 5 },
	[BUS_EOI] = { "eoi", "", 2 },
	[BUS_REFUSE] = { "refuse", "b", 2 },
	[BUS_RESET] = { "reset", "", 1 },
	[BUS_TURN] = { "turn", "n", 4 },
};

static const struct grammar_phrase bus_phrases[] = {
	{ 3, { BUS_WRITE, BUS_RAISE, BUS_INTERRUPTS } },
	{ 5, { BUS_START, BUS_WRITE, BUS_RAISE, BUS_INTERRUPTS, BUS_EOI } },
	{ 3, { BUS_PORT_WRITE, BUS_PORT_WRITE, BUS_PORT_READ } },
	{ 4, { BUS_WRITE, BUS_WRITE, BUS_WRITE, BUS_READ } },
};

/* Configuration space with its capabilities, then a BAR's regions. */
static const uint16_t pci_registers[] = {
	0x00,   0x02,   0x04,   0x06,   0x0e,   0x10,   0x14,   0x18,   0x2c,   0x34,
	0x3c,   0x3d,   0x40,   0x44,   0x48,   0x50,   0x64,   0x74,   0x78,   0x7c,
	0x80,   0x84,   0x88,   0x8a,   0x8c,   0x90,   0x98,   0x9c,   0xa0,   0xfc,
	0xfe,   0x100,  0xffc,  0x08,   0x0c,   0x12,   0x15,   0x16,   0x1a,   0x1c,
	0x1e,   0x20,   0x28,   0x30,   0x38,   0x3a,   0x200,  0x204,  0x1000, 0x1004,
	0x1008, 0x100c, 0x1010, 0x101c, 0x2000, 0x2004, 0x3000, 0x3004, 0x3008,
};

/*
 * The rest.
 */
static const struct grammar_op ports_ops[N_PORT_OPS] = {
	[PORT_WRITE] = { "write", "bnd", 20 }, [PORT_READ] = { "read", "bn", 10 },
	[PORT_PRINT] = { "print", "s", 6 },    [PORT_TYPE] = { "type", "s", 6 },
	[PORT_PEER] = { "peer", "bw", 4 },     [PORT_TURN] = { "turn", "b", 8 },
};

static const struct grammar_bytes ports_examples[] = {
	BYTES("Kernel panic - not syncing: why\n"),
	BYTES("---[ end Kernel panic - not syncing: why ]---\n"),
	BYTES("[    1.0] hello\r\n"),
};

static const struct grammar_op front_ops[N_FRONT_OPS] = {
	[FRONT_SAY] = { "say", "bbbns", 30 },    [FRONT_SET_UP] = { "set up", "qb", 6 },
	[FRONT_CHAIN] = { "chain", "qhws", 10 }, [FRONT_MEMORY] = { "memory", "qws", 4 },
	[FRONT_KICK] = { "kick", "q", 4 },       [FRONT_TURN] = { "turn", "b", 4 },
	[FRONT_HANG_UP] = { "hang up", "", 1 },
};

static const struct grammar_phrase front_phrases[] = {
	{ 3, { FRONT_SET_UP, FRONT_CHAIN, FRONT_SAY } },
	{ 4, { FRONT_SET_UP, FRONT_CHAIN, FRONT_SAY, FRONT_CHAIN } },
	{ 4, { FRONT_SET_UP, FRONT_MEMORY, FRONT_KICK, FRONT_SAY } },
	{ 4, { FRONT_SET_UP, FRONT_CHAIN, FRONT_HANG_UP, FRONT_SET_UP } },
};

static const struct grammar_op back_ops[N_BACK_OPS] = {
	[BACK_START] = { "start", "bq", 8 },       [BACK_CHAIN] = { "chain", "qhws", 16 },
	[BACK_RESET] = { "reset", "", 3 },         [BACK_WRITE] = { "write", "wv", 4 },
	[BACK_PAUSE] = { "pause", "q", 4 },        [BACK_ANSWER] = { "answer", "nnbs", 12 },
	[BACK_SAY] = { "say", "nbbns", 6 },        [BACK_CONFIG] = { "config", "bbs", 5 },
	[BACK_USE] = { "use", "qqqw", 14 },        [BACK_CALL] = { "call", "qq", 10 },
	[BACK_SCRIBBLE] = { "scribble", "ds", 5 }, [BACK_HANG_UP] = { "hang up", "n", 4 },
	[BACK_TURN] = { "turn", "b", 6 },
};

static const struct grammar_phrase back_phrases[] = {
	{ 4, { BACK_START, BACK_CHAIN, BACK_USE, BACK_CALL } },
	{ 5, { BACK_START, BACK_CHAIN, BACK_CHAIN, BACK_HANG_UP, BACK_TURN } },
	{ 4, { BACK_ANSWER, BACK_START, BACK_CHAIN, BACK_TURN } },
	{ 4, { BACK_START, BACK_CHAIN, BACK_ANSWER, BACK_PAUSE } },
	{ 6, { BACK_START, BACK_CHAIN, BACK_HANG_UP, BACK_ANSWER, BACK_TURN, BACK_TURN } },
	{ 5, { BACK_START, BACK_CHAIN, BACK_USE, BACK_USE, BACK_CALL } },
	{ 3, { BACK_ANSWER, BACK_CONFIG, BACK_TURN } },
};

static const struct grammar_op vfio_ops[N_VFIO_OPS] = {
	[VFIO_SAY] = { "say", "bbbns", 16 },     [VFIO_SET_UP] = { "set up", "qn", 8 },
	[VFIO_ACCESS] = { "access", "brv", 20 }, [VFIO_IRQS] = { "irqs", "nbbn", 8 },
	[VFIO_MAP] = { "map", "bb", 8 },         [VFIO_CHAIN] = { "chain", "qhws", 10 },
	[VFIO_MEMORY] = { "memory", "qws", 4 },  [VFIO_KICK] = { "kick", "q", 5 },
	[VFIO_TURN] = { "turn", "b", 5 },        [VFIO_HANG_UP] = { "hang up", "", 1 },
};

static const struct grammar_phrase vfio_phrases[] = {
	{ 3, { VFIO_SET_UP, VFIO_CHAIN, VFIO_SAY } },
	{ 4, { VFIO_SET_UP, VFIO_CHAIN, VFIO_MAP, VFIO_MAP } },
	{ 5, { VFIO_SET_UP, VFIO_CHAIN, VFIO_MAP, VFIO_ACCESS, VFIO_CHAIN } },
	{ 4, { VFIO_SET_UP, VFIO_IRQS, VFIO_CHAIN, VFIO_IRQS } },
	{ 4, { VFIO_SET_UP, VFIO_CHAIN, VFIO_HANG_UP, VFIO_SET_UP } },
};

/* Payloads: versions, parts of memory, an access, two at once, interrupts, what is asked about. */
static const struct grammar_bytes vfio_examples[] = {
	BYTES("\0\0\0\0{\"capabilities\":{\"max_msg_fds\":2,\"write_multiple\":true}}\0"),
	BYTES("\0\0\1\0"),
	BYTES("\x20\0\0\0\3\0\0\0"
	      "\0\0\0\0\0\0\0\0"
	      "\0\x40\0\0\0\0\0\0"
	      "\0\x40\0\0\0\0\0\0"),
	BYTES("\x18\0\0\0\2\0\0\0"
	      "\0\0\0\0\0\0\0\0"
	      "\0\0\0\0\0\0\0\0"),
	BYTES("\x14\0\0\0\0\0\0\0"
	      "\0\0\0\0\1\0\0\0"
	      "\xf"),
	BYTES("\2\0\0\0\0\0\0\0"
	      "\x14\0\0\0\0\0\0\0"
	      "\0\0\0\0\1\0\0\0"
	      "\0\0\0\0\0\0\0\0"
	      "\4\0\0\0\0\0\0\0"
	      "\7\0\0\0\2\0\0\0"
	      "\6\0\0\0\0\0\0\0"),
	BYTES("\x14\0\0\0\x24\0\0\0"
	      "\2\0\0\0\0\0\0\0"
	      "\2\0\0\0"),
	BYTES("\x14\0\0\0\x12\0\0\0"
	      "\0\0\0\0\0\0\0\0"
	      "\1\0\0\0\1"),
	BYTES("\xff\0\0\0\0\0\0\0"
	      "\0\0\0\0\0\0\0\0"),
	BYTES("\x20\0\0\0\0\0\0\0"
	      "\2\0\0\0\0\0\0\0"
	      "\0\0\0\0\0\0\0\0"
	      "\0\0\0\0\0\0\0\0"),
};

/* Payloads: a number, a ring's state, addresses, regions, parts of files, what is in flight. */
static const struct grammar_bytes front_examples[] = {
	BYTES("\0\0\0\0\0\0\0\0"),
	BYTES("\0\0\0\0\1\0\0\0"),
	BYTES("\0\0\0\0\x10\0\0\0"),
	BYTES("\0\0\0\x44\1\0\0\0"),
	BYTES("\0\0\0\0\1\0\0\0" /* addresses */
	      "\0\0\0\0\0\x7f\0\0"
	      "\0\x10\0\0\0\x7f\0\0"
	      "\0\x20\0\0\0\x7f\0\0"
	      "\0\0\0\0\0\0\0\0"),
	BYTES("\0\0\0\0\0\0\0\0" /* a region */
	      "\0\0\1\0\0\0\0\0"
	      "\0\0\1\0\0\0\0\0"
	      "\0\0\0\0\0\x7f\0\0"
	      "\0\0\0\0\0\0\0\0"),
	BYTES("\1\0\0\0\0\0\0\0" /* a table of one */
	      "\0\0\0\0\0\0\0\0"
	      "\0\0\1\0\0\0\0\0"
	      "\0\0\0\0\0\x7f\0\0"
	      "\0\0\0\0\0\0\0\0"),
	BYTES("\0\1\0\0\0\0\0\0"
	      "\0\0\0\0\0\0\0\0"),
	BYTES("\0\0\1\0\0\0\0\0"
	      "\0\0\0\0\0\0\0\0"
	      "\2\0\x10\0"),
	BYTES("\1\0\0\0\0\0\0\0"),
	BYTES("\0\0\0\0\4\0\0\0\0\0\0\0"
	      "\1\2\3\4"),
};

static const struct grammar_op control_ops[N_CONTROL_OPS] = {
	[CONTROL_CONNECT] = { "connect", "n", 4 },    [CONTROL_SAY] = { "say", "ns", 10 },
	[CONTROL_LINE] = { "line", "nbs", 24 },       [CONTROL_HANG_UP] = { "hang up", "nn", 2 },
	[CONTROL_ROOM] = { "room", "nw", 2 },         [CONTROL_TURN] = { "turn", "n", 8 },
	[CONTROL_EVENT] = { "event", "nn", 2 },       [CONTROL_FAIL] = { "fail", "nw", 1 },
	[CONTROL_START] = { "start", "nfnn", 2 },     [CONTROL_CHAIN] = { "chain", "qhgwws", 3 },
	[CONTROL_CORRUPT] = { "corrupt", "qnnv", 2 }, [CONTROL_PUBLISH] = { "publish", "qg", 2 },
};

static const struct grammar_phrase control_phrases[] = {
	{ 3, { CONTROL_CONNECT, CONTROL_LINE, CONTROL_TURN } },
	{ 4, { CONTROL_LINE, CONTROL_LINE, CONTROL_LINE, CONTROL_TURN } },
	{ 5, { CONTROL_START, CONTROL_CHAIN, CONTROL_PUBLISH, CONTROL_LINE, CONTROL_TURN } },
	{ 5, { CONTROL_CHAIN, CONTROL_CORRUPT, CONTROL_PUBLISH, CONTROL_LINE, CONTROL_TURN } },
};

static const struct grammar_bytes control_examples[] = {
	BYTES("{\"execute\":\"qmp_capabilities\"}\n"),
	BYTES("{\"path\":\"keys\"}"),
	BYTES("{\"events\":[{\"type\":\"key\",\"data\":{\"down\":false,\"key\":{\"type\":\"number\","
	      "\"data\":28}}}]}"),
	BYTES("{\"events\":[{\"type\":\"mtt\",\"data\":{\"type\":\"data\",\"slot\":1,"
	      "\"tracking-id\":2,\"axis\":\"y\",\"value\":3}}]}"),
	BYTES("{\"events\":[{\"type\":\"mtt\",\"data\":{\"type\":\"end\",\"slot\":1,"
	      "\"tracking-id\":2}}]}"),
	BYTES("{\"execute\":\"query-status\",\"id\":{\"a\":[1,null,\"\\u00e4\"]}}"),
	BYTES("{\"path\":\"disk\",\"queue\":0}"),
	BYTES("{\"path\":\"/machine/peripheral/disk/virtio-backend\"}"),
	BYTES("{\"enable\":[]}"),
	BYTES("{\"target\":\"vcpu\",\"vcpus\":[\"/machine/unattached/device[0]\"]}"),
	BYTES("{\"target\":\"vm\"}"),
	BYTES("{\"events\":[{\"type\":\"key\",\"data\":{\"down\":true,\"key\":{\"type\":\"qcode\","
	      "\"data\":\"a\"}}}]}"),
	BYTES("{\"events\":[{\"type\":\"abs\",\"data\":{\"axis\":\"x\",\"value\":20}},"
	      "{\"type\":\"btn\",\"data\":{\"button\":\"left\",\"down\":false}}]}"),
	BYTES("{\"device\":\"pointer\",\"head\":0,\"events\":[{\"type\":\"rel\",\"data\":{\"axis\":"
	      "\"y\",\"value\":-1}}]}"),
	BYTES("{\"events\":[{\"type\":\"mtt\",\"data\":{\"type\":\"update\",\"slot\":1,"
	      "\"tracking-id\":2,\"axis\":\"x\",\"value\":3}}]}"),
	BYTES("[[[[[["),
	BYTES("{\"\\\"\":\"}\"}"),
	BYTES("{\"keys\":[{\"type\":\"qcode\",\"data\":\"a\"},{\"type\":\"number\",\"data\":30}],"
	      "\"hold-time\":5}"),
	BYTES("{\"command-line\":\"info registers\",\"cpu-index\":1}"),
	BYTES("{\"command-line\":\"help\"}"),
	BYTES("{\"path\":\"disk\",\"queue\":0,\"index\":3}"),
	BYTES("{\"device\":\"disk\",\"size\":65536}"),
	BYTES("{\"name\":\"net0\",\"up\":false}"),
	BYTES("{\"name\":\"net0\",\"up\":true}"),
};

static const struct grammar_op boot_ops[N_BOOT_OPS] = {
	[BOOT_BASE] = { "base", "nb", 4 },
	[BOOT_PATCH] = { "patch", "ws", 4 },
	[BOOT_NUMBER] = { "number", "rnv", 30 },
	[BOOT_CUT] = { "cut", "d", 4 },
	[BOOT_INITRD] = { "initrd", "d", 4 },
	[BOOT_CMDLINE] = { "command line", "ws", 2 },
	[BOOT_MEMORY] = { "memory", "nnn", 4 },
	[BOOT_FORMAT] = { "format", "nb", 10 },
	[BOOT_SUM] = { "sum", "", 4 },
	[BOOT_PACK] = { "pack", "n", 4 },
	[BOOT_PROTOCOL] = { "protocol", "n", 3 },
	[BOOT_INITRDS] = { "initrds", "nds", 3 },
};

static const struct grammar_phrase boot_phrases[] = {
	{ 3, { BOOT_BASE, BOOT_NUMBER, BOOT_INITRD } },
	{ 4, { BOOT_BASE, BOOT_MEMORY, BOOT_NUMBER, BOOT_CUT } },
	{ 4, { BOOT_FORMAT, BOOT_NUMBER, BOOT_SUM, BOOT_INITRDS } },
	{ 4, { BOOT_FORMAT, BOOT_NUMBER, BOOT_NUMBER, BOOT_SUM } },
	{ 3, { BOOT_FORMAT, BOOT_PROTOCOL, BOOT_NUMBER } },
	{ 3, { BOOT_FORMAT, BOOT_PACK, BOOT_PATCH } },
};

static const struct grammar_bytes boot_examples[] = {
	BYTES("\x7f"
	      "ELF\2\1\1"),
	BYTES("\4\0\0\0\4\0\0\0\x12\0\0\0Xen\0\0\0\x20\0"),
	BYTES("\4\0\0\0\x08\0\0\0\x12\0\0\0Xen\0\0\0\x20\0\0\0\0\0"),
	BYTES("\x1f\x8b"),
	BYTES("MZ"),
	BYTES("quiet"),
};

/* Of a setup header, then of an ELF file with its program headers and note; of a multiboot header
 * at 0x200; of 32-bit program headers. */
static const uint16_t boot_registers[] = {
	0x1f1, 0x1f4, 0x1fe, 0x201, 0x202, 0x206, 0x211, 0x22c, 0x236, 0x238, 0x258,
	0x260, 0x00,  0x04,  0x05,  0x10,  0x12,  0x18,  0x20,  0x36,  0x38,  0x40,
	0x48,  0x58,  0x60,  0x68,  0x78,  0x80,  0x90,  0x98,  0xa0,  0xb0,  0xb8,
	0xc8,  0xd0,  0xd8,  0x100, 0x104, 0x108, 0x10c, 0x110, 0x24,  0x200, 0x204,
	0x208, 0x20c, 0x210, 0x214, 0x218, 0x21c, 0x220, 0x224, 0x228, 0x22c, 0x230,
	0x34,  0x3c,  0x44,  0x54,  0x5c,  0x64,  0x74,  0x7c,  0x1c,  0x2c,  0x214,
};

static const struct grammar_op options_ops[N_OPT_OPS] = {
	[OPT_WORD] = { "word", "s", 10 },
	[OPT_PAIR] = { "pair", "ns", 16 },
	[OPT_DEVICE] = { "device", "ns", 24 },
};

static const struct grammar_bytes options_examples[] = {
	BYTES("run"),
	BYTES("help"),
	BYTES("--version"),
	BYTES("--device=rng"),
	BYTES("512M"),
	BYTES("64"),
	BYTES("host,-avx"),
	BYTES("help"),
	BYTES("blk,path=x"),
	BYTES("path=x,ro=on,queues=3,serial=abc,block-size=4K"),
	BYTES("path=x,cache=unsafe,aio=sync,discard=off,queue-size=256"),
	BYTES("physical-block-size=4096,min-io=64K,opt-io=1M,seg-max=5,path=x"),
	BYTES("backend=tap,ifname=a,queue-pairs=2,mtu=9000,mac=52:54:00:12:34:56"),
	BYTES("backend=user,hostfwd=tcp::2222-:22,net=10.0.0.0/8,dns=10.0.0.9,restrict"),
	BYTES("backend=socket,path=x,listen=on"),
	BYTES("tcp:127.0.0.1:80-10.0.2.15:8080"),
	BYTES("10.0.2.0/24"),
	BYTES("chr=pty,port=a:null,port=b:file:x,max-ports=4,cols=80,rows=25"),
	BYTES("type=multitouch,name=n,serial=s"),
	BYTES("type=evdev,evdev=/x"),
	BYTES("max-bytes=1K,id=a,,b,iothread=t"),
	BYTES("ring=packed,features=+in_order,,-event_idx"),
	BYTES("path=a,,b,path=c"),
	BYTES("features=+nothing-of-the-kind,path=x"),
	BYTES("features=+in_ordre,path=x"),
	BYTES("features=in_order,path=x"),
	BYTES("features=-version_1,path=x"),
	BYTES("features=+admin_vq,path=x"),
	BYTES("features=+sr_iov,,-in_order,,+in_order,,-in_order,path=x"),
	BYTES("features=-csum,,+guest_tso4,backend=user"),
	BYTES("features=-guest_csum,,-ctrl_vq,backend=tap,ifname=a"),
	BYTES("features=+ctrl_mac_addr,,-ctrl_vq,backend=tap,ifname=a"),
	BYTES("features=+discard,discard=off,path=x"),
	BYTES("path=x,block-size=1000"),
	BYTES("path=x,block-size=64K,physical-block-size=512"),
	BYTES("path=missing,serial=longer-than-any-serial-number"),
	BYTES("unix:/x"),
	BYTES("stdio"),
};

static const struct grammar_op acpi_ops[N_ACPI_OPS] = {
	[ACPI_CPUS] = { "processors", "wn", 4 },
	[ACPI_PCI] = { "pci", "nd", 4 },
	[ACPI_MMIO] = { "mmio", "b", 4 },
	[ACPI_MEMORY] = { "memory", "v", 2 },
};

static const struct grammar_op netend_ops[NET_CONNECT] = {
	[NET_FROM_PEER] = { "from peer", "ws", 24 },
	[NET_TO_PEER] = { "to peer", "wns", 16 },
	[NET_ROOM] = { "room", "d", 3 },
	[NET_GONE] = { "gone", "nn", 3 },
	[NET_COME] = { "come", "", 4 },
	[NET_WANT] = { "want", "nn", 6 },
	[NET_TURN] = { "turn", "n", 16 },
	[NET_TIME] = { "time", "wn", 3 },
	[NET_SET] = { "set", "bb", 4 },
	[NET_FULL] = { "full", "n", 4 },
};

static const struct grammar_op netuser_ops[N_NET_OPS] = {
	[NET_FROM_PEER] = { "from peer", "ws", 6 },
	[NET_TO_PEER] = { "to peer", "wns", 16 },
	[NET_ROOM] = { "room", "d", 3 },
	[NET_GONE] = { "gone", "nn", 3 },
	[NET_COME] = { "come", "", 4 },
	[NET_WANT] = { "want", "nn", 4 },
	[NET_TURN] = { "turn", "n", 12 },
	[NET_TIME] = { "time", "wn", 3 },
	[NET_SET] = { "set", "bb", 1 },
	[NET_FULL] = { "full", "n", 2 },
	[NET_CONNECT] = { "connect", "n", 8 },
	[NET_FLOOD] = { "flood", "nnnwnnb", 12 },
	[NET_RESTART] = { "restart", "", 2 },
	[NET_FAIL] = { "fail", "nn", 2 },
};

static const struct grammar_phrase netuser_phrases[] = {
	{ 2, { NET_CONNECT, NET_FLOOD } },
	{ 3, { NET_CONNECT, NET_FLOOD, NET_FLOOD } },
	{ 4, { NET_CONNECT, NET_FLOOD, NET_FROM_PEER, NET_TURN } },
	{ 4, { NET_FLOOD, NET_RESTART, NET_CONNECT, NET_TURN } },
	{ 4, { NET_FAIL, NET_COME, NET_TURN, NET_FLOOD } },
};

static const struct grammar_phrase netend_phrases[] = {
	{ 4, { NET_COME, NET_TURN, NET_WANT, NET_FROM_PEER } },
	{ 3, { NET_FROM_PEER, NET_FROM_PEER, NET_TURN } },
	{ 4, { NET_FULL, NET_FROM_PEER, NET_TURN, NET_WANT } },
};

/* Frames: ARP, DHCP's beginning, ICMP, TCP, IPv6; and with a tap's header. */
static const struct grammar_bytes netend_examples[] = {
	BYTES("\0\0\0\x0e\xff\xff\xff\xff\xff\xff\x52\x54\0\0\0\1\x08\6"),
	BYTES("\xff\xff\xff\xff\xff\xff\x52\x54\0\0\0\1\x08\6\0\1\x08\0\6\4\0\1\x52\x54\0\0\0\1"
	      "\x0a\0\2\x0f\0\0\0\0\0\0\x0a\0\2\2"),
	BYTES("\x52\x55\x0a\0\2\2\x52\x54\0\0\0\1\x08\0\x45\0\0\x28\0\0\0\0\x40\6\x62\xbd\x0a\0\2"
	      "\x0f\x0a\0\2\2\0\1\0\x50\0\0\0\0\0\0\0\0\x50\2\0\0\0\0\0\0"),
	BYTES("\xff\xff\xff\xff\xff\xff\x52\x54\0\0\0\1\x08\0\x45\0\0\x2c\0\0\0\0\x40\x11\x7a\xc2\0\0"
	      "\0\0\xff\xff\xff\xff\0\x44\0\x43\0\x18\0\0\1\1\6\0\1\2\3\4\0\0\0\0"),
	BYTES("\x33\x33\0\0\0\2\x52\x54\0\0\0\1\x86\xdd\x60\0\0\0\0\x08\x3a\xff\xfe\x80\0\0\0\0\0\0"
	      "\x50\x54\0\xff\xfe\0\0\1\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\2\x85\0\0\0\0\0\0\0"),
	BYTES("\1\1\x36\0\x64\0\x22\0\x10\0\0\0\xff\xff\xff\xff\xff\xff\x52\x54\0\0\0\1\x08\0\x45\0"),
	BYTES("\2\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\x52\x54\0\0\0\1\x81\0\0\5\x08\0"),
};

static const struct grammar_op state_ops[N_STATE_OPS] = {
	[STATE_START] = { "start", "fnn", 3 },
	[STATE_CHAIN] = { "chain", "qhgwws", 8 },
	[STATE_PUBLISH] = { "publish", "qg", 2 },
	[STATE_TURN] = { "turn", "n", 3 },
	[STATE_COLLECT] = { "collect", "qn", 2 },
	[STATE_WRITE] = { "write", "rbv", 4 },
	[STATE_INTERRUPTS] = { "interrupts", "", 1 },
	[STATE_SAVE] = { "save", "", 6 },
	[STATE_LOAD] = { "load", "n", 12 },
	[STATE_SAVE_LOAD] = { "save and load", "", 4 },
	[STATE_VALUE] = { "value", "nwnv", 24 },
	[STATE_LENGTH] = { "length", "nwns", 8 },
	[STATE_HEADER] = { "header", "nnb", 4 },
	[STATE_ORDER] = { "order", "nn", 3 },
	[STATE_BYTES] = { "bytes", "ws", 2 },
	[STATE_HOST] = { "host", "ns", 6 },
};

static const struct grammar_phrase state_phrases[] = {
	{ 4, { STATE_SAVE, STATE_VALUE, STATE_LOAD, STATE_TURN } },
	{ 5, { STATE_SAVE, STATE_VALUE, STATE_VALUE, STATE_LOAD, STATE_PUBLISH } },
	{ 3, { STATE_SAVE, STATE_LENGTH, STATE_LOAD } },
	{ 4, { STATE_CHAIN, STATE_SAVE_LOAD, STATE_CHAIN, STATE_COLLECT } },
	{ 6, { STATE_START, STATE_CHAIN, STATE_SAVE, STATE_VALUE, STATE_LOAD, STATE_CHAIN } },
};

#define OPS(family)       .n_ops = COUNT(family##_ops), .ops = family##_ops
#define PHRASES(family)   .n_phrases = COUNT(family##_phrases), .phrases = family##_phrases
#define REGISTERS(family) .n_registers = COUNT(family##_registers), .registers = family##_registers
#define EXAMPLES(family)  .n_examples = COUNT(family##_examples), .examples = family##_examples

/* A device that has nothing to say of its own: examples come on top. */
#define ANY_DEVICE .heading = 2, OPS(device), PHRASES(device), REGISTERS(device)
#define DEVICE(device_name)                                             \
	{                                                               \
		.name = #device_name, ANY_DEVICE, EXAMPLES(device_name) \
	}

static const struct grammar grammars[] = {
	DEVICE(blk),
	DEVICE(net),
	DEVICE(console),
	DEVICE(input),
	{ .name = "ring", OPS(ring), PHRASES(ring) },
	{ .name = "driver", OPS(driver), PHRASES(driver) },
	{ .name = "pci", OPS(bus), PHRASES(bus), REGISTERS(pci) },
	{ .name = "mmio", OPS(bus), PHRASES(bus), REGISTERS(device) },
	{ .name = "boot", OPS(boot), PHRASES(boot), REGISTERS(boot), EXAMPLES(boot) },
	{ .name = "control", OPS(control), PHRASES(control), EXAMPLES(control) },
	{ .name = "net-socket", .heading = 1, OPS(netend), PHRASES(netend), EXAMPLES(netend) },
	{ .name = "net-tap", .heading = 1, OPS(netend), PHRASES(netend), EXAMPLES(netend) },
	{ .name = "net-user", .heading = 1, OPS(netuser), PHRASES(netuser), EXAMPLES(netend) },
	{ .name = "ports", OPS(ports), EXAMPLES(ports) },
	{ .name = "front-end", .heading = 1, OPS(front), PHRASES(front), EXAMPLES(front) },
	{ .name = "back-end", .heading = 4, OPS(back), PHRASES(back), EXAMPLES(front) },
	{ .name = "vfio-user",
	  .heading = 1,
	  OPS(vfio),
	  PHRASES(vfio),
	  REGISTERS(pci),
	  EXAMPLES(vfio) },
	{ .name = "options", OPS(options), EXAMPLES(options) },
	{ .name = "acpi", OPS(acpi) },
	{ .name = "state",
	  .heading = 4,
	  OPS(state),
	  PHRASES(state),
	  REGISTERS(device),
	  EXAMPLES(console) },
};

static const struct grammar any_device = { .name = "device", ANY_DEVICE };

const struct grammar *grammar_of(const char *target)
{
	for (size_t i = 0; i < COUNT(grammars); i++) {
		size_t len = strlen(grammars[i].name);

		if (strncmp(target, grammars[i].name, len) == 0 &&
		    (!target[len] || strcmp(target + len, "-split") == 0 ||
		     strcmp(target + len, "-packed") == 0))
			return &grammars[i];
	}
	return &any_device;
}
