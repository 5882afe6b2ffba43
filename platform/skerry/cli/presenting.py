"""Output of commands: tables, JSON and progress."""

import json
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from pydantic_core import to_jsonable_python

from skerry.core.progress import Progress

_ORDERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_ORDERS_IN_BYTES = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
"""The option of every command that lists or shows."""


LINE_SECONDS = 10.0


def say(text: str = "", *, err: bool = False, mark: str = "") -> None:
    """Print a text, of which a terminal obeys nothing: it may hold words of anybody.

    Parameters
    ----------
    err
        Whether to print it to standard error.
    mark
        Skerry's own text before it, which may have colours.
    """
    click.echo(mark + make_harmless(text), err=err)


def say_bytes(content: bytes) -> None:
    """Print a piece of a log, which may end within a character."""
    click.echo(_ORDERS_IN_BYTES.sub(b"?", content), nl=False)


def make_harmless(text: str) -> str:
    r"""Return a text with control characters, and those that turn its direction, as ``\x1b``.

    Line feeds and tabs stay.
    """
    return _ORDERS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


@contextmanager
def show_progress(name: str) -> Iterator[Progress]:
    """Show the block's progress on standard error.

    A terminal gets a bar with the current work, per cent and the time left. Other outputs get a
    line for each stage, without the details after the stage's colon, and a line with per cent
    every `LINE_SECONDS`.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        with _show_bar(name, console) as report:
            yield report
        return
    stage, reported = "", 0.0

    def report_stage(done: float, what: str) -> None:
        nonlocal stage, reported
        new, now = what.partition(": ")[0], time.monotonic()
        if new == stage and now < reported + LINE_SECONDS:
            return
        share = f", {done:.0%}" if new == stage else ""
        say(f"{name}: {new}{share}", err=True)
        stage, reported = new, now

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
    table = [
        tuple(make_harmless(cell).replace("\n", "\\n") for cell in row) for row in (head, *rows)
    ]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())


def print_json(value: Any) -> None:
    """Print a JSON value, a model or a list of models."""
    click.echo(json.dumps(to_jsonable_python(value, by_alias=True), indent=2))


def name_readers(*, public: bool) -> str:
    """Return who may read a thing, in words."""
    return "anyone" if public else "its owner, and those to whom it is given"
