# Commands of Titans. Settings are variables: make run SOURCE=files FILES=../exports EXPORTED_AT=2025-03-08 AS_OF=2025-03-07

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
PY := $(VENV)/bin/python
# Tests of the suite that make verify plays with more examples and whole builds.
THOROUGH_TOO := history history_import exchanges known_at any_order builds_that_stop retention retention_of_versions same_versions version_order strangers baskets_recomputed valuation_recomputed returns_recomputed publishing own_basket late_rates
PORT ?= $(if $(filter superset,$(MAKECMDGOALS)),8088,8080)
# Tests at a time, for two processors: each waits for files and processes a fifth of its time.
JOBS ?= 3
# Tests that build no marts and start no Airflow.
QUICK := tests/unit tests/dags/test_dag_policies.py

export PYTHONPATH := $(CURDIR)

# What a person writes is taken word for word: else make would read a $ in it, and run what stands in $(shell ...).
WORDS := SOURCE FILES EXPORTED_AT AS_OF KNOWN_AT DATA ACCEPT_LOSS SWITCH SQL TABLE FORMAT TO BATCH SYMBOL REASON FROM CONFIRM PORT MINUTES ONLY SYMBOLS YEARS BASKETS MEMBERS MEMORY

# Of these words, what each command takes. A command that is not named here takes none.
OF_A_RUN := SOURCE FILES EXPORTED_AT AS_OF KNOWN_AT DATA ACCEPT_LOSS SWITCH
TAKEN_BY_run := $(OF_A_RUN)
TAKEN_BY_build := $(OF_A_RUN)
TAKEN_BY_airflow := SOURCE FILES EXPORTED_AT DATA SWITCH PORT
TAKEN_BY_superset := DATA PORT
TAKEN_BY_report := DATA
TAKEN_BY_query := SQL DATA
TAKEN_BY_export := TABLE FORMAT TO DATA
TAKEN_BY_status := DATA
TAKEN_BY_rollback := TO DATA
TAKEN_BY_publish := DATA
TAKEN_BY_release := BATCH SYMBOL REASON DATA
TAKEN_BY_backup := DATA
TAKEN_BY_restore := FROM DATA
TAKEN_BY_reset := CONFIRM DATA
TAKEN_BY_tidy := DATA
TAKEN_BY_docs := SOURCE FILES DATA
TAKEN_BY_bench := SYMBOLS YEARS BASKETS MEMBERS MEMORY MINUTES ONLY
TAKEN_BY_soak := MINUTES ONLY
TAKEN_BY_test := JOBS TESTS
TAKEN_BY_check := JOBS

# A word that is no setting is refused: make run SOURSE=yahoo would run another source. TITANS_ ones are checked by the settings class.
KNOWN_WORDS := $(WORDS) PYTHON VENV JOBS TESTS
GIVEN_WORDS := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
UNKNOWN_WORD := $(firstword $(filter-out $(KNOWN_WORDS) PY SHELL TITANS_%,$(GIVEN_WORDS)))
ifneq ($(UNKNOWN_WORD),)
CLOSE_WORDS := $(shell UNKNOWN_WORD='$(subst ','\'',$(UNKNOWN_WORD))' KNOWN_WORDS='$(KNOWN_WORDS)' $(PYTHON) -c 'import difflib, os; print(" or ".join(difflib.get_close_matches(os.environ["UNKNOWN_WORD"].upper(), os.environ["KNOWN_WORDS"].split())))')
$(error $(UNKNOWN_WORD)= is no setting, so nothing was run. $(if $(CLOSE_WORDS),Did you mean $(CLOSE_WORDS)? )Settings are $(KNOWN_WORDS))
endif
# So is one that the command does not take: make publish TO=... would go elsewhere. make help runs nothing.
COMMANDS := $(filter-out help,$(MAKECMDGOALS))
TAKEN_WORDS := $(sort $(foreach command,$(COMMANDS),$(TAKEN_BY_$(command))))
UNUSED_WORD := $(if $(COMMANDS),$(firstword $(filter-out $(TAKEN_WORDS) PYTHON VENV PY SHELL TITANS_%,$(GIVEN_WORDS))))
ifneq ($(UNUSED_WORD),)
TAKERS := $(sort $(foreach taker,$(filter TAKEN_BY_%,$(.VARIABLES)),$(if $(filter $(UNUSED_WORD),$($(taker))),$(taker:TAKEN_BY_%=%))))
$(error make $(COMMANDS) takes no $(UNUSED_WORD)=, so nothing was run. It takes $(or $(TAKEN_WORDS),no word); $(UNUSED_WORD)= is for make $(TAKERS))
endif
$(foreach name,$(WORDS),$(eval override $(name) := $$(value $(name))))

# A setting of the command line becomes the environment variable that the settings class reads.
ifdef SOURCE
export TITANS_SOURCE := $(SOURCE)
endif
ifdef FILES
export TITANS_FILES_DIR := $(FILES)
endif
ifdef EXPORTED_AT
export TITANS_EXPORTED_AT := $(EXPORTED_AT)
endif
ifdef AS_OF
export TITANS_AS_OF := $(AS_OF)
endif
ifdef KNOWN_AT
export TITANS_KNOWN_AT := $(KNOWN_AT)
endif
ifdef DATA
export TITANS_DATA_DIR := $(DATA)
endif
ifdef ACCEPT_LOSS
export TITANS_ACCEPT_LOSS := $(ACCEPT_LOSS)
endif
ifdef SWITCH
export TITANS_SWITCH := $(SWITCH)
endif
export SQL TABLE FORMAT TO BATCH SYMBOL REASON FROM CONFIRM PORT MINUTES ONLY SYMBOLS YEARS BASKETS MEMBERS MEMORY

.DEFAULT_GOAL := help
.PHONY: help install run build test check verify lint lint-changed lint-style airflow superset report query export status rollback publish release backup restore reset tidy docs bench soak env sbom lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | while IFS="$$(printf '\t')" read -r name text; do printf '%-10s %s\n' "$$name" "$$text"; done

# uv installs everything else. What it came by, pip and setuptools of the interpreter's age, does not stay.
$(VENV)/bin/uv: requirements-bootstrap.txt
	@test -n "$(PYTHON)" || { echo "Error: no Python found. Install Python 3.11 or 3.12, or name one: make run PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || { echo "Error: $(PYTHON) is not Python 3.11 or 3.12. Name one: make run PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv --without-pip $(VENV)
	@$(PY) -m ensurepip --default-pip > /dev/null
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-bootstrap.txt
	@$(VENV)/bin/uv pip uninstall --quiet --python $(PY) pip setuptools
	@touch $@

$(VENV)/run.stamp: requirements.txt $(VENV)/bin/uv
	@echo "Installing the locked packages into $(VENV) ..."
	@$(VENV)/bin/uv pip install --quiet --python $(PY) --require-hashes --compile-bytecode -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/run.stamp
	@echo "Installing the test tools ..."
	@$(VENV)/bin/uv pip install --quiet --python $(PY) --require-hashes --compile-bytecode -r requirements-dev.txt
	@touch $@

# An environment of its own: beside cyclonedx-bom, every import of jsonschema takes a second longer.
$(VENV)/sbom.stamp: requirements-sbom.txt $(VENV)/run.stamp
	@$(VENV)/bin/uv venv --quiet --clear --no-project --python $(PY) $(VENV)/sbom
	@$(VENV)/bin/uv pip install --quiet --python $(VENV)/sbom --require-hashes -r requirements-sbom.txt
	@touch $@

# Another one: Superset and Airflow need other versions of the same packages.
$(VENV)/superset.stamp: requirements-superset.txt $(VENV)/run.stamp
	@echo "Installing Superset into $(VENV)/superset ..."
	@$(VENV)/bin/uv venv --quiet --clear --no-project --python $(PY) $(VENV)/superset
	@$(VENV)/bin/uv pip install --quiet --python $(VENV)/superset --require-hashes -r requirements-superset.txt
	@touch $@

# The tools of the recipes in docs/CONNECT.md, for their tests.
$(VENV)/recipes.stamp: requirements-recipes.txt $(VENV)/run.stamp
	@$(VENV)/bin/uv venv --quiet --clear --no-project --python $(PY) $(VENV)/recipes
	@$(VENV)/bin/uv pip install --quiet --python $(VENV)/recipes --require-hashes -r requirements-recipes.txt
	@touch $@

install: $(VENV)/run.stamp ## install the locked packages into .venv

run: $(VENV)/run.stamp ## ingest, build, check and publish; SOURCE=sample|files|yahoo (default: what the folder serves), FILES=, EXPORTED_AT=, AS_OF=, KNOWN_AT=, DATA=, ACCEPT_LOSS="reason", SWITCH=yes
	@$(PY) -m titans run

build: $(VENV)/run.stamp ## run without the ingest: from what is stored, after an edit of a seed or a release; same words
	@$(PY) -m titans build

test: $(VENV)/dev.stamp lint ## lint, then every test but those of verify and soak; JOBS=3 at a time, TESTS=... for some
	@$(PY) -m pytest --numprocesses $(JOBS) --dist loadfile $(TESTS)

check: $(VENV)/dev.stamp lint-changed ## lint and the quick tests, within a minute: for the edit loop
	@$(PY) -m pytest --numprocesses $(JOBS) --dist loadfile $(QUICK)

# One test at a time: servers and kills are measured against the clock. Says what it skips, and why.
verify: $(VENV)/dev.stamp $(VENV)/sbom.stamp ## what takes servers, whole runs, builds of their own or kills, and thorough versions of tests of the suite
	@$(MAKE) --no-print-directory $(VENV)/superset.stamp $(VENV)/recipes.stamp || echo "Superset or the tools of the recipes cannot be installed here: their tests are skipped"
	@THOROUGH=1 $(PY) -m pytest -rs tests/end_to_end $(THOROUGH_TOO:%=tests/integration/test_%.py)

# mypy uses one processor for as long as sqlfluff needs both.
lint: $(VENV)/dev.stamp lint-style
	@$(VENV)/bin/mypy include titans dags tests & types=$$!; \
	$(VENV)/bin/sqlfluff lint --disable-progress-bar --processes 2 dbt_project/models include/gates include/raw include/publishing; sql=$$?; \
	wait $$types && exit $$sql

# sqlfluff takes a third of a second a file.
lint-changed: $(VENV)/dev.stamp lint-style
	@$(VENV)/bin/mypy include titans dags tests
	@git ls-files --modified --others --exclude-standard 'dbt_project/models/*.sql' | xargs -r $(VENV)/bin/sqlfluff lint --disable-progress-bar

lint-style: $(VENV)/dev.stamp
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --check --quiet .

airflow: $(VENV)/run.stamp ## the Airflow UI and scheduler on 127.0.0.1, schedules on; PORT=8080
	@$(PY) -m titans airflow --port "$$PORT"

superset: $(VENV)/superset.stamp ## Superset on 127.0.0.1 with the dashboard of what is published; PORT=8088
	@$(PY) -m titans superset --port "$$PORT"

report: $(VENV)/run.stamp ## the path of the published pages, opened where there is a desktop
	@$(PY) -m titans report

query: $(VENV)/run.stamp ## SQL="..." on the published file, read-only; without SQL, a prompt
	@$(PY) -m titans query -- "$$SQL"

export: $(VENV)/run.stamp ## one table of the published file as a file of its own: TABLE=factsheet FORMAT=csv|parquet|xlsx, TO=
	@$(PY) -m titans export --table "$$TABLE" --format "$$FORMAT" --to "$$TO"

status: $(VENV)/run.stamp ## what is published and how old, what failed and why, what is quarantined, late or held; 1 where something is red
	@$(PY) -m titans status

rollback: $(VENV)/run.stamp ## an earlier generation back, and held; TO=GENERATION
	@$(PY) -m titans rollback -- "$$TO"

publish: $(VENV)/run.stamp ## let builds move the link again
	@$(PY) -m titans publish

release: $(VENV)/run.stamp ## let a quarantined unit in: BATCH=, SYMBOL=, REASON="..."
	@$(PY) -m titans release --batch "$$BATCH" --symbol "$$SYMBOL" --reason "$$REASON"

backup: $(VENV)/run.stamp ## estimate snapshots and seeds into backups/
	@$(PY) -m titans backup

restore: $(VENV)/run.stamp ## FROM=backups/titans-<time>.tar.gz
	@$(PY) -m titans restore -- "$$FROM"

reset: $(VENV)/run.stamp ## remove the data folder after a backup: CONFIRM=yes
	@$(PY) -m titans reset --confirm "$$CONFIRM"

tidy: $(VENV)/run.stamp ## remove logs and Airflow's rows older than TITANS_KEEP_LOGS_DAYS (90), run records and incidents older than TITANS_KEEP_RECORDS_DAYS (400); with TITANS_KEEP_HISTORY_DAYS old landing files too
	@$(PY) -m titans tidy

docs: $(VENV)/run.stamp ## dbt docs as one HTML file, and docs/ENTITIES.md
	@$(PY) -m titans docs

bench: $(VENV)/run.stamp ## what a run costs, part by part: the sample, and a made-up world of SYMBOLS=100 YEARS=5 BASKETS=4 MEMBERS=10; ONLY=world, MINUTES=30 and MEMORY= (GiB) a part
	@$(PY) -m titans bench --symbols "$$SYMBOLS" --years "$$YEARS" --baskets "$$BASKETS" --members "$$MEMBERS" --minutes "$$MINUTES" --memory "$$MEMORY" --only "$$ONLY"

# What is killed cannot give its semaphores back, and Python would tell of each at the end.
soak: $(VENV)/dev.stamp ## MINUTES=30 of kills at random moments and of readers while generations are published; ONLY=airflow for one part
	@$(PY) -W "ignore:resource_tracker" -m tests.soak --minutes "$${MINUTES:-30}" $(if $(ONLY),--only "$$ONLY")

sbom: $(VENV)/sbom.stamp ## what is installed, with versions and hashes, as CycloneDX in sbom.json
	@cat requirements.txt requirements-server.txt | $(VENV)/sbom/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible -o sbom.json -

env: $(VENV)/run.stamp ## write .env with generated secrets for docker-compose.yml
	@$(PY) -m titans.server_env

lock: $(VENV)/run.stamp
	@for name in bootstrap run server dev sbom superset recipes; do \
	  file=requirements-$$name; test $$name = run && file=requirements; \
	  $(VENV)/bin/uv pip compile $$file.in --universal --python-version 3.11 --generate-hashes --no-header --quiet -o $$file.txt > /dev/null || exit 1; \
	done

clean: ## remove caches and the environment, never data
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis dbt_project/target dbt_project/logs
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
