# Every target sets up the environment it needs the first time it runs.
PYTHON ?= python3
PIP = .venv/bin/python -m pip --disable-pip-version-check -q
DEMO_ARGS ?=
TEST_ARGS ?=
TORTURE_ARGS ?=
EVALUATE_ARGS ?=

.PHONY: demo test check lint types imports wheel torture evaluate test-train test-paddle constraints clean

## demo: set up .venv and run the forecourt demo (Ctrl-C ends it)
demo: .venv/.installed
	.venv/bin/platepay demo $(DEMO_ARGS)

## test: set up .venv with the test tools and run every test
test: .venv/.tested
	.venv/bin/python -m pytest $(TEST_ARGS)

## check: what CI asks of the code before the tests: style, types, import directions, the wheel
check: lint types imports wheel

lint: .venv/.tested
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: .venv/.tested
	.venv/bin/mypy

imports: .venv/.tested
	.venv/bin/lint-imports

## wheel: build the wheel, install it in a clean environment and run it from another folder
wheel: .venv/.installed
	PYTHON="$(PYTHON)" .ci/check-wheel

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "platepay needs Python 3.11 or newer; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	@echo "Installing platepay into .venv (about a minute the first time)"
	$(PIP) install -c constraints.txt -e .
	@touch $@

.venv/.tested: pyproject.toml constraints.txt | .venv/.installed
	@echo "Installing the test tools into .venv"
	$(PIP) install -c constraints.txt -e '.[dev]'
	@touch $@

## torture: kill, cut, lose, repeat for hours: nothing answered may be lost or doubled (TORTURE_ARGS="--seed 2")
torture: .venv/.tested
	.venv/bin/platepay torture $(TORTURE_ARGS)

## test-train: the tests of training and export, in an environment with ultralytics of their own
test-train:
	PYTHON="$(PYTHON)" .ci/test-extra train

## test-paddle: the tests of the second reader, in an environment with paddleocr of their own
test-paddle:
	PYTHON="$(PYTHON)" .ci/test-extra paddle

## evaluate: judge the recogniser on the labelled pictures (about two minutes), e.g. EVALUATE_ARGS=--check
evaluate: .venv/.installed
	.venv/bin/platepay evaluate --all $(EVALUATE_ARGS)

clean:
	rm -rf .venv .venv-train .venv-paddle dist build

## constraints: write down the versions now installed in .venv
constraints: .venv/.tested
	@{ echo "# The versions everything was tested with; pip takes them with -c. Made anew by: make constraints"; \
	  .venv/bin/python -m pip --disable-pip-version-check list --format=freeze \
	    | grep -viE '^(pip|setuptools|wheel|platepay)='; } > constraints.txt.new
	@mv constraints.txt.new constraints.txt
