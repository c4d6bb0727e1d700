# make frontier   environment, install, the flagship sweep, its report
# make jsb        the JSB chorales rows of Bai et al. 2018 (downloads 96 kB)
# make speed      our recurrent layers and loops against torch, Flax and Keras (QUICK=1: 3 minutes)
# make test       environment, install, the test suite
# make test-newest  the suite on the newest Python of this machine and the newest JAX, no pins
#                 (ONLY=rounding: only the tests that a compiler's rounding can fail)
# make test-full  the exhaustive matrix
# make check      lint, format and types
PYTHON ?= python3
BIN := .venv/bin
NEWEST := .venv-newest/bin

# Where a local mirror of the data stands beside the checkout, it serves the tests.
ifneq ($(wildcard ../shared/data/SOURCES.json),)
export SEQEXP_DATA_DIR ?= $(abspath ../shared/data)
endif

.PHONY: install frontier jsb speed test test-newest test-full check clean

install: .venv/installed

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "seqexp needs Python 3.11 or newer: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

frontier: install
	$(BIN)/seqexp sweep experiment=frontier

jsb: install
	$(BIN)/seqexp sweep experiment=jsb

# Without the opponents the study runs all the same, and says who is left out.
speed: install
	@$(BIN)/python -c 'import importlib.util as u, sys; \
	  sys.exit(not all(map(u.find_spec, ("torch", "keras"))))' || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[speed]' || true
	$(BIN)/python experiments/speed/run.py $(if $(QUICK),--quick)

test: install
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not full"

# Installed anew each time, for what is newest changes.
test-newest:
	python=$$(sh .ci/newest-python) && { $(NEWEST)/python -c pass 2>/dev/null || "$$python" -m venv --clear .venv-newest; }
	$(NEWEST)/python -m pip install --quiet --disable-pip-version-check --upgrade --upgrade-strategy eager -e '.[dev]'
	@$(NEWEST)/python -c 'import sys; from importlib.metadata import version; \
	  print("newest: Python", sys.version.split()[0] + ", jax", version("jax")); \
	  sys.version_info < (3, 12) and print("no Python 3.12 or 3.13 here, which newer JAX needs")'
	$(NEWEST)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "$(if $(ONLY),$(ONLY) and )not full"

# Those that rounding can fail are compiled as users compile, with annotated shapes checked.
test-full: install
	SEQEXP_TEST_AS_USERS_COMPILE=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --shapes -m "full and rounding"
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "full and not rounding"

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

clean:
	rm -rf .venv .venv-newest .pytest_cache .ruff_cache
