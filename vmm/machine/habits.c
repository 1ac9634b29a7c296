#include "vmm/machine/habits.h"

#include <string.h>

#include "devices/base/error.h"
#include "devices/base/nearest.h"
#include "devices/registry.h"

struct habit {
	const char *words; /* separated by blanks */
	const char *here;
};

#define DISK     "a disk is --disk FILE, or --device blk,path=FILE"
#define NETWORK  "a network card is --net KIND, or --device net,backend=KIND"
#define FIRMWARE "firmware is --firmware FILE; --kernel does without"
#define SCREEN   "there is no screen: the serial port is the terminal by itself"
#define CONTROL  "the control socket is --control unix:PATH"
#define DEVICE   "a device is --device NAME,KEY=VALUE,...; --device help lists them"
#define ONE_KIND "there is one machine, and KVM runs it; leave it out"

static const struct habit options[] = {
	{ "smp vcpus cores", "processors are --cpus N" },
	{ "mem ram size", "memory is --memory SIZE" },
	{ "cmdline params kernel-cmdline", "the kernel's command line is --append WORDS" },
	{ "initramfs ramdisk", "the initial RAM disk is --initrd FILE" },
	{ "drive hda hdb hdc hdd blockdev cdrom block rwdisk root rwroot pmem", DISK },
	{ "netdev nic network tap", NETWORK },
	{ "bios pflash boot", FIRMWARE },
	{ "nographic curses vga vnc display sdl gtk spice", SCREEN },
	{ "qmp monitor mon api-sock api-socket socket", CONTROL },
	{ "rng balloon fs fsdev virtfs 9p virtio-9p input usb watchdog shmem", DEVICE },
	{ "chardev tty parallel", "a stream is named where it is used: --serial STREAM, "
				  "--console STREAM" },
	{ "object", "an event loop is a key of --device, iothread=NAME" },
	{ "enable-kvm accel machine M", ONE_KIND },
	{ "s S gdb debug", "there is no debugger's port" },
	{ "daemonize D daemon pidfile", "it stays in the foreground; leave it out" },
	{ "config-file readconfig writeconfig id", "options are the command line's alone" },
	{ "no-api nodefaults no-user-config no-acpi no-hpet", "leave it out" },
	{ "seccomp seccomp-filter seccomp-level no-seccomp disable-sandbox seccomp-policy-dir",
	  "the sandbox is --sandbox LEVEL" },
	{ "virtio-transport", "each device's transport is a key of --device: transport=pci|mmio" },
	{ "snapshot", "writes go to the file: give a copy of it" },
	{ "v V", "the version is ringside --version" },
};

static const struct habit keys[] = {
	{ "format", "a disk is a raw image; leave it out" },
	{ "if index media unit lun", "leave it out" },
	{ "bootindex", "firmware boots from the first disk of the command line; leave it out" },
	{ "disable-legacy disable-modern",
	  "legacy drivers are served with legacy=on or legacy=only" },
	{ "vhost vhostforce vhost-net", "it is a key of --device net,backend=tap: vhost=on" },
	{ "script downscript", "no script is run: set the tap up before" },
	{ "packed", "the ring is ring=packed" },
	{ "indirect_desc event_idx in_order mrg_rxbuf csum", "features are features=+NAME,-NAME" },
	{ "vectors iommu_platform ats", "leave it out" },
};

/* What is a device elsewhere and an option here. */
static const struct habit device_options[] = {
	{ "isa-debug-exit", "it is the option --debug-exit[=PORT]" },
	{ "isa-debugcon", "it is the option --debugcon STREAM" },
	{ "pvpanic", "it is always there; leave it out" },
};

/* What other monitors call devices, less "virtio-" and "-pci". */
static const struct habit devices[] = {
	{ "disk drive block virtblk", "blk" },
	{ "nic network netdev ethernet", "net" },
	{ "serial virtconsole virtserialport hvc", "console" },
	{ "keyboard", "input,type=keyboard" },
	{ "mouse", "input,type=mouse" },
	{ "tablet usb-tablet", "input,type=tablet" },
	{ "multitouch", "input,type=multitouch" },
	{ "input-host", "input,type=evdev,evdev=PATH" },
	{ "entropy random", "rng" },
};

static const char *habits_find(const struct habit *habits, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++) {
		g_auto(GStrv) words = g_strsplit(habits[i].words, " ", -1);

		if (g_strv_contains((const char *const *)words, word))
			return habits[i].here;
	}
	return NULL;
}

const char *habit_option(const char *name)
{
	return habits_find(options, G_N_ELEMENTS(options), name);
}

const char *habit_key(const char *key)
{
	return habits_find(keys, G_N_ELEMENTS(keys), key);
}

/* Takes @end from the end of @word. */
static bool habits_cut(char *word, const char *end)
{
	bool has = g_str_has_suffix(word, end);

	if (has)
		word[strlen(word) - strlen(end)] = '\0';
	return has;
}

static const char *nearest_class(const char *word)
{
	struct nearest near = NEAREST(word);
	const struct vdev_class *class;

	for (unsigned i = 0; (class = vdev_class_nth(i)); i++)
		nearest_try(&near, class->name);
	return near.best;
}

/* Free with g_free(); NULL: nobody knows. */
static char *device_hint(const char *name)
{
	const char *bare = g_str_has_prefix(name, "virtio-") ? name + strlen("virtio-") : name;
	g_autofree char *word = g_ascii_strdown(bare, -1);
	bool mmio = habits_cut(word, "-device") || habits_cut(word, "-mmio");
	const char *here;

	here = habits_find(device_options, G_N_ELEMENTS(device_options), word);
	if (here)
		return g_strdup(here);
	if (strpbrk(name, "./"))
		return g_strdup(DISK);
	(void)(habits_cut(word, "-non-transitional") || habits_cut(word, "-transitional"));
	(void)habits_cut(word, "-pci");
	here = habits_find(devices, G_N_ELEMENTS(devices), word);
	if (!here)
		here = nearest_class(word); /* itself, if it is one */
	return here ? g_strdup_printf("did you mean --device %s%s?", here,
				      mmio ? ",transport=mmio" : "")
		    : NULL;
}

bool habit_unknown_device(const char *name, GError **err)
{
	g_autofree char *hint = device_hint(name);

	return ringside_usage(err, "--device %s: unknown device; %s%s--device help lists them%s",
			      name, hint ? hint : "", hint ? " (" : "", hint ? ")" : "");
}
