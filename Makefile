# Copyright (c) 2026 inferops contributors (@inferops)
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Everything that these targets make lies in build/, except Docker images and containers, which "make clean" removes.
SHELL := /bin/bash
SCENARIO ?= default
VERSION ?= 4.1.0
RUNS ?= 3
FAULT ?=
SERVER ?=
PARTS ?=
SUITE ?= bookworm
ITEM ?=
BIN := $(CURDIR)/build/venv/bin
export PATH := $(BIN):$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/build/collections
export ANSIBLE_HOME := $(CURDIR)/build/ansible
export ANSIBLE_CONFIG := $(CURDIR)/tests/ansible.cfg
export PYTHONPATH := $(CURDIR)/build/collections
# Compiled once for all runs of Ansible, and outside the tree.
export PYTHONPYCACHEPREFIX := $(CURDIR)/build/pycache
export PYTHONDONTWRITEBYTECODE :=
export MOLECULE_GLOB := molecule/*/molecule.yml
export MYPY_CACHE_DIR := $(CURDIR)/build/mypy
export RUFF_CACHE_DIR := $(CURDIR)/build/ruff
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/build/hypothesis
export XINFERENCE_TEST_VERSION := $(or $(SERVER),$(VERSION))
export XINFERENCE_TEST_SUITE := $(SUITE)
# What make test has no time for, too.
WHOLE ?=
export XINFERENCE_TEST_WHOLE := $(WHOLE)
TESTS := ansible_collections.inferops.xinference.tests
export PYTEST_PLUGINS := $(TESTS).recorder.pytest_recorder,$(TESTS).suite.pytest_selection

.DEFAULT_GOAL := help
.PHONY: help setup engine images demo test test-all bench faults picture range mutation lint unit docs-check sanity artifact mistakes contract downloads adoption first-admin security isolation containers monitoring repositories exercised awx molecule clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: setup engine images ## provision this machine, ask a real model, restart it, provision again
	@tools/demo.sh

test: ## what every change must pass, each part with its own set-up; PARTS="lint unit" for some, TIMES=1 shows where the time went
	@python3 tests/suite/run.py test $(PARTS) $(if $(TIMES),--times) $(if $(PAGE),--page)

test-all: ## everything else, for hours: goes on where it was stopped; PARTS="faults" for some; writes docs/tested.md
	@python3 tests/suite/run.py all $(PARTS) $(if $(TIMES),--times) $(if $(AGAIN),--again) --page
	@python3 tests/versions_table.py

bench: setup images ## how fast it is, as ratios in one run; fails where one misses its bound; ROWS=day-two or ROWS=diagnosis for some rows
	python tests/bench/bench.py --runs $(RUNS) $(if $(ROWS),--rows $(ROWS))

faults: setup engine ## hit a whole test machine in every way and see it come back; FAULT=name for one, SERVER=2.11.0 for another server
	@python3 tests/images/build.py models >/dev/null
	@tools/faults.sh $(FAULT)

picture: setup ## the picture of docs/diagnose.md, as Chromium shows the page
	@python tools/picture.py

range: ## one item of the promised range of versions: make range ITEM="core 2.18", ITEM="python 3.9"
	@tools/range.sh $(ITEM)

mutation: setup ## how many changes of plan, admission and preflight the unit tests notice
	@tools/mutation.sh

setup: ## virtual environment and collection path in build/
	@tools/setup.sh

engine: ## a Docker Engine, unless one answers
	@tools/engine.sh start

images: setup engine ## server image and model files of the tests
	@python3 tests/images/build.py server --version $(VERSION) >/dev/null
	@python3 tests/images/build.py models >/dev/null

lint: setup ## ruff, mypy, yamllint, shellcheck, licences, ansible-lint (production)
	ruff check .
	ruff format --check .
	tools/types.sh
	yamllint --strict .
	shellcheck --external-sources tools/*.sh roles/*/files/*.sh molecule/machines/*.sh tests/images/*/*.sh .ci/run
	tools/words.sh
	reuse lint --quiet || reuse lint
	ansible-lint --offline --strict --profile production

unit: setup ## tests of everything pure
	python -m pytest --random-order tests/unit

docs-check: setup ## documentation of modules, filters and roles, and the changelog
	antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .
	antsibull-changelog lint
	python -m pytest -v tests/docs

sanity: setup ## ansible-test sanity
	@tools/sanity.sh

artifact: setup images ## build the artifact, install it elsewhere, run a playbook from it
	python -m pytest -v tests/artifact

mistakes: setup images ## the obvious mistakes, each refused in one sentence
	python -m pytest -v tests/mistakes

contract: setup images ## what a real server answers to the calls that we use
	python -m pytest -v --random-order tests/contract

downloads: setup images ## a real server downloads from a hub of the tests
	python -m pytest -v tests/downloads

adoption: setup images ## a server that was made by hand is written down and adopted
	python -m pytest -v tests/adoption

first-admin: setup images ## who calls a new server first, on the version that is named
	python -m pytest -v tests/security/test_first_admin.py

security: setup images ## nobody gets in, and secrets stay secret: a provisioned host, checked from outside
	python -m pytest -v tests/security

isolation: setup ## what the firewall lets through, packet by packet, and what the fleet's CA signs
	python -m pytest -v tests/isolation

containers: setup images ## a container that takes the place of another one, with a real Docker
	python -m pytest -v tests/containers

monitoring: setup ## what Prometheus' own program says of the rules and of the service's figures
	python -m pytest -v tests/monitoring

repositories: setup ## backups in every kind of repository, with the restic of each release of Debian
	python -m pytest -v tests/repositories

exercised: setup ## what the last make test recorded: every module, role, playbook, variable and result was exercised
	python -m pytest -v tests/exercised

awx: setup images ## the AWX job templates, run through ansible-runner
	python -m pytest -v tests/awx

molecule: setup images ## one Molecule scenario: make molecule SCENARIO=default
	@tools/molecule.sh $(SCENARIO)

clean: ## stop and remove what these targets started and made
	@tools/clean.sh
