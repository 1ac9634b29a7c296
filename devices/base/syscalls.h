/*
 * What of the kernel a piece of code asks for once the guest runs.
 *
 * Code that makes system calls on its queues' way says which, in a table beside them, and hands
 * that table up: a backend in its struct, a device class in its own or by vdev_add_syscalls(). The
 * sandbox (vmm/sandbox/sandbox.h) lets each thread make the calls of what lives on it and kills the
 * process for any other. So a table that lacks a row is found by the first test that comes that
 * way.
 *
 * Every thread has, without asking: reading, writing, polling and closing descriptors it has,
 * memory that is not executable, locks, clocks, its own signals, and its own end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct syscall_use {
	const char *name; /* "recvfrom"; NULL ends the table */
	bool closing;     /* of the main thread, too, which closes and changes devices */
	/* Unless @mask is 0, only if (argument @arg & @mask) == @value; and likewise @also. */
	unsigned arg;
	uint64_t mask, value;
	struct {
		unsigned arg;
		uint64_t mask, value;
	} also;
};

/* An ioctl by its number: its second argument, of which the kernel takes 32 bits. */
#define SYSCALL_IOCTL(request) .name = "ioctl", .arg = 1, .mask = UINT32_MAX, .value = (request)

/* A socket by its family: its first argument. */
#define SYSCALL_SOCKET(family) .name = "socket", .arg = 0, .mask = UINT32_MAX, .value = (family)

/* Sending where the socket is connected, and nowhere else: no address. */
#define SYSCALL_SEND .name = "sendto", .arg = 4, .mask = UINT64_MAX, .value = 0

/* fcntl() by its command. */
#define SYSCALL_FCNTL(command) .name = "fcntl", .arg = 1, .mask = UINT32_MAX, .value = (command)

/* The host's list of name servers may be read: a file, where no other may be opened. */
#define SYSCALLS_RESOLV "/etc/resolv.conf"
