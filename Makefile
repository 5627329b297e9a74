# The front door. `make help` lists what there is; CMake does the building.
SHELL := /bin/sh
JOBS ?= $(shell nproc)
DESTDIR ?=
.DEFAULT_GOAL := build

.PHONY: help deps browser build debug image deb install uninstall demo test unit lint fmt bench bench-signup sim fuzz coverage soak chaos rto clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

deps: ## install the Debian packages this project needs (packages.apt)
	@tools/deps build deb lint test rig

browser: ## what the portal's tests in a real Chromium need (npm only where there is none)
	@tools/deps browser
	@command -v npm >/dev/null || tools/deps npm

build: ## the programs, optimised: build/release/bin/hamon, hamond
	@tools/deps build
	@cmake --preset release >/dev/null
	@cmake --build --preset release --  --no-print-directory -j $(JOBS)

debug: ## with sanitizers and tests: build/debug
	@tools/deps build test
	@cmake --preset debug >/dev/null
	@cmake --build --preset debug -- --no-print-directory -j $(JOBS)

image: ## the sign-up portal as a container image, signup-mailcow; needs Docker only
	@tools/image

deb: ## the Debian packages: build/deb
	@tools/deps build deb
	@JOBS=$(JOBS) tools/deb

install: build ## into DESTDIR (default /usr)
	@DESTDIR=$(DESTDIR) cmake --install build/release

uninstall: ## take away what `make install` put there (configuration stays)
	@[ ! -e build/release/install_manifest.txt ] || xargs -I {} rm -f $(DESTDIR){} <build/release/install_manifest.txt

demo: ## three nodes on this machine: faults, how fast hamon sees them, how mail goes on (KEEP=1 leaves it up)
	@tools/deps build test rig
	@$(MAKE) --no-print-directory build
	@KEEP= tests/cluster/demo
	@printf '\nAnd mail? Eight messages a second to the floating address, while the master is lost in four ways:\n\n'
	@FAULTS=4 SEED=1 ONLY=switchover,kill-active,power-master,cut-master tests/cluster/chaos

test: deps browser build debug ## everything: lint, units, fuzz corpora, the three-node cluster
	@tests/run-all

unit: debug ## the quick ones only
	@ctest --test-dir build/debug -L unit --output-on-failure -j $(JOBS)

lint: ## formatter, clang-tidy, cppcheck, shellcheck, layers
	@tools/deps build lint test
	@cmake --preset clang >/dev/null
	@tests/lint/all

fmt: ## format C and shell sources
	@tools/deps lint
	@git ls-files '*.c' '*.h' | xargs clang-format -i
	@tests/lint/shell --list | xargs shfmt -w

bench: build ## hamon beside the shell way, printed side by side
	@tools/deps test rig
	@tests/bench/run

bench-signup: build ## the portal beside the same form and picture in PHP
	@tools/deps bench
	@tests/bench/signup

sim: ## a million seeds of the simulator (SEEDS, NODES)
	@tools/deps build test
	@cmake --preset sim >/dev/null
	@cmake --build --preset sim -j $(JOBS) --target sim
	@build/sim/bin/sim --seeds $(or $(SEEDS),1000000) --nodes $(or $(NODES),3)

fuzz: ## each fuzz target for FUZZ_SECONDS (default 300)
	@tools/deps build test
	@cmake --preset fuzz >/dev/null
	@cmake --build --preset fuzz -j $(JOBS)
	@tests/fuzz/run $(or $(FUZZ_SECONDS),300)

coverage: ## line and branch coverage of the unit tests
	@tools/deps build test
	@tests/coverage

soak: build ## SOAK_SECONDS (default 600) of quiet, then load: no false alarm
	@tools/deps rig
	@tests/cluster/soak $(or $(SOAK_SECONDS),600)

chaos: build ## FAULTS (20) random faults under mail load, by SEED: no mail lost, never two writers
	@tools/deps test rig
	@tests/cluster/chaos

rto: build ## recovery times by fault beside the naive script's (FAULTS of each, ONLY these kinds)
	@tools/deps test rig
	@tests/bench/rto

clean: ## remove build/
	@rm -rf build
