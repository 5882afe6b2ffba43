"""Notebooks as content: the deterministic form that a release pins."""

import json
from typing import Any

from skerry.core.errors import InvalidInputError
from skerry.core.json_values import check_json
from skerry.production.parameters import find_parameters_cell, join_source
from skerry.production.places import CellPlace
from skerry.production.values import decode_value, write_assignment

_NBFORMAT = 4
_MOST_CELLS = 10_000
_LONGEST_CELL = 1 << 17
_MOST_CODE = 1 << 20
"""Characters of code in a cell and in a notebook. To read code takes 600 times as much memory."""
_SMALLER = "Keep data in files or in the catalogue, and code that notebooks share in a wheel."


def normalise_notebook(notebook: Any) -> dict[str, Any]:
    """Return a notebook without outputs, counts and volatile metadata.

    The result has the nbformat version, kernel name and language, and of each cell its type,
    source, tags and attachments. Cell ids are renumbered, because editors create new ids.

    Raises
    ------
    InvalidInputError
        If it is not an nbformat 4 notebook, its language is not Python, or it is too large to be
        read.
    """
    if not isinstance(notebook, dict) or notebook.get("nbformat") != _NBFORMAT:
        raise InvalidInputError(
            "The file is not a notebook of format 4.", remedy="Save it again with JupyterLab."
        )
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(_is_cell(cell) for cell in cells):
        raise InvalidInputError(
            "The notebook's cells are broken.", remedy="Save it again with JupyterLab."
        )
    _check_language(notebook.get("metadata"))
    _check_size(cells)
    normal = {
        "nbformat": _NBFORMAT,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
        "cells": [_normalise_cell(cell, number) for number, cell in enumerate(cells)],
    }
    check_json(normal, what="notebook")
    return normal


def encode_notebook(notebook: dict[str, Any]) -> bytes:
    """Return a normalised notebook as canonical bytes (UTF-8, sorted keys, one trailing LF)."""
    text = json.dumps(notebook, sort_keys=True, indent=1, ensure_ascii=False)
    return text.encode() + b"\n"


def inject_parameters(
    notebook: dict[str, Any], schema: dict[str, Any], values: dict[str, Any]
) -> tuple[dict[str, Any], int]:
    """Return the notebook with one more cell that sets `values`, and that cell's position.

    The new cell comes right after the parameters cell.
    """
    index, _ = find_parameters_cell(notebook)
    lines = [
        write_assignment(name, decode_value(value, schema["properties"][name]))
        for name, value in values.items()
    ]
    cell: dict[str, Any] = {
        "id": "injected-parameters",
        "cell_type": "code",
        "source": "\n".join(["# Parameters of this run", *lines]),
        "metadata": {"tags": ["injected-parameters"]},
        "outputs": [],
        "execution_count": None,
    }
    cells = [*notebook["cells"][: index + 1], cell, *notebook["cells"][index + 1 :]]
    return {**notebook, "cells": cells}, index + 1


def _is_cell(cell: Any) -> bool:
    if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
        return False
    metadata = cell.get("metadata", {})
    if not isinstance(metadata, dict) or not isinstance(metadata.get("tags", []), list):
        return False
    source = cell.get("source")
    return isinstance(source, str) or (
        isinstance(source, list) and all(isinstance(line, str) for line in source)
    )


def _check_language(metadata: Any) -> None:
    about = metadata if isinstance(metadata, dict) else {}
    languages = [(about.get("kernelspec"), "language"), (about.get("language_info"), "name")]
    languages_named = [part.get(name) for part, name in languages if isinstance(part, dict)]
    language = next(filter(None, languages_named), "python")
    if language != "python":
        raise InvalidInputError(
            f"The notebook's language is {language!r}.", remedy="Releases are Python notebooks."
        )


def _check_size(cells: list[dict[str, Any]]) -> None:
    """Refuse more code than a notebook holds: the api reads it before anybody has approved it."""
    if len(cells) > _MOST_CELLS:
        raise InvalidInputError(
            f"The notebook has {len(cells)} cells, more than {_MOST_CELLS}.",
            remedy="Make several notebooks of it.",
        )
    code = [
        len(join_source(cell["source"])) if cell["cell_type"] == "code" else 0 for cell in cells
    ]
    longest = max(code, default=0)
    if longest > _LONGEST_CELL:
        raise CellPlace(code.index(longest) + 1).refuse(
            f"it holds {longest} characters of code, more than {_LONGEST_CELL}", remedy=_SMALLER
        )
    if sum(code) > _MOST_CODE:
        raise InvalidInputError(
            f"The notebook holds {sum(code)} characters of code, more than {_MOST_CODE}.",
            remedy=_SMALLER,
        )


def _normalise_cell(cell: dict[str, Any], number: int) -> dict[str, Any]:
    normal: dict[str, Any] = {
        "id": f"cell-{number}",
        "cell_type": cell["cell_type"],
        "source": join_source(cell["source"]),
        "metadata": {},
    }
    tags = cell.get("metadata", {}).get("tags")
    if tags:
        normal["metadata"]["tags"] = sorted(str(tag) for tag in tags)
    if cell["cell_type"] == "code":
        normal.update(outputs=[], execution_count=None)
    if cell.get("attachments"):
        normal["attachments"] = cell["attachments"]
    return normal
