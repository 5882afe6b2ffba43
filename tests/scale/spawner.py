"""A spawner without pods: it does all that ours does before and after it asks Kubernetes."""

import os
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import httpx
from tests.platform_process import NO_CERTIFICATES

from skerry.hub.kubernetes.spawner import PersonSpawner

SERVERS = os.environ.get("SCALE_SERVERS", "")
"""The address of the program that answers in place of everybody's server."""
_TOLD = (
    "CLIENT_ID",
    "API_TOKEN",
    "API_URL",
    "SERVICE_PREFIX",
    "OAUTH_CALLBACK_URL",
    "ACTIVITY_URL",
)


@cache
def _open_client() -> httpx.AsyncClient:
    """Return the one client of the hub, as KubeSpawner has one for all servers."""
    return httpx.AsyncClient(trust_env=False, verify=NO_CERTIFICATES, timeout=None)  # noqa: S113


class SimulatedSpawner(PersonSpawner):
    """Writes the pod as `PersonSpawner` does, and has a program answer that is there already.

    One request stands for the one that makes the pod.
    """

    is_at_work = False

    def start(self) -> Any:
        """Start the server."""
        return self._start_simulated()

    async def _start_simulated(self) -> str:
        await self.get_pod_manifest()
        variables = self.get_env()
        told = {name: variables[f"JUPYTERHUB_{name}"] for name in _TOLD}
        answer = await _open_client().post(f"{SERVERS}/known/{self.user.name}", json=told)
        answer.raise_for_status()
        self.is_at_work = True
        return SERVERS

    async def poll(self) -> int | None:
        """Return whether it has ended."""
        return None if self.is_at_work else 0

    async def stop(self, now: bool = False) -> None:
        """End it."""
        self.is_at_work = False

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Tell what the page shows that waits for a server."""
        yield {"progress": 50, "message": "simulated"}
