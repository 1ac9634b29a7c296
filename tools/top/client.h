/* A client of a control socket (docs/control.md): one question at a time. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>

struct top_client;

#define TOP_ERROR (top_error_quark())
GQuark top_error_quark(void);

enum top_error {
	TOP_REFUSED, /* the machine says what is against it */
	TOP_CLOSED,  /* there is no connection any more */
	TOP_SILENT,  /* no answer in time */
};

/* Connects to @address, "unix:PATH" or PATH, and greets. NULL with @err. */
struct top_client *top_connect(const char *address, GError **err);
void top_disconnect(struct top_client *c); /* NULL is fine */

/*
 * Asks @command with the arguments @args, JSON's text or NULL; the answer, to be freed with
 * json_node_unref(). NULL with @err, of enum top_error.
 */
JsonNode *top_ask(struct top_client *c, const char *command, const char *args, GError **err);

/* Arguments: {"path": @device}, and the queue unless that is negative. Free with g_free(). */
char *top_path_args(const char *device, int queue);
