"""What satpy reads of a Sentinel-2 product; answers questions (see answer.py)."""

from pathlib import Path

import numpy as np
from satpy import DataQuery, Scene

READERS = {"MSIL1C": "msi_safe", "MSIL2A": "msi_safe_l2a"}
VALUES = {"reflectance", "aerosol_thickness", "water_vapor"}


def read(path: str) -> dict[str, np.ndarray]:
    """Return all that satpy offers at all resolutions, as ``name@metres``.

    Bands as reflectance in percent; the edges of each grid (west, south, east, north) and its EPSG
    code as ``extent@metres`` and ``system@metres``.
    """
    files = [str(item) for item in Path(path).rglob("*") if item.is_file()]
    reader = READERS[Path(path).name.split("_")[1]]
    actual = {}
    offered = Scene(reader=reader, filenames=files).available_dataset_ids()
    for resolution in sorted({item["resolution"] for item in offered}):
        scene = Scene(reader=reader, filenames=files)
        expected = {
            f"{item['name']}@{resolution}": _ask(item, resolution)
            for item in offered
            if item["resolution"] == resolution and _is_wanted(item)
        }
        scene.load(list(expected.values()))
        for key, query in expected.items():
            actual[key] = np.asarray(scene[query])
        area = scene[query].attrs["area"]
        actual[f"extent@{resolution}"] = np.array(area.area_extent)
        actual[f"system@{resolution}"] = np.array(area.crs.to_epsg())
    return actual


def _calibration_of(offered: object) -> str | None:
    calibration = offered.get("calibration")
    return calibration.name if calibration is not None else None


def _is_wanted(offered: object) -> bool:
    return offered["name"] == "SCL" or _calibration_of(offered) in {*VALUES, None}


def _ask(offered: object, resolution: int) -> DataQuery:
    calibration = _calibration_of(offered)
    more = {} if calibration is None else {"calibration": calibration}
    return DataQuery(name=offered["name"], resolution=resolution, **more)
