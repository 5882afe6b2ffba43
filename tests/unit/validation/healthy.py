"""Small products made by hand, in which no check finds anything; tests damage copies of them."""

import copy
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from pyproj import CRS

LEFT, TOP, EDGE = 399_960.0, 6_000_000.0, 1200.0
"""The box of the scene in EPSG:32633, in metres."""


@dataclass
class Described:
    """A product as attributes and arrays, before it is written."""

    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    arrays: dict[str, tuple[Any, tuple[str, ...] | None, dict[str, Any]]] = field(
        default_factory=dict
    )

    def attrs(self, path: str) -> dict[str, Any]:
        return self.arrays[path][2]

    def put(self, path: str, data: Any, dims: tuple[str, ...] | None, **attrs: Any) -> None:
        self.arrays[path] = (np.asarray(data), dims, attrs)

    def write(self, place: Path, *, zarr_format: Any = 3, consolidate: bool = True) -> Path:
        root = zarr.create_group(place, zarr_format=zarr_format)
        for path, attrs in self.groups.items():
            (root.require_group(path) if path else root).attrs.update(attrs)
        for path, (data, dims, attrs) in self.arrays.items():
            names: dict[str, Any] = {"dimension_names": dims} if zarr_format == 3 else {}
            extra = {} if zarr_format == 3 or dims is None else {"_ARRAY_DIMENSIONS": list(dims)}
            array = root.create_array(
                path, shape=data.shape, dtype=data.dtype, chunks=data.shape or (), fill_value=0,
                attributes=attrs | extra, **names,
            )  # fmt: skip
            array[...] = data
        if consolidate:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Consolidated metadata", UserWarning)
                zarr.consolidate_metadata(place)
        return place


def describe_item() -> dict[str, Any]:
    """A STAC item of the box, in the north of Germany."""
    from pyproj import Transformer

    turn = Transformer.from_crs("EPSG:32633", "EPSG:4326", always_xy=True)
    x = [LEFT, LEFT + EDGE, LEFT + EDGE, LEFT, LEFT]
    y = [TOP - EDGE, TOP - EDGE, TOP, TOP, TOP - EDGE]
    ring = [[float(item), float(other)] for item, other in zip(*turn.transform(x, y), strict=True)]
    longitudes, latitudes = zip(*ring, strict=True)
    prefix = "https://stac-extensions.github.io"
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [
            f"{prefix}/{name}/schema.json"
            for name in ("eo/v1.1.0", "projection/v2.0.0", "product/v0.1.0")
        ],
        "id": "S2A_TEST",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [min(longitudes), min(latitudes), max(longitudes), max(latitudes)],
        "properties": {
            "datetime": "2026-05-01T10:30:00Z",
            "start_datetime": "2026-05-01T10:29:00Z",
            "end_datetime": "2026-05-01T10:31:00Z",
            # A type whose complete products nothing describes: none of its parts is missing.
            "product:type": "S02MSIL1B",
            "proj:code": "EPSG:32633",
            "eo:cloud_cover": 12.5,
        },
        "links": [],
        "assets": {},
    }


def _add_raster(product: Described, group: str, step: float) -> None:
    size = int(EDGE / step)
    centres = (np.arange(size) + 0.5) * step
    placed = {
        "proj:code": "EPSG:32633",
        "proj:bbox": [LEFT, TOP - EDGE, LEFT + EDGE, TOP],
        "proj:transform": [step, 0.0, LEFT, 0.0, -step, TOP],
        "proj:shape": [size, size],
    }
    product.put(f"{group}/x", LEFT + centres, ("x",), units="m")
    product.put(f"{group}/y", TOP - centres, ("y",), units="m")
    product.put(f"{group}/spatial_ref", np.int32(0), (), **CRS.from_epsg(32633).to_cf())
    numbers = np.arange(size * size, dtype=np.uint16).reshape(size, size) + 1000
    product.put(
        f"{group}/b02", numbers, ("y", "x"),
        scale_factor=0.0001, add_offset=-0.1, _FillValue=0, valid_min=1, valid_max=65535,
        units="1", standard_name="surface_bidirectional_reflectance",
        grid_mapping="spatial_ref", **placed,
    )  # fmt: skip


def describe_eopf() -> Described:
    """An EOPF product with everything that a check looks at."""
    product = Described()
    product.groups[""] = {
        "title": "made by hand",
        "stac_discovery": describe_item(),
        "other_metadata": {"eopf_category": "eoproduct"},
    }
    for resolution in (10, 20):
        _add_raster(product, f"measurements/reflectance/r{resolution}m", float(resolution))
    product.put(
        "quality/flags", np.zeros((4, 5), np.uint8), ("rows", "columns"),
        flag_masks=[1, 2], flag_meanings="cloud ice", coordinates="latitude longitude",
    )  # fmt: skip
    for name, units, start in (
        ("latitude", "degrees_north", 54.0),
        ("longitude", "degrees_east", 13.4),
    ):
        product.put(
            f"quality/{name}", np.linspace(start, start + 0.1, 20).reshape(4, 5),
            ("rows", "columns"), standard_name=name, units=units,
        )  # fmt: skip
    product.put(
        "conditions/time", np.arange(1, 5), ("time",), units="seconds since 2026-05-01T10:29:00"
    )
    return copy.deepcopy(product)


def describe_geozarr() -> Described:
    """A group with two levels, as the multiscales convention has it."""
    from skerry.products.coding.zarr_conventions import MULTISCALES

    product = Described()
    for number, step in enumerate((10.0, 20.0)):
        _add_raster(product, f"scene/{number}", step)
    product.groups[""] = {"title": "made by hand"}
    product.groups["scene"] = {
        "zarr_conventions": [{"uuid": MULTISCALES["uuid"], "name": "multiscales"}],
        "multiscales": {
            "layout": [
                {"asset": "0", "transform": {"scale": [1.0, 1.0]}},
                {"asset": "1", "derived_from": "0", "transform": {"scale": [2.0, 2.0]}},
            ]
        },
    }
    return copy.deepcopy(product)


def describe_cpm() -> Described:
    """A Sentinel-2 L1C of the profile cpm-2.8: one number for each dimension of each variable."""
    from skerry.products.healing.profiles import find_model

    item = describe_item()
    item["properties"]["product:type"] = "S02MSIL1C"
    item["stac_extensions"] += [
        f"https://stac-extensions.github.io/{entry}/schema.json"
        for entry in (
            "sat/v1.0.0",
            "view/v1.0.0",
            "scientific/v1.0.0",
            "processing/v1.2.0",
            "eopf/v1",
        )
    ]
    root: dict[str, Any] = {
        "stac_discovery": item,
        "other_metadata": {"eopf_category": "eoproduct"},
    }
    model = find_model(root)
    assert model is not None
    for path in model.attributes:
        place: Any = root
        *parents, last = [part.replace("~1", "/") for part in path.split("/")]
        for step in parents:
            place = place.setdefault(step, {})
        place.setdefault(last, 0.0 if last == "eo:snow_cover" else "unknown")
    product = Described(groups={"": root})
    for group, variables in model.groups.items():
        for name, index in variables.items():
            dims = model.kinds[index].dims
            product.put(f"{group}/{name}", np.zeros([1] * len(dims)), dims, units="1")
    return product
