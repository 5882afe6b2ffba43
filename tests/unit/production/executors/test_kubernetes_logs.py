"""How often logs of attempts are read: seldom enough for Kubernetes, often enough for people."""

from pathlib import Path

import pytest
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Pod

from skerry.production.executors.kubernetes import logs
from skerry.production.executors.kubernetes.cluster import Cluster
from skerry.production.executors.kubernetes.logs import Logs, choose_pause
from skerry.production.executors.protocol import AttemptName
from skerry.storage.object_folder import ObjectFolder

POD = Pod(metadata=ObjectMeta(name="pod"))


class Printed(Cluster):
    """A cluster that gives one log for every pod, and counts how often."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.reads = 0

    def read_log(self, pod: str, most: int) -> bytes | None:
        self.reads += 1
        return self.content


@pytest.mark.parametrize(
    ("count", "size", "pause_s"),
    [(1, 1000, 5), (250, 10**6, 5), (1000, 10**7, 20), (1000, 10**9, 50)],
)
def test_pause(count: int, size: int, pause_s: float) -> None:
    assert choose_pause(count, size) == pause_s


def test_long_logs_are_read_less_often_until_their_attempts_are_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_BYTES_PER_S", 10)
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    cluster = Printed(b"x" * 50)
    kept = Logs(ObjectFolder(tmp_path), cluster)
    first, second = AttemptName("a", 1), AttemptName("b", 1)
    for name in (first, second):
        kept.prepare(name)
        kept.keep_now_and_then(name, POD)
    assert cluster.reads == 2
    now += 9  # both have 100 bytes: ten seconds
    kept.keep_now_and_then(first, POD)
    assert cluster.reads == 2
    kept.forget(second)
    kept.keep_now_and_then(first, POD)
    assert cluster.reads == 3
    assert kept.read(first, 40) == b"x" * 10
