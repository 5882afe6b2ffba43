"""What the run's logic asks of the place where attempts run: a machine, or later a cluster.

An attempt is known by a name that follows from run and epoch alone. Whoever knows the name can
find it again, also a worker that did not start it. A name is started at most once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self

from skerry.models.releases import Environment


@dataclass(frozen=True)
class AttemptName:
    """The name of an attempt, in words ``<run>-<epoch>``.

    Attributes
    ----------
    run, epoch
        The attempt.
    """

    run: str
    epoch: int

    def __str__(self) -> str:
        return f"{self.run}-{self.epoch}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the name that is written so, or None."""
        run, _, epoch = text.rpartition("-")
        return cls(run, int(epoch)) if run and epoch.isdecimal() else None


@dataclass(frozen=True)
class Order:
    """What an attempt executes.

    Attributes
    ----------
    arguments
        Arguments of Python in the release's environment, such as ``("-m", "a.module")``.
    environment
        The release's environment, as `skerry.production.environments` describes it.
    variables
        Environment variables for it.
    make_secrets
        Makes the environment variables that only the attempt may know. It is asked when all
        is ready to start, because a token's life begins then.
    check
        Is called several times a second while the start takes long. What it raises ends the
        start, and `Executor.start_or_attach` raises it.
    """

    arguments: tuple[str, ...]
    environment: Environment
    variables: Mapping[str, str]
    make_secrets: Callable[[], Mapping[str, str]] = dict
    check: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Limits:
    """What an attempt may use; then it is ended.

    Attributes
    ----------
    time_s
        Seconds from its start.
    memory
        Bytes of all its processes together, not counting memory that they share twice; None for
        no limit.
    """

    time_s: float
    memory: int | None = None


class Phase(StrEnum):
    """How far an attempt is. All but `WAITING` and `RUNNING` are ends."""

    WAITING = "waiting"
    """It has not begun: the place where it is to run has no room for it yet, say."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    """It ended with exit code 0."""
    FAILED = "failed"
    """It ended with another exit code."""
    KILLED = "killed"
    """It was ended: by a signal from outside, or by `Executor.end`."""
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    UNPLACED = "unplaced"
    """There was no room for it, for too long, or there can never be."""
    VANISHED = "vanished"
    """Nothing of that name is there, and nothing tells how it ended."""


@dataclass(frozen=True)
class AttemptState:
    """An attempt's state.

    Attributes
    ----------
    phase
        How far it is.
    detail
        How it ended, or what it waits for, for people.
    message
        The last words that it left (`skerry.production.executors.last_words`).
    """

    phase: Phase
    detail: str = ""
    message: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.phase not in (Phase.WAITING, Phase.RUNNING)


class Executor(Protocol):
    """A place where attempts run.

    Attributes
    ----------
    longest_wait_s
        Seconds that an attempt which was started may wait until it begins.
    """

    longest_wait_s: float = 0.0

    def start_or_attach(self, name: AttemptName, order: Order, limits: Limits) -> None:
        """Start an attempt; if it is there already, running or ended, only attach to it.

        Raises
        ------
        UnavailableError
            If there is no room for it now.
        SkerryError
            If it can never start: its environment cannot be had, say.
        """

    def poll(self, name: AttemptName) -> AttemptState:
        """Return an attempt's state. An attempt beyond its limits has ended when this returns."""

    def wait(self, name: AttemptName, time_s: float) -> None:
        """Wait until an attempt seems to have ended, at most `time_s` seconds; `poll` knows."""

    def logs(self, name: AttemptName, start: int = 0) -> bytes:
        """Return what an attempt has printed, from byte `start`; after its end, too."""

    def end(self, name: AttemptName, reason: str) -> None:
        """End an attempt with everything that it started; once more does no harm.

        It is told the reason, and has some seconds to write its last words.
        """

    def forget(self, name: AttemptName) -> None:
        """Forget an attempt that has ended; from then on it counts as vanished. Logs stay."""

    def list_attempts(self) -> list[AttemptName]:
        """Return the attempts that have not been forgotten, running or ended."""

    def find_fault(self) -> str | None:
        """Return why attempts cannot be started or seen now, None if they can."""

    def recover(self) -> None:
        """Clear up after a worker that was killed. A worker calls it before it starts any."""

    def close(self) -> None:
        """Start no more; end the attempts that cannot go on without this worker."""
