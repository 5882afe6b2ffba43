#!/bin/sh
# Install a repository's lock into /own, laid out as /opt/skerry, and list all packages anew.
set -eu
. /build/settings.sh

packages=lib/python3.13/site-packages
mkdir -p /own/$packages /own/share/skerry
if [ -s /build/own.lock ]; then
    /tools/bin/uv pip install --quiet --no-deps --no-build --require-hashes --compile-bytecode \
        --python /opt/skerry/bin/python --prefix /own -r /build/own.lock
fi
rm -f /own/.lock
for file in $(cd /own && find . -type f ! -path './share/skerry/*'); do
    if [ -e "/opt/skerry/$file" ]; then
        echo "$file of your packages would replace the platform's own file." >&2
        exit 1
    fi
done
PYTHONPATH=/own/$packages /tools/bin/cyclonedx-py environment --output-reproducible --output-format JSON \
    --mc-type application --output-file /own/share/skerry/packages.cdx.json /opt/skerry/bin/python
