/* The system calls that the kernel's vhost takes; tests have a kernel of their own in the place
 * of sys.c. */
#pragma once

/* A descriptor, or -errno. */
int vhost_sys_open(const char *path);
void vhost_sys_close(int fd);

/* 0, or -errno. */
int vhost_sys_ioctl(int fd, unsigned long request, void *arg);
