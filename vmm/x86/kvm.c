/* vmm/kvm/arch.h for x86-64: KVM's PIC and I/O APIC, and its PIT. */
#include <cpuid.h>

#include "devices/base/error.h"
#include "vmm/kvm/arch.h"
#include "vmm/kvm/sys.h"
#include "vmm/x86/layout.h"

#define PIC_PINS 8u

bool kvm_on_hardware(void)
{
	enum { FEATURES = 1, VMX = 1u << 5, MORE_FEATURES = 0x80000001, SVM = 1u << 2 };
	unsigned a, b, c, d;

	return (__get_cpuid(FEATURES, &a, &b, &c, &d) && c & VMX) ||
	       (__get_cpuid(MORE_FEATURES, &a, &b, &c, &d) && c & SVM);
}

/* With the speaker's flag port 0x61 is KVM's, too. */
static bool create_pit(struct kvm *kvm, GError **err)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	int ret = kvm->pit ? kvm_ioctl(kvm->vm, KVM_CREATE_PIT2, &pit) : 0;

	return ret >= 0 ||
	       ringside_error_errno(err, -ret,
				    "/dev/kvm: KVM_CREATE_PIT2 (--pc pit=off does without)");
}

/* KVM's own routes have the PIT on pin 0 of the I/O APIC; it is on pin 2, here as on a PC. */
static int route_pins(struct kvm *kvm)
{
	g_autofree struct kvm_irq_routing *table =
		g_malloc0(sizeof(*table) + kvm_n_pin_routes * sizeof(table->entries[0]));

	kvm_add_pin_routes(table);
	return kvm_set_routing(kvm, table);
}

bool kvm_create_irqchips(struct kvm *kvm, GError **err)
{
	uint64_t identity = LAYOUT_KVM_IDENTITY;
	/* Both before the first vCPU: old Intel processors need these pages in real mode. */
	int ret = kvm_ioctl(kvm->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity);

	if (ret < 0)
		return ringside_error_errno(err, -ret, "/dev/kvm: KVM_SET_IDENTITY_MAP_ADDR");
	ret = kvm_ioctl_value(kvm->vm, KVM_SET_TSS_ADDR, LAYOUT_KVM_TSS);
	if (ret < 0)
		return ringside_error_errno(err, -ret, "/dev/kvm: KVM_SET_TSS_ADDR");
	ret = kvm_ioctl_value(kvm->vm, KVM_CREATE_IRQCHIP, 0);
	if (ret < 0)
		return ringside_error_errno(err, -ret, "/dev/kvm: KVM_CREATE_IRQCHIP");
	ret = route_pins(kvm);
	if (ret < 0)
		return ringside_error_errno(err, -ret, "/dev/kvm: KVM_SET_GSI_ROUTING");
	return create_pit(kvm, err);
}

static int copy_pit(struct kvm *kvm, const struct kvm *from)
{
	struct kvm_pit_state2 state;
	int ret = kvm_ioctl(from->vm, KVM_GET_PIT2, &state);

	return ret < 0 ? ret : kvm_ioctl(kvm->vm, KVM_SET_PIT2, &state);
}

int kvm_copy_irqchips(struct kvm *kvm, const struct kvm *from)
{
	/* The slave first: as soon as the master is set it looks at what the slave has pending, and
	 * would note an interrupt that is gone when the slave is set. */
	static const uint32_t chips[] = { KVM_IRQCHIP_PIC_SLAVE, KVM_IRQCHIP_PIC_MASTER,
					  KVM_IRQCHIP_IOAPIC };
	int ret = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(chips) && ret >= 0; i++) {
		struct kvm_irqchip chip = { .chip_id = chips[i] };

		ret = kvm_ioctl(from->vm, KVM_GET_IRQCHIP, &chip);
		if (ret >= 0)
			ret = kvm_ioctl(kvm->vm, KVM_SET_IRQCHIP, &chip);
	}
	return ret < 0 || !kvm->pit ? ret : copy_pit(kvm, from);
}

const unsigned kvm_n_gsis = LAYOUT_GSIS;
const unsigned kvm_n_pin_routes = LAYOUT_GSIS + 2 * PIC_PINS - 1;

static void add_pin(struct kvm_irq_routing *table, unsigned gsi, unsigned chip, unsigned pin)
{
	struct kvm_irq_routing_entry *e = &table->entries[table->nr++];

	e->gsi = gsi;
	e->type = KVM_IRQ_ROUTING_IRQCHIP;
	e->u.irqchip.irqchip = chip;
	e->u.irqchip.pin = pin;
}

void kvm_add_pin_routes(struct kvm_irq_routing *table)
{
	for (unsigned gsi = 0; gsi < LAYOUT_GSIS; gsi++) {
		if (gsi < PIC_PINS)
			add_pin(table, gsi, KVM_IRQCHIP_PIC_MASTER, gsi);
		else if (gsi < 2 * PIC_PINS)
			add_pin(table, gsi, KVM_IRQCHIP_PIC_SLAVE, gsi - PIC_PINS);
		if (gsi == 0)
			add_pin(table, gsi, KVM_IRQCHIP_IOAPIC, LAYOUT_GSI_PIT);
		else if (gsi != LAYOUT_GSI_PIT)
			add_pin(table, gsi, KVM_IRQCHIP_IOAPIC, gsi);
	}
}
