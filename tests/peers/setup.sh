#!/bin/sh
# Usage: setup.sh ENVIRONMENT FOLDER PYTHON WHAT
# Make an environment of peers from FOLDER's lock; silent and quick when nothing changed.
# eopf 2.8.1 needs zarr 2 and Python 3.11, eopf-geozarr an older xarray: each has its own.
# The locks of these two, after a change of requirements.in beside them:
#   uv pip compile --python-version PYTHON --generate-hashes --no-emit-index-url --no-header
#     --no-annotate FOLDER/requirements.in -o FOLDER/requirements.lock
set -eu
cd "$(dirname "$0")/../.."
environment=$1
lock=$2/requirements.lock
python=$3
what=$4
stamp=$environment/.lock-digest
digest=$(sha256sum "$lock" | cut -d ' ' -f 1)
if [ -x "$environment/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null || true)" = "$digest" ]; then
    exit 0
fi
uv=.venv/bin/uv
if [ ! -x "$uv" ]; then
    echo "There is no $uv. Run 'make setup' first." >&2
    exit 2
fi
if ! "$uv" python find --no-project "$python" >/dev/null 2>&1; then
    echo "There is no Python $python, which $what needs. Install it first." >&2
    exit 2
fi
echo "Peers: making $environment ($what) ..."
"$uv" venv --quiet --clear --no-project --python "$python" "$environment"
VIRTUAL_ENV=$environment "$uv" pip sync --quiet --require-hashes --compile-bytecode "$lock"
printf '%s\n' "$digest" >"$stamp"
