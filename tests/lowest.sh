#!/bin/sh
# Run the quick unit tests with the lowest versions that pyproject.toml allows, in build/lowest.
set -eu
cd "$(dirname "$0")/.."
uv=.venv/bin/uv
environment=$PWD/build/lowest
"$uv" pip compile --quiet --resolution lowest-direct --python .venv/bin/python --all-extras --group dev \
    --no-header --no-annotate --no-emit-index-url pyproject.toml -o "$environment.txt"
"$uv" venv --quiet --allow-existing --python .venv/bin/python "$environment"
VIRTUAL_ENV=$environment "$uv" pip sync --quiet "$environment.txt"
VIRTUAL_ENV=$environment "$uv" pip install --quiet --no-deps --no-build-isolation --editable .
exec "$environment/bin/python" -m pytest tests/unit --quick "$@"
