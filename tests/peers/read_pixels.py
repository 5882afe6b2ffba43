"""Read windows and points with rio-tiler; the arrays go to an .npz. Runs in .peers.

Usage: python read_pixels.py QUESTIONS.json OUT.npz. Each question names itself, a `place` (a COG,
or a GeoZarr with `group` and `variable`), a `crs`, and a `box` (with `shape` for an overview) or
a `point`. Answers are numbers as stored (rio-tiler 9.4 loses a Zarr's mask of windows), of COGs
values, with NaN where rio-tiler masks them.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from rasterio.crs import CRS
from rio_tiler.errors import RioTilerExperimentalWarning
from rio_tiler.io import Reader

warnings.simplefilter("error")
warnings.filterwarnings(
    "ignore", message="This module is experimental", category=RioTilerExperimentalWarning
)
# affine 3 warns of `*`, which rio-tiler still uses.
warnings.filterwarnings(
    "ignore", message="Use `@` matmul instead", category=PendingDeprecationWarning
)


def ask(reader: Any, question: dict[str, Any], **options: Any) -> np.ndarray:
    """Return the first band of a window or point."""
    crs = CRS.from_user_input(question["crs"])
    if "point" in question:
        result = reader.point(*question["point"], coord_crs=crs, **options)
    else:
        height, width = question.get("shape", (None, None))
        result = reader.part(
            question["box"], bounds_crs=crs, dst_crs=crs, height=height, width=width, **options
        )
    numbers = result.array[0].astype(np.float64)
    return np.ma.filled(numbers, np.nan) if options.get("unscale") else np.ma.getdata(numbers)


def answer(question: dict[str, Any]) -> np.ndarray:
    """Open what a question names and ask."""
    from rio_tiler.experimental.zarr import GroupReader

    if question["place"].endswith(".tif"):
        with Reader(question["place"]) as reader:
            return ask(reader, question, unscale=True)
    group = zarr.open_group(question["place"], mode="r")[question["group"]]
    with GroupReader(input=group) as reader:
        return ask(reader, question, variables=question["variable"])


if __name__ == "__main__":
    questions, out = sys.argv[1:]
    listed = json.loads(Path(questions).read_text())
    np.savez(out, **{name: answer(item) for name, item in listed.items()})
