/*
 * What the guest looked for and did not find, in words: accesses that nobody answered
 * (vmm/machine/unanswered.h), by the names that the architecture has for places.
 */
#include <string.h>

#include "vmm/machine/machine-int.h"
#include "vmm/machine/unanswered.h"

#define MISSED_MANY   100u /* fewer are a look around, and not a wait */
#define MISSED_PLACES 3u   /* told of in the end */

void machine_for_each_unanswered(struct machine *m, machine_unanswered_fn fn, void *opaque)
{
	struct unanswered all[UNANSWERED_MAX];
	uint64_t sum;
	unsigned n = unanswered_get(bus_unanswered(m->bus), all, &sum);

	for (unsigned i = 0; i < n; i++) {
		struct arch_known known = { 0 };

		(void)arch_known_place(all[i].io, all[i].addr, &m->cfg->pc, &known);
		fn(&all[i], known.name, known.there ? NULL : known.gives, opaque);
	}
}

/* "95,000" */
static void add_count(GString *out, uint64_t n)
{
	g_autofree char *digits = g_strdup_printf("%" G_GUINT64_FORMAT, n);

	for (const char *d = digits; *d; d++) {
		if (d != digits && strlen(d) % 3 == 0)
			g_string_append_c(out, ',');
		g_string_append_c(out, *d);
	}
}

static void add_place(GString *out, const struct unanswered *u, const struct arch_known *known)
{
	bool wrote = u->writes > u->reads;

	g_string_append(out, wrote ? "wrote to " : "read ");
	if (u->io)
		g_string_append_printf(out, "port 0x%" G_GINT64_MODIFIER "x ", u->addr);
	else if (u->several)
		g_string_append_printf(out, "the page of memory at 0x%" G_GINT64_MODIFIER "x ",
				       u->addr & ~(uint64_t)(UNANSWERED_PAGE - 1));
	else
		g_string_append_printf(out, "memory at 0x%" G_GINT64_MODIFIER "x ", u->addr);
	add_count(out, wrote ? u->writes : u->reads);
	g_string_append(out, u->exact ? " times" : " times or more");
	if (!known->name)
		g_string_append(out, ", where nothing is");
	else if (known->there)
		g_string_append_printf(out, ": the %s takes no accesses of %u bytes", known->name,
				       u->len);
	else
		g_string_append_printf(out, ": there is no %s", known->name);
	if (known->gives && !known->there)
		g_string_append_printf(out, " (%s)", known->gives);
}

/* "the guest read ..." or "; it read ..." */
static void add_subject(GString *out)
{
	g_string_append(out, out->len ? "; it " : "the guest ");
}

static void add_many(GString *out, const struct machine *m, const struct unanswered *all,
		     unsigned n)
{
	for (unsigned i = 0, told = 0; i < n && told < MISSED_PLACES; i++) {
		struct arch_known known = { 0 };

		(void)arch_known_place(all[i].io, all[i].addr, &m->cfg->pc, &known);
		if (known.idle || all[i].reads + all[i].writes < MISSED_MANY)
			continue;
		add_subject(out);
		add_place(out, &all[i], &known);
		told++;
	}
}

/* A timer is set up by a few writes; who then waits for its interrupts makes no access at all. */
static void add_timer(GString *out, const struct machine *m, const struct unanswered *all,
		      unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct arch_known known = { 0 };

		(void)arch_known_place(all[i].io, all[i].addr, &m->cfg->pc, &known);
		if (!known.ticks || known.there || !all[i].writes || strstr(out->str, known.name))
			continue;
		add_subject(out);
		g_string_append_printf(out, "set up the %s, which is not there (%s)", known.name,
				       known.gives);
	}
}

char *machine_missed(struct machine *m)
{
	g_autoptr(GString) out = g_string_new(NULL);
	struct unanswered all[UNANSWERED_MAX];
	g_autofree char *screen = arch_screen_text(&m->ram.memory.mem);
	uint64_t sum;
	unsigned n = unanswered_get(bus_unanswered(m->bus), all, &sum);
	const char *never = platform_missed(m->platform);

	add_many(out, m, all, n);
	add_timer(out, m, all, n);
	if (never) {
		add_subject(out);
		g_string_append(out, never);
	}
	if (screen) {
		add_subject(out);
		g_string_append_printf(out, "wrote to a screen, which is not there: %s", screen);
	}
	return out->len ? g_strdup(out->str) : NULL;
}

static void print_unanswered(const struct unanswered *u, const char *name, const char *gives,
			     void *opaque)
{
	g_autofree char *place = g_strdup_printf("%s:0x%" G_GINT64_MODIFIER "x",
						 u->io ? "port" : "memory", u->addr);

	(void)gives;
	fprintf(opaque, "%-22s %12" G_GUINT64_FORMAT " %12" G_GUINT64_FORMAT " %6u %s\n", place,
		u->reads, u->writes, u->len, name ? name : "-");
}

void machine_print_unanswered(struct machine *m, FILE *to)
{
	struct unanswered all[UNANSWERED_MAX];
	uint64_t sum;

	if (!unanswered_get(bus_unanswered(m->bus), all, &sum))
		return;
	fprintf(to, "%-22s %12s %12s %6s %s\n", "# nobody-answered", "reads", "writes", "bytes",
		"what a PC has there");
	machine_for_each_unanswered(m, print_unanswered, to);
	fprintf(to, "accesses that nobody answered in all: %" G_GUINT64_FORMAT "\n", sum);
}
