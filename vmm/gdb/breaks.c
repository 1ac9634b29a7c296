#include "vmm/gdb/breaks.h"

#include <string.h>

#include "vmm/gdb/arch.h"

struct gdb_break {
	struct vcpu_hw_break want;
	bool may_be_written; /* as an instruction at gpa */
	bool written;
	uint64_t gpa;
	uint8_t before[GDB_BREAK_LEN_MAX]; /* what was there */
};

void gdb_breaks_init(struct gdb_breaks *b)
{
	b->all = g_array_new(FALSE, FALSE, sizeof(struct gdb_break));
	b->addrs = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	b->debug = (struct vcpu_debug){ 0 };
}

void gdb_breaks_free(struct gdb_breaks *b)
{
	g_array_unref(b->all);
	g_array_unref(b->addrs);
}

static struct gdb_break *break_at(const struct gdb_breaks *b, guint i)
{
	return &g_array_index(b->all, struct gdb_break, i);
}

/* -1: not there. */
static int break_find(const struct gdb_breaks *b, const struct vcpu_hw_break *like)
{
	for (guint i = 0; i < b->all->len; i++) {
		const struct vcpu_hw_break *want = &break_at(b, i)->want;

		if (want->addr == like->addr && want->reason == like->reason &&
		    want->len == like->len)
			return (int)i;
	}
	return -1;
}

/*
 * In memory.
 */
static bool break_write(struct gdb_break *one, const struct gmem *mem)
{
	one->written = gmem_read(mem, one->gpa, one->before, gdb_break_len) &&
		       gmem_write(mem, one->gpa, gdb_break_instruction, gdb_break_len);
	return one->written;
}

/* Unless the guest has written something else there meanwhile. */
static void break_unwrite(struct gdb_break *one, const struct gmem *mem)
{
	uint8_t now[GDB_BREAK_LEN_MAX];

	if (one->written && gmem_read(mem, one->gpa, now, gdb_break_len) &&
	    memcmp(now, gdb_break_instruction, gdb_break_len) == 0)
		(void)gmem_write(mem, one->gpa, one->before, gdb_break_len);
	one->written = false;
}

/*
 * Who gets a register.
 */
static unsigned registers_needed(const struct gdb_breaks *b)
{
	unsigned n = 0;

	for (guint i = 0; i < b->all->len; i++)
		n += !break_at(b, i)->may_be_written;
	return n;
}

/* Gives each its place; there are registers for those that need one. False if memory cannot be
 * written. */
static bool breaks_place(struct gdb_breaks *b, const struct gmem *mem)
{
	unsigned spare = VCPU_HW_BREAKS_MAX - registers_needed(b);
	bool ok = true;

	b->debug.n_hw = 0;
	g_array_set_size(b->addrs, 0);
	for (guint i = 0; i < b->all->len; i++) {
		struct gdb_break *one = break_at(b, i);

		if (!one->may_be_written || spare) {
			spare -= one->may_be_written;
			break_unwrite(one, mem);
			b->debug.hw[b->debug.n_hw++] = one->want;
			continue;
		}
		ok = (one->written || break_write(one, mem)) && ok;
		g_array_append_val(b->addrs, one->want.addr);
	}
	b->debug.instruction = (const uint64_t *)(const void *)b->addrs->data;
	b->debug.n_instructions = b->addrs->len;
	return ok;
}

bool gdb_breaks_add(struct gdb_breaks *b, const struct vcpu_hw_break *want, const struct gmem *mem,
		    const uint64_t *gpa)
{
	bool instruction = want->reason == VCPU_STOP_INSTRUCTION && gpa;
	struct gdb_break one = { .want = *want,
				 .may_be_written = instruction,
				 .gpa = instruction ? *gpa : 0 };

	if (break_find(b, want) >= 0)
		return true;
	if (b->all->len == GDB_BREAKS_MAX ||
	    registers_needed(b) + !instruction > VCPU_HW_BREAKS_MAX)
		return false;
	g_array_append_val(b->all, one);
	if (breaks_place(b, mem))
		return true;
	(void)gdb_breaks_del(b, want, mem);
	return false;
}

bool gdb_breaks_del(struct gdb_breaks *b, const struct vcpu_hw_break *want, const struct gmem *mem)
{
	int i = break_find(b, want);

	if (i < 0)
		return false;
	break_unwrite(break_at(b, (guint)i), mem);
	g_array_remove_index(b->all, (guint)i);
	(void)breaks_place(b, mem);
	return true;
}

void gdb_breaks_del_all(struct gdb_breaks *b, const struct gmem *mem)
{
	for (guint i = 0; i < b->all->len; i++)
		break_unwrite(break_at(b, i), mem);
	g_array_set_size(b->all, 0);
	(void)breaks_place(b, mem);
}

void gdb_breaks_reloaded(struct gdb_breaks *b, const struct gmem *mem)
{
	for (guint i = 0; i < b->all->len; i++)
		if (break_at(b, i)->written)
			(void)break_write(break_at(b, i), mem);
}
