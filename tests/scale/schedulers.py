"""What follows from a cluster's object: a controller that starts it at once, and its scheduler.

Both are tasks of this process. The scheduler answers the gateway, and tells it as often as a real
one how many workers it wants.
"""

import asyncio
import base64
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web
from tests.kubernetes.server import KubernetesServer

HEARTBEAT_S = 15.0
"""How often a scheduler of Dask Gateway tells that it lives."""
_LIMIT_S = 300
_KIND = "application/merge-patch+json"


class Schedulers:
    """The clusters of one namespace.

    Attributes
    ----------
    replicas
        Name of a cluster to the number of workers that its object asks for.
    phases
        Name of a cluster to its state.
    """

    def __init__(self, namespace: str) -> None:
        self.replicas: Counter[str] = Counter()
        self.phases: dict[str, str] = {}
        self.gateway = ""
        self._namespace = namespace
        self._clusters = f"/apis/gateway.dask.org/v1alpha1/namespaces/{namespace}/daskclusters"
        self._wanted: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures: list[Exception] = []
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def working(self, server: KubernetesServer, port: int) -> AsyncIterator[None]:
        """Control clusters, and answer for their schedulers, while the block lasts."""
        context = ssl.create_default_context(cafile=server.authority)
        context.load_cert_chain(server.folder / "owner.crt", server.folder / "owner.key")
        app = web.Application()
        app.router.add_post("/{cluster}/api/comm", self._hear)
        runner = web.AppRunner(app, access_log=None)
        async with (
            ClientSession(server.url, connector=TCPConnector(ssl=context, limit=0)) as kubernetes,
            ClientSession(timeout=ClientTimeout(total=60)) as self._session,
        ):
            self._kubernetes = kubernetes
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            watching = asyncio.create_task(self._watch())
            try:
                yield
            finally:
                watching.cancel()
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(watching, *self._tasks, return_exceptions=True)
                await runner.cleanup()

    async def wait_for(self, count: int, phase: str) -> None:
        """Wait until so many clusters are in a state."""
        await self._wait(lambda: sum(known == phase for known in self.phases.values()) >= count)

    async def wait_for_replicas(self, each: int) -> None:
        """Wait until every cluster at work asks for so many workers."""
        await self._wait(
            lambda: all(
                self.replicas[name] == each
                for name, phase in self.phases.items() if phase == "Running"
            )
        )  # fmt: skip

    async def _wait(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds; raise what has failed meanwhile."""
        async with asyncio.timeout(_LIMIT_S), self._changed:
            await self._changed.wait_for(lambda: bool(self._failures) or condition())
        if self._failures:
            raise self._failures[0]

    async def _watch(self) -> None:
        params = {"watch": "true", "allowWatchBookmarks": "false"}
        endless = ClientTimeout(total=None)
        async with self._kubernetes.get(
            self._clusters, params=params, timeout=endless, read_bufsize=1 << 22
        ) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                event = json.loads(line)
                await self._look_at(event["type"], event["object"])

    async def _look_at(self, event: str, cluster: dict[str, Any]) -> None:
        name, spec = cluster["metadata"]["name"], cluster["spec"]
        phase = cluster.get("status", {}).get("phase", "")
        async with self._changed:
            self.replicas[name] = spec.get("replicas", 0)
            self.phases[name] = phase if event != "DELETED" else "gone"
            self._changed.notify_all()
        if not phase and event == "ADDED":
            self._begin(self._start(name))
        elif phase == "Running" and spec.get("active") is False:
            self._begin(self._stop(name))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._carry_out(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - who waits raises it
            async with self._changed:
                self._failures.append(error)
                self._changed.notify_all()

    async def _start(self, name: str) -> None:
        """Do what the controller does: credentials, and the word that it runs."""
        keys = {key: base64.b64encode(b"x" * 1200).decode() for key in ("dask.crt", "dask.pem")}
        token = base64.b64encode(f"token-{name}".encode()).decode()
        secret = {"metadata": {"name": f"dask-{name}"}, "data": {**keys, "api-token": token}}
        path = f"/api/v1/namespaces/{self._namespace}/secrets"
        async with self._kubernetes.post(path, json=secret) as answer:
            answer.raise_for_status()
        told = {"phase": "Running", "credentials": f"dask-{name}", "service": f"dask-{name}"}
        await self._tell(name, told)
        await self._live(f"{self._namespace}.{name}")

    async def _stop(self, name: str) -> None:
        await self._tell(name, {"phase": "Stopped", "completionTime": "2026-01-01T00:00:00Z"})

    async def _tell(self, name: str, status: dict[str, str]) -> None:
        async with self._kubernetes.patch(
            f"{self._clusters}/{name}/status", data=json.dumps({"status": status}),
            headers={"Content-Type": _KIND},
        ) as answer:  # fmt: skip
            answer.raise_for_status()

    async def _live(self, cluster: str) -> None:
        """Tell the gateway again and again how many workers are wanted, until the cluster ends."""
        name = cluster.partition(".")[2]
        while self.phases[name] in ("", "Running"):
            await asyncio.sleep(HEARTBEAT_S)
            await self._tell_gateway(cluster)

    async def _tell_gateway(self, cluster: str) -> None:
        name = cluster.partition(".")[2]
        message = {
            "timestamp": 1, "count": self._wanted[name], "active_workers": [],
            "closing_workers": [], "closed_workers": [],
        }  # fmt: skip
        headers = {"Authorization": f"token token-{name}"}
        url = f"{self.gateway}/api/v1/clusters/{cluster}/heartbeat"
        async with self._session.post(url, json=message, headers=headers) as answer:
            # a cluster that has just ended is not known any more
            assert answer.status in (200, 401), (cluster, answer.status, await answer.text())

    async def _hear(self, request: web.Request) -> web.Response:
        """Take an order of the gateway, and tell it at once, as a real scheduler does."""
        cluster = request.match_info["cluster"]
        self._wanted[cluster.partition(".")[2]] = (await request.json())["count"]
        self._begin(self._tell_gateway(cluster))
        return web.Response()
