# Everything that a person or CI runs. `make demo` and `make test` do their own set-up.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo test test-slow test-browser check docs format lite models finish-any natural pictures clean

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(PIP) --editable ".[test,check]"
	touch $@

demo: .venv/installed
	mkdir -p out
	$(BIN)/impasto stylize examples/content.png examples/style.png -o out/demo.png --encoder lite --threads 2 --force

test: .venv/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

test-slow: .venv/installed-dev
	$(BIN)/python -m pytest -m slow

# The pages of the studio and of export --web in Chromium (apt-get install chromium); skipped where there is none.
test-browser: .venv/installed-dev
	$(PIP) --editable ".[browser]"
	$(BIN)/python -m pytest -m browser tests/browser -rs

check: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The site; it needs no network.
docs: .venv/installed
	$(PIP) --editable ".[docs]"
	$(BIN)/sphinx-build -W --keep-going -q -b html docs build/site

# Makes the packaged encoder again; resumable. Needs folders of pictures and VGG-19 (impasto weights fetch vgg19-caffe).
PHOTOS ?= ../shared/data/photos
PAINTINGS ?= ../shared/data/paintings ../shared/data/textures
STEPS ?= 8000
lite: .venv/installed
	$(BIN)/python tools/make_lite.py --photos $(PHOTOS) --paintings $(PAINTINGS) --steps $(STEPS)

# Trains the packaged networks, one after the other, each resumable and for so many minutes in all, then FINISH more with
# VGG-19 (impasto weights fetch vgg19-caffe); MODELS says which.
MODELS ?= any gallery live
MINUTES ?= 240
FINISH ?= 0
models: .venv/installed
	for model in $(MODELS); do \
		$(BIN)/python tools/make_models.py $$model --photos $(PHOTOS) --paintings $(PAINTINGS) --minutes $(MINUTES) --finish $(FINISH) || exit; \
	done

# A sitting of `any` on whole pictures at 512 with VGG-19, whose weights TEACHER has; resumable.
finish-any: .venv/installed
	mkdir -p build/models
	$(BIN)/python tools/finish_any.py build/models/any-whole.safetensors --photos $(PHOTOS) --paintings $(PAINTINGS) --teacher $(TEACHER) --minutes $(MINUTES)
	cp build/models/any-whole.safetensors src/impasto/data/any.safetensors

# Trains the packaged decoder of the canvas `natural`, resumable, from TAEF2's networks (taef2_encoder.pth and
# taef2_decoder.pth of https://github.com/madebyollin/taesd), which TEACHER has.
TEACHER ?= ../shared/weights
natural: .venv/installed
	$(BIN)/python tools/make_natural.py --photos $(PHOTOS) --teacher $(TEACHER) --minutes $(MINUTES)

# Makes the pictures of README and docs again.
pictures: .venv/installed
	$(BIN)/python tools/make_pictures.py

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist out
