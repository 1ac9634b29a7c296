/*
 * What a front-end has to know of a type of device that it does not implement: how many queues, of
 * which some may be no affair of the back-end's, and how large the configuration space is.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct vhu_kind {
	const char *name; /* as in type=NAME; NULL: type=N, of which nothing is known */
	uint32_t id;      /* virtio device type */
	uint32_t pci_class;
	uint16_t config_size;
	uint16_t queue_size; /* its back-ends'; 0: the class's */
	uint8_t queues;      /* that it has anyway, */
	uint8_t more;        /* and those that queues= counts; 0: it has none */
	uint8_t apart;       /* of the former, at the end: the back-end does not serve them */
	uint64_t withheld;   /* features that need more than a back-end */
	const char *has;     /* what queues= counts, for help */
	uint8_t count_at;    /* where the configuration space tells that, */
	/* in how many bytes; 0: it does not */
	uint8_t count_bytes;
	/* Bytes at the end of a chain that a device writes whether it wrote all before or not,
	 * which a used length then does not tell: a status. */
	uint8_t trailer;
	bool by_address;   /* its requests name guest memory, besides what their chains have */
	uint64_t count_if; /* and the feature under which it does; 0: always */
};

/* type=@text, a name or a number. False: it is neither, and @err lists the names. */
bool vhu_kind_find(struct vhu_kind *ret, const char *text, const char *context, GError **err);

/* A line for each, for help; at most @width columns. Free with g_free(). */
char *vhu_kinds_help(unsigned width);
