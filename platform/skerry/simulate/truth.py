"""The truth file of a simulated product: the fields of its scene, as CF NetCDF."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from skerry.simulate.scene import Mask, Scene, SceneFields
from skerry.storage.writing import make_aside

VARIABLES: dict[str, tuple[str, str]] = {
    "turbidity": ("FNU", "turbidity of the water"),
    "chlorophyll": ("mg m-3", "chlorophyll-a in the water"),
    "tsm": ("g m-3", "total suspended matter in the water"),
    "cdom": ("m-1", "absorption of coloured dissolved organic matter at 443 nm"),
    "surface_temperature": ("K", "skin temperature of water, ice or land"),
    "vegetation": ("1", "fraction of green vegetation on land"),
    "cloud_optical_thickness": ("1", "optical thickness of opaque cloud at 550 nm"),
    "cirrus_optical_thickness": ("1", "optical thickness of thin cirrus at 550 nm"),
    "wind_speed": ("m s-1", "wind speed at 10 m"),
    "altitude": ("m", "altitude of the ground"),
}
MASKS = {
    "water": "water that nothing hides and the sensor saw",
    "any_water": "sea or lake, hidden or not",
    "lake": "lake",
    "ice": "ice on water",
    "cloud": "opaque cloud",
    "cirrus": "thin cirrus",
    "shadow": "shadow of an opaque cloud",
}


def place_truth(product: Path) -> AbstractContextManager[Path]:
    """Give a path for the truth of a product that is written in the block.

    The truth file appears next to the product, just after it. It replaces a truth file without
    product. If another writer makes the product meanwhile, the truth file does not appear: truth
    and product always describe the same scene.
    """
    name = product.name.removesuffix(product.suffix)
    return make_aside(product.with_name(f"{name}.truth.nc"), replace=True, parents=True)


def write_truth(
    path: Path,
    fields: SceneFields,
    frame: xr.Dataset,
    dims: tuple[str, str],
    *,
    gap: Mask,
    scene: Scene,
) -> None:
    """Write the fields of a scene.

    Parameters
    ----------
    path
        The file, as `place_truth` gives it.
    fields
        The fields of the scene.
    frame
        Coordinates of the grid.
    dims
        Names of its two dimensions.
    gap
        Mask of pixels that the sensor did not see.
    scene
        For the attributes: seed and day make the scene again.
    """
    hidden = fields.cloud | fields.cirrus | fields.shadow | fields.ice | gap
    masks = {
        "water": fields.water & ~hidden, "any_water": fields.water, "lake": fields.lake,
        "ice": fields.ice, "cloud": fields.cloud, "cirrus": fields.cirrus, "shadow": fields.shadow,
    }  # fmt: skip
    data = frame.copy()
    for name, (units, long_name) in VARIABLES.items():
        data[name] = (dims, getattr(fields, name), {"units": units, "long_name": long_name})
    for name, long_name in MASKS.items():
        attrs: dict[str, Any] = {
            "long_name": long_name,
            "flag_values": np.array([0, 1], np.int8),
            "flag_meanings": "no yes",
        }
        data[name] = (dims, masks[name].astype(np.int8), attrs)
    for variable in data.data_vars.values():
        variable.encoding = {"zlib": True, "complevel": 1}
        if "spatial_ref" in data.coords:
            variable.encoding["grid_mapping"] = "spatial_ref"
    data.attrs = {
        "Conventions": "CF-1.11",
        "title": f"SIMULATED truth of {path.name.removesuffix('.truth.nc')}",
        "comment": "Simulated, not measured.",
        "simulated": "true",
        "seed": scene.seed,
        "day": scene.day.isoformat(),
        "side_km": scene.side_km,
    }
    data.to_netcdf(path, engine="h5netcdf")
