# The two commands of a fresh machine are `make run` and `make test`; `make` alone lists all.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One lock a Python version: whatever extras are asked for, these are the versions they get.
LOCK = locks/py$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])').txt
EXTRAS := tflite,sink,desk,dev
STAMP := $(VENV)/.installed

export SHELFLIGHT_DATA
ifdef MODELS
export SHELFLIGHT_MODELS := $(abspath $(MODELS))
endif

.PHONY: help setup run test check fmt lint types contracts replay bench rivals lock
.DEFAULT_GOAL := help

help: ## list what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup: $(STAMP) ## make .venv with pinned dependencies

$(STAMP): setup.cfg pyproject.toml $(wildcard locks/*.txt)
	@test -f $(LOCK) || { echo "Python 3.11, 3.12 or 3.13 is needed; name one: make PYTHON=python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint $(LOCK) --editable '.[$(EXTRAS)]'
	@touch $@

run: setup ## a unit, a broker and the sink: make run CLIP=clip.mp4 SITE=site.yaml MODELS=folder
	@$(BIN)/python -m edge_agent demo $(if $(CLIP),--clip "$(CLIP)") $(if $(SITE),--site "$(SITE)") $(if $(PACE),--pace $(PACE))

test: setup ## run the tests; SHELFLIGHT_DATA=folder adds those on real footage
	$(BIN)/python -m pytest

check: setup ## all that CI runs: format, lint, types, import contracts, tests, replays
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg
	$(BIN)/python -m pytest
	$(MAKE) --no-print-directory replay

fmt: setup ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
