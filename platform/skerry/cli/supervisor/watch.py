"""Starts all parts, watches them, and ends them."""

import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from types import FrameType

from skerry.cli.supervisor.child import Child
from skerry.cli.supervisor.health import ask_health
from skerry.cli.supervisor.leftovers import end_leftovers, end_processes, find_marked
from skerry.cli.supervisor.log_pipes import LogPipes
from skerry.cli.supervisor.plan import Part, Plan
from skerry.cli.supervisor.screen import Screen
from skerry.core.errors import UnavailableError

START_LIMIT_S = 90.0
"""Seconds within which a part must answer for the first time."""

_STEP_S = 0.2
_WATCH_S = 0.5
_GRACE_S = 7.0
"""Seconds for an end in order; the other 3 of the 10 s of `skerry down` are for killing."""
_MAX_DEATHS = 3


class StopRequestedError(Exception):
    """SIGINT, SIGTERM or SIGHUP arrived."""


class Supervisor:
    """The parts of one platform, from start to end.

    Parameters
    ----------
    plan
        The plan of this start.
    parts
        The parts to start, the hub last.
    screen
        The screen for the progress.
    """

    def __init__(self, plan: Plan, parts: list[Part], screen: Screen) -> None:
        self._plan = plan
        self._screen = screen
        instance = plan.credentials.instance
        self._logs = LogPipes(plan.folder, instance, [part.name for part in parts])
        self._children = [Child(part, plan.folder, self._logs.output(part.name)) for part in parts]
        self._stopping = False

    def obey_signals(self) -> None:
        """Make SIGINT, SIGTERM and SIGHUP end the platform in order."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note_signal)

    def start(self) -> None:
        """Start all other parts at once, then the hub, because it looks for them only once.

        Raises
        ------
        UnavailableError
            If a part does not answer in time or keeps dying; ends with its last log lines.
        StopRequestedError
            If a signal arrived meanwhile.
        """
        self._logs.tend()
        deadline = time.monotonic() + START_LIMIT_S
        hubs = [child for child in self._children if child.part.name == "hub"]
        others = [child for child in self._children if child not in hubs]
        for group in (others, hubs):
            for child in group:
                child.start()
                self._screen.show(child.part.name, "starting")
            self._wait_ready(group, deadline)
        # Now through the public port, which everybody else uses.
        if hubs:
            self._poll(self._children, deadline, public=True)

    def watch(self, tasks: Sequence[Callable[[], None]]) -> None:
        """Restart parts that die, until a signal arrives.

        Parameters
        ----------
        tasks
            Each is called about twice a second.
        """
        while not self._stopping:
            for child in self._children:
                self._tend(child)
            with suppress(OSError):  # no more processes: lines wait in their pipes
                self._logs.tend()
            for advance in tasks:
                advance()
            time.sleep(_WATCH_S)

    def stop(self) -> None:
        """End all parts and everything that descends from them, within 10 s."""
        for child in self._children:
            child.ask_to_end()
        deadline = time.monotonic() + _GRACE_S
        while any(child.alive for child in self._children) and time.monotonic() < deadline:
            time.sleep(_STEP_S)
        for child in self._children:
            child.kill()
        self._logs.close()
        end_leftovers(self._plan.folder, self._plan.credentials.instance, grace=1.0)

    def _note_signal(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._stopping = True

    def _wait_ready(self, group: list[Child], deadline: float) -> None:
        self._poll(group, deadline, public=False)
        for child in group:
            self._screen.show(child.part.name, "ready")

    def _poll(self, group: Iterable[Child], deadline: float, *, public: bool) -> None:
        """Ask every part until all have answered."""
        pending = list(group)
        while pending:
            if self._stopping:
                raise StopRequestedError
            for child in list(pending):
                child_trouble = self._trouble(child, public=public)
                if child_trouble is None:
                    pending.remove(child)
                    if not public:
                        self._screen.show(child.part.name, "ready")
                elif time.monotonic() > deadline or child.restarts >= _MAX_DEATHS:
                    raise _describe_failure(child, child_trouble)
            time.sleep(_STEP_S)

    def _trouble(self, child: Child, *, public: bool) -> str | None:
        """Return why a starting part is not ready, None if it is ready."""
        if not child.alive:
            code = child.exit_code
            self._screen.show(child.part.name, "died", f"exit code {code}")
            if child.revive():
                self._screen.show(child.part.name, "starting", "again")
            return f"ended with exit code {code}"
        address = None if public else child.part.internal_health
        return ask_health(child.part.record, address=address)

    def _tend(self, child: Child) -> None:
        """Start a dead part again when its pause is over."""
        if child.alive:
            return
        name = child.part.name
        self._screen.show(name, "died", f"exit code {child.exit_code}, see {child.log}")
        if name == "gateway":
            # It forgets its clusters, so nobody would end their processes later.
            orphans = find_marked(self._plan.credentials.instance, part=name)
            end_processes(orphans, grace=1.0)
        try:
            if child.revive():
                self._screen.show(name, "restarted")
        except OSError as error:  # a full disk, no more processes: the others live on
            self._screen.show(name, "waiting", str(error))


def _describe_failure(child: Child, trouble: str) -> UnavailableError:
    lines = "\n  ".join(child.last_lines())
    return UnavailableError(
        f"The {child.part.name} {trouble}. The end of its log:\n  {lines}",
        remedy=f"The whole log is {child.log}.",
    )
