"""A soak: runs are carried out while the platform's processes are killed one after the other."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.kills import SHORTEST_S, Kill, Victim, plan_kills
from tests.soak.looking import looking_at
from tests.soak.needs import Needs
from tests.soak.platforms import Mark, SoakedPlatform
from tests.soak.pruning import Pruning
from tests.soak.work import Client, count_runs, describe_failures, list_runs, prepare, start_run

from skerry.production.executors.protocol import AttemptName

AHEAD = 12
"""How many runs wait or are under way at a time."""

MOST_CRASHES = 3
"""How often the process of one run is killed: one that dies more often is a broken notebook to
the platform, and its run fails."""

OUTAGES = 2
"""How often what the platform needs goes away."""

_STEP_S = 0.25
_AWAY_S = 5.0
_STORE_AWAY_S = 20.0
_REPORT_S = 15.0


@dataclass
class Soak:
    """One soak.

    Attributes
    ----------
    soaked
        The platform.
    runs
        How many runs have to end.
    seed
        Of the plan of kills.
    limit_s
        When it is given up.

    Attributes
    ----------
    seen
        Attempts whose process was seen at work, and the data folder of their worker.
    killed
        Attempts whose process was killed.
    """

    soaked: SoakedPlatform
    runs: int
    seed: int
    limit_s: float
    client: Client = field(init=False)
    pruning: Pruning = field(init=False)
    needs: Needs = field(default_factory=Needs)
    kills: Counter[Victim] = field(default_factory=Counter)
    outages: int = 0
    absences: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    seen: dict[AttemptName, Path] = field(default_factory=dict)
    killed: set[AttemptName] = field(default_factory=set)
    _crashes: Counter[str] = field(default_factory=Counter)
    _began: float = 0.0
    _server_is_back_at: float | None = None
    _store_is_back_at: float | None = None

    def __post_init__(self) -> None:
        self.client = Client(self.soaked)
        self.pruning = Pruning(self.soaked)

    def carry_out(self) -> None:
        """Start the runs, and kill processes until all have ended."""
        pace = self.soaked.pace
        self.say(f"{self.runs} runs; the plan of kills has the seed {self.seed}, pace {pace:.1f}")
        prepare(self.client)
        with looking_at(self.soaked) as looker:
            self._work()
        killed = ", ".join(f"{number} {victim}" for victim, number in self.kills.items())
        self.say(f"all runs have ended; killed: {killed}")
        assert not looker.client.wrong, "\n".join(looker.client.wrong[:20])
        assert looker.answers > self.runs, f"only {looker.answers} looks were answered"
        passed = time.monotonic() - self._began
        self.pruning.finish()
        ended = self.pruning.ended
        self.say(
            f"pruned {ended.total()} times, {ended['stopped']} of them while something was away;"
            f" freed {self.pruning.freed} bytes"
        )
        self.say(self.needs.describe(self.soaked, self.runs, passed))

    def _work(self) -> None:
        self._began = reported = time.monotonic()
        plan = plan_kills(self.seed)
        due = self._began + SHORTEST_S
        started = 0
        while (ended := self._count_ended()) < self.runs or self._is_somebody_away():
            now = time.monotonic()
            assert now - self._began < self.limit_s, self.soaked.explain()
            self.soaked.tend()
            self.pruning.tend()
            if started < self.runs and started - ended < AHEAD:
                started += start_run(self.client, started)
            self._look_at_attempts()
            if now >= due:
                due = now + self._kill(plan)
            self._restart_server(ended)
            self._stop_store(ended)
            if now - reported > _REPORT_S:
                reported = now
                self.needs.look()
                under_way = self.counts.get("running", 0)
                self.say(f"{ended} of {self.runs} runs have ended, {under_way} are under way")
            time.sleep(_STEP_S)

    def _is_somebody_away(self) -> bool:
        return self._server_is_back_at is not None or self._store_is_back_at is not None

    def say(self, text: str) -> None:
        """Print a line of progress."""
        passed = time.monotonic() - self._began if self._began else 0.0
        print(f"{passed:7.1f} s  {text}", flush=True)

    def _count_ended(self) -> int:
        self.counts = count_runs(self.client) or self.counts
        assert not self.counts.get("failed"), describe_failures(list_runs(self.client))
        return self.counts.get("succeeded", 0)

    def _look_at_attempts(self) -> None:
        for mark in self.soaked.find(Victim.ATTEMPT):
            assert mark.attempt is not None
            self.seen[mark.attempt] = mark.folder

    def _kill(self, plan: Iterator[Kill]) -> float:
        """Kill the next process of the plan that lives; return the seconds until the next kill."""
        for kill in plan:
            living = [mark for mark in self.soaked.find(kill.victim) if self._may_crash(mark)]
            if living:
                break
        mark = kill.choose(living)
        os.kill(mark.pid, signal.SIGKILL)
        self.kills[kill.victim] += 1
        if mark.attempt is not None:
            self.killed.add(mark.attempt)
            self._crashes[mark.attempt.run] += 1
        self.say(f"killed {kill.victim} {mark.name} (pid {mark.pid})")
        return kill.pause_s * self.soaked.pace

    def _may_crash(self, mark: Mark) -> bool:
        return mark.attempt is None or self._crashes[mark.attempt.run] < MOST_CRASHES

    def _restart_server(self, ended: int) -> None:
        """Restart the database server after a third of the runs, and once more after two.

        The second time it crashes. Kills go on while it is away.
        """
        server, now = self.soaked.server, time.monotonic()
        if server is None:
            return
        if self._server_is_back_at is not None and now >= self._server_is_back_at:
            server.start()
            self._server_is_back_at = None
            self.say("PostgreSQL is back")
        elif self.outages < OUTAGES and ended * (OUTAGES + 1) >= self.runs * (self.outages + 1):
            self.outages += 1
            self._server_is_back_at = now + _AWAY_S
            server.stop(crash=self.outages == OUTAGES)
            self.say(f"PostgreSQL goes away for {_AWAY_S:g} s")

    def _stop_store(self, ended: int) -> None:
        """Have the object store away twice, between the restarts of the database server."""
        store, now = self.soaked.store, time.monotonic()
        if store is None:
            return
        if self._store_is_back_at is not None and now >= self._store_is_back_at:
            store.start()
            self._store_is_back_at = None
            self.say("MinIO is back")
        elif self.absences < OUTAGES and ended * 6 >= self.runs * (2 * self.absences + 1):
            self.absences += 1
            self._store_is_back_at = now + _STORE_AWAY_S
            store.stop(signal.SIGKILL)
            self.say(f"MinIO goes away for {_STORE_AWAY_S:g} s")
