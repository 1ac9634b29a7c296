/*
 * What a transport asks of the board it is plugged into: register regions, doorbells and interrupt
 * lines. vmm/kvm/board.c answers with KVM; tools/fuzz/links/board-fake.c with bookkeeping.
 * Transports therefore know no KVM.
 *
 * All calls may come from any thread: a vCPU's, also from within a region's read or write, and a
 * queue owner's. The board therefore holds no lock of its own while it calls read or write. A read
 * or write that began before region_del() may still be running after it: opaque lives until no vCPU
 * runs. Return values are 0 or -errno.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct board;

/* A range of guest-physical (or I/O port) addresses whose accesses come to us. */
struct board_region {
	uint64_t base, size;
	bool io; /* I/O ports instead of memory */
	/* @off + @len <= size; @len is 1, 2, 4 or 8. */
	uint64_t (*read)(void *opaque, uint64_t off, unsigned len);
	void (*write)(void *opaque, uint64_t off, unsigned len, uint64_t value);
	void *opaque;
};

/* A doorbell: writes of @len bytes to @addr (only those of @match if @has_match) signal @fd. */
struct board_doorbell {
	uint64_t addr;
	unsigned len;
	bool io, has_match;
	uint64_t match;
	int fd;
};

struct board_ops {
	/* Adds or removes a region; the struct stays the caller's and is not moved while added. */
	int (*region_add)(struct board *board, struct board_region *region);
	void (*region_del)(struct board *board, struct board_region *region);

	/* Writes of @len bytes (0: any length) to @addr whose value is @match (if @has_match)
	 * signal @fd instead of reaching the region (ioeventfd). */
	int (*doorbell)(struct board *board, const struct board_doorbell *doorbell, bool add);

	/* Serves reads of a whole page of a region from the page at @page (4096-aligned, owned by
	 * the caller) without an exit; writes go to the region or doorbell as before. @page NULL
	 * ends it. -ENOTSUP is an answer: then every read comes to the region. */
	int (*regpage)(struct board *board, uint64_t addr, const void *page);

	/* Makes writing to eventfd @fd raise interrupt line @gsi. With @resample_fd >= 0 the line
	 * is level-triggered: it stays up until the guest ends the interrupt, then @resample_fd is
	 * signalled and whoever still wants the line writes @fd again. Otherwise an edge. */
	int (*irq_line)(struct board *board, unsigned gsi, int fd, int resample_fd, bool add);

	/* MSI messages: a handle (>= 0) for one message, whose address and data can be changed, and
	 * an eventfd that sends it. */
	int (*msi_open)(struct board *board);
	void (*msi_close)(struct board *board, int msi);
	int (*msi_route)(struct board *board, int msi, uint64_t addr, uint32_t data);
	int (*msi_attach)(struct board *board, int msi, int fd, bool add);
};

struct board {
	const struct board_ops *ops;
};
