#include "vmm/machine/unanswered.h"

#include <glib.h>
#include <pthread.h>

struct place {
	struct unanswered u;
	uint64_t key;
	uint64_t rank; /* accesses, and those of whoever gave way */
};

struct unanswered_table {
	pthread_mutex_t lock; /* of all below */
	uint64_t all;
	unsigned n;
	struct place place[UNANSWERED_MAX];
};

struct unanswered_table *unanswered_new(void)
{
	struct unanswered_table *t = g_new0(struct unanswered_table, 1);

	pthread_mutex_init(&t->lock, NULL);
	return t;
}

void unanswered_free(struct unanswered_table *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->lock);
	g_free(t);
}

static struct place *find_place(struct unanswered_table *t, bool io, uint64_t key)
{
	for (unsigned i = 0; i < t->n; i++)
		if (t->place[i].key == key && t->place[i].u.io == io)
			return &t->place[i];
	return NULL;
}

static struct place *make_place(struct unanswered_table *t, bool io, uint64_t addr, uint64_t key)
{
	struct place *p = &t->place[0];

	if (t->n < UNANSWERED_MAX)
		p = &t->place[t->n++];
	else
		for (unsigned i = 1; i < UNANSWERED_MAX; i++)
			if (t->place[i].rank < p->rank)
				p = &t->place[i];
	*p = (struct place){
		.u = { .io = io, .exact = p->rank == 0, .addr = addr },
		.key = key,
		.rank = p->rank,
	};
	return p;
}

void unanswered_add(struct unanswered_table *t, bool io, uint64_t addr, unsigned len, bool write)
{
	uint64_t key = io ? addr : addr / UNANSWERED_PAGE;
	struct place *p;

	pthread_mutex_lock(&t->lock);
	p = find_place(t, io, key);
	if (!p)
		p = make_place(t, io, addr, key);
	p->u.several |= p->u.addr != addr;
	p->u.addr = addr;
	p->u.len = len;
	p->rank++;
	if (write)
		p->u.writes++;
	else
		p->u.reads++;
	t->all++;
	pthread_mutex_unlock(&t->lock);
}

static bool comes_before(const struct unanswered *p, const struct unanswered *q)
{
	uint64_t x = p->reads + p->writes, y = q->reads + q->writes;

	return x > y || (x == y && p->addr < q->addr);
}

/* Not qsort(): for more than a kilobyte the C library asks how much memory the host has, a system
 * call that no sealed thread may make. */
static void sort_places(struct unanswered *u, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		const struct unanswered one = u[i];
		unsigned at = i;

		for (; at > 0 && comes_before(&one, &u[at - 1]); at--)
			u[at] = u[at - 1];
		u[at] = one;
	}
}

unsigned unanswered_get(struct unanswered_table *t, struct unanswered ret[UNANSWERED_MAX],
			uint64_t *ret_all)
{
	unsigned n;

	pthread_mutex_lock(&t->lock);
	n = t->n;
	for (unsigned i = 0; i < n; i++)
		ret[i] = t->place[i].u;
	*ret_all = t->all;
	pthread_mutex_unlock(&t->lock);
	sort_places(ret, n);
	return n;
}

void unanswered_reset(struct unanswered_table *t)
{
	pthread_mutex_lock(&t->lock);
	t->n = 0;
	t->all = 0;
	for (unsigned i = 0; i < UNANSWERED_MAX; i++)
		t->place[i] = (struct place){ 0 };
	pthread_mutex_unlock(&t->lock);
}
