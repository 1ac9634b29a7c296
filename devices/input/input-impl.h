/* Inside the input device (VIRTIO 1.4, 5.8). */
#pragma once

#include "devices/backend/input/model.h"
#include "virtqueue/le.h"

#define INPUT_PAYLOAD_MAX 128u

/* What a driver may ask for (5.8.4). */
enum {
	INPUT_CFG_UNSET = 0x00,
	INPUT_CFG_ID_NAME = 0x01,
	INPUT_CFG_ID_SERIAL = 0x02,
	INPUT_CFG_ID_DEVIDS = 0x03,
	INPUT_CFG_PROP_BITS = 0x10,
	INPUT_CFG_EV_BITS = 0x11,
	INPUT_CFG_ABS_INFO = 0x12,
};

struct input_config { /* 5.8.4 */
	uint8_t select, subsel, size, reserved[5];
	uint8_t payload[INPUT_PAYLOAD_MAX];
};

struct input_event_wire { /* 5.8.6 */
	le16 type, code;
	le32 value;
};

/* Puts into @cfg the whole answer to the driver's @select and @subsel: size 0 for what there is
 * nothing to say about. */
void input_config_answer(const struct input_model *m, uint8_t select, uint8_t subsel,
			 struct input_config *cfg);
