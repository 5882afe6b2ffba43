"""The chart's generated files are up to date, and every value is described."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from tests.helm.rendering import CHART

_KEYWORDS = {
    "type", "description", "properties", "additionalProperties", "required", "items", "enum",
    "pattern", "minLength", "minimum", "maximum",
}  # fmt: skip
"""What a described key may hold. A comma in a description without quotes would begin another."""


@pytest.fixture(scope="module")
def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", CHART.parent / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_files_are_not_stale(program: ModuleType) -> None:
    for path, content in program.generate().items():
        assert path.read_text() == content, f"{path} is stale: python helm/generate.py"


def test_each_key_has_a_description(program: ModuleType) -> None:
    schema = yaml.safe_load((CHART / "values.schema.yaml").read_text())
    keys = dict(program.list_keys(schema))
    assert len(keys) > 100
    for key, described in keys.items():
        assert set(described) <= _KEYWORDS, key
        assert described["description"].endswith("."), key


def _list_set(values: dict[str, Any], schema: dict[str, Any], above: str = "") -> list[str]:
    """Return the keys of values that the schema does not know."""
    unknown = []
    for name, value in values.items():
        described = schema.get("properties", {}).get(name)
        if described is None:
            unknown.append(f"{above}{name}")
        elif isinstance(value, dict) and "properties" in described:
            unknown += _list_set(value, described, f"{above}{name}.")
    return unknown


@pytest.mark.parametrize("name", ["values.yaml", "values/trial.yaml", "values/production.yaml"])
def test_each_value_is_a_known_key(name: str) -> None:
    schema = yaml.safe_load((CHART / "values.schema.yaml").read_text())
    assert _list_set(yaml.safe_load((CHART / name).read_text()), schema) == []


def test_the_page_names_each_key(program: ModuleType) -> None:
    [page] = [Path(path) for path in program.generate() if path.suffix == ".md"]
    schema = yaml.safe_load((CHART / "values.schema.yaml").read_text())
    for key, _described in program.list_keys(schema):
        assert f"| `{key}` |" in page.read_text()
