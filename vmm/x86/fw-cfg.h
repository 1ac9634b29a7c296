/*
 * QEMU's fw_cfg, by which firmware reads what its machine has (QEMU's docs/specs/fw_cfg): items,
 * each with a 16-bit key, some of them files that a directory (key 0x19) names.
 *
 *	0x510	key of the item that is read from now on, from its beginning (a word)
 *	0x511	its next byte; zeros behind its end
 *	0x514	address of a descriptor, high half and then low half (0x518), which starts it: a
 *		transfer to guest memory, or bytes to skip. Both are big-endian, as is the
 *		descriptor. Reading here gives "QEMU CFG".
 *
 * Nothing can be written: a descriptor that wants to ends with its error bit, as does one whose
 * memory is not there, or that asks for more than FW_CFG_DMA_MAX bytes. One that is not in memory
 * itself does nothing. A transfer is over when the write to 0x518 is.
 *
 * The two ports may be used from any thread; items are changed while no vCPU runs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport/board.h"
#include "virtqueue/gmem.h"

/* Keys that do not name files. */
enum {
	FW_CFG_SIGNATURE = 0x00, /* "QEMU" */
	FW_CFG_ID = 0x01,        /* what the interface can do */
	FW_CFG_NOGRAPHIC = 0x04, /* a word: 1 if the console is a serial port */
	FW_CFG_CPUS = 0x05,      /* a word: processors there are, */
	FW_CFG_MAX_CPUS = 0x0f,  /* and the APIC id that none of them reaches */
	FW_CFG_DIRECTORY = 0x19,
	FW_CFG_FILES = 0x20,           /* the first file's, by name; the others follow */
	FW_CFG_IRQ0_OVERRIDE = 0x8002, /* a byte: 1 if IRQ 0 is pin 2 of the I/O APIC */
};

#define FW_CFG_FILES_MAX 32u
#define FW_CFG_NAME_MAX  55u         /* characters of a file's name */
#define FW_CFG_DMA_MAX   (16u << 20) /* bytes in one transfer */

struct fw_cfg;

/* @mem: where descriptors and their buffers are; it outlives the device. */
struct fw_cfg *fw_cfg_new(const struct gmem *mem);
void fw_cfg_free(struct fw_cfg *f); /* NULL is fine */

/* For the bus. */
struct board_region *fw_cfg_region(struct fw_cfg *f);

/* The machine starts again: as it was made, with no items but the first two and the directory. */
void fw_cfg_reset(struct fw_cfg *f);

/* An item, of a copy of @data; in the place of an earlier one of that key. */
void fw_cfg_add(struct fw_cfg *f, uint16_t key, const void *data, size_t len);

/* A file; FW_CFG_FILES_MAX at most, each name once. */
void fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, size_t len);
