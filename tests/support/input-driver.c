#include "tests/support/input-driver.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

uint8_t id_ask(struct rig *r, uint8_t select, uint8_t subsel)
{
	rig_config_write(r, ID_SELECT, &select, 1);
	rig_config_write(r, ID_SUBSEL, &subsel, 1);
	return rig_config8(r, ID_SIZE);
}

void id_start(struct id_listener *l, struct rig *r, unsigned buffers)
{
	*l = (struct id_listener){ .r = r };
	rig_start(r, RIG_ALL);
	id_supply(l, buffers);
}

void id_supply(struct id_listener *l, unsigned n)
{
	for (unsigned i = 0; i < n; i++, l->n++) {
		assert_true(l->n < ID_BUFFERS);
		l->buf[l->n] = rig_alloc(l->r, sizeof(struct input_event_wire));
		l->req[l->n] = rig_add(l->r, ID_EVENTQ, &l->buf[l->n], 0, 1);
	}
	rig_publish(l->r, ID_EVENTQ);
}

void id_expect(struct id_listener *l, uint16_t type, uint16_t code, int32_t value)
{
	struct input_event_wire *wire = l->buf[l->next].p;

	assert_int_equal(rig_wait(l->r, l->req[l->next]), sizeof(*wire));
	assert_int_equal(le16_cpu(wire->type), type);
	assert_int_equal(le16_cpu(wire->code), code);
	assert_int_equal((int32_t)le32_cpu(wire->value), value);
	l->next++;
}

void id_silence(struct id_listener *l)
{
	rig_wait_idle(l->r);
	for (unsigned i = l->next; i < l->n; i++)
		assert_false(l->req[i]->done);
}

void id_key(struct rig *r, uint16_t code, bool down)
{
	assert_true(input_send(rig_dev(r), &(struct input_ev){ EV_KEY, code, down }, 1));
}
