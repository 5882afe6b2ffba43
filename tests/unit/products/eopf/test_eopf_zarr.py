"""EOPF Zarr: what is written comes back as it was, in both profiles and both formats."""

import json
from pathlib import Path
from typing import Any

import dask.array as da
import distributed
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS
from tests.examples import examples

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.products.coding.json_values import from_json, to_json
from skerry.products.eopf.writing import write_eopf_zarr
from skerry.products.healing.profiles import PROFILES
from skerry.products.zarr_opening import open_zarr_product

pytestmark = pytest.mark.slow

FORMS = [(profile, number) for profile in PROFILES for number in (2, 3)]


def make_product(product_type: str = "S02MSIL2A") -> xr.DataTree:
    """Make a small product with one of each kind of variable."""
    numbers = np.arange(100 * 120).reshape(100, 120) % 20_000
    values = np.where(numbers == 0, np.nan, numbers * 1e-4 - 0.1).astype(np.float32)
    bands = xr.Dataset(
        {
            "b02": (("y", "x"), da.from_array(values, chunks=50), {"units": "1", "long_name": "b"}),
            "scl": (("y", "x"), (numbers % 11).astype(np.uint8), {"flag_meanings": "a b"}),
        },
        coords={
            "x": np.arange(120) * 10.0 + 5,
            "y": -np.arange(100) * 10.0 + 5,
            "number": ((), 3),
            "spatial_ref": ((), np.int32(0), {"crs_wkt": CRS(32633).to_wkt()}),
        },
    )
    bands["b02"].encoding = {
        "dtype": "uint16", "scale_factor": 1e-4, "add_offset": -0.1, "_FillValue": 0,
        "grid_mapping": "spatial_ref", "chunks": (64, 64),
    }  # fmt: skip
    moments = np.array(["2020-01-01", "NaT", "2021-01-01T00:00:00.123456789"], "M8[ns]")
    mixed = xr.Dataset(
        {
            "flag": ("a", np.array([True, False, True])),
            "moment": ("a", moments),
            "elapsed": ("a", np.array([1, 2, 3], "m8[ns]")),
            "word": ("a", np.array(["ä", "bcd", ""])),
            "wide": ("a", np.array([1.5, np.nan, 3])),
        },
        coords={"angle": ("angle", np.array(["zenith", "azimuth"]))},
    )
    mixed["wide"].encoding = {"dtype": "int32", "scale_factor": 0.5, "_FillValue": -999}
    tree = xr.DataTree.from_dict({"/measurements/r10m": bands, "/quality": mixed}, name="product")
    tree.attrs = {
        "title": "SIMULATED",
        "stac_discovery": {
            "id": "x",
            "properties": {"product:type": product_type, "datetime": "2026-01-01T00:00:00Z"},
        },
        "other_metadata": {
            "NUC_table_ID": 3, "mapping": "m", "missing": ["a"], "healed": [], "simulated": True,
            "b": b"\x00\xff", "far": [float("inf")], "a/b": 1, "selection": {},
        },
        "processing_history": {"L1": [{"processor": "p"}]},
    }  # fmt: skip
    return tree


def check_equal(found: xr.DataTree, expected: xr.DataTree) -> None:
    for node in expected.subtree:
        own, theirs = node.to_dataset(inherit=False), found[node.path].to_dataset(inherit=False)
        assert set(own.variables) == set(theirs.variables)
        assert set(own.coords) == set(theirs.coords)
        for name, variable in own.variables.items():
            other = theirs[name].variable
            assert other.dtype == variable.dtype, name
            assert other.dims == variable.dims
            assert other.attrs == variable.attrs
            np.testing.assert_array_equal(other.values, variable.values, strict=True)


@pytest.mark.parametrize(("profile", "zarr_format"), FORMS)
@pytest.mark.parametrize("product_type", ["S02MSIL2A", "S03OLCEFR", "other"])
def test_a_product_comes_back(
    tmp_path: Path, profile: str, zarr_format: int, product_type: str
) -> None:
    tree = make_product(product_type)
    write_eopf_zarr(tree, tmp_path / "a.zarr", zarr_format=zarr_format, profile=profile)
    once = open_zarr_product(tmp_path / "a.zarr")
    assert once.attrs == tree.attrs
    check_equal(once, tree)
    packing = {"dtype", "scale_factor", "add_offset", "_FillValue", "chunks", "grid_mapping"}
    encoding = once["measurements/r10m/b02"].encoding
    assert {key: encoding[key] for key in packing} == {
        "dtype": np.dtype(np.uint16), "scale_factor": 1e-4, "add_offset": -0.1, "_FillValue": 0,
        "chunks": (64, 64), "grid_mapping": "spatial_ref",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("conditions/mask/l2a_classification/r60m/scl", np.array([[1, 2], [3, 4]], np.uint8)),
        ("conditions/mask/l2a_classification/r20m/scl", np.array([[1, 2], [3, 4]], np.uint8)),
        ("quality/probability/r20m/cld", np.array([[1, 2], [3, 4]], np.uint8)),
        ("conditions/geometry/sun_angles", np.array([[[1.5]], [[np.nan]]], np.float32)),
    ],
)
def test_number_types_of_the_validator_are_turned_back(
    tmp_path: Path, path: str, values: np.ndarray[Any, Any]
) -> None:
    tree = make_product()
    group, _, name = path.rpartition("/")
    dims = ("angle", "y", "x")[-values.ndim :]
    tree[f"/{group}"] = xr.DataTree(xr.Dataset({name: (dims, values)}))
    write_eopf_zarr(tree, tmp_path / "a.zarr", zarr_format=2, profile="cpm-2.8")
    check_equal(open_zarr_product(tmp_path / "a.zarr"), tree)


@pytest.mark.parametrize("first", FORMS)
@pytest.mark.parametrize("second", FORMS)
def test_profiles_and_formats_turn_into_each_other(
    tmp_path: Path, first: tuple[str, int], second: tuple[str, int]
) -> None:
    tree = make_product()
    for number, (profile, zarr_format) in enumerate((first, second)):
        place = tmp_path / f"{number}.zarr"
        write_eopf_zarr(tree, place, profile=profile, zarr_format=zarr_format)
        tree = open_zarr_product(place)
    assert tree.attrs == make_product().attrs
    check_equal(tree, make_product())


def test_packed_numbers_stay_packed_and_simulated_shows(tmp_path: Path) -> None:
    write_eopf_zarr(make_product(), tmp_path / "a.zarr", zarr_format=2, profile="cpm-2.8")
    root = zarr.open_group(tmp_path / "a.zarr", mode="r", zarr_format=2)
    array = root["measurements/r10m/b02"]
    assert isinstance(array, zarr.Array)
    assert (array.dtype, array.fill_value) == (np.uint16, 0)
    assert np.asarray(array[0, :3]).tolist() == [0, 1, 2]
    history: Any = root.attrs["processing_history"]
    assert history["skerry"][0]["simulated"] is True
    assert "simulated" not in root.attrs["other_metadata"]  # type: ignore[operator]
    assert (tmp_path / "a.zarr/.zmetadata").is_file()


def test_an_untouched_chunk_is_copied_and_a_changed_variable_is_encoded(tmp_path: Path) -> None:
    write_eopf_zarr(make_product(), tmp_path / "a.zarr", zarr_format=2)
    tree = open_zarr_product(tmp_path / "a.zarr")
    tree["quality/wide"] = tree["quality/wide"] + 1.0
    write_eopf_zarr(tree, tmp_path / "b.zarr", zarr_format=2)
    chunk = "measurements/r10m/b02/1.1"
    assert (tmp_path / "a.zarr" / chunk).read_bytes() == (tmp_path / "b.zarr" / chunk).read_bytes()
    again = open_zarr_product(tmp_path / "b.zarr")
    np.testing.assert_array_equal(again["quality/wide"].values, [2.5, np.nan, 4])


def test_numbers_without_dimensions_are_plain_arrays(tmp_path: Path) -> None:
    """A sharded number without dimensions hides the reference system from GDAL."""
    write_eopf_zarr(make_product(), tmp_path / "a.zarr", shard=512)
    members = dict(zarr.open_group(tmp_path / "a.zarr", mode="r").members(max_depth=None))
    plain = [item for item in members.values() if isinstance(item, zarr.Array) and not item.ndim]
    assert plain
    assert all(array.shards is None for array in plain)


@pytest.mark.parametrize("codec", ["none", "zstd:3", "blosc-lz4:1:byte", "gzip:1"])
def test_a_codec_is_replaced(tmp_path: Path, codec: str) -> None:
    write_eopf_zarr(make_product(), tmp_path / "a.zarr", zarr_format=2)
    write_eopf_zarr(open_zarr_product(tmp_path / "a.zarr"), tmp_path / "b.zarr", codec=codec)
    check_equal(open_zarr_product(tmp_path / "b.zarr"), make_product())
    write_eopf_zarr(open_zarr_product(tmp_path / "b.zarr"), tmp_path / "c.zarr", zarr_format=2)
    check_equal(open_zarr_product(tmp_path / "c.zarr"), make_product())
    (chunk,) = (tmp_path / "b.zarr/measurements/r10m/b02/c").glob("0/0")
    chunk.write_bytes(chunk.read_bytes()[:30])
    with pytest.raises(InvalidInputError, match="b02"):
        write_eopf_zarr(
            open_zarr_product(tmp_path / "b.zarr"), tmp_path / "d.zarr", codec="blosc-zstd:5"
        )


def test_zarr_2_leaves_out_no_chunk_without_a_fill_value(tmp_path: Path) -> None:
    """Readers of zarr-python 2 give what was in memory for a chunk that is absent."""
    tree = make_product()
    tree["measurements/r10m/scl"] = xr.zeros_like(tree["measurements/r10m/scl"])
    write_eopf_zarr(tree, tmp_path / "a.zarr", zarr_format=2)
    write_eopf_zarr(tree, tmp_path / "b.zarr")
    stored = open_zarr_product(tmp_path / "b.zarr")
    write_eopf_zarr(stored, tmp_path / "c.zarr", zarr_format=2)
    write_eopf_zarr(stored, tmp_path / "d.zarr", zarr_format=2, codec="zlib:1")
    assert not (tmp_path / "b.zarr/measurements/r10m/scl/c").exists()
    for name in ("a.zarr", "c.zarr", "d.zarr"):
        array = zarr.open_array(tmp_path / name / "measurements/r10m/scl", mode="r")
        assert array.fill_value is None
        assert array.nchunks_initialized == array.nchunks
        assert not np.any(array[...])


@pytest.mark.parametrize("keep", [0, 5, 40])
def test_a_chunk_cut_short_is_refused(tmp_path: Path, keep: int) -> None:
    write_eopf_zarr(make_product(), tmp_path / "a.zarr", zarr_format=2)
    chunk = tmp_path / "a.zarr/measurements/r10m/b02/0.0"
    chunk.write_bytes(chunk.read_bytes()[:keep])
    tree = open_zarr_product(tmp_path / "a.zarr")
    with pytest.raises(InvalidInputError, match="b02"):
        write_eopf_zarr(tree, tmp_path / "b.zarr", zarr_format=2)
    with pytest.raises(InvalidInputError, match="b02"):
        tree["measurements/r10m/b02"].compute()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zarr"]


def test_options_replace_chunks_shards_and_codec(tmp_path: Path) -> None:
    tree = make_product()
    write_eopf_zarr(
        tree, tmp_path / "a.zarr", chunk={"y": 20, "x": 30}, shard={"y": 40, "x": 60},
        codec="zstd:5",
    )  # fmt: skip
    array = zarr.open_array(tmp_path / "a.zarr/measurements/r10m/b02", mode="r")
    assert (array.chunks, array.shards) == ((20, 30), (40, 60))
    assert array.compressors[0].to_dict()["configuration"]["level"] == 5  # type: ignore[union-attr,call-overload,index]
    check_equal(open_zarr_product(tmp_path / "a.zarr"), tree)
    # From shards back to chunks of another shape: the stored numbers, not their bytes.
    write_eopf_zarr(
        open_zarr_product(tmp_path / "a.zarr"), tmp_path / "b.zarr", zarr_format=2, chunk={"y": 33}
    )
    check_equal(open_zarr_product(tmp_path / "b.zarr"), tree)


def test_bad_options_are_refused(tmp_path: Path) -> None:
    tree = make_product()
    for options in (
        {"profile": "2024"}, {"zarr_format": 1}, {"zarr_format": 2, "shard": {"y": 10}},
        {"chunk": {"y": 0}}, {"chunk": {"y": 20}, "shard": {"y": 30}}, {"codec": "rar"},
    ):  # fmt: skip
        with pytest.raises(InvalidInputError):
            write_eopf_zarr(tree, tmp_path / "a.zarr", **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(ConflictError):
        write_eopf_zarr(tree, tmp_path / "a.zarr")


def test_attributes_are_strict_json(tmp_path: Path) -> None:
    write_eopf_zarr(make_product("other"), tmp_path / "a.zarr", zarr_format=2)

    def refuse(text: str) -> None:
        raise AssertionError(text)

    for document in tmp_path.rglob(".zattrs"):
        json.loads(document.read_text(), parse_constant=refuse)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=examples(100), deadline=None)
@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_any_attribute_comes_back(attrs: dict[str, Any]) -> None:
    values, types = to_json(attrs)
    back = from_json(json.loads(json.dumps(values, allow_nan=False)), types)
    assert repr(back) == repr(attrs)


def test_a_distributed_client_writes_through_its_workers(tmp_path: Path) -> None:
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
    ):
        write_eopf_zarr(make_product(), tmp_path / "a.zarr")
    check_equal(open_zarr_product(tmp_path / "a.zarr"), make_product())
