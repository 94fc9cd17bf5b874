# `make` alone says what there is. Needs Python 3.11, git and make; the rest goes into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# The generator of the documents' site, apart from what the watch and its tests need.
DOCS := .venv-docs
# What holds objects to the schemas of Kubernetes, apart too.
CHART := .venv-kubernetes
PYTHONS ?= python3.12 python3.13
# The tests that need only .venv, and no process of ours.
UNIT := not kafka and not e2e and not faults and not quality and not simulation and not blind and not package and not long and not console
# Schemathesis, apart too.
FUZZ := .venv-fuzz

# As in `watchofficer` itself: products of small matrices cost more CPU time on several threads than on one.
export OPENBLAS_NUM_THREADS := 1

# What is installed is known by these files, so that a second run is instant.
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
# With the tools of a developer installed, `make demo` has nothing to install.
FOR_DEMO := $(if $(wildcard $(DEV)),$(DEV),$(RUNTIME))

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-unit test-processes test-long test-deep lint format bench quality kafka simulation pictures test-console test-delivery test-incidents test-kafka test-replicas test-blind test-faults test-upgrade soak package test-package test-pythons test-image test-helm docs locks sbom audit alive secrets fuzz fuzz-http test-http clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(DEV) ## create .venv with all that development and tests need

demo: $(FOR_DEMO) ## show how a sign-in outage is detected, paged and resolved, on this machine alone
	$(BIN)/watchofficer demo $(ARGS)

# With arguments, which may be the name of a test, a half of the tests may have none (status 5 of pytest).
OR_NONE = $(if $(ARGS), || test $$? -eq 5)

# What is compiled is kept, whatever the environment says: the tests start hundreds of processes.
test-unit test-processes: export PYTHONDONTWRITEBYTECODE :=
test: $(DEV) ## run the tests that need only .venv, what computes beside what waits (ARGS= for further arguments of pytest)
	.ci/beside '$(MAKE) test-unit' '$(MAKE) test-processes'

test-unit: $(DEV) ## run the half of them that only computes
	$(BIN)/python -m pytest -n auto --dist worksteal -m "$(UNIT)" $(ARGS)$(OR_NONE)

test-processes: $(DEV) ## run the half of them that starts processes, and mostly waits for them
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "e2e and not kafka and not long" $(ARGS)$(OR_NONE)

test-long: $(DEV) ## run what plays hours of traffic or has to wait: the shipped policy's own tests, scenarios, benchmarks, receivers (MARKS='and not e2e')
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "long and not kafka $(MARKS)" $(ARGS)

test-deep: ## run the tests of `make test` with five times as many examples of each property
	$(MAKE) test ARGS="--hypothesis-profile=deep $(ARGS)"

lint: $(DEV) ## check format, style, types and import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache --no-logo

format: $(DEV) ## format the code and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV) ## measure all figures and write them to docs/speed.md and the README (18 minutes, or half an hour where machines are slow)
	$(BIN)/python -m benchmarks.table $(ARGS)

quality: $(DEV) ## run all scenarios with the reported seeds and write docs/quality.md (30 minutes of CPU time)
	$(BIN)/python -m benchmarks.quality --reported --seeds 5 --drawn 100 --days 30 --report docs $(ARGS)
	$(BIN)/python -m benchmarks.quality.limit --first 501

kafka: $(DEV) ## run one node of Apache Kafka on port 9092 in the foreground (Docker, or Java and Maven)
	$(BIN)/python -m tests.support.brokers $(ARGS)

test-delivery: $(DEV) ## days of broken receivers, lost answers and kills in virtual time, at the receivers alone (DAYS=5 ARGS=--rest)
	$(BIN)/python -m tests.sinks.campaign --days $(or $(DAYS),1) $(ARGS)

test-incidents: $(DEV) ## a month of 300 incidents with people who answer, merge and forget: records and reports against the truth
	$(BIN)/python -m tests.incidents $(ARGS)

pictures: $(DEV) ## show the demo's outage as the console, Slack, a mail and Teams do, for the documents (Chromium, npm; a minute)
	rm -rf build/cards && mkdir -p build/cards
	cd build/cards && npm pack --silent adaptivecards@3.0.6 && tar -xzf adaptivecards-3.0.6.tgz
	$(BIN)/python -m tests.sinks.looks.pictures build/cards/package/dist/adaptivecards.min.js

test-console: $(DEV) ## run an incident from a phone, blind the watch, and compare headline and API over the whole demo (Chromium; some minutes)
	$(BIN)/python -m pytest -n0 -s -m console $(ARGS)

simulation: $(DEV) ## run the shipped loops under random faults in virtual time (SEEDS=1000 FIRST=…; some CPU seconds per seed)
	$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),100) $(if $(FIRST),--first $(FIRST)) $(ARGS)

test-kafka: $(DEV) ## run the tests on Apache Kafka: durability, kills, kcat (Docker, or Java and Maven)
	$(BIN)/python -m pytest -n 2 -m "kafka and not long" $(ARGS)

test-replicas: $(DEV) ## kill one of three nodes of Apache Kafka in the middle of an outage (Java and Maven; a minute)
	$(BIN)/python -m pytest -n0 -m "kafka and long" $(ARGS)

test-blind: $(DEV) ## keep parts of a deployment from getting on, one way at a time, and expect that the watch says so (half an hour)
	$(BIN)/python -m pytest -n 2 -m blind $(ARGS)

test-faults: $(DEV) ## end, hold and mislead workers and broker at random, compare with the log (KILLS=200 SEED=… BROKER=kafka|embedded)
	$(BIN)/python -m tests.faults --kills $(or $(KILLS),200) --broker $(or $(BROKER),kafka) $(if $(SEED),--seed $(SEED)) $(ARGS)

test-upgrade: $(DEV) ## replace two workers of an older build amid an outage: no difference, no second page (BEFORE=commit)
	$(BIN)/python -m tests.upgrade.rolling --before $(BEFORE) $(ARGS)

fuzz: $(DEV) ## give a million mutated records, policies, mappings, webhooks and bodies to all edges (CASES= SEED= MINUTES= ARGS='--only …')
	$(BIN)/python -m tests.fuzz --cases $(or $(CASES),1000000) --seed $(or $(SEED),1) $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)

test-http: $(DEV) ## lay siege to a worker's HTTP server on loopback, and expect that it answers (CONNECTIONS=10000; two minutes)
	$(BIN)/python -m tests.fuzz.strangers --connections $(or $(CONNECTIONS),10000)

fuzz-http: $(DEV) $(FUZZ)/.ready ## hold the HTTP interface against its description with Schemathesis (CASES=50 for each operation, SEED=)
	$(BIN)/python -m tests.fuzz.http $(FUZZ)/bin/schemathesis -n $(or $(CASES),50) $(if $(SEED),--seed $(SEED)) $(ARGS)

soak: $(DEV) ## two workers under load amid outages, kills, a new policy, an upgrade (MINUTES=30 RATE=2000 BROKER=kafka|embedded BEFORE=commit)
	$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),30) --rate $(or $(RATE),2000) --broker $(or $(BROKER),kafka) $(if $(BEFORE),--before $(BEFORE)) $(ARGS)

# The instant of the last commit stands for the time of the build, so that the same files give the same bytes everywhere.
package: export SOURCE_DATE_EPOCH = $(or $(EPOCH),$(shell git log -1 --format=%ct))
package: $(DEV) ## build the wheel and the source distribution into dist/, byte for byte the same on each machine
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist

test-package: $(DEV) ## build both packages twice, compare them, and run the demo of the installed wheel
	$(BIN)/python -m pytest -n0 -m package $(ARGS)

# The lock is made for 3.11; what it pins must install by hash, and run, on the others as well.
test-pythons: package ## run the unit tests, and the demo of the wheel, on PYTHONS="python3.12 /path/to/python3.13" (an hour of CPU time)
	set -e; for python in $(PYTHONS); do \
		venv=.venv-$$($$python -c 'import platform; print(platform.python_version())'); \
		$$python -m venv --clear $$venv; \
		$$venv/bin/python -m pip install --quiet --require-hashes -r requirements-dev.lock; \
		$$venv/bin/python -m pip install --quiet --no-deps dist/*.whl; \
		(cd $$venv && bin/watchofficer demo --once); \
		PATH=$(CURDIR)/$$venv/bin:$$PATH $$venv/bin/python -m pytest -n auto --dist worksteal -m "$(UNIT)" $(ARGS); \
	done

test-image: $(DEV) ## build the image on a Debian made here, and run it as nobody on a root that cannot be written (root, buildah, debootstrap)
	tests/deploy/image.sh

test-helm: $(DEV) $(CHART)/.ready ## let Helm lint and render the chart, and hold it to the schemas of Kubernetes (needs helm; HELM=…)
	$(BIN)/python -m tests.deploy.chart --helm $(or $(HELM),helm) --validate $(CHART)/bin/kubernetes-validate $(ARGS)

# The generator follows links within one folder. A folder without a page of its own gets a list of what is in it.
docs: $(FOR_DEMO) $(DOCS)/.ready ## build the documents as a static site with search into site/; a broken link fails
	rm -rf build/pages site
	mkdir -p build/pages
	git ls-files -z -co --exclude-standard -- '*.md' docs deploy detectors/default_policy.yaml LICENSE \
		| tar --null -T - -c | tar -x -C build/pages
	find build/pages/deploy -type d ! -exec test -e {}/README.md \; -print | while read -r folder; do \
		printf '# %s\n\n%s\n' "$${folder#build/pages/}" "$$(ls "$$folder" | sed 's/.*/* [&](&)/')" > "$$folder/README.md"; \
	done
	$(BIN)/python -m streams.cli.guidance.reference > build/pages/docs/commands.md
	$(DOCS)/bin/zensical build --strict

locks: ## pin dependencies again after a change of pyproject.toml (needs uv; ARGS=--upgrade for newer versions)
	uv pip compile pyproject.toml --extra demo --extra build -o requirements.lock $(LOCK_OPTIONS) $(ARGS)
	uv pip compile pyproject.toml --extra demo --extra build --extra dev -c requirements.lock \
		-o requirements-dev.lock $(LOCK_OPTIONS) $(ARGS)
	uv pip compile deploy/msk.in -c requirements-dev.lock -o deploy/msk.lock $(LOCK_OPTIONS) $(ARGS)
	uv pip compile docs/requirements.in -o docs/requirements.lock $(LOCK_OPTIONS) $(ARGS)
	uv pip compile tests/deploy/kubernetes.in -o tests/deploy/kubernetes.lock $(LOCK_OPTIONS) $(ARGS)
	uv pip compile tests/fuzz/requirements.in -o tests/fuzz/requirements.lock $(LOCK_OPTIONS) $(ARGS)
	uv pip compile benchmarks/peers/peers.in -o benchmarks/peers/peers.lock $(LOCK_OPTIONS) $(ARGS)

sbom: export SOURCE_DATE_EPOCH = $(or $(EPOCH),$(shell git log -1 --format=%ct))
sbom: $(DEV) ## write the bill of materials of what users install (CycloneDX) to dist/sbom.cdx.json; needs no network
	$(BIN)/python -m tests.supply.sbom $(ARGS)

audit: $(DEV) ## ask OSV for known weaknesses of all pinned packages; fails if it could not be asked (ARGS='--url … --accept ID')
	$(BIN)/python -m tests.supply.audit $(ARGS)

alive: $(DEV) ## name the dependencies without a release in two years; fails if the index could not be asked (needs uv)
	$(BIN)/python -m tests.supply.alive

secrets: $(DEV) ## look for keys of services in all files of the repository (half a minute of CPU time)
	$(BIN)/python -m tests.supply.secrets

clean: ## remove .venv, caches, and the data of demos and brokers
	rm -rf $(VENV) $(DOCS) $(CHART) $(FUZZ) .cache site .data .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

LOCK_OPTIONS := --quiet --generate-hashes --no-header --python-version 3.11

$(RUNTIME): requirements.lock pyproject.toml | $(BIN)/python
	$(call install,requirements.lock)
	@touch $@

$(DEV): requirements-dev.lock pyproject.toml | $(BIN)/python
	$(call install,requirements-dev.lock)
	@touch $@ $(RUNTIME)

$(CHART)/.ready: tests/deploy/kubernetes.lock
	$(PYTHON) -m venv --clear $(CHART)
	$(CHART)/bin/python -m pip install --quiet --require-hashes -r $<
	@touch $@

$(DOCS)/.ready: docs/requirements.lock
	$(PYTHON) -m venv --clear $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --require-hashes -r $<
	@touch $@

$(FUZZ)/.ready: tests/fuzz/requirements.lock
	$(PYTHON) -m venv --clear $(FUZZ)
	$(FUZZ)/bin/python -m pip install --quiet --require-hashes -r $<
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "Python 3.11 is needed: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Exactly what the lock file says, by hash; uv is quicker where it is installed. Then this folder itself, in place.
# pip would compile on one core, and half of all files for nothing: what packages test themselves with, and Datadog's client,
# of whose ten thousand modules one test imports a few. What cannot be compiled is nothing that is imported.
define install
	@echo "installing what $(1) pins into $(VENV): a minute or two, once"
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --quiet --python $(BIN)/python --require-hashes -r $(1) && \
		uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
		$(BIN)/python -m pip install --quiet --no-compile --require-hashes -r $(1) && \
		$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .; \
	fi
	@$(BIN)/python -m compileall -qq -j 0 -x '/(tests|datadog_api_client)/' $(VENV)/lib || true
endef
