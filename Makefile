# ringside: a KVM virtual machine monitor and virtio device lab. `make help` lists the chores.
#
# No file lists: every .c in the layers' folders is part of the program, every tests/*/test-*.c is a
# test program linked with everything but tools/cli/main.o.

MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

BUILD  ?= build
CC     ?= gcc
ifeq ($(origin CC),default)
CC     := gcc
endif
V      ?= 0
PREFIX ?= /usr/local

# BUILD=build/asan SANITIZE=address,undefined makes an instrumented copy beside the plain one.
SANITIZE ?=
COVERAGE ?=

LIBS       := glib-2.0 liburing slirp libevdev libseccomp libcap-ng
LATE_LIBS  := json-glib-1.0 # loaded when needed: vmm/control/json.c
TEST_LIBS  := cmocka $(LATE_LIBS)
LAYERS     := virtqueue devices transport vmm tools/bench tools/attack tools/trace tools/replay tools/top tools/cli
SOURCES    := $(sort $(shell find $(LAYERS) -name '*.c'))
OBJECTS    := $(SOURCES:%.c=$(BUILD)/obj/%.o) $(BUILD)/traced.o
CORE       := $(filter-out $(BUILD)/obj/tools/cli/main.o,$(OBJECTS))
TEST_HELP  := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/support/*.c) tools/fuzz/links/board-fake.c)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test-*.c))
DEV_TESTS  := $(patsubst tests/device/%.c,$(BUILD)/tests/device/%,$(wildcard tests/device/test-*.c))
CONF_TESTS := $(patsubst tests/conformance/%.c,$(BUILD)/tests/conformance/%,$(wildcard tests/conformance/test-*.c))
CONF_HELP  := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out $(wildcard tests/conformance/test-*.c),$(wildcard tests/conformance/*.c)))
SYS_TESTS  := $(patsubst tests/system/%.c,$(BUILD)/tests/system/%,$(wildcard tests/system/test-*.c))
TESTS      := $(UNIT_TESTS) $(DEV_TESTS) $(CONF_TESTS)

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wvla -Wimplicit-fallthrough -Wundef -Wwrite-strings -Wformat=2
# What makes a hole in our code harder to use. tests/hardening looks for all of it in the result.
HARDEN   = -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection=full $(AUTO_INIT)
HARDEN_LD := -pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,-z,shstk
# Variables begin as zero; clang before 16 takes that only with a second flag.
AUTO_INIT = $(eval AUTO_INIT := $(shell echo | $(CC) -Werror -ftrivial-auto-var-init=zero -xc -c - -o /dev/null \
              2>/dev/null || echo -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang) \
              -ftrivial-auto-var-init=zero)$(AUTO_INIT)
ifeq ($(SANITIZE)$(COVERAGE),)
HARDEN   += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
OPT      ?= -O2
else
OPT      ?= -O1
CFLAGS   ?= -g1 -grecord-gcc-switches # lines are all that a report names
endif

# A fresh machine has no pkg-config before the first recipe has run tools/setup, so these are asked
# for at their first use, and then once.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(LIBS) $(LATE_LIBS)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $(shell pkg-config --libs $(LIBS)))$(PKG_LIBS)
TEST_PKG   = $(eval TEST_PKG := $(shell pkg-config --libs $(TEST_LIBS)))$(TEST_PKG)

CFLAGS   ?= -g -grecord-gcc-switches
CPPFLAGS += -I. -D_GNU_SOURCE
ALL_CFLAGS = -std=gnu17 $(OPT) $(CFLAGS) $(WARNINGS) $(HARDEN) \
             $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
             $(if $(COVERAGE),--coverage)
ALL_LDFLAGS = $(HARDEN_LD) -pthread -lm $(LDFLAGS) \
              $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(if $(COVERAGE),--coverage)

ifeq ($(V),0)
Q    := @
say   = @printf '  %-5s %s\n' $(1) $(patsubst $(BUILD)/%,%,$(2))
endif

.PHONY: all help
all: $(BUILD)/ringside $(BUILD)/guest-fw/stub.elf $(BUILD)/guest-fw/ends.elf $(BUILD)/guest-fw/fw.elf ## build build/ringside (the default)

help: ## this list
	@echo 'make TARGET, where TARGET is one of:'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | \
		while IFS="$$(printf '\t')" read -r t d; do printf '  %-12s %s\n' "$$t" "$$d"; done
	@echo 'Variables: V=1 shows commands; BUILD=DIR; CC=clang; SANITIZE=address,undefined; PREFIX=$(PREFIX)'

$(BUILD)/.setup-%: tools/setup
	$(Q)tools/setup $*
	$(Q)mkdir -p $(@D) && touch $@

$(BUILD)/obj/%.o: %.c Makefile | $(BUILD)/.setup-build
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(PKG_CFLAGS) -MMD -MP -c $< -o $@

# It takes the page in.
$(BUILD)/obj/tools/trace/html.o: tools/trace/page.html

# (A pattern rule without a recipe would order nothing.)
$(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/*/*.c)): | $(BUILD)/.setup-check

# The rings' code a second time, which reports each access to memory: see tools/bench/trace.h. (It is no
# sanitizer's build, and can be a part of one.)
TRACED_FLAGS = $(filter-out -fsanitize=% -fno-sanitize-recover=all --coverage,$(ALL_CFLAGS)) -O2 -fsanitize=thread -DVRING_TRACED
TRACED := $(patsubst %.c,$(BUILD)/traced/%.o,$(wildcard virtqueue/*.c virtqueue/driver/*.c))

$(BUILD)/traced/%.o: %.c Makefile | $(BUILD)/.setup-build
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(TRACED_FLAGS) -MMD -MP -c $< -o $@

$(BUILD)/traced.o: $(TRACED)
	$(call say,LD,$@)
	$(Q)ld -r -o $@ $^
	$(Q){ nm -g --defined-only $@ | awk '{ print $$3, "traced_" $$3 }'; \
		nm -u $@ | awk '/ __tsan_/ { print $$2, "traced_" substr($$2, 8) }'; } >$@.names
	$(Q)objcopy --redefine-syms=$@.names $@

$(BUILD)/ringside: $(OBJECTS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $^ $(ALL_LDFLAGS) $(PKG_LIBS) -o $@

# Freestanding guests. The one of C takes in the driver's side of rings and transports and the fuzzers' language; whatever
# instruments or hardens our own code is not for it, floating point registers are not set up there, and
# address 0 is memory.
FW_FLAGS   := -std=gnu17 -O2 -g $(WARNINGS) -m64 -ffreestanding -fno-pic -fno-stack-protector -mgeneral-regs-only \
              -mno-red-zone -fno-delete-null-pointer-checks -fcf-protection=none -fno-asynchronous-unwind-tables -I.
FW_SHARED  := $(wildcard virtqueue/driver/*.c transport/driver/*.c) virtqueue/gmem.c \
              $(addprefix tools/fuzz/language/,arena-place.c refdrv.c grammar.c mutate-make.c)
FW_OBJECTS := $(patsubst %,$(BUILD)/guest-fw/obj/%.o,guest-fw/start.S $(wildcard guest-fw/*.c) $(FW_SHARED))

$(BUILD)/guest-fw/obj/%.o: % Makefile | $(BUILD)/.setup-build
	$(call say,GUEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(FW_FLAGS) -MMD -MP -c $< -o $@

# The code of docs/driver-library.md: a block a file, named in its first line. It is compiled as a freestanding
# program's (but for being linked into a test), the files of the page being beside each other.
DOC_CODE := $(addprefix $(BUILD)/doc/,random.h random.c platform.c)

$(DOC_CODE) &: docs/driver-library.md
	$(Q)mkdir -p $(BUILD)/doc
	$(Q)awk -v dir=$(BUILD)/doc '/^```$$/ { file = "" } /^```c$$/ { getline; file = dir "/" $$2 } file { print >file }' $<

$(BUILD)/doc/%.o: $(BUILD)/doc/%.c $(BUILD)/doc/random.h Makefile | $(BUILD)/.setup-build
	$(call say,CC,$@)
	$(Q)$(CC) $(FW_FLAGS) -fPIE -I$(BUILD)/doc -MMD -MP -c $< -o $@

$(BUILD)/guest-fw/fw.elf: $(FW_OBJECTS) guest-fw/fw.ld
	$(call say,GUEST,$@)
	$(Q)$(CC) -m64 -nostdlib -static -Wl,-n,--build-id=none -T guest-fw/fw.ld $(FW_OBJECTS) -o $@

# The kernel of tests/guest/kernels: as somebody would build it who has read docs/machine.md.
$(BUILD)/guest-fw/kernel%.elf: tests/guest/kernel.c | $(BUILD)/.setup-build
	$(call say,GUEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -m64,$(FW_FLAGS)) -m$* -fno-toplevel-reorder -nostdlib -static -no-pie \
		-Wl,-n,-Ttext=0x200000,-e,start,--build-id=none,--no-warn-rwx-segments $< -o $@

# One sector, for tests/guest/firmware.
$(BUILD)/guest-fw/%.bin: tests/guest/%.S | $(BUILD)/.setup-build
	$(call say,GUEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -m32 -nostdlib -static -no-pie -Wl,-Ttext=0x7c00,--oformat=binary,--build-id=none,-e,_start $< -o $@

$(BUILD)/guest-fw/%.elf: guest-fw/%.S guest-fw/stub.ld | $(BUILD)/.setup-build
	$(call say,GUEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -m64 -nostdlib -static -no-pie -Wl,-n,--build-id=none -T guest-fw/stub.ld $< -o $@

$(BUILD)/obj/tests/unit/test-driver-library.o: $(BUILD)/doc/random.h
$(BUILD)/obj/tests/unit/test-driver-library.o: CPPFLAGS += -I$(BUILD)/doc
$(BUILD)/tests/unit/test-driver-library: $(BUILD)/doc/random.o $(BUILD)/doc/platform.o

$(BUILD)/libringside.a: $(CORE)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

# Objects first: what they define is not taken from the library.
$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(TEST_HELP) $(BUILD)/libringside.a
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(filter %.o,$^) $(filter %.a,$^) $(ALL_LDFLAGS) $(PKG_LIBS) $(TEST_PKG) -o $@

$(BUILD)/tests/unit/test-machine-kvm $(BUILD)/tests/unit/test-kvm-board $(BUILD)/tests/unit/test-vcpu-debug: $(BUILD)/obj/tests/support/kvm/fake.o # in the place of vmm/kvm/sys.c

$(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o $(BUILD)/libringside.a
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $^ $(ALL_LDFLAGS) $(PKG_LIBS) -o $@

$(BUILD)/tests/device/%: $(BUILD)/obj/tests/device/%.o $(TEST_HELP) $(BUILD)/libringside.a
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $^ $(ALL_LDFLAGS) $(PKG_LIBS) $(TEST_PKG) -o $@

$(BUILD)/tests/conformance/%: $(BUILD)/obj/tests/conformance/%.o $(CONF_HELP) $(TEST_HELP) $(BUILD)/libringside.a
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $^ $(ALL_LDFLAGS) $(PKG_LIBS) $(TEST_PKG) -o $@

$(BUILD)/tests/system/%: $(BUILD)/obj/tests/system/%.o $(TEST_HELP) $(BUILD)/libringside.a
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $^ $(ALL_LDFLAGS) $(PKG_LIBS) $(TEST_PKG) -o $@

-include $(shell find $(BUILD)/obj $(BUILD)/traced $(BUILD)/guest-fw $(BUILD)/doc -name '*.d' 2>/dev/null)

include tests/check.mk
include tools/fuzz/fuzz.mk

.PHONY: demo install clean format
demo: $(BUILD)/ringside $(BUILD)/.setup-demo ## boot a stock guest with all the devices
	$(Q)tools/demo

install: $(BUILD)/ringside $(BUILD)/guest-fw/stub.elf $(BUILD)/guest-fw/ends.elf $(BUILD)/guest-fw/fw.elf ## install under PREFIX (/usr/local)
	install -D -m 755 $(BUILD)/ringside $(DESTDIR)$(PREFIX)/bin/ringside
	install -D -m 644 $(BUILD)/guest-fw/fw.elf $(DESTDIR)$(PREFIX)/lib/ringside/fw.elf

format: ## lay out the source with clang-format
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

clean: ## remove what was built, but not the fetched kernels
	$(Q)rm -rf $(BUILD)/obj $(BUILD)/traced* $(BUILD)/mutants $(BUILD)/doc $(BUILD)/guest-fw $(BUILD)/tests $(BUILD)/model $(BUILD)/ringside $(BUILD)/libringside.a $(BUILD)/asan $(BUILD)/tsan $(BUILD)/cov $(BUILD)/fuzz

# Objects are kept between links.
.SECONDARY:
