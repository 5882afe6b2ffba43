"""Run in the reference environment: read a Sentinel-1 product with satpy or CPM into an .npz."""

import sys
import warnings
from pathlib import Path

import numpy as np

warnings.simplefilter("ignore")
CALIBRATIONS = {"sigma": "sigma_nought", "beta": "beta_nought", "gamma": "gamma"}


def read_with_satpy(product: Path) -> dict[str, np.ndarray]:
    """Return linear backscatter (noise removed, as satpy always does), latitude and longitude."""
    from satpy import DataQuery, Scene

    files = [str(one) for one in product.rglob("*") if one.is_file()]
    found = {}
    for polarisation in ("vv", "vh"):
        wanted = {
            f"{name}_nought_{polarisation}": {
                "name": "measurement", "calibration": calibration, "quantity": "natural",
            }
            for name, calibration in CALIBRATIONS.items()
        }  # fmt: skip
        wanted |= {f"{name}_{polarisation}": {"name": name} for name in ("latitude", "longitude")}
        for name, query in wanted.items():
            scene = Scene(filenames=files, reader="sar-c_safe")
            asked = DataQuery(polarization=polarisation, **query)
            scene.load([asked])
            found[name] = np.asarray(scene[asked])
    return found


def read_with_cpm(product: Path) -> dict[str, np.ndarray]:
    """Return every variable and coordinate, by path."""
    from eopf.store.safe import EOSafeStore

    store = EOSafeStore(str(product))
    store.open()
    found = {}
    for name, child in store.load().items():
        for path, variable in _walk(child):
            found[f"{name}/{path}"] = np.asarray(variable.data)
            for coordinate, values in variable.data.coords.items():
                found[f"{name}/{path}@{coordinate}"] = np.asarray(values)
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
