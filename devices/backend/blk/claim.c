/*
 * Who writes which blocks of a file just now.
 *
 * A host with blocks larger than BLK_UNIT takes whole ones only, so a request of a part of one
 * reads the block, changes it and writes it (step.c). Whatever else writes to the block in between
 * is lost, be it on another channel and thread: another part of the same block, which for the guest
 * is no overlap at all; or the rest of a large write that it does overlap with. So each step that
 * writes claims its blocks until it is done; one that changes parts of them has them alone.
 *
 * Nobody is ever made to wait in here. A step that cannot have its blocks is not begun: its channel
 * is noted, rests, and gets another turn of its loop when a claim ends. A request has one claim at
 * most and none while it waits, so no two can wait for each other.
 *
 * Where BLK_UNIT is all the same to the host, and without O_DIRECT, there is nothing to claim.
 */
#include "devices/backend/blk/file.h"

static bool blk_claim_is_needed(const struct blk_file *f, const struct blk_io *io,
				const struct blk_step *s)
{
	return f->dio_align > BLK_UNIT && io->op != BLK_READ && s->kind != STEP_SYNC;
}

static bool blk_claim_in_the_way(const struct blk_claim *a, const struct blk_claim *b)
{
	return (a->alone || b->alone) && a->start < b->end && b->start < a->end;
}

/* With the lock held, like the next three. */
static bool blk_claim_is_free(const struct blk_claims *claims, const struct blk_claim *claim)
{
	for (const struct blk_io *io = claims->first; io; io = io->at.claim.next)
		if (blk_claim_in_the_way(&io->at.claim, claim))
			return false;
	return true;
}

static void blk_claim_insert(struct blk_claims *claims, struct blk_io *io)
{
	struct blk_claim *claim = &io->at.claim;

	claim->next = claims->first;
	claim->prev = &claims->first;
	if (claims->first)
		claims->first->at.claim.prev = &claim->next;
	claims->first = io;
	claim->held = true;
}

static void blk_claim_wait_for_turn(struct blk_claims *claims, struct blk_file_channel *ch)
{
	if (ch->prev_waiting)
		return;
	ch->next_waiting = claims->waiting;
	ch->prev_waiting = &claims->waiting;
	if (claims->waiting)
		claims->waiting->prev_waiting = &ch->next_waiting;
	claims->waiting = ch;
}

static void blk_claim_stop_waiting(struct blk_file_channel *ch)
{
	if (!ch->prev_waiting)
		return;
	*ch->prev_waiting = ch->next_waiting;
	if (ch->next_waiting)
		ch->next_waiting->prev_waiting = ch->prev_waiting;
	ch->prev_waiting = NULL;
}

bool blk_claim(struct blk_file_channel *ch, struct blk_io *io, const struct blk_step *s)
{
	struct blk_file *f = ch->file;
	uint64_t align = f->dio_align, end = s->offset + s->len;
	struct blk_claim claim = { .start = s->offset - s->offset % align,
				   .end = end + (align - end % align) % align };
	bool got;

	if (!blk_claim_is_needed(f, io, s))
		return true;
	/* The kernel itself sees to the parts of blocks that it punches or zeroes. */
	claim.alone = s->kind == STEP_BOUNCE && claim.end - claim.start > s->len;
	pthread_mutex_lock(&f->claims.lock);
	got = blk_claim_is_free(&f->claims, &claim);
	if (got) {
		io->at.claim = claim;
		blk_claim_insert(&f->claims, io);
	} else {
		blk_claim_wait_for_turn(&f->claims, ch);
	}
	pthread_mutex_unlock(&f->claims.lock);
	if (!got) {
		ch->blocked = true;
		blk_channel_put_back(ch, io);
	}
	return got;
}

void blk_claim_end(struct blk_file *f, struct blk_io *io)
{
	struct blk_claim *claim = &io->at.claim;

	if (!claim->held)
		return;
	pthread_mutex_lock(&f->claims.lock);
	*claim->prev = claim->next;
	if (claim->next)
		claim->next->at.claim.prev = claim->prev;
	claim->held = false;
	while (f->claims.waiting) {
		struct blk_file_channel *ch = f->claims.waiting;

		blk_claim_stop_waiting(ch);
		g_source_set_ready_time(ch->again, 0);
	}
	pthread_mutex_unlock(&f->claims.lock);
}

void blk_claim_forget(struct blk_file_channel *ch)
{
	pthread_mutex_lock(&ch->file->claims.lock);
	blk_claim_stop_waiting(ch);
	pthread_mutex_unlock(&ch->file->claims.lock);
}
