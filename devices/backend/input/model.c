/* The kinds of devices are a table of what they can send. */
#include "devices/backend/input/model.h"

#include <glib.h>
#include <string.h>

#define BIT_BYTE(n) ((n) / 8)
#define BIT_MASK(n) ((uint8_t)(1u << (n) % 8))

void input_model_add(struct input_model *m, unsigned type, unsigned code)
{
	if (type < EV_CNT && BIT_BYTE(code) < INPUT_BITMAP_BYTES)
		m->bits[type][BIT_BYTE(code)] |= BIT_MASK(code);
}

bool input_model_has(const struct input_model *m, unsigned type, unsigned code)
{
	return type < EV_CNT && BIT_BYTE(code) < INPUT_BITMAP_BYTES &&
	       m->bits[type][BIT_BYTE(code)] & BIT_MASK(code);
}

struct codes {
	uint16_t type, first, last;
};

struct axis {
	uint16_t code;
	int32_t max;
};

static const struct input_kind_facts {
	const char *name;
	uint16_t product;
	int prop; /* or -1 */
	struct codes codes[8];
	struct axis axes[5];
} input_kinds[N_INPUT_KINDS] = {
	[INPUT_KEYBOARD] = {
		.name = "ringside keyboard", .product = 1, .prop = -1,
		.codes = {
			{ EV_KEY, KEY_ESC, KEY_MICMUTE },
			{ EV_LED, LED_NUML, LED_SCROLLL },
			{ EV_REP, REP_DELAY, REP_PERIOD }, /* the guest repeats keys by itself */
		},
	},
	[INPUT_MOUSE] = {
		.name = "ringside mouse", .product = 2, .prop = -1,
		.codes = {
			{ EV_KEY, BTN_LEFT, BTN_EXTRA },
			{ EV_REL, REL_X, REL_Y },
			{ EV_REL, REL_HWHEEL, REL_HWHEEL },
			{ EV_REL, REL_WHEEL, REL_WHEEL },
		},
	},
	[INPUT_TABLET] = {
		.name = "ringside tablet", .product = 3, .prop = -1,
		.codes = {
			{ EV_KEY, BTN_LEFT, BTN_EXTRA },
			{ EV_REL, REL_HWHEEL, REL_HWHEEL },
			{ EV_REL, REL_WHEEL, REL_WHEEL },
		},
		.axes = { { ABS_X, INPUT_AXIS_MAX }, { ABS_Y, INPUT_AXIS_MAX } },
	},
	[INPUT_MULTITOUCH] = {
		.name = "ringside multitouch", .product = 4, .prop = INPUT_PROP_DIRECT,
		.codes = { { EV_KEY, BTN_TOUCH, BTN_TOUCH } },
		.axes = {
			{ ABS_MT_SLOT, INPUT_SLOTS - 1 },
			{ ABS_MT_TRACKING_ID, UINT16_MAX },
			{ ABS_MT_POSITION_X, INPUT_AXIS_MAX },
			{ ABS_MT_POSITION_Y, INPUT_AXIS_MAX },
		},
	},
};

void input_model_of_kind(struct input_model *m, enum input_kind kind)
{
	const struct input_kind_facts *p = &input_kinds[kind];

	*m = (struct input_model){ .bustype = BUS_VIRTUAL, .product = p->product, .version = 1 };
	g_strlcpy(m->name, p->name, sizeof(m->name));
	if (p->prop >= 0)
		m->props[BIT_BYTE(p->prop)] |= BIT_MASK(p->prop);
	for (size_t i = 0; i < G_N_ELEMENTS(p->codes); i++)
		for (unsigned c = p->codes[i].first; p->codes[i].type && c <= p->codes[i].last; c++)
			input_model_add(m, p->codes[i].type, c);
	for (size_t i = 0; i < G_N_ELEMENTS(p->axes) && p->axes[i].max; i++) {
		input_model_add(m, EV_ABS, p->axes[i].code);
		m->axis[p->axes[i].code].max = p->axes[i].max;
	}
}
