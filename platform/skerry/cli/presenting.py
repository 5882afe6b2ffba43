"""How commands show things: tables, JSON and progress."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from skerry.core.progress import Progress

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
"""Every command that lists or shows takes it."""


@contextmanager
def show_progress(name: str) -> Iterator[Progress]:
    """Show on standard error how far the block is.

    A terminal gets a bar with what is being done, per cent and the time left; anything else a
    line a stage, without the details behind the stage's colon.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with _show_bar(name, console) as report:
            yield report
        return
    said: list[str] = []

    def report_stage(_done: float, what: str) -> None:
        stage = what.partition(": ")[0]
        if said[-1:] != [stage]:
            click.echo(f"{name}: {stage}", err=True)
            said.append(stage)

    yield report_stage


@contextmanager
def _show_bar(name: str, console: Any) -> Iterator[Progress]:
    from rich import progress
    from rich.table import Column

    columns = (
        progress.TextColumn("{task.description}", markup=False, table_column=Column(ratio=1)),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console) as bars:
        task = bars.add_task(name, total=1.0)
        yield lambda done, what: bars.update(task, completed=done, description=f"{name}: {what}")


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
