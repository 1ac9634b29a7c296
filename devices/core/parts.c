/*
 * The record of a device's state: device parts, one after the other, each a header of 16 bytes
 * (type, flags, selector, length) and a value (VIRTIO 1.4, 2.13). The types up to 0x1ff are the
 * specification's, in the order that it demands (DEV-ADMIN-PARTS-25 to 28); it has none for what a
 * ring's two sides have reached, for the configuration's generation, and for what classes and
 * transports keep, so these are ours, at the end of the range that is for device types.
 * docs/state.md has the table.
 *
 * A record may come from anywhere. All of it is read and checked before anything of the device
 * changes, but for what the class and the transport keep, which they check themselves.
 */
#include <string.h>

#include "devices/core/state-impl.h"
#include "devices/core/vdev-impl.h"

enum {
	PART_DEVICE = 0x5f0, /* what kind of device it is of */
	PART_DEV_FEATURES = 0x100,
	PART_DRV_FEATURES = 0x101,
	PART_DEVICE_STATUS = 0x103,
	PART_VQ_CFG = 0x104,
	PART_VQ_POSITION = 0x5f1,
	PART_CONFIG = 0x5f2,
	PART_CLASS = 0x5f3,
	PART_TRANSPORT = 0x5f4,
	PART_LEGACY = 0x5f5,
};

#define LEGACY_BEGUN 1u

#define PART_OPTIONAL   1u /* VIRTIO_DEV_PART_F_OPTIONAL */
#define SELECTOR_BYTES  8u
#define HEADER_BYTES    16u
#define RECORD_VERSION  1u
#define VQ_CFG_BYTES    32u
#define NO_VECTOR       0xffffu /* the transport keeps the vectors */
#define VQ_CFG_RESERVED 0u

/*
 * Writing.
 */

/* Begins a part; answers where its length goes. */
static guint part_begin(GByteArray *out, uint16_t type, uint8_t flags, const void *selector)
{
	guint at;

	pack_u16(out, type);
	pack_u8(out, flags);
	pack_u8(out, 0);
	pack_bytes(out, selector, SELECTOR_BYTES);
	at = out->len;
	pack_u32(out, 0);
	return at;
}

static void part_end(GByteArray *out, guint at)
{
	uint32_t len = GUINT32_TO_LE(out->len - at - 4);

	memcpy(out->data + at, &len, sizeof(len));
}

static guint begin(GByteArray *out, uint16_t type, uint8_t flags, unsigned index)
{
	const uint8_t selector[SELECTOR_BYTES] = { (uint8_t)index, (uint8_t)(index >> 8) };

	return part_begin(out, type, flags, selector);
}

static void put_features(GByteArray *out, uint16_t type, uint8_t flags, struct vfeatures f)
{
	guint at = begin(out, type, flags, 0);

	pack_u64(out, f.w[0]);
	pack_u64(out, f.w[1]);
	part_end(out, at);
}

static void put_queue(GByteArray *out, unsigned q, const struct vdev_queue_state *s)
{
	guint at = begin(out, PART_VQ_CFG, 0, q);

	pack_u16(out, s->size);
	pack_u16(out, NO_VECTOR);
	pack_u16(out, s->enabled);
	pack_u16(out, 0);
	pack_u64(out, s->desc);
	pack_u64(out, s->driver);
	pack_u64(out, s->device);
	part_end(out, at);
}

static void put_position(GByteArray *out, unsigned q, const struct vdev_queue_state *s)
{
	guint at = begin(out, PART_VQ_POSITION, 0, q);

	pack_u16(out, s->position.next_avail);
	pack_u16(out, s->position.next_used);
	part_end(out, at);
}

static void put_common(GByteArray *out, const struct vdev *dev, const struct vdev_state *s)
{
	guint at = begin(out, PART_DEVICE, 0, 0);

	pack_u32(out, dev->type);
	pack_u16(out, RECORD_VERSION);
	pack_u16(out, (uint16_t)s->n_queues);
	part_end(out, at);
	put_features(out, PART_DEV_FEATURES, PART_OPTIONAL, s->offered);
	put_features(out, PART_DRV_FEATURES, 0, s->accepted);
	at = begin(out, PART_DEVICE_STATUS, 0, 0);
	pack_u8(out, (uint8_t)s->status);
	part_end(out, at);
	for (unsigned q = 0; q < s->n_queues; q++)
		put_queue(out, q, &s->queue[q]);
	for (unsigned q = 0; q < s->n_queues; q++)
		if (s->queue[q].ran)
			put_position(out, q, &s->queue[q]);
	at = begin(out, PART_CONFIG, 0, 0);
	pack_u32(out, s->generation);
	pack_bytes(out, s->config, s->config_size);
	part_end(out, at);
	if (s->legacy) {
		at = begin(out, PART_LEGACY, 0, 0);
		pack_u8(out, s->begun ? LEGACY_BEGUN : 0);
		part_end(out, at);
	}
}

static void put_class(GByteArray *out, struct vdev *dev)
{
	guint at = begin(out, PART_CLASS, 0, 0);

	pack_u16(out, dev->class->state_version);
	dev->class->save(dev, out);
	part_end(out, at);
}

static void put_transport(GByteArray *out, struct vdev *dev)
{
	char name[SELECTOR_BYTES] = { 0 };
	guint at;

	memcpy(name, dev->transport->name, strnlen(dev->transport->name, sizeof(name)));
	at = part_begin(out, PART_TRANSPORT, 0, name);
	dev->transport->save(dev, out);
	part_end(out, at);
}

bool vdev_state_save(struct vdev *dev, GByteArray *out, GError **err)
{
	struct vdev_state s;

	if (dev->running)
		return ringside_usage(err, "%s: state: it is saved of a device that is paused",
				      vdev_name(dev));
	vdev_enter(dev);
	vdev_stop_queues(dev, VDEV_STOP_SAVE);
	vdev_leave(dev);
	vdev_state_get(dev, &s);
	for (unsigned q = 0; q < s.n_queues; q++)
		if (s.queue[q].in_flight) /* a filter's */
			return ringside_usage(err, "%s: state: queue %u has chains in flight",
					      vdev_name(dev), q);
	put_common(out, dev, &s);
	if (dev->class->save)
		put_class(out, dev);
	if (dev->transport && dev->transport->save)
		put_transport(out, dev);
	return true;
}

/*
 * Reading.
 */

struct record {
	struct vdev *dev;
	struct vdev_state state;
	struct unpack class, transport;
	bool has_class, has_transport;
	bool seen_queue[VDEV_QUEUES_MAX];
	GError **err;
};

struct part {
	unsigned type, flags;
	uint8_t selector[SELECTOR_BYTES];
	unsigned index; /* the selector, if it is a queue's number */
	struct unpack value;
};

static bool broken(struct record *r, const struct part *p, const char *what)
{
	return ringside_usage(r->err, "%s: state: part %#x: %s", vdev_name(r->dev), p->type, what);
}

static bool take_device(struct record *r, struct part *p)
{
	unsigned id = unpack_u32(&p->value), version = unpack_u16(&p->value);

	r->state.n_queues = unpack_u16(&p->value);
	if (id != r->dev->type)
		return broken(r, p, "it is of another type of device");
	return version == RECORD_VERSION || broken(r, p, "a version that is not known");
}

static struct vfeatures features(struct part *p)
{
	struct vfeatures f;

	f.w[0] = unpack_u64(&p->value);
	f.w[1] = unpack_u64(&p->value);
	return f;
}

static bool take_offered(struct record *r, struct part *p)
{
	r->state.offered = features(p);
	return true;
}

static bool take_accepted(struct record *r, struct part *p)
{
	r->state.accepted = features(p);
	return true;
}

static bool take_status(struct record *r, struct part *p)
{
	r->state.status = unpack_u8(&p->value);
	return true;
}

static bool take_queue(struct record *r, struct part *p)
{
	struct vdev_queue_state *s = &r->state.queue[p->index];
	unsigned vector, enabled, reserved;

	if (r->seen_queue[p->index])
		return broken(r, p, "a queue is there twice");
	r->seen_queue[p->index] = true;
	s->size = unpack_u16(&p->value);
	vector = unpack_u16(&p->value);
	enabled = unpack_u16(&p->value);
	reserved = unpack_u16(&p->value);
	s->desc = unpack_u64(&p->value);
	s->driver = unpack_u64(&p->value);
	s->device = unpack_u64(&p->value);
	s->enabled = enabled;
	return (vector == NO_VECTOR && enabled <= 1 && reserved == VQ_CFG_RESERVED) ||
	       broken(r, p, "a vector, a state or a reserved field that cannot be");
}

static bool take_position(struct record *r, struct part *p)
{
	struct vdev_queue_state *s = &r->state.queue[p->index];

	if (s->ran)
		return broken(r, p, "a queue is there twice");
	s->ran = true;
	s->position.next_avail = unpack_u16(&p->value);
	s->position.next_used = unpack_u16(&p->value);
	return true;
}

static bool take_config(struct record *r, struct part *p)
{
	r->state.generation = unpack_u32(&p->value);
	r->state.config_size = p->value.left;
	unpack_bytes(&p->value, r->state.config, p->value.left);
	return true;
}

static bool take_legacy(struct record *r, struct part *p)
{
	unsigned flags = unpack_u8(&p->value);

	r->state.legacy = true;
	r->state.begun = flags & LEGACY_BEGUN;
	return flags <= LEGACY_BEGUN || broken(r, p, "flags that are not known");
}

static bool take_class(struct record *r, struct part *p)
{
	if (unpack_u16(&p->value) != r->dev->class->state_version)
		return broken(r, p, "a version that is not known");
	r->class = p->value;
	p->value.left = 0;
	r->has_class = true;
	return true;
}

static bool take_transport(struct record *r, struct part *p)
{
	const struct vdev_transport_ops *ops = r->dev->transport;

	if (!ops || !ops->name || strncmp((char *)p->selector, ops->name, SELECTOR_BYTES) != 0)
		return broken(r, p, "it is of another transport");
	r->transport = p->value;
	p->value.left = 0;
	r->has_transport = true;
	return true;
}

enum of { OF_NOTHING, OF_QUEUE, OF_NAME };

/* In the order in which they come: each once, but for those of queues. */
static const struct row {
	unsigned type, flags;
	enum of selector;
	bool may_lack;
	size_t least, most; /* bytes of value */
	bool (*take)(struct record *r, struct part *p);
} rows[] = {
	{ PART_DEVICE, 0, OF_NOTHING, false, 8, 8, take_device },
	{ PART_DEV_FEATURES, PART_OPTIONAL, OF_NOTHING, true, 16, 16, take_offered },
	{ PART_DRV_FEATURES, 0, OF_NOTHING, false, 16, 16, take_accepted },
	{ PART_DEVICE_STATUS, 0, OF_NOTHING, false, 1, 1, take_status },
	{ PART_VQ_CFG, 0, OF_QUEUE, false, VQ_CFG_BYTES, VQ_CFG_BYTES, take_queue },
	{ PART_VQ_POSITION, 0, OF_QUEUE, true, 4, 4, take_position },
	{ PART_CONFIG, 0, OF_NOTHING, false, 4, 4 + VDEV_CONFIG_MAX, take_config },
	{ PART_LEGACY, 0, OF_NOTHING, true, 1, 1, take_legacy },
	{ PART_CLASS, 0, OF_NOTHING, true, 2, SIZE_MAX, take_class },
	{ PART_TRANSPORT, 0, OF_NAME, true, 0, SIZE_MAX, take_transport },
};

static bool zero(const uint8_t *bytes, size_t n)
{
	while (n && !bytes[n - 1])
		n--;
	return n == 0;
}

/* Its header; the value is what follows. */
static bool take_header(struct record *r, struct unpack *in, struct part *p)
{
	unsigned reserved;
	uint32_t len;

	p->type = unpack_u16(in);
	p->flags = unpack_u8(in);
	reserved = unpack_u8(in);
	unpack_bytes(in, p->selector, sizeof(p->selector));
	len = unpack_u32(in);
	if (in->bad)
		return broken(r, p, "its header ends with the record");
	if (reserved || p->flags & ~PART_OPTIONAL)
		return broken(r, p, "reserved bits in its header");
	if (len > in->left)
		return broken(r, p, "it ends after the record");
	p->value = (struct unpack){ .at = in->at, .left = len };
	p->index = p->selector[0] | (unsigned)p->selector[1] << 8;
	in->at += len;
	in->left -= len;
	return true;
}

static bool check_selector(struct record *r, const struct part *p, enum of of)
{
	if (of == OF_NAME)
		return true;
	if (!zero(p->selector + (of == OF_QUEUE ? 2 : 0),
		  SELECTOR_BYTES - (of == OF_QUEUE ? 2 : 0)))
		return broken(r, p, "a selector where there is none");
	return of == OF_NOTHING || p->index < r->dev->n_queues ||
	       broken(r, p, "a queue that the device does not have");
}

/* One part. *ret_row: where in the order the record is, 1 + the last one's row. */
static bool take_part(struct record *r, struct unpack *in, size_t *ret_row)
{
	struct part p = { 0 };
	size_t i = 0;

	if (!take_header(r, in, &p))
		return false;
	while (i < G_N_ELEMENTS(rows) && rows[i].type != p.type)
		i++;
	if (i == G_N_ELEMENTS(rows)) /* the optional ones of others may be left out */
		return p.flags & PART_OPTIONAL || broken(r, &p, "nothing is known of it");
	if (i + 1 < *ret_row || (i + 1 == *ret_row && rows[i].selector != OF_QUEUE))
		return broken(r, &p, "it is there twice, or out of order");
	for (size_t missing = *ret_row; missing < i; missing++)
		if (!rows[missing].may_lack)
			return broken(r, &p, "one that comes before it is missing");
	*ret_row = i + 1;
	if (p.flags != rows[i].flags)
		return broken(r, &p, "the wrong flags");
	if (p.value.left < rows[i].least || p.value.left > rows[i].most)
		return broken(r, &p, "the wrong length");
	return check_selector(r, &p, rows[i].selector) && rows[i].take(r, &p);
}

static bool complete(struct record *r, size_t row)
{
	const struct vdev_transport_ops *ops = r->dev->transport;
	const char *missing = NULL;

	for (unsigned q = 0; q < r->dev->n_queues; q++)
		if (!r->seen_queue[q])
			missing = "a queue is missing";
	if (row < 7) /* up to the configuration */
		missing = "its end is missing";
	else if (r->has_class != (r->dev->class->save != NULL))
		missing = "the class's part is missing, or there is none";
	else if (r->has_transport != (ops && ops->save))
		missing = "the transport's part is missing, or there is none";
	return !missing || ringside_usage(r->err, "%s: state: %s", vdev_name(r->dev), missing);
}

bool vdev_state_load(struct vdev *dev, const uint8_t *bytes, size_t len, GError **err)
{
	struct record r = { .dev = dev, .err = err };
	struct unpack in = { .at = bytes, .left = len };
	size_t row = 0;
	bool ok = true;

	r.state.offered = dev->offered; /* unless it says otherwise */
	while (ok && in.left)
		ok = take_part(&r, &in, &row);
	return ok && complete(&r, row) &&
	       vdev_state_install(dev, &r.state,
				  &(struct vdev_state_blobs){
					  r.has_class ? &r.class : NULL,
					  r.has_transport ? &r.transport : NULL,
				  },
				  err);
}
