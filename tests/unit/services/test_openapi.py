"""The OpenAPI documents of api and maps: other clients are made from them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from skerry.core.problems import MEDIA_TYPE

Document = dict[str, Any]
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")

OPEN = {
    # documents of other standards, and what people put into them
    *(f"{kind}.body" for kind in ("ItemsLink", "PaginationLink", "SearchLink")),
    *(f"{kind}.headers" for kind in ("ItemsLink", "PaginationLink", "SearchLink")),
    "Notebook.metadata", "NotebookCell.metadata",
    "OpenApiDocument.paths", "OpenApiDocument.components", "ParameterSchema.properties",
    "JsonValue", "Collection.summaries",
}  # fmt: skip
"""Where an answer may hold any object."""


def list_operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method in METHODS:
                yield f"{method} {path}", operation


def list_open(schema: Any, where: str, document: Document, seen: set[str]) -> Iterator[str]:
    """Yield the places of a schema, and of all that it names, where any object may stand."""
    reference = schema.get("$ref")
    if reference is not None:
        name = reference.rpartition("/")[2]
        if name not in seen:
            seen.add(name)
            yield from list_open(document["components"]["schemas"][name], name, document, seen)
        return
    parts = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())]
    parts += [schema[key] for key in ("items", "additionalProperties") if key in schema]
    inner = [part for part in parts if isinstance(part, dict)]
    for part in inner:
        yield from list_open(part, where, document, seen)
    properties = schema.get("properties", {})
    for name, part in properties.items():
        yield from list_open(part, f"{where}.{name}", document, seen)
    says_something = {"enum", "const", "prefixItems"} & set(schema) or inner or properties
    if schema.get("type", "object") == "object" and not says_something:
        yield where


@pytest.mark.parametrize("name", ["api", "maps"])
def test_no_answer_is_a_bare_object(documents: dict[str, Document], name: str) -> None:
    document = documents[name]
    for operation_name, operation in list_operations(document):
        for status, response in operation["responses"].items():
            for kind, content in response.get("content", {}).items():
                if not kind.endswith("json"):
                    continue
                schema = content.get("schema")
                assert schema, (operation_name, status, kind)
                result = set(list_open(schema, "answer", document, set()))
                assert result <= OPEN, (operation_name, status, result - OPEN)
                assert "answer" not in result


@pytest.mark.parametrize("name", ["api", "maps"])
def test_operations_are_named_once_and_say_what_they_do(
    documents: dict[str, Document], name: str
) -> None:
    operations = [operation for _, operation in list_operations(documents[name])]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    for operation in operations:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation["operationId"])
        assert operation["tags"]
        assert operation["summary"]
        assert len(operation["description"]) > len("Endpoint.")


@pytest.mark.parametrize("name", ["api", "maps"])
def test_every_refusal_is_a_problem_document(documents: dict[str, Document], name: str) -> None:
    for operation_name, operation in list_operations(documents[name]):
        refusals = {status for status in operation["responses"] if status[0] in "45"}
        assert refusals == {"4XX", "5XX"}, operation_name
        for status in refusals:
            assert list(operation["responses"][status]["content"]) == [MEDIA_TYPE]


def test_names_from_outside_and_lists_have_limits(documents: dict[str, Document]) -> None:
    """A body without a limit would only end at the limit of all bodies."""
    schemas = documents["api"]["components"]["schemas"]
    for name in (
        "Approval",
        "JobOrder",
        "RunOrder",
        "ProgressReport",
        "WriteRequest",
        "ReadRequest",
    ):
        for field, schema in schemas[name]["properties"].items():
            for part in schema.get("anyOf", [schema]):
                if part.get("type") == "string" and "format" not in part and "const" not in part:
                    assert "maxLength" in part, (name, field)
                if part.get("type") == "integer":
                    assert "maximum" in part, (name, field)


def test_fields_are_described_where_clients_look_for_it(documents: dict[str, Document]) -> None:
    schemas = documents["api"]["components"]["schemas"]
    for name, schema in schemas.items():
        assert "----" not in schema.get("description", ""), name
    run = schemas["Run"]
    assert run["description"] == "The work for one job, occurrence and partition."
    assert run["properties"]["data_day"]["description"] == "The day of the data."
    assert "release" in run["properties"]["release_name"]["description"]
    details = schemas["RunDetails"]["properties"]
    assert details["data_day"]["description"] == "The day of the data."
    assert "JSON Schema" in schemas["Release"]["properties"]["schema"]["description"]


def test_bodies_are_typed_too(documents: dict[str, Document]) -> None:
    open_bodies = OPEN | {
        # a notebook and an item of STAC are checked by name when they are read
        "Proposal.notebook", "StagedOutput.item", "Publication.manifest",
        "SearchPostRequest.intersects", "body.summaries", "body.body", "body.headers",
    }  # fmt: skip
    for operation_name, operation in list_operations(documents["api"]):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            result = set(list_open(content["schema"], "body", documents["api"], set()))
            assert result <= open_bodies, (operation_name, result - open_bodies)
