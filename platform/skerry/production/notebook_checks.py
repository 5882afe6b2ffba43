"""Checks that a notebook can run at all, when it is proposed and not when it fails."""

import ast
import builtins
from typing import Any

from skerry.production.installing import REMEDY, find_install
from skerry.production.parameters import find_parameters_cell, join_source
from skerry.production.places import CellPlace

_MAGICS = ("%", "!")
_HOMES = {
    "Annotated": "typing", "Literal": "typing", "Optional": "typing", "Union": "typing",
    "date": "datetime", "datetime": "datetime", "UTC": "datetime", "timezone": "datetime",
    "Field": "pydantic",
}  # fmt: skip


def check_runnable(notebook: dict[str, Any]) -> None:
    """Refuse a notebook whose parameters cell uses unknown names, or that installs packages.

    Raises
    ------
    InvalidInputError
        Names cell and line.
    """
    for position, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        line = find_install(join_source(cell["source"]).splitlines())
        if line is not None:
            raise CellPlace(position + 1, line).refuse(
                "packages cannot be installed inside of a run", remedy=REMEDY
            )
    _check_names(notebook)


def _check_names(notebook: dict[str, Any]) -> None:
    position, source = find_parameters_cell(notebook)
    names = set(dir(builtins))
    for cell in notebook["cells"][:position]:
        bound = _list_bound(join_source(cell["source"])) if cell["cell_type"] == "code" else set()
        if bound is None:  # a cell that cannot be read may bind anything
            return
        names |= bound
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in names:
            home = _HOMES.get(node.id)
            raise CellPlace(position + 1, node.lineno).refuse(
                f"{node.id!r} is not imported before the parameters cell",
                remedy=f"Write 'from {home} import {node.id}' in a cell above it."
                if home
                else "Import it in a cell above it.",
            )


def _list_bound(source: str) -> set[str] | None:
    """Return the names that a cell binds, None if its code cannot be read."""
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(_MAGICS)]
    try:
        tree = ast.parse("\n".join(lines))
    except (
        SyntaxError,
        ValueError,
        RecursionError,
        MemoryError,
    ):  # the last two: nested too deeply
        return None
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            if "*" in names:
                return None
            bound |= names
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
    return bound
