/* The system calls by which the kernel's VDUSE is reached; tests have a kernel of their own in the
 * place of sys.c. */
#pragma once

/* A non-blocking descriptor, or -errno. */
int vduse_sys_open(const char *path);

/* What ioctl() answers, or -errno. */
int vduse_sys_ioctl(int fd, unsigned long request, void *arg);
