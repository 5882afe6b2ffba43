#!/bin/sh
# Put Skerry's wheel and the list of all packages into /own, laid out as /opt/skerry: a layer of its
# own, so that a new Skerry on the same packages is a small download.
set -eu
. /build/settings.sh

packages=lib/python3.13/site-packages
/tools/bin/uv pip install --quiet --no-deps --no-index --python /opt/skerry/bin/python --prefix /own /build/wheel/skerry-*.whl
rm -f /own/.lock /own/$packages/skerry-*.dist-info/direct_url.json /own/$packages/skerry-*.dist-info/uv_cache.json
# the record of files must not name what is gone
sed -i '/direct_url\.json/d; /uv_cache\.json/d' /own/$packages/skerry-*.dist-info/RECORD
/opt/skerry/bin/python -m compileall -q -s /own -p /opt/skerry /own/$packages/skerry
mkdir -p /own/share/skerry
PYTHONPATH=/own/$packages /tools/bin/cyclonedx-py environment --output-reproducible --output-format JSON \
    --mc-type application --output-file /own/share/skerry/packages.cdx.json /opt/skerry/bin/python
