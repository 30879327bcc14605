# What people type. CMake does the work: see CMakePresets.json for the builds that there are.
#
#     make run       the server, with its data in ./data; ARGS="--http-addr 127.0.0.1:9000" passes flags
#     make build     library, server and benchmarks, in build/release
#     make test      every test, and again under the sanitizers
#     make test-page the dashboard's tests alone, with the browser that they need: make test skips them without
#     make install   PREFIX=/usr/local DESTDIR=
#     make bench     the benchmarks; ARGS= passes flags
#     make bench-peers the same workloads on other stores, into docs/benchmarks.md; needs Rust
#     make bench-server the server under load from another process; the same page; 3 minutes
#     make bench-growth  costs at 10^5 to 10^7 records, and pauses of writers; the same page; 15 minutes
#     make soak      the long tests, for hours; SOAK_TESTS=churn, SOAK_GIGABYTES= and SOAK_MINUTES=
#     make mutation  puts faults into a copy of the source, one by one: does a test notice each?
#     make check     layout, layers and linters
#     make clean     removes build/
#
# Packages that are missing are installed first (scripts/packages.txt).

PREFIX = /usr/local
DESTDIR =
ARGS =

JOBS := $(shell nproc)
RELEASE := build/release

.PHONY: run build test install bench bench-growth bench-peers bench-server soak mutation check clean
.PHONY: debug asan tsan fuzz coverage packages test-packages test-release test-asan test-tsan test-fuzz test-page
.PHONY: check-layers check-format check-lint
# A build uses every core by itself, and two at once would write the same files.
.NOTPARALLEL:
.DEFAULT_GOAL := build

run: $(RELEASE)/build.ninja
	@cmake --build $(RELEASE) -j $(JOBS) --target flowdb-server
	exec $(RELEASE)/server/flowdb-server $(ARGS)

build: $(RELEASE)/build.ninja
	cmake --build $(RELEASE) -j $(JOBS)

install: $(RELEASE)/build.ninja
	cmake --build $(RELEASE) -j $(JOBS) --target flowdb flowdb_static flowdb-server flowdb-stress
	DESTDIR="$(DESTDIR)" cmake --install $(RELEASE) --prefix "$(abspath $(PREFIX))"
	@# Lets the loader find the new library; only where it is really installed.
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ] && [ -x /sbin/ldconfig ]; then \
		/sbin/ldconfig; fi

bench: $(RELEASE)/build.ninja
	@cmake --build $(RELEASE) -j $(JOBS) --target flowdb-bench
	$(RELEASE)/bench/flowdb-bench $(ARGS)

bench-growth: $(RELEASE)/build.ninja
	scripts/bench-growth $(ARGS)

bench-server: $(RELEASE)/build.ninja
	scripts/bench-server $(ARGS)

bench-peers:
	@scripts/install-packages library peers
	scripts/bench-peers $(ARGS)

# All of them run, whatever becomes of the first.
test: test-packages
	@$(MAKE) --no-print-directory --keep-going test-release test-asan test-tsan test-fuzz

test-release: test-packages
	cmake --preset release -DFLOWDB_TESTS=ON --log-level=WARNING
	cmake --build --preset release -j $(JOBS)
	ctest --preset release -j $(JOBS)

asan tsan debug: test-packages
	cmake --preset $@ --log-level=WARNING
	cmake --build --preset $@ -j $(JOBS)

test-asan: asan
	ctest --preset asan -j $(JOBS)

test-tsan: tsan
	ctest --preset tsan -j $(JOBS) -L concurrent

test-fuzz:
	@scripts/install-packages library server tests fuzz
	cmake --preset fuzz --log-level=WARNING
	cmake --build --preset fuzz -j $(JOBS)
	ctest --preset fuzz -j $(JOBS)

# Node and npm may come from elsewhere than Debian, whose packages would clash with those.
test-page: test-packages
	@for program in chromium node npm; do \
		command -v $$program >/dev/null || { scripts/install-packages page; break; }; done
	cmake --preset release -DFLOWDB_TESTS=ON --log-level=WARNING
	cmake --build --preset release -j $(JOBS) --target flowdb-server
	FLOWDB_SERVER_BIN=$(abspath $(RELEASE))/server/flowdb-server tests/page/run $(abspath $(RELEASE))/tests/page

check:
	@scripts/install-packages library server tests checks
	@$(MAKE) --no-print-directory --keep-going check-layers check-format check-lint

check-layers check-format check-lint:
	scripts/$@

coverage:
	@scripts/install-packages library server tests coverage
	cmake --preset coverage --log-level=WARNING
	cmake --build --preset coverage -j $(JOBS)
	ctest --preset coverage -j $(JOBS)
	gcovr --root . --filter src/ --filter server/ build/coverage

# Each target for FUZZ_SECONDS, from the inputs in tests/fuzz/corpus/<target>.
FUZZ_SECONDS = 60
fuzz:
	@scripts/install-packages library server tests fuzz
	cmake --preset fuzz --log-level=WARNING
	cmake --build --preset fuzz -j $(JOBS)
	scripts/fuzz build/fuzz/tests $(FUZZ_SECONDS)

# What is run, and how to add to it: scripts/soak.
SOAK_TESTS =
SOAK_GIGABYTES = 50
SOAK_MINUTES = 60
soak: test-packages
	cmake --preset release -DFLOWDB_TESTS=ON --log-level=WARNING
	cmake --build --preset release -j $(JOBS)
	SOAK_GIGABYTES=$(SOAK_GIGABYTES) SOAK_MINUTES=$(SOAK_MINUTES) \
		scripts/soak $(RELEASE) $(SOAK_TESTS)

# The tables in docs/reliability.md are written from it; ARGS="--only 07" tries one.
mutation: test-packages
	scripts/mutation-check $(ARGS)

clean:
	rm -rf build

packages:
	@scripts/install-packages library server

test-packages:
	@scripts/install-packages library server tests
	@scripts/unpack-packages build/tools clients

# The tests are left out until `make test` asks for them: to run and to install needs no framework.
$(RELEASE)/build.ninja: | packages
	cmake --preset release -DFLOWDB_TESTS=OFF --log-level=WARNING
