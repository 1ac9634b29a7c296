/*
 * Guest CPUID.
 *
 * The list is built in three passes: copy what KVM supports without the leaves that describe the
 * host (topology, frequencies), take the masked features out, then write what describes this
 * machine. One thread a core, all cores in one package, and the APIC id is the processor's number,
 * so every topology leaf is made of two figures: the count and the bits it takes.
 *
 * KVM's own leaves stay: the paravirtual clock spares the guest a calibration, and paravirtual EOI
 * spares an exit for each interrupt.
 */
#include "vmm/x86/cpuid.h"

#include <string.h>

#include "vmm/x86/cpuid-features.h"

#define N(array) (sizeof(array) / sizeof((array)[0]))

enum {
	LEAF_MAX = 0x0,
	LEAF_BASIC = 0x1,
	LEAF_CACHES = 0x4,
	LEAF_TOPOLOGY = 0xb,
	LEAF_XSAVE = 0xd,
	LEAF_CRYSTAL = 0x15,
	LEAF_FREQUENCY = 0x16,
	LEAF_TOPOLOGY_V2 = 0x1f,
};

#define LEAF_KVM             0x40000000u
#define LEAF_KVM_FEATURES    0x40000001u
#define LEAF_KVM_FREQUENCY   0x40000010u
#define LEAF_AMD_FEATURES    0x80000001u
#define LEAF_AMD_SIZES       0x80000008u
#define LEAF_AMD_CACHES      0x8000001du
#define LEAF_AMD_TOPOLOGY    0x8000001eu
#define LEAF_AMD_TOPOLOGY_V2 0x80000026u

#define EDX_AMD_MIRROR 0x0183f3ffu /* bits that repeat those of LEAF_BASIC */

enum {
	ECX1_TSC_DEADLINE = 24,
	ECX1_OSXSAVE = 27,
	ECX1_HYPERVISOR = 31,
	EDX1_HT = 28,
	ECX7_OSPKE = 4,
	ECX_AMD_CMP_LEGACY = 1,
};

/* The list being made, and what it is made from. */
struct build {
	const struct cpuid_params *p;
	struct kvm_cpuid2 *list;
	unsigned room;
	unsigned bits; /* of an APIC id */
	bool amd;
};

static struct kvm_cpuid_entry2 *cpuid_find(struct kvm_cpuid2 *list, uint32_t leaf, uint32_t subleaf)
{
	for (unsigned i = 0; i < list->nent; i++) {
		struct kvm_cpuid_entry2 *e = &list->entries[i];

		if (e->function == leaf && e->index == subleaf)
			return e;
	}
	return NULL;
}

static uint32_t *reg_of(struct kvm_cpuid_entry2 *e, enum cpuid_reg reg)
{
	uint32_t *const regs[] = { &e->eax, &e->ebx, &e->ecx, &e->edx };

	return regs[reg];
}

static void set_bit(uint32_t *reg, unsigned bit, bool on)
{
	*reg = (*reg & ~(1u << bit)) | (uint32_t)on << bit;
}

static uint32_t cpuid_field(uint32_t reg, unsigned shift, unsigned width, uint32_t value)
{
	uint32_t max = (1u << width) - 1, set = value > max ? max : value;

	return (reg & ~(max << shift)) | set << shift;
}

/* Leaves of the host that say nothing true about the guest; some are written anew below. */
static bool describes_host(const struct kvm_cpuid_entry2 *e)
{
	static const uint32_t leaves[] = { LEAF_TOPOLOGY,      LEAF_CRYSTAL,
					   LEAF_FREQUENCY,     LEAF_TOPOLOGY_V2,
					   LEAF_KVM_FREQUENCY, LEAF_AMD_TOPOLOGY_V2 };

	for (unsigned i = 0; i < N(leaves); i++) {
		if (e->function == leaves[i])
			return true;
	}
	return false;
}

static bool copy_supported(struct build *b, const struct kvm_cpuid2 *from)
{
	b->list->nent = 0;
	for (unsigned i = 0; i < from->nent; i++) {
		if (describes_host(&from->entries[i]))
			continue;
		if (b->list->nent + CPUID_EXTRA > b->room)
			return false;
		b->list->entries[b->list->nent++] = from->entries[i];
	}
	return true;
}

/* Appends an entry; copy_supported() left room for CPUID_EXTRA of them. */
static struct kvm_cpuid_entry2 *cpuid_add(struct build *b, uint32_t leaf, uint32_t subleaf,
					  bool indexed)
{
	struct kvm_cpuid_entry2 *e = &b->list->entries[b->list->nent++];

	memset(e, 0, sizeof(*e));
	e->function = leaf;
	e->index = subleaf;
	e->flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0;
	return e;
}

/* ---- what is masked ---- */

static bool cpuid_has(const struct build *b, const char *name)
{
	return cpuid_model_has(b->p->model, name);
}

static void apply_mask(struct build *b)
{
	for (unsigned i = 0; i < cpuid_n_features; i++) {
		const struct cpuid_feature *f = &cpuid_features[i];
		struct kvm_cpuid_entry2 *e;

		if (cpuid_has(b, f->name))
			continue;
		e = cpuid_find(b->list, f->leaf, f->subleaf);
		if (e)
			set_bit(reg_of(e, f->reg), f->bit, false);
	}
}

/* Parts of the XSAVE area (their bits in XCR0) that go with a feature. */
static const struct {
	const char *feature;
	uint64_t parts;
} xsave_parts[] = {
	{ "avx", 1u << 2 }, { "mpx", 3u << 3 },    { "avx512f", 7u << 5 },
	{ "pku", 1u << 9 }, { "shstk", 3u << 11 }, { "amx_tile", 3u << 17 },
};

static uint64_t masked_parts(const struct build *b)
{
	uint64_t parts = 0;

	if (!cpuid_has(b, "xsave"))
		return UINT64_MAX;
	for (unsigned i = 0; i < N(xsave_parts); i++)
		parts |= cpuid_has(b, xsave_parts[i].feature) ? 0 : xsave_parts[i].parts;
	return parts;
}

/*
 * The sizes of the area: in the standard format every part has its place, in the compacted one
 * they follow each other, some aligned to 64 bytes. Both begin with 576 bytes of legacy and header.
 */
static void set_xsave_sizes(struct build *b, uint64_t user, uint64_t system)
{
	struct kvm_cpuid_entry2 *sum = cpuid_find(b->list, LEAF_XSAVE, 0);
	struct kvm_cpuid_entry2 *xsaves = cpuid_find(b->list, LEAF_XSAVE, 1);
	uint32_t standard = 576, compact = 576;

	for (unsigned i = 2; i < 63; i++) {
		struct kvm_cpuid_entry2 *e = cpuid_find(b->list, LEAF_XSAVE, i);

		if (!e || !((user | system) >> i & 1))
			continue;
		if (user >> i & 1 && e->eax + e->ebx > standard)
			standard = e->eax + e->ebx;
		compact = (e->ecx & 2 ? (compact + 63) & ~63u : compact) + e->eax;
	}
	sum->ebx = sum->ecx = standard;
	if (xsaves)
		xsaves->ebx = xsaves->eax & 0xa /* xsavec, xsaves */ ? compact : 0;
}

static uint64_t cpuid_join(uint32_t low, uint32_t high)
{
	return (uint64_t)high << 32 | low;
}

static void fix_xsave(struct build *b)
{
	struct kvm_cpuid_entry2 *sum = cpuid_find(b->list, LEAF_XSAVE, 0);
	struct kvm_cpuid_entry2 *more = cpuid_find(b->list, LEAF_XSAVE, 1);
	uint64_t gone = masked_parts(b), user, system = 0;

	if (!sum)
		return;
	user = cpuid_join(sum->eax, sum->edx) & ~gone;
	sum->eax = (uint32_t)user;
	sum->edx = (uint32_t)(user >> 32);
	if (more) {
		system = cpuid_join(more->ecx, more->edx) & ~gone;
		more->ecx = (uint32_t)system;
		more->edx = (uint32_t)(system >> 32);
	}
	set_xsave_sizes(b, user, system);
	for (unsigned i = 0; i < b->list->nent; i++) {
		struct kvm_cpuid_entry2 *e = &b->list->entries[i];
		bool whole = gone == UINT64_MAX, part = e->index >= 2 && e->index < 64;

		if (e->function == LEAF_XSAVE &&
		    (whole || (part && !((user | system) >> e->index & 1))))
			e->eax = e->ebx = e->ecx = e->edx = 0;
	}
}

/* ---- what describes this machine ---- */

static void fix_basic(struct build *b)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(b->list, LEAF_BASIC, 0);
	bool several = b->p->n_cpus > 1;

	if (!e)
		return;
	e->ebx = cpuid_field(e->ebx, 24, 8, b->p->cpu);
	e->ebx = cpuid_field(e->ebx, 16, 8, 1u << b->bits);
	set_bit(&e->edx, EDX1_HT, several && cpuid_has(b, "ht"));
	set_bit(&e->ecx, ECX1_HYPERVISOR, cpuid_has(b, "hypervisor"));
	set_bit(&e->ecx, ECX1_TSC_DEADLINE,
		b->p->tsc_deadline && cpuid_has(b, "tsc_deadline_timer"));
	set_bit(&e->ecx, ECX1_OSXSAVE, false); /* follows CR4: KVM's to set */
	e = cpuid_find(b->list, 7, 0);
	if (e)
		set_bit(&e->ecx, ECX7_OSPKE, false); /* likewise */
}

/* Levels 1 and 2 belong to one processor, level 3 to all. */
static void fix_caches(struct build *b, uint32_t leaf)
{
	uint32_t cores = (1u << b->bits) - 1;

	for (unsigned i = 0; i < b->list->nent; i++) {
		struct kvm_cpuid_entry2 *e = &b->list->entries[i];

		if (e->function != leaf || !(e->eax & 0x1f))
			continue;
		e->eax = cpuid_field(e->eax, 14, 12, (e->eax >> 5 & 7) >= 3 ? cores : 0);
		if (leaf == LEAF_CACHES)
			e->eax = cpuid_field(e->eax, 26, 6, cores);
	}
}

/* Extended topology (Intel SDM 2A, leaves 0BH and 1FH): threads, cores, end. */
static void add_topology(struct build *b, uint32_t leaf)
{
	enum { END, THREAD, CORE };
	const struct {
		uint32_t shift, count, type;
	} levels[] = { { 0, 1, THREAD }, { b->bits, b->p->n_cpus, CORE }, { 0, 0, END } };

	for (unsigned i = 0; i < N(levels); i++) {
		struct kvm_cpuid_entry2 *e = cpuid_add(b, leaf, i, true);

		e->eax = levels[i].shift;
		e->ebx = levels[i].count;
		e->ecx = levels[i].type << 8 | i;
		e->edx = b->p->cpu;
	}
}

static void fix_topology(struct build *b)
{
	struct kvm_cpuid_entry2 *max = cpuid_find(b->list, LEAF_MAX, 0);

	if (!max)
		return;
	if (max->eax < LEAF_TOPOLOGY)
		max->eax = LEAF_TOPOLOGY;
	add_topology(b, LEAF_TOPOLOGY);
	if (max->eax >= LEAF_TOPOLOGY_V2)
		add_topology(b, LEAF_TOPOLOGY_V2);
}

static void fix_amd(struct build *b)
{
	struct kvm_cpuid_entry2 *basic = cpuid_find(b->list, LEAF_BASIC, 0);
	struct kvm_cpuid_entry2 *features = cpuid_find(b->list, LEAF_AMD_FEATURES, 0);
	struct kvm_cpuid_entry2 *sizes = cpuid_find(b->list, LEAF_AMD_SIZES, 0);
	struct kvm_cpuid_entry2 *ids = cpuid_find(b->list, LEAF_AMD_TOPOLOGY, 0);

	if (features && basic && b->amd)
		features->edx &= basic->edx | ~EDX_AMD_MIRROR;
	if (features)
		set_bit(&features->ecx, ECX_AMD_CMP_LEGACY,
			b->p->n_cpus > 1 && cpuid_has(b, "cmp_legacy"));
	if (sizes)
		sizes->ecx = cpuid_field(cpuid_field(sizes->ecx, 0, 8, b->p->n_cpus - 1), 12, 4,
					 b->bits);
	if (ids) {
		ids->eax = b->p->cpu;
		ids->ebx = b->p->cpu & 0xff; /* core; one thread in it */
		ids->ecx = 0;                /* node 0 of 1 */
		ids->edx = 0;
	}
}

static uint32_t divisor(uint32_t a, uint32_t b)
{
	while (b) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/*
 * Leaf 15H: TSC = crystal * ebx / eax, the crystal being what drives the APIC timer. Kernels work
 * it out in 32 bits of kHz; where the exact fraction would overflow, the leaf is left out.
 */
static void add_crystal(struct build *b)
{
	uint32_t khz = b->p->tsc_khz, common = divisor(khz, CPUID_APIC_KHZ);
	struct kvm_cpuid_entry2 *e;

	if ((uint64_t)(khz / common) * CPUID_APIC_KHZ > UINT32_MAX)
		return;
	e = cpuid_add(b, LEAF_CRYSTAL, 0, false);
	e->eax = CPUID_APIC_KHZ / common;
	e->ebx = khz / common;
	e->ecx = CPUID_APIC_KHZ * 1000u;
}

static void add_frequencies(struct build *b)
{
	struct kvm_cpuid_entry2 *max = cpuid_find(b->list, LEAF_MAX, 0);
	struct kvm_cpuid_entry2 *kvm = cpuid_find(b->list, LEAF_KVM, 0), *e;
	uint32_t khz = b->p->tsc_khz;

	if (!khz)
		return;
	if (max && max->eax >= LEAF_CRYSTAL && !b->amd)
		add_crystal(b);
	if (max && max->eax >= LEAF_FREQUENCY && !b->amd) {
		e = cpuid_add(b, LEAF_FREQUENCY, 0, false);
		e->eax = e->ebx = khz / 1000;
		e->ecx = 100; /* MHz */
	}
	if (!kvm || !cpuid_has(b, "hypervisor"))
		return;
	kvm->eax = LEAF_KVM_FREQUENCY; /* the last of these leaves */
	e = cpuid_add(b, LEAF_KVM_FREQUENCY, 0, false);
	e->eax = khz;
	e->ebx = CPUID_APIC_KHZ;
}

static bool is_amd(struct kvm_cpuid2 *list)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(list, LEAF_MAX, 0);

	return e && (e->ebx == 0x68747541 /* "Auth" */ || e->ebx == 0x6f677948 /* "Hygo" */);
}

bool cpuid_build(const struct kvm_cpuid2 *supported, const struct cpuid_params *p,
		 struct kvm_cpuid2 *ret)
{
	struct build b = { .p = p, .list = ret, .room = ret->nent };

	while (1u << b.bits < p->n_cpus)
		b.bits++;
	if (!copy_supported(&b, supported))
		return false;
	b.amd = is_amd(ret);
	apply_mask(&b);
	fix_xsave(&b);
	fix_basic(&b);
	fix_caches(&b, b.amd ? LEAF_AMD_CACHES : LEAF_CACHES);
	fix_topology(&b);
	fix_amd(&b);
	add_frequencies(&b);
	return true;
}
