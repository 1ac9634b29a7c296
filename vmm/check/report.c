/* What is said of what was found: a line when it happens, the report at the end, as text, JSON and
 * JUnit's XML. */
#include <errno.h>
#include <string.h>

#include "devices/base/error.h"
#include "devices/base/json-string.h"
#include "vmm/check/check-int.h"

struct check_violation check_describe(const struct check_dev *d, unsigned rule,
				      const struct check_found *f)
{
	struct check_row row = check_row(rule);
	const struct check_clause *c = f->clause ? check_clause(f->clause) : NULL;
	const char *section = row.section ? row.section : "";

	return (struct check_violation){
		.rule = row.name,
		.clauses = c ? c->id : NULL,
		.section = c ? c->section : section,
		.level = c ? c->level : "",
		.text = row.text,
		.seen = f->seen,
		.device = d->name,
		.queue = f->queue,
		.head = f->head,
		.advice = d->checker->advice[rule],
	};
}

/* "blk0 q1" */
static char *report_who(const struct check_violation *v)
{
	return v->queue < 0 ? g_strdup(v->device) : g_strdup_printf("%s q%d", v->device, v->queue);
}

/* "DRV-BLK-OP-02, 5.2.6.1 MUST NOT" */
static char *report_place(const struct check_violation *v)
{
	return v->clauses ? g_strdup_printf("%s, %s %s", v->clauses, v->section, v->level)
			  : g_strdup(v->section);
}

void check_say(const struct check_violation *v, uint64_t count)
{
	g_autofree char *who = report_who(v), *place = report_place(v);
	g_autofree char *head = v->head < 0 ? NULL : g_strdup_printf(" head %d", v->head);

	g_log("ringside", G_LOG_LEVEL_WARNING, "%s%s: %s%s%s%s [%s]%s", who, head ? head : "",
	      v->text, *v->seen ? " (" : "", v->seen, *v->seen ? ")" : "", place,
	      count == CHECK_LINES ? "; from now on it is counted" : "");
}

static double report_seconds(const struct checker *c, int64_t us)
{
	return (double)(us - c->began_us) / 1e6;
}

void checker_for_each(struct checker *c, check_finding_fn fn, void *opaque)
{
	pthread_mutex_lock(&c->lock);
	for (guint i = 0; i < c->devices->len; i++) {
		struct check_dev *d = g_ptr_array_index(c->devices, i);

		for (unsigned rule = 0; rule < N_CHECK_RULES; rule++) {
			struct check_found found;

			pthread_mutex_lock(&d->found_lock);
			found = d->found[rule];
			pthread_mutex_unlock(&d->found_lock);
			if (found.count)
				fn(&(struct check_finding){ check_describe(d, rule, &found),
							    found.count,
							    report_seconds(c, found.first_us),
							    report_seconds(c, found.last_us) },
				   opaque);
		}
	}
	pthread_mutex_unlock(&c->lock);
}

/*
 * Which rules were looked at.
 */

static const char *const groups[N_CHECK_GROUPS] = {
	"basic", "split", "packed",  "pci",   "mmio", "legacy",
	"blk",   "net",   "console", "input", "rng",
};

bool check_rule_nth(unsigned n, struct check_rule_info *ret)
{
	struct check_row row;
	const struct check_clause *c;

	if (n >= N_CHECK_RULES)
		return false;
	row = check_row(n);
	c = row.clauses ? check_clause(row.clauses) : NULL;
	*ret = (struct check_rule_info){
		.name = row.name,
		.clauses = row.clauses,
		.section = c ? c->section : row.section,
		.level = c ? c->level : "",
		.text = row.text,
		.group = groups[row.group],
	};
	return true;
}

static bool report_group_there(struct checker *c, enum check_group group)
{
	for (guint i = 0; i < c->devices->len; i++) {
		const struct check_dev *d = g_ptr_array_index(c->devices, i);

		if (group < CHECK_BLK || (d->type && d->type->group == group))
			return true;
	}
	return false;
}

/*
 * Text.
 */

static void print_finding(const struct check_finding *f, void *opaque)
{
	g_autofree char *who = report_who(&f->v), *place = report_place(&f->v);

	fprintf(opaque, "%8" G_GUINT64_FORMAT "  %s: %s [%s], first at %.3f s, last at %.3f s\n",
		f->count, who, f->v.text, place, f->first, f->last);
}

static void count_finding(const struct check_finding *f, void *opaque)
{
	unsigned *n = opaque;

	n[f->v.advice]++;
}

void checker_print(struct checker *c, FILE *to)
{
	unsigned n[2] = { 0 }, n_devices = c->devices->len - c->n_pages;

	checker_for_each(c, count_finding, n);
	if (c->cfg->bait)
		fprintf(to,
			"# check: baits: feature bits %u, %u, %u; on pci a capability of type 0x5a, "
			"a second common configuration, longer capabilities and structures, "
			"interrupts of queues and of the configuration for nothing; avail_event "
			"without EVENT_IDX; %u register pages without a device\n",
			VDEV_BAIT_0, VDEV_BAIT_1, VDEV_BAIT_2, c->n_pages);
	if (n[0] + n[1] == 0) {
		fprintf(to, "# check: the driver of %u device%s broke no rule\n", n_devices,
			n_devices == 1 ? "" : "s");
		return;
	}
	fprintf(to, "# check: %u rule%s broken", n[0], n[0] == 1 ? "" : "s");
	if (c->cfg->advice)
		fprintf(to, ", %u not heeded", n[1]);
	fprintf(to, "; how often, where\n");
	checker_for_each(c, print_finding, to);
}

/*
 * JSON: one object. Every text is ours but a device's name, which an operator chose.
 */

static void json_member(FILE *to, const char *key, const char *value)
{
	fprintf(to, "\"%s\":", key);
	json_put_string(to, value ? value : "");
	fputc(',', to);
}

struct json_list {
	FILE *to;
	bool more;
};

static void json_finding(const struct check_finding *f, void *opaque)
{
	struct json_list *l = opaque;

	fputs(l->more ? ",\n  {" : "\n  {", l->to);
	l->more = true;
	json_member(l->to, "device", f->v.device);
	json_member(l->to, "rule", f->v.rule);
	json_member(l->to, "clause", f->v.clauses);
	json_member(l->to, "section", f->v.section);
	json_member(l->to, "level", f->v.level);
	json_member(l->to, "text", f->v.text);
	json_member(l->to, "seen", f->v.seen);
	if (f->v.queue >= 0)
		fprintf(l->to, "\"queue\":%d,", f->v.queue);
	if (f->v.head >= 0)
		fprintf(l->to, "\"head\":%d,", f->v.head);
	fprintf(l->to, "\"count\":%" G_GUINT64_FORMAT ",\"first\":%.6f,\"last\":%.6f}", f->count,
		f->first, f->last);
}

static void json_write(struct checker *c, FILE *to)
{
	struct json_list l = { .to = to };

	fputs("{\"violations\":[", to);
	checker_for_each(c, json_finding, &l);
	fputs("]}\n", to);
}

/*
 * JUnit: a test case for each rule that there was a device for.
 */

struct junit_case {
	FILE *to;
	const char *rule, *group;
	bool failed;
};

static void xml_text(FILE *to, const char *text)
{
	g_autofree char *escaped = g_markup_escape_text(text, -1);

	fputs(escaped, to);
}

static void junit_finding(const struct check_finding *f, void *opaque)
{
	struct junit_case *t = opaque;

	if (f->v.advice || strcmp(f->v.rule, t->rule) != 0)
		return;
	fputs(t->failed ? "" : ">\n", t->to);
	t->failed = true;
	fprintf(t->to, "    <failure message=\"");
	xml_text(t->to, f->v.device);
	fprintf(t->to, ": %" G_GUINT64_FORMAT " times: ", f->count);
	xml_text(t->to, f->v.text);
	fputs("\">", t->to);
	xml_text(t->to, f->v.seen);
	fputs("</failure>\n", t->to);
}

/* Rules of the same name (one of each transport) are one case. */
static bool junit_named_before(unsigned rule)
{
	for (unsigned i = 0; i < rule; i++)
		if (g_strcmp0(check_row(i).name, check_row(rule).name) == 0)
			return true;
	return false;
}

static void junit_write(struct checker *c, FILE *to)
{
	fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"virtio driver\">\n",
	      to);
	for (unsigned rule = 0; rule < N_CHECK_RULES; rule++) {
		struct check_row row = check_row(rule);
		struct junit_case t = { to, row.name, groups[row.group], false };

		if (!row.name || junit_named_before(rule) || !report_group_there(c, row.group) ||
		    c->advice[rule])
			continue;
		fprintf(to, "  <testcase classname=\"%s\" name=\"%s\"", t.group, t.rule);
		checker_for_each(c, junit_finding, &t);
		fputs(t.failed ? "  </testcase>\n" : "/>\n", to);
	}
	fputs("</testsuite>\n", to);
}

static bool report_write(struct checker *c, FILE *f, const char *path,
			 void (*write)(struct checker *c, FILE *to), GError **err)
{
	if (!f)
		return true;
	write(c, f);
	if (fflush(f) == 0 && !ferror(f))
		return true;
	return ringside_error_errno(err, errno, "--check: %s", path);
}

bool checker_write(struct checker *c, GError **err)
{
	return report_write(c, c->json, c->cfg->json, json_write, err) &&
	       report_write(c, c->junit, c->cfg->junit, junit_write, err);
}
