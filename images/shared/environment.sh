#!/bin/sh
# Make /opt/skerry from the image's lock.
set -eu
. /build/settings.sh

/tools/bin/uv venv --quiet --python python3.13 /opt/skerry
/tools/bin/uv pip sync --quiet --require-hashes --compile-bytecode --no-build \
    --python /opt/skerry/bin/python /build/requirements.lock
mkdir -p /opt/skerry/share/skerry
cp /build/requirements.lock /opt/skerry/share/skerry/
# the environment of an image is finished: what changes it has no place there
rm -f /opt/skerry/bin/activate* /opt/skerry/bin/pip* /opt/skerry/.lock
