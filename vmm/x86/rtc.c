/*
 * Time registers hold nothing while the clock runs: they are made when they are read, of the host's
 * clock and an offset, and a write to one makes another offset. While the guest holds the clock
 * (bit SET of register B) they hold what it had then and what the guest writes.
 */
#include "vmm/x86/rtc.h"

#include <glib.h>
#include <pthread.h>
#include <string.h>

#include "vmm/x86/layout.h"

#define RTC_REGS 128u
#define SECOND   ((int64_t)G_USEC_PER_SEC)
#define UIP_US   244 /* from the flag to the update */

enum {
	SECONDS = 0,
	MINUTES = 2,
	HOURS = 4,
	WEEKDAY = 6, /* Sunday is 1 */
	DAY = 7,
	MONTH = 8,
	YEAR = 9,
	REG_A = 0xa,
	REG_B = 0xb,
	REG_C = 0xc,
	REG_D = 0xd,
	LOW_KIB = 0x15,
	MORE_KIB = 0x17,
	MORE_KIB_AGAIN = 0x30,
	CENTURY = LAYOUT_RTC_CENTURY,
	ABOVE_16M = 0x34,
	ABOVE_4G = 0x5b,
};

enum { A_UIP = 0x80, A_RATE = 0x0f, A_AS_FOUND = 0x26 /* 32768 Hz, 1024 interrupts in a second */ };
enum {
	B_SET = 0x80,
	B_PERIODIC = 0x40,
	B_INTERRUPTS = 0x70,
	B_SQUARE = 0x08,
	B_BINARY = 0x04,
	B_24H = 0x02
};
enum { C_INTERRUPT = 0x80, C_PERIODIC = 0x40, C_UPDATE = 0x10 };
enum { D_BATTERY_GOOD = 0x80, HOUR_PM = 0x80, INDEX_MASK = 0x7f /* the highest: no NMI */ };

struct rtc {
	struct board_region region;
	rtc_now_fn now;
	const struct rtc_ops *ops;
	void *opaque;
	pthread_mutex_t lock; /* of these: */
	uint8_t reg[RTC_REGS];
	uint8_t index;
	int64_t offset;   /* seconds that the guest's clock is ahead of the host's */
	int64_t flags_at; /* when register C was read last */
	int64_t every;    /* microseconds between ticks that were asked for; 0: none */
	bool up;          /* the line */
};

static bool is_time(unsigned reg)
{
	return reg == SECONDS || reg == MINUTES || reg == HOURS ||
	       (reg >= WEEKDAY && reg <= YEAR) || reg == CENTURY;
}

/*
 * The form of numbers.
 */
static uint8_t rtc_encode(const struct rtc *r, unsigned value)
{
	return (uint8_t)(r->reg[REG_B] & B_BINARY ? value : value / 10 << 4 | value % 10);
}

static unsigned rtc_decode(const struct rtc *r, uint8_t value)
{
	return r->reg[REG_B] & B_BINARY ? value : (value >> 4) * 10u + (value & 0xf);
}

static uint8_t encode_hour(const struct rtc *r, unsigned hour)
{
	if (r->reg[REG_B] & B_24H)
		return rtc_encode(r, hour);
	return rtc_encode(r, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned decode_hour(const struct rtc *r, uint8_t value)
{
	if (r->reg[REG_B] & B_24H)
		return rtc_decode(r, value);
	return rtc_decode(r, value & (uint8_t)~HOUR_PM) % 12 + (value & HOUR_PM ? 12 : 0);
}

/*
 * Time to registers and back.
 */
static int64_t seconds_of(int64_t us)
{
	return us / SECOND;
}

static void fill_time(struct rtc *r, int64_t now)
{
	g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(seconds_of(now) + r->offset);
	unsigned year;

	if (!t) /* beyond the year 9999: what was there stays */
		return;
	year = (unsigned)g_date_time_get_year(t);
	r->reg[SECONDS] = rtc_encode(r, (unsigned)g_date_time_get_second(t));
	r->reg[MINUTES] = rtc_encode(r, (unsigned)g_date_time_get_minute(t));
	r->reg[HOURS] = encode_hour(r, (unsigned)g_date_time_get_hour(t));
	r->reg[WEEKDAY] = rtc_encode(r, (unsigned)g_date_time_get_day_of_week(t) % 7 + 1);
	r->reg[DAY] = rtc_encode(r, (unsigned)g_date_time_get_day_of_month(t));
	r->reg[MONTH] = rtc_encode(r, (unsigned)g_date_time_get_month(t));
	r->reg[YEAR] = rtc_encode(r, year % 100);
	r->reg[CENTURY] = rtc_encode(r, year / 100);
}

/* What is no time leaves the clock as it was. */
static void take_time(struct rtc *r, int64_t now)
{
	unsigned year = rtc_decode(r, r->reg[CENTURY]) * 100 + rtc_decode(r, r->reg[YEAR]);
	g_autoptr(GDateTime) t = g_date_time_new_utc(
		(int)year, (int)rtc_decode(r, r->reg[MONTH]), (int)rtc_decode(r, r->reg[DAY]),
		(int)decode_hour(r, r->reg[HOURS]), (int)rtc_decode(r, r->reg[MINUTES]),
		(double)rtc_decode(r, r->reg[SECONDS]));

	if (t)
		r->offset = g_date_time_to_unix(t) - seconds_of(now);
}

/*
 * Registers.
 */
static bool is_held(const struct rtc *r)
{
	return r->reg[REG_B] & B_SET;
}

/* How often the periodic flag is set, in microseconds; 0: never. */
static int64_t period_us(const struct rtc *r)
{
	unsigned rate = r->reg[REG_A] & A_RATE;

	if (rate == 0)
		return 0;
	if (rate < 3) /* as 8 and 9, for a divider of 32768 Hz */
		rate += 7;
	return MAX(((int64_t)1 << (rate - 1)) * SECOND / 32768, 1);
}

static void set_line(struct rtc *r, bool up)
{
	if (r->up != up && r->ops)
		r->ops->irq(r->opaque, up);
	r->up = up;
}

/* Ticks are wanted while the periodic interrupt is. */
static void ask_for_ticks(struct rtc *r)
{
	int64_t every = r->reg[REG_B] & B_PERIODIC ? period_us(r) : 0;

	if (every != r->every && r->ops)
		r->ops->periodic(r->opaque, every);
	r->every = every;
	if (!every)
		set_line(r, false);
}

/* What has happened since it was read last. */
static uint8_t take_flags(struct rtc *r, int64_t now)
{
	int64_t period = period_us(r);
	uint8_t flags = 0;

	if (!is_held(r) && seconds_of(now) != seconds_of(r->flags_at))
		flags |= C_UPDATE;
	if (period && now / period != r->flags_at / period)
		flags |= C_PERIODIC;
	if (r->up)
		flags |= C_PERIODIC | C_INTERRUPT;
	set_line(r, false);
	r->flags_at = now;
	return flags;
}

static uint8_t read_locked(struct rtc *r)
{
	int64_t now = r->now();

	switch (r->index) {
	case REG_A:
		return r->reg[REG_A] | (!is_held(r) && now % SECOND >= SECOND - UIP_US ? A_UIP : 0);
	case REG_C:
		return take_flags(r, now);
	case REG_D:
		return D_BATTERY_GOOD;
	default:
		if (is_time(r->index) && !is_held(r))
			fill_time(r, now);
		return r->reg[r->index];
	}
}

/* Numbers change their form with it, and the clock is held or let go. */
static void write_b(struct rtc *r, uint8_t value, int64_t now)
{
	bool was_held = is_held(r);

	if (!was_held)
		fill_time(r, now);
	r->reg[REG_B] = value;
	if (was_held && !is_held(r))
		take_time(r, now);
}

static void write_time(struct rtc *r, uint8_t value, int64_t now)
{
	if (!is_held(r))
		fill_time(r, now);
	r->reg[r->index] = value;
	if (!is_held(r))
		take_time(r, now);
}

static void write_locked(struct rtc *r, uint8_t value)
{
	switch (r->index) {
	case REG_A:
		r->reg[REG_A] = value & (uint8_t)~A_UIP;
		ask_for_ticks(r);
		break;
	case REG_B:
		write_b(r, value, r->now());
		ask_for_ticks(r);
		break;
	case REG_C:
	case REG_D:
		break;
	default:
		if (is_time(r->index))
			write_time(r, value, r->now());
		else
			r->reg[r->index] = value;
	}
}

/*
 * On the bus.
 */
static uint64_t port_read(void *opaque, uint64_t off, unsigned len)
{
	struct rtc *r = opaque;
	uint8_t ret;

	if (off != 1 || len != 1) /* the index cannot be read */
		return UINT64_MAX;
	pthread_mutex_lock(&r->lock);
	ret = read_locked(r);
	pthread_mutex_unlock(&r->lock);
	return ret;
}

static void port_write(void *opaque, uint64_t off, unsigned len, uint64_t value)
{
	struct rtc *r = opaque;

	if (len != 1)
		return;
	pthread_mutex_lock(&r->lock);
	if (off == 0)
		r->index = (uint8_t)value & INDEX_MASK;
	else
		write_locked(r, (uint8_t)value);
	pthread_mutex_unlock(&r->lock);
}

static void put_number(struct rtc *r, unsigned reg, unsigned bytes, uint64_t value)
{
	for (unsigned i = 0; i < bytes; i++)
		r->reg[reg + i] = (uint8_t)(value >> (8 * i));
}

/* As firmware leaves it. */
static void fill_memory(struct rtc *r, uint64_t low_len, uint64_t high_len)
{
	const uint64_t mib = 1u << 20;
	uint64_t more = low_len > mib ? low_len - mib : 0;
	uint64_t above_16m = low_len > 16 * mib ? low_len - 16 * mib : 0;

	put_number(r, LOW_KIB, 2, MIN(low_len, LAYOUT_LOW_RAM_END) >> 10);
	put_number(r, MORE_KIB, 2, MIN(more >> 10, UINT16_MAX));
	put_number(r, MORE_KIB_AGAIN, 2, MIN(more >> 10, UINT16_MAX));
	put_number(r, ABOVE_16M, 2, MIN(above_16m >> 16, UINT16_MAX));
	put_number(r, ABOVE_4G, 3, MIN(high_len >> 16, 0xffffffu));
}

struct rtc *rtc_new(uint64_t low_len, uint64_t high_len, rtc_now_fn now, const struct rtc_ops *ops,
		    void *opaque)
{
	struct rtc *r = g_new0(struct rtc, 1);

	pthread_mutex_init(&r->lock, NULL);
	r->now = now ? now : g_get_real_time;
	r->ops = ops;
	r->opaque = opaque;
	r->reg[REG_A] = A_AS_FOUND;
	r->reg[REG_B] = B_24H;
	r->flags_at = r->now();
	fill_memory(r, low_len, high_len);
	r->region = (struct board_region){
		.base = LAYOUT_RTC_PORT,
		.size = 2,
		.io = true,
		.read = port_read,
		.write = port_write,
		.opaque = r,
	};
	return r;
}

void rtc_free(struct rtc *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	g_free(r);
}

struct board_region *rtc_region(struct rtc *r)
{
	return &r->region;
}

void rtc_reset(struct rtc *r)
{
	pthread_mutex_lock(&r->lock);
	r->reg[REG_B] &= (uint8_t) ~(B_INTERRUPTS | B_SQUARE);
	ask_for_ticks(r);
	pthread_mutex_unlock(&r->lock);
}

/* One that comes after the interrupt was taken back is nobody's. */
void rtc_tick(struct rtc *r)
{
	pthread_mutex_lock(&r->lock);
	if (r->every)
		set_line(r, true);
	pthread_mutex_unlock(&r->lock);
}

bool rtc_awaited(struct rtc *r)
{
	bool ret;

	pthread_mutex_lock(&r->lock);
	ret = r->reg[REG_B] & B_INTERRUPTS & ~(r->ops ? B_PERIODIC : 0);
	pthread_mutex_unlock(&r->lock);
	return ret;
}
