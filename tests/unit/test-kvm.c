/* What is known of this host's KVM without asking it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <glib.h>

#include "vmm/kvm/arch.h"
#include "vmm/kvm/kvm.h"

/* As tools/kvm-run finds out. */
static void hardware_is_what_cpuinfo_says(void **state)
{
	g_autofree char *text = NULL;

	(void)state;
	assert_true(g_file_get_contents("/proc/cpuinfo", &text, NULL, NULL));
	assert_int_equal(kvm_on_hardware(), g_regex_match_simple("^flags.*\\b(vmx|svm)\\b", text,
								 G_REGEX_MULTILINE, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hardware_is_what_cpuinfo_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
