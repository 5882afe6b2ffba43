"""What the api measures besides its requests: runs, attempts, the queue, workers, upkeep."""

import math
from collections.abc import Callable

from sqlalchemy import Engine

from skerry.core.disk import measure_space
from skerry.core.measurements import Measurements, Sample
from skerry.core.ownership import KEEPER
from skerry.core.time import utc_now
from skerry.models.upkeep import LastPrune
from skerry.production.counting import count_attempts, count_runs, find_longest_waiting
from skerry.production.upkeep.last_prune import find_last_prune
from skerry.production.workers import list_workers
from skerry.storage.layout import DataFolder


def watch_production(measurements: Measurements, reader: Engine) -> None:
    """Show how many runs and attempts there are, and how long the queue makes a run wait."""

    def count_by_status() -> list[Sample]:
        with reader.connect() as connection:
            counted = count_runs(connection, viewer=KEEPER)
        return [({"status": name}, count) for name, count in counted.items()]

    def count_attempts_by_status() -> list[Sample]:
        with reader.connect() as connection:
            counted = count_attempts(connection)
        return [({"status": name}, count) for name, count in sorted(counted.items())]

    def measure_waiting() -> list[Sample]:
        with reader.connect() as connection:
            since = find_longest_waiting(connection)
        return [({}, max(0.0, (utc_now() - since).total_seconds()) if since else 0.0)]

    measurements.watch("skerry_runs", "Runs by status", count_by_status)
    measurements.watch("skerry_attempts", "Attempts by status", count_attempts_by_status)
    measurements.watch(
        "skerry_queue_seconds", "Seconds since the longest waiting run was started", measure_waiting
    )


def watch_upkeep(measurements: Measurements, reader: Engine) -> None:
    """Show when the last prune was, what it freed, and where records and bytes differ."""

    def read(choose: Callable[[LastPrune], list[Sample]]) -> Callable[[], list[Sample]]:
        def sample() -> list[Sample]:
            with reader.connect() as connection:
                last = find_last_prune(connection)
            return choose(last) if last else []

        return sample

    measurements.watch(
        "skerry_prune_time_seconds", "When the last prune ended, in seconds since 1970",
        read(lambda last: [({}, last.ended.timestamp())]),
    )  # fmt: skip
    measurements.watch(
        "skerry_prune_freed_bytes", "Bytes that the last prune freed",
        read(lambda last: [({}, last.freed)]),
    )  # fmt: skip
    measurements.watch(
        "skerry_unnamed_bytes", "Bytes that no record names, at the last prune",
        read(lambda last: [({}, last.unnamed_size)]),
    )  # fmt: skip
    measurements.watch(
        "skerry_disagreements", "Prefixes without record, records without bytes or with others",
        read(
            lambda last: [
                ({"kind": "unnamed"}, last.unnamed), ({"kind": "lost"}, last.lost),
                ({"kind": "changed"}, last.changed),
            ]
        ),
    )  # fmt: skip


def watch_workers(measurements: Measurements, reader: Engine, data: DataFolder) -> None:
    """Show for how long each worker has shown no sign of life, on whatever machine it is."""

    def measure_silences() -> list[Sample]:
        return [
            ({"worker": sign.name}, math.inf if sign.silent_s is None else sign.silent_s)
            for sign in list_workers(reader, data)
        ]

    measurements.watch(
        "skerry_worker_silence_seconds", "Seconds since a worker last ended a round",
        measure_silences,
    )  # fmt: skip


def watch_machine(measurements: Measurements, data: DataFolder) -> None:
    """Show how much of the disk is free."""

    def measure_disk() -> list[Sample]:
        space = measure_space(data.root)
        return [({"part": "free"}, space.free), ({"part": "total"}, space.total),
                ({"part": "floor"}, space.floor)]  # fmt: skip

    measurements.watch("skerry_disk_bytes", "Bytes on the data folder's disk", measure_disk)
