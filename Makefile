# Everything starts here. `make test` and `make demo` set up all that they need on a fresh machine.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
WEB_SOURCES := $(shell find api/web -name node_modules -prune -o -name dist -prune -o -type f -print) $(wildcard api/schemas/*.py api/http/routes/*.py)
VLLM ?= $(HOME)/.cache/afterimage-vllm

.DEFAULT_GOAL := test
.PHONY: install web demo demo-serve check docs style types house messages servers test vllm soak bench bench-answers bench-service bench-demo bench-documents bench-speech clean

install: $(VENV)/installed api/web/dist/index.html  ## an environment with everything in constraints.txt, and the page

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[offline,demo,tesseract,speech,cluster,docs,dev]'
	touch $@

api/web/dist/index.html: $(VENV)/installed $(WEB_SOURCES)
	@api/web/build.sh $(CURDIR)/$(BIN)

web: $(VENV)/installed  ## work on the page: it reloads what changes; the API is that of a server on port 8765
	cd api/web && PATH="$(CURDIR)/$(BIN):$$PATH" npm run dev

demo: install  ## index the sample archive and ask it questions
	@$(BIN)/python -m demoworld.demo $(DEMO)

demo-serve: install  ## the page over the sample archive, in a browser at http://127.0.0.1:8765
	@AFTERIMAGE_PROFILE=demo AFTERIMAGE_HOME="$(CURDIR)/$(DEMO)/home" $(BIN)/afterimage serve

check:  ## style, types, layers, the house rules, the documentation site; two at a time
	@$(MAKE) --no-print-directory install
	@$(MAKE) --no-print-directory --jobs 2 --output-sync types docs style house

style: install  ## how the code is written, and which layer imports which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: install
	$(BIN)/mypy

house: install  ## the house rules that no tool knows: tests/house
	$(BIN)/pytest --quiet tests/house

messages: install  ## compile the translations of the command line
	$(BIN)/pybabel compile --directory api/cli/locale --domain afterimage --locale ko

docs: install  ## the documentation site, into site/; a broken link or reference is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

vllm: install  ## a real vLLM in an environment of its own, outside of this folder, with the demo weights, and the adapter's tests
	PYTHON=$(PYTHON) tests/vllm/install.sh $(VLLM)
	tests/vllm/run.sh $(VLLM) $(BIN)/python

servers:  ## redis-server and PostgreSQL, which tests start on ports of their own
	@tests/install_servers.sh

test: check servers  ## the checks, then every other test, two modules at a time, the slow ones first
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/house

soak: install servers  ## endurance: twenty rounds of kill -9 while indexing, and of servers that go away under jobs
	AFTERIMAGE_TEST_KILLS=20 $(BIN)/pytest tests/services/ingest/test_kill.py --timeout 7200
	AFTERIMAGE_TEST_CHAOS=20 $(BIN)/pytest tests/services/jobs/test_chaos.py --timeout 7200

bench: install  ## the figures of docs/benchmarks.md, without those of the next two targets
	for name in search_recall answers sentence_encoders pipeline indexing_memory memory_bank memory_quality onevision demo_world; do $(BIN)/python -m benchmarks.$$name --check || exit 1; done

bench-answers: install  ## long videos, an archive of a hundred, planted sentences: half an hour
	for name in long_video_qa archive_qa grounding; do $(BIN)/python -m benchmarks.$$name --check || exit 1; done

bench-service: install servers  ## what HTTP costs, many at once, a long upload; a cluster beside one process
	for name in load cluster startup unchanged; do $(BIN)/python -m benchmarks.$$name --check || exit 1; done

bench-speech: install  ## what whisper-base hears: word errors, the right second, nothing invented, time
	@command -v espeak-ng >/dev/null || { apt-get update -qq && apt-get install -y -qq espeak-ng; }
	$(BIN)/python -m benchmarks.speech --check

bench-demo: install  ## what the drawn world's model knows, and how well search finds what happens in an hour of video
	$(BIN)/python -m benchmarks.demo_world --check

bench-documents: install  ## search and answers on real documents of Debian packages, beside baselines of search; some hours
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks.real_documents --check

clean:  ## what make made, the environment too
	rm -rf $(VENV) $(DEMO) bench-out site api/web/dist api/web/node_modules
