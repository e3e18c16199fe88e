# onlyone: run a command as the only copy of itself.
#
#   make                     build/onlyone
#   make check               the tests; needs bats
#   make install, uninstall  below $(DESTDIR)$(PREFIX)
#   make lint                compilers' warnings as errors, analyzers, shellcheck, mandoc
#   make check-real          real servers: redis, nginx, postgres, cron, sshd, sudo, tmux
#   make check-faults        every system call fails, or is the last one; needs strace
#   make check-fs            real file systems, on loop devices and FUSE; as root
#   make check-vm            NFS, SMB and 9p, in a virtual machine; needs qemu
#   make check-model         every order of a start's steps, by spin
#   make check-race          storms of starts beside removals and kills
#   make fuzz                random text for the parsers; needs clang
#   make mutants             changes of src that no test notices; MUTATE=src/record.c, or one line of it
#   make bench               how long a start takes beside others; needs hyperfine
#   make dist, clean
#
#   CC=musl-gcc              a static binary for containers
#   LINKAGE=dynamic          or static, or static-pie: chosen by what the toolchain can link
#   MATRIX=all               with check-vm: what takes longer, too
#   TESTS=tests/lock.bats    not all of them
#   SANITIZE=1               AddressSanitizer and UndefinedBehaviorSanitizer

VERSION = 1.1.0
PREFIX ?= /usr/local
CFLAGS ?= -O2
BUILD ?= build

WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wformat=2 -Wconversion -Wvla
HARDENING = -fstack-protector-strong -fPIE
ONLYONE_CPPFLAGS = -DONLYONE_VERSION='"$(VERSION)"' -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
ONLYONE_CFLAGS = -std=gnu11 $(WARNINGS) $(HARDENING) -MMD -MP -ffile-prefix-map=$(CURDIR)=.

ifdef SANITIZE
override BUILD := $(BUILD)/sanitize
LINKAGE = dynamic
ONLYONE_CFLAGS += -g -fsanitize=address,undefined -fno-sanitize-recover=all
SANITIZED = $(BUILD)/sanitize.o
else ifeq (,$(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)))
ONLYONE_CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

# A static binary starts about a third faster. Debian's musl-gcc cannot link static-pie.
can_link = $(shell echo 'int main(void){return 0;}' | \
	$(CC) $(1) -x c -o /dev/null - 2>/dev/null && echo yes)
ifndef LINKAGE
ifneq (,$(findstring musl,$(CC)))
LINKAGE := static
else
LINKAGE := $(if $(call can_link,-static-pie -fPIE),static-pie,dynamic)
endif
endif
LINK_static-pie = -static-pie
LINK_static = -static
LINK_dynamic = -pie
ifeq (,$(LINK_$(LINKAGE)))
$(error LINKAGE is static-pie, static or dynamic, not $(LINKAGE))
endif
ONLYONE_LDFLAGS = $(LINK_$(LINKAGE)) -Wl,-z,relro,-z,now,-z,noexecstack

SOURCES = $(wildcard src/*.c)
OBJECTS = $(SOURCES:src/%.c=$(BUILD)/%.o) $(SANITIZED)

all: $(BUILD)/onlyone

$(BUILD)/onlyone: $(OBJECTS) $(BUILD)/flags
	$(CC) $(ONLYONE_CFLAGS) $(CFLAGS) $(ONLYONE_LDFLAGS) $(LDFLAGS) -o $@ $(OBJECTS) $(LDLIBS)

$(BUILD)/%.o: src/%.c Makefile $(BUILD)/flags
	$(CC) $(ONLYONE_CPPFLAGS) $(CPPFLAGS) $(ONLYONE_CFLAGS) $(CFLAGS) -c -o $@ $<

# What the sanitizers are told; not by the environment, which sudo clears.
$(BUILD)/sanitize.o: tests/sanitize.c Makefile $(BUILD)/flags
	$(CC) $(CFLAGS) -c -o $@ $<

# Another compiler or other flags than last time: everything anew.
FLAGS = $(CC) $(ONLYONE_CPPFLAGS) $(CPPFLAGS) $(ONLYONE_CFLAGS) $(CFLAGS) \
	$(ONLYONE_LDFLAGS) $(LDFLAGS) $(LDLIBS)
ifneq ($(strip $(FLAGS)),$(strip $(file <$(BUILD)/flags)))
$(BUILD)/flags: FORCE
endif
$(BUILD)/flags: export WRITTEN = $(strip $(FLAGS))
$(BUILD)/flags: | $(BUILD)
	@printf '%s\n' "$$WRITTEN" >$@

$(BUILD):
	mkdir -p $@

-include $(OBJECTS:.o=.d)

# -- tests --

# `$(call need,TOOL,PACKAGE)`: one line that says what to install.
need = @command -v $(1) >/dev/null || { echo "$(1) is missing: apt-get install $(2)" >&2; exit 1; }

# bats runs tests side by side only with GNU parallel.
JOBS ?= $(shell parallel --version 2>/dev/null </dev/null | grep -q GNU && echo $$(($$(nproc) * 3)))
BATS = ONLYONE=$(abspath $(BUILD)/onlyone) tests/run $(if $(JOBS),--jobs $(JOBS))

TESTS ?= tests
check: all
	$(call need,bats,bats)
	$(BATS) $(TESTS)

check-real: all
	$(call need,bats,bats)
	$(BATS) tests/real

check-faults: all
	$(call need,bats,bats)
	$(call need,strace,strace)
	$(BATS) tests/faults

# Every kind of file system, or KINDS.
check-fs: all
	$(call need,bats,bats)
	ONLYONE=$(abspath $(BUILD)/onlyone) tests/fs/run $(KINDS)

# A machine that takes some two minutes alone, and with MATRIX=all four; ten times that is the limit.
check-vm: all
	$(call need,qemu-system-x86_64,qemu-system-x86)
	$(call need,busybox,busybox-static)
	$(call need,modprobe,kmod)
	BUILD=$(abspath $(BUILD)) ONLYONE=$(abspath $(BUILD)/onlyone) MATRIX=$(MATRIX) \
		tests/vm/run -t 2400 tests/vm/matrix $(KINDS)

check-model:
	$(call need,bats,bats)
	$(call need,spin,spin)
	$(call need,gcc,gcc)
	$(BATS) tests/model

check-race: all $(BUILD)/overlap
	$(call need,bats,bats)
	$(BATS) tests/race

$(BUILD)/overlap: tests/race/overlap.c Makefile | $(BUILD)
	$(CC) $(ONLYONE_CPPFLAGS) $(ONLYONE_CFLAGS) $(CFLAGS) -o $@ $<

FUZZ_SECONDS ?= 60
fuzz: $(BUILD)/fuzz
	$(BUILD)/fuzz -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -artifact_prefix=$(BUILD)/ \
		-verbosity=0 -print_final_stats=1 $(BUILD)/fuzz-corpus tests/fuzz/corpus

$(BUILD)/fuzz: tests/fuzz/fuzz.c $(SOURCES) $(wildcard src/*.h) Makefile | $(BUILD)
	$(call need,clang,clang)
	mkdir -p $(BUILD)/fuzz-corpus
	clang $(ONLYONE_CPPFLAGS) -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=all -Isrc -o $@ tests/fuzz/fuzz.c $(filter-out src/main.c src/waiting.c,$(SOURCES))

MUTATE ?= $(wildcard src/*.[ch])
mutants:
	$(call need,bats,bats)
	JOBS=$(JOBS) tests/mutants $(BUILD)/mutants $(MUTATE)

bench: all
	$(call need,hyperfine,hyperfine)
	ONLYONE=$(abspath $(BUILD)/onlyone) tests/bench/run

# -- lint --

SCRIPTS = $(wildcard .ci/run tests/run tests/*.bash tests/*.bats tests/*/*.bats tests/*/*.bash tests/bench/run \
	src/*.bash tests/container tests/foreign tests/mutants tests/fs/run tests/fs/end-strays \
	$(addprefix tests/vm/,agent bats build guest host init matrix request rpc run))

# Other sizes of words, and another order of bytes.
MACHINES = i686-linux-gnu arm-linux-gnueabihf s390x-linux-gnu aarch64-linux-gnu

lint: $(MACHINES:%=lint-%)
	$(call need,clang,clang)
	$(call need,clang-tidy,clang-tidy)
	$(call need,cppcheck,cppcheck)
	$(call need,shellcheck,shellcheck)
	$(call need,mandoc,mandoc)
	$(MAKE) CC=gcc CFLAGS='-O2 -Werror -fanalyzer' BUILD=$(BUILD)/lint-gcc
	$(MAKE) CC=clang CFLAGS='-O2 -Werror' BUILD=$(BUILD)/lint-clang
	clang-tidy --quiet --warnings-as-errors='*' $(SOURCES) -- -std=gnu11 $(ONLYONE_CPPFLAGS) 2>/dev/null
	cppcheck --quiet --std=c11 --enable=warning,style,performance,portability --error-exitcode=1 \
		--inline-suppr --suppress=missingIncludeSystem $(ONLYONE_CPPFLAGS) src
	shellcheck -x $(SCRIPTS)
	mandoc -Tlint -Wwarning man/onlyone.1

$(MACHINES:%=lint-%): lint-%:
	$(call need,$*-gcc,gcc-$*)
	$(call need,bats,bats)
	$(MAKE) CC=$*-gcc CFLAGS='-O2 -Werror' LINKAGE=static BUILD=$(BUILD)/$@
	JOBS=$(JOBS) tests/foreign $* $(BUILD)/$@/onlyone tests/lock.bats tests/status.bats

# -- files --

bindir = $(DESTDIR)$(PREFIX)/bin
man1dir = $(DESTDIR)$(PREFIX)/share/man/man1
bashdir = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
zshdir = $(DESTDIR)$(PREFIX)/share/zsh/site-functions
fishdir = $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d

install: all
	install -d '$(bindir)' '$(man1dir)' '$(bashdir)' '$(zshdir)' '$(fishdir)'
	install -m 755 $(BUILD)/onlyone '$(bindir)/onlyone'
	install -m 644 man/onlyone.1 '$(man1dir)/onlyone.1'
	install -m 644 src/onlyone.bash '$(bashdir)/onlyone'
	install -m 644 src/onlyone.zsh '$(zshdir)/_onlyone'
	install -m 644 src/onlyone.fish '$(fishdir)/onlyone.fish'

uninstall:
	rm -f '$(bindir)/onlyone' '$(man1dir)/onlyone.1' \
		'$(bashdir)/onlyone' '$(zshdir)/_onlyone' '$(fishdir)/onlyone.fish'

# The same bytes from the same files, whoever packs them and when.
dist:
	tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --mode=u=rwX,go=rX \
		--exclude='*~' --exclude='*.o' --transform='s,^,onlyone-$(VERSION)/,' \
		-cf - .ci .clang-format .clang-tidy .gitignore LICENSE Makefile README.md man src tests | gzip -n >onlyone-$(VERSION).tar.gz

clean:
	rm -rf $(BUILD) onlyone-$(VERSION).tar.gz

FORCE:

.PHONY: FORCE all check check-real check-faults check-fs check-vm check-model check-race fuzz mutants bench lint $(MACHINES:%=lint-%) install uninstall dist clean
