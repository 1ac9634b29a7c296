#include "vmm/control/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/unix-listen.h"
#include "devices/base/loop.h"

#define CHUNK          4096u
#define UNSENT_PAUSE   (64u << 10) /* a client that leaves so much unread is not listened to */
#define FAREWELL_MS    100
#define ACCEPT_RETRY_S 1u

struct control_sock {
	struct loop *loop;
	struct unix_listener listener;
	int spare; /* kept for a client, should a guest's connections use up all others; or -1 */
	GSource *watch;
	GSource *retry; /* while accept() fails */
	GPtrArray *clients;
	const struct control_sock_user *user;
	void *arg;
};

/*
 * A client.
 */
static void client_unref(void *p)
{
	struct control_client *client = p;

	if (--client->refs)
		return;
	control_frame_free(&client->frame);
	g_byte_array_unref(client->unsent);
	g_free(client);
}

static void keep_spare(struct control_sock *sock)
{
	if (sock->spare < 0)
		sock->spare = fcntl(sock->listener.fd, F_DUPFD_CLOEXEC, 0);
}

static void client_leaves(struct control_client *client)
{
	if (client->fd < 0)
		return;
	loop_unwatch(g_steal_pointer(&client->watch));
	close(client->fd);
	client->fd = -1;
	if (client->sock)
		keep_spare(client->sock);
	if (client->sock)
		g_ptr_array_remove(client->sock->clients, client); /* unrefs */
}

static void sock_update(struct control_client *client)
{
	GIOCondition events = 0;

	if (client->fd < 0)
		return;
	if (client->unsent->len)
		events |= G_IO_OUT;
	if (!client->busy && client->unsent->len < UNSENT_PAUSE)
		events |= G_IO_IN;
	loop_watch_events(client->watch, events);
}

/* False if the client has left. */
static bool send_unsent(struct control_client *client)
{
	while (client->unsent->len) {
		ssize_t n = send(client->fd, client->unsent->data, client->unsent->len,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		g_byte_array_remove_range(client->unsent, 0, (guint)n);
	}
	return true;
}

void control_client_send(struct control_client *client, const void *bytes, size_t len)
{
	if (client->fd < 0)
		return;
	g_byte_array_append(client->unsent, bytes, (guint)len);
	if (!send_unsent(client) || client->unsent->len > CONTROL_UNSENT_MAX)
		client_leaves(client);
	else
		sock_update(client);
}

/* Handles what came, text by text. */
static void sock_take(struct control_client *client, const char *bytes, size_t len)
{
	struct control_sock *sock = client->sock;

	client->busy = true;
	sock_update(client);
	for (size_t i = 0; i < len && client->fd >= 0; i++) {
		enum control_frame_state state = control_frame_take(&client->frame, bytes[i]);

		if (state != CONTROL_FRAME_MORE)
			sock->user->text(client, state, sock->arg);
	}
	client->busy = false;
	sock_update(client);
}

static void on_client(void *arg, GIOCondition revents)
{
	struct control_client *client = arg;
	char chunk[CHUNK];
	ssize_t n = -1;

	client->refs++;
	errno = EAGAIN;
	if (revents & (G_IO_IN | G_IO_HUP | G_IO_ERR))
		n = recv(client->fd, chunk, sizeof(chunk), MSG_DONTWAIT);
	if (n > 0)
		sock_take(client, chunk, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		client_leaves(client);
	if (client->fd >= 0) {
		if (send_unsent(client))
			sock_update(client);
		else
			client_leaves(client);
	}
	client_unref(client);
}

/*
 * The socket.
 */
static gboolean accept_again(void *arg)
{
	struct control_sock *sock = arg;

	loop_unwatch(g_steal_pointer(&sock->retry));
	loop_watch_events(sock->watch, G_IO_IN);
	return G_SOURCE_REMOVE;
}

/* accept() failed for want of descriptors or memory, and would again at once. */
static void accept_later(struct control_sock *sock)
{
	loop_watch_events(sock->watch, 0);
	sock->retry = g_timeout_source_new_seconds(ACCEPT_RETRY_S);
	g_source_set_callback(sock->retry, accept_again, sock, NULL);
	g_source_attach(sock->retry, loop_context(sock->loop));
}

static int accept_client(struct control_sock *sock)
{
	int fd = accept4(sock->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0 || (errno != EMFILE && errno != ENFILE) || sock->spare < 0)
		return fd;
	close(sock->spare);
	sock->spare = -1;
	return accept4(sock->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void on_connection(void *arg, GIOCondition revents)
{
	struct control_sock *sock = arg;
	struct control_client *client;
	int fd = accept_client(sock);

	(void)revents;
	if (fd < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			accept_later(sock);
		return;
	}
	if (sock->clients->len == CONTROL_CLIENTS_MAX) {
		close(fd);
		return;
	}
	client = g_new0(struct control_client, 1);
	client->sock = sock;
	client->fd = fd;
	client->refs = 1;
	client->unsent = g_byte_array_new();
	control_frame_init(&client->frame);
	client->watch = loop_watch(sock->loop, fd, G_IO_IN, on_client, client);
	g_ptr_array_add(sock->clients, client);
	sock->user->came(client, sock->arg);
}

void control_sock_tell(struct control_sock *sock, const void *bytes, size_t len)
{
	/* Backwards: sending may find that one has left, and remove it. */
	for (guint i = sock->clients->len; i > 0; i--) {
		struct control_client *client = g_ptr_array_index(sock->clients, i - 1);

		if (client->greeted)
			control_client_send(client, bytes, len);
	}
}

struct control_sock *control_sock_new(const char *path, const struct control_sock_user *user,
				      void *arg, GError **err)
{
	struct control_sock *sock = g_new0(struct control_sock, 1);
	g_autofree char *context = g_strdup_printf("--control unix:%s", path);

	if (!unix_listen(&sock->listener, path, context, err)) {
		g_free(sock);
		return NULL;
	}
	sock->loop = loop_main();
	sock->spare = -1;
	keep_spare(sock);
	sock->clients = g_ptr_array_new_with_free_func(client_unref);
	sock->user = user;
	sock->arg = arg;
	sock->watch = loop_watch(sock->loop, sock->listener.fd, G_IO_IN, on_connection, sock);
	return sock;
}

/* Gives the clients until @end (monotonic time) to read what is unsent. */
static void say_farewell(struct control_client *client, gint64 end)
{
	while (send_unsent(client) && client->unsent->len) {
		struct pollfd p = { .fd = client->fd, .events = POLLOUT };
		gint64 left = end - g_get_monotonic_time();

		if (left <= 0 || poll(&p, 1, (int)(left / 1000) + 1) <= 0)
			break;
	}
}

void control_sock_free(struct control_sock *sock)
{
	gint64 end = g_get_monotonic_time() + FAREWELL_MS * G_TIME_SPAN_MILLISECOND;

	if (!sock)
		return;
	loop_unwatch(sock->watch);
	loop_unwatch(sock->retry);
	if (sock->spare >= 0)
		close(sock->spare);
	sock->spare = -1;
	unix_unlisten(&sock->listener);
	while (sock->clients->len) {
		struct control_client *client = g_ptr_array_index(sock->clients, 0);

		say_farewell(client, end);
		client_leaves(client);
	}
	g_ptr_array_unref(sock->clients);
	loop_free(sock->loop);
	g_free(sock);
}
