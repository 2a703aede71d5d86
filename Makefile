# make test   everything that runs on one machine: unit, simulation, end to end, other implementations
# make demo   shares 256 MiB, interrupts it, resumes it, loses a holder, and compares the result
# make large-file   10 GiB from one process to another, with the memory that each needed
# They do all their own set-up on a machine that has Swift.
SWIFT ?= swift
SWIFT_FLAGS ?= --explicit-target-dependency-import-check error
PREFIX ?= /usr/local

.PHONY: all setup build release test demo completions man install clean

all: release

setup:
	@scripts/setup

build: setup
	$(SWIFT) build $(SWIFT_FLAGS) --build-tests

release: setup
	$(SWIFT) build $(SWIFT_FLAGS) -c release --product dig-nat

test: build
	@scripts/test

demo: release
	@scripts/demo

large-file: release
	@scripts/large-file

completions: release
	@install -d .build/completions
	.build/release/dig-nat --generate-completion-script bash > .build/completions/dig-nat
	.build/release/dig-nat --generate-completion-script zsh > .build/completions/_dig-nat
	.build/release/dig-nat --generate-completion-script fish > .build/completions/dig-nat.fish

# The argument parser's plugin makes dig-nat.1, dig-nat.share.1, …
man: setup
	@install -d .build/man
	$(SWIFT) package --allow-writing-to-directory .build/man generate-manual --output-directory .build/man --multi-page

install: completions man
	install -D -m 755 .build/release/dig-nat $(DESTDIR)$(PREFIX)/bin/dig-nat
	install -D -m 644 .build/completions/dig-nat $(DESTDIR)$(PREFIX)/share/bash-completion/completions/dig-nat
	install -D -m 644 .build/completions/_dig-nat $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_dig-nat
	install -D -m 644 .build/completions/dig-nat.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/dig-nat.fish
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 .build/man/dig-nat*.1 $(DESTDIR)$(PREFIX)/share/man/man1

clean:
	rm -rf .build
