"""The notebook of the end-to-end run: it computes a small field and publishes it."""

from typing import Any

from nbformat.v4 import new_code_cell, new_notebook

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
    sources = (_IMPORTS, _PARAMETERS, _PUBLISH.format(output=output))
    cells = [
        new_code_cell(  # type: ignore[no-untyped-call]
            source, id=f"cell-{number}",
            metadata={"tags": ["parameters"]} if source == _PARAMETERS else {},
        )
        for number, source in enumerate(sources)
    ]  # fmt: skip
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    notebook: dict[str, Any] = new_notebook(  # type: ignore[no-untyped-call]
        cells=cells, metadata={"kernelspec": kernel}
    )
    return notebook
