#include "vmm/machine/panic-look.h"

/* A delay loop's code is shorter, and this much of the time it is there and not in an interrupt's
 * handler. */
#define LOOP_BYTES 256u
#define PARTS      4u
#define PARTS_HERE 3u

static bool is_stuck(struct panic_looks *l, unsigned cpu, const struct vcpu_look *look)
{
	if (look->off)
		return true;
	if (look->halted)
		return !look->interrupts;
	if (look->level != 0 || (l->spins && cpu != l->spinner) || l->n_places == PANIC_LOOKS)
		return false;
	l->spins = true;
	l->spinner = cpu;
	l->place[l->n_places++] = look->rip;
	return true;
}

bool panic_looks_add(struct panic_looks *l, unsigned cpu, const struct vcpu_look *look)
{
	if (!is_stuck(l, cpu, look))
		l->lives = true;
	return !l->lives;
}

bool panic_looks_stuck(const struct panic_looks *l)
{
	unsigned most = 0;

	for (unsigned i = 0; i < l->n_places; i++) {
		unsigned here = 0;

		for (unsigned j = 0; j < l->n_places; j++)
			here += l->place[j] - l->place[i] < LOOP_BYTES;
		most = MAX(most, here);
	}
	return !l->lives && most * PARTS >= l->n_places * PARTS_HERE;
}
