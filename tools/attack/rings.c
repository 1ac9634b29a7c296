/*
 * Memory is filled with noise that is new for each input, so that a byte which was written is known
 * by its change; one that is written as it was goes unseen, once in 256 times. What a device may
 * write is worked out generously: a chain is followed further than any device would.
 */
#include "tools/attack/rings-int.h"

#include <assert.h>
#include <string.h>

#define DEPTH 2u   /* of tables in tables, which no device may follow */
#define PART  256u /* bytes that are compared at once */
static_assert(ATTACK_PAGE % PART == 0 && ATTACK_DATA % PART == 0, "memory ends with a part");

static const char *const names[] = {
	[ATTACK_FINE] = "fine",
	[ATTACK_CLOSED] = "closed",
	[ATTACK_DIED] = "died",
	[ATTACK_HUNG] = "hung",
	[ATTACK_DEAF] = "deaf",
	[ATTACK_LATE] = "late",
	[ATTACK_USED_INDEX] = "used-index",
	[ATTACK_USED_ID] = "used-id",
	[ATTACK_USED_TWICE] = "used-twice",
	[ATTACK_USED_LENGTH] = "used-length",
	[ATTACK_WROTE] = "wrote-outside",
};
static_assert(G_N_ELEMENTS(names) == ATTACK_N_VERDICTS, "name every verdict");

const char *attack_verdict_name(enum attack_verdict v)
{
	return names[v];
}

static const struct attack_layout *rings_layout(const struct attack_rings *a)
{
	return attack_is_packed(a->in) ? &attack_packed : &attack_split;
}

static size_t rings_end(const struct attack_rings *a)
{
	return attack_memory_end(a->in);
}

/*
 * Into the memory.
 */
static void place_noise(struct attack_rings *a)
{
	uint64_t random = 0x9e3779b97f4a7c15u;

	for (size_t i = 0; a->rounds == 0 && i < sizeof(a->noise); i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		a->noise[i] = (uint8_t)random;
	}
	memcpy(a->before, a->noise + a->rounds++ % ATTACK_MEMORY, rings_end(a));
}

void attack_place_split(uint8_t *table, unsigned i, const struct attack_desc *d)
{
	const struct vring_desc to = { cpu_le64(d->addr), cpu_le32(d->len), cpu_le16(d->flags),
				       cpu_le16(d->next) };

	memcpy(table + i * sizeof(to), &to, sizeof(to));
}

void attack_place_packed(uint8_t *table, unsigned i, const struct attack_desc *d)
{
	const struct vring_packed_desc to = {
		.addr = cpu_le64(d->addr),
		.rest = cpu_le64(vring_packed_rest(d->len, d->next, d->flags)),
	};

	memcpy(table + i * sizeof(to), &to, sizeof(to));
}

static void place_tables(struct attack_rings *a)
{
	uint8_t *at = a->before + attack_tables_at(a->in);

	for (unsigned i = 0; i < ATTACK_ENTRIES; i++)
		if (attack_is_packed(a->in))
			attack_place_packed(at, i, &a->in->table[i]);
		else
			attack_place_split(at, i, &a->in->table[i]);
}

/*
 * What may be written.
 */
void attack_allow(struct attack_rings *a, uint64_t at, uint64_t len)
{
	if (at < rings_end(a))
		memset(a->may + at, 1, MIN(len, rings_end(a) - at));
}

/* Entry @i of a table, wherever that is. */
static struct attack_desc walk_entry(const struct attack_walk *w, uint64_t table, uint64_t i)
{
	const uint8_t *at = w->a->before + table + i * sizeof(struct vring_desc);
	struct vring_packed_desc packed;
	struct vring_desc split;

	memcpy(&packed, at, sizeof(packed));
	memcpy(&split, at, sizeof(split));
	if (attack_is_packed(w->a->in))
		return (struct attack_desc){ le64_cpu(packed.addr), le32_cpu(packed.len),
					     le16_cpu(packed.flags), le16_cpu(packed.id) };
	return (struct attack_desc){ le64_cpu(split.addr), le32_cpu(split.len),
				     le16_cpu(split.flags), le16_cpu(split.next) };
}

static uint64_t walk_desc(struct attack_walk *w, const struct attack_desc *d, unsigned depth);

/* Of a packed ring's table all entries count, one after the other (2.8.7). */
static uint64_t walk_entries(struct attack_walk *w, uint64_t table, uint64_t n, unsigned depth)
{
	bool packed = attack_is_packed(w->a->in);
	uint64_t bytes = 0, i = 0;

	for (unsigned left = ATTACK_FOLLOWED; left && i < n; left--) {
		struct attack_desc d = walk_entry(w, table, i);

		bytes += walk_desc(w, &d, depth);
		if (!packed && !(d.flags & VRING_DESC_F_NEXT))
			break;
		i = packed ? i + 1 : d.next;
	}
	return bytes;
}

static uint64_t walk_table(struct attack_walk *w, const struct attack_desc *d, unsigned depth)
{
	size_t end = rings_end(w->a);
	uint64_t len;

	if (d->addr >= end || !depth)
		return 0;
	len = MIN(d->len, end - d->addr);
	if (w->n_tables == G_N_ELEMENTS(w->table)) {
		w->lost = true;
		return 0;
	}
	w->table[w->n_tables].at = d->addr;
	w->table[w->n_tables++].end = d->addr + len;
	return walk_entries(w, d->addr, len / sizeof(struct vring_desc), depth - 1);
}

static uint64_t walk_desc(struct attack_walk *w, const struct attack_desc *d, unsigned depth)
{
	uint64_t bytes = 0;

	if (d->flags & VRING_DESC_F_INDIRECT)
		bytes += walk_table(w, d, depth);
	if (d->flags & VRING_DESC_F_WRITE) {
		attack_allow(w->a, d->addr, d->len);
		bytes += d->len;
	}
	return bytes;
}

uint64_t attack_walk_desc(struct attack_walk *w, const struct attack_desc *d)
{
	return walk_desc(w, d, DEPTH);
}

static unsigned account_find(const struct attack_account *account, uint32_t id)
{
	unsigned i = 0;

	while (i < account->n && account->chain[i].id != id)
		i++;
	return i;
}

/* Of two chains of the same id either may be the one. */
void attack_note_chain(struct attack_rings *a, unsigned r, uint32_t id, uint64_t writable,
		       uint32_t times)
{
	struct attack_account *account = &a->account[r];
	unsigned i = account_find(account, id);

	g_assert(i < ATTACK_SIZE);
	account->n = MAX(account->n, i + 1);
	account->chain[i].id = id;
	account->chain[i].writable = MAX(account->chain[i].writable, writable);
	account->chain[i].available += times;
	account->available += times;
}

static bool may_any(const struct attack_rings *a, uint64_t at, uint64_t end)
{
	return end > at && memchr(a->may + at, 1, end - at);
}

/* Does the device write over a table that it reads? */
static bool walk_is_over_table(const struct attack_walk *w)
{
	for (unsigned i = 0; i < w->n_tables; i++)
		if (may_any(w->a, w->table[i].at, w->table[i].end))
			return true;
	return false;
}

static void work_out(struct attack_rings *a)
{
	struct attack_walk w = { .a = a };

	memcpy(a->might, a->may, rings_end(a));
	memset(a->may, 0, rings_end(a));
	memset(a->account, 0, sizeof(a->account));
	for (unsigned r = 0; r < a->in->kind->n_rings; r++)
		rings_layout(a)->walk(&w, r);
	a->muddled = w.lost || may_any(a, 0, attack_data_at(a->in));
	for (unsigned r = 0; r < a->in->kind->n_rings; r++)
		rings_layout(a)->allow(a, r);
	a->muddled |= walk_is_over_table(&w); /* which may be a ring, with what is used in it */
}

void attack_place(struct attack_rings *a, const struct attack_input *in)
{
	a->in = in;
	g_assert(rings_end(a) <= a->peer->memory_size);
	place_noise(a);
	place_tables(a);
	for (unsigned i = 0; i < in->n_headers; i++)
		memcpy(a->before + in->header[i].at, in->header[i].bytes, in->header[i].len);
	for (unsigned r = 0; r < in->kind->n_rings; r++)
		rings_layout(a)->place(a, r);
	work_out(a);
	memcpy(a->peer->memory, a->before, rings_end(a));
}

/*
 * Afterwards.
 */
unsigned attack_used(const struct attack_rings *a, unsigned r)
{
	return rings_layout(a)->used(a, r);
}

bool attack_all_used(const struct attack_rings *a)
{
	for (unsigned r = 0; r < a->in->kind->n_rings; r++)
		if (attack_used(a, r) < MIN(a->account[r].available, UINT16_MAX))
			return false;
	return true;
}

/* Of PART bytes from @at on the first that was written and was not to be; or their end. Most of
 * memory is as it was. */
static size_t find_write(const struct attack_rings *a, size_t at)
{
	const uint8_t *now = a->peer->memory;
	const size_t end = at + PART;

	if (memcmp(now + at, a->before + at, PART) == 0)
		return end;
	while (at < end && (now[at] == a->before[at] || a->may[at]))
		at++;
	return at;
}

static enum attack_verdict judge_writes(struct attack_rings *a)
{
	for (size_t at = 0; at < rings_end(a); at += PART) {
		size_t i = find_write(a, at);

		if (i == at + PART)
			continue;
		g_snprintf(a->told, sizeof(a->told),
			   "guest address 0x%zx, where nothing was to be written", i);
		a->late = a->might[i];
		return ATTACK_WROTE;
	}
	return ATTACK_FINE;
}

static enum attack_verdict judge_element(struct attack_rings *a, unsigned r, unsigned i)
{
	struct attack_account *account = &a->account[r];
	uint32_t id, len;
	unsigned c;

	rings_layout(a)->element(a, r, i, &id, &len);
	g_snprintf(a->told, sizeof(a->told), "ring %u, used element %u: id %u, length %u", r, i, id,
		   len);
	c = account_find(account, id);
	if (c == account->n)
		return ATTACK_USED_ID;
	if (account->chain[c].used++ == account->chain[c].available)
		return ATTACK_USED_TWICE;
	if (len <= account->chain[c].writable)
		return ATTACK_FINE;
	g_snprintf(a->told, sizeof(a->told),
		   "ring %u, used element %u: id %u, length %u of %" G_GUINT64_FORMAT " writable",
		   r, i, id, len, account->chain[c].writable);
	return ATTACK_USED_LENGTH;
}

static enum attack_verdict judge_ring(struct attack_rings *a, unsigned r)
{
	unsigned used = attack_used(a, r), available = a->account[r].available;
	enum attack_verdict v = ATTACK_FINE;

	if (used > available) {
		g_snprintf(a->told, sizeof(a->told), "ring %u: %u used of %u available", r, used,
			   available);
		return ATTACK_USED_INDEX;
	}
	for (unsigned i = 0; i < MIN(used, ATTACK_SIZE) && v == ATTACK_FINE; i++)
		v = judge_element(a, r, i);
	return v;
}

enum attack_verdict attack_judge(struct attack_rings *a)
{
	enum attack_verdict v = ATTACK_FINE;

	a->told[0] = '\0';
	a->late = false;
	if (a->muddled)
		return ATTACK_FINE;
	v = judge_writes(a);
	for (unsigned r = 0; r < a->in->kind->n_rings && v == ATTACK_FINE; r++)
		v = judge_ring(a, r);
	return v;
}
