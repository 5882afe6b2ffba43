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
# 'skerry doctor' says, rightly, that these are not the packages of the lock
doctor=tests/unit/cli/test_doctor.py
exec "$environment/bin/python" -m pytest tests/unit --quick "$@" \
    --deselect "$doctor::test_a_stopped_platform_is_not_broken" \
    --deselect "$doctor::test_the_exit_code_says_whether_something_is_broken"
