# make report: the main job on the shipped real data; make test: every test. Both set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LANGUAGE ?= zh
WORKERS ?= 2
SECONDS_OF_FUZZ ?= 600

.PHONY: report test lint types messages docs bench mutants fuzz clean

report: $(VENV)/ready
	$(BIN)/debtwatch demo --out build/report --lang $(LANGUAGE)

test: $(VENV)/ready-dev lint types
	$(BIN)/python -m pytest -n $(WORKERS)

lint: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/ready-dev
	$(BIN)/mypy

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/ready-dev: $(VENV)/ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@

# Collect the texts of code and templates and merge them into the Chinese catalogue.
messages: $(VENV)/ready-dev
	@mkdir -p build
	$(BIN)/pybabel -q extract -F babel.cfg -k N_ -k "_" --omit-header --sort-by-file --no-location --no-wrap -o build/debtwatch.pot .
	$(BIN)/pybabel -q update -i build/debtwatch.pot -D debtwatch -d reports/templates/locales -l zh_Hans_CN --no-fuzzy-matching --no-wrap --ignore-obsolete

docs: $(VENV)/ready
	$(BIN)/python -m docs.generate

bench: $(VENV)/ready-dev
	$(BIN)/python -m pytest bench --benchmark-only --benchmark-json=build/bench.json -p no:cacheprovider -o addopts=""

# Change every edge, number and operator of every rulebook; a worked example must notice.
mutants: $(VENV)/ready-dev
	$(BIN)/python -m tests.mutants

# Ten minutes of random formulas: nothing but a value or a RulebookProblem may come out.
fuzz: $(VENV)/ready-dev
	$(BIN)/python -m tests.fuzz_formulas $(SECONDS_OF_FUZZ)

clean:
	rm -rf build $(VENV)
