"""The table at the end of ``make images``."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from images.building.builders import ImageFacts
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One image.

    Attributes
    ----------
    tag
        Its name.
    facts
        What its builder says.
    packages
        The list of its Python packages, in CycloneDX's form.
    seconds
        How long its build took.
    """

    tag: str
    facts: ImageFacts
    packages: Path
    seconds: float


def print_table(rows: Sequence[Row]) -> None:
    """Print a line for each image."""
    table = Table("IMAGE", "SIZE", "LAYERS", "PACKAGES", "BUILD", "IMAGE ID", box=None)
    for row in rows:
        table.add_row(
            row.tag,
            f"{row.facts.size / 1e6:,.0f} MB",
            str(row.facts.layers),
            str(len(json.loads(row.packages.read_text())["components"])),
            f"{row.seconds:.0f} s",
            row.facts.digest[:12],
        )
    Console(width=140).print(table)
