"""How commands show things: tables, JSON and progress."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
"""Every command that lists or shows takes it."""


@contextmanager
def show_progress(name: str) -> Iterator[Callable[[str, float], None]]:
    """Show a bar on standard error while the block runs (plain lines where it is no terminal)."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(name, total=1.0)
        said: list[str] = []

        def report(what: str, done: float) -> None:
            bars.update(task, completed=done, description=what)
            if not console.is_terminal and said[-1:] != [what]:
                click.echo(f"{name}: {what}", err=True)
                said.append(what)

        yield report


def print_table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Print columns as wide as they need to be, so that nothing is cut when piped."""
    table = [head, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def print_json(value: Any) -> None:
    """Print a JSON value."""
    click.echo(json.dumps(value, indent=2))
