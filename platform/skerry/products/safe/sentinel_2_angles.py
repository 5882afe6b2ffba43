"""Sun and view angles of a Sentinel-2 tile, in its metadata document.

A variable's source is the element that holds it. Grids have nodes every 5 km, starting at the
tile's upper left corner; the view angles of a band and a detector are NaN outside its view.

Source: Sentinel-2 Products Specification Document, S2-PDGS-TAS-DI-PSD, Tile_Angles.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from lxml import etree

from skerry.products.safe.attributes import read_named
from skerry.products.safe.documents import Document, DocumentBuilder
from skerry.products.sensors.records import Group

if TYPE_CHECKING:
    from skerry.products.safe.product import SafeFolder, SafeProduct

BANDS = (
    "b01", "b02", "b03", "b04", "b05", "b06", "b07", "b08", "b8a", "b09", "b10", "b11", "b12",
)  # fmt: skip
"""Bands in the order of ``bandId`` 0 to 12."""
ANGLES = ("zenith", "azimuth")
_PARENT = "Geometric_Info/Tile_Angles"
_DIGITS = 12

Grid = npt.NDArray[np.float64]


def read(product: "SafeProduct", group: Group) -> xr.Dataset:
    """Read sun and view angles, float64, degrees.

    Raises
    ------
    InvalidInputError
        If they are missing or malformed.
    """
    tile = product.documents["tile"]
    with tile.reading("sun or view angles"):
        arrays, coords = _read_arrays(tile)
    left, top = (read_named(product, name, "10") for name in ("left", "top"))
    with tile.reading("the steps of the sun angles"):
        across, down = (
            float(tile.root.find(f".//Sun_Angles_Grid/Zenith/{name}").text)
            for name in ("COL_STEP", "ROW_STEP")
        )
    rows, columns = arrays["sun_angles"].shape[-2:]
    coords["y"] = top - down * np.arange(rows)
    coords["x"] = left + across * np.arange(columns)
    variables = {}
    for name, variable in group.variables.items():
        kind = product.mapping.kind_of(group, variable)
        variables[name] = (kind.dims, arrays[name], dict(kind.attrs))
    return xr.Dataset(variables, coords=coords)


def _read_arrays(tile: Document) -> tuple[dict[str, Grid], dict[str, Any]]:
    sun = _read_pair(tile.root.find(".//Sun_Angles_Grid"))
    views = tile.all("Viewing_Incidence_Angles_Grids")
    detectors = sorted({int(item.get("detectorId")) for item in views})
    view = np.full((len(BANDS), len(detectors), *sun.shape), np.nan)
    for item in views:
        place = int(item.get("bandId")), detectors.index(int(item.get("detectorId")))
        view[place] = _read_pair(item)
    mean_view = np.full((len(BANDS), len(ANGLES)), np.nan)
    for item in tile.all("Mean_Viewing_Incidence_Angle"):
        mean_view[int(item.get("bandId"))] = _read_mean(item)
    arrays = {
        "sun_angles": sun,
        "mean_sun_angles": _read_mean(tile.root.find(".//Mean_Sun_Angle")),
        "viewing_incidence_angles": view,
        "mean_viewing_incidence_angles": mean_view,
    }
    coords = {
        "angle": np.array(ANGLES),
        "band": np.array(BANDS),
        "detector": np.array(detectors, np.int64),
    }
    return arrays, coords


def _read_pair(grid: Any) -> Grid:
    return np.stack(
        [
            np.array(
                [row.text.split() for row in grid.iterfind(f"{name}/Values_List/VALUES")],
                np.float64,
            )
            for name in ("Zenith", "Azimuth")
        ]
    )


def _read_mean(angle: Any) -> Grid:
    return np.array([float(angle.find(f"{name}_ANGLE").text) for name in ("ZENITH", "AZIMUTH")])


def write(folder: "SafeFolder", group: Group, data: xr.Dataset) -> None:
    """Put the angles into the tile's metadata document."""
    del group
    tile = folder.documents["tile"]
    steps = [float(abs(data[axis][1] - data[axis][0])) for axis in ("x", "y")]
    _put_pair(tile.reach(f"{_PARENT}/Sun_Angles_Grid"), data["sun_angles"].to_numpy(), steps)
    _put_mean(tile, f"{_PARENT}/Mean_Sun_Angle", data["mean_sun_angles"].to_numpy())
    view, mean = data["viewing_incidence_angles"], data["mean_viewing_incidence_angles"]
    for band in range(view.sizes["band"]):
        for number, detector in enumerate(view["detector"].to_numpy()):
            grid = view.isel(band=band, detector=number).to_numpy()
            if np.isnan(grid).all():
                continue
            path = f"Viewing_Incidence_Angles_Grids[@bandId='{band}'][@detectorId='{detector}']"
            _put_pair(tile.reach(f"{_PARENT}/{path}"), grid, steps)
        path = f"Mean_Viewing_Incidence_Angle_List/Mean_Viewing_Incidence_Angle[@bandId='{band}']"
        _put_mean(tile, f"{_PARENT}/{path}", mean.isel(band=band).to_numpy())


def _put_pair(parent: Any, pair: Grid, steps: list[float]) -> None:
    for name, grid in zip(("Zenith", "Azimuth"), pair, strict=True):
        element = etree.SubElement(parent, name)
        for axis, step in zip(("COL_STEP", "ROW_STEP"), steps, strict=True):
            etree.SubElement(element, axis, unit="m").text = f"{step:g}"
        values = etree.SubElement(element, "Values_List")
        for row in grid:
            etree.SubElement(values, "VALUES").text = " ".join(_format(item) for item in row)


def _put_mean(tile: DocumentBuilder, path: str, pair: Grid) -> None:
    for name, value in zip(("ZENITH_ANGLE", "AZIMUTH_ANGLE"), pair, strict=True):
        tile.put(f"{path}/{name}", _format(value))
        tile.put(f"{path}/{name}/@unit", "deg")


def _format(value: float) -> str:
    return "NaN" if np.isnan(value) else repr(round(float(value), _DIGITS))
