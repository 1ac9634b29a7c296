/*
 * The vfio-user protocol on its socket: what is where in a message, and what the numbers are.
 * (QEMU, docs/interop/vfio-user.rst, version 0.0; the numbers of regions, interrupts and flags are
 * those of <linux/vfio.h>.)
 *
 * All is in the byte order of the machine, which both sides run on.
 */
#pragma once

#include <stdint.h>

#define VFU_XFER    65536u           /* bytes of data in one message: "max_data_xfer_size" */
#define VFU_PAYLOAD (VFU_XFER + 64u) /* more is in no message that we take */

enum vfu_command {
	VFU_VERSION = 1,
	VFU_DMA_MAP,
	VFU_DMA_UNMAP,
	VFU_GET_INFO,
	VFU_GET_REGION_INFO,
	VFU_GET_REGION_IO_FDS,
	VFU_GET_IRQ_INFO,
	VFU_SET_IRQS,
	VFU_REGION_READ,
	VFU_REGION_WRITE,
	VFU_DMA_READ, /* these two go the other way */
	VFU_DMA_WRITE,
	VFU_RESET,
	VFU_DIRTY_PAGES, /* of older versions */
	VFU_REGION_WRITE_MULTI,
	VFU_FEATURE,
	VFU_MIG_DATA_READ,
	VFU_MIG_DATA_WRITE,
	VFU_N_COMMANDS,
};

/* struct vfu_header.flags */
#define VFU_TYPE     0xfu
#define VFU_REQUEST  0x0u
#define VFU_REPLY    0x1u
#define VFU_NO_REPLY 0x10u
#define VFU_ERROR    0x20u

struct vfu_header {
	uint16_t id, command;
	uint32_t size; /* of all, with the header */
	uint32_t flags;
	uint32_t error; /* an errno value, of a reply with VFU_ERROR */
};

struct vfu_version {
	uint16_t major, minor;
	char data[]; /* JSON, ended by NUL; may be absent */
};

#define VFU_DMA_READABLE  1u
#define VFU_DMA_WRITEABLE 2u
struct vfu_dma_map {
	uint32_t argsz, flags;
	uint64_t offset, address, size;
};

#define VFU_DMA_UNMAP_ALL 2u /* VFIO_DMA_UNMAP_FLAG_ALL */
struct vfu_dma_unmap {
	uint32_t argsz, flags;
	uint64_t address, size;
};

#define VFU_INFO_RESET 1u
#define VFU_INFO_PCI   2u
struct vfu_info {
	uint32_t argsz, flags, num_regions, num_irqs;
};

/* Regions of a PCI device. */
enum vfu_region { VFU_BAR0, VFU_BAR5 = 5, VFU_ROM, VFU_CONFIG, VFU_VGA, VFU_N_REGIONS };

#define VFU_REGION_INFO_READ  1u
#define VFU_REGION_INFO_WRITE 2u
struct vfu_region_info {
	uint32_t argsz, flags, index, cap_offset;
	uint64_t size, offset;
};

struct vfu_io_fds {
	uint32_t argsz, flags, index, count;
};

#define VFU_IO_FD_IOEVENTFD 0u
#define VFU_IO_FD_DATAMATCH 1u /* KVM_IOEVENTFD_FLAG_DATAMATCH */
#define VFU_IO_FD_PIO       2u /* KVM_IOEVENTFD_FLAG_PIO */
struct vfu_io_fd {
	uint64_t offset, size;
	uint32_t fd_index, type, flags, padding;
	uint64_t datamatch;
};

/* Interrupts of a PCI device. */
enum vfu_irq { VFU_INTX, VFU_MSI, VFU_MSIX, VFU_ERR, VFU_REQ, VFU_N_IRQS };

#define VFU_IRQ_INFO_EVENTFD    1u
#define VFU_IRQ_INFO_MASKABLE   2u
#define VFU_IRQ_INFO_AUTOMASKED 4u
struct vfu_irq_info {
	uint32_t argsz, flags, index, count;
};

#define VFU_IRQ_DATA_NONE      0x01u
#define VFU_IRQ_DATA_BOOL      0x02u
#define VFU_IRQ_DATA_EVENTFD   0x04u
#define VFU_IRQ_DATA           0x07u
#define VFU_IRQ_ACTION_MASK    0x08u
#define VFU_IRQ_ACTION_UNMASK  0x10u
#define VFU_IRQ_ACTION_TRIGGER 0x20u
#define VFU_IRQ_ACTION         0x38u
struct vfu_irq_set {
	uint32_t argsz, flags, index, start, count;
	uint8_t data[]; /* of VFU_IRQ_DATA_BOOL: @count bytes */
};

struct vfu_access {
	uint64_t offset;
	uint32_t region, count;
	uint8_t data[];
};

#define VFU_MULTI_BYTES 8u
struct vfu_write_one {
	uint64_t offset;
	uint32_t region, count;
	uint8_t data[VFU_MULTI_BYTES];
};

struct vfu_write_multi {
	uint64_t count;
	struct vfu_write_one one[];
};

/* DMA_READ and its answer, which has the data, too; DMA_WRITE, with the data. */
struct vfu_dma_access {
	uint64_t address, count;
	uint8_t data[];
};

union vfu_payload {
	struct vfu_version version;
	struct vfu_dma_map map;
	struct vfu_dma_unmap unmap;
	struct vfu_info info;
	struct vfu_region_info region;
	struct vfu_io_fds io_fds;
	struct vfu_irq_info irq;
	struct vfu_irq_set irqs;
	struct vfu_access access;
	struct vfu_write_multi multi;
	struct vfu_dma_access dma;
	uint8_t bytes[VFU_PAYLOAD];
};
