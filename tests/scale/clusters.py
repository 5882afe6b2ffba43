"""Many Dask clusters: gateway and API server are real, controller and Dask are simulated."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

from aiohttp import ClientSession, ClientTimeout, TCPConnector
from tests.kubernetes.gateway import serve_cluster_gateway
from tests.kubernetes.hub import ClusterHub
from tests.kubernetes.server import serve_kubernetes
from tests.platform_process import free_port
from tests.scale.figures import Figure, find_percentile
from tests.scale.hub import ManyHub
from tests.scale.metering import Meter
from tests.scale.progress import say
from tests.scale.schedulers import Schedulers

PART = "clusters"
_EACH = 2
"""Clusters of a person: the limit, unless the settings say another."""
_WORKERS = 3
_AT_ONCE = 20
_ROOT = Path(__file__).parents[2]
_CONFIGURATION = Path(__file__).with_name("gateway_config.py")


async def measure_clusters(hub: ManyHub, folder: Path, count: int, rest_s: float) -> list[Figure]:
    """Create clusters, list them, scale them, let them live a while, and stop them."""
    with ExitStack() as stack:
        kubernetes = stack.enter_context(serve_kubernetes())
        namespace = stack.enter_context(kubernetes.namespace())
        seen = ClusterHub(kubernetes, namespace, hub.url, hub.hub_url, 0, hub.folder / "hub.log")
        port = free_port()
        gateway = stack.enter_context(
            serve_cluster_gateway(
                seen, folder, configuration=_CONFIGURATION,
                variables={
                    "SCALE_SCHEDULERS": f"http://127.0.0.1:{port}", "PYTHONPATH": str(_ROOT),
                },
            )
        )  # fmt: skip
        schedulers = Schedulers(namespace)
        schedulers.gateway = gateway.url
        programs = {
            "gateway": gateway.pid, "hub": hub.processes["hub"], **kubernetes.name_processes()
        }  # fmt: skip
        async with (
            schedulers.working(kubernetes, port),
            ClientSession(
                f"{gateway.url}/services/dask-gateway/", connector=TCPConnector(limit=0),
                timeout=ClientTimeout(total=300),
            ) as session,
        ):  # fmt: skip
            load = _Load(session, schedulers, Meter(programs), hub)
            return await load.carry_out(count, rest_s)


class _Load:
    """What people do with their clusters."""

    def __init__(
        self, session: ClientSession, schedulers: Schedulers, meter: Meter, hub: ManyHub
    ) -> None:
        self._session = session
        self._schedulers = schedulers
        self._meter = meter
        self._hub = hub
        self._tokens: list[str] = []
        self._names: list[tuple[str, str]] = []
        self._figures: list[Figure] = []

    async def carry_out(self, count: int, rest_s: float) -> list[Figure]:
        people = self._hub.people[: -(-count // _EACH)]
        self._tokens = self._hub.mint(people)
        owners = (self._tokens * _EACH)[:count]
        steps = [0, *(step for step in (25, 50, 100, 200, 500) if step < count), count]
        for before, step in pairwise(steps):
            await self._measure(step, "created", self._create, owners[before:step])
            await self._schedulers.wait_for(step, "Running")
            await self._measure(step, "own clusters listed", self._list, self._tokens)
        await self._measure(count, "scaled", self._scale, self._names)
        await self._schedulers.wait_for_replicas(_WORKERS)
        await self._rest(count, rest_s)
        await self._measure(count, "stopped", self._stop, self._names)
        await self._schedulers.wait_for(count, "Stopped")
        return self._figures

    async def _measure[Thing](
        self, at: int, name: str, act: Callable[[Thing], Awaitable[None]], things: Iterable[Thing]
    ) -> None:
        things = list(things)
        say(f"{len(things)} times: {name}, with up to {at} clusters")
        turns = asyncio.Semaphore(_AT_ONCE)

        async def take_turn(thing: Thing) -> float:
            async with turns:
                began = time.monotonic()
                await act(thing)
                return time.monotonic() - began

        self._meter.begin()
        took = await asyncio.gather(*map(take_turn, things))
        seconds, used = self._meter.seconds, self._meter.read()
        self._add(f"{name}: in a second", at, len(things) / seconds, "1/s")
        self._add(f"{name}: 95 of 100 within", at, find_percentile(took, 0.95), "s")
        for part, use in used.items():
            self._add(
                f"{name}: CPU of the {part} for each", at, use.cpu_s / len(things) * 1e3, "ms"
            )

    async def _rest(self, at: int, rest_s: float) -> None:
        say(f"{at} clusters at work, {rest_s:g} s")
        self._meter.begin()
        await asyncio.sleep(rest_s)
        seconds, used = self._meter.seconds, self._meter.read()
        for part, use in used.items():
            self._add(f"at rest: CPU of the {part}", at, use.cpu_s / seconds, "cores")
            self._add(f"memory of the {part}", at, use.memory / 1e6, "MB")

    def _add(self, name: str, at: int, value: float, unit: str) -> None:
        self._figures.append(Figure(PART, name, at, value, unit))

    async def _create(self, token: str) -> None:
        answer = await self._ask("POST", "", token, 201, {"cluster_options": {}})
        self._names.append((answer["name"], token))

    async def _list(self, token: str) -> None:
        found = await self._ask("GET", "", token, 200)
        assert len(found) == sum(token == owner for _, owner in self._names)

    async def _scale(self, cluster: tuple[str, str]) -> None:
        name, token = cluster
        await self._ask("POST", f"{name}/scale", token, 200, {"count": _WORKERS})

    async def _stop(self, cluster: tuple[str, str]) -> None:
        name, token = cluster
        await self._ask("DELETE", name, token, 204)

    async def _ask(
        self, method: str, path: str, token: str, expected: int, content: object = None
    ) -> dict[str, str]:
        async with self._session.request(
            method, f"api/v1/clusters/{path}", json=content,
            headers={"Authorization": f"jupyterhub {token}"},
        ) as answer:  # fmt: skip
            text = await answer.text()
            assert answer.status == expected, (method, path, answer.status, text)
            found: dict[str, str] = await answer.json() if text else {}
            return found
