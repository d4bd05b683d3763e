# make demo    edit the sample photo to four smiles; the pictures land in out/demo
# make test    ruff, mypy, the layers of imports, pytest on the real weights
# make test-long  what takes minutes in its full length; its short form is part of make test
# make bot     run the Discord bot (needs DISCORD_TOKEN, see .env.example)
# make bench-bot  measure the bot's process against a Discord on loopback (out/bench/bot.json)
# make soak    30 minutes of members and troubles before that Discord (out/soak.json); SOAK="--minutes 5", REAL=1
# make lock    write the hashes of data/constraints.txt's versions anew into data/requirements.lock
# make clean   remove what make made here; the weights stay in their cache folder
#
# Each stands alone: it makes .venv, installs the exact versions of data/constraints.txt and brings the weights first.
# Whatever index they come from, the files must be those of data/requirements.lock (HASHES=no takes the index's word).
# With an NVIDIA GPU: make demo TORCH=2.13.0   (the CUDA build of the same release; say it each time, or export it)

SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
LOCKED_TORCH := 2.13.0+cpu
TORCH ?= $(LOCKED_TORCH)
HASHES ?= yes
BIN := .venv/bin
READY := .venv/.ready-torch-$(TORCH)-hashes-$(HASHES)
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
SMILES := --smile -1.5 --neutral --smile 1.5 --smile 3

# Nothing installed or configured outside .venv may change what is in it.
unexport PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX

# Offline and not in the index are one error to pip. A wrong hash is told by pip; what to do about it, here.
define EXPLAIN
if grep -q 'DO NOT MATCH THE HASHES' .venv/pip.log; then cat .venv/pip.log >&2; \
  echo "egao: the package index gave another file than egao was tested with. If you trust it: make $(MAKECMDGOALS) HASHES=no" >&2; \
elif [ $(1) = torch ] && grep -q 'No matching distribution' .venv/pip.log; then \
  echo "egao: pip finds no torch $(TORCH): check the network, and set PIP_EXTRA_INDEX_URL to PyTorch's index of CPU builds" \
    "(or take the default index's CUDA build: make $(MAKECMDGOALS) TORCH=2.13.0)" >&2; \
else cat .venv/pip.log >&2; fi
endef

# MediaPipe and OpenCV are linked against the system's OpenGL, even when they compute on the CPU.
define OPEN_LIBRARIES
import ctypes, cv2; from importlib.resources import files; ctypes.CDLL(str(files("mediapipe") / "tasks/c/libmediapipe.so"))
endef

.PHONY: demo test test-long check bot bench-bot soak setup lock clean
.DELETE_ON_ERROR:

demo: $(READY)
	@$(BIN)/egao models pull
	@photo=$$($(BIN)/python -c 'from importlib.resources import files; print(files("skimage") / "data/astronaut.png")') \
	  && $(BIN)/egao edit "$$photo" $(SMILES) -o out/demo
	@echo "The pictures are in $(CURDIR)/out/demo:" && ls out/demo

test: check
	@$(BIN)/egao models pull --group eval
	@$(BIN)/python -m pytest -m "not long"

# What takes minutes in its full length: the soak, forty kills, thousands of hostile files, training.
test-long: check
	@$(BIN)/egao models pull --group eval
	@$(BIN)/python -m pytest -m long

check: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo

bot: $(READY)
	@$(BIN)/egao models pull
	@$(BIN)/egao bot

bench-bot: $(READY)
	@$(BIN)/egao models pull
	@$(BIN)/egao bench bot

soak: $(READY)
	@$(BIN)/egao models pull
	@$(BIN)/python -m tests.discord.soak -o out/soak.json $(if $(REAL),--real --requests 200) $(SOAK)

setup: $(READY)

# torch goes first: if the index has no such build, that is known before anything else is downloaded. The lock names one
# build of it; on other platforms, and for another TORCH, torch and what only it needs come unhashed. With the hashes,
# nothing is resolved and nothing is built with tools from outside .venv; `pip check` says if something were missing.
$(READY): pyproject.toml data/constraints.txt data/requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' \
	  || { echo "egao: Python 3.11 is needed; say where it is: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@rm -f .venv/.ready-*
	@sed 's/^torch==.*/torch===$(TORCH)/' data/constraints.txt > .venv/constraints.txt
	@sed -n '/^torch==/,/[^\\]$$/p' data/requirements.lock > .venv/torch.lock
	@sed '/^torch==/,/[^\\]$$/d' data/requirements.lock > .venv/others.lock
	@echo "egao: installing torch $(TORCH) and the other packages into .venv (about 0.5 GB to download, 2.2 GB on disk)"
ifeq ($(HASHES) $(TORCH),yes $(LOCKED_TORCH))
	@$(PIP) install -qq --no-deps --require-hashes -r .venv/torch.lock 2> .venv/pip.log || { $(call EXPLAIN,torch); exit 1; }
endif
	@$(PIP) install -qq --no-deps 'torch===$(TORCH)' 2> .venv/pip.log || { $(call EXPLAIN,torch); exit 1; }
ifeq ($(HASHES),yes)
	@$(PIP) install -qq --no-deps --require-hashes -r .venv/others.lock 2> .venv/pip.log || { $(call EXPLAIN,others); exit 1; }
endif
ifeq ($(HASHES) $(TORCH),yes $(LOCKED_TORCH))
	@$(PIP) install -qq --no-deps --no-build-isolation -e . && $(PIP) check -qq
else
	@$(PIP) install -qq -c .venv/constraints.txt -e '.[eval,dev]'
endif
	@$(BIN)/python -c '$(OPEN_LIBRARIES)' 2> .venv/libraries.log || { tail -n 1 .venv/libraries.log >&2; \
	  echo "egao: the face finder needs system libraries that pip can't bring; on Debian and Ubuntu:" \
	  "apt-get install libgl1 libegl1 libgles2 libglib2.0-0" >&2; exit 1; }
	@touch $@

# Every file of each version is listed, also those of other machines. pip's own settings (an index, a folder of wheels)
# are left out of the result, and pip itself, which is whatever the user's Python brings.
lock:
	@$(PYTHON) -m venv .venv/lock && .venv/lock/bin/pip install -qq pip-tools
	@.venv/lock/bin/pip-compile -qq --generate-hashes --allow-unsafe --strip-extras --no-annotate --no-header \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --extra eval --extra dev -c data/constraints.txt \
	  -o .venv/all.lock pyproject.toml
	@sed -e '/^--/d' -e '/^$$/d' -e '/^#/d' -e '/^pip==/,/[^\\]$$/d' \
	  -e '/^torch==/s/ \\$$/ ; python_version == "3.11" and sys_platform == "linux" and platform_machine == "x86_64" \\/' \
	  .venv/all.lock | cat <(echo '# Made by: make lock. The files that `make` may install, by version and hash.') - > data/requirements.lock

clean:
	rm -rf .venv out build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find bot core cogs data tests -name __pycache__ -type d -prune -exec rm -rf {} +
