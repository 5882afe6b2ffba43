"""NetCDF-4 files: what other readers see, what does not fit, what is damaged."""

from pathlib import Path

import dask.array as da
import h5py
import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401 -- makes .rio
import xarray as xr
from tests.unit.products.small_trees import EVERYTHING, assemble

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.products import open_product, write_netcdf
from skerry.products.coding import sizes
from skerry.validation import validate_product

BAND = "measurements/r10m/p2"


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    return assemble(2, 40, 30, EVERYTHING | {"packings": [2], "plain": ["f4"]})


@pytest.fixture(scope="module")
def written(tree: xr.DataTree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("netcdf") / "small.nc"
    write_netcdf(tree, path)
    return path


@pytest.mark.slow
def test_plain_xarray_reads_it(tree: xr.DataTree, written: Path) -> None:
    with xr.open_datatree(written, engine="h5netcdf", decode_coords="all") as plain:
        assert plain.attrs["Conventions"] == "CF-1.11"
        np.testing.assert_allclose(plain[BAND], tree[BAND], rtol=1e-6)
        assert plain["measurements/r10m/mask"].dtype == bool
        table = plain["conditions/tables"]
        assert np.array_equal(
            table["quality"].to_numpy().astype(str), tree["conditions/tables/quality"]
        )
        xr.testing.assert_equal(table["time_stamp"].load(), tree["conditions/tables/time_stamp"])


def test_gdal_reads_it(tree: xr.DataTree, written: Path) -> None:
    with rasterio.open(f'NETCDF:"{written}":/{BAND}') as file:
        assert file.crs.to_epsg() == 32633
        assert (file.scales[0], file.offsets[0], file.nodata) == (1e-4, -0.1, 0)
        numbers = file.read(1)
        values = numbers * file.scales[0] + file.offsets[0]
        values[numbers == 0] = np.nan
    np.testing.assert_allclose(values, tree[BAND], rtol=1e-6)


def test_rioxarray_places_it(tree: xr.DataTree, written: Path) -> None:
    data = xr.open_dataset(written, group="measurements/r10m", decode_coords="all")
    assert data.rio.crs.to_epsg() == 32633
    assert data.rio.bounds() == (399_960, 6_000_000 - 400, 399_960 + 300, 6_000_000)
    data.close()


def test_a_flat_file_of_others(tmp_path: Path) -> None:
    data = xr.Dataset(
        {"sst": (("time", "y", "x"), np.full((2, 3, 4), 285.25, np.float32), {"units": "K"})},
        coords={"time": np.array(["2026-05-01", "2026-05-02"], "datetime64[ns]")},
        attrs={"title": "flat"},
    )
    packing = {"dtype": "int16", "scale_factor": 0.01, "add_offset": 273.15, "_FillValue": -1}
    data.to_netcdf(
        tmp_path / "flat.nc", engine="h5netcdf", encoding={"sst": packing}, unlimited_dims=["time"]
    )
    result = open_product(tmp_path / "flat.nc")
    assert result.name == "flat"
    assert result["sst"].data.__class__ is da.Array
    np.testing.assert_allclose(result["sst"], data["sst"], atol=0.005)
    assert np.array_equal(result["time"], data["time"])
    assert result["sst"].encoding["scale_factor"] == 0.01
    write_netcdf(result, tmp_path / "again.nc")
    with h5py.File(tmp_path / "again.nc") as file:
        assert file["sst"].maxshape[0] is None
    xr.testing.assert_identical(
        open_product(tmp_path / "again.nc")["sst"].compute(), result["sst"].compute()
    )


def test_attributes_that_netcdf_does_not_know(tmp_path: Path) -> None:
    attrs = {
        "dictionary": {"a": [1, None, {"b": True}]}, "one": [1], "none": None, "true": True,
        "mixed": [1, "a"], "empty": [], "text": "ü", "long": "x" * 200_000, "nan": float("nan"),
        "numbers": [1, 2], "floats": [0.1, 2.0], "wide": 2**40, "proj:code": "EPSG:32633",
    }  # fmt: skip
    data = xr.Dataset({"a": ((), 1.0, attrs)}, attrs=attrs)
    write_netcdf(data, tmp_path / "a.nc")
    result = open_product(tmp_path / "a.nc")
    for item in (result.attrs, result["a"].attrs):
        assert np.isnan(item.pop("nan"))
        assert item == {key: value for key, value in attrs.items() if key != "nan"}


def test_nothing_is_left_when_writing_breaks(tree: xr.DataTree, tmp_path: Path) -> None:
    def stop(_fraction: float, _what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_netcdf(tree, tmp_path / "half.nc", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_progress_grows_to_one(tree: xr.DataTree, tmp_path: Path) -> None:
    seen: list[float] = []
    write_netcdf(tree, tmp_path / "p.nc", progress=lambda done, _name: seen.append(done))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_an_existing_file_is_left_alone(tree: xr.DataTree, tmp_path: Path) -> None:
    (tmp_path / "p.nc").write_text("mine")
    with pytest.raises(ConflictError, match=r"p\.nc"):
        write_netcdf(tree, tmp_path / "p.nc")
    assert (tmp_path / "p.nc").read_text() == "mine"


@pytest.mark.parametrize("kept", [4, 1000, 0.5, 0.99])
def test_a_truncated_file(kept: float, written: Path, tmp_path: Path) -> None:
    data = written.read_bytes()
    (tmp_path / "cut.nc").write_bytes(data[: int(kept if kept > 1 else kept * len(data))])
    with pytest.raises(InvalidInputError, match=r"cut\.nc"):
        open_product(tmp_path / "cut.nc")


def test_a_damaged_chunk_is_named(written: Path, tmp_path: Path) -> None:
    with h5py.File(written) as file:
        chunk = file[BAND].id.get_chunk_info(0)
    data = bytearray(written.read_bytes())
    data[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    (tmp_path / "damaged.nc").write_bytes(data)
    band = open_product(tmp_path / "damaged.nc")[BAND]
    with pytest.raises(InvalidInputError, match=r"damaged\.nc"):
        band.compute()


def test_an_attribute_too_large_for_metadata_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "large.nc"
    data = xr.Dataset({"a": ("x", [1.0, 2.0], {"comment": "x" * 2000})})
    data.to_netcdf(place, engine="h5netcdf")
    assert "a" in open_product(place).dataset
    monkeypatch.setattr("skerry.products.coding.cf.MAX_METADATA_BYTES", 1000)
    with pytest.raises(InvalidInputError, match=r"comment of /a in .* 2000 bytes"):
        open_product(place)


def test_attributes_too_large_for_metadata_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "MAX_METADATA_BYTES", 2**20)
    path = tmp_path / "large.nc"
    with h5py.File(path, "w", libver="latest") as file:
        file["band"] = np.zeros(4)
        file["band"].attrs["units"] = "1"
        file["band"].attrs["history"] = np.zeros(2**21, np.uint8)
    for read in (open_product, validate_product):
        with pytest.raises(InvalidInputError, match=r"/band in .*large.nc .* has 2\d+ bytes"):
            read(path)
    with h5py.File(path, "a") as file:
        del file["band"].attrs["history"]
    assert open_product(path)["band"].attrs["units"] == "1"
