/* Text and memory. */
#include "guest-fw/fw.h"

#include <string.h>

#define SERIAL_PORT 0x3f8
#define MEMORY      (8u << 20)
#define PAGE        4096u

struct line {
	char text[512];
	size_t n;
};

/* The compiler calls the first two by itself; the others are for what we share with programs of the
 * host. */
void *memset(void *to, int byte, size_t n)
{
	void *at = to;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(byte) : "memory");
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *at = to;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
	return to;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; a++, b++, n--)
		if (*a != *b || !*a)
			return (uint8_t)*a - (uint8_t)*b;
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
	while (*s && *s != (char)c)
		s++;
	return *s == (char)c ? (char *)s : NULL;
}

/*
 * Printing.
 */
static void fw_text_put(struct line *l, char c)
{
	if (l->n < sizeof(l->text))
		l->text[l->n++] = c;
}

static void put_text(struct line *l, const char *s)
{
	while (*s)
		fw_text_put(l, *s++);
}

static void put_number(struct line *l, uint64_t n, unsigned base)
{
	char digits[20];
	unsigned i = 0;

	do
		digits[i++] = "0123456789abcdef"[n % base];
	while (n /= base);
	while (i)
		fw_text_put(l, digits[--i]);
}

static void put_char(struct line *l, char c)
{
	if (c == '\n')
		fw_text_put(l, '\r');
	fw_text_put(l, c);
}

/* NOLINTBEGIN(clang-analyzer-valist.Uninitialized): clang-tidy 14 knows va_start() in the first
 * file of a run only */

/* @kind: u, d or x. */
static void put_integer(struct line *l, char kind, bool wide, bool prefix, va_list *args)
{
	uint64_t n = wide ? va_arg(*args, uint64_t) : va_arg(*args, uint32_t);
	bool minus = kind == 'd' && (wide ? (int64_t)n : (int32_t)n) < 0;

	if (prefix && n)
		put_text(l, "0x");
	if (minus)
		fw_text_put(l, '-');
	if (minus)
		n = wide ? -n : (uint32_t)-n;
	put_number(l, n, kind == 'x' ? 16 : 10);
}

static void put_all(struct line *l, const char *format, va_list *args)
{
	for (; *format; format++) {
		bool wide = false, prefix = false;

		if (*format != '%') {
			put_char(l, *format);
			continue;
		}
		for (format++; *format == '#' || *format == 'l' || *format == 'z'; format++)
			*(*format == '#' ? &prefix : &wide) = true;
		if (*format == 's')
			put_text(l, va_arg(*args, const char *));
		else if (*format == 'c')
			fw_text_put(l, (char)va_arg(*args, int));
		else
			put_integer(l, *format, wide, prefix, args);
	}
}

void say_args(const char *format, va_list args)
{
	struct line l = { .n = 0 };
	va_list copy;

	va_copy(copy, args); /* as a parameter its address is of another type */
	put_all(&l, format, &copy);
	va_end(copy);
	fw_out(SERIAL_PORT, l.text, l.n);
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say_args(format, args);
	va_end(args);
}
/* NOLINTEND(clang-analyzer-valist.Uninitialized) */

/* A monitor knows a guest that failed by these words, followed by a reset. */
void fw_panic(const char *why)
{
	say("Kernel panic - not syncing: guest-fw: %s\n", why);
	machine_reset();
}

/* Where an exception ends: called by start.S. */
_Noreturn void fw_fault(uint64_t vector, uint64_t error, uint64_t where, uint64_t cr2);

void fw_fault(uint64_t vector, uint64_t error, uint64_t where, uint64_t cr2)
{
	say("exception %lu, error code %lx, at %lx, cr2 %lx\n", vector, error, where, cr2);
	fw_panic("an exception");
}

/*
 * Words.
 */
bool fw_same(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	while (n && *x == *y)
		x++, y++, n--;
	return n == 0;
}

bool fw_same_text(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static bool is_end(char c)
{
	return c == '\0' || c == ' ';
}

/* If @text begins with all of @word, what follows it. */
static const char *fw_text_after(const char *text, const char *word)
{
	while (*word && *text == *word)
		text++, word++;
	return *word ? NULL : text;
}

const char *fw_option(const char *name)
{
	const char *at = fw.cmdline, *rest;

	while (at && *at) {
		rest = fw_text_after(at, name);
		if (rest && (*rest == '=' || is_end(*rest)))
			return *rest == '=' ? rest + 1 : "";
		while (!is_end(*at))
			at++;
		while (*at == ' ')
			at++;
	}
	return NULL;
}

bool fw_option_is(const char *name, const char *value)
{
	const char *at = fw_option(name), *rest = at ? fw_text_after(at, value) : NULL;

	return rest && is_end(*rest);
}

uint64_t fw_option_number(const char *name, uint64_t default_value)
{
	const char *at = fw_option(name);
	uint64_t n = 0;

	if (!at || is_end(*at))
		return default_value;
	for (; *at >= '0' && *at <= '9'; at++)
		n = n * 10 + (uint64_t)(*at - '0');
	return n;
}

/*
 * Memory.
 */
void *fw_take(size_t bytes)
{
	static uint8_t memory[MEMORY] __attribute__((aligned(PAGE)));
	uint8_t *at = memory + fw.taken;

	bytes = (bytes + PAGE - 1) / PAGE * PAGE;
	if (bytes > MEMORY - fw.taken)
		fw_panic("out of memory");
	fw.taken += bytes;
	memset(at, 0, bytes);
	return at;
}

size_t fw_taken(void)
{
	return fw.taken;
}

void fw_give_back(size_t mark)
{
	fw.taken = mark;
}
