"""How much one worker's executor asks and holds: `python -m tests.kubernetes.scale [attempts]`.

Each attempt is carried out by a thread, as in a worker, and its pod by a node that only pretends.
With ``--each`` the watches are left out, and each attempt is asked about once a second.
"""

import argparse
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil
from lightkube import KubeConfig
from tests.kubernetes.kwok_nodes import add_nodes
from tests.kubernetes.pretended_logs import serve_logs
from tests.kubernetes.server import KubernetesServer, serve_kubernetes
from tests.kubernetes.worker_account import close_all, prepare_namespace, use_cluster
from tests.unit.production.executors.contract import LONG, SUCCEED, write_order

from skerry.core.errors import UnavailableError
from skerry.core.ids import new_id
from skerry.production.executors.kubernetes.cluster import Cluster
from skerry.production.executors.kubernetes.executor import KubernetesExecutor
from skerry.production.executors.protocol import AttemptName, AttemptState
from skerry.storage.layout import DataFolder

_POLL_S = 0.2
_PODS_OF_A_NODE = 100


@dataclass
class Figures:
    """What the attempts of one executor needed.

    Attributes
    ----------
    states
        How many attempts ended in each state.
    requests
        How many requests of each kind were sent to Kubernetes.
    while_at_work
        How many of them, from when all attempts were at work until the first had ended.
    memory_before, memory
        Bytes of this process before the first attempt, and with all of them at work.
    log_gaps
        For each attempt, the longest time in seconds for which its log was not looked at.
    """

    states: Counter[AttemptState] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    while_at_work: Counter[str] = field(default_factory=Counter)
    at_work_s: float = 0
    took_s: float = 0
    cpu_s: float = 0
    memory_before: int = 0
    memory: int = 0
    log_gaps: list[float] = field(default_factory=list)


@contextmanager
def counting(requests: Counter[str]) -> Iterator[None]:
    """Count the requests that this process sends to Kubernetes."""
    send = httpx2.Client.send
    turn = threading.Lock()

    def count(client: httpx2.Client, request: httpx2.Request, **options: Any) -> httpx2.Response:
        with turn:
            requests[_name_kind(request)] += 1
        return send(client, request, **options)

    httpx2.Client.send = count  # type: ignore[method-assign]
    try:
        yield
    finally:
        httpx2.Client.send = send  # type: ignore[method-assign]


def _name_kind(request: httpx2.Request) -> str:
    parts = request.url.path.split("/namespaces/")[-1].split("/")[1:]
    what = "watch" if "watch" in request.url.params else request.method
    return f"{what} {parts[-1] if parts[-1] == 'log' else parts[0]}"


def carry_out(
    server: KubernetesServer, namespace: str, folder: Path, count: int, work_s: float, *,
    each: bool = False,
) -> Figures:  # fmt: skip
    """Carry out attempts in a namespace, all at once, and return what that needed."""
    config = KubeConfig.from_file(prepare_namespace(server, namespace))
    figures = Figures(memory_before=psutil.Process().memory_info().rss)
    nodes = 1 + count // _PODS_OF_A_NODE
    with (
        serve_logs(server.folder) as logs,
        add_nodes(server, namespace, nodes, work_s, logs.port),
        closing(Cluster(config, namespace)) as cluster,
        counting(figures.requests),
    ):
        executor = use_cluster(DataFolder(folder), cluster, namespace)
        if not each:
            executor.recover()
        before = time.process_time(), time.monotonic()
        _carry_out_all(executor, count, figures)
        figures.cpu_s = time.process_time() - before[0]
        figures.took_s = time.monotonic() - before[1]
        assert executor.list_attempts() == []
        close_all()
        figures.log_gaps = logs.read_gaps()
    return figures


def _carry_out_all(executor: KubernetesExecutor, count: int, figures: Figures) -> None:
    started = threading.Barrier(count + 1)
    ended = threading.Event()

    def carry_out_one(name: AttemptName) -> AttemptState:
        try:
            start(name)
        except BaseException:
            started.abort()  # nobody waits for it
            raise
        started.wait()
        while not (state := executor.poll(name)).is_over:
            executor.wait(name, _POLL_S)
        ended.set()
        executor.forget(name)
        return state

    def start(name: AttemptName) -> None:
        while True:
            try:
                executor.start_or_attach(name, write_order(SUCCEED), LONG)
                break
            except UnavailableError:  # more at once than there are connections: as a worker does
                time.sleep(1)

    with ThreadPoolExecutor(count) as threads:
        states = [threads.submit(carry_out_one, AttemptName(new_id(), 1)) for _ in range(count)]
        started.wait()
        begin, before = time.monotonic(), figures.requests.copy()
        figures.memory = psutil.Process().memory_info().rss
        ended.wait()
        figures.at_work_s = time.monotonic() - begin
        figures.while_at_work = figures.requests - before
        figures.states = Counter(item.result() for item in states)


def main() -> None:
    """Carry out attempts on a control plane of their own, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=1000)
    parser.add_argument("--work-s", type=float, default=60)
    parser.add_argument("--each", action="store_true")
    asked = parser.parse_args()
    with (
        serve_kubernetes(controllers=True) as server,
        server.namespace() as namespace,
        tempfile.TemporaryDirectory() as folder,
    ):
        figures = carry_out(
            server, namespace, Path(folder), asked.count, asked.work_s, each=asked.each
        )
    per_s = sum(figures.while_at_work.values()) / figures.at_work_s
    print(f"{asked.count} attempts, each of {asked.work_s:g} s: {dict(figures.states)}")
    print(f"{figures.took_s:.0f} s, {figures.cpu_s:.0f} s of CPU")
    print(
        f"memory {figures.memory_before / 1e6:.0f} MB before, "
        f"{figures.memory / 1e6:.0f} MB with all of them"
    )
    print(f"a log was not looked at for {max(figures.log_gaps):.0f} s at most")
    print(f"requests {figures.requests.total()}: {dict(figures.requests)}")
    print(f"while at work {per_s:.1f} requests/s: {dict(figures.while_at_work)}")


if __name__ == "__main__":
    main()
