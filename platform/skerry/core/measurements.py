"""What one program measures of itself, in the form that Prometheus reads."""

import os
import secrets
from collections.abc import Callable, Iterable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

TEXT_FORMAT = CONTENT_TYPE_LATEST
"""The media type of measurements."""

TOKEN_VARIABLE = "SKERRY_METRICS_TOKEN"  # noqa: S105 - a name
"""A token with which every part shows its measurements, also while the hub is away."""

_REQUEST_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_QUERY_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5, 15)
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})

Sample = tuple[dict[str, str], float]


def is_metrics_token(token: str) -> bool:
    """Return whether a token is the one that Prometheus has."""
    own = os.environ.get(TOKEN_VARIABLE, "")
    return bool(own) and token.isascii() and secrets.compare_digest(token, own)


class Measurements:
    """The measurements of one program.

    Attributes
    ----------
    registry
        Where all of them are registered.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._requests = Histogram(
            "skerry_request_seconds",
            "Seconds until a request was answered whole",
            ["method", "route", "status"],
            buckets=_REQUEST_S,
            registry=self.registry,
        )
        self._statements = Histogram(
            "skerry_database_seconds",
            "Seconds of a statement in the database",
            ["kind"],
            buckets=_QUERY_S,
            registry=self.registry,
        )
        self._objects = Histogram(
            "skerry_objects_seconds",
            "Seconds of a request to the object store",
            ["store", "operation", "outcome"],
            buckets=_QUERY_S,
            registry=self.registry,
        )

    def note_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note a request that was answered.

        Parameters
        ----------
        method
            A client may send any word; each new label would stay in memory, so that unusual words
            share one.
        route
            The pattern of the address.
        status, seconds
            The answer's status, and how long it took.
        """
        name = method if method in _METHODS else "other"
        self._requests.labels(name, route, status).observe(seconds)

    def note_statement(self, statement: str, seconds: float) -> None:
        """Note a statement that a database has carried out, by its first word."""
        kind = statement[:8].split(maxsplit=1)[0].lower()
        self._statements.labels(kind).observe(seconds)

    def note_objects(self, store: str, operation: str, outcome: str, seconds: float) -> None:
        """Note a request to the object store, see `skerry.storage.timing`."""
        self._objects.labels(store, operation, outcome).observe(seconds)

    def time(self, name: str, meaning: str) -> Histogram:
        """Return a measurement of seconds by outcome."""
        return Histogram(name, meaning, ["outcome"], buckets=_REQUEST_S, registry=self.registry)

    def write(self) -> bytes:
        """Return all measurements in Prometheus' text format."""
        return generate_latest(self.registry)

    def watch(self, name: str, meaning: str, read: Callable[[], Iterable[Sample]]) -> None:
        """Show numbers that are read when somebody asks for the measurements.

        Parameters
        ----------
        name, meaning
            The measurement's name and one sentence about it.
        read
            Gives labels and number of each sample.
        """
        self.registry.register(_Numbers(name, meaning, read))


class _Numbers(Collector):
    """Numbers that are read when they are asked for."""

    def __init__(self, name: str, meaning: str, read: Callable[[], Iterable[Sample]]) -> None:
        self._name, self._meaning, self._read = name, meaning, read

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name the measurement, so that registering it reads nothing."""
        return [GaugeMetricFamily(self._name, self._meaning)]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Read the numbers."""
        try:
            samples = list(self._read())
        except Exception:  # noqa: BLE001 - the others are wanted most when the database is away
            samples = []
        labels = list(samples[0][0]) if samples else []
        family = GaugeMetricFamily(self._name, self._meaning, labels=labels)
        for values, number in samples:
            family.add_metric([values[label] for label in labels], number)
        yield family
