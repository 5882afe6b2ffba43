#!/bin/sh
# Make the environment of eopf-geozarr (.geozarr) from its lock; silent and quick when nothing changed.
# The lock, after a change of requirements.in beside it:
#   uv pip compile --python-version 3.13 --generate-hashes --no-emit-index-url --no-header
#     --no-annotate tests/peers/eopf_geozarr/requirements.in -o tests/peers/eopf_geozarr/requirements.lock
set -eu
cd "$(dirname "$0")/../../.."
lock=tests/peers/eopf_geozarr/requirements.lock
stamp=.geozarr/.lock-digest
digest=$(sha256sum "$lock" | cut -d ' ' -f 1)
if [ -x .geozarr/bin/python ] && [ "$(cat "$stamp" 2>/dev/null || true)" = "$digest" ]; then
    exit 0
fi
uv=.venv/bin/uv
if [ ! -x "$uv" ]; then
    echo "There is no $uv. Run 'make setup' first." >&2
    exit 2
fi
echo "Peers: making .geozarr (eopf-geozarr 0.12.0) ..."
"$uv" venv --quiet --clear --python .venv/bin/python .geozarr
VIRTUAL_ENV=.geozarr "$uv" pip sync --quiet --require-hashes --compile-bytecode "$lock"
printf '%s\n' "$digest" >"$stamp"
