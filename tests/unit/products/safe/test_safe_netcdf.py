"""The NetCDF format of SAFE products, with types made for the test."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from skerry.core.errors import InvalidInputError
from skerry.products.safe import hdf5
from skerry.products.safe.files import list_folder
from skerry.products.safe.netcdf import read, read_scalar, write, write_scalar
from skerry.products.safe.numbers import Coding
from skerry.products.safe.product import SafeFolder, SafeProduct
from skerry.products.sensors.records import Mapping

ROWS, COLUMNS = 7, 5


def _mapping(**group: Any) -> Mapping:
    kinds = {
        "packed": {"dims": ["y", "x"], "dtype": "int16", "scale_factor": 0.5, "fill_value": -9},
        "flags": {"dims": ["y", "x"], "dtype": "uint8", "attrs": {"flag_masks": [1, 2]}},
        "time": {"dims": ["y"], "dtype": "int64", "fill_value": -1,
                 "attrs": {"units": "seconds since 2000-01-01"}},
        "index": {},
    }  # fmt: skip
    result = {"path": "m", "format": "netcdf", "file": "{source}.nc", "kind": "packed", **group}
    return Mapping.model_validate(
        {"name": "made", "product_type": "X", "title": "made", "marks": [], "names": "*",
         "documents": {}, "kinds": kinds, "groups": [result]}
    )  # fmt: skip


def _write_and_read(root: Path, mapping: Mapping, data: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    root.mkdir(exist_ok=True)
    write(SafeFolder(root, mapping, {}), mapping.groups[0], data)
    product = SafeProduct(list_folder(root), mapping)
    return read(product, mapping.groups[0]), product.missing


def _plane() -> np.ndarray[Any, Any]:
    values = np.arange(ROWS * COLUMNS, dtype=np.float32).reshape(ROWS, COLUMNS) / 2
    values[2, 3] = np.nan
    return values


def test_dimensions_of_length_one_and_another_order_stay_in_the_file(tmp_path: Path) -> None:
    mapping = _mapping(
        variables={"a": {"source": "A"}},
        options={"file_dims": {"A": ["t", "x", "y"]}, "dimensions": {"x": "columns"}},
    )
    result, _ = _write_and_read(tmp_path, mapping, xr.Dataset({"a": (("y", "x"), _plane())}))
    np.testing.assert_array_equal(result["a"], _plane())
    with h5py.File(tmp_path / "A.nc") as source:
        assert source["A"].shape == (1, COLUMNS, ROWS)
        assert "columns" in source
    np.testing.assert_array_equal(result["a"][1:3, 4:], _plane()[1:3, 4:])
    np.testing.assert_array_equal(result["a"].isel(y=3), _plane()[3])


def test_the_files_packing_stands_above_the_mappings(tmp_path: Path) -> None:
    mapping = _mapping(variables={"a": {"source": "A", "attrs": {"long_name": "ours"}}})
    data = xr.Dataset({"a": (("y", "x"), _plane(), {"long_name": "theirs", "valid_max": 7})})
    data["a"].encoding = {"scale_factor": 0.25, "add_offset": 1.0, "_FillValue": -5}
    result, missing = _write_and_read(tmp_path, mapping, data)
    np.testing.assert_array_equal(result["a"], _plane())
    assert missing == []
    assert result["a"].encoding["scale_factor"] == 0.25
    assert result["a"].encoding["_FillValue"] == -5
    assert result["a"].attrs == {"long_name": "ours", "valid_max": 7}


def test_flags_stay_whole_numbers_and_times_become_times(tmp_path: Path) -> None:
    mapping = _mapping(
        file="all.nc",
        variables={
            "f": {"source": "F", "kind": "flags"},
            "t": {"source": "T", "kind": "time", "coordinate": True},
            "y": {"source": "y", "kind": "index", "dims": ["y"], "coordinate": True},
        },
    )
    flags = np.arange(ROWS * COLUMNS, dtype=np.uint8).reshape(ROWS, COLUMNS) % 4
    times = np.datetime64("2026-05-01", "ns") + np.arange(ROWS) * np.timedelta64(1, "s")
    times[4] = np.datetime64("NaT", "ns")
    data = xr.Dataset({"f": (("y", "x"), flags)}, {"t": ("y", times), "y": np.arange(ROWS)})
    result, _ = _write_and_read(tmp_path, mapping, data)
    assert result["f"].dtype == np.uint8
    np.testing.assert_array_equal(result["f"], flags)
    np.testing.assert_array_equal(result["t"], times)
    assert result["t"].encoding["units"] == "seconds since 2000-01-01"
    assert "units" not in result["t"].attrs
    np.testing.assert_array_equal(result.indexes["y"], np.arange(ROWS))


def test_what_is_not_there_is_missing_unless_optional(tmp_path: Path) -> None:
    variables = {"a": {"source": "A"}, "b": {"source": "B"}}
    data = xr.Dataset({"a": (("y", "x"), _plane())})
    _, missing = _write_and_read(tmp_path, _mapping(variables=variables), data)
    assert missing == ["m/b"]
    _, missing = _write_and_read(tmp_path, _mapping(variables=variables, optional=True), data)
    assert missing == []


def test_a_variable_of_other_dimensions_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "A.nc", "w") as sink:
        sink["A"] = np.zeros((2, 3, 4), np.int16)
    product = SafeProduct(list_folder(tmp_path), _mapping(variables={"a": {"source": "A"}}))
    with pytest.raises(InvalidInputError, match=r"A\.nc in .* has A of shape \(2, 3, 4\)"):
        read(product, product.mapping.groups[0])


def test_no_more_files_are_open_than_allowed_and_threads_read_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"v{number}" for number in range(12)]
    mapping = _mapping(variables={name: {"source": name} for name in names})
    planes = {name: (("y", "x"), _plane() + k) for k, name in enumerate(names)}
    monkeypatch.setattr(hdf5, "MAX_OPEN_FILES", 3)
    result, _ = _write_and_read(tmp_path, mapping, xr.Dataset(planes))
    with ThreadPoolExecutor(8) as pool:
        jobs = {name: [pool.submit(result[name].to_numpy) for _ in range(5)] for name in names}
    for k, name in enumerate(names):
        for job in jobs[name]:
            np.testing.assert_array_equal(job.result(), _plane() + k)
    assert len(hdf5._OPEN._files) <= 3


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    mapping = _mapping(variables={"a": {"source": "A"}})
    first, _ = _write_and_read(tmp_path, mapping, xr.Dataset({"a": (("y", "x"), _plane())}))
    first.load()
    (tmp_path / "A.nc").unlink()
    second, _ = _write_and_read(tmp_path, mapping, xr.Dataset({"a": (("y", "x"), _plane() + 9)}))
    np.testing.assert_array_equal(second["a"], _plane() + 9)


def test_one_number_or_text_is_a_variable_without_dimensions(tmp_path: Path) -> None:
    mapping = _mapping(variables={})
    scalars: dict[str, float | str] = {"gain": 2.5, "note": "simulated"}
    for name, value in scalars.items():
        write_scalar(SafeFolder(tmp_path, mapping, {}), "s.nc", name, value)
    product = SafeProduct(list_folder(tmp_path), mapping)
    assert read_scalar(product, "s.nc", "gain") == 2.5
    assert read_scalar(product, "s.nc", "note") == "simulated"
    assert read_scalar(product, "s.nc", "other") is None
    assert read_scalar(product, "t.nc", "gain") is None


@given(
    dtype=st.sampled_from(["uint8", "int16", "uint16", "int32", "uint32"]),
    scale=st.floats(1e-7, 10),
    offset=st.floats(-2, 2),
    seed=st.integers(0, 1000),
)
def test_every_number_survives_unpacking_and_packing(
    dtype: str, scale: float, offset: float, seed: int
) -> None:
    stored = np.dtype(dtype)
    limits = np.iinfo(stored)
    numbers = np.random.default_rng(seed).integers(
        limits.min, limits.max, 50, dtype=stored, endpoint=True
    )
    decoded = np.dtype(np.float32 if stored.itemsize <= 2 else np.float64)
    coding = Coding(scale, offset, (limits.max,), None, decoded)
    values = coding.decode(numbers)
    np.testing.assert_array_equal(np.isnan(values), numbers == limits.max)
    if stored.itemsize > 2 or abs(offset) < 100 * scale:  # else float32 cannot tell them apart
        np.testing.assert_array_equal(coding.encode(values, stored), numbers)


def test_a_measurement_never_becomes_a_gap() -> None:
    coding = Coding(1.0, 0.0, (255.0,), None, np.dtype(np.float32))
    packed = coding.encode(np.array([254.9, 300.0, -4.0, np.nan]), np.dtype(np.uint8))
    assert packed.tolist() == [254, 254, 0, 255]
