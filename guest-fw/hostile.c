#include "guest-fw/hostile.h"

static const struct attack *const lists[] = { blk_attacks, net_attacks, text_attacks };

static const struct attack *attack_of(const char *option)
{
	for (size_t i = 0; i < FW_COUNT(lists); i++)
		for (const struct attack *a = lists[i]; a->name; a++)
			if (fw_option_is("hostile", a->name))
				return a;
	say("hostile: no attack is called %s\n", option);
	fw_panic("no such attack");
}

static struct virtio *device_for(const struct attack *a, struct virtio *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i].dev.id == a->id)
			return &list[i];
	fw_panic("no device for this attack");
}

void hostile(struct virtio *list, unsigned n)
{
	const struct attack *a = attack_of(fw_option("hostile"));
	struct virtio *v = a->id ? device_for(a, list, n) : NULL;
	struct virtio_plan plan = {
		.features = a->features,
		.irq = VIRTIO_POLL,
		.n_queues = a->n_queues,
		.queue_size = a->queue_size,
	};

	if (v && !virtio_begin(v, &plan)) {
		say("hostile: %s: %s\n", a->name, v->why);
		fw_panic("the device cannot be driven");
	}
	say("hostile: %s: begins\n", a->name);
	say("hostile: %s: %s\n", a->name, a->run(v));
}
