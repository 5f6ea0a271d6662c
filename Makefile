# Everything starts here. `make test` and `make demo` set up all that they need on a fresh machine.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
VLLM ?= $(HOME)/.cache/afterimage-vllm

.DEFAULT_GOAL := test
.PHONY: install demo check docs style types house messages servers test vllm soak bench bench-answers bench-service bench-demo bench-documents bench-speech clean

install: $(VENV)/installed  ## a virtual environment with everything that is pinned in constraints.txt

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { apt-get update -qq && apt-get install -y -qq python3-venv; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[offline,demo,tesseract,speech,cluster,docs,dev]'
	touch $@

demo: install  ## index the sample archive and ask it questions
	@$(BIN)/python -m demoworld.demo $(DEMO)

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
	rm -rf $(VENV) $(DEMO) bench-out site
