/*
 * Who answers at which address: the register regions of the machine, in memory space and in I/O
 * space, found by binary search.
 *
 * Regions come and go while vCPUs run (a driver moves a PCI BAR from within a register write), so
 * a region's function is called without the bus's lock. Its opaque must therefore live until the
 * vCPUs are gone; the region itself may go as soon as bus_del() returned.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "transport/board.h"

struct bus;
struct unanswered_table;

struct bus *bus_new(void);
void bus_free(struct bus *bus); /* NULL is fine */

/* The accesses that no region took; the bus's own. */
struct unanswered_table *bus_unanswered(struct bus *bus);

/* 0; -EINVAL for an empty region or one that wraps (or leaves the 64 Ki ports); -EEXIST where
 * another region is already. */
int bus_add(struct bus *bus, struct board_region *w);
void bus_del(struct bus *bus, struct board_region *w);

/* An access of @len bytes (1, 2, 4 or 8) at @addr. Where no region takes all of it, reads give all
 * ones and writes are lost, and it is counted. */
uint64_t bus_read(struct bus *bus, bool io, uint64_t addr, unsigned len);
void bus_write(struct bus *bus, bool io, uint64_t addr, unsigned len, uint64_t value);
