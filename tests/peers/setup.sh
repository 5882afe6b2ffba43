#!/bin/sh
# Make the peers' environment (.peers) from its lock; silent and quick when nothing changed.
set -eu
cd "$(dirname "$0")/../.."
lock=tests/peers/requirements.lock
stamp=.peers/.lock-digest
digest=$(sha256sum "$lock" | cut -d ' ' -f 1)
if [ -x .peers/bin/python ] && [ "$(cat "$stamp" 2>/dev/null || true)" = "$digest" ]; then
    exit 0
fi
uv=.venv/bin/uv
if [ ! -x "$uv" ]; then
    echo "There is no $uv. Run 'make setup' first." >&2
    exit 2
fi
echo "Peers: making .peers (titiler-xarray, xpublish-tiles, rio-tiler, odc-stac) ..."
"$uv" venv --quiet --clear --python .venv/bin/python .peers
VIRTUAL_ENV=.peers "$uv" pip sync --quiet --require-hashes --compile-bytecode "$lock"
printf '%s\n' "$digest" >"$stamp"
