"""Attributes of products, groups and variables: every format keeps them, whatever they are."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.examples import examples
from tests.unit.products.small_trees import place

from skerry.core.errors import InvalidInputError, SkerryError
from skerry.products import open_product
from skerry.products.coding.json_values import MAX_BITS, MAX_DEPTH
from skerry.products.writing import FORMATS, write_product
from skerry.validation import validate_product

pytestmark = pytest.mark.slow

SHAPE = (5, 4)
ROOT = {"stac_discovery": {"id": "p"}, "other_metadata": {"simulated": True}}
PLACES = ("/", "/measurements", "/measurements/plain", "/measurements/packed")


def make_tree(attrs: Mapping[Any, Any] | None = None, **of_plain: Any) -> xr.DataTree:
    """Return a product that has some attributes everywhere, and others on one variable."""
    attrs = dict(attrs or {})
    values = np.arange(20.0, dtype="f4").reshape(SHAPE)
    packed = xr.Variable(("y", "x"), values, dict(attrs))
    packed.encoding = {
        "dtype": np.dtype("i2"), "scale_factor": 0.5, "add_offset": 0.0, "_FillValue": -1,
    }  # fmt: skip
    plain = xr.Variable(("y", "x"), values, attrs | of_plain)
    for item in (plain, packed):
        item.encoding["grid_mapping"] = "spatial_ref"
    data = xr.Dataset({"plain": plain, "packed": packed}, place(*SHAPE, 10.0), attrs)
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs | ROOT), "/measurements": data})


def trip(tree: xr.DataTree, folder: Path, form: str, **options: Any) -> xr.DataTree:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"p.{form}"
    write_product(tree, target, form=form, **options)
    return open_product(target)


def expect(value: Any) -> Any:
    """Return what an attribute is when read: lists for arrays and tuples, text for times."""
    if isinstance(value, np.ndarray | np.generic) and not isinstance(value, bytes):
        return expect(value.astype(str).tolist() if value.dtype.kind == "M" else value.tolist())
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(key): expect(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [expect(item) for item in value]
    return value


def show(value: Any) -> str:
    """Return a value as text in which types differ and NaN is NaN, in any order of names."""
    if isinstance(value, dict):
        return repr(sorted((key, show(item)) for key, item in value.items()))
    if isinstance(value, list):
        return repr([show(item) for item in value])
    return f"{type(value).__name__} {value!r}"


def check(tree: xr.DataTree, attrs: Mapping[Any, Any]) -> None:
    """Attributes are everywhere as they were, and the values are what they were."""
    for where in PLACES:
        actual = tree[where].attrs
        expected = {str(key): expect(item) for key, item in attrs.items()}
        expected |= ROOT if where == "/" else {}
        assert show(dict(actual)) == show(expected), where
    data = tree["/measurements"].to_dataset()
    for name in ("plain", "packed"):
        assert data[name].dtype == np.float32
        assert (data[name].to_numpy() == np.arange(20.0).reshape(SHAPE)).all()


# What is drawn ------------------------------------------------------------------------------

TAKEN = (
    "dtype", "coordinates", "json_types", "json_attributes", "kept_attributes", "multiscales",
    "zarr_conventions", "proj:code", "spatial:shape", "Conventions", "calendar", "dimensions",
    "short_name", "fill_value", "decoded_dtype", "decoded", "_eopf_attrs", "_cf_attrs",
    "_ARRAY_DIMENSIONS", "_NCProperties", "DIMENSION_LIST", "CLASS", "NAME", "_Netcdf4Dimid",
    "bounds", "eopf_is_scaled", "long_name", "comment", "valid_min", "valid_max", "valid_range",
)  # fmt: skip
"""Names that mean something to a format."""
ODD = ("a b", "a/b", "/", "~", "~1", ".", "Ü", "a\0b", "\ud800", "json_types x", "[", "1", "x.y")
numbers = (
    st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from([2**31, -(2**31), 2**63 - 1, -(2**63), 2**63, 2**64, 10**400, -0.0, 5e-324])
)
texts = st.text(max_size=6) | st.sampled_from(
    ["", "NaN", "a b", "\0", "[1]", "\ud800", "x" * 70000]
)
singles = st.none() | st.booleans() | numbers | texts | st.binary(max_size=4)
arrays = st.sampled_from(
    [
        np.arange(3), np.arange(4.0).reshape(2, 2), np.array([1.5, np.nan], "f4"), np.float32(0.1),
        np.int8(-3), np.uint64(2**64 - 1), np.bool_(True), np.array([True, False]), np.zeros(0),
        np.array(["a", "bc"]), np.str_("ü"), np.array([b"a", b"\xff"]), np.bytes_(b"x"),
        np.datetime64("2026-05-01T10:06"), np.array(["2026-05-01", "NaT"], "M8[ns]"),
        datetime(2026, 5, 1, tzinfo=UTC), date(2026, 5, 1), np.array(3), float("inf"), (1, 2.5),
    ]
)  # fmt: skip
values = st.recursive(
    singles | arrays,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.sampled_from(ODD + TAKEN), inner, max_size=3)
        | st.lists(st.floats(), min_size=1, max_size=3)
        | st.lists(st.integers(), min_size=1, max_size=3)
        | st.lists(texts, min_size=1, max_size=3)
    ),
    max_leaves=6,
)
HEALED = frozenset((
    "units", "data_units", "unit", "standard_name", "flag_values", "flag_masks", "flag_meanings",
    "scale_factor", "add_offset", "_FillValue", "grid_mapping", *ROOT, "processing_history",
))  # fmt: skip
names = (st.text(max_size=5) | st.sampled_from(ODD + TAKEN)).filter(lambda item: item not in HEALED)
attributes = st.dictionaries(names, values, max_size=8)


@pytest.mark.parametrize("first", FORMATS)
def test_every_pair_keeps_any_attribute(
    first: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    @seed(list(FORMATS).index(first))
    @settings(
        max_examples=examples(8), deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(attrs=attributes)
    def hold(attrs: dict[str, Any]) -> None:
        folder = tmp_path_factory.mktemp("pair")
        one = trip(make_tree(attrs), folder, first)
        check(one, attrs)
        for second in FORMATS:
            check(trip(one, folder / second, second), attrs)

    hold()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("value", ["bool", None, {"a": [float("nan")]}, 7])
def test_every_name_is_kept(value: Any, form: str, tmp_path: Path) -> None:
    attrs = dict.fromkeys((*TAKEN, *ODD, ""), value)
    check(trip(make_tree(attrs), tmp_path, form), attrs)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "value", [1 + 2j, object(), Path("a"), [{"a": 1j}], 1 << MAX_BITS, {1: 2, "1": 3}, "deep"]
)
def test_what_no_file_can_hold_is_refused(value: Any, form: str, tmp_path: Path) -> None:
    if value == "deep":
        for _ in range(MAX_DEPTH + 1):
            value = [value]
    for where in PLACES:
        tree = make_tree()
        tree[where].attrs["odd one"] = value
        with pytest.raises(InvalidInputError, match=r"odd one|no file can hold"):
            trip(tree, tmp_path, form)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", FORMATS)
def test_documents_are_strict_json(form: str, tmp_path: Path) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    attrs = {"a": float("nan"), "b": [float("inf"), {"c": -np.inf}], "d": b"\xff"}
    check(trip(make_tree(attrs), tmp_path, form), attrs)
    product = tmp_path / f"p.{form}"
    for file in product.rglob("*"):
        if file.name in ("zarr.json", "item.json", ".zattrs", ".zmetadata"):
            json.loads(file.read_text(), parse_constant=refuse)
    report = validate_product(product)
    assert "structure.json" not in {item.check for item in report.failed}


KNOWN = ("stac_discovery", "other_metadata", "processing_history")
discoveries = st.dictionaries(
    st.sampled_from([
        "id", "type", "geometry", "bbox", "properties", "assets", "links", "stac_extensions",
        "stac_version", "collection",
    ]),
    values | st.dictionaries(st.sampled_from(["datetime", "proj:code", "title"]), values),
    max_size=4,
)  # fmt: skip


@pytest.mark.parametrize(
    ("form", "profile"),
    [
        *((form, None) for form in FORMATS),
        ("eopf-zarr", "cpm-2.8"),
    ],
)
def test_odd_items_and_metadata_are_written_or_refused(
    form: str, profile: str | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    @seed(7)
    @settings(
        max_examples=examples(25), deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(attrs=st.dictionaries(st.sampled_from(KNOWN), values | discoveries))
    def hold(attrs: dict[str, Any]) -> None:
        tree = make_tree()
        tree.attrs |= attrs
        try:
            back = trip(tree, tmp_path_factory.mktemp("odd"), form, profile=profile)
        except SkerryError:
            return
        assert set(back.groups) == set(tree.groups)

    hold()


# Ranges, in NetCDF --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attrs", "kind"),
    [
        ({"valid_min": 0.5, "valid_max": 2.5}, "f8"),
        ({"valid_min": -1e6, "valid_max": 1e6}, "f8"),
        ({"valid_min": -70_000, "valid_max": 70_000}, "i4"),
        ({"valid_min": 0, "valid_max": 10}, "i2"),
        ({"valid_range": [0, 10]}, "i2"),
        ({"valid_range": [0.5, 10.0]}, "f8"),
    ],
)
def test_a_range_that_the_stored_type_does_not_hold_stays(
    attrs: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    tree = make_tree()
    tree["measurements/packed"].attrs |= attrs
    back = trip(tree, tmp_path, "netcdf")
    assert show(dict(back["measurements/packed"].attrs)) == show(attrs)
    with h5py.File(tmp_path / "p.netcdf") as file:
        for name in attrs:
            assert file["measurements/packed"].attrs[name].dtype == kind


def test_names_of_json_in_files_of_before_are_read(tmp_path: Path) -> None:
    write_product(make_tree({"a": {"b": 1}, "c": [1]}), tmp_path / "p.netcdf", form="netcdf")
    with h5py.File(tmp_path / "p.netcdf", "a") as file:
        for where in PLACES:
            listed = json.loads(file[where].attrs["json_attributes"])
            file[where].attrs["json_attributes"] = " ".join(listed)
    check(open_product(tmp_path / "p.netcdf"), {"a": {"b": 1}, "c": [1]})


@pytest.mark.parametrize("text", ['{"a"', "[1, 2]", '{"/q/1": "float"}', '{"/c": "float"}'])
def test_damaged_types_are_told(text: str, tmp_path: Path) -> None:
    write_product(make_tree({"a": {"b": 1}, "c": "x"}), tmp_path / "p.netcdf", form="netcdf")
    with h5py.File(tmp_path / "p.netcdf", "a") as file:
        file["measurements"].attrs["json_types"] = text
    with pytest.raises(InvalidInputError, match=r"p\.netcdf"):
        open_product(tmp_path / "p.netcdf")


@pytest.mark.parametrize("form", FORMATS)
def test_units_of_numbers_that_are_not_times(form: str, tmp_path: Path) -> None:
    tree = make_tree({}, units="days since 2000-01-01", calendar="standard")
    back = trip(tree, tmp_path, form)["measurements/plain"]
    assert back.dtype == np.float32
    assert back.attrs == {"units": "days since 2000-01-01", "calendar": "standard"}


# Shards, empty products, odd targets --------------------------------------------------------


@pytest.mark.parametrize("form", ["eopf-zarr", "geozarr"])
def test_shards_are_whole_chunks_of_each_variable(form: str, tmp_path: Path) -> None:
    values = np.ones((300, 300), "f4")
    one = xr.Variable(("y", "x"), values, encoding={"chunks": (100, 100)})
    tree = xr.DataTree(xr.Dataset({"a": one}, place(300, 300, 10.0)))
    back = trip(tree, tmp_path / "a", form, shard=200)
    assert back["a"].variable.encoding["shards"] == (200, 200)
    with pytest.raises(InvalidInputError, match="150"):
        trip(tree, tmp_path / "b", form, shard=150)
    assert list((tmp_path / "b").iterdir()) == []


@pytest.mark.parametrize("form", FORMATS)
def test_dimensions_without_elements(form: str, tmp_path: Path) -> None:
    tree = make_tree()
    group = xr.Dataset(
        {
            "a": ("z", np.zeros(0, "f4")),
            "b": ("z", np.zeros(0, "U3")),
            "c": ("z", np.zeros(0, "i2")),
        }
    )
    bands = xr.Dataset({"d": (("z", "y", "x"), np.zeros((0, *SHAPE), "i2"))}, place(*SHAPE, 10.0))
    tree = xr.DataTree.from_dict(
        {"/": tree.to_dataset(), "/measurements": tree["measurements"].to_dataset(),
         "/tables": group, "/bands": bands}
    )  # fmt: skip
    target = tmp_path / "p"
    left_out = write_product(tree, target, form=form)
    assert bool(left_out) == (form == "cog")
    back = open_product(target)
    for where in ("tables/a", "tables/b", "tables/c", "bands/d"):
        if where not in left_out:
            assert back[where].shape == tree[where].shape
            assert back[where].dtype.kind in (
                "UOT" if where == "tables/b" else tree[where].dtype.kind
            )


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("axes", [("y",), ("y", "x")])
def test_a_product_without_pixels(axes: tuple[str, ...], form: str, tmp_path: Path) -> None:
    full = make_tree()
    data = full["measurements"].to_dataset().isel(dict.fromkeys(axes, slice(0, 0)))
    tree = xr.DataTree.from_dict({"/": full.to_dataset(), "/measurements": data})
    if form in ("geozarr", "cog"):
        with pytest.raises(InvalidInputError, match="has no pixel"):
            write_product(tree, tmp_path / "p", form=form)
        assert list(tmp_path.iterdir()) == []
        return
    back = trip(tree, tmp_path, form)["measurements"]
    assert dict(back.sizes) == dict(data.sizes)
    assert back["packed"].dtype == np.float32


@pytest.mark.parametrize("form", FORMATS)
def test_objects_that_are_not_text(form: str, tmp_path: Path) -> None:
    tree = make_tree()
    tree["measurements/t"] = ("y", np.array(["a", None, "b", "c", "d"], object))
    if form == "cog":
        assert "measurements/t" in write_product(tree, tmp_path / "p", form=form)
        return
    with pytest.raises(InvalidInputError, match=r"t.* holds objects"):
        write_product(tree, tmp_path / "p", form=form)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", FORMATS)
def test_targets_that_cannot_be(form: str, tmp_path: Path) -> None:
    for target in (tmp_path / ("n" * 250), Path("/proc/p")):
        with pytest.raises(SkerryError, match="cannot be written"):
            write_product(make_tree(), target, form=form)


@pytest.mark.parametrize("form", FORMATS)
def test_a_relative_path_that_looks_like_an_address(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("http:").mkdir()
    write_product(make_tree({"a": 1}), Path("http:/p"), form=form)
    check(open_product(Path("http:/p")), {"a": 1})
