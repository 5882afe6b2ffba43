"""What each format holds: every line of the table in the library's pages, and every pair."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, Phase, given, seed, settings
from tests.examples import examples
from tests.unit.products.small_trees import (
    ATTRIBUTES,
    CHUNKS,
    CODECS,
    EVERYTHING,
    PACKINGS,
    PLAIN,
    RICH,
    SHARDS,
    Stratum,
    assemble,
    make_filled,
    make_flags,
    make_swath,
    make_tables,
    pack,
    place,
    plain,
    store,
    trees,
)

from skerry.core.errors import InvalidInputError
from skerry.products import open_product
from skerry.products.coding.codecs import codec_of, parse_codec
from skerry.products.writing import FORMATS, write_product

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "platform" / "library" / "formats.md"
PACKING = ("scale_factor", "add_offset", "_FillValue")
RESPELLED = "spatial_ref"
"""The grid mapping's parameters are spelled anew by each format; the system is the same."""
SQUARE = "chunks that are squares of 16 n pixels"


def read_table() -> dict[str, dict[str, str]]:
    """Return the page's table: line to format to what happens."""
    lines = PAGE.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| what | eopf-zarr-v2"))
    names = [part.strip() for part in lines[start].strip("|").split("|")][1:]
    table = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        what, *cells = (part.strip() for part in line.strip("|").split("|"))
        table[what] = dict(zip(names, cells, strict=True))
    return table


TABLE = read_table()


def write_and_open(tree: xr.DataTree, folder: Path, form: str, **options: Any) -> xr.DataTree:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"small.{form}"
    write_product(tree, target, form=form, **options)
    return open_product(target)


def expect(tree: xr.DataTree, form: str) -> dict[str, xr.Dataset]:
    """Return what a tree is after a format, as the table says."""
    groups = {}
    for node in tree.subtree:
        data = node.to_dataset(inherit=False)
        if form == "cog":
            others = ("texts", "times", "other numbers: tables, angles, single values")
            assert {TABLE[other][form] for other in others} == {"left out"}
            data = data[
                [variable for variable in data.data_vars if {"y", "x"} <= set(data[variable].dims)]
            ]
            data = data.drop_vars(
                [coord for coord in data.coords if not is_raster_coordinate(data, coord)]
            )
        groups[node.path] = data
    return groups


def is_raster_coordinate(data: xr.Dataset, name: Any) -> bool:
    has_pixels = any(variable.size for variable in data.data_vars.values())
    return has_pixels and name in {"x", "y", "spatial_ref", "band"}


def check(before: Mapping[str, xr.Dataset], after: xr.DataTree, *forms: str) -> None:
    """Groups, values, types, attributes of all three kinds and encodings are as before."""
    assert set(after.groups) == set(before)
    for path, expected in before.items():
        actual = after[path].to_dataset(inherit=False).compute()
        wanted_values = expected.compute()
        assert spell(actual.attrs) == spell(expected.attrs), path
        names = [coord for coord in actual.coords if coord == RESPELLED]
        xr.testing.assert_identical(
            actual.drop_vars(names).drop_attrs(deep=False),
            wanted_values.drop_vars(names).drop_attrs(deep=False),
        )
        for name, item in expected.variables.items():
            if name in names:
                continue
            label = f"{path}/{name}"
            assert spell(actual[name].attrs) == spell(item.attrs), label
            assert actual[name].dtype.kind == item.dtype.kind, label
            if item.dtype.kind not in "UOT":
                assert actual[name].dtype == item.dtype, label
            check_encoding(after[path].variables[name].encoding, item, forms, label)
        if names:
            assert actual.odc.crs == expected.odc.crs


def spell(attrs: Mapping[Any, Any]) -> str:
    """Return attributes as text in which 1, 1.0 and true differ."""
    return json.dumps(dict(attrs), sort_keys=True, indent=1)


def check_encoding(
    found: dict[str, Any], wanted: xr.Variable, forms: tuple[str, ...], label: str
) -> None:
    if wanted.dtype.kind in "iuf":
        for key in PACKING:
            is_gap = key == "_FillValue" and wanted.encoding.get(key) is None
            assert found.get(key) == wanted.encoding.get(key) or (
                is_gap and np.isnan(found[key])
            ), (label, key)
    if wanted.dtype.kind == "f" and wanted.encoding.get("scale_factor") is not None:
        assert np.dtype(found["dtype"]) == wanted.encoding["dtype"], label
    if not {"y", "x"} <= set(wanted.dims):
        return
    assert found.get("grid_mapping") == wanted.encoding.get("grid_mapping"), label
    codec, chunks, shards = expect_storage(wanted, forms)
    assert codec_of(found) == codec, (label, forms)
    if chunks is not None:
        assert tuple(found["chunks"]) == tuple(chunks), (label, forms)
        assert found.get("shards") == shards, (label, forms)


def expect_storage(wanted: xr.Variable, forms: tuple[str, ...]) -> Any:
    """Return codec, chunks and shards after some formats, as the table says."""
    codec = codec_of(wanted.encoding)
    chunks, shards = (wanted.encoding.get(key) for key in ("chunks", "shards"))
    for form in forms:
        plain_zlib = codec is not None and codec.name == "zlib" and codec.shuffle == "none"
        text = TABLE["codec zlib:5" if plain_zlib else f"codec {codec}"][form]
        codec = codec if text == "kept" else parse_codec(text)
        square = chunks is not None and chunks[-1] == chunks[-2] and chunks[-1] % 16 == 0
        if form == "cog":
            text = TABLE[SQUARE if square else "chunks of any size"][form]
            edge = chunks[-1] if text == "kept" else int(text)
            chunks = (*(1,) * (wanted.ndim - 2), edge, edge)
        elif chunks is not None:
            chunks = tuple(min(a, b) for a, b in zip(chunks, wanted.shape, strict=True))
        shards = shards if TABLE["shards"][form] == "kept" else None
    return codec, chunks, shards


# Every ordered pair -------------------------------------------------------------------------

PAIRS = [(first, second) for first in FORMATS for second in FORMATS]
RING = list(zip(FORMATS, [*list(FORMATS)[1:], *list(FORMATS)[:1]], strict=True))
"""Pairs in which each format is the first of one and the second of another."""
TRIED = [pair if pair in RING else pytest.param(*pair, marks=pytest.mark.long) for pair in PAIRS]
"""All pairs; on a working day the ring."""


def check_second(
    tree: xr.DataTree, one: xr.DataTree, folder: Path, first: str, second: str
) -> None:
    """What the first format kept of a tree, the second keeps as the table says."""
    two = write_and_open(one, folder, second)
    intermediate = xr.DataTree.from_dict(expect(tree, first))
    check(expect(intermediate, second), two, first, second)


@pytest.fixture(scope="module")
def rich() -> xr.DataTree:
    return assemble(7, 45, 37, RICH)


@pytest.fixture(scope="module")
def rich_products(
    rich: xr.DataTree, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, xr.DataTree]:
    """Return the rich tree as each format gives it back."""
    folder = tmp_path_factory.mktemp("rich")
    return {form: write_and_open(rich, folder, form) for form in FORMATS}


@pytest.mark.parametrize("form", FORMATS)
def test_a_rich_tree_comes_back(
    form: str, rich: xr.DataTree, rich_products: dict[str, xr.DataTree]
) -> None:
    check(expect(rich, form), rich_products[form], form)


@pytest.mark.parametrize(("first", "second"), TRIED)
def test_every_pair_keeps_a_rich_tree(
    first: str,
    second: str,
    rich: xr.DataTree,
    rich_products: dict[str, xr.DataTree],
    tmp_path: Path,
) -> None:
    check_second(rich, rich_products[first], tmp_path, first, second)


@pytest.mark.parametrize(("first", "second"), TRIED)
def test_every_pair_keeps_what_is_drawn(
    first: str, second: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    number = PAIRS.index((first, second))

    @seed(number)
    @settings(
        max_examples=examples(3), deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    @given(tree=trees(Stratum.of(number)))
    def hold(tree: xr.DataTree) -> None:
        folder = tmp_path_factory.mktemp("pair")
        one = write_and_open(tree, folder / "a", first)
        check(expect(tree, first), one, first)
        check_second(tree, one, folder / "b", first, second)

    hold()


def test_the_draws_have_everything() -> None:
    strata = [Stratum.of(number) for number in range(len(PAIRS))]
    for kind, full in enumerate((CODECS, CHUNKS, SHARDS)):
        assert {stratum.storage[kind] for stratum in strata} == set(full)
    assert {stratum.packing for stratum in strata} == set(range(len(PACKINGS)))
    assert {stratum.plain for stratum in strata} == set(PLAIN)
    assert set(RICH["storage"]) >= {stratum.storage for stratum in strata}


# Every line of the table --------------------------------------------------------------------

SHAPE = (40, 36)
ROOT = {"stac_discovery": {"id": "p"}, "other_metadata": {"simulated": True}}


def on_grid(variables: Mapping[str, xr.Variable], step: float = 10.0, **attrs: Any) -> xr.Dataset:
    """Return rasters of `SHAPE` on a grid, stored in the usual way."""
    for variable in variables.values():
        variable.encoding.setdefault("grid_mapping", RESPELLED)
        store(variable, "none", None, None)
    coords = place(*SHAPE, step)
    if any(variable.ndim > 2 for variable in variables.values()):
        coords["band"] = ("band", [1, 2, 3])
    return xr.Dataset(dict(variables), coords=coords, attrs=attrs)


def make_product(tested: xr.Dataset, where: str = "/measurements/tested") -> xr.DataTree:
    """Return a product with a raster that every format holds, and what is tested."""
    anchor = on_grid({"anchor": plain(np.random.default_rng(1), SHAPE, "f4")})
    root = xr.Dataset(attrs=ROOT)
    return xr.DataTree.from_dict({"/": root, "/measurements/anchor": anchor, where: tested})


def observe(tree: xr.DataTree, form: str, folder: Path) -> str:
    """Return what a format does: ``kept``, ``left out`` or ``refused``; fail if it is neither."""
    target = folder / "p"
    try:
        left_out = write_product(tree, target, form=form)
    except InvalidInputError:
        assert list(folder.iterdir()) == []
        return "refused"
    back = open_product(target)
    if not left_out:
        check({node.path: node.to_dataset(inherit=False) for node in tree.subtree}, back, form)
        return "kept"
    tested = next(node for node in tree.subtree if node.name == "tested")
    on_no_grid = [
        f"{tested.path.strip('/')}/{name}"
        for name in tested.to_dataset(inherit=False).variables
        if not is_raster_coordinate(tested.to_dataset(), name)
    ]
    assert sorted(left_out) == sorted(on_no_grid)
    rest = {node.path: node.to_dataset(inherit=False) for node in tree.subtree}
    rest[tested.path] = xr.Dataset(attrs=tested.attrs)
    check(rest, back, form)
    return "left out"


def observe_storage(form: str, folder: Path, key: str, *stored: Any) -> Any:
    """Return what a format makes of how a raster is stored: ``kept``, or what it is then."""
    one = plain(np.random.default_rng(2), SHAPE, "u2")
    store(one, *stored)
    tree = make_product(xr.Dataset({"one": one}, coords=place(*SHAPE, 10.0)))
    back = write_and_open(tree, folder, form)["measurements/tested"].to_dataset()
    assert (back["one"].to_numpy() == one.to_numpy()).all()
    result = back.variables["one"].encoding
    if key == "codec":
        same = codec_of(result) == codec_of(one.encoding)
        return "kept" if same else str(codec_of(result))
    if result.get(key) == one.encoding[key]:
        return "kept"
    if key not in result:
        return "dropped"
    (edge,) = set(result[key])
    return str(edge)


def observe_attributes(form: str, folder: Path, values: tuple[Any, ...]) -> str:
    """Return what a format does with attributes, each alone; it does the same with all."""
    seen = set()
    for number, value in enumerate(values):
        tree = make_product(on_grid({"one": plain(random(), SHAPE, "f4")}))
        places = ["measurements/tested/one"] + ["", "measurements/tested"] * (value is not None)
        for place_of in places:
            (tree[place_of] if place_of else tree).attrs["odd"] = value
        try:
            back = write_and_open(tree, folder / str(number), form)
        except InvalidInputError:
            assert list((folder / str(number)).iterdir()) == []
            seen.add("refused")
            continue
        for place_of in places:
            attrs = (back[place_of] if place_of else back).attrs
            is_there = "odd" in attrs
            assert not is_there or repr(attrs["odd"]) == repr(value)
            seen.add("kept" if is_there else "left out")
    (one,) = seen
    return one


def observe_shards_asked_for(form: str, folder: Path) -> str:
    tree = assemble(1, 64, 64, EVERYTHING | {"packings": [2], "plain": []})
    try:
        back = write_and_open(tree, folder, form, chunk=16, shard=32)
    except InvalidInputError:
        return "refused"
    result = back["measurements/r10m"].variables["p2"].encoding
    assert (result["chunks"], result["shards"]) == ((16, 16), (32, 32))
    xr.testing.assert_equal(
        back["measurements/r10m/p2"].compute(), tree["measurements/r10m/p2"].compute()
    )
    return "kept"


def make_numbers() -> xr.Dataset:
    return make_tables(random()).drop_vars(["time_stamp", "quality", "angle"])


def random() -> np.random.Generator:
    return np.random.default_rng(3)


def make_times() -> xr.Dataset:
    moments = make_tables(random())["time_stamp"].variable
    spans = np.array([0, 1, 86_400 * 10**9, "NaT"], "timedelta64[ns]")
    return xr.Dataset(
        {"moments": moments, "spans": ("k", spans), "moment": ((), moments[0].to_numpy())}
    )


def make_texts() -> xr.Dataset:
    return xr.Dataset(
        {"names": ("k", np.array(["PASSED", "", "Ü"])), "name": ((), np.array("one"))},
        coords={"k": ("k", np.array(["zenith", "azimuth", "a b"]))},
    )


def make_resolutions() -> xr.DataTree:
    groups = {
        f"/measurements/r{step}m": on_grid({"b": plain(random(), SHAPE, "f4")}, float(step))
        for step in (10, 20, 60)
    }
    return xr.DataTree.from_dict(groups | {"/": make_product(xr.Dataset()).to_dataset()})


def make_attributes() -> xr.DataTree:
    one = plain(random(), SHAPE, "f4")
    one.attrs = {"long_name": "a b", **ATTRIBUTES}
    tree = make_product(on_grid({"one": one}, **ATTRIBUTES))
    tree.attrs |= ATTRIBUTES | {"history": "made", "other_metadata": dict(ATTRIBUTES)}
    tree["measurements"].attrs = dict(ATTRIBUTES)
    return tree


def make_plain(*types: str) -> xr.Dataset:
    bands = xr.Variable(("band", "y", "x"), random().integers(0, 255, (3, *SHAPE), dtype="u1"))
    return on_grid({kind: plain(random(), SHAPE, kind) for kind in types} | {"bands": bands})


def make_empty() -> xr.Dataset:
    """Return a group of rasters whose area had no pixel."""
    return make_plain("u1", "f4").drop_vars("bands").drop_dims("band").isel(y=slice(0, 0))


LINES: dict[str, Callable[[], xr.Dataset | xr.DataTree]] = {
    "rasters (y, x) and (band, y, x) on a grid": lambda: make_plain("u1", "i2", "u4", "f4", "f8"),
    "packed integers, NaN as fill value": lambda: on_grid(
        {f"p{index}": pack(random(), SHAPE, index) for index in range(len(PACKINGS))}
    ),
    "floating-point fill values": lambda: on_grid(
        {
            "a": make_filled(random(), SHAPE, -999.0, "f4"),
            "b": make_filled(random(), SHAPE, 9.969209968386869e36, "f8"),
        }
    ),
    "flags": lambda: on_grid(make_flags(random(), SHAPE)),
    "booleans": lambda: on_grid({"mask": xr.Variable(("y", "x"), random().random(SHAPE) < 0.5)}),
    "rasters without pixels": make_empty,
    "64-bit integers": lambda: make_plain("u8", "i8"),
    "other numbers: tables, angles, single values": make_numbers,
    "times": make_times,
    "texts": make_texts,
    "several resolutions, each in a group": make_resolutions,
    "attributes of product, groups and variables": make_attributes,
    "swaths (no grid)": lambda: xr.DataTree.from_dict(
        {"/": xr.Dataset(attrs=ROOT), "/measurements": make_swath(random())}
    ),
    "half precision (float16)": lambda: on_grid(
        {"half": xr.Variable(("y", "x"), np.ones(SHAPE, np.float16))}
    ),
}
"""Lines of the table to what is written: a product, or a group of one."""
STORAGE: dict[str, tuple[Any, ...]] = {
    "chunks of any size": ("chunks", "zstd:5", (7, 13), None),
    SQUARE: ("chunks", "zstd:5", (16, 16), None),
    "shards": ("shards", "zstd:5", (16, 16), 2),
    **{f"codec {item}": ("codec", item, (16, 16), None) for item in CODECS},
}
"""Lines to what is looked at, codec, chunks and shards."""
ATTRIBUTE: dict[str, tuple[Any, ...]] = {
    "attributes that are NaN or infinite": (float("nan"), [1.0, float("inf")], {"a": -np.inf}),
    "attributes that are bytes": (b"a", b"\xff"),
    "attributes of variables that are nothing (None)": (None,),
}
"""Lines to what one attribute of a variable is, and of the product and groups unless None."""
ASKED = "shards asked for"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("line", [*LINES, *STORAGE, *ATTRIBUTE, ASKED])
def test_a_format_does_what_the_table_says(line: str, form: str, tmp_path: Path) -> None:
    if line == ASKED:
        seen = observe_shards_asked_for(form, tmp_path)
    elif line in ATTRIBUTE:
        seen = observe_attributes(form, tmp_path, ATTRIBUTE[line])
    elif line in STORAGE:
        key, *stored = STORAGE[line]
        seen = observe_storage(form, tmp_path, key, *stored)
    else:
        result = LINES[line]()
        seen = observe(
            result if isinstance(result, xr.DataTree) else make_product(result), form, tmp_path
        )
    assert seen == TABLE[line][form]


def test_every_line_is_tried() -> None:
    assert set(TABLE) == {*LINES, *STORAGE, *ATTRIBUTE, ASKED}
    assert all(list(line) == list(next(iter(TABLE.values()))) for line in TABLE.values())
    assert set(next(iter(TABLE.values()))) == set(FORMATS)


def test_a_bare_product_gets_two_empty_attributes_from_eopf_zarr(tmp_path: Path) -> None:
    for form in FORMATS:
        tree = make_product(on_grid({"one": plain(random(), SHAPE, "f4")}))
        tree.attrs = {}
        added = {"stac_discovery": {}, "other_metadata": {}} if form.startswith("eopf") else {}
        assert write_and_open(tree, tmp_path, form).attrs == added


# Options ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMATS)
def test_chunks_and_codec_by_option(form: str, tmp_path: Path) -> None:
    tree = assemble(1, 40, 40, EVERYTHING | {"packings": [2], "plain": []})
    codec = "zlib:3" if form in ("netcdf", "cog") else "zstd:7"
    back = write_and_open(tree, tmp_path, form, chunk=32, codec=codec)
    result = back["measurements/r10m"].variables["p2"].encoding
    assert tuple(result["chunks"]) == (32, 32)
    assert str(codec_of(result)) == codec


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
