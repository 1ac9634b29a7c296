#include "devices/backend/net/user/pollfds.h"

struct pollfds_entry {
	GPollFD pfd;
	bool wanted;
};

void pollfds_init(struct pollfds *p, GSource *source)
{
	*p = (struct pollfds){ .source = source };
	p->all = g_ptr_array_new_with_free_func(g_free);
	p->order = g_ptr_array_new();
}

void pollfds_free(struct pollfds *p)
{
	g_clear_pointer(&p->all, g_ptr_array_unref);
	g_clear_pointer(&p->order, g_ptr_array_unref);
}

static struct pollfds_entry *pollfds_nth(const GPtrArray *array, unsigned i)
{
	return g_ptr_array_index(array, i);
}

void pollfds_begin(struct pollfds *p)
{
	p->next = 0;
	g_ptr_array_set_size(p->order, 0);
	for (unsigned i = 0; i < p->all->len; i++)
		pollfds_nth(p->all, i)->wanted = false;
}

/* The entry of @fd, searched from where it is expected, or NULL. */
static struct pollfds_entry *pollfds_find(struct pollfds *p, int fd)
{
	for (unsigned i = 0; i < p->all->len; i++) {
		unsigned at = (p->next + i) % p->all->len;

		if (pollfds_nth(p->all, at)->pfd.fd == fd) {
			p->next = at + 1;
			return pollfds_nth(p->all, at);
		}
	}
	return NULL;
}

unsigned pollfds_want(struct pollfds *p, int fd, GIOCondition events)
{
	struct pollfds_entry *f = pollfds_find(p, fd);

	if (!f) {
		f = g_new0(struct pollfds_entry, 1);
		f->pfd.fd = fd;
		g_ptr_array_add(p->all, f);
		g_source_add_poll(p->source, &f->pfd);
	}
	f->wanted = true;
	f->pfd.events = (gushort)events;
	g_ptr_array_add(p->order, f);
	return p->order->len - 1;
}

void pollfds_end(struct pollfds *p)
{
	if (p->order->len == p->all->len)
		return;
	for (unsigned i = p->all->len; i-- > 0;) {
		if (pollfds_nth(p->all, i)->wanted)
			continue;
		g_source_remove_poll(p->source, &pollfds_nth(p->all, i)->pfd);
		g_ptr_array_remove_index(p->all, i);
	}
}

bool pollfds_ready(const struct pollfds *p)
{
	for (unsigned i = 0; i < p->order->len; i++)
		if (pollfds_nth(p->order, i)->pfd.revents)
			return true;
	return false;
}

GIOCondition pollfds_revents(const struct pollfds *p, unsigned index)
{
	return pollfds_nth(p->order, index)->pfd.revents;
}

int pollfds_fd(const struct pollfds *p, unsigned index)
{
	return pollfds_nth(p->order, index)->pfd.fd;
}
