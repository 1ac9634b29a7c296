#include "tools/replay/play-int.h"

#include "devices/base/error.h"
#include "devices/registry.h"

/*
 * Words.
 */
void play_note(struct play_device *d, const char *what)
{
	g_ptr_array_add(d->play->result->notes, g_strdup_printf("%s: %s", d->how->id, what));
}

bool play_diverges(struct play_device *d, const struct replay_step *step, const char *fmt, ...)
{
	struct play *p = d->play;
	g_autofree char *what = NULL, *where = NULL;
	va_list ap;

	va_start(ap, fmt);
	what = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	where = step->queue == TRACE_NO_QUEUE ? g_strdup(d->how->id)
					      : g_strdup_printf("%s/%d", d->how->id, step->queue);
	p->result->divergence = g_strdup_printf(
		"%s: event %" G_GUINT64_FORMAT " at %.9f s, %s: %s", p->s->file, step->number,
		(double)(int64_t)(step->time - p->s->begin) / 1e9, where, what);
	return false;
}

/*
 * Steps.
 */
static bool play_one(struct play_device *d, const struct replay_step *step)
{
	switch (step->type) {
	case RECORD_STATUS:
		return play_status(d, step) && play_late_read(d);
	case RECORD_CONFIG_READ:
		return !step->bytes || play_config_read(d, step);
	case RECORD_CONFIG_WRITE:
		return !step->bytes || play_config_written(d, step);
	case RECORD_QUEUE_START:
		return play_started(d, step);
	case RECORD_QUEUE_STOP:
		return play_stopped(d, step);
	case RECORD_POPPED:
		return play_popped(d, step);
	case RECORD_UNPOPPED:
		return play_unpopped(d, step);
	case RECORD_PUSHED:
		return play_pushed(d, step);
	case RECORD_FAULT:
		play_note(d, "the driver broke a ring; what follows is not played");
		d->over = true;
		return true;
	default: /* FEATURES: they were looked for already */
		return true;
	}
}

static bool play_steps(struct play *p)
{
	for (p->at = 0; p->at < p->s->steps->len; p->at++) {
		const struct replay_step *step = replay_step(p->s, p->at);
		struct play_device *d = &p->device[step->device];
		bool queue = step->type >= RECORD_QUEUE_START && step->type <= RECORD_PUSHED;

		if (!d->dev || d->over || (queue && (unsigned)step->queue >= VDEV_QUEUES_MAX))
			continue;
		if (!play_one(d, step))
			return false;
	}
	return true;
}

/*
 * Devices.
 */
static bool play_same_offer(struct play_device *d)
{
	const struct replay_step begin = { .queue = TRACE_NO_QUEUE, .time = d->play->s->begin };
	gsize len;
	const uint8_t *config = g_bytes_get_data(d->how->config, &len);

	for (unsigned bit = 0; bit < 128; bit++)
		if (d->how->offered[bit / 64] >> bit % 64 & 1 &&
		    !vfeatures_has(d->dev->offered, bit))
			return play_diverges(d, &begin,
					     "the record's device offers feature %u (%s), and this "
					     "one does not",
					     bit, vdev_feature_name(d->dev->class, bit));
	if (len != d->dev->config_size)
		return play_diverges(d, &begin,
				     "the record's configuration space has %zu bytes, and this "
				     "one %zu",
				     len, d->dev->config_size);
	for (size_t i = 0; i < len; i++)
		if (config[i] != d->dev->config[i])
			return play_diverges(d, &begin,
					     "configuration space at 0x%zx: the record has 0x%02x "
					     "at the begin, and the device 0x%02x",
					     i, config[i], d->dev->config[i]);
	return true;
}

static bool play_open(struct play *p, uint32_t number, GError **err)
{
	struct play_device *d = &p->device[number];
	const struct vdev_env env = {
		.mem = replay_memory_map(p->memory),
		.main_loop = loop_main(),
		.n_cpus = 1,
		.wrappers = outside_wrappers,
	};
	GPtrArray *pairs;
	const char *why;

	d->play = p;
	d->how = replay_device(p->s, number);
	d->outside = (struct outside){ .script = p->s, .number = number, .disk_fd = -1 };
	pairs = outside_options(&d->outside, &why);
	if (!pairs) {
		g_autofree char *text = g_strdup_printf("not played: %s", why);

		play_note(d, text);
		return true;
	}
	outside_opening = &d->outside;
	d->dev = vdev_new(vdev_class_find(d->how->class), pairs, &env, err);
	outside_opening = NULL;
	g_ptr_array_unref(pairs);
	if (!d->dev)
		return false;
	d->direct = direct_new(d->dev);
	return true;
}

static void play_close(struct play_device *d)
{
	if (!d->how) /* it was never its turn */
		return;
	direct_free(d->direct);
	vdev_free(d->dev);
	outside_close(&d->outside);
	for (unsigned q = 0; q < VDEV_QUEUES_MAX; q++)
		play_forget_queue(&d->queue[q]);
}

bool replay_play(const struct replay_script *s, unsigned wait_ms, struct replay_result *ret,
		 GError **err)
{
	struct play p = {
		.s = s,
		.context = g_main_context_default(),
		.wait_ms = wait_ms,
		.device = g_new0(struct play_device, s->devices->len),
		.result = ret,
	};
	gint64 begin;
	bool ok;

	*ret = (struct replay_result){ .notes = g_ptr_array_new_with_free_func(g_free) };
	p.memory = replay_memory_new(s, err);
	ok = p.memory != NULL;
	for (guint i = 0; ok && i < s->devices->len; i++)
		ok = play_open(&p, i, err);
	begin = g_get_monotonic_time();
	for (guint i = 0; ok && !ret->divergence && i < s->devices->len; i++)
		if (p.device[i].dev)
			(void)play_same_offer(&p.device[i]);
	if (ok && !ret->divergence)
		(void)play_steps(&p);
	ret->seconds = (double)(g_get_monotonic_time() - begin) / G_USEC_PER_SEC;
	for (guint i = 0; i < s->devices->len; i++)
		play_close(&p.device[i]);
	replay_memory_free(p.memory);
	g_free(p.device);
	return ok;
}

void replay_clear(struct replay_result *r)
{
	g_ptr_array_unref(r->notes);
	g_free(r->divergence);
}
