"""How often logs of attempts are read: seldom enough for Kubernetes, often enough for people."""

from pathlib import Path

import pytest
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Pod

from skerry.production.executors.kubernetes import logs
from skerry.production.executors.kubernetes.cluster import Cluster
from skerry.production.executors.kubernetes.logs import Logs, choose_pause, join
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


FIRST = b"".join(b"first %d\n" % number for number in range(2000))
SECOND = b"".join(b"second %d\n" % number for number in range(1000))


def test_a_log_goes_on_where_its_node_has_begun_a_new_file(tmp_path: Path) -> None:
    cluster = Printed(FIRST)
    watching = Logs(ObjectFolder(tmp_path), cluster)
    name = AttemptName("a", 1)
    watching.prepare(name)
    for content in (FIRST, SECOND[:100], SECOND[:5000]):
        cluster.content = content
        watching.keep(name, POD)
    another = Logs(ObjectFolder(tmp_path), cluster)  # whose worker has taken the place
    cluster.content = SECOND + b"ValueError: the end\n"
    for logs_of_worker in (another, watching):
        logs_of_worker.keep(name, POD)
        log = watching.read(name, 0)
        assert log.startswith(FIRST)
        assert log.endswith(SECOND + b"ValueError: the end\n")
        [gap] = log.removeprefix(FIRST).removesuffix(cluster.content).splitlines()
        assert b"into a new file" in gap


@pytest.mark.parametrize(
    ("kept", "earlier", "printed", "log", "of_it"),
    [
        (b"", None, b"", b"", 0),
        (b"", None, None, b"", 0),
        (b"", None, b"one\n", b"one\n", 0),
        (b"one\n", 0, b"one\ntwo\n", b"one\ntwo\n", 0),
        (b"one\ntwo\n", 0, b"one\n", b"one\ntwo\n", 0),
        (b"one\ntwo\n", 0, None, b"one\ntwo\n", 0),
        (b"old\n", 4, b"", b"old\n", 4),
        (b"one\n", 0, b"unable to retrieve container logs for containerd://a", b"one\n", 0),
        (b"old\none\n", 4, b"one\ntwo\n", b"old\none\ntwo\n", 4),
        (b"old\none\n", None, b"one\ntwo\n", b"old\none\n", None),
        (b"one\ntwo\n", 0, b"", b"one\ntwo\n", None),
    ],
)
def test_joining(
    kept: bytes, earlier: int | None, printed: bytes | None, log: bytes, of_it: int | None
) -> None:
    joined, found = join(kept, earlier, printed)
    if of_it is None:  # nothing that is known follows: the new file is added
        assert printed is not None
        assert joined.startswith(log)
        assert b"into a new file" in joined
        assert joined.endswith(printed)
        assert joined[found:] == printed
    else:
        assert (joined, found) == (log, of_it)


def test_lines_that_are_all_alike_hide_no_end() -> None:
    kept, earlier = join(b"begun\n" + b"x\n" * 500, None, b"x\n" * 400)
    for printed in (b"x\n" * 500, b"x\n" * 90 + b"error\n"):
        kept, earlier = join(kept, earlier, printed)
    assert kept.startswith(b"begun\n" + b"x\n" * 500)
    assert kept.endswith(b"x\n" * 90 + b"error\n")
