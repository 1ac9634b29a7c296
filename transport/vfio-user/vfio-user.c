/* The life of a connection. */
#include "transport/vfio-user/vfio-user.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/base/eventfd.h"
#include "transport/vfio-user/impl.h"

#define SLOT        1u    /* of a bus that nobody sees */
#define PATIENCE_MS 5000u /* as long as QEMU's */
#define COPIES      (MAP_SHARED | MAP_ANONYMOUS)

static const struct syscall_use vfio_user_other_syscalls[] = {
	{ .name = "dup3" },
	{ .name = "eventfd2" },
	/* copies of memory: dma.c */
	{ .name = "mmap", .arg = 2, .mask = PROT_EXEC, .also = { 3, COPIES, COPIES } },
	{ .name = NULL },
};

const struct syscall_use *const vfio_user_syscalls[] = { msg_socket_syscalls, given_syscalls,
							 vfio_user_other_syscalls, NULL };

/*
 * Messages.
 */
static ssize_t vfu_payload_size(const void *header)
{
	const struct vfu_header *h = header;

	if (h->size < sizeof(*h) || h->size - sizeof(*h) > VFU_PAYLOAD)
		return -1;
	return (ssize_t)(h->size - sizeof(*h));
}

static const struct msg_format vfu_format = { sizeof(struct vfu_header), vfu_payload_size };

static void vfu_complain(const struct vfio_user *v, const char *wrong)
{
	uint32_t command = v->in.header.command;
	bool whole = v->socket.have >= sizeof(v->in.header);
	const char *name = whole ? vfu_command_name(command) : "half a header";
	g_autofree char *number = g_strdup_printf("message %u", command);

	g_log("ringside", G_LOG_LEVEL_WARNING, "%s: client: %s: %s; the connection is closed",
	      vdev_name(v->dev), name ? name : number, wrong);
}

/* False: the connection is over. */
static bool vfu_receive(struct vfio_user *v)
{
	const char *wrong = NULL;

	switch (msg_socket_receive(&v->socket)) {
	case MESSAGE_MORE:
		return true;
	case MESSAGE_CLOSED:
		return false;
	case MESSAGE_BROKEN:
		wrong = "no message of vfio-user";
		break;
	case MESSAGE_WHOLE:
		wrong = vfu_serve(v);
		break;
	}
	if (wrong)
		vfu_complain(v, wrong);
	msg_socket_next(&v->socket);
	return !wrong;
}

/*
 * Connections.
 */

/* Others keep what they were given of ours: the device takes other ones. */
static void vfu_take_back_kicks(struct vfio_user *v)
{
	for (unsigned q = 0; q < v->dev->n_queues && v->gave_kicks; q++) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		if (fd < 0)
			continue;
		(void)vdev_queue_set_kick_fd(v->dev, q, fd);
		close(fd);
	}
	v->gave_kicks = false;
}

static void vfu_disconnect(struct vfio_user *v)
{
	loop_unwatch(g_steal_pointer(&v->watch));
	pci_config_reset(vpci_function(v->pci));
	vfu_access_clear(v);
	vfu_far_clear(v);
	vfu_board_clear(&v->board);
	vfu_dma_clear(v);
	vfu_take_back_kicks(v);
	msg_socket_close(&v->socket);
	v->versioned = v->lost = false;
}

static void vfu_end(struct vfio_user *v)
{
	vfu_disconnect(v);
	v->ended(v->opaque);
}

bool vfu_end_if_lost(struct vfio_user *v)
{
	bool lost = v->watch && v->lost && !v->serving;

	if (lost)
		vfu_end(v);
	return lost;
}

void vfu_fail(struct vfio_user *v)
{
	v->lost = true;
	eventfd_signal(v->far.fd);
}

/* One message at a time: to stop a queue may take as long as the host's I/O, and the loop goes on
 * meanwhile. */
static void vfu_on_socket(void *arg, GIOCondition revents)
{
	struct vfio_user *v = arg;

	(void)revents;
	if (vfu_end_if_lost(v))
		return;
	loop_watch_events(v->watch, 0);
	v->serving = true;
	if (!vfu_receive(v))
		v->lost = true;
	v->serving = false;
	if (v->lost)
		vfu_end(v);
	else
		loop_watch_events(v->watch, G_IO_IN);
}

/* The device had zeroes instead (devices/base/given.h). */
static void vfu_on_lost(void *arg, GIOCondition revents)
{
	struct vfio_user *v = arg;
	uint64_t count;

	(void)revents;
	if (read(v->lost_fd, &count, sizeof(count)) != sizeof(count) || !v->watch || v->lost)
		return;
	g_log("ringside", G_LOG_LEVEL_WARNING,
	      "%s: client: a file that it shares has become shorter; the connection is closed",
	      vdev_name(v->dev));
	v->lost = true;
	(void)vfu_end_if_lost(v);
}

bool vfio_user_connect(struct vfio_user *v, int fd)
{
	if (v->watch) {
		close(fd);
		return false;
	}
	msg_socket_open(&v->socket, fd, &vfu_format, &v->in.header, &v->in.payload);
	v->watch = loop_watch(v->main, fd, G_IO_IN, vfu_on_socket, v);
	return true;
}

/*
 * Making and freeing.
 */

/* A bus, since a function is on one: BARs have no addresses until the guest gives them some. */
static const struct pci_root_config vfu_bus = {
	.mem_size = 1ull << 32,
	.io_size = 1u << 16,
	.no_ports = true,
};

struct vfio_user *vfio_user_new(struct vdev *dev, struct gmem *mem, struct loop *main,
				void (*ended)(void *opaque), void *opaque, GError **err)
{
	struct vfio_user *v = g_new0(struct vfio_user, 1);

	v->dev = dev;
	v->main = main;
	v->ended = ended;
	v->opaque = opaque;
	v->socket.fd = v->lost_fd = v->far.fd = -1;
	v->dma.mem = mem;
	v->patience_ms = PATIENCE_MS;
	vfu_board_init(&v->board, main);
	if (vfu_far_open(v, err) && eventfd_open(&v->lost_fd, "vfio-user", err))
		v->root = pci_root_new(&v->board.board, &vfu_bus, err);
	if (v->root)
		v->pci = vpci_new(dev, v->root, SLOT, err);
	if (!v->pci) {
		vfio_user_free(v);
		return NULL;
	}
	v->lost_watch = loop_watch(main, v->lost_fd, G_IO_IN, vfu_on_lost, v);
	given_tell(v->lost_fd);
	return v;
}

void vfio_user_free(struct vfio_user *v)
{
	if (!v)
		return;
	if (v->watch)
		vfu_disconnect(v);
	vpci_free(v->pci);
	pci_root_free(v->root);
	given_tell(-1);
	loop_unwatch(v->lost_watch);
	eventfd_close(&v->lost_fd);
	vfu_far_close(v);
	g_free(v);
}
