"""Stored numbers, however a file spells what they mean, against netCDF4 and xarray."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import cftime
import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyproj import CRS
from tests.examples import examples
from tests.unit.products.coding.cf_files import describe, write_netcdf4, write_zarr

from skerry.core.errors import InvalidInputError
from skerry.products import open_product, write_product
from skerry.products.coding.packing import decoded_dtype
from skerry.validation import validate_product

SIGNED = ("i1", "i2", "i4")
TYPES = (*SIGNED, "u1", "u2", "u4", "f4", "f8")


@st.composite
def numbers_with_attributes(draw: st.DrawFn) -> tuple[np.ndarray, dict[str, Any]]:
    """Give stored numbers and attributes that say what they mean."""
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    if dtype.kind == "f":
        element = st.integers(-1000, 1000).map(float)
    else:
        limits = np.iinfo(dtype)
        element = st.integers(int(limits.min), int(limits.max))
    values = draw(st.lists(element, min_size=20, max_size=20))
    stored = np.array(values, dtype).reshape(4, 5)
    attrs: dict[str, Any] = {"units": "1"}
    if dtype.kind == "i" and draw(st.booleans()):
        attrs["_Unsigned"] = draw(st.sampled_from(("true", "True")))
    if dtype.kind == "u" and draw(st.booleans()):
        attrs["_Unsigned"] = "false"
    some = st.sampled_from(values)
    if draw(st.booleans()):
        attrs["_FillValue"] = dtype.type(draw(some))
    missing = draw(st.lists(some, max_size=3))
    if missing:
        attrs["missing_value"] = (
            np.array(missing, dtype) if len(missing) > 1 else dtype.type(missing[0])
        )
    if draw(st.booleans()):
        attrs["scale_factor"] = draw(st.sampled_from((0.5, 0.01, 2.0, np.float32(0.25))))
    if draw(st.booleans()):
        attrs["add_offset"] = draw(st.sampled_from((0.0, -10.0, 273.15)))
    return stored, attrs


def read_with_netcdf4(path: Path) -> np.ndarray:
    """Return the values of ``v`` as netCDF4 has them, NaN for missing ones."""
    with netCDF4.Dataset(path) as file:
        file["v"].set_always_mask(False)
        result = file["v"][...]
    return np.ma.filled(result.astype(np.float64), np.nan)


def as_floats(values: xr.DataArray) -> np.ndarray:
    return np.asarray(values.to_numpy(), np.float64)


def list_gaps(stored: np.ndarray, attrs: dict[str, Any]) -> np.ndarray:
    """Return where numbers stand for no measurement, by their bits."""
    missing = [attrs[key] for key in ("_FillValue", "missing_value") if key in attrs]
    return np.isin(stored, np.concatenate([np.atleast_1d(item) for item in missing] or [[]]))


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@example(given_numbers=(np.array([[*range(4), 65535]] * 4, "u2"), {"missing_value": np.uint16(0)}))
@given(given_numbers=numbers_with_attributes())
def test_values_are_those_of_netcdf4(
    given_numbers: tuple[np.ndarray, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    stored, attrs = given_numbers
    if stored.dtype.kind == "u":
        attrs.pop("_Unsigned", None)  # netCDF4 reads "true" only; xarray both
    path = write_netcdf4(tmp_path_factory.mktemp("cf") / "a.nc", describe(stored, attrs))
    actual = open_product(path)["v"]
    expected = read_with_netcdf4(path)
    gaps = list_gaps(stored, attrs)
    if (
        actual.dtype.kind == "f"
        and stored.itemsize > 1
        and not {"_FillValue", "_Unsigned"} & {*attrs}
    ):
        gaps |= stored == netCDF4.default_fillvals[stored.dtype.str[1:]]
    if actual.dtype.kind == "f":
        assert np.isnan(as_floats(actual))[gaps].all()
    # netCDF4 masks its own default fill values in plain integers and single bytes, too.
    both = ~np.isnan(expected) & ~gaps
    np.testing.assert_allclose(as_floats(actual)[both], expected[both], rtol=2e-6, atol=1e-6)
    assert not np.isnan(as_floats(actual))[~gaps].any()


@settings(max_examples=examples(30), deadline=None, suppress_health_check=list(HealthCheck))
@given(given_numbers=numbers_with_attributes(), zarr_format=st.sampled_from((2, 3)))
def test_values_of_zarr_are_those_of_xarray(
    given_numbers: tuple[np.ndarray, dict[str, Any]],
    zarr_format: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    stored, attrs = given_numbers
    if "_Unsigned" in attrs:
        attrs["_Unsigned"] = attrs["_Unsigned"].lower()  # xarray takes no other
    fill = attrs.pop("_FillValue", None)
    if (
        attrs.get("_Unsigned") == "false"
        and fill is not None
        and fill > np.iinfo(stored.dtype).max // 2
    ):
        fill = None  # xarray raises an OverflowError
    folder = tmp_path_factory.mktemp("cf") / "a.zarr"
    if zarr_format == 2:
        write_zarr(folder, describe(stored, attrs), 2, fill)
    else:
        xr.Dataset(
            {"v": (("y", "x"), stored, {**attrs, **({} if fill is None else {"_FillValue": fill})})}
        ).to_zarr(folder, zarr_format=3, consolidated=False)
    actual = open_product(folder)["v"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # xarray warns of several missing values
        expected = xr.open_zarr(folder, consolidated=False)["v"].astype(np.float64)
    gaps = list_gaps(stored, attrs | ({} if fill is None else {"_FillValue": fill}))
    known = ~np.isnan(expected.to_numpy()) & ~gaps  # xarray takes no missing_value as unsigned
    np.testing.assert_allclose(
        as_floats(actual)[known], expected.to_numpy()[known], rtol=2e-6, atol=1e-6
    )
    assert actual.dtype.kind != "f" or np.isnan(as_floats(actual))[gaps].all()


@pytest.mark.parametrize("form", ["netcdf", "eopf-zarr", "eopf-zarr-v2"])
def test_unsigned_numbers_come_back_from_every_format(tmp_path: Path, form: str) -> None:
    stored = np.array([27_000, -1, -30_000, 5], np.int16).repeat(5).reshape(4, 5)
    attrs = {"_Unsigned": "true", "_FillValue": np.int16(-1), "scale_factor": 0.01, "units": "K"}
    path = write_netcdf4(tmp_path / "a.nc", describe(stored, attrs))
    result = open_product(path)
    assert result["v"].encoding["dtype"] == np.uint16
    assert result["v"].encoding["_FillValue"] == 65_535
    again = tmp_path / ("b.nc" if form == "netcdf" else "b.zarr")
    write_product(result, again, form=form)
    again_read = open_product(again)["v"]
    np.testing.assert_array_equal(again_read, result["v"])
    assert again_read.encoding["dtype"] == np.uint16
    assert result["v"].dtype == decoded_dtype(np.dtype("i2"))


def test_unsigned_flags_are_flags(tmp_path: Path) -> None:
    stored = np.array([0, 1, -128, -127], np.int8).repeat(5).reshape(4, 5)
    masks = np.array([1, -128], np.int8)
    attrs = {"_Unsigned": "true", "flag_masks": masks, "flag_meanings": "land cloud"}
    result = open_product(write_netcdf4(tmp_path / "a.nc", describe(stored, attrs)))["v"]
    assert result.dtype == np.uint8
    assert result.attrs["flag_masks"] == [1, 128]
    assert result.to_numpy().max() == 129
    assert "_Unsigned" not in result.attrs


def test_several_missing_values_are_written_as_one(tmp_path: Path) -> None:
    stored = np.array([[10, -999, -32768, -1, 7]] * 4, np.int16)
    attrs = {"missing_value": np.array([-999, -1], np.int16), "_FillValue": np.int16(-32768),
             "scale_factor": 0.1}  # fmt: skip
    result = open_product(write_netcdf4(tmp_path / "a.nc", describe(stored, attrs)))
    assert np.isnan(result["v"].to_numpy()[0]).tolist() == [False, True, True, True, False]
    for form, name in (("netcdf", "b.nc"), ("eopf-zarr", "b.zarr")):
        write_product(result, tmp_path / name, form=form)
        np.testing.assert_array_equal(open_product(tmp_path / name)["v"], result["v"])
    with h5py.File(tmp_path / "b.nc") as file:
        assert file["v"][0].tolist() == [10, -32768, -32768, -32768, 7]


@pytest.mark.parametrize("form", ["netcdf", "eopf-zarr", "geozarr", "cog"])
@pytest.mark.parametrize(
    ("dtype", "attrs"),
    [("i8", {}), ("u1", {"flag_values": np.array([1, 2], np.uint8), "flag_meanings": "a b"})],
)
def test_integers_with_several_missing_values_keep_one(
    tmp_path: Path, form: str, dtype: str, attrs: dict[str, Any]
) -> None:
    stored = np.array([[1, 99, 255 % 128, 2, 1]] * 4, dtype)
    attrs = attrs | {"_FillValue": stored[0, 2], "missing_value": stored[0, 1], "grid_mapping": "c"}
    others = {"c": CRS.from_epsg(32633).to_cf()}
    file = replace(describe(stored, attrs), others=others)
    result = open_product(write_netcdf4(tmp_path / "a.nc", file))
    assert result["v"].to_numpy()[0].tolist() == [1, 127, 127, 2, 1]
    assert result["v"].encoding["_FillValue"] == 127
    again = tmp_path / {"netcdf": "b.nc", "cog": "b.cogs"}.get(form, "b.zarr")
    write_product(result, again, form=form)
    again_read = open_product(again)["v"]
    np.testing.assert_array_equal(again_read, result["v"])
    assert (again_read.dtype, again_read.encoding["_FillValue"]) == (np.dtype(dtype), 127)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["netcdf", "eopf-zarr", "geozarr", "cog"])
@pytest.mark.parametrize(
    ("scale", "offset"), [(1.0, 1e9), (1e-3, 1e5), (None, 1e8), (0.01, 273.15)]
)
def test_offsets_of_any_size_tell_all_numbers_apart(
    tmp_path: Path, form: str, scale: float | None, offset: float
) -> None:
    stored = np.arange(-10, 10, dtype=np.int16).reshape(4, 5) * 3000
    attrs = {"add_offset": offset, "_FillValue": np.int16(-32768), "grid_mapping": "c"}
    attrs |= {} if scale is None else {"scale_factor": scale}
    file = replace(describe(stored, attrs), others={"c": CRS.from_epsg(32633).to_cf()})
    actual = open_product(write_netcdf4(tmp_path / "a.nc", file))
    expected = stored * (1 if scale is None else scale) + offset
    np.testing.assert_allclose(actual["v"], expected, rtol=0, atol=(scale or 1) / 100)
    again = tmp_path / {"netcdf": "b.nc", "cog": "b.cogs"}.get(form, "b.zarr")
    actual["v"].load()  # from values, not by copying the stored numbers
    write_product(actual, again, form=form)
    np.testing.assert_array_equal(open_product(again)["v"], actual["v"])


@pytest.mark.parametrize("unit", ["d", "hr", "h", "min", "sec", "s", "msec", "days", "Seconds"])
def test_units_of_times_have_short_names(tmp_path: Path, unit: str) -> None:
    stored = np.array([[0, 10, -5, -9, 20]] * 4, np.int32)
    units = f"{unit} since 2026-05-01 06:00:00"
    actual = open_product(write_netcdf4(tmp_path / "a.nc", describe(stored, {"units": units})))["v"]
    expected = [item.isoformat() for item in cftime.num2date(stored[0], units)]
    assert actual.to_numpy()[0].tolist() == np.array(expected, "datetime64[ns]").tolist()
    write_product(actual.to_dataset(), tmp_path / "b.nc", form="netcdf")
    np.testing.assert_array_equal(open_product(tmp_path / "b.nc")["v"], actual)
    with netCDF4.Dataset(tmp_path / "b.nc") as file:
        assert file["v"].units.split()[0] == unit


def test_gaps_of_times(tmp_path: Path) -> None:
    stored = np.array([[0, 10, -5, -9, 20]] * 4, np.int32)
    attrs = {"units": "days since 2026-05-01", "_FillValue": np.int32(-5),
             "missing_value": np.int32(-9)}  # fmt: skip
    result = open_product(write_netcdf4(tmp_path / "a.nc", describe(stored, attrs)))
    assert np.isnat(result["v"].to_numpy()[0]).tolist() == [False, False, True, True, False]
    write_product(result, tmp_path / "b.zarr", form="eopf-zarr")
    np.testing.assert_array_equal(open_product(tmp_path / "b.zarr")["v"], result["v"])


def test_packing_as_text(tmp_path: Path) -> None:
    stored = np.arange(20, dtype=np.int16).reshape(4, 5)
    attrs = {"scale_factor": "0.1", "add_offset": "5", "_FillValue": np.int16(3)}
    path = write_netcdf4(tmp_path / "a.nc", describe(stored, attrs))
    result = open_product(path)["v"].to_numpy()
    np.testing.assert_allclose(result[0], [5, 5.1, 5.2, np.nan, 5.4], rtol=1e-6)
    wrong = write_netcdf4(tmp_path / "b.nc", describe(stored, {"scale_factor": "a tenth"}))
    with pytest.raises(InvalidInputError, match=r"The scale_factor of /v in .*b.nc is 'a tenth'"):
        open_product(wrong)


def test_a_fill_value_of_another_type_is_none(tmp_path: Path) -> None:
    stored = np.arange(20, dtype=np.int16).reshape(4, 5)
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file["v"] = stored
        file["v"].attrs["_FillValue"] = 1e20
        file["v"].attrs["scale_factor"] = 0.1
    result = open_product(tmp_path / "a.nc")["v"]
    assert np.isfinite(result.to_numpy()).all()
    assert "_FillValue" not in result.encoding


@pytest.mark.parametrize("form", ["netcdf", "geozarr", "eopf-zarr", "cog"])
def test_cells_that_netcdf_never_wrote_are_missing(form: Any, tmp_path: Path) -> None:
    """Unwritten cells have the library's own fill value, which no attribute names."""
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("y", 4)
        file.createDimension("x", 5)
        for axis, start, step in (("y", 54.0, -0.1), ("x", 10.0, 0.1)):
            file.createVariable(axis, "f8", (axis,))[:] = start + step * np.arange(
                len(file.dimensions[axis])
            )
            file[axis].units = "degrees_north" if axis == "y" else "degrees_east"
        for kind in ("f4", "f8", "i2", "u2", "i4", "u4"):
            variable = file.createVariable(f"packed_{kind}", kind, ("y", "x"))
            variable.scale_factor = 0.5
            variable[:3] = np.arange(15).reshape(3, 5) * 0.5
        file.createVariable("plain", "f4", ("y", "x"))[:3] = 1.5
        file.createVariable("count", "i4", ("y", "x"))[:3] = 7
        other = file.createVariable("plain_with_another", "f4", ("y", "x"))
        other.missing_value = np.float32(-999)
        other[:3] = [1, 2, -999, 4, 5]
        full = file.createVariable("whole", "u2", ("y", "x"), fill_value=False)
        full.scale_factor = 0.5
        full.set_auto_scale(False)
        full[:] = 65535
    product = open_product(path)
    if form != "netcdf":
        write_product(product, tmp_path / "p", form=form)
        product = open_product(tmp_path / "p")
    with netCDF4.Dataset(path) as file:
        for name in (name for name in file.variables if name.startswith(("plain", "packed"))):
            expected = np.ma.filled(file[name][:].astype(float), np.nan)
            np.testing.assert_allclose(product[name].to_numpy(), expected, err_msg=name)
            assert np.isnan(product[name][3]).all()
    assert product["count"].dtype == np.int32, "plain integers stay what they are"
    assert (product["whole"] == 32767.5).all(), "the file was made without a fill value"


def test_times_that_netcdf_never_wrote_are_missing(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("row", 3)
        for name, kind in (("floats", "f8"), ("integers", "i4")):
            variable = file.createVariable(name, kind, ("row",))
            variable.units = "days since 2026-01-01"
            variable[:2] = [1, 2]
    product = open_product(tmp_path / "a.nc")
    for name in ("floats", "integers"):
        assert np.isnat(product[name].to_numpy()).tolist() == [False, False, True]
        assert product[name].to_numpy()[1] == np.datetime64("2026-01-03")


def test_the_values_of_a_zarr_2_dimension_are_never_missing(tmp_path: Path) -> None:
    file = describe(np.ones((4, 5), np.float32), {})
    root = zarr.open_group(write_zarr(tmp_path / "a.zarr", file, 2), mode="a")
    assert isinstance(root, zarr.Group)
    band = root.create_array("band", shape=(3,), dtype="i4", fill_value=0)
    band[...] = [0, 1, 2]
    band.attrs["_ARRAY_DIMENSIONS"] = ["band"]
    assert open_product(tmp_path / "a.zarr")["band"].to_numpy().tolist() == [0, 1, 2]


def test_valid_ranges_stay_attributes(tmp_path: Path) -> None:
    stored = np.arange(20, dtype=np.int16).reshape(4, 5)
    attrs = {"valid_min": np.int16(2), "valid_max": np.int16(9), "scale_factor": 0.1}
    result = open_product(write_netcdf4(tmp_path / "a.nc", describe(stored, attrs)))["v"]
    assert (result.attrs["valid_min"], result.attrs["valid_max"]) == (2, 9)
    assert np.isfinite(result.to_numpy()).all()


def test_enumerations_are_flags_and_compounds_are_left_out(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nc", "w") as file:
        classes = h5py.enum_dtype({"thick cloud": 2, "clear": 0, "snow": 7}, basetype="u1")
        file.create_dataset("kind", data=np.array([0, 2, 7], np.uint8), dtype=classes)
        file.create_dataset("wind", (3,), dtype=[("u", "f4"), ("v", "f4")])
        file.create_dataset("lists", (3,), dtype=h5py.vlen_dtype(np.int32))
    result = open_product(tmp_path / "a.nc")
    assert set(result.data_vars) == {"kind"}
    assert result["kind"].attrs["flag_values"] == [0, 2, 7]
    assert result["kind"].attrs["flag_meanings"] == "clear thick_cloud snow"
    (message,) = result.attrs["other_metadata"]["unhealed"]
    assert message.startswith("types: /lists is of lists of varying length")
    assert message.endswith("(and 1 more)")
    write_product(result, tmp_path / "b.nc", form="netcdf")
    assert open_product(tmp_path / "b.nc")["kind"].attrs == result["kind"].attrs


def test_the_plainest_zarr_3_of_xarray_is_valid(tmp_path: Path) -> None:
    data = xr.Dataset({"t": (("y", "x"), np.array([[280, np.nan]], np.float32), {"units": "K"})})
    data.to_zarr(tmp_path / "a.zarr", zarr_format=3, consolidated=False)
    report = validate_product(tmp_path / "a.zarr")
    assert not [item.check for item in report.failed if item.check.startswith("encodings")]
