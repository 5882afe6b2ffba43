"""The tree of a simulated SLSTR product: every variable of the mapping gets values.

Values that depend on the scene are given. The others (scan counts, orphans, housekeeping of the
instrument) are made up here with plausible sizes, from the mapping's entry of the variable.
"""

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.products.sensors.records import Group, Kind, Mapping
from skerry.simulate.slstr import solar_channels, thermal
from skerry.simulate.slstr.grids import Swath
from skerry.simulate.sun import sun_distance_factor

Values = dict[tuple[str, str], npt.NDArray[Any]]
"""(Group path, variable) to values."""

ORPHANS = 1 / 8
"""Places for orphans over columns; as many as in real products."""
FILLED_ORPHANS = 3
"""One place in this many is filled."""
SIZES = {
    "integrators": 2, "views": 2, "visible_detectors": 4, "swir_detectors": 8, "t_series": 5,
    "p_atmos": 25,
}  # fmt: skip
UNCERTAINTIES = {"s1": 300, "s3": 300, "s7": 161, "s8": 301, "s9": 301, "f1": 251, "f2": 301}
"""Levels at which quality files state uncertainty, 250 for the others."""
GRIDS = {
    "anadir": "an", "aoblique": "ao", "bnadir": "bn", "boblique": "bo",
    "inadir": "in", "ioblique": "io", "fnadir": "fn", "foblique": "fo",
}  # fmt: skip
_HOUSEKEEPING = {
    "cal_gain": 1e-3, "cal_offset": 0.1, "dl_bb": 0.01, "dl_viscal": 0.02, "fee_offset": 0.5,
    "fee_oversampling_factor": 1.0, "l_bb": 0.0, "dt_bb1": 0.02, "dt_bb2": 0.02, "t_bb1": 262.0,
    "t_bb2": 302.0,
}  # fmt: skip
_VISCAL = {"bb1_means": 1200.0, "bb1_sd": 2.0, "slopes": 0.05, "viscal_means": 9000.0,
           "viscal_sd": 6.0}  # fmt: skip


def build_tree(mapping: Mapping, values: Values, swath: Swath) -> xr.DataTree:
    """Return the tree of all variables of the mapping.

    Parameters
    ----------
    mapping
        The product's type.
    values
        Measured values and annotations; other variables are made up.
    swath
        Positions of the grids.
    """
    datasets: dict[str, xr.Dataset] = {}
    for group in mapping.groups:
        data = datasets.setdefault(group.path, xr.Dataset())
        for name, variable in group.variables.items():
            kind = mapping.kind_of(group, variable)
            numbers = values.get((group.path, name))
            if numbers is None:
                numbers = _make_up(group, name, kind, values, swath)
            array = xr.Variable(kind.dims, numbers)
            data[name] = array
            if variable.coordinate:
                data = datasets[group.path] = data.set_coords(name)
    return xr.DataTree.from_dict(datasets)


def _make_up(group: Group, name: str, kind: Kind, values: Values, swath: Swath) -> npt.NDArray[Any]:
    parts = group.path.split("/")
    if parts[-1] == "orphan":
        return _pick_orphans(group.path, name, kind, values, swath)
    if parts[1] == "processing":
        return _index(name, swath, GRIDS[parts[2]])
    if parts[1] == "viscal":
        return _fill_viscal(name, kind, swath)
    if parts[1] == "instrument":
        return _keep_house(name, kind, swath, parts[3], GRIDS[parts[2]])
    raise KeyError(f"{group.path}/{name} has no rule for its simulation")


def _index(name: str, swath: Swath, grid: str) -> npt.NDArray[np.float32]:
    """Return scan, pixel along the scan, or detector of each pixel."""
    rows, columns = np.mgrid[tuple(slice(0, item) for item in swath.shape(grid))]
    detectors = 4 if grid[0] in "ab" else 2
    numbers: dict[str, npt.NDArray[np.int64]] = {
        "scan": rows // detectors,
        "pixel": columns + 1122,
        "detector": rows % detectors,
    }
    return np.asarray(numbers[name], np.float32)


def _pick_orphans(
    path: str, name: str, kind: Kind, values: Values, swath: Swath
) -> npt.NDArray[Any]:
    """Return orphan pixels, which have no place in the image: here copies of the image's pixels."""
    owner = path.removesuffix("/orphan")
    grid = GRIDS[owner.rpartition("/")[2]]
    if owner.startswith("conditions"):
        image: npt.NDArray[Any] = _index(name, swath, grid)
    else:
        spellings = (name, f"{name}_{grid}", name.removesuffix(f"_{grid}"))
        image = next(
            values[owner, spelling] for spelling in spellings if (owner, spelling) in values
        )
    places = np.arange(max(2, round(image.shape[1] * ORPHANS)))
    columns = np.minimum(places * int(1 / ORPHANS) + 4, image.shape[1] - 1)
    pixels = image[:, columns]
    empty = places % FILLED_ORPHANS != 0
    if kind.attrs.get("flag_masks") is None:
        return np.where(empty, np.nan, pixels)
    unfilled = {"exception": 128, "confidence": 32}
    flag = next((bit for what, bit in unfilled.items() if what in name), 0)
    return np.where(empty, flag, pixels).astype(image.dtype)


def _fill_viscal(name: str, kind: Kind, swath: Swath) -> npt.NDArray[np.float32]:
    channel, _, what = name.partition("_")
    size = tuple(SIZES[dim] for dim in kind.dims)
    level = _irradiance(channel, swath) if what == "solar_irradiances" else _VISCAL[what]
    return np.full(size, level, np.float32)


def _irradiance(channel: str, swath: Swath) -> float:
    return solar_channels.CHANNELS[channel].irradiance * sun_distance_factor(swath.moment)


def _keep_house(
    name: str, kind: Kind, swath: Swath, channel: str, grid: str
) -> npt.NDArray[np.float64]:
    """Return a quality annotation of one channel: constant, or a ramp of levels."""
    what = re.sub(rf"^{channel}_|_{grid}$", "", name)
    solar = channel in solar_channels.CHANNELS
    sizes = SIZES | {
        "rows": swath.shape(grid)[0],
        "detectors": 4 if solar else 2,
        "uncertainties": UNCERTAINTIES.get(channel, 250),
    }
    size = tuple(sizes[dim] for dim in kind.dims)
    if kind.dims[-1] == "uncertainties":
        top = _irradiance(channel, swath) / np.pi if solar else 150.0
        ramp = np.linspace(0, top, size[-1]) + (0 if solar else 180)
        error = 0.02 * ramp if solar else 0.05 + 1e-5 * (ramp - 270) ** 2
        return np.broadcast_to(ramp if what.startswith("scene") else error, size).copy()
    return np.full(size, _choose_level(what, channel, kind, swath), np.float64)


def _choose_level(what: str, channel: str, kind: Kind, swath: Swath) -> float:
    if channel in solar_channels.CHANNELS:
        optics = solar_channels.CHANNELS[channel]
        nanometres = {
            "band_centre": optics.optics.wavelength_nm,
            "bandwidth": optics.bandwidth_nm,
        }
        if what == "solar_irradiance":
            return _irradiance(channel, swath)
        if what == "l_viscal":
            return _irradiance(channel, swath) * 0.15 / np.pi
    else:
        infrared = thermal.CHANNELS[channel]
        nanometres = {
            "band_centre": infrared.wavelength_um * 1e3, "bandwidth": infrared.bandwidth_um * 1e3
        }  # fmt: skip
    if what in nanometres:
        return nanometres[what] * 1e-9
    if what in _HOUSEKEEPING:
        return _HOUSEKEEPING[what]
    return float(0.5 * kind.attrs["valid_min"] + 0.5 * kind.attrs["valid_max"])
