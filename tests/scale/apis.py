"""Several apis on one database, asked by many people: how many answers a second, and what limits.

Nobody waits between two questions, and each question is another person's: so the hub is asked
about almost every token anew. That is the hardest case for it; the other is one person who asks
again and again, of whom it hears once in five seconds.
"""

import asyncio
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from aiohttp import ClientSession, ClientTimeout, TCPConnector
from tests.benchmarks.state_items import BEGIN, COLLECTION, DAYS, fill_catalogue, write_items
from tests.platform_process import clean_environment, free_port, wait_until
from tests.postgresql_server import PostgresqlServer
from tests.scale.figures import Figure, find_percentile
from tests.scale.hub import ManyHub
from tests.scale.metering import Meter
from tests.scale.progress import say
from tests.scale.servers import count_connections

from skerry.core.settings import API_PREFIX, DATABASE_VARIABLE
from skerry.core.time import format_time
from skerry.storage.database import find_database, using_database
from skerry.storage.layout import DataFolder

PART = "apis"
_ITEMS = 100_000
_REPLICAS = (1, 2, 3)
_CONNECTIONS = 32
_SEED = 11
_MIX = (("search", 60), ("runs", 20), ("me", 20))
"""What is asked, and how often of a hundred."""


async def measure_apis(
    hub: ManyHub, server: PostgresqlServer, folder: Path, time_s: float
) -> list[Figure]:
    """Ask one api, then two, then three, each for some time."""
    say(f"a token for each of {len(hub.people)} people")
    tokens = hub.mint(hub.people)
    figures: list[Figure] = []
    with serve_catalogue(server, folder) as database:
        for count in _REPLICAS:
            with serve_apis(count, hub, database, folder) as (port, processes):
                for name, people in (("each another person", tokens), ("one person", tokens[:1])):
                    say(f"{count} apis, {name}, {time_s:g} s")
                    meter = Meter({
                        "hub": hub.processes["hub"], "database": server.pid,
                        **{f"api {number}": pid for number, pid in enumerate(processes)},
                    })  # fmt: skip
                    figures += await _measure(count, name, port, people, hub, meter, time_s)
                connections = count_connections(server, database)
                figures.append(Figure(PART, "database connections", count, connections, ""))
    return figures


@contextmanager
def serve_catalogue(server: PostgresqlServer, folder: Path) -> Iterator[str]:
    """Give the address of a database with many public items."""
    say(f"{_ITEMS} items")
    with server.database() as url, pytest.MonkeyPatch.context() as patch:
        lines = folder / "items.ndjson"
        write_items(_ITEMS, lines)
        data = DataFolder(folder / "data")
        data.create()
        patch.setenv(DATABASE_VARIABLE, url)
        with using_database(find_database(data)) as engine:
            fill_catalogue(engine, lines)
        yield url


@contextmanager
def serve_apis(
    count: int, hub: ManyHub, database: str, folder: Path
) -> Iterator[tuple[int, list[int]]]:
    """Run apis that share a port; give it, and their processes."""
    port = free_port()
    variables = {
        "SKERRY_DATA": str(folder / "data"), "SKERRY_PUBLIC_URL": hub.url,
        "SKERRY_SERVICE_PORT": str(port), "SKERRY_ALLOWED_HOSTS": "127.0.0.1",
        DATABASE_VARIABLE: database, "JUPYTERHUB_SERVICE_NAME": "api",
        "JUPYTERHUB_API_URL": f"{hub.hub_url}/hub/api",
        "JUPYTERHUB_API_TOKEN": "token-of-api-x",
        "JUPYTERHUB_SERVICE_PREFIX": f"{API_PREFIX}/",
    }  # fmt: skip
    with ExitStack() as stack:
        processes = []
        for number in range(count):
            own = free_port()
            log = stack.enter_context((folder / f"api-{number}.log").open("wb"))
            process = subprocess.Popen(
                [sys.executable, "-m", "skerry.services.api"], stdout=log, stderr=log,
                env=clean_environment() | variables | {"SKERRY_OWN_PORT": str(own)},
            )  # fmt: skip
            stack.callback(process.wait, 60)
            stack.callback(process.terminate)
            wait_until(lambda own=own: _answers(own), 120, "the api answers", every_s=0.5)
            processes.append(process.pid)
        yield port, processes


def _answers(port: int) -> bool:
    try:
        url = f"http://127.0.0.1:{port}{API_PREFIX}/ready"
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


async def _measure(
    replicas: int,
    name: str,
    port: int,
    tokens: list[str],
    hub: ManyHub,
    meter: Meter,
    time_s: float,
) -> list[Figure]:
    checks = hub.count_checks()
    took = await ask_steadily(port, tokens, time_s)
    seconds, used = meter.seconds, meter.read()
    checks = hub.count_checks() - checks
    total = sum(map(len, took.values()))
    apis = sum(use.cpu_s for part, use in used.items() if part.startswith("api"))
    memory = max(use.memory for part, use in used.items() if part.startswith("api"))
    return [
        Figure(PART, f"{name}: answers a second", replicas, total / seconds, "1/s"),
        *(
            Figure(PART, f"{name}: {what}, 95 of 100 within", replicas,
                   find_percentile(times, 0.95) * 1000, "ms")
            for what, times in took.items()
        ),
        Figure(PART, f"{name}: tokens that the hub was asked about", replicas, checks / total,
               "for each answer"),
        Figure(PART, f"{name}: CPU of the apis", replicas, apis / total * 1000, "ms for each"),
        Figure(PART, f"{name}: CPU of the hub", replicas, used["hub"].cpu_s / total * 1000,
               "ms for each"),
        Figure(PART, f"{name}: CPU of the database", replicas,
               used["database"].cpu_s / total * 1000, "ms for each"),
        Figure(PART, f"{name}: cores of all, of {os.cpu_count()}", replicas,
               sum(use.cpu_s for use in used.values()) / seconds, "cores"),
        Figure(PART, f"{name}: memory of an api", replicas, memory / 1e6, "MB"),
    ]  # fmt: skip


async def ask_steadily(port: int, tokens: list[str], time_s: float) -> dict[str, list[float]]:
    """Ask the apis on some connections, one question after another; return how long each took."""
    chance = random.Random(_SEED)
    took: dict[str, list[float]] = {what: [] for what, _ in _MIX}
    statuses: Counter[int] = Counter()
    ends = time.monotonic() + time_s
    kinds, weights = zip(*_MIX, strict=True)

    async def ask_on(session: ClientSession) -> None:
        while (began := time.monotonic()) < ends:
            [what] = chance.choices(kinds, weights)
            headers = {"Authorization": f"Bearer {chance.choice(tokens)}"}
            async with session.get(_write_address(what, chance), headers=headers) as answer:
                await answer.read()
            statuses[answer.status] += 1
            took[what].append(time.monotonic() - began)

    async with AsyncExitStack() as stack:
        sessions = [await stack.enter_async_context(_connect(port)) for _ in range(_CONNECTIONS)]
        await asyncio.gather(*map(ask_on, sessions))
    assert set(statuses) == {200}, statuses
    return took


def _connect(port: int) -> ClientSession:
    """Return one connection: the system gives each of them to one of the apis."""
    return ClientSession(
        f"http://127.0.0.1:{port}", connector=TCPConnector(limit=1),
        timeout=ClientTimeout(total=60),
    )  # fmt: skip


def _write_address(what: str, chance: random.Random) -> str:
    if what == "runs":
        return f"{API_PREFIX}/production/runs?limit=20"
    if what == "me":
        return f"{API_PREFIX}/me"
    west, south = chance.uniform(-180, 160), chance.uniform(-80, 60)
    begin = BEGIN + timedelta(days=chance.uniform(0, DAYS - 31))
    asked = urlencode({
        "collections": COLLECTION, "limit": 10,
        "bbox": f"{west:.3f},{south:.3f},{west + 20:.3f},{south + 20:.3f}",
        "datetime": f"{format_time(begin)}/{format_time(begin + timedelta(days=31))}",
    })  # fmt: skip
    return f"{API_PREFIX}/stac/search?{asked}"
