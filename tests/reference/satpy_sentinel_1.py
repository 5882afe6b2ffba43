"""What satpy reads of a Sentinel-1 product; answers questions (see answer.py)."""

from pathlib import Path

import numpy as np
from satpy import DataQuery, Scene

CALIBRATIONS = {"sigma": "sigma_nought", "beta": "beta_nought", "gamma": "gamma"}


def read(path: str) -> dict[str, np.ndarray]:
    """Return linear backscatter (noise removed, as satpy always does), latitude and longitude."""
    files = [str(item) for item in Path(path).rglob("*") if item.is_file()]
    actual = {}
    for polarisation in ("vv", "vh"):
        expected = {
            f"{name}_nought_{polarisation}": {
                "name": "measurement", "calibration": calibration, "quantity": "natural",
            }
            for name, calibration in CALIBRATIONS.items()
        }  # fmt: skip
        expected |= {f"{name}_{polarisation}": {"name": name} for name in ("latitude", "longitude")}
        for name, query in expected.items():
            scene = Scene(filenames=files, reader="sar-c_safe")
            data_query = DataQuery(polarization=polarisation, **query)
            scene.load([data_query])
            actual[name] = np.asarray(scene[data_query])
    return actual
