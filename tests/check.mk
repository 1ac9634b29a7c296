# The tests. `make check` runs everything here in one go, says what it is doing, and ends with one
# line of counts; the parts can be run by themselves while working.

TALLY := $(abspath $(BUILD))/tally
RUN   := TALLY=$(TALLY) tests/run

# The unit tests with more than one thread: tests/unit/one-thread.c sees to it that there are no others.
THREADED   := $(addprefix test-,bench blk-file blk-parts blk-stop bus check control-devices control-qemu driver-library loop machine-kvm machine-run mmio-irq poller sandbox-calls serial terminal top uart vcpu-debug vhost-open vhost-user-bounce vhost-user-front vhost-user-net vq-threads vq-wakeups)
TSAN_TESTS := $(THREADED:%=$(BUILD)/tests/unit/%) $(DEV_TESTS) $(CONF_TESTS)

.PHONY: check-rules soak system-strict hardening guest guests system-all check unit device device-all datapath mutants mutants-check model model-long conformance asan tsan lint layers cov system test-programs
test-programs: $(TESTS)

# Parts build as many files at once as there are processors, unless the caller says how many.
PART_JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

# Each part goes on where another failed, so that one run shows all; the closing line decides.
check: $(BUILD)/.setup-build $(BUILD)/.setup-check $(BUILD)/.setup-demo ## run all the tests (up to an hour; says how long each part took)
	$(Q)rm -f $(TALLY) && touch $(TALLY)
	$(Q)for part in layers lint unit device datapath mutants-check hardening model conformance asan tsan regressions fuzz-smoke guest fuzz-guest-smoke system; do \
		echo "== $$part"; start=$$(date +%s); \
		$(MAKE) --no-print-directory $(PART_JOBS) $$part || echo "0 1 0 $$part" >> $(TALLY).failed; \
		echo "== $$part: $$(($$(date +%s) - start)) s"; \
	done
	$(Q)failed=0; if [ -e $(TALLY).failed ]; then \
		while read -r _ _ _ part; do echo "FAILED part: $$part"; done < $(TALLY).failed; \
		awk '{ f += $$2 } END { exit f == 0 }' $(TALLY) || cat $(TALLY).failed >> $(TALLY); \
		rm -f $(TALLY).failed; fi; $(RUN) --total

unit: $(UNIT_TESTS) $(BUILD)/ringside $(BUILD)/tests/unit/one-thread.so ## unit tests (no KVM needed)
	$(Q)LD_PRELOAD=$(abspath $(BUILD)/tests/unit/one-thread.so) THREADED="$(THREADED)" $(RUN) $(UNIT_TESTS); one=$$?; \
		BUILD=$(BUILD) $(RUN) tests/program tests/examples tests/trace tests/bench-blk tests/bench-net tests/fuzz-vhost-user tests/check-rules tests/check-serve && exit $$one

device: $(DEV_TESTS) ## device tests: every case over every link (no KVM needed)
	$(Q)$(RUN) $(DEV_TESTS)

device-all: $(DEV_TESTS) ## the whole product of device cases, links, rings and features
	$(Q)RIG_LINKS=all $(RUN) -t 900 $(DEV_TESTS)

$(BUILD)/tests/datapath/chains: $(BUILD)/obj/tests/datapath/chains.o $(TEST_HELP) $(BUILD)/libringside.a
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $^ $(ALL_LDFLAGS) $(PKG_LIBS) $(TEST_PKG) -o $@

$(BUILD)/tests/%.so: tests/%.c Makefile | $(BUILD)/.setup-check
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=gnu17 -O2 $(WARNINGS) -shared -fPIC $< -o $@

datapath: $(BUILD)/tests/datapath/chains $(BUILD)/tests/datapath/count.so ## no allocation, lock or system call for a chain
	$(Q)BUILD=$(abspath $(BUILD)) $(RUN) -l datapath/ tests/datapath/run

check-rules: $(BUILD)/ringside ## which MUSTs of the driver's --check has a rule for, clause by clause
	$(Q)tests/check-rules -v

hardening: $(BUILD)/ringside $(BUILD)/.setup-check ## the compiler's defences are in the program (readelf), and who asks for which system calls
	$(Q)$(RUN) "tests/hardening $(BUILD)" tests/calls

mutants: $(BUILD)/.setup-check ## mistakes put into the rings on purpose, each of which a test must see (wants an idle machine)
	$(Q)$(RUN) -t 1800 -l mutants/ tests/mutants/run

mutants-check: $(BUILD)/.setup-check
	$(Q)$(RUN) -t 900 -l mutants/ "tests/mutants/run model threads"

# 10 million chains for each combination of features (four runs of 2.5 million in test-vq-model).
model-long: $(BUILD)/tests/unit/test-vq-model $(BUILD)/tests/unit/test-vq-threads $(BUILD)/tests/unit/test-vq-wakeups ## both sides of the rings at random, 10 million chains a combination (about 15 minutes)
	$(Q)RINGSIDE_CHAINS=2500000 $(RUN) -t 7200 $(BUILD)/tests/unit/test-vq-model
	$(Q)RINGSIDE_CHAINS=10000000 $(RUN) -t 7200 $(BUILD)/tests/unit/test-vq-threads $(BUILD)/tests/unit/test-vq-wakeups
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan SANITIZE=thread $(BUILD)/tsan/tests/unit/test-vq-threads
	$(Q)RINGSIDE_CHAINS=250000 TSAN_OPTIONS=halt_on_error=1 $(RUN) -t 7200 -l tsan/ $(BUILD)/tsan/tests/unit/test-vq-threads

# The program with the mistake of that line of mutants.tsv. (In a copy of its source, whose place is the include path's root.)
mutant_file = $(shell awk -F'\t' 'NR == $(1) { print $$2 }' tests/mutants/mutants.tsv)
$(BUILD)/mutants/%/ringside: $(OBJECTS) tests/mutants/mutants.tsv tests/mutants/apply
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)tests/mutants/apply $* $(@D)/mutant.c
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(PKG_CFLAGS) -c $(@D)/mutant.c -o $(@D)/mutant.o
	$(Q)$(CC) $(ALL_CFLAGS) $(@D)/mutant.o $(filter-out $(BUILD)/obj/$(patsubst %.c,%.o,$(call mutant_file,$*)),$(OBJECTS)) \
		$(ALL_LDFLAGS) $(PKG_LIBS) -o $@

model: $(BUILD)/.setup-check ## the rings' notification protocols, checked by spin
	$(Q)BUILD=$(abspath $(BUILD)) $(RUN) -l model/ tests/model/run

conformance: $(CONF_TESTS) ## which clause of the specification which test proves
	$(Q)TALLY=$(TALLY) tests/conformance/table $(CONF_TESTS)

asan: ## unit and device tests under the address and undefined behaviour sanitizers
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE=address,undefined test-programs
	$(Q)ASAN_OPTIONS=detect_leaks=1 $(RUN) -l asan/ $(TESTS:$(BUILD)/%=$(BUILD)/asan/%)

# Where one thread does everything there is nothing to be found.
tsan: ## unit and device tests with several threads under the thread sanitizer
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan SANITIZE=thread $(TSAN_TESTS:$(BUILD)/%=$(BUILD)/tsan/%)
	$(Q)RIG_LINKS=threads TSAN_OPTIONS=suppressions=$(abspath tests/tsan.supp):halt_on_error=1 $(RUN) -l tsan/ \
		$(TSAN_TESTS:$(BUILD)/%=$(BUILD)/tsan/%)

layers: ## who may include whom
	$(Q)tools/layers

lint: $(BUILD)/.setup-check $(BUILD)/doc/random.h ## clang-format, clang-tidy and cppcheck
	$(Q)BUILD=$(BUILD) tools/lint

cov: $(BUILD)/.setup-check ## line coverage of virtqueue, devices and transport by unit and device tests
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/cov COVERAGE=1 test-programs
	$(Q)find $(BUILD)/cov -name '*.gcda' -delete
	$(Q)tests/run $(TESTS:$(BUILD)/%=$(BUILD)/cov/%)
	$(Q)tools/coverage $(BUILD)/cov

guest: $(BUILD)/ringside $(addprefix $(BUILD)/guest-fw/,fw.elf ends.elf kernel32.elf kernel64.elf boot-sector.bin) $(BUILD)/.setup-demo ## guest-fw tests the devices from inside, on any KVM
	$(Q)TALLY=$(TALLY) tests/guest/run

guests: $(BUILD)/ringside $(BUILD)/.setup-check ## guests that nobody here has written (Xen, memtest86+, GNU Mach, a 32-bit Linux; SeaBIOS, GRUB, iPXE, an installed Debian)
	$(Q)TALLY=$(TALLY) tests/guests/run; one=$$?; TALLY=$(TALLY) tests/guests/firmware && exit $$one

soak: $(BUILD)/ringside $(BUILD)/tests/system/test-serve-killed $(BUILD)/.setup-demo ## served disks are killed in mid I/O: 200 times on each ring (no KVM needed), and 300 times under a Linux; DPDK as driver in all that it can negotiate
	$(Q)tools/peer qemu-storage-daemon >/dev/null && tools/peer virtiofsd >/dev/null
	$(Q)RINGSIDE_KILLS=200 KVM_BOX_OPTIONS="--time 3500" $(RUN) -t 3600 $(BUILD)/tests/system/test-serve-killed "tools/kvm-run tests/system/vhost-user-kill 300" \
		"tools/kvm-run tests/system/vhost-user-front all" "tests/system/dpdk all"

# The programs among them want to be root and to have the host's devices for themselves: in the box.
system: $(BUILD)/ringside $(BUILD)/guest-fw/stub.elf $(SYS_TESTS) $(BUILD)/.setup-demo ## boot real kernels and use every device
	$(Q)$(RUN) $(SYS_TESTS:%="tools/kvm-box %")
	$(Q)TALLY=$(TALLY) tests/system/run

system-all: $(BUILD)/ringside $(BUILD)/guest-fw/stub.elf $(BUILD)/.setup-demo ## the whole matrix of system tests (about 25 minutes)
	$(Q)tests/system/run all

system-strict: $(BUILD)/ringside $(BUILD)/.setup-demo ## the whole matrix under --sandbox strict
	$(Q)SANDBOX=strict tests/system/run all
