# memweb: `make run` and `make test` do all set-up themselves. `make` alone lists the commands.
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --require-hashes

.PHONY: help run test check audit test-local-model bench-smoke screenshots messages lock clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 26

run: $(VENV)/.installed ## start memweb and print the address to open
	@exec $(BIN)/python -m memweb up

test: check ## everything that is checked: `make check`, then the tests
	$(BIN)/python -m pytest -n 2 --durations=25 --cov --cov-report=term -m "not local_model"

check: $(VENV)/.dev-installed ## format, lint, types, import floors, migrations, templates
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/djlint memweb/templates --lint --quiet

audit: $(VENV)/.dev-installed ## ask pip-audit whether a pinned package has a known fault
	$(BIN)/python -m tests.audit

test-local-model: $(VENV)/.dev-installed ## the tests that need the local model's weights (1.1 GB)
	$(BIN)/python -m pytest -m local_model

bench-smoke: $(VENV)/.dev-installed ## what one message takes, in counts: statements, compiled prompts, TLS contexts
	$(BIN)/python benchmarks/smoke.py

screenshots: $(VENV)/.dev-installed ## take the pictures of README anew
	$(BIN)/python -m tests.screenshots

messages: $(VENV)/.dev-installed ## bring the translation catalogues up to date with the sources, and compile them
	DJANGO_SETTINGS_MODULE=memweb.settings $(BIN)/python -m tests.messages

lock: $(VENV)/.dev-installed ## pin what pyproject.toml asks for
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --python-version 3.11 \
		--no-header --no-annotate -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --generate-hashes --python-version 3.11 \
		--no-header --no-annotate -c requirements.lock -o requirements-dev.lock

clean: ## remove the virtualenv and caches; your data stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache staticfiles

# A changed lock makes a new virtualenv, so nothing that was dropped from it lingers.
$(VENV)/.installed: requirements.lock
	@python=$$(for name in python3 python3.13 python3.12 python3.11 python3.14 python; do \
		if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$name; break; fi; \
	done); \
	if [ -z "$$python" ]; then \
		echo "memweb needs Python 3.11 or newer, and none was found here. Install it, then run make again."; exit 1; \
	fi; \
	echo "Making the virtualenv in $(VENV) with $$($$python --version)..."; \
	$$python -m venv --clear $(VENV) || { \
		echo "Python could not make a virtualenv. On Debian or Ubuntu: install the package python3-venv."; exit 1; }
	@echo "Installing packages, a few minutes the first time..."
	@$(PIP) -r requirements.lock || { \
		echo "The packages could not be installed, see the lines above. Without a network this cannot work."; exit 1; }
	@touch $@

$(VENV)/.dev-installed: requirements-dev.lock $(VENV)/.installed
	@echo "Installing the packages for tests and checks..."
	@$(PIP) -r requirements-dev.lock
	@touch $@
