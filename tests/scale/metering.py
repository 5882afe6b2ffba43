"""What processes use: their processor time and their memory, with all that they started."""

import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Usage:
    """What a program used.

    Attributes
    ----------
    cpu_s
        Seconds of processor time.
    memory
        Bytes of its memory that no other process shares, now.
    """

    cpu_s: float
    memory: int


class Meter:
    """Measures programs between two moments.

    Parameters
    ----------
    programs
        Name of each to its process; what it has started counts with it.
    alone
        Names of programs of which only the process itself counts.
    """

    def __init__(self, programs: Mapping[str, int], alone: Collection[str] = ()) -> None:
        self._alone = frozenset(programs[name] for name in alone)
        self._programs = {name: psutil.Process(pid) for name, pid in programs.items()}
        self.begin()

    def begin(self) -> None:
        """Measure from now on."""
        self._began = time.monotonic()
        self._before = {name: self._measure_cpu(item) for name, item in self._programs.items()}

    @property
    def seconds(self) -> float:
        """How long it has measured."""
        return time.monotonic() - self._began

    def read(self) -> dict[str, Usage]:
        """Return what each has used since the beginning."""
        return {
            name: Usage(self._measure_cpu(item) - self._before[name], self._measure_memory(item))
            for name, item in self._programs.items()
        }

    def _measure_cpu(self, program: psutil.Process) -> float:
        total = 0.0
        for process in self._list_processes(program):
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
                if program.pid not in self._alone:
                    total += times.children_user + times.children_system  # of those that ended
        return total

    def _measure_memory(self, program: psutil.Process) -> int:
        total = 0
        for process in self._list_processes(program):
            with suppress(psutil.NoSuchProcess):
                total += process.memory_full_info().uss
        return total

    def _list_processes(self, program: psutil.Process) -> list[psutil.Process]:
        children = [] if program.pid in self._alone else program.children(recursive=True)
        return [program, *children]
