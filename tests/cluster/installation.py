"""The whole chart, with its sub-charts, on a cluster: installed, asked and taken away."""

import json
import os
import subprocess
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from tests.helm.rendering import Chart
from tests.kubernetes.tools.programs import KUBECTL
from tests.platform_process import wait_until

NAMESPACE = "skerry"
ATTEMPTS = f"{NAMESPACE}-attempts"
RELEASE = "skerry"
_LIMIT_S = 600


@dataclass
class Installation:
    """The chart on a cluster.

    Attributes
    ----------
    config
        The kubeconfig of somebody who may do all.
    chart
        The chart with its sub-charts.
    values
        What is laid over the values file ``trial``.
    port
        The port of this machine under which people open it.
    """

    config: Path
    chart: Chart
    values: Mapping[str, Any]
    port: int
    _door: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """The public address."""
        return f"http://localhost:{self.port}"

    @property
    def owner(self) -> str:
        """The one account of a trial."""
        return "owner"

    def with_values(self, values: Mapping[str, Any]) -> "Installation":
        """Return the same release with other values, which are not installed yet."""
        return replace(self, values=values)

    def install(self) -> str:
        """Install or upgrade it, and wait until all is ready; return what Helm says."""
        words = (
            "upgrade", "--install", RELEASE, str(self.chart.folder), "--namespace", NAMESPACE,
            "--create-namespace", "--wait", "--timeout", f"{_LIMIT_S}s",
        )  # fmt: skip
        done = self.chart.call(*words, values="trial", config=self.config, **self.values)
        assert done.returncode == 0, f"{done.stderr}\n{self.explain()}"
        return done.stdout

    def wait_until_ready(self) -> None:
        """Wait until each part is ready in the form in which it was installed last."""
        listed = self.kubectl("get", "deployments,statefulsets", "--output=name")
        for part in listed.split():
            said = self.kubectl("rollout", "status", part, f"--timeout={_LIMIT_S}s", check=False)
            assert "success" in said or "complete" in said, f"{part}: {said}\n{self.explain()}"

    def uninstall(self) -> None:
        """Take it away; its volumes stay, as with every chart."""
        words = ("uninstall", RELEASE, "--namespace", NAMESPACE, "--wait")
        self.chart.call(*words, config=self.config)

    def kubectl(self, *words: str, check: bool = True) -> str:
        """Call kubectl in the platform's namespace; return what it prints."""
        done = subprocess.run(
            self._command(*words),
            capture_output=True,
            text=True,
            env=self._environment,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def read_secret(self, name: str, key: str) -> str:
        """Return what a Secret holds."""
        told = self.kubectl("get", "secret", name, "--output=json")
        return b64decode(json.loads(told)["data"][key]).decode()

    def list_pods(self, *words: str) -> list[dict[str, Any]]:
        """Return the pods that kubectl lists with these words."""
        found: list[dict[str, Any]] = json.loads(
            self.kubectl("get", "pods", "--output=json", *words)
        )["items"]
        return found

    @contextmanager
    def opened(self) -> Iterator[str]:
        """Lead the public address there while the block lasts, as the chart's notes say."""
        self.open_door()
        try:
            yield self.url
        finally:
            self._close_door()

    def open_door(self) -> None:
        """Open the door, or open it again: what leads there ends with the node's kubelet."""
        self._close_door()
        wait_until(self._answers, 180, "hub and api answer", self.explain, every_s=0.5)

    def _close_door(self) -> None:
        if self._door is not None:
            self._door.terminate()
            self._door.wait(10)

    def explain(self) -> str:
        """Return what is not ready, and what the cluster says to it."""
        parts = [
            self.kubectl("get", "pods", "--all-namespaces", "--output=wide", check=False),
            self.kubectl("get", "events", "--sort-by=.lastTimestamp", check=False)[-6000:],
        ]
        for pod in self.kubectl("get", "pods", "--output=name", check=False).split():
            log = self.kubectl("logs", pod, "--all-containers", "--tail=25", check=False)
            parts.append(f"== {pod}\n{log[-3000:]}")
        return "\n".join(parts)

    def _answers(self) -> bool:
        if self._door is None or self._door.poll() is not None:  # a starting kubelet refuses it
            command = self._command("port-forward", "service/proxy-public", f"{self.port}:80")
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            self._door = subprocess.Popen(command, env=self._environment, **quiet)
        pages = ("hub/health", "services/api/ready")
        try:
            return all(
                httpx.get(f"{self.url}/{page}", trust_env=False, timeout=5).is_success
                for page in pages
            )
        except httpx.TransportError:
            return False

    def _command(self, *words: str) -> list[str]:
        return [str(KUBECTL.locate()), "--namespace", NAMESPACE, *words]

    @property
    def _environment(self) -> dict[str, str]:
        return {"PATH": os.defpath, "HOME": str(self.chart.folder.parent),
                "KUBECONFIG": str(self.config)}  # fmt: skip
