/*
 * The vhost-user protocol on its socket: what is where in a message, and what the numbers are.
 * (QEMU, docs/interop/vhost-user.rst: "Message Specification"; this is the back-end's side.)
 *
 * All is in the byte order of the machine, which both sides run on.
 */
#pragma once

#include <stdint.h>

#define VHU_VERSION    1u
#define VHU_MEM_MAX    8u /* regions in one table; more only one by one */
#define VHU_CONFIG_MAX 256u
#define VHU_QUEUE_MASK 0xffu  /* of SET_VRING_KICK and its like: the queue, */
#define VHU_NO_FD      0x100u /* and that no descriptor comes with it */
#define VHU_PAYLOAD    4096u  /* bytes: more is in no message that there is */

/* struct vhu_header.flags */
#define VHU_VERSION_MASK 0x3u
#define VHU_REPLY        0x4u
#define VHU_NEED_REPLY   0x8u

#define VHU_VRING_F_LOG 1u /* struct vhu_addr.flags: writes to the device area are logged, too */

/* Features that belong to the protocol and not to the device. */
#define VHU_F_LOG_ALL           26
#define VHU_F_PROTOCOL_FEATURES 30
#define VHU_F_OWN               (1ull << VHU_F_LOG_ALL | 1ull << VHU_F_PROTOCOL_FEATURES)

enum vhu_protocol_feature {
	VHU_PF_MQ = 0,
	VHU_PF_LOG_SHMFD = 1,
	VHU_PF_REPLY_ACK = 3,
	VHU_PF_BACKEND_REQ = 5,
	VHU_PF_CONFIG = 9,
	VHU_PF_INFLIGHT_SHMFD = 12,
	VHU_PF_RESET_DEVICE = 13,
	VHU_PF_CONFIGURE_MEM_SLOTS = 15,
	VHU_PF_STATUS = 16,
	VHU_PF_DEVICE_STATE = 19,
};

/* From the front-end. */
enum vhu_request {
	VHU_GET_FEATURES = 1,
	VHU_SET_FEATURES,
	VHU_SET_OWNER,
	VHU_RESET_OWNER,
	VHU_SET_MEM_TABLE,
	VHU_SET_LOG_BASE,
	VHU_SET_LOG_FD,
	VHU_SET_VRING_NUM,
	VHU_SET_VRING_ADDR,
	VHU_SET_VRING_BASE,
	VHU_GET_VRING_BASE,
	VHU_SET_VRING_KICK,
	VHU_SET_VRING_CALL,
	VHU_SET_VRING_ERR,
	VHU_GET_PROTOCOL_FEATURES,
	VHU_SET_PROTOCOL_FEATURES,
	VHU_GET_QUEUE_NUM,
	VHU_SET_VRING_ENABLE,
	VHU_SEND_RARP,
	VHU_NET_SET_MTU,
	VHU_SET_BACKEND_REQ_FD,
	VHU_IOTLB_MSG,
	VHU_SET_VRING_ENDIAN,
	VHU_GET_CONFIG,
	VHU_SET_CONFIG,
	VHU_CREATE_CRYPTO_SESSION,
	VHU_CLOSE_CRYPTO_SESSION,
	VHU_POSTCOPY_ADVISE,
	VHU_POSTCOPY_LISTEN,
	VHU_POSTCOPY_END,
	VHU_GET_INFLIGHT_FD,
	VHU_SET_INFLIGHT_FD,
	VHU_GPU_SET_SOCKET,
	VHU_RESET_DEVICE,
	VHU_VRING_KICK,
	VHU_GET_MAX_MEM_SLOTS,
	VHU_ADD_MEM_REG,
	VHU_REM_MEM_REG,
	VHU_SET_STATUS,
	VHU_GET_STATUS,
	VHU_GET_SHARED_OBJECT,
	VHU_SET_DEVICE_STATE_FD,
	VHU_CHECK_DEVICE_STATE,
	VHU_N_REQUESTS,
};

/* To the front-end, on the socket of SET_BACKEND_REQ_FD. */
enum vhu_backend_request { VHU_BACKEND_CONFIG_CHANGE = 2 };

struct vhu_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload behind it */
};

struct vhu_state {
	uint32_t index; /* of the queue */
	uint32_t value;
};

struct vhu_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc, used, avail; /* in the front-end's address space */
	uint64_t log;               /* guest address that the device area counts as being at */
};

/* A part of a file, whose descriptor comes with it. */
struct vhu_area {
	uint64_t size;
	uint64_t offset;
};

struct vhu_region {
	uint64_t gpa;
	uint64_t len;
	uint64_t user;   /* where the front-end has it */
	uint64_t offset; /* in the file whose descriptor comes with it */
};

struct vhu_mem_table {
	uint32_t n;
	uint32_t padding;
	struct vhu_region region[VHU_MEM_MAX];
};

struct vhu_mem_region {
	uint64_t padding;
	struct vhu_region region;
};

struct vhu_config {
	uint32_t offset;
	uint32_t len;
	uint32_t flags;
	uint8_t bytes[VHU_CONFIG_MAX];
};

/* Where a back-end notes what it has in hand ("Inflight I/O tracking"): part of a file, whose
 * descriptor comes with it. */
struct vhu_inflight {
	uint64_t size;
	uint64_t offset;
	uint16_t n_queues;
	uint16_t queue_size;
};
#define VHU_INFLIGHT_MIN 20u /* bytes; front-ends send 24 */

/* Which way a device's state goes; in which phase of a migration, of which there is one: 0. */
enum { VHU_STATE_SAVE, VHU_STATE_LOAD };

struct vhu_transfer_of {
	uint32_t direction;
	uint32_t phase;
};

union vhu_payload {
	uint64_t u64;
	struct vhu_state state;
	struct vhu_addr addr;
	struct vhu_area area;
	struct vhu_transfer_of transfer;
	struct vhu_inflight inflight;
	struct vhu_mem_table table;
	struct vhu_mem_region region;
	struct vhu_config config;
	uint8_t bytes[VHU_PAYLOAD];
};
