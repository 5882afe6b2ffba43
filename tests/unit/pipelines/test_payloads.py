from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.pipelines.payloads import parse_payload, read_payload

GOOD: dict[str, Any] = {
    "inputs": {"scene": "scene.SAFE", "part": {"path": "b.SAFE", "aoi": [13.0, 54.0, 14.0, 55.0]}},
    "auxiliary": {"coefficients": "aux/2011", "nets": {"folder": "nets", "version": "v2"}},
    "steps": [
        {"name": "water", "processor": "turbidity", "inputs": ["scene"], "breakpoint": True},
        {"name": "mean", "processor": "composite", "inputs": ["water", "part"]},
    ],
    "outputs": {"product": {"step": "mean", "path": "out.zarr"}},
    "dask": {"scheduler": "distributed", "workers": 2, "memory_limit": "2GiB"},
}


def test_a_payload_is_read() -> None:
    payload = parse_payload(GOOD)
    assert payload.inputs["scene"].path == "scene.SAFE"
    assert payload.inputs["scene"].filters == {}
    assert payload.inputs["part"].filters == {"aoi": [13.0, 54.0, 14.0, 55.0]}
    assert payload.auxiliary["coefficients"].version is None
    assert payload.outputs["product"].form == "eopf-zarr"


def change(place: str, value: Any) -> dict[str, Any]:
    """Return the payload with a value put at a path such as ``steps.0.inputs``."""
    payload = deepcopy(GOOD)
    *parents, last = place.split(".")
    inner: Any = payload
    for parent in parents:
        inner = inner[int(parent)] if isinstance(inner, list) else inner[parent]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return payload


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        ("steps", None, "steps: is missing"),
        ("steps", [], "steps: has 0 entries and needs 1"),
        ("steps", "water", "steps: must be a list, and is 'water'"),
        ("steps.0.procesor", "x", "steps.water.procesor: unknown key, did you mean processor?"),
        ("steps.0.parameter", {}, "steps.water.parameter: unknown key, did you mean parameters?"),
        ("step", [], "step: unknown key, did you mean steps?"),
        ("inputs.part.box", [1.0], "inputs.part.box: unknown key, known are path, groups"),
        ("steps.0.processor", 3, "steps.water.processor: must be a text, and is 3"),
        ("steps.0.inputs", ["sene"], "steps.water.inputs: 'sene' is not an input"),
        (
            "steps.0.inputs",
            ["mean"],
            "steps.water.inputs: 'mean' is not an input and not a step above",
        ),
        ("steps.0.breakpoint", "yes", "steps.water.breakpoint: "),
        ("steps.1.name", "water", "steps: the name 'water' is given twice"),
        ("steps.1.auxiliary", {"arc": "nowhere"}, "steps.mean.auxiliary: there is no 'nowhere'"),
        ("steps.0.name", "../up", "steps.../up.name: "),
        ("inputs", {}, "inputs: "),
        ("inputs.part.aoi", [1.0, 2.0], "inputs.part.aoi: "),
        ("inputs.part.aoi", [1.0, 2.0, 3.0, "x"], "inputs.part.aoi.3: must be a number"),
        ("inputs.part.resolution", [20], "inputs.part.resolution: must be a text, and is [20]"),
        ("outputs.product.step", "nobody", "outputs.product.step: there is no step 'nobody'"),
        ("outputs.product.format", "hdf4", "outputs.product.format: must be 'eopf-zarr'"),
        ("outputs.product.format", "netcdf", "outputs.product.path: 'out.zarr' ends in .zarr"),
        (
            "outputs.product.path",
            "out",
            "outputs.product.path: The name 'out' does not name a format",
        ),
        ("outputs.again", {"step": "mean", "path": "x/../out.zarr"}, "outputs.again.path: "),
        ("outputs.inner", {"step": "mean", "path": "out.zarr/a.nc"}, "outputs.inner.path: "),
        ("outputs.product.step", "water", "steps.mean: leads nowhere"),
        ("dask.scheduler", "mpi", "dask.scheduler: "),
        ("dask.scheduler", "threads", "memory_limit needs 'scheduler: distributed'"),
        ("dask.workers", 0, "dask.workers: must be at least 1, and is 0"),
        ("dask.memory_limit", "lots", "dask.memory_limit: 'lots' is not of the form"),
        ("dask.memory_limit", "10MiB", "memory_limit 10MiB is too little"),
        ("auxiliary.nets.version", "../v1", "auxiliary.nets.version: "),
    ],
)
def test_what_is_wrong_is_named_by_its_key(place: str, value: Any, named: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_payload(change(place, value))
    assert named in caught.value.what
    assert "Input should" not in caught.value.what
    assert "permitted" not in caught.value.what


@pytest.mark.parametrize("value", [None, [], "steps", 3])
def test_a_payload_is_a_table(value: object) -> None:
    with pytest.raises(InvalidInputError):
        parse_payload(value)


def test_what_is_not_yaml(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("steps: [")
    with pytest.raises(InvalidInputError, match="not YAML"):
        read_payload(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInputError, match="not YAML"):
        read_payload(path)
    path.write_text("a: !!python/object/apply:os.getcwd []")
    with pytest.raises(InvalidInputError, match="not YAML"):
        read_payload(path)
    with pytest.raises(NotFoundError):
        read_payload(tmp_path / "absent.yaml")
