"""What each format holds, line by line of the table in the library's pages, and pair by pair."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, Phase, given, settings
from tests.unit.products.small_trees import EVERYTHING, assemble, place, trees

from skerry.core.errors import InvalidInputError
from skerry.products import open_product
from skerry.products.codecs import codec_of, parse_codec
from skerry.products.writing import FORMATS, write_product

PAGE = Path(__file__).parents[3] / "platform" / "library" / "formats.md"
PACKING = ("scale_factor", "add_offset", "_FillValue")


def read_table() -> dict[str, dict[str, str]]:
    """Return the page's table: line to format to what happens."""
    lines = PAGE.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| what | eopf-zarr-v2"))
    names = [one.strip() for one in lines[start].strip("|").split("|")][1:]
    table = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        what, *cells = (one.strip() for one in line.strip("|").split("|"))
        table[what] = dict(zip(names, cells, strict=True))
    return table


TABLE = read_table()


def cells(what: str) -> list[tuple[str, str]]:
    return list(TABLE[what].items())


def write_and_open(tree: xr.DataTree, folder: Path, form: str, **options: Any) -> xr.DataTree:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"small.{form}"
    write_product(tree, target, form=form, **options)
    return open_product(target)


def expect(tree: xr.DataTree, form: str) -> dict[str, xr.Dataset]:
    """Return what a tree is after a format, as the table says."""
    kept = {}
    for node in tree.subtree:
        data = node.to_dataset(inherit=False)
        if form == "cog":
            assert TABLE["texts"][form] == TABLE["times"][form] == "left out"
            data = data[[one for one in data.data_vars if {"y", "x"} <= set(data[one].dims)]]
            data = data.drop_vars(
                [one for one in data.coords if not is_raster_coordinate(data, one)]
            )
        kept[node.path] = data
    return kept


def is_raster_coordinate(data: xr.Dataset, name: Any) -> bool:
    return bool(data.data_vars) and name in {"x", "y", "spatial_ref", "band"}


def check(before: Mapping[str, xr.Dataset], after: xr.DataTree, *forms: str) -> None:
    for path, wanted in before.items():
        found = after[path].to_dataset(inherit=False).compute()
        wanted_values = wanted.compute()
        names = [one for one in found.coords if one == "spatial_ref"]
        # The grid mapping's parameters are spelled anew by each format; the system is the same.
        xr.testing.assert_identical(
            without_attributes(found.drop_vars(names), path),
            without_attributes(wanted_values.drop_vars(names), path),
        )
        for name, one in wanted.variables.items():
            if name in names:
                continue
            assert found[name].dtype.kind == one.dtype.kind, (path, name)
            if one.dtype.kind not in "UOT":
                assert found[name].dtype == one.dtype, (path, name)
            check_encoding(after[path].variables[name].encoding, one, forms, f"{path}/{name}")
        if names:
            assert found.odc.crs == wanted.odc.crs


def without_attributes(data: xr.Dataset, path: str) -> xr.Dataset:
    if path == "/":
        kept = {key: data.attrs[key] for key in ("title",) if key in data.attrs}
        return data.assign_attrs(kept).drop_attrs(deep=False).assign_attrs(kept)
    return data


def check_encoding(
    found: dict[str, Any], wanted: xr.Variable, forms: tuple[str, ...], label: str
) -> None:
    if wanted.dtype.kind == "f":
        for key in PACKING:
            if wanted.encoding.get(key) is not None:
                assert found.get(key) == wanted.encoding[key], (label, key)
        if wanted.encoding.get("scale_factor") is not None:
            assert np.dtype(found["dtype"]) == wanted.encoding["dtype"], label
    if not {"y", "x"} <= set(wanted.dims):
        return
    codec = codec_of(wanted.encoding)
    chunks = wanted.encoding.get("chunks")
    for form in forms:
        plain_zlib = codec is not None and codec.name == "zlib" and codec.shuffle == "none"
        said = TABLE["codec zlib:5" if plain_zlib else f"codec {codec}"][form]
        codec = codec if said == "kept" else parse_codec(said)
        square = chunks is not None and chunks[-1] == chunks[-2] and chunks[-1] % 16 == 0
        if form == "cog":
            said = TABLE[
                "chunks that are squares of 16 n pixels" if square else "chunks of any size"
            ][form]
            edge = chunks[-1] if said == "kept" else int(said)
            chunks = (*(1,) * (wanted.ndim - 2), edge, edge)
        elif chunks is not None:
            chunks = tuple(min(a, b) for a, b in zip(chunks, wanted.shape, strict=True))
    assert codec_of(found) == codec, (label, forms)
    if chunks is not None:
        assert tuple(found["chunks"]) == tuple(chunks), (label, forms)


@pytest.mark.parametrize("second", FORMATS)
@pytest.mark.parametrize("first", FORMATS)
@settings(
    max_examples=2, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(tree=trees())
def test_every_pair(first: str, second: str, tree: xr.DataTree, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("pair")
    one = write_and_open(tree, folder / "a", first)
    check(expect(tree, first), one, first)
    two = write_and_open(one, folder / "b", second)
    wanted = {path: data for path, data in expect(tree, first).items() if path in set(one.groups)}
    both = expect(xr.DataTree.from_dict(wanted), second)
    check(both, two, first, second)


@pytest.fixture(scope="module")
def everything() -> xr.DataTree:
    return assemble(7, 45, 37, EVERYTHING)


@pytest.mark.parametrize("form", FORMATS)
def test_one_of_everything_comes_back(form: str, everything: xr.DataTree, tmp_path: Path) -> None:
    left_out = write_product(everything, tmp_path / "p", form=form)
    check(expect(everything, form), open_product(tmp_path / "p"), form)
    wanted = [
        "conditions/tables/angle", "conditions/tables/count", "conditions/tables/quality",
        "conditions/tables/single", "conditions/tables/sun_angles", "conditions/tables/time_stamp",
    ]  # fmt: skip
    assert sorted(left_out) == (wanted if TABLE["texts"][form] == "left out" else [])


@pytest.mark.parametrize(("form", "said"), cells("swaths (no grid)"))
def test_swaths(form: str, said: str, tmp_path: Path) -> None:
    rows = np.arange(12.0).reshape(3, 4)
    data = xr.Dataset(
        {"oa01_radiance": (("rows", "columns"), rows)},
        coords={"latitude": (("rows", "columns"), rows), "longitude": (("rows", "columns"), rows)},
    )
    tree = xr.DataTree.from_dict({"/measurements": data}, name="swath")
    if said == "refused":
        with pytest.raises(InvalidInputError, match="Regrid"):
            write_product(tree, tmp_path / "p", form=form)
        assert list(tmp_path.iterdir()) == []
    else:
        back = write_and_open(tree, tmp_path, form)
        found = back["measurements"].to_dataset().compute()
        xr.testing.assert_equal(found, data)
        assert set(found.coords) == {"latitude", "longitude"}


@pytest.mark.parametrize(("form", "said"), cells("half precision (float16)"))
def test_half_precision(form: str, said: str, tmp_path: Path) -> None:
    data = xr.Dataset(
        {
            "half": (("y", "x"), np.ones((4, 4), np.float16)),
            "other": (("y", "x"), np.ones((4, 4), np.float32)),
        },
        coords=place(4, 4, 10.0),
    )
    tree = xr.DataTree.from_dict({"/measurements": data}, name="half")
    if said == "refused":
        with pytest.raises(InvalidInputError, match="half"):
            write_product(tree, tmp_path / "p", form=form)
    elif said == "left out":
        assert write_product(tree, tmp_path / "p", form=form) == ["measurements/half"]
    else:
        back = write_and_open(tree, tmp_path, form)["measurements/half"]
        assert back.dtype == np.float16
        assert (back.to_numpy() == 1).all()


@pytest.mark.parametrize(("form", "said"), cells("shards asked for"))
def test_shards_asked_for(form: str, said: str, tmp_path: Path) -> None:
    tree = assemble(1, 64, 64, EVERYTHING | {"packings": [2], "plain": []})
    if said == "refused":
        with pytest.raises(InvalidInputError, match="shards"):
            write_product(tree, tmp_path / "p", form=form, chunk=16, shard=32)
        return
    back = write_and_open(tree, tmp_path, form, chunk=16, shard=32)
    found = back["measurements/r10m"].variables["p2"].encoding
    assert (found["chunks"], found["shards"]) == ((16, 16), (32, 32))
    check({"/conditions/tables": tree["conditions/tables"].to_dataset()}, back, form)
    xr.testing.assert_equal(
        back["measurements/r10m/p2"].compute(), tree["measurements/r10m/p2"].compute()
    )


@pytest.mark.parametrize(("form", "said"), cells("shards"))
def test_shards_that_were(form: str, said: str, tmp_path: Path) -> None:
    tree = assemble(1, 64, 64, EVERYTHING | {"packings": [2], "plain": []})
    sharded = write_and_open(tree, tmp_path / "a", "geozarr", chunk=16, shard=32)
    found = write_and_open(sharded, tmp_path / "b", form)["measurements/r10m"].variables["p2"]
    assert found.encoding.get("shards") == ((32, 32) if said == "kept" else None)


@pytest.mark.parametrize("form", FORMATS)
def test_chunks_and_codec_by_option(form: str, tmp_path: Path) -> None:
    tree = assemble(1, 40, 40, EVERYTHING | {"packings": [2], "plain": []})
    codec = "zlib:3" if form in ("netcdf", "cog") else "zstd:7"
    back = write_and_open(tree, tmp_path, form, chunk=32, codec=codec)
    found = back["measurements/r10m"].variables["p2"].encoding
    assert tuple(found["chunks"]) == (32, 32)
    assert str(codec_of(found)) == codec


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"form": "tiff"}, "tiff"),
        ({"form": "netcdf", "profile": "2025"}, "profiles"),
        ({"form": "eopf-zarr", "profile": "1999"}, "1999"),
        ({"form": "geozarr", "chunk": 0}, "chunk"),
        ({"form": "geozarr", "chunk": 32, "shard": 48}, "48"),
        ({"form": "geozarr", "codec": "rar:3"}, "rar:3"),
        ({"form": "geozarr", "codec": "zstd:99"}, "zstd:99"),
        ({"form": "netcdf", "codec": "zstd:3"}, "zstd:3"),
        ({"form": "cog", "codec": "blosc-lz4:5"}, "blosc-lz4:5"),
        ({"form": "cog", "chunk": 100}, "100"),
    ],
)
def test_wishes_that_cannot_be(options: dict[str, Any], what: str, tmp_path: Path) -> None:
    tree = assemble(1, 8, 8, EVERYTHING | {"packings": [2], "plain": []})
    with pytest.raises(InvalidInputError, match=what):
        write_product(tree, tmp_path / "p", **options)
    assert list(tmp_path.iterdir()) == []


def test_the_table_names_every_format() -> None:
    assert all(list(line) == list(next(iter(TABLE.values()))) for line in TABLE.values())
    assert set(next(iter(TABLE.values()))) == set(FORMATS)
