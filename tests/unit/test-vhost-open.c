/* A kernel whose vhost is not to be had, or not for that device, and what is said then. */
#include <errno.h>
#include <linux/if_tun.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "devices/registry.h"
#include "devices/vhost/kernel.h"
#include "tests/support/net-own.h"
#include "tests/support/vhost-kernel.h"
#include "tests/support/wrappers.h"

static struct vdev *open_device(const char *spec, GError **err)
{
	g_autofree char *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(spec, &name);
	static struct gmem mem;
	struct vdev_env env = { .mem = &mem, .main_loop = loop_main(), .wrappers = test_wrappers };
	struct vdev *dev = vdev_new(vdev_class_find(name), pairs, &env, err);

	loop_free(env.main_loop);
	return dev;
}

static void refused(const char *spec, const char *text)
{
	g_autoptr(GError) err = NULL;
	struct vdev *dev = open_device(spec, &err);

	assert_null(dev);
	if (!strstr(err->message, text))
		fail_msg("'%s' is not in '%s'", text, err->message);
}

#define TAP   "net,backend=tap,ifname=rs0,vhost=on"
#define VSOCK "vsock,guest-cid=3"

static void who_lacks_the_module_is_told_its_name(void **state)
{
	static const int gone[] = { ENOENT, ENODEV, ENXIO };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(gone); i++) {
		vhost_kernel_absent(gone[i]);
		refused(TAP, "--device net,vhost=on: there is no /dev/vhost-net; the kernel's "
			     "module vhost_net makes it: modprobe vhost_net");
		refused(VSOCK, "--device vsock: there is no /dev/vhost-vsock; the kernel's module "
			       "vhost_vsock makes it: modprobe vhost_vsock");
	}
	vhost_kernel_absent(EACCES);
	refused(VSOCK, "this user may not open /dev/vhost-vsock");
	vhost_kernel_absent(EMFILE);
	refused(VSOCK, "/dev/vhost-vsock: Too many open files");
	vhost_kernel_absent(0);
}

static void only_a_tap_is_for_the_kernel(void **state)
{
	(void)state;
	refused("net,backend=user,vhost=on", "the kernel serves a tap: backend=tap");
	refused("net,backend=socket,path=/nowhere/s,listen=on,vhost=on", "/nowhere");
	refused("net,backend=slow:tap:rs0,vhost=on", "no wrapper before it");
	refused(TAP ",mtu=1400", "ip link set dev rs0 mtu 1400");
}

static void rings_that_the_kernel_lacks_are_refused(void **state)
{
	struct vdev *dev;

	(void)state;
	vhost_kernel_features(~(1ull << VIRTIO_F_RING_PACKED | 1ull << VIRTIO_F_IN_ORDER));
	refused(TAP ",ring=packed", "the kernel's vhost has no packed rings");
	refused(VSOCK ",ring=packed", "the kernel's vhost has no packed rings");
	refused(VSOCK ",features=+in_order", "+in_order: this device, with its other options");
	vhost_kernel_features(VHOST_KERNEL_ALL);
	dev = open_device(VSOCK ",ring=packed,features=+in_order", NULL);
	assert_non_null(dev);
	vdev_free(dev);
}

static void an_address_is_one_guest_s(void **state)
{
	struct vdev *dev = open_device(VSOCK, NULL), *other;

	(void)state;
	assert_non_null(dev);
	refused(VSOCK, "--device vsock,guest-cid=3: /dev/vhost-vsock: VHOST_VSOCK_SET_GUEST_CID: "
		       "Address already in use; each guest of a host has its own");
	other = open_device("vsock,guest-cid=4", NULL);
	assert_non_null(other);
	vdev_free(other);
	vdev_free(dev);
	refused("vsock,guest-cid=2", "guest-cid=2");
	refused("vsock,guest-cid=4294967295", "guest-cid=4294967295");
	refused("vsock", "guest-cid=");
}

static void a_kernel_that_does_not_answer_is_named(void **state)
{
	(void)state;
	vhost_kernel_fail(VHOST_GET_FEATURES, EIO);
	refused(VSOCK, "/dev/vhost-vsock: VHOST_GET_FEATURES: Input/output error");
	vhost_kernel_fail(0, 0);
}

static int set_up(void **state)
{
	(void)state;
	if (!own_network())
		return -1;
	tap_make("rs0", 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	tap_remove("rs0", 0);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_lacks_the_module_is_told_its_name),
		cmocka_unit_test(only_a_tap_is_for_the_kernel),
		cmocka_unit_test(rings_that_the_kernel_lacks_are_refused),
		cmocka_unit_test(an_address_is_one_guest_s),
		cmocka_unit_test(a_kernel_that_does_not_answer_is_named),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
