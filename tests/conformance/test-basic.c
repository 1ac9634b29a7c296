/* Basic facilities: status, features, reset, configuration space, resets of one queue (2.1 to 2.6).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/conformance/conform.h"

/*
 * Status.
 */

static void nothing_is_used_before_driver_ok(struct rig *r)
{
	struct rig_buf buf = rig_alloc(r, 4);
	g_autofree uint8_t *before = NULL;

	conform_prepare(r, conform_plain(r));
	rig_add(r, ECHO_COPY, &buf, 0, 1);
	(void)drv_publish(rig_vq(r, ECHO_COPY));
	before = conform_remember(r);
	rig_kick(r, ECHO_COPY);
	conform_let_work(r);
	assert_true(conform_untouched(r, before));
	assert_int_equal(rig_interrupts(r, ECHO_COPY), 0);
	rig_driver_ok(r);
	RIG_UNTIL(r, rig_interrupts(r, ECHO_COPY) == 1);
}

static void break_ring(struct rig *r)
{
	struct rig_buf buf = rig_alloc(r, 4);

	rig_add(r, ECHO_COPY, &buf, 0, 1);
	rig_spoil_address(r, ECHO_COPY, UINT64_MAX - 8);
	rig_publish(r, ECHO_COPY);
}

static void needs_reset_is_told_of(struct rig *r)
{
	unsigned before;

	rig_start(r, conform_plain(r));
	before = rig_config_interrupts(r);
	break_ring(r);
	RIG_UNTIL(r, rig_config_interrupts(r) > before);
	assert_true(rig_status(r) & VIRTIO_S_NEEDS_RESET);
}

#define SUSPEND 16u

/* The bit is nobody's at any stage; afterwards all is as if it had not been written. */
static void suspend_is_ignored_before_driver_ok(struct rig *r)
{
	static const uint32_t stages[] = { VIRTIO_S_ACKNOWLEDGE, VIRTIO_S_DRIVER,
					   VIRTIO_S_FEATURES_OK, VIRTIO_S_DRIVER_OK };
	uint32_t status = 0;

	rig_reset(r);
	for (size_t i = 0; i < G_N_ELEMENTS(stages); i++) {
		rig_set_status(r, status | SUSPEND);
		assert_int_equal(rig_status(r), status);
		status |= stages[i];
		if (stages[i] == VIRTIO_S_FEATURES_OK)
			conform_prepare(r, conform_plain(r));
		else
			rig_set_status(r, status);
	}
	assert_int_equal(rig_status(r), status);
	conform_echo(r, "awake");
}

/*
 * Features.
 */

static const struct {
	unsigned id, bit, one_of[2];
} dependencies[] = {
	/* net: 5.1.3 */
	{ 1, 7, { 1, 1 } },
	{ 1, 8, { 1, 1 } },
	{ 1, 9, { 7, 8 } },
	{ 1, 10, { 1, 1 } },
	{ 1, 54, { 1, 1 } },
	{ 1, 55, { 1, 1 } },
	{ 1, 11, { 0, 0 } },
	{ 1, 12, { 0, 0 } },
	{ 1, 13, { 11, 12 } },
	{ 1, 14, { 0, 0 } },
	{ 1, 56, { 0, 0 } },
	{ 1, 18, { 17, 17 } },
	{ 1, 19, { 17, 17 } },
	{ 1, 20, { 17, 17 } },
	{ 1, 21, { 17, 17 } },
	{ 1, 22, { 17, 17 } },
	{ 1, 23, { 17, 17 } },
	{ 1, 2, { 17, 17 } },
	{ 1, 60, { 17, 17 } },
	{ 1, 61, { 7, 8 } },
	{ 1, 53, { 17, 17 } },
	{ 1, 52, { 17, 17 } },
	{ 1, 57, { 17, 17 } },
	/* blk: 5.2.5.2 */
	{ 2, 11, { 9, 9 } },
};

static void check_needs(uint32_t id, struct vfeatures offered, const char *spec)
{
	for (size_t i = 0; i < G_N_ELEMENTS(dependencies); i++)
		if (dependencies[i].id == id && vfeatures_has(offered, dependencies[i].bit) &&
		    !vfeatures_has(offered, dependencies[i].one_of[0]) &&
		    !vfeatures_has(offered, dependencies[i].one_of[1]))
			fail_msg("%s: bit %u is offered without %u", spec, dependencies[i].bit,
				 dependencies[i].one_of[0]);
}

static void offered_features_have_what_they_need(struct rig *r)
{
	check_needs(rig_dev(r)->type, rig_offered(r), "by itself");
}

/* Opens one more device of the class, as told. */
static void check_offer_of(struct rig *r, const char *spec)
{
	g_auto(GStrv) parts = g_strsplit(spec, "@", -1);
	g_autofree char *whole = g_strjoinv(rig_dir(r), parts), *name = NULL;
	g_autoptr(GPtrArray) pairs = prop_split(whole, &name);
	struct vdev_env env = { .mem = rig_mem(r), .main_loop = rig_loop(r), .n_cpus = 2 };
	g_autoptr(GError) err = NULL;
	struct vdev *dev = vdev_new(rig_dev(r)->class, pairs, &env, &err);

	if (!dev) {
		fail_msg("%s: %s", spec, err->message);
		return; /* it does not come here, but does not say so either */
	}
	check_needs(dev->type, dev->offered, spec);
	vdev_free(dev);
}

/* Whatever one or two of its features the operator takes away. */
static void whatever_is_taken_away_nothing_is_left_that_needs_it(struct rig *r)
{
	static const char *const specs[] = {
		"blk,path=@/again,queues=2",
		"blk,path=@/again,ro=on",
		"blk,path=@/again,cache=unsafe",
		"console,chr=null,max-ports=3",
		"net,backend=user,mtu=1400",
		"net,backend=socket,path=@/peer,listen=on",
		"vsock,guest-cid=99",
	};
	const struct vdev_class *class = rig_dev(r)->class;
	g_autofree char *disk = g_build_filename(rig_dir(r), "again", NULL);
	g_autofree char *list = vdev_feature_names(class, VDEV_NAMES_OWN);
	g_auto(GStrv) names = g_strsplit(list ? list : "", " ", -1);
	unsigned tried = 0;

	assert_true(g_file_set_contents(disk, (char[4096]){ 0 }, 4096, NULL));
	for (size_t s = 0; s < G_N_ELEMENTS(specs); s++) {
		if (!g_str_has_prefix(specs[s], class->name))
			continue;
		for (char **a = names; *a; a++)
			for (char **b = a; *b; b++) {
				g_autofree char *spec = g_strdup_printf("%s,features=-%s,-%s",
									specs[s], *a, *b);

				check_offer_of(r, spec);
				tried++;
			}
	}
	assert_int_equal(tried > 0, list != NULL);
}

static void all_that_is_offered_can_be_had(struct rig *r)
{
	rig_start(r, RIG_ALL);
	rig_wait_idle(r);
	assert_int_equal(rig_status(r), VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER |
						VIRTIO_S_FEATURES_OK | VIRTIO_S_DRIVER_OK);
}

static void what_cannot_be_accepted_is_refused(struct rig *r)
{
	struct vfeatures offered = rig_offered(r), f;

	assert_false(rig_negotiate(r, RIG_NONE)); /* VERSION_1 is missing */
	assert_false(rig_negotiate(r, conform_with(r, ECHO_F_NEEDS_BASE)));
	for (unsigned bit = 0; bit < 128; bit++) {
		f = conform_plain(r);
		vfeatures_set(&f, bit, true);
		if (!vfeatures_has(offered, bit))
			assert_false(rig_negotiate(r, f));
	}
	assert_true(rig_negotiate(r, conform_plain(r)));
}

static void version_1_is_offered(struct rig *r)
{
	assert_true(vfeatures_has(rig_offered(r), VIRTIO_F_VERSION_1));
	rig_start(r, RIG_ALL);
	assert_true(vfeatures_has(rig_offered(r), VIRTIO_F_VERSION_1));
}

static void sr_iov_is_not_offered_without_the_capability(struct rig *r)
{
	/* There is no extended configuration space, hence no such capability. */
	assert_false(vfeatures_has(rig_offered(r), VIRTIO_F_SR_IOV));
}

/* So that uncovered.tsv tells the truth. */
static void nothing_is_offered_whose_clauses_have_no_test(struct rig *r)
{
	static const unsigned char bits[] = { VIRTIO_F_NOTIFY_ON_EMPTY, VIRTIO_F_ANY_LAYOUT,
					      VIRTIO_F_ADMIN_VQ, VIRTIO_F_SUSPEND };

	for (size_t i = 0; i < G_N_ELEMENTS(bits); i++)
		assert_false(vfeatures_has(rig_offered(r), bits[i]));
}

/* Kept chains are released last first, and must come back first first. */
static void in_order_chains_come_back_in_order(struct rig *r)
{
	struct rig_buf buf = rig_alloc(r, 4);
	struct rig_req *req[8];
	const struct drv_vq *vq;
	uint16_t ids[8];

	rig_start(r, conform_with(r, VIRTIO_F_IN_ORDER));
	vq = rig_vq(r, ECHO_KEEP);
	for (unsigned i = 0; i < 8; i++)
		req[i] = rig_add(r, ECHO_KEEP, &buf, 0, 1);
	for (unsigned i = 0; i < 8; i++)
		ids[i] = vq->cfg.packed ? le16_cpu(vq->packed.desc[i].id)
					: le16_cpu(vq->split.avail->ring[i]);
	rig_publish(r, ECHO_KEEP);
	rig_wait_idle(r);
	rig_on_owner(r, echo_release, rig_dev(r));
	rig_wait(r, req[7]);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(vq->cfg.packed ? le16_cpu(vq->packed.desc[i].id)
						: le32_cpu(vq->split.used->ring[i].id),
				 ids[i]);
}

/*
 * Reset.
 */

static void status_reads_0_after_a_reset(struct rig *r)
{
	rig_start(r, RIG_ALL);
	rig_set_status(r, 0);
	RIG_UNTIL(r, rig_status(r) == 0);
	rig_wait_idle(r);
	assert_int_equal(rig_status(r), 0);
	rig_start(r, conform_plain(r));
	break_ring(r);
	RIG_UNTIL(r, rig_status(r) & VIRTIO_S_NEEDS_RESET);
	rig_set_status(r, 0);
	RIG_UNTIL(r, rig_status(r) == 0);
}

static void a_reset_device_is_silent(struct rig *r)
{
	struct rig_buf buf = rig_alloc(r, 4);
	g_autofree uint8_t *before = NULL;
	unsigned interrupts, config_interrupts;

	rig_start(r, conform_plain(r));
	conform_echo(r, "before");
	rig_submit(r, ECHO_KEEP, &buf, 0, 1);
	rig_wait_idle(r);
	rig_add(r, ECHO_COPY, &buf, 0, 1);
	(void)drv_publish(rig_vq(r, ECHO_COPY));
	rig_set_status(r, 0);
	RIG_UNTIL(r, rig_status(r) == 0);
	interrupts = rig_interrupts(r, ECHO_COPY) + rig_interrupts(r, ECHO_KEEP);
	config_interrupts = rig_config_interrupts(r);
	before = conform_remember(r);
	rig_kick(r, ECHO_COPY);
	echo_set_pair(rig_dev(r), 5, true);
	rig_wait_idle(r);
	assert_true(conform_untouched(r, before));
	assert_int_equal(rig_interrupts(r, ECHO_COPY) + rig_interrupts(r, ECHO_KEEP), interrupts);
	assert_int_equal(rig_config_interrupts(r), config_interrupts);
}

/*
 * Configuration space.
 */

static void config_can_be_read_before_features_ok(struct rig *r)
{
	uint8_t early[VDEV_CONFIG_MAX], late[VDEV_CONFIG_MAX];
	size_t size = rig_dev(r)->config_size;

	if (size == 0)
		return; /* this type has none */
	rig_reset(r);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE);
	rig_set_status(r, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
	rig_config(r, 0, early, size);
	assert_memory_equal(early, rig_dev(r)->config, size);
	rig_start(r, RIG_ALL);
	rig_config(r, 0, late, size);
	assert_memory_equal(early, late, size);
}

/*
 * Reset of one queue.
 */

static void a_reset_queue_is_silent(struct rig *r)
{
	struct rig_buf buf = rig_alloc(r, 4);
	g_autofree uint8_t *before = NULL;
	unsigned interrupts;

	rig_start(r, conform_with(r, VIRTIO_F_RING_RESET));
	rig_submit(r, ECHO_KEEP, &buf, 0, 1);
	rig_wait_idle(r);
	rig_add(r, ECHO_KEEP, &buf, 0, 1);
	(void)drv_publish(rig_vq(r, ECHO_KEEP));
	interrupts = rig_interrupts(r, ECHO_KEEP);
	rig_queue_reset(r, ECHO_KEEP);
	before = conform_remember(r);
	rig_kick(r, ECHO_KEEP);
	rig_on_owner(r, echo_release, rig_dev(r));
	rig_wait_idle(r);
	assert_true(conform_untouched(r, before));
	assert_in_range(rig_interrupts(r, ECHO_KEEP), interrupts, interrupts + 1);
	interrupts = rig_interrupts(r, ECHO_KEEP); /* one that was under way before is allowed */
	rig_kick(r, ECHO_KEEP);
	rig_wait_idle(r);
	assert_int_equal(rig_interrupts(r, ECHO_KEEP), interrupts);
	conform_echo(r, "others run");
}

static void a_reset_queue_has_its_defaults(struct rig *r)
{
	unsigned max;

	rig_start(r, conform_with(r, VIRTIO_F_RING_RESET));
	max = rig_vq(r, ECHO_COPY)->cfg.size;
	for (int i = 0; i < 5; i++)
		conform_echo(r, "indices move on");
	rig_queue_reset(r, ECHO_COPY);
	for (enum vdev_queue_reg reg = VQR_DESC; reg <= VQR_ENABLE; reg++)
		assert_int_equal(vdev_queue_read(rig_dev(r), ECHO_COPY, reg), 0);
	assert_int_equal(vdev_queue_read(rig_dev(r), ECHO_COPY, VQR_SIZE), max);
	rig_queue_start(r, ECHO_COPY, 0); /* a zeroed ring: indices are 0, wrap counters 1 again */
	for (int i = 0; i < 5; i++)
		conform_echo(r, "anew");
}

static void a_queue_comes_back_with_another_size(struct rig *r)
{
	static const uint16_t sizes[] = { 16, 4, 64, 2 };

	rig_start(r, conform_with(r, VIRTIO_F_RING_RESET));
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		rig_queue_reset(r, ECHO_COPY);
		rig_queue_start(r, ECHO_COPY, sizes[i]);
		for (int n = 0; n < 70; n++)
			conform_echo(r, "round and round");
	}
}

static const struct conform_case cases[] = {
	{ "DEV-BASE-STATUS-01", "nothing is used before DRIVER_OK",
	  nothing_is_used_before_driver_ok, .rings = CONFORM_RINGS },
	{ "DEV-BASE-STATUS-03", "NEEDS_RESET comes with a configuration interrupt",
	  needs_reset_is_told_of, .rings = CONFORM_RINGS },
	{ "DEV-BASE-SUSPEND-01", "SUSPEND is ignored before DRIVER_OK",
	  suspend_is_ignored_before_driver_ok, .rings = CONFORM_RINGS },
	{ "DEV-BASE-FEAT-01", "offered features have what they need",
	  offered_features_have_what_they_need, .devices = true },
	{ "DEV-BASE-FEAT-01", "whatever is taken away nothing is left that needs it",
	  whatever_is_taken_away_nothing_is_left_that_needs_it, .devices = true, .links = "direct",
	  .rings = CONFORM_SPLIT },
	{ "DEV-BASE-FEAT-03", "what cannot be accepted is refused",
	  what_cannot_be_accepted_is_refused, .rings = CONFORM_RINGS },
	{ "DEV-BASE-FEAT-04", "all that is offered can be had", all_that_is_offered_can_be_had,
	  .devices = true },
	{ "DEV-BASE-FEAT-04", "all that is offered can be had", all_that_is_offered_can_be_had,
	  .rings = CONFORM_RINGS },
	{ "DEV-BASE-RESFEAT-01", "VERSION_1 is offered", version_1_is_offered, .devices = true },
	{ "DEV-BASE-RESFEAT-05", "IN_ORDER: chains come back in order",
	  in_order_chains_come_back_in_order, .rings = CONFORM_RINGS },
	{ "DEV-BASE-RESFEAT-10", "SR_IOV is not offered without the capability",
	  sr_iov_is_not_offered_without_the_capability, .devices = true },
	{ "uncovered.tsv", "nothing is offered whose clauses have no test",
	  nothing_is_offered_whose_clauses_have_no_test, .devices = true },
	{ "DEV-BASE-RESET-01", "status reads 0 after a reset", status_reads_0_after_a_reset,
	  .rings = CONFORM_RINGS },
	{ "DEV-BASE-RESET-02", "a reset device is silent", a_reset_device_is_silent,
	  .rings = CONFORM_RINGS },
	{ "DEV-BASE-CFG-01", "configuration can be read before FEATURES_OK",
	  config_can_be_read_before_features_ok, .devices = true },
	{ "DEV-BASE-VQRESET-01", "a reset queue is silent", a_reset_queue_is_silent,
	  .rings = CONFORM_RINGS },
	{ "DEV-BASE-VQRESET-02", "a reset queue has its defaults", a_reset_queue_has_its_defaults,
	  .rings = CONFORM_RINGS },
	{ "DEV-BASE-VQREEN-01", "a queue comes back with another size",
	  a_queue_comes_back_with_another_size, .rings = CONFORM_RINGS },
};

int main(void)
{
	return conform_run("basic", cases, G_N_ELEMENTS(cases));
}
