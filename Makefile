# `make demo` and `make test` set up everything they need first: packages, LibTorch, the native build. Both are safe to
# repeat and quick the second time.
#
#   make demo [TEXT=folder]   train a small model from text and say what happened
#   make test                 pass every test
#   make setup                only the first half of both
#   make lint                 style and types
#   make bench                measure, against PyTorch where a Python with torch is present
#   make clean                remove what was built here; LibTorch stays in the user's cache

SOURCES := $(shell find src -name '*.ts' ! -name '*.test.ts')
PACKAGES := node_modules/.package-lock.json

# npm wants a place for its cache also where the user has no home, as service accounts.
ifneq ($(shell test -w "$$HOME" && echo yes),yes)
export npm_config_cache := $(CURDIR)/build/npm
endif

export npm_config_update_notifier := false

.PHONY: setup demo test lint bench clean

setup: dist/.built
	@node dist/cli/main.js setup

demo: setup
	@node dist/cli/main.js demo $(if $(TEXT),"$(TEXT)")

test: setup
	@npm run --silent test

lint: $(PACKAGES)
	@npm run --silent lint
	@npm run --silent typecheck

bench: setup
	@npm run --silent bench

clean:
	rm -rf dist build

NODE_IS_FINE := const [a, b] = process.versions.node.split('.').map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)
NODE_IS_MISSING := error: Node.js: expected 20.19 or later with npm in PATH, got an older one or none. See nodejs.org

# Every tool that runs here comes from these packages as it is: no install script is run.
$(PACKAGES): package-lock.json
	@npm --version >/dev/null 2>&1 && node -e "$(NODE_IS_FINE)" || { echo "$(NODE_IS_MISSING)" >&2; exit 1; }
	npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

dist/.built: $(SOURCES) tsconfig.json tsconfig.build.json $(PACKAGES)
	npm run --silent build
	@touch $@
