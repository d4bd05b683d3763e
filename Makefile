# make demo    edit the sample photo to four smiles; the pictures land in out/demo
# make play    the same by hand: a page on this machine, at the address that is shown
# make test    ruff, mypy, the layers of imports, pytest on the real weights
# make test-long  what takes minutes in its full length; its short form is part of make test
# make bot     run the Discord bot (needs DISCORD_TOKEN, see .env.example)
# make bench-bot  measure the bot's process against a Discord on loopback (out/bench/bot.json)
# make soak    30 minutes of members and troubles before that Discord (out/soak.json); SOAK="--minutes 5", REAL=1
# make languages  bring data/languages up to what the code says in English
# make lock    write the hashes of data/constraints.txt's versions anew into data/requirements.lock
# make fresh   the two commands on bare Debian 12 and 13 systems, as a new user would (as root; FRESH=test for make test)
# make clean   remove what make made here; the weights stay in their cache folder
#
# Each stands alone: it makes .venv, installs the exact versions of data/constraints.txt and brings the weights first
# (data/setup/install.py). PYTHON=python3.12 chooses the Python, 3.11 to 3.14. Whatever index they come from, the files must
# be those of data/requirements.lock (HASHES=no takes the index's word). torch's CPU build is taken wherever there is one:
# TORCH=2.13.0 takes the default index's build instead, for NVIDIA GPUs, and TORCH_INDEX names another index of CPU builds.
# CLUSTER=yes brings Ray too, for workers on several machines.

SHELL := /bin/bash
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))
PYTHON ?= $(shell for one in python3.{11..14} python3; do $$one -c '$(FITS)' > /dev/null 2>&1 && echo $$one && break; done)
TORCH ?= auto
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
HASHES ?= yes
CLUSTER ?= no
BIN := .venv/bin
# A process of tests for each core and one more, up to four: each holds the networks. A file's tests stay together, and dear files
# go first (tests/conftest.py): by itself xdist puts those with the fewest tests last, which are the dearest.
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
SMILES := --smile -1.5 --neutral --smile 1.5 --smile 3

# Nothing installed or configured outside .venv may change what is in it.
unexport PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX
# Else each of the hundreds of processes that the tests start would compile egao's sources anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo play test test-long check bot bench-bot soak setup lock languages fresh clean
.DELETE_ON_ERROR:

demo: setup
	@$(BIN)/egao models pull
	@photo=$$($(BIN)/python -c 'from importlib.resources import files; print(files("skimage") / "data/astronaut.png")') \
	  && $(BIN)/egao edit "$$photo" $(SMILES) --force -o out/demo
	@echo "The pictures are in $(CURDIR)/out/demo:" && ls out/demo

play: setup
	@$(BIN)/egao models pull
	@$(BIN)/egao play

test: check
	@$(BIN)/egao models pull --group eval
	@$(BIN)/python -m pytest -m "not long" $(SIDE_BY_SIDE)

# What takes minutes in its full length: the soak, forty kills, thousands of hostile files, training.
test-long: check
	@$(BIN)/egao models pull --group eval
	@$(BIN)/python -m pytest -m long $(SIDE_BY_SIDE)

check: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check -q .
	@$(BIN)/mypy & types=$$!; \
	  $(BIN)/lint-imports --no-cache --no-logo && $(BIN)/deptry . --no-ansi; others=$$?; wait $$types && exit $$others

bot: setup
	@$(BIN)/egao models pull
	@$(BIN)/egao bot

bench-bot: setup
	@$(BIN)/egao models pull
	@$(BIN)/egao bench bot

soak: setup
	@$(BIN)/egao models pull
	@$(BIN)/python -m tests.discord.soak -o out/soak.json $(if $(REAL),--real --requests 200) $(SOAK)

setup:
	@test -n '$(PYTHON)' || { echo "egao: no Python 3.11 to 3.14 is here (python3 is: $$(python3 -V 2>&1)); say where one is:" \
	  "make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -m data.setup.install --torch '$(TORCH)' --torch-index '$(TORCH_INDEX)' --hashes '$(HASHES)' \
	  --cluster '$(CLUSTER)' \
	  $(if $(filter file,$(origin PYTHON)),,--asked-for)

languages:
	@$(BIN)/python -m bot.text.gather

lock:
	@$(PYTHON) -m venv out/lock && out/lock/bin/python -m pip install -qq uv packaging
	@compile="out/lock/bin/uv pip compile -q --universal --python-version 3.11 --extra eval --extra dev -c data/constraints.txt \
	  --format pylock.toml"; $$compile -o out/lock/pylock.usual.toml pyproject.toml > /dev/null \
	  && $$compile --extra c2pa --extra cluster -o out/lock/pylock.all.toml pyproject.toml > /dev/null
	@out/lock/bin/python -m data.setup.lock out/lock/pylock.all.toml out/lock/pylock.usual.toml --torch-index '$(TORCH_INDEX)'

fresh:
	@data/setup/fresh.sh

clean:
	rm -rf .venv out build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find bot core cogs data tests -name __pycache__ -type d -prune -exec rm -rf {} +
