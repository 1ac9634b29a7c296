/* The configuration space of an input device: questions and answers (5.8.4). */
#include <string.h>

#include "devices/input/input-impl.h"

/* The answers return how many bytes they put into @out. */

static size_t input_config_text(const char *s, uint8_t *out)
{
	size_t len = strnlen(s, INPUT_PAYLOAD_MAX);

	memcpy(out, s, len);
	return len;
}

/* Up to the last byte with a bit in it. */
static size_t input_config_bitmap(const uint8_t *bits, uint8_t *out)
{
	size_t len = INPUT_BITMAP_BYTES;

	while (len && !bits[len - 1])
		len--;
	memcpy(out, bits, len);
	return len;
}

static size_t input_config_id_name(const struct input_model *m, uint8_t subsel, uint8_t *out)
{
	return subsel ? 0 : input_config_text(m->name, out);
}

static size_t input_config_id_serial(const struct input_model *m, uint8_t subsel, uint8_t *out)
{
	return subsel ? 0 : input_config_text(m->serial, out);
}

static size_t input_config_id_devids(const struct input_model *m, uint8_t subsel, uint8_t *out)
{
	le16 ids[4] = { cpu_le16(m->bustype), cpu_le16(m->vendor), cpu_le16(m->product),
			cpu_le16(m->version) };

	if (subsel)
		return 0;
	memcpy(out, ids, sizeof(ids));
	return sizeof(ids);
}

static size_t input_config_prop_bits(const struct input_model *m, uint8_t subsel, uint8_t *out)
{
	return subsel ? 0 : input_config_bitmap(m->props, out);
}

static size_t input_config_ev_bits(const struct input_model *m, uint8_t subsel, uint8_t *out)
{
	return subsel < EV_CNT ? input_config_bitmap(m->bits[subsel], out) : 0;
}

static size_t input_config_abs_info(const struct input_model *m, uint8_t subsel, uint8_t *out)
{
	const struct input_axis_info *a = &m->axis[subsel < ABS_CNT ? subsel : 0];
	le32 info[5] = { cpu_le32((uint32_t)a->min), cpu_le32((uint32_t)a->max),
			 cpu_le32((uint32_t)a->fuzz), cpu_le32((uint32_t)a->flat),
			 cpu_le32((uint32_t)a->resolution) };

	if (!input_model_has(m, EV_ABS, subsel))
		return 0;
	memcpy(out, info, sizeof(info));
	return sizeof(info);
}

static size_t (*const answers[])(const struct input_model *m, uint8_t subsel, uint8_t *out) = {
	[INPUT_CFG_ID_NAME] = input_config_id_name,
	[INPUT_CFG_ID_SERIAL] = input_config_id_serial,
	[INPUT_CFG_ID_DEVIDS] = input_config_id_devids,
	[INPUT_CFG_PROP_BITS] = input_config_prop_bits,
	[INPUT_CFG_EV_BITS] = input_config_ev_bits,
	[INPUT_CFG_ABS_INFO] = input_config_abs_info,
};

void input_config_answer(const struct input_model *m, uint8_t select, uint8_t subsel,
			 struct input_config *cfg)
{
	*cfg = (struct input_config){ .select = select, .subsel = subsel };
	if (select < sizeof(answers) / sizeof(answers[0]) && answers[select])
		cfg->size = (uint8_t)answers[select](m, subsel, cfg->payload);
}
