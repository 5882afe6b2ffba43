"""Makes the chart's generated files: `python helm/generate.py`.

- ``values.schema.json``, by which Helm refuses wrong values, and
- the page about the values, from ``values.schema.yaml`` and the defaults in ``values.yaml``;
- the rights of the worker, from the role beside its executor.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

_ROOT = Path(__file__).parents[1]
_CHART = _ROOT / "helm" / "skerry"
_ROLE = _ROOT / "platform" / "skerry" / "production" / "executors" / "kubernetes" / "role.yaml"
_HEAD = """\
# Values of the chart
Generated from `helm/skerry/values.schema.yaml` by `python helm/generate.py`.
[kubernetes.md](kubernetes.md) says how the chart is used.

| key | default | what |
|---|---|---|
"""
_LONGEST_DEFAULT = 60


def list_keys(schema: dict[str, Any], above: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every key of a schema with its description, those of objects after the object."""
    for name, described in schema.get("properties", {}).items():
        key = f"{above}{name}"
        yield key, described
        yield from list_keys(described, f"{key}.")


def generate() -> dict[Path, str]:
    """Return the content of each generated file."""
    schema = yaml.safe_load((_CHART / "values.schema.yaml").read_text())
    del schema["definitions"]  # the parser has put them in their places
    defaults = yaml.safe_load((_CHART / "values.yaml").read_text())
    rows = [_describe(key, described, defaults) for key, described in list_keys(schema)]
    return {
        _CHART / "values.schema.json": json.dumps(schema, indent=1) + "\n",
        _CHART / "files" / "worker-role.yaml": _ROLE.read_text(),
        _ROOT / "platform" / "chart-values.md": _HEAD + "".join(rows),
    }


def _describe(key: str, described: dict[str, Any], defaults: dict[str, Any]) -> str:
    """Return a row of the page."""
    text = " ".join(described["description"].split()).replace("|", "\\|")
    if choices := described.get("enum"):
        text += f" One of {', '.join(f'`{choice}`' for choice in choices)}."
    return f"| `{key}` | {_show_default(key, described, defaults)} | {text} |\n"


def _show_default(key: str, described: dict[str, Any], defaults: dict[str, Any]) -> str:
    value: Any = defaults
    for step in key.split("."):
        value = value[step]
    if "properties" in described:
        return ""
    shown = json.dumps(value)
    return f"`{shown}`" if len(shown) <= _LONGEST_DEFAULT else "see values.yaml"


def main() -> int:
    """Write the files; return the exit code."""
    for path, content in generate().items():
        path.write_text(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
