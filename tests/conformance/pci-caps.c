#include "tests/conformance/pci-caps.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define CAP_ID_VENDOR 0x09u

struct pci_cap pci_cap_find(struct rig *r, unsigned type)
{
	struct pci_cap cap = { 0 };
	unsigned at = peek_cfg(r, 0x34, 1);

	while (at && (peek_cfg(r, at, 1) != CAP_ID_VENDOR || peek_cfg(r, at + 3, 1) != type))
		at = peek_cfg(r, at + 1, 1);
	if (at) {
		cap.at = at;
		cap.cap_len = peek_cfg(r, at + 2, 1);
		cap.bar = peek_cfg(r, at + 4, 1);
		cap.off = peek_cfg(r, at + 8, 4);
		cap.len = peek_cfg(r, at + 12, 4);
	}
	return cap;
}

unsigned pci_cap_count(struct rig *r, unsigned type)
{
	unsigned n = 0;

	for (unsigned at = peek_cfg(r, 0x34, 1); at; at = peek_cfg(r, at + 1, 1))
		n += peek_cfg(r, at, 1) == CAP_ID_VENDOR && peek_cfg(r, at + 3, 1) == type;
	return n;
}

static unsigned common(struct rig *r)
{
	struct pci_cap cap = pci_cap_find(r, CAP_COMMON);

	assert_int_not_equal(cap.at, 0);
	assert_int_equal(cap.bar, 0);
	return cap.off;
}

uint32_t pci_get(struct rig *r, unsigned field, unsigned len)
{
	return (uint32_t)peek_get(r, common(r) + field, len);
}

void pci_set(struct rig *r, unsigned field, unsigned len, uint32_t value)
{
	peek_put(r, common(r) + field, len, value);
}

uint32_t pci_queue_get(struct rig *r, unsigned q, unsigned field, unsigned len)
{
	pci_set(r, QUEUE_SELECT, 2, q);
	return pci_get(r, field, len);
}

void pci_queue_set(struct rig *r, unsigned q, unsigned field, unsigned len, uint32_t value)
{
	pci_set(r, QUEUE_SELECT, 2, q);
	pci_set(r, field, len, value);
}
