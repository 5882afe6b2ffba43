"""The executor of Kubernetes keeps the contract: a real API server, and real programs."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kubernetes.node import Node, Pod
from tests.kubernetes.server import KubernetesServer
from tests.kubernetes.worker_account import close_all, make_executor, prepare_namespace
from tests.platform_process import wait_until
from tests.unit.production.executors.contract import LIMIT_S, LONG, SLEEP, ExecutorContract

from skerry.production.executors.kubernetes.executor import KubernetesExecutor
from skerry.production.executors.kubernetes.manifest import name_job
from skerry.production.executors.protocol import AttemptName, Limits, Phase
from skerry.storage.layout import DataFolder

pytestmark = pytest.mark.kubernetes

_WORKER = """
import os, signal, sys
from pathlib import Path
from tests.kubernetes.worker_account import make_executor
from tests.unit.production.executors.contract import write_order
from skerry.production.executors.protocol import AttemptName, Limits
from skerry.storage.layout import DataFolder

data, config, namespace, name, code, time_s = sys.argv[1:]
executor = make_executor(DataFolder(Path(data)), Path(config), namespace)
executor.recover()
executor.start_or_attach(AttemptName.parse(name), write_order(code), Limits(float(time_s)))
os.kill(os.getpid(), signal.SIGKILL)
"""


class TestKubernetes(ExecutorContract):
    """The contract in a namespace of a cluster."""

    @pytest.fixture(autouse=True)
    def keep_cluster(
        self, control_plane: KubernetesServer, busy_namespace: str, tmp_path: Path
    ) -> Iterator[None]:
        self.data = DataFolder(tmp_path / "data")
        self.namespace = busy_namespace
        self.config = prepare_namespace(control_plane, busy_namespace)
        with Node(control_plane, busy_namespace, tmp_path / "node").working() as self.node:
            yield
            close_all()

    @pytest.fixture
    def executor(self) -> Iterator[KubernetesExecutor]:
        executor = self.make_next()
        executor.recover()
        yield executor
        executor.close()

    def make_next(self) -> KubernetesExecutor:
        return make_executor(self.data, self.config, self.namespace)

    def start_and_die(self, name: AttemptName, code: str, limits: Limits) -> None:
        places = [str(self.data.root), str(self.config), self.namespace]
        arguments = [*places, str(name), code, str(limits.time_s)]
        worker = subprocess.run([sys.executable, "-c", _WORKER, *arguments], check=False)
        assert worker.returncode == -9

    def find(self, name: AttemptName) -> Pod | None:
        return self.node.find(name_job(name))

    def kill(self, name: AttemptName) -> None:
        wait_until(lambda: self.find(name) is not None, LIMIT_S, "the pod is at work")
        pod = self.find(name)
        assert pod is not None
        os.kill(pod.process.pid, signal.SIGKILL)
        wait_until(lambda: pod.is_over, LIMIT_S, "its node has told its end")

    def is_gone(self, name: AttemptName) -> bool:
        pod = self.find(name)
        return pod is not None and pod.is_over

    def test_gone_without_a_trace(self, name: AttemptName) -> None:
        """Its node tells the next worker how it was killed."""
        self.start_and_die(name, SLEEP, LONG)
        self.kill(name)
        executor = self.make_next()
        executor.recover()
        assert executor.poll(name).phase is Phase.KILLED
