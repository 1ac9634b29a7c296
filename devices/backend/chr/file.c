/* Output to a file. A disk that is full loses output and says so: a guest must not hang on it. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/chr/chr-impl.h"
#include "devices/base/error.h"

static void chr_file_close(struct chr *chr)
{
	struct chr_stream *s = (struct chr_stream *)chr;

	chr_stream_free(s);
	g_free(s);
}

static const struct chr_ops file_ops = {
	.read = chr_stream_read,
	.write = chr_stream_write,
	.want = chr_stream_want,
	.attach = chr_stream_attach,
	.detach = chr_stream_detach,
	.close = chr_file_close,
};

struct chr *chr_file_open(const char *arg, bool append, const char *context, GError **err)
{
	struct chr_stream *s;
	struct stat st;
	/* Not blocking: a named pipe without a reader would keep us here. */
	int fd = open(arg,
		      O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
			      (append ? O_APPEND : O_TRUNC),
		      0666);

	if (fd < 0) {
		ringside_error_errno(err, errno, "%s", context);
		return NULL;
	}
	if (fstat(fd, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISCHR(st.st_mode))) {
		ringside_usage(err, "%s: neither a regular file nor a character device", context);
		close(fd);
		return NULL;
	}
	s = g_new0(struct chr_stream, 1);
	chr_stream_init(s, &file_ops);
	s->fd = fd;
	s->eof = true; /* no input ever */
	s->chr.connected = true;
	s->chr.output_only = true;
	return &s->chr;
}
