"""Takes what a model's docstring says of its fields into the schema of each field."""

import inspect
import re
from typing import Any

from pydantic import BaseModel

_HEADING = re.compile(r"\n+Attributes\n-+\n")
_ENTRY = re.compile(r"^(?P<names>\w+(?:, \w+)*)\n(?P<text>(?:[ \t]+.+\n?)+)", re.MULTILINE)


def describe_fields(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Move the section ``Attributes`` of a docstring to the fields that it names.

    OpenAPI has a place for the description of each field, and clients show it there. What a
    model says counts more than what the model says of which it is a kind.
    """
    for kind in reversed(model.__mro__):
        if not issubclass(kind, BaseModel) or kind is BaseModel:
            continue
        summary, *sections = _HEADING.split(inspect.getdoc(kind) or "", maxsplit=1)
        schema["description"] = summary
        for entry in _ENTRY.finditer("".join(sections)):
            for name in entry["names"].split(", "):
                field = model.model_fields.get(name) or model.model_fields[f"{name}_"]
                described = schema["properties"][field.alias or name]
                described["description"] = " ".join(entry["text"].split())
