import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal

import dask.array as da
import jsonschema
import numpy as np
import pytest
import xarray as xr
from pydantic import Field

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.processors import ndci, registry, turbidity_dogliotti2015
from skerry.processors.declarations import (
    AuxiliaryInput,
    Output,
    ProductInput,
    VariableInput,
    sentinel_2_sources,
)
from skerry.processors.registry import (
    describe_processor,
    get_processor,
    list_processors,
    processor,
)


@processor(
    name="scale",
    version="1.0.0",
    inputs=[
        VariableInput("red", "1", "Red", sentinel_2_sources("b04")),
        VariableInput("blue", "1", "Blue", sentinel_2_sources("b02"), optional=True),
    ],
    outputs=[Output("scaled", "1", "Scaled")],
    citation="none",
)
def scale(
    red: xr.DataArray,
    blue: xr.DataArray | None = None,
    *,
    factor: Annotated[float, Field(gt=0, le=10, description="Factor")] = 2.0,
    mode: Literal["up", "down"] = "up",
    weights: Annotated[list[float], Field(max_length=2)] = [],  # noqa: B006
    limit: float | None = None,
    count: int = 1,
) -> xr.DataArray:
    """Scale.

    More.
    """
    assert blue is None
    return (red * factor * count).rename("scaled")


@processor(
    name="offset", version="1", inputs=[ProductInput("product", "Any", ("S02MSIL2A",)),
                                        AuxiliaryInput("table", "Offsets")],
    outputs=[Output("b04", "1", "b04")], citation="none",
)  # fmt: skip
def offset(product: xr.DataTree, table: Mapping[str, bytes]) -> xr.Dataset:
    """Add an offset from a file."""
    data = product["measurements/reflectance/r60m"].to_dataset()
    return data + float(table["offset.txt"])


def _tree(kind: str = "S02MSIL2A", **grids: list[str]) -> xr.DataTree:
    band = xr.DataArray(
        da.full((2, 2), 0.1, dtype="f4"), dims=("y", "x"), coords={"spatial_ref": 0}
    )
    tree = xr.DataTree.from_dict(
        {
            f"/measurements/reflectance/{grid}": xr.Dataset(dict.fromkeys(names, band + 0))
            for grid, names in grids.items()
        },
        name="SCENE_SIM",
    )
    tree.attrs["stac_discovery"] = {"properties": {"product:type": kind}}
    return tree


def test_ours_are_all_there_and_say_what_they_are() -> None:
    result = {item.name: item for item in list_processors()}
    assert {
        "turbidity", "ndci", "composite", "flag-mask", "s2-radiance", "olci-reflectance",
        "slstr-reflectance", "slstr-thermal-radiance", "s2-cloud-mask", "olci-cloud-mask",
    } <= set(result)  # fmt: skip
    for item in result.values():
        jsonschema.Draft202012Validator.check_schema(item.schema)
        assert item.inputs
        assert item.outputs
        assert item.citation
        assert item.version.count(".") == 2
        assert item.summary.endswith(".")
        for schema in item.schema["properties"].values():
            assert schema.get("description"), (item.name, schema)
    assert result["ndci"] is describe_processor(ndci)


def test_a_processor_stays_a_function() -> None:
    red = xr.DataArray(np.array([0.5], "f4"), dims="x")
    assert float(scale(red)[0]) == 1.0
    assert float(scale(red, factor=3)[0]) == 1.5
    assert scale.__name__ == "scale"
    with pytest.raises(InvalidInputError, match=r"'factor' of scale is nan.*greater than 0"):
        scale(red, factor=float("nan"))
    with pytest.raises(InvalidInputError, match="pole_fraction"):
        turbidity_dogliotti2015(red, red, pole_fraction=float("nan"))


def test_parameters_make_a_schema() -> None:
    schema = describe_processor(scale).schema
    assert schema["additionalProperties"] is False
    assert schema["properties"]["factor"] == {
        "type": "number", "exclusiveMinimum": 0, "maximum": 10, "default": 2.0,
        "description": "Factor",
    }  # fmt: skip
    assert set(schema["properties"]) == {"factor", "mode", "weights", "limit", "count"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"factor": 0}, "'factor' of scale is 0.*greater than 0 and at most 10"),
        ({"factor": "2"}, "'factor' of scale is '2'.*a finite number"),
        ({"factor": True}, "'factor' of scale is True"),
        ({"factor": float("inf")}, "is inf"),
        ({"mode": "sideways"}, "one of up, down"),
        ({"weights": [1.0, 2.0, 3.0]}, "at most 2 long"),
        ({"weights": [float("nan")]}, "'weights'.*nan"),
        ({"limit": "x"}, "a finite number or nothing"),
        ({"count": 1.5}, "an integer"),
        ({"colour": "red"}, "no parameter 'colour'.*It has: factor, mode"),
    ],
)
def test_wrong_values_are_named_with_their_bounds(given: dict, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        describe_processor(scale).check(given)


def test_values_as_they_come() -> None:
    check = describe_processor(scale).check
    assert check({})["factor"] == 2.0
    assert check({"factor": np.float32(3), "weights": (1.0, 2.0)})["weights"] == [1.0, 2.0]
    assert check({"count": np.int64(3)})["count"] == 3
    parse = describe_processor(scale).parse
    parsed = parse({"factor": "0.5", "weights": "1, 2", "limit": "none", "count": "4"})
    assert parsed == {
        "factor": 0.5, "weights": [1.0, 2.0], "limit": None, "count": 4, "mode": "up",
    }  # fmt: skip
    assert parse({"weights": "[1]"})["weights"] == [1.0]
    with pytest.raises(InvalidInputError, match="'factor' of scale is 'much'"):
        parse({"factor": "much"})
    with pytest.raises(InvalidInputError, match="greater than 0"):
        parse({"factor": "nan"})


def test_inputs_come_from_the_finest_grid_that_has_them() -> None:
    result = describe_processor(scale).apply(_tree(r20m=["b05"], r60m=["b04"]), factor=2)
    assert isinstance(result, xr.Dataset)
    assert float(result["scaled"][0, 0]) == pytest.approx(0.2)
    assert result["scaled"].chunks is not None
    assert result["scaled"].encoding["grid_mapping"] == "spatial_ref"


def test_wrong_products_are_named() -> None:
    apply = describe_processor(scale).apply
    with pytest.raises(InvalidInputError, match=r"'S03OLCEFR'.*SCENE_SIM.*S02MSIL2A"):
        apply(_tree("S03OLCEFR", r20m=["b04"]))
    with pytest.raises(InvalidInputError, match=r"SCENE_SIM lacks .*r20m/b04, which scale needs"):
        apply(_tree(r20m=["b05"]))
    with pytest.raises(InvalidInputError, match="0 products"):
        apply()
    with pytest.raises(InvalidInputError, match="2 products"):
        apply(_tree(r20m=["b04"]), _tree(r20m=["b04"]))
    with pytest.raises(InvalidInputError, match="unknown"):
        apply(xr.DataTree(name="nameless"))


def test_auxiliary_folders() -> None:
    apply = describe_processor(offset).apply
    tree = _tree(r60m=["b04"])
    result = apply(tree, auxiliary={"table": {"offset.txt": b"1.5"}})
    assert float(result["b04"][0, 0]) == pytest.approx(1.6)
    with pytest.raises(InvalidInputError, match=r"needs \['table'\]"):
        apply(tree)
    with pytest.raises(InvalidInputError, match="needs none"):
        describe_processor(scale).apply(_tree(r20m=["b04"]), auxiliary={"table": {}})


def test_signatures_that_do_not_fit_are_refused() -> None:
    with pytest.raises(TypeError, match="has no green"):
        processor(name="x", version="1", inputs=[VariableInput("green", "1", "")],
                  outputs=[], citation="")(lambda: None)  # fmt: skip

    def positional(red: xr.DataArray, factor: float) -> None: ...

    with pytest.raises(TypeError, match="factor is neither"):
        processor(name="x", version="1", inputs=[VariableInput("red", "1", "")],
                  outputs=[], citation="")(positional)  # fmt: skip


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[EntryPoint]]:
    """Another package's entry points: one good, the others broken each in its way."""
    module = ModuleType("outside_package")
    module.scale, module.plain = scale, lambda: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "outside_package", module)
    (tmp_path / "outside_broken.py").write_text("raise RuntimeError('no licence')\n")
    monkeypatch.syspath_prepend(tmp_path)
    points = [
        EntryPoint(name, value, registry.GROUP)
        for name, value in {
            "scale": "outside_package:scale",
            "plain": "outside_package:plain",
            "crash": "outside_broken:anything",
            "absent": "outside_nowhere:anything",
            "renamed": "outside_package:scale",
            "ndci": "outside_package:scale",
        }.items()
    ]
    ours = EntryPoint("ndci", "skerry.processors.chlorophyll:ndci", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [*points, ours])
    return points


def test_other_packages_add_theirs_and_broken_ones_are_reported(
    plugins: list[EntryPoint], caplog: pytest.LogCaptureFixture
) -> None:
    assert [item.name for item in list_processors()] == ["ndci", "scale"]
    assert get_processor("ndci") is describe_processor(ndci), "ours is not replaced"
    for name in ("plain", "crash", "absent", "renamed"):
        assert name in caplog.text
        with pytest.raises(InvalidInputError, match=f"{name}.*cannot be used"):
            get_processor(name)
    assert "no licence" in caplog.text
    with pytest.raises(NotFoundError, match=r"no processor 'nothing'.*There are: ndci, scale"):
        get_processor("nothing")


def test_every_processor_stands_in_the_page() -> None:
    page = Path(__file__).parents[3] / "platform" / "library" / "processors.md"
    text = page.read_text("utf-8")
    ours = [
        item.name for item in list_processors() if item.function.__module__.startswith("skerry.")
    ]
    assert [name for name in ours if f"| `{name}` |" not in text] == []
