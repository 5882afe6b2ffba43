"""Print the mean and the number of missing values of a product's measurements as CPM reads them.

Usage: python read_values.py PRODUCT.zarr
"""

import json
import sys
from typing import Any

import numpy as np
from eopf.product import EOGroup
from eopf.store.zarr import EOZarrStore


def list_variables(group: Any) -> Any:
    for _, one in group.variables:
        yield one
    for _, inner in group.groups:
        yield from list_variables(inner)


store = EOZarrStore(sys.argv[1], mask_and_scale=True)
product = store.load()
group = product["measurements"]
assert isinstance(group, EOGroup)
found = {}
for variable in list_variables(group):
    values = np.asarray(variable.data.values)
    if values.dtype.kind not in "iuf":
        continue
    values = values.astype(np.float64)
    missing = int(np.isnan(values).sum())
    mean = float(np.nanmean(values)) if missing < values.size else None
    found[variable.path] = [mean, missing]
print(json.dumps(found))
