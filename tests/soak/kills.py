"""The plan of a soak: who is killed, and when. The same seed gives the same plan."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

SHORTEST_S, LONGEST_S = 2.0, 10.0


class Victim(StrEnum):
    """A kind of process that a platform may lose at any moment."""

    WORKER = "worker"
    API = "api"
    MAPS = "maps"
    ATTEMPT = "run process"


@dataclass(frozen=True)
class Kill:
    """One kill.

    Attributes
    ----------
    victim
        The kind of process.
    share
        Which of the processes of this kind that live then: from 0 for the first to 1.
    pause_s
        Seconds until the next kill.
    """

    victim: Victim
    share: float
    pause_s: float

    def choose[Process](self, processes: list[Process]) -> Process:
        """Return the process to kill out of those that live."""
        return processes[int(self.share * len(processes))]


def plan_kills(seed: int) -> Iterator[Kill]:
    """Plan kills without end."""
    chance = random.Random(seed)
    while True:
        yield Kill(
            chance.choice(list(Victim)), chance.random(), chance.uniform(SHORTEST_S, LONGEST_S)
        )
