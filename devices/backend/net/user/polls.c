#include "devices/backend/net/user/polls.h"

struct polls_fd {
	GPollFD pfd;
	bool wanted;
};

void polls_init(struct polls *p, GSource *source)
{
	*p = (struct polls){ .source = source };
	p->all = g_ptr_array_new_with_free_func(g_free);
	p->order = g_ptr_array_new();
}

void polls_free(struct polls *p)
{
	g_clear_pointer(&p->all, g_ptr_array_unref);
	g_clear_pointer(&p->order, g_ptr_array_unref);
}

static struct polls_fd *nth(const GPtrArray *array, unsigned i)
{
	return g_ptr_array_index(array, i);
}

void polls_begin(struct polls *p)
{
	p->next = 0;
	g_ptr_array_set_size(p->order, 0);
	for (unsigned i = 0; i < p->all->len; i++)
		nth(p->all, i)->wanted = false;
}

/* The entry of @fd, searched from where it is expected, or NULL. */
static struct polls_fd *find(struct polls *p, int fd)
{
	for (unsigned i = 0; i < p->all->len; i++) {
		unsigned at = (p->next + i) % p->all->len;

		if (nth(p->all, at)->pfd.fd == fd) {
			p->next = at + 1;
			return nth(p->all, at);
		}
	}
	return NULL;
}

unsigned polls_want(struct polls *p, int fd, GIOCondition events)
{
	struct polls_fd *f = find(p, fd);

	if (!f) {
		f = g_new0(struct polls_fd, 1);
		f->pfd.fd = fd;
		g_ptr_array_add(p->all, f);
		g_source_add_poll(p->source, &f->pfd);
	}
	f->wanted = true;
	f->pfd.events = (gushort)events;
	g_ptr_array_add(p->order, f);
	return p->order->len - 1;
}

void polls_end(struct polls *p)
{
	if (p->order->len == p->all->len)
		return;
	for (unsigned i = p->all->len; i-- > 0;) {
		if (nth(p->all, i)->wanted)
			continue;
		g_source_remove_poll(p->source, &nth(p->all, i)->pfd);
		g_ptr_array_remove_index(p->all, i);
	}
}

bool polls_ready(const struct polls *p)
{
	for (unsigned i = 0; i < p->order->len; i++)
		if (nth(p->order, i)->pfd.revents)
			return true;
	return false;
}

GIOCondition polls_revents(const struct polls *p, unsigned index)
{
	return nth(p->order, index)->pfd.revents;
}

int polls_fd(const struct polls *p, unsigned index)
{
	return nth(p->order, index)->pfd.fd;
}
