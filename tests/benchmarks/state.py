"""Searches, tiles and runs: on SQLite and PostgreSQL, beside stac-fastapi-pgstac and papermill.

The items are simulated. Searches go over HTTP to one process each: ours with its token checked,
the peer's as its makers ship it, on the same PostgreSQL. The items are written in batches: ours
into the tables, each with its entry in the audit, pgstac's by its own loader, which records
nothing beside. ``register`` is what one item after another takes through the store's own door,
each checked, with its bytes looked up, in a transaction of its own.
"""

import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import httpx
import pytest
from tests.benchmarks.records import Record, compare
from tests.benchmarks.servers import (
    ROOT,
    START_LIMIT_S,
    Load,
    answers,
    find_part,
    join_loads,
    put_load,
)
from tests.benchmarks.state_items import (
    BEGIN,
    COLLECTION,
    DAYS,
    SEED,
    fill_catalogue,
    register_items,
    write_items,
)
from tests.benchmarks.state_runs import ALLOWED_S, measure_runs
from tests.benchmarks.state_tiles import measure_bucket_tiles
from tests.platform_process import free_port, start_platform, wait_until
from tests.postgresql_server import PostgresqlServer, serve_postgresql
from tests.stac_documents import make_collection

from skerry.core.settings import DATABASE_VARIABLE
from skerry.core.time import format_time
from skerry.storage.database import find_database, open_database
from skerry.storage.layout import DataFolder
from skerry.storage.migrate import upgrade
from skerry.storage.object_folder import ObjectFolder

PROGRAMS = ROOT / ".state/bin"
PEER = "pgstac"
OURS = ("SQLite", "PostgreSQL")
HALF = 2.0
SERVER = {
    "shared_buffers": "1GB", "work_mem": "16MB", "maintenance_work_mem": "256MB",
    "effective_cache_size": "4GB", "random_page_cost": "1.1", "max_wal_size": "4GB",
}  # fmt: skip
ROUNDS, ASKED = 5, 40
LIMIT_S = 60.0


@dataclass(frozen=True)
class Contender:
    """One way to search.

    Attributes
    ----------
    name
        Its name.
    address
        Of ``/search``.
    headers
        Of its requests.
    rate
        Items a second that were written in batches.
    single
        Items a second that were registered one after another; None for the peer.
    """

    name: str
    address: str
    headers: dict[str, str]
    rate: float
    single: float | None = None


def measure_state() -> list[Record]:
    """Measure searches and filling, then tiles, then runs."""
    return [*measure_catalogues(), *measure_bucket_tiles(), *measure_overhead()]


def measure_overhead() -> list[Record]:
    """Compare a run with papermill alone."""
    say("runs")
    own, bare = (median(seconds) for seconds in measure_runs(PROGRAMS / "papermill"))
    over = max(own - bare, 0.001)
    return [
        compare("state: run, from request to end", "s", own, bare, beside="papermill"),
        compare("state: run, over papermill", "s", over, ALLOWED_S, beside="allowed", bar=1.0),
    ]


def measure_catalogues() -> list[Record]:
    """Fill three catalogues, and ask each the same."""
    count = int(os.environ.get("ITEMS") or 1_000_000)
    folder = ROOT / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        top = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder, prefix="state-")))
        lines = top / "items.ndjson"
        say(f"simulating {count} items")
        write_items(count, lines)
        server = stack.enter_context(serve_postgresql(SERVER))
        contenders = [
            stack.enter_context(serve_ours(top, lines, count, None)),
            stack.enter_context(serve_ours(top, lines, count, server)),
            stack.enter_context(serve_pgstac(top, lines, count, server)),
        ]
        return measure_searches(contenders)


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {text} ...", flush=True)


@contextmanager
def serve_ours(
    top: Path, lines: Path, count: int, server: PostgresqlServer | None
) -> Iterator[Contender]:
    """Fill our catalogue on one of the databases and serve it."""
    name = OURS[server is not None]
    with ExitStack() as stack:
        data = DataFolder(top / name.lower())
        data.create()
        variables = {}
        if server is not None:
            variables[DATABASE_VARIABLE] = stack.enter_context(server.database())
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv(DATABASE_VARIABLE, raising=False)
            for variable, value in variables.items():
                patch.setenv(variable, value)
            upgrade(data)
            engine = open_database(find_database(data))
        say(f"filling {name}")
        began = time.perf_counter()
        fill_catalogue(engine, lines)
        rate = count / (time.perf_counter() - began)
        single = register_items(engine, ObjectFolder(data.objects))
        engine.dispose()
        platform = start_platform(data.root, parts=["api", "hub"], extra_environment=variables)
        stack.callback(platform.stop)
        headers = {"Authorization": f"token {platform.token}"}
        address = f"{find_part(platform, 'api')}/services/api/stac/search"
        yield Contender(name, address, headers, rate, single)


@contextmanager
def serve_pgstac(
    top: Path, lines: Path, count: int, server: PostgresqlServer
) -> Iterator[Contender]:
    """Fill pgstac with its own loader, in partitions of a month, and serve it."""
    with server.database("template0") as url:
        host, port, database = "127.0.0.1", str(server.port), url.rpartition("/")[2]
        variables = {
            **os.environ, "PGHOST": host, "PGPORT": port, "PGUSER": "skerry",
            "PGPASSWORD": server.password, "PGDATABASE": database,
        }  # fmt: skip
        pypgstac(variables, "migrate")
        collection = top / "collection.json"
        collection.write_text(json.dumps(make_collection(COLLECTION, public=True)))
        pypgstac(variables, "load", "collections", str(collection))
        server.execute("UPDATE pgstac.collections SET partition_trunc = 'month'", database)
        say("filling pgstac")
        began = time.perf_counter()
        pypgstac(variables, "load", "items", str(lines))
        server.execute("ANALYZE", database)
        rate = count / (time.perf_counter() - began)
        with serve_peer(variables) as address:
            yield Contender(PEER, f"{address}/search", {}, rate)


def pypgstac(variables: dict[str, str], *arguments: str) -> None:
    """Run pgstac's own program."""
    done = subprocess.run(
        [PROGRAMS / "pypgstac", *arguments], env=variables, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"pypgstac {arguments}: {done.stderr[-2000:]}")


@contextmanager
def serve_peer(variables: dict[str, str]) -> Iterator[str]:
    """Serve pgstac's application in one process; give its address."""
    port = free_port()
    log = ROOT / "build/bench/pgstac.log"
    command = [
        PROGRAMS / "uvicorn", "--factory", "stac_fastapi.pgstac.app:create_app",
        "--port", str(port), "--no-access-log", "--log-level", "warning",
    ]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=variables, stdout=output, stderr=output)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(address), START_LIMIT_S, "pgstac answers", log.read_text)
        yield address
    finally:
        process.terminate()
        process.wait(20)


def list_shapes() -> dict[str, list[str]]:
    """Return the query strings of each shape of search, the same for everybody."""
    chance = random.Random(SEED)
    write: dict[str, Callable[[], dict[str, str]]] = {
        "5 degrees and a month": lambda: {"bbox": _box(chance, 5), "datetime": _month(chance)},
        "40 degrees and a month": lambda: {"bbox": _box(chance, 40), "datetime": _month(chance)},
        "40 degrees": lambda: {"bbox": _box(chance, 40)},
        "5 degrees": lambda: {"bbox": _box(chance, 5)},
        "a month": lambda: {"datetime": _month(chance)},
    }
    return {
        name: [urlencode({**make(), "limit": 10}) for _ in range(ASKED)]
        for name, make in write.items()
    }


def _box(chance: random.Random, size: float) -> str:
    west, south = chance.uniform(-180, 180 - size), chance.uniform(-80, 80 - size)
    return f"{west:.4f},{south:.4f},{west + size:.4f},{south + size:.4f}"


def _month(chance: random.Random) -> str:
    begin = BEGIN + timedelta(days=chance.uniform(0, DAYS - 31))
    return f"{format_time(begin)}/{format_time(begin + timedelta(days=30))}"


def measure_searches(contenders: list[Contender]) -> list[Record]:
    """Ask all the same, compare what they find, and how long it takes."""
    records, shapes = [], list_shapes()
    *ours, peer = contenders
    for shape, queries in shapes.items():
        found = [[find_ids(item, query) for query in queries[:10]] for item in contenders]
        loads = measure_shape(contenders, shape, queries)
        for number, contender in enumerate(ours):
            name = f"state: {contender.name}, {shape}"
            same = sum(a == b for a, b in zip(found[number], found[-1], strict=True)) / 10
            records.append(compare(f"{name}, equal", "share", same, 1.0, beside=PEER, bar=1.0))
            for share in (0.5, 0.95):
                pair = loads[number].percentile(share), loads[-1].percentile(share)
                bar = HALF if share == 0.5 else None
                what = f"{name}, p{share * 100:g}"
                records.append(compare(what, "ms", *pair, beside=PEER, bar=bar))
    for contender in ours:
        what = f"state: {contender.name}, fill"
        records.append(compare(what, "items/s", contender.rate, peer.rate, beside=PEER))
        what = f"state: {contender.name}, register"
        single = contender.single or 0.0
        records.append(compare(what, "items/s", single, contender.rate, beside="its fill"))
    return records


def measure_shape(contenders: list[Contender], shape: str, queries: list[str]) -> list[Load]:
    """Ask the contenders one shape in turns, so that what else the machine does hits all."""
    say(shape)
    asked: list[list[Load]] = [[] for _ in contenders]
    for _ in range(ROUNDS + 1):
        for contender, own in zip(contenders, asked, strict=True):
            urls = [f"{contender.address}?{query}" for query in queries]
            own.append(
                put_load(urls, contender.headers, clients=1, requests=len(urls), limit_s=LIMIT_S)
            )
    return [join_loads(own[1:]) for own in asked]  # the first turn warms caches


def find_ids(contender: Contender, query: str) -> list[str]:
    """Return the items of the first page, in order."""
    answer = httpx.get(
        f"{contender.address}?{query}", headers=contender.headers, trust_env=False, timeout=60
    )
    return [item["id"] for item in answer.raise_for_status().json()["features"]]
