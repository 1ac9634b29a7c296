/* Input events that were recorded, sent again as the control socket sends them, a report at once;
 * and the entropy device, of which there is nothing to be given. */
#include <string.h>

#include "devices/input/input-impl.h"
#include "devices/input/input.h"
#include "tools/replay/outside.h"

static bool outside_input_options(struct outside *o, GPtrArray *pairs, const char **ret_why)
{
	(void)o;
	*ret_why = "a device of the host's was passed through (evdev=)";
	return !prop_has(pairs, "evdev");
}

static bool outside_input_event(const struct replay_chain *c, struct input_ev *ret)
{
	struct input_event_wire wire;

	if (c->written->len < sizeof(wire))
		return false;
	memcpy(&wire, c->written->data, sizeof(wire));
	*ret = (struct input_ev){ le16_cpu(wire.type), le16_cpu(wire.code),
				  (int32_t)le32_cpu(wire.value) };
	return true;
}

static bool outside_input_more(const struct outside *o, struct replay_chain *const *chains,
			       unsigned n)
{
	struct input_ev ev;

	(void)o;
	return n < INPUT_REPORT_MAX && outside_input_event(chains[n - 1], &ev) &&
	       (ev.type != EV_SYN || ev.code != SYN_REPORT);
}

static void outside_input_give(struct outside *o, struct vdev *dev, unsigned q,
			       struct replay_chain *const *chains, unsigned n)
{
	struct input_ev events[INPUT_REPORT_MAX];
	size_t len = 0;

	(void)o;
	(void)q;
	for (unsigned i = 0; i + 1 < n && len < INPUT_REPORT_MAX; i++) /* its end is added */
		len += outside_input_event(chains[i], &events[len]);
	(void)input_send(dev, events, len);
}

const struct outside_class outside_input = {
	.name = "input",
	.drop = " ",
	.options = outside_input_options,
	.more = outside_input_more,
	.give = outside_input_give,
};

const struct outside_class outside_rng = {
	.name = "rng",
	.drop = " ",
	.random = true,
};
