"""What the command measures: figures, each with the size at which it was measured."""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from skerry.core.version import VERSION


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Attributes
    ----------
    part
        Which measurement it belongs to: ``servers``, ``clusters``, ``apis`` or ``attempts``.
    name
        What was measured.
    at
        At how many people, clusters, replicas or attempts.
    value, unit
        The number.
    """

    part: str
    name: str
    at: int
    value: float
    unit: str


def describe_machine() -> dict[str, Any]:
    """Return on what the figures were measured: they hold for nothing else."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "skerry": VERSION,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def find_percentile(seconds: Sequence[float], share: float) -> float:
    """Return the time within which this share of all ended."""
    ordered = sorted(seconds)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def print_table(figures: Iterable[Figure]) -> None:
    """Print a line for each thing that was measured, with a column for each size."""
    parts: dict[str, list[Figure]] = {}
    for figure in figures:
        parts.setdefault(figure.part, []).append(figure)
    for part, found in parts.items():
        sizes = sorted({figure.at for figure in found})
        names = list(dict.fromkeys((figure.name, figure.unit) for figure in found))
        width = max(len(f"{name}, {unit}") for name, unit in names)
        print(f"\n{part:<{width}}" + "".join(f"{size:>10}" for size in sizes))
        for name, unit in names:
            values = {
                item.at: item.value for item in found if (item.name, item.unit) == (name, unit)
            }
            cells = (f"{values[size]:>10.4g}" if size in values else f"{'':>10}" for size in sizes)
            print(f"{f'{name}, {unit}':<{width}}" + "".join(cells))


def write_figures(figures: Iterable[Figure], path: Path) -> None:
    """Write figures as JSON; those of other parts that stand in the file stay."""
    new = [asdict(figure) for figure in figures]
    measured = {item["part"] for item in new}
    before = json.loads(path.read_text()) if path.exists() else {"machines": {}, "figures": []}
    kept = [item for item in before["figures"] if item["part"] not in measured]
    machines = before["machines"] | dict.fromkeys(measured, describe_machine())
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"machines": dict(sorted(machines.items())), "figures": [*kept, *new]}
    path.write_text(json.dumps(content, indent=1) + "\n")


def read_figures(path: Path) -> list[Figure]:
    """Return the figures of a file."""
    return [Figure(**item) for item in json.loads(path.read_text())["figures"]]
