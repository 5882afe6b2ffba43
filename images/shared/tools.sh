#!/bin/sh
# Make /tools from images/tools.lock: uv, which installs, and cyclonedx-py, which lists.
set -eu
. /build/settings.sh

python3.13 -m venv /tools
/tools/bin/pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes -r /build/tools.lock
