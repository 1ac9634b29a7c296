/* Guest RAM around the hole below 4 GiB. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/machine/ram.h"
#include "vmm/x86/layout.h"

static void open_ram_as(struct ram *ram, uint64_t size, bool shared)
{
	GError *err = NULL;

	if (!ram_open(ram, size, shared, &err))
		fail_msg("%s", err->message);
	assert_int_equal(ram->size, size);
}

static void open_ram(struct ram *ram, uint64_t size)
{
	open_ram_as(ram, size, false);
	for (unsigned i = 0; i < ram->memory.mem.n; i++)
		assert_int_equal(ram->memory.mem.region[i].fd, -1);
}

static void small_memory_is_one_region_from_zero(void **state)
{
	struct ram ram;

	(void)state;
	open_ram(&ram, 256u << 20);
	assert_int_equal(ram.memory.mem.n, 1);
	assert_int_equal(ram.memory.mem.region[0].gpa, 0);
	assert_non_null(gmem_at(&ram.memory.mem, 0, 256u << 20));
	assert_null(gmem_at(&ram.memory.mem, 256u << 20, 1));
	ram_close(&ram);
}

static void memory_beyond_the_hole_continues_at_4_gib(void **state)
{
	struct ram ram;
	uint64_t high = 5ull << 30;

	(void)state;
	open_ram(&ram, LAYOUT_HOLE + high);
	assert_int_equal(ram.memory.mem.n, 2);
	assert_non_null(gmem_at(&ram.memory.mem, LAYOUT_HOLE - 1, 1));
	assert_null(gmem_at(&ram.memory.mem, LAYOUT_HOLE, 1));
	assert_null(gmem_at(&ram.memory.mem, LAYOUT_HIGH - 1, 1));
	assert_non_null(gmem_at(&ram.memory.mem, LAYOUT_HIGH, high));
	assert_null(gmem_at(&ram.memory.mem, LAYOUT_HIGH + high, 1));
	ram_close(&ram);
}

static void the_hole_is_empty_when_memory_ends_at_it(void **state)
{
	struct ram ram;

	(void)state;
	open_ram(&ram, LAYOUT_HOLE);
	assert_int_equal(ram.memory.mem.n, 1);
	assert_null(gmem_at(&ram.memory.mem, LAYOUT_HIGH, 1));
	ram_close(&ram);
}

static void memory_is_zero_and_both_ends_are_usable(void **state)
{
	struct ram ram;
	uint8_t *first, *last;

	(void)state;
	open_ram(&ram, 8u << 20);
	last = gmem_at(&ram.memory.mem, (8u << 20) - 1, 1);
	assert_non_null(last);
	first = gmem_at(&ram.memory.mem, 0, 1);
	assert_non_null(first);
	assert_int_equal(*first, 0);
	assert_int_equal(*last, 0);
	*first = *last = 0xaa;
	assert_int_equal((uintptr_t)first % (2u << 20), 0); /* or no large page would fit */
	ram_close(&ram);
	ram_close(&ram); /* once more is fine */
}

/* As the kernel sees it, which would be a fault for us. */
static bool can_be_read(const uint8_t *at)
{
	int fd[2];
	bool ok;

	assert_int_equal(pipe(fd), 0);
	ok = write(fd[1], at, 1) == 1;
	assert_true(ok || errno == EFAULT);
	close(fd[0]);
	close(fd[1]);
	return ok;
}

static void around_each_region_there_is_nothing(void **state)
{
	struct ram ram;

	(void)state;
	open_ram(&ram, LAYOUT_HOLE + (1u << 20));
	for (unsigned i = 0; i < ram.memory.mem.n; i++) {
		const struct gmem_region *r = &ram.memory.mem.region[i];

		assert_true(can_be_read(r->hva) && can_be_read(r->hva + r->len - 1));
		assert_false(can_be_read(r->hva - 1));
		assert_false(can_be_read(r->hva + r->len));
		assert_false(can_be_read(r->hva + r->len + (1u << 20)));
	}
	ram_close(&ram);
}

/* Another process, which has nothing but the descriptor and the table: each region is at its
 * offset. */
static int look_and_write(const struct gmem *mem)
{
	int bad = 0;

	for (unsigned i = 0; i < mem->n; i++) {
		const struct gmem_region *r = &mem->region[i];
		uint8_t *last = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
				     (off_t)(r->offset + r->len - 4096));

		bad |= last == MAP_FAILED || last[4095] != 0x10 + i;
		if (!bad)
			last[0] = (uint8_t)(0x20 + i);
	}
	return bad;
}

static void shared_memory_is_the_same_for_another_process(void **state)
{
	struct ram ram;
	int status;
	pid_t pid;

	(void)state;
	open_ram_as(&ram, LAYOUT_HOLE + (8u << 20), true);
	assert_int_equal(ram.memory.mem.n, 2);
	for (unsigned i = 0; i < 2; i++) {
		const struct gmem_region *r = &ram.memory.mem.region[i];

		assert_int_equal(r->fd, ram.fd);
		assert_int_equal((uintptr_t)r->hva % (2u << 20), 0);
		r->hva[r->len - 1] = (uint8_t)(0x10 + i);
	}
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(look_and_write(&ram.memory.mem));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(ram.memory.mem.region[i].hva[ram.memory.mem.region[i].len - 4096],
				 0x20 + i);
	ram_close(&ram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_memory_is_one_region_from_zero),
		cmocka_unit_test(memory_beyond_the_hole_continues_at_4_gib),
		cmocka_unit_test(the_hole_is_empty_when_memory_ends_at_it),
		cmocka_unit_test(memory_is_zero_and_both_ends_are_usable),
		cmocka_unit_test(around_each_region_there_is_nothing),
		cmocka_unit_test(shared_memory_is_the_same_for_another_process),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
