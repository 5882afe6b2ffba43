"""Simulated Sentinel-2 products as EOPF Zarr of 2025 beside the metadata of real ones.

Both are opened as canonical trees. Every difference has a name here: a real product of which ours
lacks something else, or has it otherwise, fails.
"""

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from skerry.products import open_product, write_product
from skerry.products.metadata import open_metadata
from skerry.simulate import simulate_product

pytestmark = pytest.mark.real_data

KINDS = {"s2-l1c": "S2B_MSIL1C_*", "s2-l2a": "S2A_MSIL2A_*"}
BAND_NUMBERS = "GDAL's numbers of the picture's bands, 1, 2, 3"
ONLY_REAL = {
    "s2-l1c": {"quality/l1c_quicklook/r10m/band": BAND_NUMBERS},
    "s2-l2a": {
        **{f"quality/l2a_quicklook/r{item}m/band": BAND_NUMBERS for item in (10, 20, 60)},
        "quality/probability/r20m/band": BAND_NUMBERS,
    },
}
PROBABILITY_60 = "quality/probability/r60m"
"""The real product left out what SAFE has of it; so does our profile `cpm-2.8`."""

WORDS = "our words: the real ones do not name the band, or are upper case"
DIFFERENT = {
    ("long_name", "measurements/reflectance/*/b*"): "the wavelength is the satellite's, S2A or S2B",
    ("long_name", "conditions/mask/detector_footprint/*/b*"): WORDS,
    ("long_name", "conditions/mask/l1c_classification/r60m/b00"): WORDS,
    ("long_name", "quality/mask/*/b*"): WORDS,
    ("long_name", "conditions/meteorology/*"): WORDS,
    ("long_name", "quality/l1c_quicklook/r10m/tci"): WORDS,
    ("stored_direction", "conditions/meteorology/*"): "cfgrib's note of what the numbers show",
    ("valid_min", "measurements/reflectance/*/b*"): "1, the type's range without the fill value",
    ("valid_max", "measurements/reflectance/*/b*"): "65535, likewise",
    ("dtype", "*/x"): "we have pixel centres in float64, as all of CF's readers expect",
    ("dtype", "*/y"): "likewise",
    ("dtype", "quality/atmosphere/*/aot"): "the real metadata lost the packing of these",
    ("dtype", "quality/atmosphere/*/wvp"): "likewise",
}
"""Attribute or `dtype` and variables where the real metadata have something else, and why."""
UNITS = {
    "%": "percent", "~": "1", "deg": "degree", "kg m**-2": "kg m-2", "m s**-1": "m s-1",
    "m**2 s**-2": "m2 s-2",
}  # fmt: skip
"""Spellings that UDUNITS does not read, or reads otherwise, and ours."""
ADDED = {
    "long_name": ("conditions/*", "quality/*"),
    "units": ("conditions/*", "quality/*", "*/x", "*/y"),
    "standard_name": ("measurements/*", "conditions/meteorology/ecmwf/[uv]10"),
    "flag_values": ("conditions/mask/*",),
    "flag_meanings": ("conditions/mask/*",),
    "flag_colors": ("conditions/mask/*",),
    "colormap": ("measurements/*", "quality/*"),
    "display_min": ("measurements/*", "quality/*"),
    "display_max": ("measurements/*", "quality/*"),
    "crs": ("*/x", "*/y"),
    "resolution": ("*/x", "*/y"),
}
"""What ours say of variables of which the real metadata say nothing."""
PACKED_BY_US = ("quality/atmosphere/*/aot", "quality/atmosphere/*/wvp")
NOT_IN_SAFE_XML = "of the data strip's document or of other files, which the mapping does not read"
ROOT_ONLY_REAL = {
    "other_metadata/band_description/*": NOT_IN_SAFE_XML,
    "other_metadata/history": "we have `processing_history`",
    "other_metadata4*": "the real L1C metadata have `other_metadata` twice, once so misspelt",
    "stac_discovery/properties/eopf:image_size/*": "each group says so itself",
    "stac_discovery/properties/eopf:image_size": "each group says so itself",
    "stac_discovery/properties/instrument": "STAC calls it `instruments`",
    "stac_discovery/properties/product:timeline": "STAC calls it `product:timeliness_category`",
}
ROOT_ONLY_OURS = {
    "other_metadata/mapping", "other_metadata/missing", "other_metadata/simulated",
    "processing_history/Level-1C Product", "processing_history/Level-2A Product",
    "stac_discovery/properties/eopf:datastrip_id", "stac_discovery/properties/grid:code",
    "stac_discovery/properties/gsd", "stac_discovery/properties/instruments",
    "stac_discovery/properties/mission", "stac_discovery/properties/processing:version",
    "stac_discovery/properties/view:sun_azimuth", "title",
}  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, xr.DataTree, xr.DataTree]:
    """Return the kind, the real tree and ours."""
    kind = request.param
    folder = tmp_path_factory.mktemp(kind)
    product = open_product(simulate_product(kind, folder, day="2026-05-01", size=60))
    write_product(product, folder / "a.zarr", form="eopf-zarr-v2", profile="2025")
    [file] = Path(os.environ["SKERRY_REAL_DATA"], "eopf/s2").glob(f"{KINDS[kind]}.json")
    return kind, open_metadata(file), open_product(folder / "a.zarr")


def list_variables(tree: xr.DataTree) -> dict[str, xr.Variable]:
    """Return variables by path, but for the grid mappings, which the real ones have healed."""
    return {
        f"{node.path}/{name}".strip("/"): item
        for node in tree.subtree
        for name, item in node.to_dataset(inherit=False).variables.items()
        if name != "spatial_ref"
    }


def list_pairs(both: tuple[str, xr.DataTree, xr.DataTree]) -> list[Any]:
    real, ours = (list_variables(item) for item in both[1:])
    return [(path, real[path], ours[path]) for path in sorted(set(real) & set(ours))]


def is_in(path: str, patterns: Any) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def test_groups_and_variables_are_those_of_the_real_product(both: Any) -> None:
    kind, real, ours = both
    only_ours = {f"/{PROBABILITY_60}"} if kind == "s2-l2a" else set()
    assert set(real.groups) | only_ours == set(ours.groups)
    theirs, own = set(list_variables(real)), set(list_variables(ours))
    assert theirs - own == set(ONLY_REAL[kind])
    assert {item for item in own - theirs if not item.startswith(PROBABILITY_60)} == set()


def test_dimensions_and_storage_are_those_of_the_real_product(both: Any) -> None:
    for path, real, ours in list_pairs(both):
        assert real.dims == ours.dims, path
        if not is_in(path, [place for key, place in DIFFERENT if key == "dtype"]):
            assert real.dtype == ours.dtype, path
            for key in ("dtype", "scale_factor", "add_offset"):
                assert real.encoding.get(key) == ours.encoding.get(key), (path, key)
        elif path.endswith(("/x", "/y")):
            assert (real.dtype, ours.dtype) == (np.int64, np.float64), path
        else:
            assert is_in(path, PACKED_BY_US)
            assert real.dtype == ours.encoding["dtype"] == np.uint16
        fill, own = (item.encoding.get("_FillValue", np.nan) for item in (real, ours))
        assert (fill == own) or (np.isnan(fill) and np.isnan(own)) or is_in(path, PACKED_BY_US)


def test_attributes_are_those_of_the_real_product(both: Any) -> None:
    for path, real, ours in list_pairs(both):
        for key in {*real.attrs, *ours.attrs}:
            theirs, own = real.attrs.get(key), ours.attrs.get(key)
            if theirs == own or key.startswith("GRIB_"):  # cfgrib's own, of each message
                continue
            if theirs is None:
                assert is_in(path, ADDED.get(key, ())), (path, key, own)
            elif key == "units":
                assert own == UNITS[theirs], (path, theirs, own)
            else:
                places = [place for item, place in DIFFERENT if item == key]
                assert is_in(path, places), (path, key, theirs, own)


def test_no_difference_is_named_in_vain(both: Any) -> None:
    """What all variables of a kind share by now has to leave the lists above."""
    kind, *_ = both
    pairs = list_pairs(both)
    for key, place in DIFFERENT:
        met = [pair for pair in pairs if fnmatchcase(pair[0], place)]
        other = [
            path
            for path, real, ours in met
            if (real.dtype != ours.dtype if key == "dtype" else
                real.attrs.get(key) not in (None, ours.attrs.get(key)))
        ]  # fmt: skip
        only_elsewhere = {"s2-l1c": ("aot", "wvp"), "s2-l2a": ("b00", "l1c_quicklook")}[kind]
        assert other or any(item in place for item in only_elsewhere), (key, place)


def list_leaves(attrs: Any, prefix: str = "") -> Iterator[str]:
    for key, value in attrs.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            yield from list_leaves(value, f"{path}/")
        else:
            yield re.sub(r"band_description/[^/]+/", "band_description/#/", path)


def test_root_attributes_are_those_of_the_real_product(both: Any) -> None:
    _, real, ours = both
    theirs, own = set(list_leaves(real.attrs)), set(list_leaves(ours.attrs))
    # Assets are the item's, one a variable in the real metadata; `healed` is of opening.
    passed = ("stac_discovery/assets", "other_metadata/healed")
    lacking = {item for item in theirs - own if not item.startswith(passed)}
    assert [item for item in sorted(lacking) if not is_in(item, ROOT_ONLY_REAL)] == []
    assert {item for item in own - theirs if not item.startswith(passed)} <= ROOT_ONLY_OURS
