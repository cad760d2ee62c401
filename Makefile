# `make demo` and `make test` set everything up in .venv; Python 3.11 to 3.14 is all they need. On Linux without a GPU,
# `export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu` before saves gigabytes of CUDA.
PYTHON ?= python3
BIN := .venv/bin
SECONDS ?= 60

.PHONY: help setup demo test test-slow torture fuzz bench results docs notebooks clean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' $(MAKEFILE_LIST)

setup: .venv/.installed  ## Make .venv and install everything, pinned

# easyfsl and torchmeta ask for a torchvision that tests do not use, and that need not fit this torch.
.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --no-compile --no-deps --constraint constraints.txt easyfsl torchmeta
	touch $@

demo: setup  ## Meta-train on invented characters, then learn what was never seen; writes demo/out/report.html
	$(BIN)/python demo/demo.py

test: setup  ## Lint, types, doctests and tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto

test-slow: setup  ## The tests that need more than 20 s each
	$(BIN)/pytest -n auto -m slow

torture: setup  ## Kill, interrupt and damage runs hundreds of times; half an hour
	$(BIN)/python -m tests.torture --json results/reliability/torture.json

fuzz: setup  ## Breed files for every parser, SECONDS each; what breaks one stays as crash-*
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz $(SECONDS)

bench: setup  ## Time start-up, episodes, adaptation, and outer steps beside other libraries; half an hour
	$(BIN)/python benchmarks/startup.py --json results/speed/startup.json
	$(BIN)/python benchmarks/episodes.py --json results/speed/episodes.json
	$(BIN)/python -m benchmarks.sampling --json results/speed/sampling.json
	$(BIN)/python benchmarks/adaptation.py --json results/speed/adaptation.json
	$(BIN)/python -m benchmarks.speed --out results/speed/engine.json --plot results/speed/engine.png

results: setup  ## Make docs/results.md and its plot from the committed results
	$(BIN)/python -m benchmarks.results

docs: setup  ## Build the site strictly into site/, without asking the network
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

notebooks: setup  ## Run the notebooks again and keep their outputs
	$(BIN)/python docs/notebooks/execute.py

clean:  ## Remove what was built
	rm -rf .venv build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache
