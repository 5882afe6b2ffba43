#!/usr/bin/env bash
# Prints the path of a uv that runs. Where there is none, installs the pinned one into build/uv.
# A program counts when it answers: a shim of pyenv or asdf stands on PATH and may fail when started.
set -euo pipefail
cd "$(dirname "$0")/.."

runs() { "$1" --version >/dev/null 2>&1; }

# first_that_runs NAME: its path; every program of that name on PATH is tried.
first_that_runs() {
    local path
    while IFS= read -r path; do
        if runs "$path"; then echo "$path"; return; fi
    done < <(type -ap "$1")
    return 1
}

# The environment is made anew with it: use a copy.
if runs .venv/bin/uv; then
    mkdir -p build/uv/bin && cp .venv/bin/uv build/uv/bin/uv
    echo "$PWD/build/uv/bin/uv"
    exit
fi
if first_that_runs uv; then exit; fi
if runs build/uv/bin/uv; then echo "$PWD/build/uv/bin/uv"; exit; fi

# The lock pins uv itself, with hashes: take its lines and let pip check them.
printf '\033[1mSetting up: uv (build/uv)\033[0m\n' >&2
mkdir -p build
awk '/^uv==/ {on=1} on {print} on && !/\\$/ {exit}' requirements.lock > build/uv.lock
if python=$(first_that_runs python3) \
    && "$python" -m venv --clear build/uv >&2 \
    && build/uv/bin/pip install -q --require-hashes -r build/uv.lock >&2; then
    echo "$PWD/build/uv/bin/uv"
    exit
fi
echo "No uv was found that runs, and no Python 3 that runs and has venv and pip." >&2
echo "Install uv (https://docs.astral.sh/uv) or your system's python3-venv, then run make again." >&2
exit 1
