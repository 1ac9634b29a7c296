#include "tools/top/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "devices/base/json-string.h"

#define ANSWER_MS 10000ll /* a machine that is about to stop waits for its host */

G_DEFINE_QUARK(top - error - quark, top_error)

struct top_client {
	int fd;
	GString *in; /* received; lines of it are taken from its front */
	unsigned id;
};

static bool client_fail(GError **err, int code, const char *what)
{
	g_set_error(err, TOP_ERROR, code, "top: %s", what);
	return false;
}

/* Waits for a line, which the caller frees. */
static char *client_line(struct top_client *c, GError **err)
{
	gint64 end = g_get_monotonic_time() + ANSWER_MS * 1000;
	char *at, *line;

	while (!(at = memchr(c->in->str, '\n', c->in->len))) {
		struct pollfd p = { .fd = c->fd, .events = POLLIN };
		gint64 left = (end - g_get_monotonic_time()) / 1000;
		char bytes[16384];
		ssize_t n = 0;

		if (left < 0 || (poll(&p, 1, (int)left) == 0)) {
			client_fail(err, TOP_SILENT, "no answer");
			return NULL;
		}
		n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			client_fail(err, TOP_CLOSED, "the machine has hung up");
			return NULL;
		}
		if (n > 0)
			g_string_append_len(c->in, bytes, n);
	}
	line = g_strndup(c->in->str, (gsize)(at - c->in->str));
	g_string_erase(c->in, 0, at + 1 - c->in->str);
	return line;
}

static JsonNode *client_receive(struct top_client *c, GError **err)
{
	g_autofree char *line = client_line(c, err);
	JsonParser *parser;
	JsonNode *ret = NULL;

	if (!line)
		return NULL;
	parser = json_parser_new();
	if (json_parser_load_from_data(parser, line, -1, NULL) && json_parser_get_root(parser) &&
	    json_node_get_node_type(json_parser_get_root(parser)) == JSON_NODE_OBJECT)
		ret = json_node_copy(json_parser_get_root(parser));
	else
		client_fail(err, TOP_CLOSED, "what it sends is no JSON: no control socket");
	g_object_unref(parser);
	return ret;
}

static bool client_send(struct top_client *c, const char *text, GError **err)
{
	size_t len = strlen(text), done = 0;

	while (done < len) {
		ssize_t n = send(c->fd, text + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return client_fail(err, TOP_CLOSED, "the machine has hung up");
		done += (size_t)n;
	}
	return true;
}

/* The answer to question @id out of @message, which becomes it; NULL without @err: it is none. */
static JsonNode *client_judge(JsonNode *message, unsigned id, GError **err)
{
	JsonObject *o = json_node_get_object(message);
	JsonNode *ret = NULL;

	if (!json_object_has_member(o, "id") || json_object_get_int_member(o, "id") != id)
		;
	else if (json_object_has_member(o, "return"))
		ret = json_node_copy(json_object_get_member(o, "return"));
	else
		g_set_error(err, TOP_ERROR, TOP_REFUSED, "top: %s",
			    json_object_has_member(o, "error")
				    ? json_object_get_string_member(
					      json_object_get_object_member(o, "error"), "desc")
				    : "an answer that is none");
	json_node_unref(message);
	return ret;
}

JsonNode *top_ask(struct top_client *c, const char *command, const char *args, GError **err)
{
	unsigned id = ++c->id;
	g_autofree char *text = g_strdup_printf("{\"execute\":\"%s\",\"arguments\":%s,\"id\":%u}\n",
						command, args ? args : "{}", id);
	g_autoptr(GError) failed = NULL;
	JsonNode *ret = NULL;

	if (!client_send(c, text, err))
		return NULL;
	while (!ret && !failed) { /* events come in between */
		JsonNode *message = client_receive(c, &failed);

		if (message)
			ret = client_judge(message, id, &failed);
	}
	if (failed)
		g_propagate_error(err, g_steal_pointer(&failed));
	return ret;
}

char *top_path_args(const char *device, int queue)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fputs("{\"path\":", out);
	json_put_string(out, device);
	if (queue >= 0)
		fprintf(out, ",\"queue\":%d", queue);
	fputc('}', out);
	(void)fclose(out);
	return text;
}

static bool client_open(struct top_client *c, const char *path, GError **err)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(to.sun_path))
		return ringside_usage(err, "top: '%s' is too long for a socket's name", path);
	memcpy(to.sun_path, path, strlen(path));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return ringside_error_errno(err, errno, "top: %s", path);
	return true;
}

static bool client_greet(struct top_client *c, GError **err)
{
	JsonNode *greeting = client_receive(c, err), *answer = NULL;

	if (greeting)
		answer = top_ask(c, "qmp_capabilities", NULL, err);
	g_clear_pointer(&greeting, json_node_unref);
	if (!answer)
		return false;
	json_node_unref(answer);
	return true;
}

struct top_client *top_connect(const char *address, GError **err)
{
	struct top_client *c = g_new0(struct top_client, 1);

	c->fd = -1;
	c->in = g_string_new(NULL);
	if (g_str_has_prefix(address, "unix:"))
		address += strlen("unix:");
	if (client_open(c, address, err) && client_greet(c, err))
		return c;
	top_disconnect(c);
	return NULL;
}

void top_disconnect(struct top_client *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	g_string_free(c->in, TRUE);
	g_free(c);
}
