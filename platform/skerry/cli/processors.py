"""The processors that `skerry process` offers, as tables and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skerry.cli.presenting import print_json, print_table, say

if TYPE_CHECKING:
    from skerry.processors.registry import Processor


def show_processors(*, as_json: bool) -> None:
    """List all processors."""
    from skerry.processors.registry import list_processors

    processors = list_processors()
    if as_json:
        print_json([_to_dict(item) for item in processors])
        return
    rows = [(item.name, item.version, item.summary) for item in processors]
    print_table(("PROCESSOR", "VERSION", "WHAT IT DOES"), rows)


def show_processor(name: str, *, as_json: bool) -> None:
    """Describe one processor: its inputs, parameters, outputs and source."""
    from skerry.processors.registry import get_processor

    description = _to_dict(get_processor(name))
    if as_json:
        print_json(description)
        return
    say(
        f"{description['name']} {description['version']}: {description['summary']}\n"
        f"{description['citation']}\n"
    )
    print_table(
        ("INPUT", "UNITS", "PRODUCTS", "WHAT"),
        [
            (item["name"], item["units"], ", ".join(item["products"]) or "any", item["description"])
            for item in description["inputs"]
        ],
    )
    say()
    properties = description["parameters"].get("properties", {})
    rows = [
        (key, str(item.get("default", "(needed)")), _word_range(item), item.get("description", ""))
        for key, item in properties.items()
    ]
    print_table(("PARAMETER", "DEFAULT", "RANGE", "WHAT"), rows or [("(none)", "", "", "")])
    say()
    print_table(
        ("OUTPUT", "UNITS", "WHAT"),
        [(item["name"], item["units"], item["description"]) for item in description["outputs"]],
    )


def _to_dict(processor: Processor) -> dict[str, Any]:
    return {
        "name": processor.name,
        "version": processor.version,
        "summary": processor.summary,
        "citation": processor.citation,
        "inputs": [
            {
                "name": item.name,
                "units": getattr(item, "units", ""),
                "products": list(getattr(item, "sources", getattr(item, "product_types", ()))),
                "description": item.description,
            }
            for item in processor.inputs
        ],
        "parameters": processor.schema,
        "outputs": [
            {"name": output.name, "units": output.units, "description": output.description}
            for output in processor.outputs
        ],
    }


def _word_range(schema: dict[str, Any]) -> str:
    """Return a parameter's type and bounds in a few words."""
    marks = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    bounds = [f"{mark} {schema[key]}" for key, mark in marks.items() if key in schema]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    return " ".join([str(schema.get("type", "")), ", ".join(bounds)]).strip()
