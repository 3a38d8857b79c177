# CNN Lab. `make run` opens the lab, `make test` runs the tests; both make the environment first.
PYTHON ?= python3
ENV := .venv
BIN := $(ENV)/bin

.PHONY: run share test check bench bench-peers clean
run: $(ENV)/.run
	$(BIN)/streamlit run app.py

# On the network: visitors watch, who knows the passphrase acts. README, "Show it to a room".
share: $(ENV)/.run
	$(BIN)/python -m cnnlab share

# Two processes at once: a third would wait for cores that fits and browsers keep busy.
test: $(ENV)/.dev
	$(BIN)/python -m pytest -n 2

check: $(ENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(ENV)/.dev
	$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

# The lab against torch by hand and Keras on TensorFlow and JAX; `make bench-peers ONLY=dense,gru`.
PEERS := bench/peers/.venv-
bench-peers: $(ENV)/.dev $(PEERS)tensorflow/.made $(PEERS)jax/.made
	$(BIN)/python -m bench.peers $(if $(ONLY),--only $(ONLY))

$(PEERS)%/.made: bench/peers/requirements-%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/pip install --quiet -r $<
	touch $@

clean:
	rm -rf $(ENV) bench/peers/.venv-*

$(BIN)/python:
	$(PYTHON) -m venv $(ENV)

$(ENV)/.run: requirements.txt | $(BIN)/python
	$(BIN)/pip install --quiet -r requirements.txt
	touch $@

$(ENV)/.dev: requirements-dev.txt requirements-cluster.txt $(ENV)/.run
	$(BIN)/pip install --quiet -r requirements-dev.txt
	touch $@
