# make test   everything that runs on one machine: unit, simulation, end to end, other implementations
# make demo   shares 256 MiB, interrupts it, resumes it, loses a holder, and compares the result
# Both do all their own set-up on a machine that has Swift.
SWIFT ?= swift
SWIFT_FLAGS ?= --explicit-target-dependency-import-check error
PREFIX ?= /usr/local

.PHONY: all setup build release test demo install clean

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

install: release
	install -D -m 755 .build/release/dig-nat $(DESTDIR)$(PREFIX)/bin/dig-nat

clean:
	rm -rf .build
