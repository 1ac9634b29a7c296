# The fuzzers: see docs/fuzz.md. The program is built once more by clang, under build/fuzz.

FUZZ         := $(BUILD)/fuzz
FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=
FUZZ_SAN     := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
                -fsanitize-address-use-after-return=never -DFUZZ_ASAN

# What the harness puts in the place of the host's (tools/fuzz/host/host-wrap.c, fake-*.c), and watches.
FUZZ_WRAPS := recv recvmsg dup3 statx munmap memfd_create ftruncate socketpair inotify_init1 send writev sendmsg accept4 poll pread preadv preadv2 pwritev2 fallocate fdatasync lseek timerfd_create timerfd_settime ioctl fcntl getrandom \
              $(addprefix pthread_mutex_,lock trylock unlock) mmap g_main_context_default g_get_real_time loop_watch \
              loop_watch_events loop_unwatch unix_listen unix_unlisten net_socket_connect net_socket_check \
              blk_file_open net_backend_open chr_open $(addprefix input_evdev_,open close attach detach status) \
              vq_pool_make vq_pool_free
comma      := ,
FUZZ_LINK  := $(FUZZ_WRAPS:%=-Wl$(comma)--wrap=%) -rdynamic

FUZZ_PRODUCT := $(filter-out tools/cli/main.c tools/cli/fuzz-command.c tools/bench/% tools/trace/% tools/replay/% tools/attack/%,$(SOURCES))
FUZZ_MAINS   := tools/fuzz/main.c tools/fuzz/replay.c tools/fuzz/corpus.c tools/fuzz/mutate-afl.c
FUZZ_HARNESS := $(filter-out $(FUZZ_MAINS),$(wildcard tools/fuzz/*.c tools/fuzz/*/*.c))
FUZZ_OBJECTS := $(patsubst %.c,%.o,$(FUZZ_PRODUCT) $(FUZZ_HARNESS))

# Two warnings are clang's alone: of kernel headers' structs that end in arrays of no length, and of
# members that an initializer leaves out.
# DRV_QUEUE_MAX: the reference drivers' notes on chains are cleared at each start, so they are kept small.
# BLK_*: what a disk's channel does in one turn of its loop and in one system call is a block or two, so that
# requests of a disk of 64 KiB are what those of a disk of terabytes are outside: more than a turn holds.
FUZZ_CFLAGS = -std=gnu17 -O2 -g $(WARNINGS) -Wno-gnu-variable-sized-type-not-at-end -Wno-missing-field-initializers \
              $(CPPFLAGS) -DDRV_QUEUE_MAX=64u -DBLK_TURN_BYTES=0x800u -DBLK_SLICE_BYTES=0x400u -DBLK_LOCK_WAIT_MS=0 $(PKG_CFLAGS)
# The last four compress kernels (targets/boot.c).
FUZZ_LIBS   = $(PKG_LIBS) -lm -pthread -lz -lbz2 -llzma -lzstd

# $(1): a kind of build, $(2): its compiler, $(3): its flags for all objects. Objects go to build/fuzz/KIND.
define fuzz_build
$(FUZZ)/$(1)/%.o: %.c Makefile tools/fuzz/fuzz.mk | $(BUILD)/.setup-build $(BUILD)/.setup-check
	$$(call say,FUZZ,$(1)/$$<)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$(2) $$(FUZZ_CFLAGS) $(3) $$(FUZZ_ALSO) -MMD -MP -c $$< -o $$@
endef
$(eval $(call fuzz_build,san,$(FUZZ_CC),$(FUZZ_SAN)))
$(eval $(call fuzz_build,cov,$(FUZZ_CC),-fprofile-instr-generate -fcoverage-mapping))
$(eval $(call fuzz_build,afl,AFL_QUIET=1 afl-clang-fast,$(FUZZ_SAN)))

# As OSS-Fuzz and ClusterFuzzLite build (oss-fuzz/build.sh): the compiler and its flags are theirs.
$(eval $(call fuzz_build,oss,$(CC),$(CFLAGS)))
OSS_ASAN := $(if $(filter address,$(SANITIZER)),-DFUZZ_ASAN)
$(FUZZ)/oss/%.o: FUZZ_ALSO = $(OSS_ASAN)

# libFuzzer's: edges are counted everywhere but in the harness and the driver's side of transports, which are no part
# of what is to be covered. Comparisons are traced in vmm/ and tools/cli/, whose inputs are texts and files; elsewhere
# the grammars know the numbers, and tracing costs a third of the speed. The loads of virtqueue/ are
# those of guest memory (tools/fuzz/host/race.c).
FUZZ_EDGES := -fsanitize-coverage=inline-8bit-counters,pc-table
$(FUZZ)/san/%.o: FUZZ_ALSO = $(FUZZ_EDGES)
$(FUZZ)/san/vmm/%.o $(FUZZ)/san/tools/cli/%.o: FUZZ_ALSO = -fsanitize=fuzzer-no-link
$(FUZZ)/san/virtqueue/%.o: FUZZ_ALSO = $(FUZZ_EDGES) -fsanitize-coverage=trace-loads

# Nor do the sanitizers check them, which would double their part of a run; but for the host's hands,
# which read and write where a device told them to, and the ring targets, which are a device.
FUZZ_HANDS := $(patsubst %.c,%.o,$(wildcard $(addprefix tools/fuzz/,host/fake*.c host/host*.c targets/*.c)))
$(foreach kind,san afl,$(FUZZ)/$(kind)/virtqueue/driver/%.o $(FUZZ)/$(kind)/transport/driver/%.o $(FUZZ)/$(kind)/tools/fuzz/%.o): FUZZ_ALSO = -fno-sanitize=all
$(FUZZ)/san/virtqueue/driver/%.o: FUZZ_ALSO = -fno-sanitize=all $(FUZZ_EDGES)
$(foreach kind,san afl,$(FUZZ_HANDS:%=$(FUZZ)/$(kind)/%)): FUZZ_ALSO =

$(FUZZ)/fuzz: $(addprefix $(FUZZ)/san/,$(FUZZ_OBJECTS) tools/fuzz/main.o)
	$(call say,LD,$@)
	$(Q)$(FUZZ_CC) $(FUZZ_SAN) -fsanitize=fuzzer $^ $(FUZZ_LINK) -Wl,--wrap=__asan_memcpy $(FUZZ_LIBS) -o $@

$(FUZZ)/replay: $(addprefix $(FUZZ)/san/,$(FUZZ_OBJECTS) tools/fuzz/replay.o)
	$(call say,LD,$@)
	$(Q)$(FUZZ_CC) $(FUZZ_SAN) $^ $(FUZZ_LINK) -Wl,--wrap=__asan_memcpy $(FUZZ_LIBS) -o $@

$(FUZZ)/replay-cov: $(addprefix $(FUZZ)/cov/,$(FUZZ_OBJECTS) tools/fuzz/replay.o)
	$(call say,LD,$@)
	$(Q)$(FUZZ_CC) -fprofile-instr-generate $^ $(FUZZ_LINK) $(FUZZ_LIBS) -o $@

$(FUZZ)/fuzz-afl: $(addprefix $(FUZZ)/afl/,$(FUZZ_OBJECTS) tools/fuzz/main.o)
	$(call say,LD,$@)
	$(Q)AFL_QUIET=1 afl-clang-fast $(FUZZ_SAN) $^ /usr/lib/afl/libAFLDriver.a $(FUZZ_LINK) \
		-Wl,--wrap=__asan_memcpy $(FUZZ_LIBS) -lstdc++ -o $@

$(FUZZ)/oss-fuzz: $(addprefix $(FUZZ)/oss/,$(FUZZ_OBJECTS) tools/fuzz/main.o)
	$(call say,LD,$@)
	$(Q)$(CXX) $(CXXFLAGS) $^ $(LIB_FUZZING_ENGINE) $(FUZZ_LINK) $(if $(OSS_ASAN),-Wl$(comma)--wrap=__asan_memcpy) \
		-Wl,-rpath,'$$ORIGIN/lib' $(FUZZ_LIBS) -o $@

$(FUZZ)/mutate-afl.so: tools/fuzz/mutate-afl.c tools/fuzz/language/mutate.c tools/fuzz/language/mutate-make.c tools/fuzz/language/grammar.c
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fPIC -shared $^ -o $@

$(FUZZ)/corpus: tools/fuzz/corpus.c $(addprefix tools/fuzz/language/,seeds.c grammar.c mutate.c mutate-make.c)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) $^ $(FUZZ_LIBS) -o $@

-include $(shell find $(FUZZ)/san $(FUZZ)/cov $(FUZZ)/afl -name '*.d' 2>/dev/null)

.PHONY: fuzz-oss fuzz fuzz-afl fuzz-smoke fuzz-cov fuzz-selftest regressions fuzz-guest fuzz-guest-smoke fuzz-guest-programs
fuzz: $(FUZZ)/fuzz $(FUZZ)/replay $(FUZZ)/corpus ## fuzz every target, FUZZ_SECONDS=60 each (FUZZ_TARGETS=some)
	$(Q)BUILD=$(BUILD) tools/fuzz/scripts/run -s $(FUZZ_SECONDS) $(FUZZ_TARGETS)

fuzz-afl: $(FUZZ)/fuzz-afl $(FUZZ)/mutate-afl.so $(FUZZ)/replay $(FUZZ)/corpus ## the same with AFL++
	$(Q)BUILD=$(BUILD) tools/fuzz/scripts/run -a -s $(FUZZ_SECONDS) $(FUZZ_TARGETS)

fuzz-oss: $(BUILD)/.setup-build $(BUILD)/.setup-check ## the targets as OSS-Fuzz builds them, with plain clang, each tried
	$(Q)env -u CC -u CFLAGS tools/fuzz/oss-fuzz/build.sh
	$(Q)$(RUN) -t 1800 tools/fuzz/oss-fuzz/try

fuzz-smoke: $(FUZZ)/fuzz $(FUZZ)/replay $(FUZZ)/corpus ## every target: its corpus, 3000 inputs from a fixed seed; and planted bugs' inputs
	$(Q)BUILD=$(BUILD) $(RUN) -t 900 'tools/fuzz/scripts/run -t 3000' tools/fuzz/scripts/same tools/fuzz/scripts/acpi 'tests/fuzz-selftest/run -r'

fuzz-guest-programs: $(BUILD)/ringside $(BUILD)/guest-fw/fw.elf $(BUILD)/.setup-demo
	$(Q)$(MAKE) --no-print-directory BUILD=$(BUILD)/asan SANITIZE=address,undefined $(BUILD)/asan/ringside

fuzz-guest: fuzz-guest-programs ## fuzz from inside a guest (guest-fw), FUZZ_SECONDS=60, on any KVM
	$(Q)BUILD=$(BUILD) tools/fuzz/scripts/guest -s $(FUZZ_SECONDS)

fuzz-guest-smoke: fuzz-guest-programs ## a few machines of that, the same each time
	$(Q)BUILD=$(BUILD) $(RUN) -t 900 "tools/fuzz/scripts/guest -t"

fuzz-cov: $(FUZZ)/replay-cov $(FUZZ)/corpus ## what the corpus reaches, by lines and branches
	$(Q)BUILD=$(BUILD) tools/fuzz/scripts/coverage

fuzz-selftest: $(FUZZ)/fuzz $(FUZZ)/replay $(FUZZ)/corpus ## do the fuzzers find planted bugs? (up to 50 minutes)
	$(Q)BUILD=$(BUILD) $(RUN) -t 3600 tests/fuzz-selftest/run

regressions: $(FUZZ)/replay $(BUILD)/ringside ## what once crashed does so no more
	$(Q)BUILD=$(BUILD) $(RUN) tools/fuzz/scripts/regressions
