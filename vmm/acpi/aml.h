/*
 * Writes ACPI machine language (ACPI 6.3, chapter 20) the way one writes its source:
 *
 *	gsize dev = aml_device(a, "COM1");
 *
 *	aml_name_eisaid(a, "_HID", "PNP0501");
 *	aml_name_int(a, "_UID", 0);
 *	aml_end(a, dev);
 *
 * Everything is appended to a byte array. What has a length in front of it is opened by a function
 * that returns a mark and is closed by aml_end() with that mark, innermost first; aml_end() moves
 * what was written to make room for the length. Names are given as in the source: four letters,
 * shorter ones are padded, and a leading backslash or several segments ("\\_SB.PWRB") are allowed.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

/* Containers: the mark is for aml_end(). */
gsize aml_scope(GByteArray *a, const char *name);
gsize aml_device(GByteArray *a, const char *name);
gsize aml_method(GByteArray *a, const char *name, unsigned n_args); /* always serialized */
gsize aml_package(GByteArray *a, uint8_t n_elements);
gsize aml_buffer(GByteArray *a, uint64_t size); /* its bytes follow */
void aml_end(GByteArray *a, gsize mark);

/* Terms and objects. */
void aml_int(GByteArray *a, uint64_t value);
void aml_path(GByteArray *a, const char *name);
void aml_name(GByteArray *a, const char *name); /* Name(); its object follows */
void aml_name_int(GByteArray *a, const char *name, uint64_t value);
void aml_name_string(GByteArray *a, const char *name, const char *value);
void aml_name_eisaid(GByteArray *a, const char *name, const char *id); /* "PNP0A08" */

/* An I/O region named @region of @n ports from @port on, and a byte field for each of the @n
 * names. */
void aml_io_fields(GByteArray *a, const char *region, uint16_t port, const char *const *names,
		   unsigned n);

/* Inside methods. Operands that are not arguments here are appended next. */
enum aml_op {
	AML_LOCAL0 = 0x60,
	AML_ARG0 = 0x68,
	AML_ARG3 = 0x6b,
	AML_STORE = 0x70,       /* source, target */
	AML_AND = 0x7b,         /* a, b, target (AML_NOTHING) */
	AML_OR = 0x7d,          /* likewise */
	AML_NOTIFY = 0x86,      /* object, value */
	AML_DWORD_FIELD = 0x8a, /* buffer, byte index, name */
	AML_EQUAL = 0x93,       /* a, b */
	AML_RETURN = 0xa4,      /* value */
	AML_NOTHING = 0x00,
};
void aml_op(GByteArray *a, enum aml_op op);
gsize aml_if(GByteArray *a);                    /* the condition follows, then the body */
void aml_uuid(GByteArray *a, const char *uuid); /* ToUUID() */

/*
 * Resource templates are put together apart: aml_crs_begin(), descriptors, and aml_crs_end(), which
 * appends Name(@name, ResourceTemplate() { ... }) and frees them.
 */
GByteArray *aml_crs_begin(void);
void aml_crs_end(GByteArray *a, const char *name, GByteArray *crs);

enum aml_irq { /* all active-high */
	       AML_IRQ_LEVEL = 0x0,
	       AML_IRQ_EDGE = 0x2,
	       AML_IRQ_SHARED = 0x8,
};

/* What a device uses. */
void aml_crs_io(GByteArray *crs, uint16_t port, uint8_t len);
void aml_crs_memory(GByteArray *crs, uint32_t base, uint32_t len);
void aml_crs_irq(GByteArray *crs, uint32_t gsi, unsigned flags); /* of enum aml_irq */

/* What a bridge hands down. */
void aml_crs_bus_window(GByteArray *crs, uint16_t first, uint16_t n);
void aml_crs_io_window(GByteArray *crs, uint16_t port, uint16_t len);
void aml_crs_memory_window(GByteArray *crs, uint64_t base, uint64_t len); /* 32 or 64 bits */
