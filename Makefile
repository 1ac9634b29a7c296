# ringside: a KVM virtual machine monitor and virtio device lab. `make help` lists the chores.
#
# No file lists: every .c in the layers' folders is part of the program, every tests/*/test-*.c is a
# test program linked with everything but vmm/main.o.

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

LIBS       := glib-2.0 liburing slirp json-glib-1.0 libevdev
TEST_LIBS  := cmocka
LAYERS     := virtqueue devices devices/backend $(filter-out devices/backend/,$(wildcard devices/*/)) \
              transport tools/bench vmm vmm/x86
SOURCES    := $(sort $(wildcard $(addsuffix /*.c,$(patsubst %/,%,$(LAYERS)))))
OBJECTS    := $(SOURCES:%.c=$(BUILD)/obj/%.o)
CORE       := $(filter-out $(BUILD)/obj/vmm/main.o,$(OBJECTS))
TEST_HELP  := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out $(wildcard tests/test-*.c),$(wildcard tests/*.c)))
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test-*.c))
DEV_TESTS  := $(patsubst tests/device/%.c,$(BUILD)/tests/device/%,$(wildcard tests/device/test-*.c))
DEV_HELP   := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out $(wildcard tests/device/test-*.c),$(wildcard tests/device/*.c)))
CONF_TESTS := $(patsubst tests/conformance/%.c,$(BUILD)/tests/conformance/%,$(wildcard tests/conformance/test-*.c))
CONF_HELP  := $(patsubst %.c,$(BUILD)/obj/%.o,$(filter-out $(wildcard tests/conformance/test-*.c),$(wildcard tests/conformance/*.c)))
SYS_TESTS  := $(patsubst tests/system/%.c,$(BUILD)/tests/system/%,$(wildcard tests/system/test-*.c))
TESTS      := $(UNIT_TESTS) $(DEV_TESTS) $(CONF_TESTS)

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wvla -Wimplicit-fallthrough -Wundef -Wwrite-strings -Wformat=2
HARDEN   := -fPIE -fstack-protector-strong -fcf-protection
ifeq ($(findstring clang,$(CC)),)
HARDEN   += -ftrivial-auto-var-init=zero # clang 14 takes it only with a second, longer flag
endif
ifeq ($(SANITIZE)$(COVERAGE),)
HARDEN   += -D_FORTIFY_SOURCE=2
OPT      ?= -O2
else
OPT      ?= -O1
endif

# A fresh machine has no pkg-config before the first recipe has run tools/setup, so these are asked
# for at their first use, and then once.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(LIBS)))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $(shell pkg-config --libs $(LIBS)))$(PKG_LIBS)
TEST_PKG   = $(eval TEST_PKG := $(shell pkg-config --libs $(TEST_LIBS)))$(TEST_PKG)

CFLAGS   ?= -g
CPPFLAGS += -I. -D_GNU_SOURCE
ALL_CFLAGS = -std=gnu17 $(OPT) $(CFLAGS) $(WARNINGS) $(HARDEN) \
             $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer) \
             $(if $(COVERAGE),--coverage)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -pthread -lm $(LDFLAGS) \
              $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(if $(COVERAGE),--coverage)

ifeq ($(V),0)
Q    := @
say   = @printf '  %-5s %s\n' $(1) $(patsubst $(BUILD)/%,%,$(2))
endif

.PHONY: all help
all: $(BUILD)/ringside $(BUILD)/guest-fw/stub.elf ## build build/ringside (the default)

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

$(BUILD)/obj/tests/%.o: | $(BUILD)/.setup-check

$(BUILD)/ringside: $(OBJECTS)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $^ $(ALL_LDFLAGS) $(PKG_LIBS) -o $@

# Freestanding guests.
$(BUILD)/guest-fw/%.elf: guest-fw/%.S guest-fw/%.ld | $(BUILD)/.setup-build
	$(call say,GUEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -m64 -nostdlib -static -no-pie -Wl,-n,--build-id=none -T guest-fw/$*.ld $< -o $@

$(BUILD)/libringside.a: $(CORE)
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(TEST_HELP) $(BUILD)/libringside.a
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $^ $(ALL_LDFLAGS) $(PKG_LIBS) $(TEST_PKG) -o $@

$(BUILD)/tests/device/%: $(BUILD)/obj/tests/device/%.o $(DEV_HELP) $(TEST_HELP) $(BUILD)/libringside.a
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

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

include tests/check.mk

.PHONY: demo install clean format
demo: $(BUILD)/ringside $(BUILD)/.setup-demo ## boot a stock guest with all the devices
	$(Q)tools/demo

install: $(BUILD)/ringside $(BUILD)/guest-fw/stub.elf ## install under PREFIX (/usr/local)
	install -D -m 755 $(BUILD)/ringside $(DESTDIR)$(PREFIX)/bin/ringside

format: ## lay out the source with clang-format
	$(Q)git ls-files '*.c' '*.h' | xargs clang-format -i

clean: ## remove what was built, but not the fetched kernels
	$(Q)rm -rf $(BUILD)/obj $(BUILD)/tests $(BUILD)/model $(BUILD)/ringside $(BUILD)/libringside.a $(BUILD)/asan $(BUILD)/tsan $(BUILD)/cov

# Objects are kept between links.
.SECONDARY:
