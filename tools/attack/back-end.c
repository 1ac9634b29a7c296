#include "tools/attack/back-end.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/base/error.h"
#include "devices/base/eventfd.h"
#include "tools/attack/input.h"

#define START_MS   20000u /* to begin to listen */
#define QUOTED_MAX 100u
#define PRINTABLE                                                                                 \
	" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrst" \
	"uvwxyz{|}~"
#define ANSWERS_NOT 1000u /* ms: then a back-end without a process of ours is gone */

#define FEATURES                                                       \
	(1ull << VIRTIO_F_VERSION_1 | 1ull << VIRTIO_F_INDIRECT_DESC | \
	 1ull << VIRTIO_F_EVENT_IDX | 1ull << VIRTIO_F_RING_PACKED)

void back_end_init(struct attack_back_end *b)
{
	*b = (struct attack_back_end){ .said = -1 };
}

static uint64_t now_ms(void)
{
	return peer_now_ns() / 1000000;
}

static void back_end_close(struct attack_back_end *b)
{
	if (b->connected)
		peer_close(&b->peer);
	b->connected = false;
}

/* Whether the socket takes a connection and answers on it. */
static bool back_end_greet(struct attack_back_end *b, GError **err)
{
	back_end_close(b);
	b->connected = true;
	return peer_open(&b->peer, b->path, b->protocol, 0, err);
}

/*
 * Its process.
 */

/* A socket that a process before it has left is in its way. */
static void remove_socket(const char *path)
{
	struct stat s;

	if (lstat(path, &s) == 0 && S_ISSOCK(s.st_mode))
		unlink(path);
}

static void be_child(const struct attack_back_end *b)
{
	int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(nothing, STDIN_FILENO) >= 0 && dup2(b->said, STDOUT_FILENO) >= 0 &&
	    dup2(b->said, STDERR_FILENO) >= 0)
		execvp(b->start[0], b->start);
	dprintf(STDERR_FILENO, "%s: %s\n", b->start[0], g_strerror(errno));
	_exit(127);
}

static bool child_fork(struct attack_back_end *b, GError **err)
{
	if (b->said < 0)
		b->said = memfd_create("ringside-back-end", MFD_CLOEXEC);
	if (b->said < 0 || ftruncate(b->said, 0) != 0 || lseek(b->said, 0, SEEK_SET) != 0)
		return ringside_error_errno(err, errno, "a file for what the back-end prints");
	b->child = fork();
	if (b->child == 0)
		be_child(b);
	if (b->child > 0)
		return true;
	b->child = 0;
	return ringside_error_errno(err, errno, "--start %s", b->start[0]);
}

/* True if it has ended within @ms; *ret_status is wait()'s. */
static bool child_ends(struct attack_back_end *b, unsigned ms, int *ret_status)
{
	int fd = (int)syscall(SYS_pidfd_open, b->child, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	bool ended;

	while (fd >= 0 && poll(&p, 1, (int)ms) < 0 && errno == EINTR)
		;
	if (fd >= 0)
		close(fd);
	ended = waitpid(b->child, ret_status, WNOHANG) == b->child;
	if (ended)
		b->child = 0;
	return ended;
}

static void child_kill(struct attack_back_end *b)
{
	int status;

	if (!b->child)
		return;
	kill(b->child, SIGKILL);
	while (waitpid(b->child, &status, 0) < 0 && errno == EINTR)
		;
	b->child = 0;
}

/* The last line of what it printed that is not empty. */
static char *child_last_words(const struct attack_back_end *b)
{
	char text[1024] = "";
	off_t end = lseek(b->said, 0, SEEK_END), from = MAX(end - (off_t)sizeof(text) + 1, 0);
	ssize_t n = pread(b->said, text, sizeof(text) - 1, from);
	char *line;

	text[MAX(n, 0)] = '\0';
	g_strchomp(text);
	line = strrchr(text, '\n');
	line = g_strndup(line ? line + 1 : text, QUOTED_MAX);
	return g_strcanon(line, PRINTABLE, '?');
}

static void child_tell(const struct attack_back_end *b, int status, char *told, size_t size)
{
	g_autofree char *words = child_last_words(b);

	if (WIFSIGNALED(status))
		g_snprintf(told, size, "signal %d (%s)", WTERMSIG(status),
			   strsignal(WTERMSIG(status)));
	else
		g_snprintf(told, size, "exit status %d", WEXITSTATUS(status));
	if (words[0]) {
		g_strlcat(told, "; it said: ", size);
		g_strlcat(told, words, size);
	}
}

static bool child_await_socket(struct attack_back_end *b, GError **err)
{
	uint64_t until = now_ms() + START_MS;
	g_autoptr(GError) why = NULL;
	int status;

	for (;;) {
		g_clear_error(&why);
		if (back_end_greet(b, &why))
			return true;
		if (child_ends(b, 20, &status)) {
			char told[200];

			child_tell(b, status, told, sizeof(told));
			return ringside_usage(err, "--start %s: it has ended: %s", b->start[0],
					      told);
		}
		if (now_ms() >= until)
			return ringside_usage(err, "--start %s: after %u s: %s", b->start[0],
					      START_MS / 1000, why->message);
	}
}

bool back_end_start(struct attack_back_end *b, GError **err)
{
	back_end_close(b);
	if (!b->start)
		return back_end_greet(b, err);
	remove_socket(b->path);
	return child_fork(b, err) && child_await_socket(b, err);
}

void back_end_stop(struct attack_back_end *b)
{
	int status;

	back_end_close(b);
	if (b->child && kill(b->child, SIGTERM) == 0)
		(void)child_ends(b, 3000, &status);
	child_kill(b);
	if (b->said >= 0)
		close(b->said);
	b->said = -1;
}

/*
 * The connection.
 */
bool back_end_offered(struct attack_back_end *b, uint64_t *ret, GError **err)
{
	if (!b->connected && !back_end_greet(b, err))
		return false;
	*ret = b->peer.features & FEATURES;
	return true;
}

bool back_end_connect(struct attack_back_end *b, uint64_t features, unsigned n_rings, GError **err)
{
	const struct drv_config ring = {
		.size = ATTACK_SIZE,
		.event_idx = features >> VIRTIO_F_EVENT_IDX & 1,
		.packed = features >> VIRTIO_F_RING_PACKED & 1,
	};

	b->features = features;
	b->n_rings = n_rings;
	if (!back_end_greet(b, err) ||
	    !peer_start(&b->peer, n_rings, &ring, features & b->peer.features,
			ATTACK_PAGE + ATTACK_DATA, err))
		return false;
	if (back_end_halt(b))
		return true;
	return peer_fail(err, "the back-end: %s", b->peer.link.wrong);
}

/* The features once more, as after a stop of the virtual machine: a device that needs a reset, as
 * its ring was broken, takes that for one. */
static bool tell_features(struct attack_back_end *b)
{
	return vhu_link_tell_u64(&b->peer.link, VHU_SET_FEATURES,
				 (b->features & b->peer.features) |
					 1ull << VHU_F_PROTOCOL_FEATURES);
}

/* Of a ring that has run before only what makes it run again. The question behind it is there for
 * its answer alone: the ring runs then. */
static bool tell_briefly(struct attack_back_end *b)
{
	struct vhu_link *l = &b->peer.link;
	struct vhu_small base, kick;
	uint64_t features;

	for (unsigned q = 0; q < b->n_rings; q++) {
		const struct vhu_question running = {
			.request = VHU_GET_FEATURES,
			.answer = &features,
			.answer_size = sizeof(features),
			.before = &kick,
		};

		base = peer_base(&b->peer, q);
		kick = peer_kick(&b->peer, q);
		if ((!b->rewound && !vhu_link_tell_small(l, &base)) || !vhu_link_ask(l, &running))
			return false;
	}
	return true;
}

static bool tell_all(struct attack_back_end *b)
{
	for (unsigned q = 0; q < b->n_rings; q++)
		if (!peer_tell_ring(&b->peer, q))
			return false;
	return true;
}

/* Kicks come first, and are found when a ring begins to run. */
bool back_end_run(struct attack_back_end *b, bool reset)
{
	b->rewound &= !reset;
	if ((reset || !b->brief) && !tell_features(b))
		return false;
	for (unsigned q = 0; q < b->n_rings; q++)
		eventfd_signal(b->peer.queue[q].kick_fd);
	return b->brief ? tell_briefly(b) : tell_all(b);
}

/* With the first word for the next time, if there are to be few. */
bool back_end_halt(struct attack_back_end *b)
{
	for (unsigned q = 0; q < b->n_rings; q++) {
		const struct vhu_state state = { .index = q };
		const struct vhu_small base = peer_base(&b->peer, q);
		struct vhu_state answer;
		const struct vhu_question stop = {
			.request = VHU_GET_VRING_BASE,
			.payload = &state,
			.size = sizeof(state),
			.answer = &answer,
			.answer_size = sizeof(answer),
			.patience_ms = b->patience_ms,
			.behind = b->brief ? &base : NULL,
		};

		if (!vhu_link_ask(&b->peer.link, &stop))
			return false;
	}
	b->rewound = b->brief;
	return true;
}

static bool reconnect(struct attack_back_end *b, GError **err)
{
	return back_end_connect(b, b->features, b->n_rings, err);
}

/* One that somebody else started may be started again by them. */
static bool recover_other(struct attack_back_end *b, enum attack_lost *ret, GError **err)
{
	uint64_t until = now_ms() + ANSWERS_NOT;

	*ret = LOST_PROCESS;
	do {
		g_clear_error(err);
		if (reconnect(b, err))
			return true;
		g_usleep(20000);
	} while (now_ms() < until);
	if (b->peer.link.late) /* it takes connections */
		*ret = LOST_TIME;
	return false;
}

bool back_end_recover(struct attack_back_end *b, enum attack_lost *ret, char *told, size_t size,
		      GError **err)
{
	bool late = b->peer.link.late;
	int status;

	g_strlcpy(told, b->peer.link.wrong, size);
	*ret = LOST_CONNECTION;
	if (!late && reconnect(b, NULL))
		return true;
	if (!b->start)
		return recover_other(b, ret, err);
	back_end_close(b);
	if (child_ends(b, late ? 0 : b->patience_ms, &status)) {
		*ret = LOST_PROCESS;
		child_tell(b, status, told, size);
	} else {
		*ret = LOST_TIME;
	}
	return back_end_restart(b, err);
}

bool back_end_restart(struct attack_back_end *b, GError **err)
{
	back_end_close(b);
	child_kill(b);
	return back_end_start(b, err) && reconnect(b, err);
}
