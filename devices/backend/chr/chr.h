/*
 * A stream of bytes on the host: a terminal, a file, a pty, a unix socket. What a console talks to;
 * it knows no virtio.
 *
 * A backend never blocks and never ends the process. Bytes are never lost while there is somebody
 * at the other end: chr_write() takes what it can and its user waits for `writable` with the rest.
 * While nobody is there (no client on the socket, nobody has the pty open) the newest
 * CHR_BACKLOG bytes are kept and the first to come gets them; what is older is dropped, so a guest
 * never waits for a reader that may never come.
 *
 * Threads: chr_open() and chr_close() while nothing is attached; all else on the loop given to
 * chr_attach(), where the callbacks come, too.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/base/loop.h"
#include "devices/base/syscalls.h"

#define CHR_BACKLOG (64u << 10) /* bytes kept while nobody is at the other end */

struct chr;

/* Who uses a stream. Any of them may call chr_read(), chr_write() and chr_want(). */
struct chr_user {
	void (*readable)(void *arg);           /* only while wanted: chr_read() has something */
	void (*writable)(void *arg);           /* only while wanted: chr_write() takes something */
	void (*connected)(void *arg, bool on); /* somebody came to the other end, or left */
	void (*resized)(void *arg);            /* chr_size() has a new answer */
	/* The host failed with errno @errnum: the stream goes on, bytes may be lost. */
	void (*trouble)(void *arg, const char *what, int errnum);
};

struct chr_ops {
	size_t (*read)(struct chr *chr, void *buf, size_t len);
	size_t (*write)(struct chr *chr, const void *buf, size_t len);
	void (*want)(struct chr *chr, bool readable, bool writable);
	void (*attach)(struct chr *chr);                               /* chr->loop is set */
	void (*detach)(struct chr *chr);                               /* no callback after this */
	bool (*size)(struct chr *chr, uint16_t *cols, uint16_t *rows); /* NULL: has none */
	void (*close)(struct chr *chr); /* frees, or gives back what belongs to somebody else */
};

/* Who listens to what is written to a stream, whoever writes. On the stream's loop; @data may be
 * guest memory. */
struct chr_tap {
	void (*written)(struct chr_tap *tap, const uint8_t *data, size_t len);
};

/* The part all backends share; theirs begin with it. */
struct chr {
	const struct chr_ops *ops;
	const struct chr_user *user;
	void *arg;
	struct loop *loop;
	struct chr_tap
		*tap;   /* of the stream's user, set before chr_attach(); NULL: nobody listens */
	bool connected; /* somebody is at the other end */
	bool output_only;
	bool taken;                         /* in use by a device: chr_open("stdio") refuses */
	const struct syscall_use *syscalls; /* of the kernel, on its loop's thread; or NULL */
	const char *kept_path; /* a file that it removes by this name in the end, or NULL */
	char *where; /* "/dev/pts/3", what nobody could know before: told to the operator; may be
			NULL. Freed by chr_close() */
};

/*
 * Opens what @spec says:
 *   stdio        @terminal, which is not opened but taken; a usage error if it is NULL or taken
 *   null         takes everything, gives nothing
 *   file:PATH    output to a file, emptied first
 *   append:PATH  output to the end of a file
 *   pty[:LINK]   a new pseudo terminal; LINK becomes a symbolic link to its name
 *   unix:PATH    listens; one client at a time, the next one waits until it leaves
 * NULL with an error that begins with @context, the option as it was given ("--device
 * console,chr=pty").
 */
struct chr *chr_open(const char *spec, struct chr *terminal, const char *context, GError **err);

/* For option help: the forms above in one line. */
#define CHR_SPECS "stdio, null, file:PATH, append:PATH, pty[:LINK] or unix:PATH"

/* Ends it; the backlog that still has somebody to go to is given to the host. NULL is fine. */
void chr_close(struct chr *chr);

/* Callbacks come from now on, on @loop. Nothing is wanted yet. From any thread but with no lock
 * held that code on the loop may take; chr_detach() likewise. */
void chr_attach(struct chr *chr, struct loop *loop, const struct chr_user *user, void *arg);
void chr_detach(struct chr *chr);

/* Up to @len bytes from the other end; 0: none now. */
size_t chr_read(struct chr *chr, void *buf, size_t len);

/* Gives up to @len bytes to the other end; returns how many it took. 0: full, want writable. */
size_t chr_write(struct chr *chr, const void *buf, size_t len);

/* Which callbacks are wanted from now on. Cheap when nothing changes. */
void chr_want(struct chr *chr, bool readable, bool writable);

/* Columns and rows, if the other end has any. */
bool chr_size(struct chr *chr, uint16_t *cols, uint16_t *rows);
