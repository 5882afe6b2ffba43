#!/bin/sh
# Make the reference environment (.reference) from its lock; silent and quick when nothing changed.
# eopf 2.8.1 needs zarr 2, and Python 3.11: so it has an environment of its own.
# The lock, after a change of requirements.in beside it:
#   uv pip compile --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
#     --no-annotate tests/reference/requirements.in -o tests/reference/requirements.lock
set -eu
cd "$(dirname "$0")/../.."
lock=tests/reference/requirements.lock
stamp=.reference/.lock-digest
digest=$(sha256sum "$lock" | cut -d ' ' -f 1)
if [ -x .reference/bin/python ] && [ "$(cat "$stamp" 2>/dev/null || true)" = "$digest" ]; then
    exit 0
fi
uv=.venv/bin/uv
if [ ! -x "$uv" ]; then
    echo "There is no $uv. Run 'make setup' first." >&2
    exit 2
fi
if ! "$uv" python find --no-project 3.11 >/dev/null 2>&1; then
    echo "There is no Python 3.11, which eopf 2.8.1 needs. Install Python 3.11 first." >&2
    exit 2
fi
echo "Peers: making .reference (eopf 2.8.1, satpy; Python 3.11) ..."
"$uv" venv --quiet --clear --no-project --python 3.11 .reference
VIRTUAL_ENV=.reference "$uv" pip sync --quiet --require-hashes --compile-bytecode "$lock"
printf '%s\n' "$digest" >"$stamp"
