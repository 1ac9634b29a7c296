/*
 * Features (VIRTIO 1.4, 2.2 and 6): what a device offers, what the operator says to that, and what
 * holds together.
 *
 * With legacy=on bits 24, 27 and 30 are among dev->offered for legacy drivers alone, who are
 * offered nothing above bit 31; with legacy=only there is nothing else.
 *
 * A device offers the common features that cost nothing and that every driver of today can do
 * without, and what its class offers. ring=packed adds RING_PACKED. features=LIST has the last
 * word: a feature that it takes away is withheld from the beginning, so that the class's open()
 * finds it gone, and with it goes what needs it (DEV-BASE-FEAT-01). Of common features it may add
 * those that ringside has but keeps back (docs/design.md tells why); of a class's, none that open()
 * did not offer.
 */
#include <string.h>

#include "devices/base/nearest.h"
#include "devices/core/rules.h"
#include "devices/core/vdev-impl.h"

/* How a common feature is offered. */
enum standing {
	ALWAYS,     /* it cannot be taken away */
	BY_ITSELF,  /* unless taken away */
	ON_REQUEST, /* if added */
	LEGACY,     /* to legacy drivers, unless taken away */
	LEGACY_ALL, /* to legacy drivers, always */
	NEVER,      /* ringside does not have it */
};

static const struct {
	const char *name;
	unsigned char bit;
	enum standing standing;
} common[] = {
	{ "notify_on_empty", VIRTIO_F_NOTIFY_ON_EMPTY, LEGACY },
	{ "any_layout", VIRTIO_F_ANY_LAYOUT, LEGACY_ALL },
	{ "indirect_desc", VIRTIO_F_INDIRECT_DESC, BY_ITSELF },
	{ "event_idx", VIRTIO_F_EVENT_IDX, BY_ITSELF },
	{ "unused", VIRTIO_F_UNUSED, LEGACY_ALL },
	{ "version_1", VIRTIO_F_VERSION_1, ALWAYS },
	{ "access_platform", VIRTIO_F_ACCESS_PLATFORM, ON_REQUEST },
	{ "ring_packed", VIRTIO_F_RING_PACKED, ON_REQUEST },
	{ "in_order", VIRTIO_F_IN_ORDER, ON_REQUEST },
	{ "order_platform", VIRTIO_F_ORDER_PLATFORM, ON_REQUEST },
	{ "sr_iov", VIRTIO_F_SR_IOV, NEVER },
	{ "notification_data", VIRTIO_F_NOTIFICATION_DATA, ON_REQUEST },
	{ "notif_config_data", VIRTIO_F_NOTIF_CONFIG_DATA, ON_REQUEST },
	{ "ring_reset", VIRTIO_F_RING_RESET, BY_ITSELF },
	{ "admin_vq", VIRTIO_F_ADMIN_VQ, NEVER },
	{ "suspend", VIRTIO_F_SUSPEND, NEVER },
};

/* What drivers of virtio 1 are not offered, though legacy drivers are. */
#define LEGACY_BITS \
	(1ull << VIRTIO_F_NOTIFY_ON_EMPTY | 1ull << VIRTIO_F_ANY_LAYOUT | 1ull << VIRTIO_F_UNUSED)
#define LEGACY_WORD 0xffffffffull /* all that legacy drivers see */

/* What a device of a later version might offer: bits reserved for extensions (2.2), and
 * the last of those that are for device types. */
static const struct vfeatures baits = { { 1ull << VDEV_BAIT_0 | 1ull << VDEV_BAIT_1,
					  1ull << (VDEV_BAIT_2 - 64) } };

/* The class's features, or an empty row. */
static const struct vdev_feature *features_own(const struct vdev_class *class)
{
	static const struct vdev_feature none = { 0 };

	return class->features ? class->features : &none;
}

/*
 * What holds together.
 */

void vdev_offer(struct vdev *dev, unsigned bit, bool on)
{
	vfeatures_set(&dev->offered, bit, on && !vfeatures_has(dev->withheld, bit));
}

bool vdev_accepted(const struct vdev *dev, unsigned bit)
{
	return vfeatures_has(dev->accepted, bit);
}

/* The first feature in @f that lacks what it needs; NULL: none does. */
static const struct vdev_feature *features_unfit(const struct vdev_class *class, struct vfeatures f)
{
	for (const struct vdev_feature *row = features_own(class); row->name; row++)
		if (vfeatures_has(f, row->bit) && row->one_of && !(f.w[0] & row->one_of))
			return row;
	return NULL;
}

bool vdev_features_fit(const struct vdev_class *class, struct vfeatures f)
{
	return !features_unfit(class, f);
}

const char *vdev_feature_name(const struct vdev_class *class, unsigned bit)
{
	for (const struct vdev_feature *row = features_own(class); row->name; row++)
		if (row->bit == bit)
			return row->name;
	for (size_t i = 0; i < G_N_ELEMENTS(common); i++)
		if (common[i].bit == bit)
			return common[i].name;
	return "";
}

static bool features_refused(struct vdev *dev, enum vdev_rule rule, unsigned bit)
{
	vdev_rule_broken(dev, rule, "feature bit %u %s", bit, vdev_feature_name(dev->class, bit));
	return false;
}

/* A driver of virtio 1's interface has to be one of virtio 1: without VERSION_1 the device declines
 * to work (6.2 allows that). */
bool vdev_features_hold(struct vdev *dev)
{
	const struct vfeatures *a = &dev->accepted;
	const struct vdev_feature *row = features_unfit(dev->class, *a);

	for (unsigned i = 0; i < G_N_ELEMENTS(a->w); i++) {
		uint64_t wrong = a->w[i] & ~(dev->offered.w[i] & ~(i ? 0 : LEGACY_BITS));

		if (dev->baited && wrong & baits.w[i])
			return features_refused(
				dev, RULE_FEATURE_UNKNOWN,
				i * 64 + (unsigned)__builtin_ctzll(wrong & baits.w[i]));
		if (wrong)
			return features_refused(dev, RULE_FEATURE_NOT_OFFERED,
						i * 64 + (unsigned)__builtin_ctzll(wrong));
	}
	if (!vfeatures_has(*a, VIRTIO_F_VERSION_1))
		return features_refused(dev, RULE_FEATURE_VERSION_1, VIRTIO_F_VERSION_1);
	if (row)
		return features_refused(dev, RULE_FEATURE_NEEDS, row->bit);
	if (!dev->class->features_ok || dev->class->features_ok(dev, *a))
		return true;
	vdev_rule_broken(dev, RULE_FEATURE_NEEDS, "feature bits %#" G_GINT64_MODIFIER "x", a->w[0]);
	return false;
}

bool vdev_features_legacy(struct vdev *dev, struct vfeatures *f)
{
	const struct vfeatures asked = *f;
	const struct vdev_feature *row;

	if (vfeatures_has(asked, VIRTIO_F_UNUSED)) /* all bits that there are: it did not look */
		*f = (struct vfeatures){ 0 };
	f->w[0] &= dev->offered.w[0] & LEGACY_WORD;
	f->w[1] = 0;
	while ((row = features_unfit(dev->class, *f)))
		vfeatures_set(f, row->bit, false);
	if (dev->class->features_ok && !dev->class->features_ok(dev, *f))
		*f = (struct vfeatures){ 0 };
	return f->w[0] == asked.w[0] && f->w[1] == asked.w[1];
}

/* Withholds what needs what is withheld, and what needs that. */
static void features_withhold_dependents(struct vdev *dev)
{
	bool more;

	do {
		more = false;
		for (const struct vdev_feature *row = features_own(dev->class); row->name; row++)
			if (row->one_of && !(row->one_of & ~dev->withheld.w[0]) &&
			    !vfeatures_has(dev->withheld, row->bit)) {
				vfeatures_set(&dev->withheld, row->bit, true);
				more = true;
			}
	} while (more);
}

/*
 * features=LIST
 */

/* A name that the list has, with its sign. */
struct item {
	const char *name;
	bool add;
	unsigned bit;
	enum standing standing; /* of a class's feature: BY_ITSELF */
};

static bool features_find_name(const struct vdev_class *class, struct item *item)
{
	for (const struct vdev_feature *row = features_own(class); row->name; row++)
		if (strcmp(row->name, item->name) == 0) {
			item->bit = row->bit;
			item->standing = BY_ITSELF;
			return true;
		}
	for (size_t i = 0; i < G_N_ELEMENTS(common); i++)
		if (strcmp(common[i].name, item->name) == 0) {
			item->bit = common[i].bit;
			item->standing = common[i].standing;
			return true;
		}
	return false;
}

static bool features_no_such_name(const struct vdev_class *class, const struct item *item,
				  const char *context, GError **err)
{
	struct nearest near = NEAREST(item->name);

	for (const struct vdev_feature *row = features_own(class); row->name; row++)
		nearest_try(&near, row->name);
	for (size_t i = 0; i < G_N_ELEMENTS(common); i++)
		nearest_try(&near, common[i].name);
	if (near.best)
		return ringside_usage(err,
				      "%s,features=%c%s: no such feature: '%s'; did you mean "
				      "'%s'? (%s,help lists all)",
				      context, item->add ? '+' : '-', item->name, item->name,
				      near.best, context);
	return ringside_usage(err, "%s,features=%c%s: no such feature: '%s' (%s,help lists all)",
			      context, item->add ? '+' : '-', item->name, item->name, context);
}

/* Is there a driver that @item could be offered to? */
static bool features_standing_fits(const struct vdev *dev, const struct item *item)
{
	if (!item->add || item->standing == NEVER)
		return true;
	if (item->standing == LEGACY || item->standing == LEGACY_ALL)
		return dev->opt_legacy != VDEV_LEGACY_OFF;
	return dev->opt_legacy != VDEV_LEGACY_ONLY || item->bit < 32;
}

/* One "+NAME" or "-NAME". */
static bool features_take_item(struct vdev *dev, const char *text, const char *context,
			       GError **err)
{
	struct item item = { .name = text + 1, .add = *text == '+' };

	if (*text != '+' && *text != '-')
		return ringside_usage(err,
				      "%s,features=%s: a name begins with + (offer it) or - (do "
				      "not)",
				      context, text);
	if (!features_find_name(dev->class, &item))
		return features_no_such_name(dev->class, &item, context, err);
	if (item.standing == ALWAYS && !item.add)
		return ringside_usage(err,
				      "%s,features=-%s: it cannot be removed; legacy=only serves "
				      "drivers of before virtio 1",
				      context, item.name);
	if (item.standing == LEGACY_ALL && !item.add)
		return ringside_usage(err,
				      "%s,features=-%s: it cannot be removed: legacy drivers must "
				      "be offered it (6.3)",
				      context, item.name);
	if (!features_standing_fits(dev, &item))
		return ringside_usage(err, "%s,features=+%s: it is for %s", context, item.name,
				      dev->opt_legacy == VDEV_LEGACY_ONLY
					      ? "drivers of virtio 1: not with legacy=only"
					      : "legacy drivers: legacy=on serves them");
	if (item.standing == NEVER && item.add)
		return ringside_usage(err, "%s,features=+%s: ringside does not implement it",
				      context, item.name);
	vfeatures_set(&dev->withheld, item.bit, !item.add);
	vfeatures_set(&dev->offered, item.bit, item.add);
	return true;
}

typedef bool (*item_fn)(struct vdev *dev, const char *text, const char *context, GError **err);

/* The words of one list. No name has a sign in it, so a sign begins a word as a comma does. */
static bool features_for_each_word(struct vdev *dev, const char *list, item_fn fn,
				   const char *context, GError **err)
{
	const char *at = list;

	do {
		size_t signs = strspn(at, "+-"), len = signs + strcspn(at + signs, "+-,");
		g_autofree char *word = g_strndup(at, len);

		if (!fn(dev, word, context, err))
			return false;
		at += len;
		if (*at == ',')
			at++;
		else if (!*at)
			return true;
	} while (true);
}

static bool features_for_each_item(struct vdev *dev, item_fn fn, const char *context, GError **err)
{
	for (guint i = 0; i < dev->opt_features->len; i++)
		if (!features_for_each_word(dev, g_ptr_array_index(dev->opt_features, i), fn,
					    context, err))
			return false;
	return true;
}

/* Names that were judged before. */
static bool features_is_offered(struct vdev *dev, const char *text, const char *context,
				GError **err)
{
	struct item item = { .name = text + 1 };

	if (*text != '+' ||
	    (features_find_name(dev->class, &item) && vfeatures_has(dev->offered, item.bit)))
		return true;
	for (const struct vdev_feature *row = features_own(dev->class); row->name; row++)
		if (row->bit == item.bit && row->one_of && !(row->one_of & ~dev->withheld.w[0]))
			return ringside_usage(err,
					      "%s,features=+%s: it depends on a feature that was "
					      "removed",
					      context, item.name);
	if (vfeatures_has(dev->withheld, item.bit)) /* by a later word of the list */
		return true;
	return ringside_usage(err,
			      "%s,features=+%s: this device, with its other options, does not "
			      "have it",
			      context, item.name);
}

/* By itself. */
static bool features_offer_common(const struct vdev *dev, size_t i)
{
	switch (common[i].standing) {
	case ALWAYS:
	case BY_ITSELF:
		return dev->opt_legacy != VDEV_LEGACY_ONLY || common[i].bit < 32;
	case LEGACY:
	case LEGACY_ALL:
		return dev->opt_legacy != VDEV_LEGACY_OFF;
	default:
		return false;
	}
}

bool vdev_features_open(struct vdev *dev, const char *context, GError **err)
{
	for (size_t i = 0; i < G_N_ELEMENTS(common); i++)
		vfeatures_set(&dev->offered, common[i].bit, features_offer_common(dev, i));
	vfeatures_set(&dev->offered, VIRTIO_F_RING_PACKED, dev->opt_ring == VDEV_RING_PACKED);
	if (!features_for_each_item(dev, features_take_item, context, err))
		return false;
	/* A class's feature is for its open() to offer. */
	for (const struct vdev_feature *row = features_own(dev->class); row->name; row++)
		vfeatures_set(&dev->offered, row->bit, false);
	features_withhold_dependents(dev);
	if (dev->opt_legacy == VDEV_LEGACY_ONLY) /* a class may ask before it offers */
		dev->withheld =
			(struct vfeatures){ { dev->withheld.w[0] | ~LEGACY_WORD, UINT64_MAX } };
	for (const unsigned char *bit = dev->class->feature_bits; bit && *bit != 255; bit++)
		vdev_offer(dev, *bit, true);
	return true;
}

bool vdev_features_opened(struct vdev *dev, const char *context, GError **err)
{
	return features_for_each_item(dev, features_is_offered, context, err);
}

/*
 * For help.
 */

static void features_add_name(GString *out, const char *name)
{
	g_string_append_printf(out, "%s%s", out->len ? " " : "", name);
}

char *vdev_feature_names(const struct vdev_class *class, enum vdev_names which)
{
	GString *out = g_string_new(NULL);

	if (which == VDEV_NAMES_OWN)
		for (const struct vdev_feature *row = features_own(class); row->name; row++)
			features_add_name(out, row->name);
	for (size_t i = 0; which != VDEV_NAMES_OWN && i < G_N_ELEMENTS(common); i++)
		if (common[i].standing == (which == VDEV_NAMES_ON ? BY_ITSELF : ON_REQUEST))
			features_add_name(out, common[i].name);
	if (out->len)
		return g_string_free(out, FALSE);
	g_string_free(out, TRUE);
	return NULL;
}

/*
 * As transports see them.
 */

static uint32_t features_word(const struct vfeatures *f, uint32_t select)
{
	return select < 4 ? (uint32_t)(f->w[select / 2] >> (select % 2 * 32)) : 0;
}

uint32_t vdev_features_offered(struct vdev *dev, uint32_t select)
{
	uint32_t bait = dev->baited ? features_word(&baits, select) : 0;

	return (features_word(&dev->offered, select) & ~(select ? 0 : (uint32_t)LEGACY_BITS)) |
	       bait;
}

uint32_t vdev_features_accepted(struct vdev *dev, uint32_t select)
{
	uint32_t word;

	vdev_enter(dev);
	word = features_word(&dev->accepted, select);
	vdev_leave(dev);
	return word;
}

void vdev_features_accept(struct vdev *dev, uint32_t select, uint32_t bits)
{
	unsigned shift = select % 2 * 32;
	uint32_t before;

	vdev_enter(dev);
	before = features_word(&dev->accepted, select);
	/* They are frozen by FEATURES_OK (3.1.1, step 5). */
	if (dev->status & VIRTIO_S_FEATURES_OK || dev->legacy) {
		if (bits != before)
			vdev_rule_broken(dev, RULE_FEATURE_FROZEN, "feature word %u, %#x", select,
					 bits);
	} else if (select < 4) {
		uint64_t *w = &dev->accepted.w[select / 2];

		*w = (*w & ~(0xffffffffull << shift)) | (uint64_t)bits << shift;
		if (bits && !(dev->status & VIRTIO_S_DRIVER))
			vdev_rule_broken(dev, RULE_STATUS_ORDER, "features before DRIVER");
	} else if (bits) {
		vdev_rule_broken(dev, RULE_FEATURE_NOT_OFFERED, "feature word %u, %#x", select,
				 bits);
	}
	vdev_leave(dev);
}
