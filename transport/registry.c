#include "transport/registry.h"

#include <string.h>

/* Add yours here; the row is called NAME_transport. */
#define TRANSPORTS(ROW) ROW(pci) ROW(mmio)

#define DECLARE(name) extern const struct transport name##_transport;
#define ENTRY(name)   &name##_transport,
#define NAME(name)    #name,

TRANSPORTS(DECLARE)

static const struct transport *const transports[] = { TRANSPORTS(ENTRY) NULL };

const char *const transport_names[] = { TRANSPORTS(NAME) NULL };

const struct transport *transport_nth(unsigned n)
{
	return n < G_N_ELEMENTS(transports) ? transports[n] : NULL;
}

const struct transport *transport_find(const char *name)
{
	for (const struct transport *const *t = transports; *t; t++)
		if (strcmp((*t)->name, name) == 0)
			return *t;
	return NULL;
}
