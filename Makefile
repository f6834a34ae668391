# Every target sets up the environment it needs the first time it runs.
PYTHON ?= python3
PIP = .venv/bin/python -m pip --disable-pip-version-check -q
DEMO_ARGS ?=
TEST_ARGS ?=
TORTURE_ARGS ?=
EVALUATE_ARGS ?=
TRAIN = .venv-train/bin/python -m

.PHONY: demo test check lint types imports wheel torture mutations mutmut evaluate train-detector train-reader train-second-reader train-colour test-train test-paddle constraints clean

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

.venv-train/.installed: models/requirements-train.txt pyproject.toml
	$(PYTHON) -m venv .venv-train
	.venv-train/bin/python -m pip --disable-pip-version-check -q install -r models/requirements-train.txt -e .
	@touch $@

## mutations: take each check of the money core out once; the tests beside it must fail
mutations: .venv/.tested
	.venv/bin/python -m tests.mutations.planted $(MUTATION)

## mutmut: which changes to a module do its tests not notice? MODULE=wallet/refunds.py (MUTMUT_ARGS="--tests commands")
MODULE ?= wallet/refunds.py
mutmut: .venv/.mutmut
	.venv/bin/python -m tests.mutations.by_mutmut $(MODULE) $(MUTMUT_ARGS)

.venv/.mutmut: pyproject.toml constraints.txt | .venv/.tested
	@echo "Installing mutmut into .venv"
	$(PIP) install -c constraints.txt -e '.[mutmut]'
	@touch $@

# The trainings need the labelled pictures (PLATEPAY_DATA, otherwise ../shared/data), write to runs/, show
# their progress and can be stopped; models/README.md says how long each took and how to publish what comes out.
runs/starts: | .venv-train/.installed
	$(TRAIN) models.starts --out $@

## train-detector: data sets, five stages of training, a slimmer score before the last two, and the ONNX file of the plate detector
train-detector: runs/starts
	$(TRAIN) models.plate_detector.dataset --out runs/detector/data
	$(TRAIN) models.plate_detector.train --data runs/detector/data/data.yaml --out runs/detector/first --start runs/starts/best.pt
	$(TRAIN) models.plate_detector.dataset --config models/plate_detector/config-second.toml --out runs/detector/data2
	$(TRAIN) models.plate_detector.train --config models/plate_detector/config-second.toml \
	  --data runs/detector/data2/data.yaml --out runs/detector/second --start runs/detector/first/weights/last.pt
	$(TRAIN) models.plate_detector.train --config models/plate_detector/config-third.toml \
	  --data runs/detector/data2/data.yaml --out runs/detector/third --start runs/detector/second/weights/last.pt
	$(TRAIN) models.plate_detector.slim --checkpoint runs/detector/third/weights/last.pt \
	  --data runs/detector/data2/data.yaml --out runs/detector/slim
	$(TRAIN) models.plate_detector.train --config models/plate_detector/config-fourth.toml \
	  --data runs/detector/data/data.yaml runs/detector/data2/data.yaml \
	  --out runs/detector/fourth --start runs/detector/slim/last.pt
	$(TRAIN) models.plate_detector.dataset --config models/plate_detector/config-fifth.toml --out runs/detector/data3
	$(TRAIN) models.plate_detector.train --config models/plate_detector/config-fifth.toml \
	  --data runs/detector/data2/data.yaml runs/detector/data3/data.yaml \
	  --out runs/detector/fifth --start runs/detector/fourth/weights/last.pt
	$(TRAIN) models.plate_detector.export --checkpoint runs/detector/fifth/weights/last.pt

## train-reader: the pool of crops, all stages of the first reader, and the mean of the last two
train-reader: runs/crops
	$(TRAIN) models.plate_reader.train --pool runs/crops --out runs/reader/first
	set -e; before=first; for stage in second third fourth fifth; do \
	  $(TRAIN) models.plate_reader.train --config models/plate_reader/config-$$stage.toml --pool runs/crops \
	    --start runs/reader/$$before/checkpoint.pt --out runs/reader/$$stage; before=$$stage; done
	$(TRAIN) models.plate_reader.merge runs/reader/fourth/checkpoint.pt runs/reader/fifth/checkpoint.pt \
	  --out runs/reader/plate_reader.onnx

runs/crops: | .venv-train/.installed
	$(TRAIN) models.plate_crops.pool --out $@ --source drawn --source swapped --source recombined --source foreign

## train-second-reader: all stages of the second reader, from the stock network
train-second-reader: runs/starts runs/crops
	$(TRAIN) models.second_reader.build --source runs/starts/ch_PP-OCRv4_rec_infer.onnx --out runs/second_reader/base.onnx
	$(TRAIN) models.second_reader.train --base runs/second_reader/base.onnx --pool runs/crops --out runs/second_reader/first
	set -e; before=first; for stage in second third fourth fifth sixth seventh; do \
	  $(TRAIN) models.second_reader.train --config models/second_reader/config-$$stage.toml --pool runs/crops \
	    --base runs/second_reader/$$before/second_reader.onnx --out runs/second_reader/$$stage; before=$$stage; done
	$(TRAIN) models.second_reader.merge runs/second_reader/sixth/second_reader.onnx \
	  runs/second_reader/seventh/second_reader.onnx --out runs/second_reader/second_reader.onnx

## train-colour: plates of every colour in many lights, and the small network that weighs their pixels
train-colour: | .venv-train/.installed
	$(TRAIN) models.plate_colour.dataset --out runs/colour
	$(TRAIN) models.plate_colour.train --data runs/colour --out runs/colour/plate_colour.json

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
