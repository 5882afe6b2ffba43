"""The notebook of the end-to-end run: it computes a small field and publishes it."""

from typing import Any

_IMPORTS = """\
import numpy as np
import rioxarray
import xarray as xr

import skerry
"""
_PARAMETERS = "size: int = 64"
_PUBLISH = """\
x, y = 500005.0 + 10 * np.arange(size), 5999995.0 - 10 * np.arange(size)
values = np.hypot(*np.meshgrid(np.arange(size), np.arange(size))).astype("float32")
field = xr.DataArray(values, dims=("y", "x"), name="{output}", coords={{"x": x, "y": y}})
skerry.publish(
    field.rio.write_crs("EPSG:32633"),
    output="{output}",
    title="End-to-end run of the platform",
    datetime="2026-01-01T00:00:00Z",
)
"""


def make_notebook(output: str) -> dict[str, Any]:
    """Return the notebook (nbformat 4.5), which publishes one variable as `output`."""
    cells = (_IMPORTS, _PARAMETERS, _PUBLISH.format(output=output))
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}
        },
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {"tags": ["parameters"]} if source == _PARAMETERS else {},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for number, source in enumerate(cells)
        ],
    }
