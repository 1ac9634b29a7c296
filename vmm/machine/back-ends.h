/*
 * What the command line has served by other processes: folders (--share), and devices in processes
 * of their own (process=on).
 */
#pragma once

#include "vmm/machine/child.h"
#include "vmm/machine/machine.h"

/* --share: @dir by a virtiofsd. False with @err: there is none, or no such folder. */
bool share_start(struct child *ret, const char *dir, bool read_only, const char *given,
		 GError **err);

/* Does @spec have process=on? False with a usage error if it has and cannot. */
bool process_is_asked(const char *spec, bool *ret, GError **err);

/* Has @spec memory=bounce: a back-end that gets no guest memory? */
bool process_is_bounced(const char *spec);

/* Its device, served by `ringside serve' under the sandbox's @level. */
bool process_start(struct child *ret, const char *spec, enum sandbox_level level, GError **err);

/* The device of vhost-user that stands for it in the machine: its place, id and ring are those of
 * @spec. Free with g_free(). */
char *process_front(const char *spec, const char *socket);
