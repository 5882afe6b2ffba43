"""Places in a notebook, for messages."""

from dataclasses import dataclass, replace

from skerry.core.errors import InvalidInputError


@dataclass(frozen=True)
class CellPlace:
    """A cell of a notebook and a line in it, both counted from one."""

    cell: int
    line: int = 1

    def at(self, line: int | None) -> "CellPlace":
        """Return the same cell at another line."""
        return replace(self, line=line or 1)

    def refuse(self, what: str, *, remedy: str) -> InvalidInputError:
        """Return the error that names this place."""
        return InvalidInputError(f"Cell {self.cell}, line {self.line}: {what}.", remedy=remedy)
