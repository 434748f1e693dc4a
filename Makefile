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
BIN := $(CURDIR)/build/venv/bin
export PATH := $(BIN):$(PATH)
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/build/collections
export ANSIBLE_HOME := $(CURDIR)/build/ansible
export PYTHONPATH := $(CURDIR)/build/collections
export PYTHONDONTWRITEBYTECODE := 1
export MOLECULE_GLOB := molecule/*/molecule.yml
export MYPY_CACHE_DIR := $(CURDIR)/build/mypy
export RUFF_CACHE_DIR := $(CURDIR)/build/ruff
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/build/hypothesis
export XINFERENCE_TEST_VERSION := $(or $(SERVER),$(VERSION))

.DEFAULT_GOAL := help
.PHONY: help setup engine images demo test test-versions bench faults lint unit docs-check sanity artifact mistakes contract downloads first-admin security awx molecule clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: setup engine images ## provision this machine, ask a real model, restart it, provision again
	@tools/demo.sh

test: ## every check and test, each with its own set-up; ends with how many passed and failed
	@tools/test.sh

test-versions: ## the module against every supported server; writes the table in README.md
	@tools/test.sh molecule:models molecule:models:3.5.0 molecule:models:2.11.0 molecule:models:1.17.1 contract contract::3.5.0 contract::2.11.0 contract::1.17.1 first-admin::3.5.0 first-admin::2.11.0
	@python3 tests/versions_table.py

bench: images ## how fast it is, as ratios in one run; fails where one misses its bound
	python tests/bench/bench.py --runs $(RUNS)

faults: setup engine ## hit a whole test machine in every way and see it come back; FAULT=name for one, SERVER=2.11.0 for another server
	@python3 tests/images/build.py models >/dev/null
	@tools/faults.sh $(FAULT)

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
	mypy plugins tests/images/build.py
	yamllint --strict .
	shellcheck --external-sources tools/*.sh molecule/machines/*.sh tests/images/*/*.sh .ci/run
	reuse lint --quiet || reuse lint
	ansible-lint --offline --strict --profile production

unit: setup ## tests of everything pure
	python -m pytest tests/unit

docs-check: setup ## documentation of modules, filters and roles, and the changelog
	antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self .
	antsibull-changelog lint
	python -m pytest tests/docs

sanity: setup ## ansible-test sanity
	@tools/sanity.sh

artifact: images ## build the artifact, install it elsewhere, run a playbook from it
	python -m pytest tests/artifact

mistakes: images ## the obvious mistakes, each refused in one sentence
	python -m pytest tests/mistakes

contract: images ## what a real server answers to the calls that we use
	python -m pytest tests/contract

downloads: images ## a real server downloads from a hub of the tests
	python -m pytest tests/downloads

first-admin: images ## who calls a new server first, on the version that is named
	python -m pytest tests/security/test_first_admin.py

security: images ## nobody gets in, and secrets stay secret: a provisioned host, looked at from outside
	python -m pytest tests/security

awx: images ## the AWX job templates, run through ansible-runner
	python -m pytest tests/awx

molecule: images ## one Molecule scenario: make molecule SCENARIO=default
	@tools/molecule.sh $(SCENARIO)

clean: ## stop and remove what these targets started and made
	@tools/clean.sh
