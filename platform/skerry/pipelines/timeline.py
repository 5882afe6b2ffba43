"""A timeline of a run: wall time, CPU and memory of each step, for Chrome's trace viewer.

Source: Trace Event Format (Google, 2016): complete events (``X``, with ``ts`` and ``dur`` in
microseconds), counter events (``C``) and metadata events (``M``). Open ``chrome://tracing`` or
any viewer of that format.
"""

import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psutil

from skerry.core.errors import InvalidInputError
from skerry.storage.writing import make_aside

SAMPLE_S = 0.1
MIB = 2**20


def check_place(path: Path) -> None:
    """Refuse a place where no file can be written, before the work begins.

    Raises
    ------
    InvalidInputError
        If it is a folder, or its folder cannot be made or written.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise InvalidInputError(
            f"The trace {path} cannot be written: {error.strerror}.",
            remedy="Name a file in a folder that you may write.",
        ) from None


class Timeline:
    """Collects events while a run goes on.

    Parameters
    ----------
    run_id
        Facts for the file's ``otherData``.
    sample_s
        Seconds between two samples of CPU and memory.
    """

    def __init__(self, run_id: str, *, sample_s: float = SAMPLE_S) -> None:
        self.run_id = run_id
        self._sample_s = sample_s
        self._start = time.perf_counter()
        self._process = psutil.Process()
        self._events: list[dict[str, Any]] = []
        self._samples: list[tuple[float, float, int]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._sampler = threading.Thread(target=self._sample_often, daemon=True)

    def __enter__(self) -> Self:
        self._take_sample()
        self._sampler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._sampler.join()

    @contextmanager
    def span(self, name: str, **arguments: Any) -> Iterator[None]:
        """Record the block as one event: its wall time, the CPU time used and the peak memory."""
        begin = self._take_sample()
        try:
            yield
        finally:
            end = self._take_sample()
            with self._lock:
                memory = [sample[2] for sample in self._samples if begin[0] <= sample[0] <= end[0]]
                self._events.append(
                    {
                        "name": name,
                        "cat": "step",
                        "ph": "X",
                        "ts": round(begin[0] * 1e6),
                        "dur": round((end[0] - begin[0]) * 1e6),
                        "args": {
                            **arguments,
                            "cpu_s": round(end[1] - begin[1], 3),
                            "peak_memory_mib": round(max(memory) / MIB, 1),
                        },
                    }
                )

    def to_dict(self) -> dict[str, Any]:
        """Return the whole timeline as the format's JSON object."""
        track = {"pid": os.getpid(), "tid": 0}
        process_name = {
            "name": "process_name",
            "ph": "M",
            "ts": 0,
            "args": {"name": "skerry process"},
        }
        with self._lock:
            counters = list(self._count_up())
            events = sorted(self._events, key=lambda item: int(item["ts"]))
        return {
            "traceEvents": [track | item for item in [process_name, *events, *counters]],
            "displayTimeUnit": "ms",
            "otherData": {"run_id": self.run_id},
        }

    def write(self, path: Path) -> None:
        """Write the file; it appears when complete."""
        with make_aside(path, replace=True, parents=True) as aside:
            aside.write_text(json.dumps(self.to_dict()), "utf-8")

    def _count_up(self) -> Iterator[dict[str, Any]]:
        before: tuple[float, float, int] | None = None
        for sample in self._samples:
            moment = {"ph": "C", "ts": round(sample[0] * 1e6)}
            yield moment | {"name": "memory", "args": {"MiB": round(sample[2] / MIB, 1)}}
            if before is not None and sample[0] > before[0]:
                share = 100 * max(0.0, sample[1] - before[1]) / (sample[0] - before[0])
                yield moment | {"name": "CPU", "args": {"per cent": round(share, 1)}}
            before = sample

    def _sample_often(self) -> None:
        while not self._stop.wait(self._sample_s):
            self._take_sample()

    def _take_sample(self) -> tuple[float, float, int]:
        """Keep the time since the start, the CPU seconds and bytes of this process and its own."""
        cpu, memory = 0.0, 0
        for item in [self._process, *self._process.children(recursive=True)]:
            try:
                cpu_times = item.cpu_times()
                cpu += cpu_times.user + cpu_times.system
                memory += item.memory_info().rss
            except psutil.Error:  # it has ended since it was listed
                continue
        with self._lock:
            sample = (time.perf_counter() - self._start, cpu, memory)
            self._samples.append(sample)
        return sample
