# The two commands of a fresh machine are `make run` and `make test`; `make` alone lists all.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One lock a Python version: whatever extras are asked for, these are the versions they get.
LOCK = locks/py$(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])').txt
EXTRAS ?= tflite,sink,desk,models,dev
STAMP := $(VENV)/.installed
RIVALS := .venv-rivals/supervision/.installed .venv-rivals/trackers/.installed

export SHELFLIGHT_DATA
ifdef MODELS
export SHELFLIGHT_MODELS := $(abspath $(MODELS))
endif

.PHONY: help setup run test check fmt replay update-golden accuracy prove bench lock
.DEFAULT_GOAL := help

help: ## list what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup: $(STAMP) ## make .venv with pinned dependencies

$(STAMP): setup.cfg pyproject.toml $(wildcard locks/*.txt)
	@test -f $(LOCK) || { echo "Python 3.11, 3.12 or 3.13 is needed; name one: make PYTHON=python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint $(LOCK) --editable '.[$(EXTRAS)]'
	@touch $@

run: setup ## a unit on the built-in scene, a broker, the sink; or CLIP=clip.mp4 SITE=site.yaml
	@$(BIN)/python -m edge_agent demo $(if $(CLIP),--clip "$(CLIP)") $(if $(SITE),--site "$(SITE)") $(if $(PACE),--pace $(PACE)) \
		$(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

test: setup ## run the tests; SHELFLIGHT_DATA=folder adds those on real footage
	$(BIN)/python -m pytest

check: setup ## all that CI runs: format, lint, types, import contracts, tests with replays, short proofs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg
	$(BIN)/python -m pytest
	$(BIN)/python -m tests.prove --short --again

fmt: setup ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

replay: setup ## the golden stories as they were told; real recordings where SHELFLIGHT_DATA is set
	$(BIN)/python -m edge_agent golden tests/golden/*/
	$(BIN)/python -m pytest -v tests/test_replay.py

update-golden: setup ## show what the golden stories tell otherwise now, and take it as expected
	$(BIN)/python -m edge_agent golden tests/golden/*/ --update

accuracy: setup .venv-rivals/supervision/.installed ## 100 rendered shops (SEEDS=8001-8100) and the real clips against their truth
	$(BIN)/python -m models evaluate accuracy --seeds $(or $(SEEDS),8001-8100) --workers $(or $(WORKERS),2) \
		$(if $(SHELFLIGHT_DATA),--truth $(wildcard $(SHELFLIGHT_DATA)/footage/*.truth.json)) \
		--floors tests/accuracy.txt --picture accuracy.png
	$(BIN)/python -m models evaluate robustness --workers $(or $(WORKERS),2) --picture robustness.png
	$(BIN)/python -m models evaluate dwell-tracking --workers $(or $(WORKERS),2) --picture dwell-tracking.png

prove: setup ## the two promises as checks, into docs/proof.md; PARTS=time,link SHORT=1 BREAK=chain
	@$(BIN)/python -m tests.prove $(if $(PARTS),--parts $(PARTS)) $(if $(SHORT),--short) \
		$(if $(BREAK),--break $(BREAK),$(if $(PARTS)$(SHORT),,--write docs/proof.md))

bench: setup $(RIVALS) ## sizes, overhead and the tracker beside its rivals; SHELFLIGHT_DATA=folder
	$(BIN)/python -m edge_agent footprint
ifdef SHELFLIGHT_DATA
	SHELFLIGHT_MODELS="$(SHELFLIGHT_DATA)/models" $(BIN)/python -m edge_agent bench \
		"$(SHELFLIGHT_DATA)/footage/table-visits.mp4" --site tests/sites/table-visits.yaml
	SHELFLIGHT_MODELS="$(SHELFLIGHT_DATA)/models" $(BIN)/python -m edge_agent budget \
		--data "$(SHELFLIGHT_DATA)"
endif
	$(BIN)/python -m edge_agent rivals --rivals .venv-rivals $(if $(SHELFLIGHT_DATA),--data "$(SHELFLIGHT_DATA)")

# Rivals live apart: their dependencies conflict with each other's and are no business of a unit.
.venv-rivals/%/.installed: locks/rival-%.txt
	$(PYTHON) -m venv .venv-rivals/$*
	.venv-rivals/$*/bin/python -m pip install --quiet --requirement $<
	@touch $@

lock: setup ## resolve the locks anew, for each Python version, x86-64 and aarch64 alike
	$(BIN)/python -m pip install --quiet uv
	for v in 3.11 3.12 3.13; do \
		$(BIN)/uv pip compile --quiet --upgrade --no-annotate --no-header setup.cfg pyproject.toml \
			--extra tflite --extra sink --extra desk --extra provision --extra models --extra dev \
			--python-version $$v --python-platform aarch64-manylinux_2_34 \
			--output-file locks/py$$v.txt || exit; \
	done
