"""Run in the reference environment: read an SLSTR product with satpy or CPM into an .npz."""

import sys
import warnings
from pathlib import Path

import numpy as np
import rasterio  # noqa: F401 -- before netCDF4, beside which it crashes when imported later

warnings.simplefilter("ignore")

SOLAR = [f"S{number}" for number in range(1, 7)]
THERMAL = ["S7", "S8", "S9", "F1", "F2"]
ANGLES = [
    "solar_zenith_angle", "solar_azimuth_angle", "satellite_zenith_angle",
    "satellite_azimuth_angle",
]  # fmt: skip


def read_with_satpy(product: Path) -> dict[str, np.ndarray]:
    """Return what satpy gives for both views and all grids, as ``name@view@stripe``."""
    # Factors by which satpy corrects real radiances are set to 1; files of other kinds refuse them.
    factors = {f"{name}_{view}": 1.0 for name in SOLAR for view in ("nadir", "oblique")}
    solar = {"reader_kwargs": {"user_calibration": factors}}
    found = _load(product, "S?_radiance_??.nc", "ab", _solar_channels, solar)
    found |= _load(product, "*.nc", "abif", _other_names, {})
    return found | _load_angles(product)


def _load_angles(product: Path) -> dict[str, np.ndarray]:
    """Return angles on the 1 km grid, as ``name@view``."""
    from satpy import DataQuery, Scene

    scene = Scene(reader="slstr_l1b", filenames=[str(one) for one in product.glob("*.nc")])
    wanted = {
        f"{name}@{view}": DataQuery(name=name, view=view, resolution=1000)
        for name in ANGLES
        for view in ("nadir", "oblique")
    }
    scene.load(list(wanted.values()))
    return {key: np.asarray(scene[query]) for key, query in wanted.items()}


def _load(product, pattern, stripes, list_names, options) -> dict[str, np.ndarray]:
    from satpy import DataQuery, Scene

    files = [str(one) for one in product.glob(pattern)]
    scene = Scene(reader="slstr_l1b", filenames=files, **options)
    wanted = {
        f"{name}@{view}@{stripe}": DataQuery(name=name, view=view, stripe=stripe, **more)
        for view in ("nadir", "oblique")
        for stripe in stripes
        for name, more in list_names(stripe)
    }
    scene.load(list(wanted.values()))
    return {key: np.asarray(scene[query]) for key, query in wanted.items()}


def _solar_channels(stripe: str) -> list[tuple[str, dict[str, str]]]:
    names = SOLAR if stripe == "a" else SOLAR[3:]
    return [(name, {"calibration": "radiance"}) for name in names]


def _other_names(stripe: str) -> list[tuple[str, dict[str, object]]]:
    """Return thermal channels, flags and places of one stripe's grid."""
    thermal = {"i": [*THERMAL[:3], "F2"], "f": ["F1"]}.get(stripe, [])
    channels = [(name, {"calibration": "brightness_temperature"}) for name in thermal]
    resolution = {"resolution": 500 if stripe in "ab" else 1000}
    plain = ["latitude", "longitude", "elevation", "cloud", "confidence", "pointing"]
    return channels + [(name, resolution) for name in plain]


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
