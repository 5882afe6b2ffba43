"""Run in the reference environment: read an OLCI product with satpy or CPM into an .npz."""

import sys
import warnings
from pathlib import Path

import numpy as np
import rasterio  # noqa: F401 -- before netCDF4, beside which it crashes when imported later

warnings.simplefilter("ignore")


def read_with_satpy(product: Path) -> dict[str, np.ndarray]:
    """Return radiances, coordinates, angles and weather at every pixel, and flags."""
    from satpy import Scene

    scene = Scene(reader="olci_l1b", filenames=[str(one) for one in product.glob("*.nc")])
    bands = [f"Oa{number:02d}" for number in range(1, 22)]
    scene.load(bands, calibration="radiance")
    others = [
        "latitude", "longitude", "altitude", "quality_flags", "solar_zenith_angle",
        "solar_azimuth_angle", "satellite_zenith_angle", "satellite_azimuth_angle",
        "total_ozone", "sea_level_pressure", "humidity", "total_columnar_water_vapour",
    ]  # fmt: skip
    scene.load(others)
    return {name: np.asarray(scene[name]) for name in bands + others}


def read_with_cpm(product: Path) -> dict[str, np.ndarray]:
    """Return every variable and coordinate, by path."""
    from eopf.store.safe import EOSafeStore

    store = EOSafeStore(str(product))
    store.open()
    found = {}
    for path, variable in _walk(store.load()):
        found[path] = np.asarray(variable.data)
        for coordinate, values in variable.data.coords.items():
            found[f"{path}@{coordinate}"] = np.asarray(values)
    return found


def _walk(node: object, path: str = "") -> list[tuple[str, object]]:
    """Return the variables below a CPM node."""
    found = []
    for name, child in node.items():
        place = f"{path}/{name}".strip("/")
        found += _walk(child, place) if hasattr(child, "items") else [(place, child)]
    return found


if __name__ == "__main__":
    reader, product, out = sys.argv[1:]
    read = {"satpy": read_with_satpy, "cpm": read_with_cpm}[reader]
    np.savez(out, **read(Path(product)))
