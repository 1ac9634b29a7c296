/*
 * How long the control socket takes to answer: `ask PATH N` says query-status N times, one at a
 * time, and prints the median, the 99th percentile and the worst, in microseconds. Run by
 * tools/bench/storm.
 */
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		g_error("%s: %s", path, g_strerror(errno));
	return fd;
}

/* Reads up to the end of a line. */
static void hear(int fd)
{
	char buf[4096];
	ssize_t n;

	do {
		n = read(fd, buf, sizeof(buf));
		if (n <= 0)
			g_error("the other end hung up");
	} while (buf[n - 1] != '\n');
}

static void ask(int fd, const char *command)
{
	g_autofree char *line = g_strdup_printf("{\"execute\":\"%s\"}\n", command);

	if (write(fd, line, strlen(line)) != (ssize_t)strlen(line))
		g_error("the other end takes no more");
	hear(fd);
}

static int compare(const void *a, const void *b)
{
	const gint64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	unsigned n = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	g_autofree gint64 *us = g_new(gint64, n);
	int fd;

	if (!n)
		g_error("it takes a socket's path and a number");
	fd = connect_to(argv[1]);
	hear(fd); /* the greeting */
	ask(fd, "qmp_capabilities");
	for (unsigned i = 0; i < n; i++) {
		gint64 begin = g_get_monotonic_time();

		ask(fd, "query-status");
		us[i] = g_get_monotonic_time() - begin;
	}
	close(fd);
	qsort(us, n, sizeof(us[0]), compare);
	printf("%8" G_GINT64_FORMAT " %8" G_GINT64_FORMAT " %9" G_GINT64_FORMAT "\n", us[n / 2],
	       us[n * 99ul / 100], us[n - 1]);
	return 0;
}
