/*
 * What the guest's userland needs and busybox lacks: one program, named by its links.
 *
 *   dread DEV COUNT SIZE         COUNT reads of SIZE bytes, one at a time, past the page cache;
 * prints "COUNT reads, N ns each" by CLOCK_MONOTONIC. Starts over at the end. dwrite DEV COUNT SIZE
 * the same with writes (destroys what is there), flushed once at the end evread DEV COUNT SECONDS
 * prints "type code value" of up to COUNT events, decimal, one a line; 1 when the seconds passed
 * first evinfo DEV                   prints "keys N rel N abs N mt N leds N", how many of each the
 * device has evkey DEV CODE               waits until that key is pressed vecho PORT BYTES sends
 * back what PORT says until BYTES went through vsend CID PORT              connects by AF_VSOCK and
 * sends what it reads vrecv PORT COUNT            listens, and writes what COUNT connections send,
 * one after the other
 *
 * Freestanding: with a static libc it would be most of the image. Exit status 0, 1 for a failure
 * (which is named on stderr with its error number), 2 for wrong usage.
 */
/* libc's headers for their numbers; none of its functions is linked */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/input.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

typedef unsigned long word;

static long call(long nr, word a, word b, word c, word d)
{
	long ret;
	register word r10 __asm__("r10") = d;
	register word r8 __asm__("r8") = ~0UL; /* mmap's file descriptor: none */
	register word r9 __asm__("r9") = 0;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/* ---- text */

static word length(const char *s)
{
	word n = 0;

	while (s[n])
		n++;
	return n;
}

static int same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static void say(int fd, const char *s)
{
	call(SYS_write, fd, (word)s, length(s), 0);
}

/* Writes the number and what follows it, in one piece each. */
static void say_number(long value, const char *after)
{
	char text[24], *at = text + sizeof(text);
	word left = value < 0 ? -(word)value : (word)value;

	*--at = 0;
	do
		*--at = '0' + left % 10;
	while (left /= 10);
	if (value < 0)
		*--at = '-';
	say(1, at);
	say(1, after);
}

static void leave(int status) __attribute__((noreturn));
static void leave(int status)
{
	for (;;)
		call(SYS_exit_group, status, 0, 0, 0);
}

/* Passes a result on, or ends the program with its error's number. */
static long need(long result, const char *what)
{
	if (result >= 0)
		return result;
	say(2, what);
	say(2, ": error ");
	call(SYS_dup2, 2, 1, 0, 0);
	say_number(-result, "\n");
	leave(1);
}

static word number(const char *s)
{
	word n = 0;

	if (!*s)
		leave(2);
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			leave(2);
		n = n * 10 + (*s - '0');
	}
	return n;
}

static word now(void)
{
	struct timespec t = { 0 }; /* by the kernel, which no analyser sees */

	call(SYS_clock_gettime, CLOCK_MONOTONIC, (word)&t, 0, 0);
	return t.tv_sec * 1000000000UL + t.tv_nsec;
}

static int open_or_leave(const char *path, int flags)
{
	return need(call(SYS_open, (word)path, flags, 0, 0), path);
}

/* ---- disks */

static int direct(char **argv, int writing)
{
	word count = number(argv[2]), size = number(argv[3]), end = 0, at = 0, start, i;
	int fd = open_or_leave(argv[1], O_DIRECT | (writing ? O_RDWR : O_RDONLY));
	long buf =
		need(call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS),
		     "memory");

	if (call(SYS_ioctl, fd, BLKGETSIZE64, (word)&end, 0) < 0)
		end = need(call(SYS_lseek, fd, 0, 2, 0), argv[1]);
	if (count == 0 || size == 0 || size > end)
		leave(2);
	start = now();
	for (i = 0; i < count; i++) {
		long got = call(writing ? SYS_pwrite64 : SYS_pread64, fd, buf, size, at);

		if (need(got, argv[1]) != (long)size)
			leave(1);
		at += size;
		if (at > end - size)
			at = 0;
	}
	if (writing)
		need(call(SYS_fsync, fd, 0, 0, 0), argv[1]);
	start = now() - start;
	say_number(count, writing ? " writes, " : " reads, ");
	say_number(start / count, " ns each\n");
	return 0;
}

static int dread(char **argv)
{
	return direct(argv, 0);
}

static int dwrite(char **argv)
{
	return direct(argv, 1);
}

/* ---- input */

static void say_event(const struct input_event *e)
{
	say_number(e->type, " ");
	say_number(e->code, " ");
	say_number(e->value, "\n");
}

static int evread(char **argv)
{
	word count = number(argv[2]), end = now() + number(argv[3]) * 1000000000UL, at;
	struct pollfd p = { .fd = open_or_leave(argv[1], O_RDONLY), .events = POLLIN };

	while (count > 0) {
		struct input_event e = { 0 };

		at = now();
		if (at >= end || call(SYS_poll, (word)&p, 1, (end - at) / 1000000 + 1, 0) == 0)
			return 1;
		if (need(call(SYS_read, p.fd, (word)&e, sizeof(e), 0), argv[1]) != sizeof(e))
			return 1;
		say_event(&e);
		count--;
	}
	return 0;
}

/* How many codes of a type the device has. */
static word codes(int fd, unsigned type, const char *name)
{
	unsigned char bits[KEY_CNT / 8] = { 0 };
	word n = 0, i;

	call(SYS_ioctl, fd, EVIOCGBIT(type, sizeof(bits)), (word)bits, 0);
	for (i = 0; i < sizeof(bits) * 8; i++)
		n += bits[i / 8] >> (i % 8) & 1;
	say(1, name);
	say_number(n, " ");
	return n;
}

static int evinfo(char **argv)
{
	int fd = open_or_leave(argv[1], O_RDONLY);
	unsigned char abs[ABS_CNT / 8] = { 0 };

	codes(fd, EV_KEY, "keys ");
	codes(fd, EV_REL, "rel ");
	codes(fd, EV_ABS, "abs ");
	call(SYS_ioctl, fd, EVIOCGBIT(EV_ABS, sizeof(abs)), (word)abs, 0);
	say(1, "mt ");
	say_number(abs[ABS_MT_SLOT / 8] >> (ABS_MT_SLOT % 8) & 1, " ");
	codes(fd, EV_LED, "leds ");
	say(1, "\n");
	return 0;
}

static int evkey(char **argv)
{
	int fd = open_or_leave(argv[1], O_RDONLY);
	word code = number(argv[2]);
	struct input_event e = { 0 };

	do {
		if (need(call(SYS_read, fd, (word)&e, sizeof(e), 0), argv[1]) != sizeof(e))
			return 1;
	} while (e.type != EV_KEY || e.code != code || e.value != 1);
	return 0;
}

/* ---- console ports */

static int vecho(char **argv)
{
	static char buf[65536];
	word left = number(argv[2]);
	int fd = open_or_leave(argv[1], O_RDWR);

	while (left > 0) {
		long got = need(
			call(SYS_read, fd, (word)buf, left < sizeof(buf) ? left : sizeof(buf), 0),
			argv[1]);
		long done = 0;

		if (got == 0)
			return 1; /* the host hung up */
		while (done < got)
			done += need(call(SYS_write, fd, (word)buf + done, got - done, 0), argv[1]);
		left -= got;
	}
	return 0;
}

/* ---- sockets to the host */

static void pump(int from, int to)
{
	static char buf[65536];
	long got;

	while ((got = need(call(SYS_read, from, (word)buf, sizeof(buf), 0), "read")) > 0)
		for (long done = 0; done < got;)
			done += need(call(SYS_write, to, (word)buf + done, got - done, 0), "write");
}

static int vsock_socket(void)
{
	return need(call(SYS_socket, AF_VSOCK, SOCK_STREAM, 0, 0), "socket");
}

/* It ends when the peer says that it sends nothing, which some say at once. */
static int vsend(char **argv)
{
	struct sockaddr_vm to = { .svm_family = AF_VSOCK,
				  .svm_cid = number(argv[1]),
				  .svm_port = number(argv[2]) };
	int fd = vsock_socket();
	char end;

	need(call(SYS_connect, fd, (word)&to, sizeof(to), 0), "connect");
	pump(0, fd);
	need(call(SYS_shutdown, fd, SHUT_WR, 0, 0), "shutdown");
	return call(SYS_read, fd, (word)&end, 1, 0) != 0;
}

static int vrecv(char **argv)
{
	struct sockaddr_vm at = { .svm_family = AF_VSOCK,
				  .svm_cid = VMADDR_CID_ANY,
				  .svm_port = number(argv[1]) };
	word left = number(argv[2]);
	int fd = vsock_socket();

	need(call(SYS_bind, fd, (word)&at, sizeof(at), 0), "bind");
	need(call(SYS_listen, fd, 64, 0, 0), "listen");
	for (; left > 0; left--) {
		int peer = need(call(SYS_accept, fd, 0, 0, 0), "accept");

		pump(peer, 1);
		call(SYS_close, peer, 0, 0, 0);
	}
	return 0;
}

/* ---- which of them */

static const struct tool {
	const char *name;
	int n_args;
	int (*run)(char **argv);
} tools[] = {
	{ "dread", 3, dread },   { "dwrite", 3, dwrite }, { "evread", 3, evread },
	{ "evinfo", 1, evinfo }, { "evkey", 2, evkey },   { "vecho", 2, vecho },
	{ "vsend", 2, vsend },   { "vrecv", 2, vrecv },
};

static const char *base_name(const char *path)
{
	const char *base = path;

	for (; *path; path++)
		if (*path == '/')
			base = path + 1;
	return base;
}

__attribute__((used)) static int begin(const word *stack)
{
	int argc = stack[0];
	char **argv = (char **)(stack + 1);
	word i;

	for (i = 0; argc > 0 && i < sizeof(tools) / sizeof(tools[0]); i++) {
		if (same(base_name(argv[0]), tools[i].name)) {
			if (argc - 1 == tools[i].n_args)
				leave(tools[i].run(argv));
			say(2, "wrong usage; see tools/image/guest-tools.c\n");
			leave(2);
		}
	}
	for (i = 0; i < sizeof(tools) / sizeof(tools[0]);
	     i++) { /* by its own name: the list of its links */
		say(1, tools[i].name);
		say(1, "\n");
	}
	leave(0);
}

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begin\n");
