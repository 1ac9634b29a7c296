/*
 * human-monitor-command: what people type into QEMU's monitor, and what it answers, in its words:
 * the questions (info ...) and the orders without arguments. Commands and questions are rows, of
 * which help is made. Lines end as on a terminal, by which clients cut them.
 */
#include <string.h>

#include "devices/blk/disk.h"
#include "devices/net/card.h"
#include "vmm/control/control-impl.h"
#include "vmm/kvm/registers.h"

struct hmp {
	struct control_call *call;
	unsigned cpu; /* the one that registers are asked of */
	GString *out;
};

struct hmp_row {
	const char *name, *alias; /* alias: or NULL */
	void (*run)(struct hmp *h);
	const char *help;
};

/*
 * Questions.
 */
static void hmp_info_status(struct hmp *h)
{
	const char *status = h->call->ops->status(h->call->opaque);
	bool running = strcmp(status, "running") == 0;

	g_string_append_printf(h->out, "VM status: %s", running ? "running" : "paused");
	if (!running && strcmp(status, "paused") != 0)
		g_string_append_printf(h->out, " (%s)", status);
	g_string_append_c(h->out, '\n');
}

static void hmp_info_cpus(struct hmp *h)
{
	const struct control_ops *ops = h->call->ops;

	for (unsigned cpu = 0; cpu < ops->n_vcpus(h->call->opaque); cpu++)
		g_string_append_printf(h->out, "%c CPU #%u: thread_id=%" G_GINT64_FORMAT "\n",
				       cpu == h->cpu ? '*' : ' ', cpu,
				       ops->vcpu_thread(h->call->opaque, cpu));
}

#define REGISTERS_A_LINE 4u

static void hmp_add_registers(unsigned cpu, const struct vcpu_registers *r, const char *where,
			      void *arg)
{
	struct hmp *h = arg;

	(void)where;
	if (cpu != h->cpu)
		return;
	g_string_append_printf(h->out, "\nCPU#%u\n", cpu);
	for (unsigned i = 0; i < r->n; i++) {
		g_autofree char *name = g_ascii_strup(r->reg[i].name, -1);
		bool last = i + 1 == r->n || (i + 1) % REGISTERS_A_LINE == 0;

		g_string_append_printf(h->out, "%-3s=%0*" G_GINT64_MODIFIER "x%c", name,
				       (int)r->reg[i].bits / 4, r->reg[i].value, last ? '\n' : ' ');
	}
	g_string_append_printf(h->out, "HLT=%d\n", r->halted);
}

static void hmp_info_registers(struct hmp *h)
{
	int ret = h->call->ops->for_each_vcpu(h->call->opaque, hmp_add_registers, h);

	if (ret < 0)
		g_string_append_printf(h->out, "Error: registers: %s\n", g_strerror(-ret));
}

static void hmp_add_disk(struct vdev *dev, const char *transport, void *arg)
{
	struct hmp *h = arg;
	struct blk_disk disk;

	(void)transport;
	if (!blk_is(dev))
		return;
	blk_disk(dev, &disk);
	g_string_append_printf(h->out, "%s%s (%s): %s (raw%s)\n", h->out->len ? "\n" : "",
			       vdev_name(dev), vdev_name(dev), disk.file,
			       disk.ro ? ", read-only" : "");
	g_string_append_printf(h->out, "    Attached to:      %s\n", vdev_name(dev));
	g_string_append_printf(h->out, "    Cache mode:       %s%s%s\n",
			       disk.writeback ? "writeback" : "writethrough",
			       disk.direct ? ", direct" : "",
			       disk.no_flush ? ", ignore flushes" : "");
}

static void hmp_info_block(struct hmp *h)
{
	h->call->ops->for_each_device(h->call->opaque, hmp_add_disk, h);
}

static void hmp_add_card(struct vdev *dev, const char *transport, void *arg)
{
	struct hmp *h = arg;
	struct net_card card;
	g_autofree char *type = NULL;

	if (!net_is(dev))
		return;
	net_card(dev, &card);
	type = g_strndup(card.backend, strcspn(card.backend, ":"));
	g_string_append_printf(h->out,
			       "%s: index=0,type=nic,model=virtio-net-%s,"
			       "macaddr=%02x:%02x:%02x:%02x:%02x:%02x\n",
			       vdev_name(dev), transport, card.mac[0], card.mac[1], card.mac[2],
			       card.mac[3], card.mac[4], card.mac[5]);
	g_string_append_printf(h->out, " \\ %s.backend: index=0,type=%s,%s\n", vdev_name(dev), type,
			       card.backend);
}

static void hmp_info_network(struct hmp *h)
{
	h->call->ops->for_each_device(h->call->opaque, hmp_add_card, h);
}

static void hmp_add_device(struct vdev *dev, const char *transport, void *arg)
{
	g_autofree char *name = control_virtio_name(dev);
	struct hmp *h = arg;

	(void)transport;
	g_string_append_printf(h->out, "%s [%s]\n", vdev_name(dev), name);
}

static void hmp_info_virtio(struct hmp *h)
{
	h->call->ops->for_each_device(h->call->opaque, hmp_add_device, h);
	if (!h->out->len)
		g_string_append(h->out, "No VirtIO devices\n");
}

static void hmp_info_name(struct hmp *h)
{
	const char *name = h->call->ops->name(h->call->opaque);

	if (name)
		g_string_append_printf(h->out, "%s\n", name);
}

static void hmp_info_version(struct hmp *h)
{
	g_string_append_printf(h->out, "%d.%d.%d (ringside)\n", CONTROL_VERSION_MAJOR,
			       CONTROL_VERSION_MINOR, CONTROL_VERSION_MICRO);
}

static const struct hmp_row questions[] = {
	{ "block", NULL, hmp_info_block, "show the disks" },
	{ "cpus", NULL, hmp_info_cpus, "show the processors and their threads" },
	{ "name", NULL, hmp_info_name, "show the guest's name" },
	{ "network", NULL, hmp_info_network, "show the network cards" },
	{ "registers", NULL, hmp_info_registers, "show the registers of a processor" },
	{ "status", NULL, hmp_info_status, "show whether the guest runs" },
	{ "version", NULL, hmp_info_version, "show the program's version" },
	{ "virtio", NULL, hmp_info_virtio, "list the virtio devices" },
	{ 0 },
};

/*
 * Orders.
 */
static void hmp_cont(struct hmp *h)
{
	h->call->ops->cont(h->call->opaque);
}

static void hmp_quit(struct hmp *h)
{
	h->call->quit = true;
}

static void hmp_stop(struct hmp *h)
{
	h->call->ops->stop(h->call->opaque);
}

static void hmp_powerdown(struct hmp *h)
{
	h->call->ops->powerdown(h->call->opaque);
}

static void hmp_reset(struct hmp *h)
{
	h->call->ops->reset(h->call->opaque);
}

static void hmp_help(struct hmp *h);

static const struct hmp_row orders[] = {
	{ "cont", "c", hmp_cont, "let the guest go on" },
	{ "help", "?", hmp_help, "show this" },
	{ "quit", "q", hmp_quit, "end the run" },
	{ "stop", "s", hmp_stop, "pause the guest" },
	{ "system_powerdown", NULL, hmp_powerdown, "press the power button" },
	{ "system_reset", NULL, hmp_reset, "press the reset button" },
	{ 0 },
};

static void hmp_list_one(struct hmp *h, const struct hmp_row *row, const char *prefix)
{
	g_string_append_printf(h->out, "%s%s%s%s -- %s\n", prefix, row->name, row->alias ? "|" : "",
			       row->alias ? row->alias : "", row->help);
}

static void hmp_list(struct hmp *h, const struct hmp_row *rows, const char *prefix)
{
	for (; rows->name; rows++)
		hmp_list_one(h, rows, prefix);
}

static void hmp_help(struct hmp *h)
{
	hmp_list(h, orders, "");
	hmp_list(h, questions, "info ");
}

static const struct hmp_row *hmp_find(const struct hmp_row *rows, const char *name)
{
	for (; rows->name; rows++)
		if (strcmp(rows->name, name) == 0 || g_strcmp0(rows->alias, name) == 0)
			return rows;
	return NULL;
}

/* help NAME */
static void hmp_help_with(struct hmp *h, const char *name)
{
	const struct hmp_row *row = hmp_find(orders, name);

	if (strcmp(name, "info") == 0)
		hmp_list(h, questions, "info ");
	else if (row)
		hmp_list_one(h, row, "");
}

/* @words: of the line, as many as there are, NULL behind the last. */
static void hmp_run(struct hmp *h, char **words)
{
	bool info = g_strcmp0(words[0], "info") == 0;
	char *const *rest = words + (info ? 1 : 0);
	const struct hmp_row *row;

	if (!*rest) {
		if (info)
			hmp_list(h, questions, "info ");
		return;
	}
	row = hmp_find(info ? questions : orders, *rest);
	if (!row)
		g_string_append_printf(h->out, "unknown command: '%s%s'\n", info ? "info " : "",
				       *rest);
	else if (row->run == hmp_help && rest[1])
		hmp_help_with(h, rest[1]);
	else if (rest[1])
		g_string_append_printf(h->out, "%s: extraneous characters at the end of line\n",
				       *rest);
	else
		row->run(h);
}

void control_human_monitor_command(struct control_call *call)
{
	g_autofree char *line = g_strdup(control_arg_string(call, "command-line", ""));
	gint64 cpu = control_arg_int(call, "cpu-index", 0);
	g_autoptr(GString) out = g_string_new(NULL);
	g_auto(GStrv) words = NULL;
	g_autoptr(GPtrArray) list = g_ptr_array_new();
	struct hmp h = { call, (unsigned)cpu, out };

	if (cpu < 0 || cpu >= call->ops->n_vcpus(call->opaque)) {
		control_fail(call, "'cpu-index': there is no such processor");
		return;
	}
	words = g_strsplit_set(line, " \t\r\n", -1);
	for (char **w = words; *w; w++)
		if (**w)
			g_ptr_array_add(list, *w);
	g_ptr_array_add(list, NULL);
	hmp_run(&h, (char **)list->pdata);
	(void)g_string_replace(out, "\n", "\r\n", 0);
	call->text = g_strdup(out->str);
}
