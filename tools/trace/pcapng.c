/*
 * For Wireshark (draft-ietf-opsawg-pcapng): frames of net devices on an Ethernet interface each, as
 * far as their payloads are recorded; everything else that happens to a device on an interface with
 * the link type USER0, which tools/trace/ringside.lua takes apart. docs/record.md has those bytes.
 */
#include "devices/base/pack.h"
#include "tools/trace/sink.h"
#include "virtqueue/vring.h"

#define ETHERNET 1u
#define USER0    147u

#define BLOCK_SECTION   0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET    6u
#define BYTE_ORDER_MARK 0x1a2b3c4du

#define OPT_COMMENT 1u
#define IF_NAME     2u
#define IF_TSRESOL  9u
#define EPB_FLAGS   2u
#define INBOUND     1u
#define OUTBOUND    2u

#define FRAME_MAX (256u << 10) /* of a frame that its buffers are put together to */

#define NET_HEADER      12u /* virtio_net_hdr; of a legacy driver without merged buffers 10 */
#define NET_NUM_BUFFERS 10u
#define NET_F_MRG_RXBUF 15u
#define NO_INTERFACE    UINT32_MAX

/* A chain's payload in the making, of one direction of a queue. */
struct frame {
	int queue;
	GByteArray *bytes;
	uint64_t total; /* of all its chains */
	uint64_t time;
	uint16_t head;
	unsigned more; /* chains that belong to it, too */
};

struct pcap_device {
	int number;
	bool net;
	uint32_t ethernet, events; /* interfaces */
	uint64_t features, queues;
	GHashTable *frames; /* of struct frame, by queue */
};

struct pcapng {
	struct trace_sink base;
	FILE *out;
	bool begun;
	uint32_t interfaces;
	GHashTable *devices; /* of struct pcap_device */
	GByteArray *block;   /* in the making */
};

/*
 * Blocks.
 */
static void pcap_padded(GByteArray *to, const void *bytes, size_t len)
{
	static const uint8_t zeroes[4];

	pack_bytes(to, bytes, len);
	pack_bytes(to, zeroes, -len & 3);
}

static void pcap_option(GByteArray *to, uint16_t code, const void *value, size_t len)
{
	pack_u16(to, code);
	pack_u16(to, (uint16_t)len);
	pcap_padded(to, value, len);
}

static GByteArray *pcap_begin(struct pcapng *p, uint32_t type)
{
	g_byte_array_set_size(p->block, 0);
	pack_u32(p->block, type);
	pack_u32(p->block, 0);
	return p->block;
}

/* Options end with one of code 0, the block with its length once more. */
static void pcap_end(struct pcapng *p)
{
	le32 bytes;

	pack_u32(p->block, 0);
	bytes = cpu_le32(p->block->len + 4);
	memcpy(p->block->data + 4, &bytes, sizeof(bytes));
	pack_u32(p->block, le32_cpu(bytes));
	(void)fwrite(p->block->data, 1, p->block->len, p->out); /* main looks for errors */
}

static void pcap_section(struct pcapng *p)
{
	GByteArray *b = pcap_begin(p, BLOCK_SECTION);

	pack_u32(b, BYTE_ORDER_MARK);
	pack_u16(b, 1);
	pack_u16(b, 0);
	pack_u64(b, UINT64_MAX); /* its length is not told */
	pcap_end(p);
}

static uint32_t pcap_interface(struct pcapng *p, uint16_t link, const char *name)
{
	static const uint8_t nanoseconds = 9;
	GByteArray *b = pcap_begin(p, BLOCK_INTERFACE);

	pack_u16(b, link);
	pack_u16(b, 0);
	pack_u32(b, 0); /* no limit */
	pcap_option(b, IF_NAME, name, strlen(name));
	pcap_option(b, IF_TSRESOL, &nanoseconds, 1);
	pcap_end(p);
	return p->interfaces++;
}

static void pcap_packet(struct pcapng *p, struct trace_reader *t, uint32_t interface,
			uint64_t monotonic, const uint8_t *bytes, size_t len, size_t total,
			uint32_t flags, const char *comment)
{
	uint64_t time = trace_wall(t) + (monotonic - trace_begin(t));
	GByteArray *b = pcap_begin(p, BLOCK_PACKET);
	le32 word = cpu_le32(flags);

	pack_u32(b, interface);
	pack_u32(b, (uint32_t)(time >> 32));
	pack_u32(b, (uint32_t)time);
	pack_u32(b, (uint32_t)len);
	pack_u32(b, (uint32_t)MIN(total, UINT32_MAX));
	pcap_padded(b, bytes, len);
	if (flags)
		pcap_option(b, EPB_FLAGS, &word, sizeof(word));
	if (comment)
		pcap_option(b, OPT_COMMENT, comment, strlen(comment));
	pcap_end(p);
}

/*
 * Devices.
 */
static void frame_free(void *frame)
{
	g_byte_array_unref(((struct frame *)frame)->bytes);
	g_free(frame);
}

static void pcap_device_free(void *device)
{
	g_hash_table_unref(((struct pcap_device *)device)->frames);
	g_free(device);
}

static struct pcap_device *pcap_device(struct pcapng *p, struct trace_reader *t, uint32_t number)
{
	int key = (int)number;
	struct pcap_device *d = g_hash_table_lookup(p->devices, &key);
	g_autofree char *name = NULL;

	if (d)
		return d;
	d = g_new0(struct pcap_device, 1);
	d->number = key;
	d->net = strcmp(trace_class(t, number), "net") == 0;
	d->frames = g_hash_table_new_full(g_int_hash, g_int_equal, NULL, frame_free);
	d->ethernet = NO_INTERFACE;
	if (d->net)
		d->ethernet = pcap_interface(p, ETHERNET, trace_device(t, number));
	name = g_strdup_printf("%s%s", trace_device(t, number), d->net ? " events" : "");
	d->events = pcap_interface(p, USER0, name);
	g_hash_table_insert(p->devices, &d->number, d);
	return d;
}

/*
 * Frames.
 */
/* Of net's queues, receiving and transmitting take turns; the last one controls, if they are odd.
 */
static bool pcap_carries_frames(const struct pcap_device *d, const struct trace_event *e)
{
	bool control = d->queues % 2 && (uint64_t)e->queue == d->queues - 1;
	bool transmits = e->queue % 2;

	return d->net && !control && e->type == RECORD_PAYLOAD && e->value[0] != transmits;
}

static size_t pcap_net_header(const struct pcap_device *d)
{
	bool long_one = d->features >> VIRTIO_F_VERSION_1 & 1 || d->features >> NET_F_MRG_RXBUF & 1;

	return long_one ? NET_HEADER : NET_NUM_BUFFERS;
}

static void pcap_frame_ends(struct pcapng *p, struct trace_reader *t, struct pcap_device *d,
			    struct frame *f)
{
	size_t header = pcap_net_header(d);

	if (f->bytes->len > header)
		pcap_packet(p, t, d->ethernet, f->time, f->bytes->data + header,
			    f->bytes->len - header, (size_t)f->total - header,
			    f->queue % 2 ? OUTBOUND : INBOUND, NULL);
	g_byte_array_set_size(f->bytes, 0);
	f->total = 0;
	f->more = 0;
}

/* A received frame may lie in several chains: the first one's header says in how many. */
static unsigned pcap_more_chains(const struct pcap_device *d, const struct trace_event *e)
{
	unsigned n;

	if (!e->value[0] || pcap_net_header(d) != NET_HEADER || e->n_bytes < NET_HEADER)
		return 0;
	n = e->bytes[NET_NUM_BUFFERS] | (unsigned)e->bytes[NET_NUM_BUFFERS + 1] << 8;
	return n ? n - 1 : 0;
}

static void pcap_frame(struct pcapng *p, struct trace_reader *t, struct pcap_device *d,
		       const struct trace_event *e)
{
	struct frame *f = g_hash_table_lookup(d->frames, &e->queue);
	bool first_piece = e->value[1] == 0;

	if (!f) {
		f = g_new0(struct frame, 1);
		f->bytes = g_byte_array_new();
		f->queue = e->queue;
		g_hash_table_insert(d->frames, &f->queue, f);
	}
	if (first_piece && f->total && f->more) {
		f->more--; /* the next chain of this frame */
		f->total += e->value[2];
	} else if (first_piece) {
		pcap_frame_ends(p, t, d, f);
		f->time = e->time;
		f->total = e->value[2];
		f->more = pcap_more_chains(d, e);
	}
	if (f->bytes->len + e->n_bytes <= FRAME_MAX)
		g_byte_array_append(f->bytes, e->bytes, (guint)e->n_bytes);
}

/* Whatever else happens to the queue, its last frame is whole, if no chain of it is missing. */
static void pcap_queue_goes_on(struct pcapng *p, struct trace_reader *t, struct pcap_device *d,
			       int queue)
{
	struct frame *f = g_hash_table_lookup(d->frames, &queue);

	if (f && f->total && !f->more)
		pcap_frame_ends(p, t, d, f);
}

/*
 * Events.
 */
static char *pcap_comment(const struct trace_event *e)
{
	GString *text;

	if (e->type != RECORD_RULE && e->type != RECORD_FAULT)
		return NULL;
	text = g_string_new("the driver broke a rule: ");
	for (unsigned i = 0; i < 2; i++)
		for (size_t k = 0; k < e->text[i].len; k++)
			g_string_append_c(text, g_ascii_isprint(e->text[i].at[k]) ? e->text[i].at[k]
										  : '?');
	return g_string_free(text, FALSE);
}

static void pcap_event(struct pcapng *p, struct trace_reader *t, uint32_t interface,
		       const struct trace_event *e)
{
	g_autoptr(GByteArray) b = g_byte_array_new();
	g_autofree char *comment = pcap_comment(e);
	const uint8_t begin[] = { (uint8_t)e->type, (uint8_t)e->n_values };

	pack_bytes(b, begin, sizeof(begin));
	pack_u16(b, (uint16_t)e->queue);
	pack_u16(b, e->head);
	pack_u16(b, (uint16_t)e->n_bufs);
	for (unsigned i = 0; i < e->n_values; i++)
		pack_u64(b, e->value[i]);
	for (unsigned i = 0; i < e->n_bufs; i++) {
		pack_u64(b, e->buf[i].addr);
		pack_u32(b, (uint32_t)MIN(e->buf[i].len, UINT32_MAX));
		pack_u32(b, i >= e->n_rd);
	}
	for (unsigned i = 0; i < 2; i++)
		if (e->text[i].len) {
			pack_bytes(b, e->text[i].at, e->text[i].len);
			pack_u8(b, ' ');
		}
	if (e->n_bytes)
		pack_bytes(b, e->bytes, e->n_bytes);
	pcap_packet(p, t, interface, e->time, b->data, b->len, b->len, 0, comment);
}

static void pcapng_event(struct trace_sink *s, struct trace_reader *t, const struct trace_event *e)
{
	struct pcapng *p = (struct pcapng *)s;
	struct pcap_device *d;

	if (!p->begun)
		pcap_section(p);
	p->begun = true;
	if (!e->has_device)
		return;
	d = pcap_device(p, t, e->device);
	if (e->type == RECORD_DEVICE)
		d->queues = e->value[1];
	if (e->type == RECORD_FEATURES)
		d->features = e->value[0];
	if (pcap_carries_frames(d, e)) {
		pcap_frame(p, t, d, e);
		return;
	}
	pcap_queue_goes_on(p, t, d, e->queue);
	pcap_event(p, t, d->events, e);
}

static void pcapng_end(struct trace_sink *s, struct trace_reader *t)
{
	struct pcapng *p = (struct pcapng *)s;
	GHashTableIter devices, frames;
	gpointer d, f;

	if (!p->begun)
		pcap_section(p);
	g_hash_table_iter_init(&devices, p->devices);
	while (g_hash_table_iter_next(&devices, NULL, &d)) {
		g_hash_table_iter_init(&frames, ((struct pcap_device *)d)->frames);
		while (g_hash_table_iter_next(&frames, NULL, &f))
			if (((struct frame *)f)->total)
				pcap_frame_ends(p, t, d, f);
	}
}

static void pcapng_free(struct trace_sink *s)
{
	struct pcapng *p = (struct pcapng *)s;

	g_hash_table_unref(p->devices);
	g_byte_array_unref(p->block);
	g_free(p);
}

struct trace_sink *trace_pcapng_new(FILE *out)
{
	struct pcapng *p = g_new0(struct pcapng, 1);

	p->base = (struct trace_sink){ pcapng_event, pcapng_end, pcapng_free };
	p->out = out;
	p->devices = g_hash_table_new_full(g_int_hash, g_int_equal, NULL, pcap_device_free);
	p->block = g_byte_array_new();
	return &p->base;
}
