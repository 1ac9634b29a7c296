/*
 * Guest CPUID, on made-up lists of what KVM supports: an Intel and an AMD processor.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "vmm/x86/cpuid.h"

#define ROOM 64

union list {
	struct kvm_cpuid2 head; /* its entries have no size of their own */
	uint8_t room[sizeof(struct kvm_cpuid2) + ROOM * sizeof(struct kvm_cpuid_entry2)];
};

#define INDEXED KVM_CPUID_FLAG_SIGNIFCANT_INDEX

/* function, index, flags, eax, ebx, ecx, edx */
static const struct kvm_cpuid_entry2 intel[] = {
	{ 0x0, 0, 0, 0x1f, 0x756e6547, 0x6c65746e, 0x49656e69, { 0 } },
	{ 0x1, 0, 0, 0x50654, 0x11040800, 0xfefa3203 & ~(1u << 24), 0x0f8bfbff, { 0 } },
	{ 0x4, 0, INDEXED, 0x7c03c121, 0x01c0003f, 0x3f, 0, { 0 } },
	{ 0x4, 3, INDEXED, 0x7c0fc163, 0x0280003f, 0x9fff, 4, { 0 } },
	{ 0x4, 4, INDEXED, 0, 0, 0, 0, { 0 } },
	{ 0x7, 0, INDEXED, 1, 0xf1bf07ab, 0x0040071e, 0xac000400, { 0 } },
	{ 0x7, 1, INDEXED, 0x30, 0, 0, 0, { 0 } },
	{ 0xb, 0, INDEXED, 1, 2, 0x100, 77, { 0 } },
	{ 0xb, 1, INDEXED, 6, 64, 0x201, 77, { 0 } },
	{ 0xd, 0, INDEXED, 0x2e7, 0xa88, 0xa88, 0, { 0 } },
	{ 0xd, 1, INDEXED, 0xf, 0xa08, 0x100, 0, { 0 } },
	{ 0xd, 2, INDEXED, 256, 576, 0, 0, { 0 } },
	{ 0xd, 5, INDEXED, 64, 1088, 0, 0, { 0 } },
	{ 0xd, 6, INDEXED, 512, 1152, 0, 0, { 0 } },
	{ 0xd, 7, INDEXED, 1024, 1664, 0, 0, { 0 } },
	{ 0xd, 8, INDEXED, 128, 0, 1, 0, { 0 } },
	{ 0xd, 9, INDEXED, 8, 2688, 0, 0, { 0 } },
	{ 0x15, 0, 0, 2, 200, 24000000, 0, { 0 } },
	{ 0x1f, 0, INDEXED, 1, 2, 0x100, 77, { 0 } },
	{ 0x40000000, 0, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d, { 0 } },
	{ 0x40000001, 0, 0, 0x01007efb, 0, 0, 0, { 0 } },
	{ 0x80000001, 0, 0, 0, 0, 0x121, 0x2c100800, { 0 } },
};

static const struct kvm_cpuid_entry2 amd[] = {
	{ 0x0, 0, 0, 0xd, 0x68747541, 0x444d4163, 0x69746e65, { 0 } },
	{ 0x1, 0, 0, 0xa10f11, 0x01020800, 0xfef83203, 0x178bfbff, { 0 } },
	{ 0xb, 0, INDEXED, 1, 2, 0x100, 5, { 0 } },
	{ 0x40000000, 0, 0, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d, { 0 } },
	{ 0x80000001, 0, 0, 0xa10f11, 0, 0x00c003f3, 0x2fd3fbff, { 0 } },
	{ 0x80000008, 0, 0, 0x3030, 0, 0xf0ff, 0, { 0 } },
	{ 0x8000001d, 0, INDEXED, 0x121 | 0x3ff << 14, 0, 0, 0, { 0 } },
	{ 0x8000001d, 3, INDEXED, 0x163 | 0x3ff << 14, 0, 0, 0, { 0 } },
	{ 0x8000001e, 0, 0, 9, 0x108, 0x701, 0, { 0 } },
	{ 0x80000026, 0, INDEXED, 1, 2, 0x100, 5, { 0 } },
};

/* Builds the list of one processor; @model may be NULL. */
static void build(union list *ret, const struct kvm_cpuid_entry2 *host, unsigned n,
		  const struct cpuid_params *p)
{
	union list from = { 0 };

	from.head.nent = n;
	memcpy(from.head.entries, host, n * sizeof(*host));
	memset(ret, 0xee, sizeof(*ret));
	ret->head.nent = ROOM;
	assert_true(cpuid_build(&from.head, p, &ret->head));
	assert_true(ret->head.nent <= n + CPUID_EXTRA);
}

static const struct kvm_cpuid_entry2 *leaf(const union list *l, uint32_t function, uint32_t index)
{
	const struct kvm_cpuid_entry2 *found = NULL;

	for (unsigned i = 0; i < l->head.nent; i++) {
		const struct kvm_cpuid_entry2 *e = &l->head.entries[i];

		if (e->function != function || e->index != index)
			continue;
		assert_null(found); /* each but once */
		found = e;
	}
	return found;
}

#define BUILD(list, host, ...) \
	build(list, host, G_N_ELEMENTS(host), &(struct cpuid_params){ __VA_ARGS__ })

static struct cpu_model model(const char *text)
{
	g_autoptr(GError) err = NULL;
	struct cpu_model m;

	assert_true(cpuid_parse_model(text, &m, &err));
	return m;
}

static void intel_topology_is_one_thread_a_core(void **state)
{
	union list l;

	(void)state;
	BUILD(&l, intel, .cpu = 2, .n_cpus = 3);
	assert_int_equal(leaf(&l, 1, 0)->ebx, 0x02040800);
	assert_true(leaf(&l, 1, 0)->edx >> 28 & 1);
	assert_int_equal(leaf(&l, 4, 0)->eax >> 14, 3 << 12); /* private, 4 cores */
	assert_int_equal(leaf(&l, 4, 3)->eax >> 14, 3 << 12 | 3);
	assert_int_equal(leaf(&l, 4, 4)->eax, 0);
	for (unsigned i = 0; i < 2; i++) {
		uint32_t f = i ? 0x1f : 0xb;

		assert_int_equal(leaf(&l, f, 0)->eax, 0);
		assert_int_equal(leaf(&l, f, 0)->ebx, 1);
		assert_int_equal(leaf(&l, f, 0)->ecx, 0x100);
		assert_int_equal(leaf(&l, f, 1)->eax, 2);
		assert_int_equal(leaf(&l, f, 1)->ebx, 3);
		assert_int_equal(leaf(&l, f, 1)->ecx, 0x201);
		assert_int_equal(leaf(&l, f, 1)->edx, 2);
		assert_int_equal(leaf(&l, f, 2)->ecx, 2);
	}
}

static void amd_topology_is_one_thread_a_core(void **state)
{
	union list l;

	(void)state;
	BUILD(&l, amd, .cpu = 63, .n_cpus = 64);
	assert_int_equal(leaf(&l, 0x80000008, 0)->ecx, 0x603f);
	assert_int_equal(leaf(&l, 0x8000001e, 0)->eax, 63);
	assert_int_equal(leaf(&l, 0x8000001e, 0)->ebx, 63);
	assert_int_equal(leaf(&l, 0x8000001e, 0)->ecx, 0);
	assert_int_equal(leaf(&l, 0x8000001d, 0)->eax >> 14, 0);
	assert_int_equal(leaf(&l, 0x8000001d, 3)->eax >> 14, 63);
	assert_true(leaf(&l, 0x80000001, 0)->ecx & 2);
	assert_null(leaf(&l, 0x80000026, 0));
	assert_null(leaf(&l, 0x1f, 0));
}

static void one_processor_is_no_multiprocessor(void **state)
{
	union list l;

	(void)state;
	BUILD(&l, amd, .n_cpus = 1);
	assert_int_equal(leaf(&l, 1, 0)->ebx, 0x00010800);
	assert_false(leaf(&l, 1, 0)->edx >> 28 & 1);
	assert_false(leaf(&l, 0x80000001, 0)->ecx & 2);
	assert_int_equal(leaf(&l, 0xb, 1)->eax, 0);
}

static void hypervisor_and_timer_bits_follow_the_machine(void **state)
{
	union list l;
	struct cpu_model m = model("host,-tsc_deadline_timer,-hypervisor");

	(void)state;
	BUILD(&l, amd, .n_cpus = 1, .tsc_deadline = true);
	assert_int_equal(leaf(&l, 1, 0)->ecx >> 24 & 0x89, 0x81);
	BUILD(&l, amd, .n_cpus = 1, .tsc_deadline = false);
	assert_int_equal(leaf(&l, 1, 0)->ecx >> 24 & 0x89, 0x80);
	BUILD(&l, amd, .n_cpus = 1, .tsc_deadline = true, .model = &m);
	assert_int_equal(leaf(&l, 1, 0)->ecx >> 24 & 0x89, 0x00);
}

static void frequencies_need_no_measuring(void **state)
{
	union list l;

	(void)state;
	BUILD(&l, intel, .n_cpus = 1, .tsc_khz = 2600000);
	assert_int_equal(leaf(&l, 0x40000000, 0)->eax, 0x40000010);
	assert_int_equal(leaf(&l, 0x40000010, 0)->eax, 2600000);
	assert_int_equal(leaf(&l, 0x40000010, 0)->ebx, 1000000);
	assert_int_equal(leaf(&l, 0x15, 0)->ebx, 13);
	assert_int_equal(leaf(&l, 0x15, 0)->eax, 5);
	assert_int_equal(leaf(&l, 0x15, 0)->ecx, 1000000000);
	assert_int_equal(leaf(&l, 0x16, 0)->eax, 2600);
	BUILD(&l, intel, .n_cpus = 1, .tsc_khz = 2599987);
	assert_null(leaf(&l, 0x15, 0)); /* its fraction does not fit */
	BUILD(&l, amd, .n_cpus = 1, .tsc_khz = 2600000);
	assert_null(leaf(&l, 0x15, 0));
	assert_non_null(leaf(&l, 0x40000010, 0));
	BUILD(&l, intel, .n_cpus = 1);
	assert_null(leaf(&l, 0x15, 0));
	assert_null(leaf(&l, 0x40000010, 0));
}

static void kvm_features_are_kept(void **state)
{
	union list l;

	(void)state;
	BUILD(&l, intel, .n_cpus = 1);
	assert_int_equal(leaf(&l, 0x40000001, 0)->eax, 0x01007efb);
	assert_int_equal(leaf(&l, 0x40000001, 0)->edx, 0);
}

static void xsave_sizes_follow_the_mask(void **state)
{
	struct cpu_model no512 = model("host,-avx512f"), no_pku = model("host,-pku");
	union list l;

	(void)state;
	BUILD(&l, intel, .n_cpus = 1);
	assert_int_equal(leaf(&l, 0xd, 0)->eax, 0x2e7);
	assert_int_equal(leaf(&l, 0xd, 0)->ecx, 2696);
	assert_int_equal(leaf(&l, 0xd, 1)->ebx, 576 + 256 + 64 + 512 + 1024 + 128 + 8);
	BUILD(&l, intel, .n_cpus = 1, .model = &no512);
	assert_int_equal(leaf(&l, 0xd, 0)->eax, 0x207);
	assert_int_equal(leaf(&l, 0xd, 0)->ecx, 2696); /* PKU keeps its place */
	assert_int_equal(leaf(&l, 0xd, 1)->ebx, 576 + 256 + 128 + 8);
	assert_int_equal(leaf(&l, 0xd, 6)->eax, 0);
	BUILD(&l, intel, .n_cpus = 1, .model = &no_pku);
	assert_int_equal(leaf(&l, 0xd, 0)->eax, 0xe7);
	assert_int_equal(leaf(&l, 0xd, 0)->ecx, 2688);
}

static void without_xsave_nothing_of_it_is_left(void **state)
{
	struct cpu_model m = model("host,-xsave");
	union list l;

	(void)state;
	BUILD(&l, intel, .n_cpus = 1, .model = &m);
	assert_int_equal(leaf(&l, 1, 0)->ecx & (1u << 12 | 3u << 26 | 3u << 28), 0);
	assert_int_equal(leaf(&l, 7, 0)->ebx & (1u << 5 | 0xf0u << 24 | 3u << 16), 0x20u << 24);
	assert_int_equal(leaf(&l, 7, 0)->ecx & 0x1e, 4); /* umip stays */
	assert_int_equal(leaf(&l, 7, 1)->eax, 0);
	for (unsigned i = 0; i < 10; i++) {
		const struct kvm_cpuid_entry2 *e = leaf(&l, 0xd, i);

		assert_true(!e || (e->eax | e->ebx | e->ecx | e->edx) == 0);
	}
	assert_false(cpuid_model_has(&m, "avx512_bf16"));
	assert_true(cpuid_model_has(&m, "sse4_2"));
}

static void masked_bits_go_from_the_mirror_too(void **state)
{
	struct cpu_model m = model("host,-apic");
	union list l;

	(void)state;
	BUILD(&l, amd, .n_cpus = 1, .model = &m);
	assert_int_equal(leaf(&l, 1, 0)->edx & 1u << 9, 0);
	assert_int_equal(leaf(&l, 0x80000001, 0)->edx, 0x2fd3fbff & ~(1u << 9));
}

static void too_little_room_is_refused(void **state)
{
	union list from = { 0 }, to = { 0 };

	(void)state;
	from.head.nent = G_N_ELEMENTS(intel);
	memcpy(from.head.entries, intel, sizeof(intel));
	to.head.nent = 8;
	assert_false(cpuid_build(&from.head, &(struct cpuid_params){ .n_cpus = 1 }, &to.head));
}

static void bad_models_say_what_would_be_right(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "skylake", "no model 'skylake'; give 'host'" },
		{ "", "--cpu: there is no model ''" },
		{ "host,-avx512", "no feature 'avx512'; did you mean 'avx512" },
		{ "host,-xsav", "did you mean 'xsave'?" },
		{ "host,+svm", "give '-svm'" },
		{ "host,svm", "--cpu: 'svm' is not understood" },
		{ "host,", "--cpu: '' is not understood" },
	};

	(void)state;
	for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) err = NULL;
		struct cpu_model m;

		assert_false(cpuid_parse_model(cases[i].text, &m, &err));
		if (!strstr(err->message, cases[i].says))
			fail_msg("'%s': %s", cases[i].text, err->message);
		assert_null(strchr(err->message, '\n'));
	}
}

static void help_lists_every_feature_within_the_terminal(void **state)
{
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;
	size_t len;
	FILE *f;

	(void)state;
	text = NULL;
	f = open_memstream(&text, &len);
	cpuid_print_help(f);
	fclose(f);
	lines = g_strsplit(text, "\n", -1);
	assert_true(g_strv_length(lines) > 150);
	for (unsigned i = 0; lines[i]; i++)
		assert_true(strlen(lines[i]) < 80);
	assert_non_null(strstr(text, "avx512f"));
	assert_non_null(strstr(text, "0xd.1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intel_topology_is_one_thread_a_core),
		cmocka_unit_test(amd_topology_is_one_thread_a_core),
		cmocka_unit_test(one_processor_is_no_multiprocessor),
		cmocka_unit_test(hypervisor_and_timer_bits_follow_the_machine),
		cmocka_unit_test(frequencies_need_no_measuring),
		cmocka_unit_test(kvm_features_are_kept),
		cmocka_unit_test(xsave_sizes_follow_the_mask),
		cmocka_unit_test(without_xsave_nothing_of_it_is_left),
		cmocka_unit_test(masked_bits_go_from_the_mirror_too),
		cmocka_unit_test(too_little_room_is_refused),
		cmocka_unit_test(bad_models_say_what_would_be_right),
		cmocka_unit_test(help_lists_every_feature_within_the_terminal),
	};

	g_log_set_always_fatal(G_LOG_LEVEL_CRITICAL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
