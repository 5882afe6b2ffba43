"""Says in OpenAPI what a route sends when it builds its response itself.

FastAPI knows the form of what a function returns, but not what a `Response` holds.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue, models_json_schema
from pydantic_core import CoreSchema
from starlette.responses import Response

REF = "#/components/schemas/{model}"
"""Where an OpenAPI document describes a model."""

_BYTES = {"type": "string", "format": "binary"}


@dataclass(frozen=True)
class DescribedAs:
    """Describes a plain JSON object as a model, for documents that another room checks.

    Attributes
    ----------
    model
        The model whose schema OpenAPI shows.
    """

    model: type[BaseModel]

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the schema of the model instead of that of any object."""
        return handler(self.model.__pydantic_core_schema__)


def sends(*media_types: str, partly: bool = False, unchanged: bool = False) -> dict[str, Any]:
    """Return the options of a route that sends text or bytes.

    Parameters
    ----------
    media_types
        Each media type it may send; ``*/*`` for any.
    partly
        Whether it answers a ``Range`` with a part of it.
    unchanged
        Whether it answers 304 to a client that has the content already.
    """
    content = {"content": {kind: {"schema": _BYTES} for kind in media_types}}
    responses: dict[int, dict[str, Any]] = {200: {"description": "The content", **content}}
    if partly:
        responses[206] = {"description": "The requested part", **content}
    if unchanged:
        responses[304] = {"description": "Unchanged"}
    return {"responses": responses, "response_class": Response}


def sends_files(models: Mapping[str, type[BaseModel]], *media_types: str) -> dict[str, Any]:
    """Return the options of a route that sends files as they are: JSON of models by media type.

    The application describes the models where they are named: see `add_models`.
    """
    options = sends(*media_types)
    content = options["responses"][200]["content"]
    for kind, model in models.items():
        content[kind] = {"schema": {"$ref": REF.format(model=model.__name__)}}
    return options


def add_models(document: dict[str, Any], models: Sequence[type[BaseModel]]) -> None:
    """Add the models that an OpenAPI document names and does not describe."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    text = json.dumps(document)
    used_models = [model for model in models if f'"{REF.format(model=model.__name__)}"' in text]
    _, more = models_json_schema([(model, "validation") for model in used_models], ref_template=REF)
    for name, schema in more.get("$defs", {}).items():
        schemas.setdefault(name, schema)


def sends_json(model: type[BaseModel]) -> dict[str, Any]:
    """Return the options of a route that sends the JSON of a model."""
    return {"responses": {200: {"model": model}}}
