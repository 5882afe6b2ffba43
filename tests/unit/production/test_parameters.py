"""Parameters cells: what they become, and how each mistake is named."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from skerry.core.errors import InvalidInputError
from skerry.production import notebooks
from skerry.production.notebooks import (
    encode_notebook,
    inject_parameters,
    normalise_notebook,
)
from skerry.production.parameters import read_parameters
from skerry.production.values import complete_values, decode_value


def notebook(source: str | list[str], **metadata: Any) -> dict[str, Any]:
    cells = [
        {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "# Title"},
        {
            "cell_type": "code", "id": "p", "metadata": {"tags": ["parameters"]},
            "source": source, "outputs": [], "execution_count": None,
        },
        {
            "cell_type": "code", "id": "w", "metadata": {}, "source": "print(1)",
            "outputs": [], "execution_count": None,
        },
    ]  # fmt: skip
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def properties(source: str) -> dict[str, Any]:
    result: dict[str, Any] = read_parameters(notebook(source))["properties"]
    return result


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x: str = 'a'", {"type": "string", "default": "a"}),
        ("x: int = -3", {"type": "integer", "default": -3}),
        ("x: float = 0.5", {"type": "number", "default": 0.5}),
        ("x: float = 1", {"type": "number", "default": 1}),
        ("x: bool = True", {"type": "boolean", "default": True}),
        (
            "x: date = date(2026, 5, 1)",
            {"type": "string", "format": "date", "default": "2026-05-01"},
        ),
        (
            "x: datetime.datetime = datetime.datetime(2026, 5, 1, 10, tzinfo=datetime.UTC)",
            {"type": "string", "format": "date-time", "default": "2026-05-01T10:00:00Z"},
        ),
        ("x: Literal['a', 'b'] = 'b'", {"enum": ["a", "b"], "default": "b"}),
        (
            "x: list[float] = [1.0, 2]",
            {"type": "array", "items": {"type": "number"}, "default": [1.0, 2]},
        ),
        (
            "x: dict[str, int] = {'a': 1}",
            {"type": "object", "additionalProperties": {"type": "integer"}, "default": {"a": 1}},
        ),
        (
            "x: Annotated[float, Field(ge=0, lt=1, description='share')] = 0.2",
            {
                "type": "number", "minimum": 0, "exclusiveMaximum": 1,
                "description": "share", "default": 0.2,
            },
        ),
        (
            "x: Annotated[int, Ge(1), 'count'] = 2",
            {"type": "integer", "minimum": 1, "description": "count", "default": 2},
        ),
        (
            "x: str | None = None",
            {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        ),
        (
            "x: Annotated[list[int], Field(min_length=1)] = [1]",
            {"type": "array", "items": {"type": "integer"}, "minItems": 1, "default": [1]},
        ),
    ],
)  # fmt: skip
def test_annotations_become_schema(line: str, expected: dict[str, Any]) -> None:
    assert properties(line) == {"x": expected}


def test_schema_is_closed_and_names_required_parameters() -> None:
    schema = read_parameters(notebook(["item: str\n", "count: int = 1  # how many\n"]))
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["item"]
    assert list(schema["properties"]) == ["item", "count"]


@pytest.mark.parametrize(
    ("source", "line", "named"),
    [
        ("x = 1", 1, "'x = 1'"),
        ("x: int = 1\ny: int = open('/etc/passwd')", 2, "open('/etc/passwd')"),
        ("x: int = 1 + 1", 1, "1 + 1"),
        ("x: float = float('nan')", 1, "float('nan')"),
        ("x: float = 1e999", 1, "1e309"),
        ("x: ndarray = 1", 1, "'ndarray'"),
        ("x: list[ndarray] = []", 1, "'ndarray'"),
        ("x: int = 'a'", 1, "'a'"),
        ("x: bool = 1", 1, "1"),
        ("x: Annotated[int, Field(ge=5)] = 4", 1, "4"),
        ("x: Annotated[int, Field(foo=5)] = 4", 1, "foo"),
        ("x: Annotated[int, Field(ge='a')] = 4", 1, "'x'"),
        ("x: Literal['a'] = 'b'", 1, "'b'"),
        ("x: date = '2026-13-01'", 1, "2026-13-01"),
        ("x: date = date(2026, 13, 1)", 1, "date(2026, 13, 1)"),
        ("x: datetime = datetime(2026, 5, 1)", 1, "datetime(2026, 5, 1)"),
        ("__class__: int = 1", 1, "'__class__'"),
        ("_x: int = 1", 1, "'_x'"),
        ("match: int = 1", 1, "'match'"),
        ("größe: int = 1", 1, "'größe'"),
        ("x: int = 1\nx: int = 2", 2, "'x'"),
        ("import os", 1, "'import os'"),
        ("def f(): ...", 1, "def f()"),
        ("x.y: int = 1", 1, "x.y"),
        ("x: int = = 1", 1, "x: int = = 1"),
        ("x: dict = {1: 2}", 1, "{1: 2}"),
        ("x: int = " + "-" * 20_000 + "1", 1, "nested too deeply"),
    ],
)
def test_mistakes_name_cell_line_value_and_remedy(source: str, line: int, named: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_parameters(notebook(source))
    assert f"Cell 2, line {line}:" in caught.value.what
    assert named in caught.value.what
    assert caught.value.remedy


def test_exactly_one_parameters_cell_is_wanted() -> None:
    without = notebook("x: int = 1")
    without["cells"][1]["metadata"] = {}
    with pytest.raises(InvalidInputError, match="no cell tagged 'parameters'"):
        read_parameters(without)
    twice = notebook("x: int = 1")
    twice["cells"][2]["metadata"]["tags"] = ["parameters"]
    with pytest.raises(InvalidInputError, match="2 cells tagged 'parameters'"):
        read_parameters(twice)


SCHEMA = read_parameters(
    notebook(
        "item: str\nshare: Annotated[float, Field(ge=0, le=1)] = 0.2\n"
        "day: date = date(2026, 5, 1)\nbox: list[float] | None = None\nn: int = 3\n"
        "area: float = 1.5"
    )
)


def test_values_are_completed_with_defaults() -> None:
    assert complete_values(SCHEMA, {"item": "a", "n": 4}) == {
        "item": "a", "share": 0.2, "day": "2026-05-01", "box": None, "n": 4, "area": 1.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({}, "'item'"),
        ({"item": "a", "unknown": 1}, "'unknown'"),
        ({"item": 1}, "'item'"),
        ({"item": "a", "share": 1.5}, "'share'"),
        ({"item": "a", "share": "0.5"}, "'share'"),
        ({"item": "a", "n": 1.5}, "'n'"),
        ({"item": "a", "n": True}, "'n'"),
        ({"item": "a", "day": "yesterday"}, "'day'"),
        ({"item": "a", "box": [1, "x"]}, "'box'"),
        ({"item": "a", "share": float("nan")}, "'share'"),
        ({"item": "a", "box": [float("inf")]}, "'box'"),
        ({"item": "\ud800"}, "'item'"),
        ({"item": "a", "area": 10**400}, "'area'"),
    ],
)
def test_wrong_values_name_the_parameter(values: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        complete_values(SCHEMA, values)
    assert named in caught.value.what


def test_values_become_what_the_notebook_annotates() -> None:
    part = SCHEMA["properties"]
    assert decode_value("2026-05-02", part["day"]) == date(2026, 5, 2)
    assert isinstance(decode_value(1, part["share"]), float)
    moment = {"type": "string", "format": "date-time"}
    assert decode_value("2026-05-01T10:00:00Z", moment) == datetime(2026, 5, 1, 10, tzinfo=UTC)


INSIDE = """
days: list[date] = [date(2026, 5, 1)]
shares: list[float] = [1, 2.5]
limits: dict[str, list[float | None]] = {"a": [1, None]}
seen: dict[str, datetime] = {}
counts: list[int] | None = None
free: list = [1, "2026-05-01"]
"""


def test_values_inside_of_lists_and_dicts_become_what_the_notebook_annotates() -> None:
    schema = read_parameters(notebook(INSIDE))
    moment = datetime(2026, 5, 1, 10, tzinfo=UTC)
    given = {"seen": {"b": "2026-05-01T10:00:00Z"}, "counts": [3.0]}
    cells = inject_parameters(notebook(INSIDE), schema, complete_values(schema, given))[0]["cells"]
    space: dict[str, Any] = {}
    exec(cells[2]["source"], space)  # noqa: S102 - that is what a kernel does with it
    assert space["days"] == [date(2026, 5, 1)]
    assert [type(share) for share in space["shares"]] == [float, float]
    assert repr(space["limits"]) == "{'a': [1.0, None]}"
    assert space["seen"] == {"b": moment}
    assert repr(space["counts"]) == "[3]"
    assert space["free"] == [1, "2026-05-01"]


def test_injected_cell_gives_the_same_values_when_executed() -> None:
    text = "quote ' \" \\ {braces} \n newline"
    values = complete_values(SCHEMA, {"item": text, "box": [1.5, 2.0]})
    cells = inject_parameters(notebook("item: str"), SCHEMA, values)[0]["cells"]
    assert [cell["metadata"].get("tags") for cell in cells] == [
        None, ["parameters"], ["injected-parameters"], None,
    ]  # fmt: skip
    space: dict[str, Any] = {}
    exec(cells[2]["source"], space)  # noqa: S102 - that is what a kernel does with it
    assert space["item"] == text
    assert space["day"] == date(2026, 5, 1)
    assert space["box"] == [1.5, 2.0]


def test_content_passes_over_what_editors_and_runs_change() -> None:
    one = notebook("x: int = 1")
    other = notebook(["x: int", " = 1"], widgets={"state": {}})
    other["nbformat_minor"] = 4
    other["cells"][0]["id"] = "other"
    other["cells"][2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1"}]
    other["cells"][2]["execution_count"] = 7
    other["cells"][2]["metadata"] = {"execution": {"shell.execute_reply": "now"}}
    content = encode_notebook(normalise_notebook(one))
    assert content == encode_notebook(normalise_notebook(other))
    assert content != encode_notebook(normalise_notebook(notebook("x: int = 2")))
    assert content.endswith(b"}\n")


@pytest.mark.parametrize(
    "broken",
    [
        [],
        {"nbformat": 3},
        {"nbformat": 4, "cells": "none"},
        {"nbformat": 4, "cells": [{"cell_type": "code"}]},
        {"nbformat": 4, "cells": [], "metadata": {"kernelspec": {"language": "R"}}},
        {"nbformat": 4, "cells": [], "metadata": {"language_info": {"name": "julia"}}},
        {"nbformat": 4, "cells": [1]},
        {"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "metadata": None}]},
        {"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "metadata": {"tags": 5}}]},
        {"nbformat": 4, "cells": [{"cell_type": "code", "source": "'\ud800'"}]},
        {"nbformat": 4, "cells": [{"cell_type": ["code"], "source": ""}]},
    ],
)
def test_what_is_not_a_python_notebook_is_refused(broken: Any) -> None:
    with pytest.raises(InvalidInputError):
        normalise_notebook(broken)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([0] * 3 + [notebooks._LONGEST_CELL + 1], "Cell 4, line 1: it holds 131073 characters"),
        ([notebooks._LONGEST_CELL] * 9, "The notebook holds 1179648 characters of code"),
        ([0] * (notebooks._MOST_CELLS + 1), "The notebook has 10001 cells"),
    ],
)
def test_more_code_than_the_api_can_read_is_refused(cells: list[int], message: str) -> None:
    """Each character of code may take 600 bytes of the api's memory when it is read."""
    text = [{"cell_type": "markdown", "source": "x" * (2 * notebooks._MOST_CODE)}]
    code = [{"cell_type": "code", "source": "#" * size} for size in cells]
    with pytest.raises(InvalidInputError, match=message):
        normalise_notebook({"nbformat": 4, "cells": code})
    normalise_notebook({"nbformat": 4, "cells": text + code[:3]})


def test_more_parameters_than_can_be_checked_for_each_run_are_refused() -> None:
    lines = [f"p{number}: int = 1" for number in range(501)]
    assert len(properties("\n".join(lines[:500]))) == 500
    with pytest.raises(InvalidInputError, match="Cell 2, line 501: the cell has 501 statements"):
        properties("\n".join(lines))
