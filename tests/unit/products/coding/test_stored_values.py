"""Values, types and packing as files have them come back from every format that holds them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import xarray as xr
from tests.unit.products.small_trees import place

from skerry.core.errors import InvalidInputError
from skerry.products import open_product
from skerry.products.writing import FORMATS, PROFILES, write_product
from skerry.simulate import SIMULATIONS

pytestmark = pytest.mark.slow

SHAPE = (300, 280)
GRIDDED = [(form, None) for form in FORMATS if not form.startswith("eopf")]
ALL = [(form, item) for form in FORMATS if form.startswith("eopf") for item in PROFILES] + GRIDDED
TABLES = [item for item in ALL if item[0] != "cog"]
PACKING = ("scale_factor", "add_offset", "_FillValue")
TIMING = ("units", "calendar", "_FillValue", "dtype")
UNREADABLE = ("t_leapless", "t_launch")
"""Times that xarray decodes only with cftime, or not at all."""


def rasters() -> dict[str, tuple[Any, dict[str, Any]]]:
    """Return numbers as files have them, and their attributes."""
    random = np.random.default_rng(0)

    def draw(dtype: str, low: int = 0, high: int = 9) -> Any:
        return random.integers(low, high, SHAPE).astype(dtype)

    bits = {"flag_masks": np.array([1, 2, 4], "u1"), "flag_meanings": "a b c"}
    huge = (2**60 + draw("i8")).astype("u8")
    huge[:2, :4] = 2**64 - 1
    floats = random.normal(size=SHAPE).astype("f4")
    floats[0, :3] = (-999.0, 0.0, np.nan)
    return {
        "packed": (draw("i2", 0, 1000), {"scale_factor": 0.01, "add_offset": 5.0}),
        "shifted": (draw("u1"), {"add_offset": 5.0}),
        "wide_packed": (draw("i4", 0, 10**6), {"scale_factor": 1e-6}),
        "detectors": (draw("i2", -1), {"_FillValue": np.int16(-1)}),
        "counts": (draw("i4", -1), {"_FillValue": np.int32(-1)}),
        "flags": (draw("u1"), {"_FillValue": np.uint8(255), **bits}),
        "ids": (2**60 + draw("i8"), {"_FillValue": np.int64(-1)}),
        "huge_ids": (huge, {"_FillValue": np.uint64(2**64 - 1)}),
        "filled": (floats, {"_FillValue": np.float32(-999)}),
        "gaps": (floats, {"_FillValue": np.float32(np.nan)}),
        "scaled": (floats, {"scale_factor": 0.1, "add_offset": 5.0}),
        "scaled_filled": (floats, {"scale_factor": 2.0, "_FillValue": np.float32(-999)}),
    }


def times() -> dict[str, tuple[Any, dict[str, Any]]]:
    long_ago = np.iinfo(np.int64).min
    return {
        "hours": (np.array([0.25, 1.5, 2.75]), {"units": "hours since 2026-05-01"}),
        "days": (np.array([0.25, np.nan, 2.5]), {"units": "days since 2026-05-01"}),
        "whole_days": (np.array([1, 2, 3], "i4"), {"units": "days since 2000-01-01 12:00:00"}),
        "filled": (
            np.array([1, -1, 3]),
            {"units": "seconds since 2026-05-01", "_FillValue": np.int64(-1)},
        ),
        "filled_days": (
            np.array([0.5, -999, 3]),
            {"units": "days since 2026-05-01", "_FillValue": -999.0, "calendar": "gregorian"},
        ),
        "narrow": (
            np.array([1, -9, 3], "i4"),
            {"units": "minutes since 2026-05-01", "_FillValue": np.int32(-9)},
        ),
        "unsaid": (np.array([1, long_ago, 3]), {"units": "microseconds since 2000-01-01"}),
        "leapless": (np.array([0, 59.5]), {"units": "days since 2001-01-01", "calendar": "noleap"}),
        "launch": (np.array([0.0, 5.5]), {"units": "seconds since launch"}),
        "spans": (np.array([1, 2, 3]), {"units": "seconds", "dtype": "timedelta64[ns]"}),
        "span_gaps": (
            np.array([1, -1, 3]),
            {"units": "days", "dtype": "timedelta64[ns]", "_FillValue": np.int64(-1)},
        ),
        "span_parts": (np.array([0.5, np.nan]), {"units": "days", "dtype": "timedelta64[ns]"}),
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a NetCDF file with every kind of number that others write."""
    data = {
        name: xr.Variable(("y", "x"), numbers, attrs | {"grid_mapping": "spatial_ref"})
        for name, (numbers, attrs) in rasters().items()
    } | {
        f"t_{name}": xr.Variable((f"k_{name}",), numbers, attrs)
        for name, (numbers, attrs) in times().items()
    }
    path = tmp_path_factory.mktemp("source") / "in put.nc"
    encoding = {name: {"_FillValue": None} for name in data if "_FillValue" not in data[name].attrs}
    written = xr.Dataset(data, coords=place(*SHAPE, 10.0))
    written.to_netcdf(path, engine="h5netcdf", encoding=encoding)
    return path


@pytest.fixture(scope="module")
def opened(source: Path) -> xr.Dataset:
    return open_product(source).to_dataset().compute()


@pytest.fixture(scope="module")
def written(
    source: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str | None], Path]:
    """Return the file in every format."""
    folder = tmp_path_factory.mktemp("written")
    places = {}
    for form, profile in ALL:
        places[form, profile] = folder / f"{form}-{profile}"
        write_product(open_product(source), places[form, profile], form=form, profile=profile)
    return places


@pytest.fixture(scope="module")
def read_back(written: dict[Any, Path]) -> dict[tuple[str, str | None], xr.Dataset]:
    """Return what stands in the files of every format; numbers are read when asked for."""
    return {place: open_product(path).to_dataset() for place, path in written.items()}


def check_same(found: xr.Dataset, wanted: xr.Dataset, name: str, keys: tuple[str, ...]) -> None:
    one, other = wanted[name].variable, found[name].variable
    assert other.dtype == one.dtype
    np.testing.assert_array_equal(other.to_numpy(), one.to_numpy(), strict=True)
    unset = (None, "nan")
    for key in keys:
        before, after = one.encoding.get(key), other.encoding.get(key)
        both = str(before) in map(str, unset) and str(after) in map(str, unset)
        assert both or before == after, (key, before, after)


@pytest.mark.parametrize("name", rasters())
def test_numbers_are_read_as_cf_says(name: str, opened: xr.Dataset) -> None:
    numbers, attrs = rasters()[name]
    fill = attrs.get("_FillValue")
    wide = numbers.astype("f8") * attrs.get("scale_factor", 1) + attrs.get("add_offset", 0)
    if name in ("flags", "ids", "huge_ids"):
        wide = numbers
    elif fill is not None:
        wide = np.where(numbers == fill, np.nan, wide)
    np.testing.assert_array_equal(opened[name].to_numpy(), wide.astype(opened[name].dtype))


@pytest.mark.parametrize(("form", "profile"), ALL)
@pytest.mark.parametrize("name", rasters())
def test_numbers_come_back(
    form: str, profile: str | None, name: str, opened: xr.Dataset, read_back: dict[Any, xr.Dataset]
) -> None:
    back = read_back[form, profile]
    check_same(back, opened, name, PACKING)
    assert back[name].attrs == opened[name].attrs


@pytest.mark.parametrize(("form", "profile"), TABLES)
@pytest.mark.parametrize("name", times())
def test_times_come_back(
    form: str, profile: str | None, name: str, opened: xr.Dataset, read_back: dict[Any, xr.Dataset]
) -> None:
    back = read_back[form, profile]
    keys = TIMING if name != "unsaid" else TIMING[:2]  # its missing number is said then
    check_same(back, opened, f"t_{name}", keys)


@pytest.mark.parametrize(("form", "profile"), ALL)
def test_copies_are_written_as_they_are(
    form: str, profile: str | None, opened: xr.Dataset, written: dict[Any, Path], tmp_path: Path
) -> None:
    write_product(open_product(written[form, profile]), tmp_path / "again", form="eopf-zarr-v2")
    back = open_product(tmp_path / "again").to_dataset()
    names = [variable for variable in opened.data_vars if variable in back]
    assert len(names) == len(rasters()) + (0 if form == "cog" else len(times()))
    for name in names:
        keys = PACKING if name != "t_unsaid" else ()
        check_same(back, opened, str(name), keys)


@pytest.mark.parametrize("name", ["packed", "wide_packed", "detectors"])
def test_packed_numbers_stand_packed(name: str, written: dict[Any, Path]) -> None:
    numbers = rasters()[name][0]
    stored = [
        xr.open_dataset(written["netcdf", None], engine="h5netcdf", decode_cf=False),
        xr.open_zarr(written["geozarr", None], group="0", decode_cf=False),
        *(xr.open_zarr(written[item], decode_cf=False) for item in ALL if item[0][:4] == "eopf"),
    ]
    for item in stored:
        assert item[name].dtype == numbers.dtype
        np.testing.assert_array_equal(item[name].to_numpy(), numbers)


@pytest.mark.parametrize(("form", "profile"), [item for item in TABLES if "zarr" in item[0]])
def test_xarray_reads_every_zarr(
    form: str, profile: str | None, opened: xr.Dataset, written: dict[Any, Path]
) -> None:
    tree = xr.open_datatree(written[form, profile], engine="zarr", drop_variables=UNREADABLE)
    result = (tree["0"] if form == "geozarr" else tree).to_dataset()
    for name in rasters():
        if name in ("ids", "huge_ids"):
            continue  # xarray turns 64-bit integers with a fill value into floats
        np.testing.assert_array_equal(
            result[name].to_numpy().astype("f4"), masked(opened[name]).astype("f4")
        )
    for name in ("hours", "days", "whole_days", "filled", "filled_days", "narrow", "unsaid"):
        if profile == "cpm-2.8" and name in ("filled", "filled_days", "narrow"):
            continue  # CPM's model has no fill values of times
        np.testing.assert_array_equal(result[f"t_{name}"].to_numpy(), opened[f"t_{name}"])


def masked(values: xr.DataArray) -> Any:
    """Return values as readers have them that do not know of flags."""
    fill = values.encoding.get("_FillValue")
    plain = values.to_numpy()
    return (
        plain
        if values.dtype.kind == "f" or fill is None
        else np.where(plain == fill, np.nan, plain)
    )


@pytest.mark.parametrize(("form", "profile"), ALL)
def test_gaps_in_what_has_no_number_for_them_are_refused(
    form: str, profile: str | None, opened: xr.Dataset, tmp_path: Path
) -> None:
    data = opened[["packed"]].copy(deep=True)
    data["packed"].values[3, 4] = np.nan
    with pytest.raises(InvalidInputError, match=r"packed has missing values.*int16"):
        write_product(xr.DataTree(data), tmp_path / "p", form=form, profile=profile)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("form", "profile"), ALL)
def test_a_nan_for_whole_numbers_is_not_a_fill_value(
    form: str, profile: str | None, opened: xr.Dataset, tmp_path: Path
) -> None:
    data = opened[["flags"]].copy(deep=True)
    data["flags"].encoding |= {"_FillValue": np.nan, "dtype": np.dtype("f4")}
    write_product(xr.DataTree(data), tmp_path / "p", form=form, profile=profile)
    back = open_product(tmp_path / "p").to_dataset()
    assert back["flags"].dtype == np.uint8
    np.testing.assert_array_equal(back["flags"], data["flags"])


@pytest.mark.parametrize(("form", "profile"), TABLES)
@pytest.mark.parametrize("dtype", ["int32", "uint8", "int64", "float64"])
def test_no_time_survives_every_type(
    form: str, profile: str | None, dtype: str, opened: xr.Dataset, tmp_path: Path
) -> None:
    moments = np.array(["2026-05-01T00:00:05", "NaT"], "M8[ns]")
    encoding = {"units": "seconds since 2026-05-01", "dtype": dtype}
    data = opened[["packed"]].assign(t=xr.Variable("t_", moments, {}, encoding))
    write_product(xr.DataTree(data), tmp_path / "p", form=form, profile=profile)
    np.testing.assert_array_equal(open_product(tmp_path / "p").to_dataset()["t"], moments)


@pytest.mark.parametrize("form", [item for item, _ in TABLES])
def test_times_that_datetime64_has_not_are_refused(
    form: str, opened: xr.Dataset, tmp_path: Path
) -> None:
    data = opened[["packed"]].assign(t=("t_", np.array(["3000-01-01"], "M8[s]")))
    with pytest.raises(InvalidInputError, match="2262"):
        write_product(xr.DataTree(data), tmp_path / "p", form=form)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[pytest.mark.long] if kind != "s2-l2a" else [])
        for kind in sorted(SIMULATIONS)
    ],
)
def test_products_of_the_validators_profile_go_into_every_format(
    kind: str, simulated: Callable[..., Path], tmp_path: Path
) -> None:
    product = simulated(kind, size=66)
    write_product(open_product(product), tmp_path / "cpm", form="eopf-zarr-v2", profile="cpm-2.8")
    tree = open_product(tmp_path / "cpm")
    # Swaths are on no grid; EOPF Zarr of both profiles is tried above.
    for form in ("netcdf", "geozarr", "cog") if kind.startswith("s2") else ("netcdf",):
        target = tmp_path / form
        left_out = write_product(tree, target, form=form)
        back = open_product(target)
        for node in tree.subtree:
            expected = node.to_dataset(inherit=False)
            actual = cast("xr.DataTree", back[node.path]).to_dataset(inherit=False)
            for name in set(expected.variables) - {"spatial_ref"}:
                if f"{node.path}/{name}".strip("/") not in left_out:
                    check_same(actual, expected, str(name), ("scale_factor", "add_offset"))
