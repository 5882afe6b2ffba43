"""The screen while the platform starts: a live line for each part, or plain lines in a log."""

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from skerry.cli.supervisor.log_writer import stamp_line

_STYLES = {"ready": "green", "starting": "yellow", "died": "red", "waiting": "dim"}


class Terminal(Console):
    """A console that may lose its reader; the platform continues without a reader."""

    def print(self, *objects: Any, **how: Any) -> None:
        """Print as usual; print nothing more after a terminal or a pipe was closed."""
        try:
            super().print(*objects, **how)
        except OSError:
            self.quiet = True

    def on_broken_pipe(self) -> None:
        """Print nothing from now on; without this, rich would end the program."""
        self.quiet = True


class Screen:
    """The parts' states, one line each.

    On a terminal the lines change in place until the platform is ready. Later, and in other
    outputs, each change is printed once, after its time, as in the logs.

    Parameters
    ----------
    console
        Where to write.
    names
        The parts in order.
    """

    def __init__(self, console: Console, names: list[str]) -> None:
        self.console = console
        self._states = dict.fromkeys(names, ("waiting", ""))
        self._began = time.monotonic()
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None  # what happens later is printed below what others have printed

    def show(self, name: str, state: str, detail: str = "") -> None:
        """Show a part's state: ``starting``, ``ready``, ``died``.

        Parameters
        ----------
        name
            The part.
        state
            One word.
        detail
            A few words more; elapsed seconds are added when it becomes ready.
        """
        if self._states.get(name, ("", ""))[0] == state:
            return
        if state == "ready" and not detail:
            detail = f"{time.monotonic() - self._began:.1f} s"
        self._states[name] = (state, detail)
        if self._live is not None:
            self._live.update(self._draw(), refresh=True)
        else:
            line = stamp_line(f"{name:<11}{state:<10}{detail}".rstrip().encode()).decode()
            self.console.print(line.rstrip(), markup=False, highlight=False, soft_wrap=True)

    def _draw(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, (state, detail) in self._states.items():
            style = _STYLES.get(state, "")
            table.add_row(name, f"[{style}]{state}[/]" if style else state, f"[dim]{detail}[/]")
        return table
