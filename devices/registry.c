#include "devices/registry.h"

#include <string.h>

/* Add yours here, by name; the class is called NAME_class. */
#define DEVICES(ROW) ROW(blk) ROW(console) ROW(input) ROW(net) ROW(rng) ROW(vhost_user) ROW(vsock)

#define DECLARE(name) extern const struct vdev_class name##_class;
#define ENTRY(name)   &name##_class,

DEVICES(DECLARE)

static const struct vdev_class *const classes[] = { DEVICES(ENTRY) NULL };

const struct vdev_class *vdev_class_nth(unsigned n)
{
	return n < G_N_ELEMENTS(classes) ? classes[n] : NULL;
}

const struct vdev_class *vdev_class_find(const char *name)
{
	for (const struct vdev_class *const *c = classes; *c; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}
