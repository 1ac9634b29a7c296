/*
 * vmm/gdb/arch.h for x86-64: a table of registers that says where KVM has each, what GDB calls it,
 * and how many bytes it has in either; the target description and the packets follow from it.
 *
 * The description says "i386:x86-64" whatever the mode, since GDB reads it once: most guests begin
 * in 32-bit mode and are in another a moment later.
 */
#include <glib.h>
#include <linux/kvm.h>
#include <string.h>

#include "vmm/gdb/arch.h"
#include "vmm/kvm/sys.h"

struct x86_regs {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_fpu fpu;
};

struct reg {
	const char *name;
	const char *type;    /* GDB's */
	uint8_t bytes;       /* in packets */
	uint8_t kvm_bytes;   /* 0: KVM does not tell; zero */
	uint16_t at;         /* in struct x86_regs */
	bool fpu_tag;        /* one bit a register there, two in packets */
	const char *group;   /* NULL: general */
	const char *feature; /* begins here */
	const char *extra;   /* XML of types, before the register */
};

#define AT(member) .at = offsetof(struct x86_regs, member)
#define GENERAL(reg_name, reg_type)                                                                \
	{                                                                                          \
		.name = #reg_name, .type = reg_type, .bytes = 8, .kvm_bytes = 8, AT(regs.reg_name) \
	}
#define SEGMENT(seg)                                                                              \
	{                                                                                         \
		.name = #seg, .type = "int32", .bytes = 4, .kvm_bytes = 2, AT(sregs.seg.selector) \
	}
#define ST(n)                                                                      \
	{                                                                          \
		.name = "st" #n, .type = "i387_ext", .bytes = 10, .kvm_bytes = 10, \
		.group = "float", AT(fpu.fpr[n])                                   \
	}
#define FPU(reg_name, n_bytes, member)                                               \
	{                                                                            \
		.name = reg_name, .type = "int32", .bytes = 4, .kvm_bytes = n_bytes, \
		.group = "float", AT(fpu.member)                                     \
	}
#define NO_FPU(reg_name)                                                        \
	{                                                                       \
		.name = reg_name, .type = "int32", .bytes = 4, .group = "float" \
	}
#define XMM(n)                                                                    \
	{                                                                         \
		.name = "xmm" #n, .type = "vec128", .bytes = 16, .kvm_bytes = 16, \
		.group = "vector", AT(fpu.xmm[n])                                 \
	}
#define SYSTEM(reg_name, reg_type, member)                                                         \
	{                                                                                          \
		.name = reg_name, .type = reg_type, .bytes = 8, .kvm_bytes = 8, .group = "system", \
		AT(sregs.member)                                                                   \
	}

static const char flags_type[] =
	"<flags id=\"i386_eflags\" size=\"4\">"
	"<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>"
	"<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"
	"<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"
	"<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"
	"<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/>"
	"<field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"RF\" start=\"16\" end=\"16\"/>"
	"<field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
	"</flags>";

static const char vector_types[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
	"<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
	"<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
	"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
	"<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
	"<field name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/>"
	"<field name=\"uint128\" type=\"uint128\"/></union>";

/* The first 57 in the order that GDB's features of these names demand. */
static const struct reg regs[] = {
	{ .name = "rax",
	  .type = "int64",
	  .bytes = 8,
	  .kvm_bytes = 8,
	  AT(regs.rax),
	  .feature = "org.gnu.gdb.i386.core",
	  .extra = flags_type },
	GENERAL(rbx, "int64"),
	GENERAL(rcx, "int64"),
	GENERAL(rdx, "int64"),
	GENERAL(rsi, "int64"),
	GENERAL(rdi, "int64"),
	GENERAL(rbp, "data_ptr"),
	GENERAL(rsp, "data_ptr"),
	GENERAL(r8, "int64"),
	GENERAL(r9, "int64"),
	GENERAL(r10, "int64"),
	GENERAL(r11, "int64"),
	GENERAL(r12, "int64"),
	GENERAL(r13, "int64"),
	GENERAL(r14, "int64"),
	GENERAL(r15, "int64"),
	GENERAL(rip, "code_ptr"),
	{ .name = "eflags", .type = "i386_eflags", .bytes = 4, .kvm_bytes = 4, AT(regs.rflags) },
	SEGMENT(cs),
	SEGMENT(ss),
	SEGMENT(ds),
	SEGMENT(es),
	SEGMENT(fs),
	SEGMENT(gs),
	ST(0),
	ST(1),
	ST(2),
	ST(3),
	ST(4),
	ST(5),
	ST(6),
	ST(7),
	FPU("fctrl", 2, fcw),
	FPU("fstat", 2, fsw),
	{ .name = "ftag",
	  .type = "int32",
	  .bytes = 4,
	  .kvm_bytes = 1,
	  .group = "float",
	  .fpu_tag = true,
	  AT(fpu.ftwx) },
	NO_FPU("fiseg"),
	FPU("fioff", 4, last_ip),
	NO_FPU("foseg"),
	FPU("fooff", 4, last_dp),
	FPU("fop", 2, last_opcode),
	{ .name = "xmm0",
	  .type = "vec128",
	  .bytes = 16,
	  .kvm_bytes = 16,
	  .group = "vector",
	  AT(fpu.xmm[0]),
	  .feature = "org.gnu.gdb.i386.sse",
	  .extra = vector_types },
	XMM(1),
	XMM(2),
	XMM(3),
	XMM(4),
	XMM(5),
	XMM(6),
	XMM(7),
	XMM(8),
	XMM(9),
	XMM(10),
	XMM(11),
	XMM(12),
	XMM(13),
	XMM(14),
	XMM(15),
	{ .name = "mxcsr",
	  .type = "int32",
	  .bytes = 4,
	  .kvm_bytes = 4,
	  .group = "vector",
	  AT(fpu.mxcsr) },
	{ .name = "fs_base",
	  .type = "int64",
	  .bytes = 8,
	  .kvm_bytes = 8,
	  .group = "system",
	  AT(sregs.fs.base),
	  .feature = "org.gnu.gdb.i386.segments" },
	SYSTEM("gs_base", "int64", gs.base),
	{ .name = "cr0",
	  .type = "int64",
	  .bytes = 8,
	  .kvm_bytes = 8,
	  .group = "system",
	  AT(sregs.cr0),
	  .feature = "ringside.x86.system" },
	SYSTEM("cr2", "data_ptr", cr2),
	SYSTEM("cr3", "int64", cr3),
	SYSTEM("cr4", "int64", cr4),
	SYSTEM("cr8", "int64", cr8),
	SYSTEM("efer", "int64", efer),
	SYSTEM("gdt_base", "data_ptr", gdt.base),
	SYSTEM("idt_base", "data_ptr", idt.base),
};

const uint8_t gdb_break_instruction[] = { 0xcc }; /* INT3 */
const size_t gdb_break_len = sizeof(gdb_break_instruction);

/*
 * Numbers and names.
 */
bool gdb_reg_at(unsigned n, size_t *ret_at, size_t *ret_len)
{
	*ret_at = 0;
	if (n >= G_N_ELEMENTS(regs))
		return false;
	for (unsigned i = 0; i < n; i++)
		*ret_at += regs[i].bytes;
	*ret_len = regs[n].bytes;
	return true;
}

size_t gdb_regs_size(void)
{
	size_t at, len;

	(void)gdb_reg_at(G_N_ELEMENTS(regs) - 1, &at, &len);
	return at + len;
}

static void describe_reg(GString *out, const struct reg *r)
{
	g_string_append_printf(out, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"", r->name,
			       r->bytes * 8, r->type);
	if (r->group)
		g_string_append_printf(out, " group=\"%s\"", r->group);
	g_string_append(out, "/>");
}

char *gdb_target_description(void)
{
	GString *out = g_string_new("<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM "
				    "\"gdb-target.dtd\"><target>"
				    "<architecture>i386:x86-64</architecture>");

	for (size_t i = 0; i < G_N_ELEMENTS(regs); i++) {
		if (regs[i].feature)
			g_string_append_printf(out, "%s<feature name=\"%s\">%s",
					       i ? "</feature>" : "", regs[i].feature,
					       regs[i].extra ? regs[i].extra : "");
		describe_reg(out, &regs[i]);
	}
	g_string_append(out, "</feature></target>");
	return g_string_free(out, FALSE);
}

/*
 * Values.
 */

/* The x87 tag word from KVM's short form, and back: 3 is empty, 0 valid. */
static uint16_t tag_word(uint8_t valid)
{
	uint16_t word = 0;

	for (unsigned i = 0; i < 8; i++)
		if (!(valid >> i & 1))
			word |= (uint16_t)(3u << 2 * i);
	return word;
}

static uint8_t tags_valid(uint16_t word)
{
	uint8_t valid = 0;

	for (unsigned i = 0; i < 8; i++)
		if ((word >> 2 * i & 3) != 3)
			valid |= (uint8_t)(1u << i);
	return valid;
}

static int x86_regs_get(int vcpu, struct x86_regs *all)
{
	int ret = kvm_ioctl(vcpu, KVM_GET_REGS, &all->regs);

	if (ret >= 0)
		ret = kvm_ioctl(vcpu, KVM_GET_SREGS, &all->sregs);
	return ret < 0 ? ret : kvm_ioctl(vcpu, KVM_GET_FPU, &all->fpu);
}

int gdb_regs_read(int vcpu, uint8_t *out)
{
	struct x86_regs all;
	int ret = x86_regs_get(vcpu, &all);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < G_N_ELEMENTS(regs); out += regs[i++].bytes) {
		const struct reg *r = &regs[i];
		uint16_t tags = tag_word(all.fpu.ftwx);

		memset(out, 0, r->bytes);
		if (r->fpu_tag)
			memcpy(out, &tags, sizeof(tags));
		else
			memcpy(out, (const char *)&all + r->at, r->kvm_bytes);
	}
	return 0;
}

/* Only what was changed: KVM looks at all control registers again when it is given one, and forgets
 * a pending exception with the general ones. */
int gdb_regs_write(int vcpu, const uint8_t *in)
{
	struct x86_regs old, all;
	int ret = x86_regs_get(vcpu, &old);

	if (ret < 0)
		return ret;
	all = old;
	for (size_t i = 0; i < G_N_ELEMENTS(regs); in += regs[i++].bytes) {
		uint16_t tags;

		memcpy(&tags, in, sizeof(tags));
		if (regs[i].fpu_tag)
			all.fpu.ftwx = tags_valid(tags);
		else
			memcpy((char *)&all + regs[i].at, in, regs[i].kvm_bytes);
	}
	if (memcmp(&all.sregs, &old.sregs, sizeof(old.sregs)) != 0)
		ret = kvm_ioctl(vcpu, KVM_SET_SREGS, &all.sregs);
	if (ret >= 0 && memcmp(&all.regs, &old.regs, sizeof(old.regs)) != 0)
		ret = kvm_ioctl(vcpu, KVM_SET_REGS, &all.regs);
	if (ret >= 0 && memcmp(&all.fpu, &old.fpu, sizeof(old.fpu)) != 0)
		ret = kvm_ioctl(vcpu, KVM_SET_FPU, &all.fpu);
	return MIN(ret, 0);
}
