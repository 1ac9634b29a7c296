/* Attaching, counting, and handing on what observers are told. */
#include "vmm/check/check.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "devices/base/error.h"
#include "vmm/check/check-int.h"

const char check_help[] =
	"  advice                     report what the driver SHOULD do, too\n"
	"  bait                       offer what a sound driver leaves alone: unknown\n"
	"                             features, capabilities, mmio pages and the like\n"
	"  fatal                      end the run at the first MUST that is broken, with\n"
	"                             exit status 8\n"
	"  json:FILE, junit:FILE      write the report there as well\n"
	"  wait=SECONDS               what a driver may take for what it must do [5]\n";

/*
 * What was asked for.
 */

static bool check_take_file(char **to, const char *word, const char *name, GError **err)
{
	if (!*name)
		return ringside_usage(err, "--check=%s: the file's name is missing", word);
	g_free(*to);
	*to = g_strdup(name);
	return true;
}

static bool check_take_wait(struct check_config *cfg, const char *text, GError **err)
{
	char *end;
	double seconds = g_ascii_strtod(text, &end);

	if (end == text || *end || !(seconds >= 0.001 && seconds <= 3600))
		return ringside_usage(err, "--check=wait=%s: seconds, from 0.001 to 3600", text);
	cfg->wait_ms = (unsigned)(seconds * 1000);
	return true;
}

static bool check_take_word(struct check_config *cfg, const char *word, GError **err)
{
	if (strcmp(word, "advice") == 0)
		cfg->advice = true;
	else if (strcmp(word, "bait") == 0)
		cfg->bait = true;
	else if (strcmp(word, "fatal") == 0)
		cfg->fatal = true;
	else if (g_str_has_prefix(word, "json:"))
		return check_take_file(&cfg->json, word, word + strlen("json:"), err);
	else if (g_str_has_prefix(word, "junit:"))
		return check_take_file(&cfg->junit, word, word + strlen("junit:"), err);
	else if (g_str_has_prefix(word, "wait="))
		return check_take_wait(cfg, word + strlen("wait="), err);
	else
		return ringside_usage(
			err,
			"--check=%s: not known; it takes advice, bait, fatal, json:FILE, "
			"junit:FILE and wait=SECONDS, with commas between",
			word);
	return true;
}

bool check_config_parse(struct check_config *cfg, const char *words, GError **err)
{
	g_auto(GStrv) each = g_strsplit(words ? words : "", ",", -1);

	cfg->on = true;
	for (char **w = each; *w; w++)
		if (!check_take_word(cfg, *w, err))
			return false;
	return true;
}

void check_config_clear(struct check_config *cfg)
{
	g_free(cfg->json);
	g_free(cfg->junit);
	*cfg = (struct check_config){ 0 };
}

/*
 * Violations.
 */

bool check_is_advice(unsigned rule)
{
	struct check_row row = check_row(rule);
	const struct check_clause *clause = row.clauses ? check_clause(row.clauses) : NULL;

	return clause && g_str_has_prefix(clause->level, "SHOULD");
}

/* Is it a clause of a legacy interface: "DRV-NET-LEGOP-01"? */
static bool check_clause_is_legacy(const char *id)
{
	const char *part = strchr(id + strlen("DRV-"), '-');

	return part && g_str_has_prefix(part, "-LEG");
}

/* Of the clauses that a rule has, the first about this ring, this transport and this kind of
 * driver; or about this ring and this transport, if there is one. */
static const char *check_choose_clause(const struct check_dev *d, unsigned rule)
{
	const char *all = check_row(rule).clauses, *found = NULL;
	bool legacy = d->dev && d->dev->legacy;
	bool packed = d->dev && check_accepted(d, VIRTIO_F_RING_PACKED);
	const char *const not_meant[] = { packed ? "DRV-SPLIT-" : "DRV-PACKED-",
					  d->regs.mmio ? "DRV-PCI-" : "DRV-MMIO-" };

	for (const char *id = all; id; id = strchr(id, ',')) {
		if (*id == ',')
			id += strlen(", ");
		if (g_str_has_prefix(id, not_meant[0]) || g_str_has_prefix(id, not_meant[1]))
			continue;
		if (check_clause_is_legacy(id) == legacy)
			return id;
		found = found ? found : id;
	}
	return found;
}

void check_broken(struct check_dev *d, unsigned rule, int q, int head, const char *seen, ...)
{
	struct check_found *f = &d->found[rule];
	struct check_found this = { .queue = q, .head = head };
	bool advice = d->checker->advice[rule];
	struct check_violation v;
	char text[128] = "";
	va_list ap;

	if (advice && !d->checker->cfg->advice)
		return;
	va_start(ap, seen);
	if (seen)
		(void)g_vsnprintf(text, sizeof(text), seen, ap);
	va_end(ap);
	this.seen = text;
	this.last_us = g_get_monotonic_time();
	pthread_mutex_lock(&d->found_lock);
	if (f->count == 0) {
		this.clause = check_choose_clause(d, rule);
		*f = this;
		f->first_us = this.last_us;
		f->seen = g_strdup(text);
	}
	f->last_us = this.last_us;
	this.clause = f->clause;
	this.count = ++f->count;
	pthread_mutex_unlock(&d->found_lock);
	if (!advice)
		atomic_fetch_add(&d->checker->n_violations, 1);
	if (this.count > CHECK_LINES)
		return;
	v = check_describe(d, rule, &this);
	check_say(&v, this.count);
	if (this.count == 1 && d->checker->first)
		d->checker->first(&v, d->checker->first_opaque);
}

/*
 * Chains.
 */

size_t check_peek(const struct vq_chain *c, size_t off, void *dst, size_t len)
{
	size_t done = 0;

	for (unsigned i = 0; i < c->rd.n && done < len; i++) {
		size_t skip = MIN(off, c->rd.iov[i].iov_len);
		size_t n = MIN(len - done, c->rd.iov[i].iov_len - skip);

		memcpy((uint8_t *)dst + done, (uint8_t *)c->rd.iov[i].iov_base + skip, n);
		off -= skip;
		done += n;
	}
	return done;
}

/*
 * What observers are told.
 */

static struct check_dev *check_of(struct vdev_observer *o)
{
	return (struct check_dev *)o;
}

static void on_access(struct vdev_observer *o, struct vdev *dev, const struct vdev_access *a)
{
	struct check_dev *d = check_of(o);

	(void)dev;
	pthread_mutex_lock(&d->lock);
	check_registers(d, a);
	pthread_mutex_unlock(&d->lock);
}

static void on_status(struct vdev_observer *o, struct vdev *dev, uint32_t before, uint32_t after)
{
	struct check_dev *d = check_of(o);

	(void)dev;
	pthread_mutex_lock(&d->lock);
	check_registers_status(d, before, after);
	if (after == 0)
		d->joined = false;
	if (after == 0 && d->type && d->type->reset)
		d->type->reset(d);
	pthread_mutex_unlock(&d->lock);
}

static void on_config(struct vdev_observer *o, struct vdev *dev, size_t off, const void *bytes,
		      size_t len, bool write)
{
	struct check_dev *d = check_of(o);

	pthread_mutex_lock(&d->lock);
	if (d->regs.seen_any && !dev->unseen_reads) {
		check_registers_config(d, off, len, write);
		if (d->type && d->type->config)
			d->type->config(d, off, bytes, len, write);
	}
	pthread_mutex_unlock(&d->lock);
}

static void on_rule(struct vdev_observer *o, struct vdev *dev, enum vdev_rule rule,
		    const char *where)
{
	(void)dev;
	check_broken(check_of(o), rule, -1, -1, "%s", where);
}

static void on_started(struct vdev_observer *o, struct vdev *dev, unsigned q)
{
	(void)dev;
	check_ring_started(&check_of(o)->queue[q]);
}

static void on_stopped(struct vdev_observer *o, struct vdev *dev, unsigned q, enum vdev_stop why)
{
	(void)dev;
	check_ring_stopped(&check_of(o)->queue[q], why == VDEV_STOP_RESET);
}

static void on_kicked(struct vdev_observer *o, struct vdev *dev, unsigned q, uint64_t n)
{
	(void)dev, (void)n;
	check_ring_kicked(&check_of(o)->queue[q]);
}

static void on_popped(struct vdev_observer *o, struct vdev *dev, unsigned q,
		      const struct vq_chain *c)
{
	struct check_dev *d = check_of(o);

	(void)dev;
	check_ring_popped(&d->queue[q], c);
	if (d->type && d->type->popped)
		d->type->popped(d, q, c);
}

static void on_unpopped(struct vdev_observer *o, struct vdev *dev, unsigned q,
			const struct vq_chain *c)
{
	struct check_dev *d = check_of(o);

	(void)dev;
	check_ring_unpopped(&d->queue[q], c);
	if (d->type && d->type->unpopped)
		d->type->unpopped(d, q, c);
}

static void on_pushed(struct vdev_observer *o, struct vdev *dev, unsigned q,
		      const struct vq_chain *c, uint32_t len)
{
	struct check_dev *d = check_of(o);

	(void)dev, (void)len;
	check_ring_pushed(&d->queue[q], c);
	if (d->type && d->type->pushed)
		d->type->pushed(d, q, c);
}

static void on_fault(struct vdev_observer *o, struct vdev *dev, unsigned q, enum vq_fault fault,
		     uint16_t head)
{
	/* Of the others @head is an index, or nothing. */
	bool of_chain = fault >= VQ_FAULT_HEAD && fault != VQ_FAULT_EVENT;

	(void)dev;
	if (fault == VQ_FAULT_AVAIL_JUMP && check_ring_is_swapped(&check_of(o)->queue[q]))
		return;
	check_broken(check_of(o), CHECK_FAULTS + fault, (int)q, of_chain ? head : -1, NULL);
}

static const struct vdev_observer_ops check_ops = {
	.access = on_access,
	.status = on_status,
	.config = on_config,
	.rule = on_rule,
	.queue_started = on_started,
	.queue_stopped = on_stopped,
	.kicked = on_kicked,
	.popped = on_popped,
	.unpopped = on_unpopped,
	.pushed = on_pushed,
	.fault = on_fault,
};

/*
 * Life.
 */

/* With a buffer from the beginning: at its first use stdio would ask what kind of file it is, which
 * the sandbox lets nobody do. */
static FILE *check_open(const char *path, char *buffer, GError **err)
{
	FILE *f = fopen(path, "we");

	if (!f)
		(void)ringside_error_errno(err, errno, "--check: %s", path);
	else
		(void)setvbuf(f, buffer, _IOFBF, CHECK_BUFFER);
	return f;
}

struct checker *checker_new(const struct check_config *cfg, GError **err)
{
	struct checker *c = g_new0(struct checker, 1);

	c->cfg = cfg;
	c->wait_ms = cfg->wait_ms ? cfg->wait_ms : CHECK_WAIT_MS;
	c->began_us = g_get_monotonic_time();
	for (unsigned rule = 0; rule < N_CHECK_RULES; rule++)
		c->advice[rule] = check_is_advice(rule);
	c->devices = g_ptr_array_new();
	pthread_mutex_init(&c->lock, NULL);
	if ((cfg->json && !(c->json = check_open(cfg->json, c->json_buffer, err))) ||
	    (cfg->junit && !(c->junit = check_open(cfg->junit, c->junit_buffer, err)))) {
		checker_free(c);
		return NULL;
	}
	return c;
}

struct check_dev *check_dev_new(struct checker *c, const char *name)
{
	struct check_dev *d = g_new0(struct check_dev, 1);

	d->base.ops = &check_ops;
	d->checker = c;
	d->name = g_strdup(name);
	pthread_mutex_init(&d->lock, NULL);
	pthread_mutex_init(&d->found_lock, NULL);
	pthread_mutex_lock(&c->lock);
	g_ptr_array_add(c->devices, d);
	pthread_mutex_unlock(&c->lock);
	return d;
}

static void check_dev_free(struct check_dev *d)
{
	for (unsigned i = 0; i < N_CHECK_RULES; i++)
		g_free(d->found[i].seen);
	g_free(d->name);
	g_free(d);
}

void checker_free(struct checker *c)
{
	if (!c)
		return;
	for (guint i = 0; i < c->devices->len; i++)
		check_dev_free(g_ptr_array_index(c->devices, i));
	g_ptr_array_free(c->devices, TRUE);
	if (c->json)
		fclose(c->json);
	if (c->junit)
		fclose(c->junit);
	g_free(c);
}

size_t checker_memory(const struct vdev *dev)
{
	return dev->n_queues * (size_t)VRING_QUEUE_SIZE_MAX *
	       (sizeof(struct check_desc) + sizeof(uint16_t) + 2 * sizeof(bool));
}

static const struct check_type *check_type_find(const char *class)
{
	static const struct check_type *const types[] = { &check_blk, &check_net, &check_console,
							  &check_input, &check_rng };

	for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
		if (strcmp(types[i]->class, class) == 0)
			return types[i];
	return NULL;
}

void checker_watch(struct checker *c, struct vdev *dev)
{
	struct check_dev *d = check_dev_new(c, vdev_name(dev));

	d->dev = dev;
	d->type = check_type_find(dev->class->name);
	d->n_queues = dev->n_queues;
	d->queue = g_new0(struct check_queue, d->n_queues);
	d->own = d->type ? g_malloc0(d->type->state_size) : NULL;
	for (unsigned q = 0; q < d->n_queues; q++) {
		d->queue[q].dev = d;
		d->queue[q].index = q;
	}
	vdev_observe(dev, &d->base);
	dev->checked = true;
	dev->baited = c->cfg->bait;
}

/* Its queues do not run. */
static void check_dev_leave(struct check_dev *d)
{
	check_registers_end(d);
	vdev_unobserve(d->dev, &d->base);
	d->dev->checked = d->dev->baited = false;
	d->dev = NULL;
	for (unsigned q = 0; q < d->n_queues; q++)
		check_ring_stopped(&d->queue[q], true);
	g_free(d->queue);
	g_free(d->own);
	d->queue = NULL;
	d->n_queues = 0;
}

void checker_leave(struct checker *c, struct vdev *dev)
{
	for (guint i = 0; i < c->devices->len; i++) {
		struct check_dev *d = g_ptr_array_index(c->devices, i);

		if (d->dev == dev)
			check_dev_leave(d);
	}
}

void checker_on_first(struct checker *c, check_first_fn fn, void *opaque)
{
	c->first = fn;
	c->first_opaque = opaque;
}

uint64_t checker_count(struct checker *c)
{
	return atomic_load(&c->n_violations);
}
