#include "tools/fuzz/language/variants.h"

#include <string.h>

#include "devices/registry.h"

/* "fake" is the harness's own disk, "real" the project's on a file in memory; sockets and taps are
 * those of host.c. The first of each device is the common one. */
static const char *const variants[] = {
	"blk,path=fake",
	"blk,path=fake,queues=1,cache=writethrough,block-size=4K,seg-max=3",
	"blk,path=fake,ro=on",
	"blk,path=fake,cache=unsafe,discard=off,write-zeroes=off,serial=fuzz,werror=stop",
	"blk,path=real,aio=sync",
	"console,chr=fake,max-ports=1",
	"console,chr=fake,port=a:fake,port=b.c:fake,max-ports=4",
	"console,port=only:fake,cols=7,rows=9,resize=spec",
	"console,chr=unix:real",
	"input,type=keyboard",
	"input,type=multitouch",
	"input,type=tablet,name=fuzz,serial=1",
	"input,type=evdev,evdev=fake",
	"net,backend=tap,ifname=fake,mtu=1500",
	"net,backend=tap,ifname=fake,queue-pairs=3",
	"net,backend=user",
	"net,backend=socket,path=fake,mac=52:54:00:00:00:01",
	"net,backend=socket,path=real,listen=on",
	"net,backend=user,hostname=real",
	"rng",
	"rng,max-bytes=100",
	NULL,
};

const struct vdev_class *variant_class(unsigned n)
{
	const struct vdev_class *class;

	for (unsigned i = 0; (class = vdev_class_nth(i)); i++)
		if (!class->outside && n-- == 0)
			return class;
	return NULL;
}

static bool is_of(const char *spec, const struct vdev_class *class)
{
	size_t len = strlen(class->name);

	return strncmp(spec, class->name, len) == 0 && (!spec[len] || spec[len] == ',');
}

/* Its name, and something for whatever it requires. */
static const char *least_of(const struct vdev_class *class)
{
	g_autoptr(GString) spec = g_string_new(class->name);

	for (const struct prop *p = class->props; p && p->type != PROP_END; p++)
		if (p->required)
			g_string_append_printf(spec, ",%s=%s", p->key,
					       p->type == PROP_STR ? "fake" : "1");
	return g_intern_string(spec->str);
}

/* Looked up once: comparing texts would be a good part of a run. */
#define PLACES 32u
#define COSTLY 16u /* those before are for the costly ones, the last first */

struct list {
	const struct vdev_class *class;
	const char *spec[PLACES];
};

/* A fixture on back-ends of the project's own is made anew for each run, which costs more than the
 * run. */
static bool is_costly(const char *spec)
{
	return strstr(spec, "real") && !g_str_has_prefix(spec, "blk");
}

/* The costly ones get a place each, and the others share the rest. */
static void variants_find(struct list *l, const struct vdev_class *class)
{
	const char *cheap[PLACES];
	unsigned n_cheap = 0, costly = COSTLY;

	l->class = class;
	for (const char *const *v = variants; *v && n_cheap < PLACES; v++) {
		if (is_of(*v, class) && is_costly(*v) && costly > 0)
			l->spec[--costly] = *v;
		else if (is_of(*v, class))
			cheap[n_cheap++] = *v;
	}
	if (!n_cheap)
		cheap[n_cheap++] = least_of(class);
	for (unsigned i = 0; i < PLACES; i++)
		if (!l->spec[i])
			l->spec[i] = cheap[i % n_cheap];
}

const char *variant_nth(const struct vdev_class *class, unsigned n)
{
	static struct list lists[64];
	unsigned i = 0;

	while (i + 1 < G_N_ELEMENTS(lists) && lists[i].class && lists[i].class != class)
		i++;
	if (!lists[i].class)
		variants_find(&lists[i], class);
	return lists[i].spec[n % PLACES];
}
