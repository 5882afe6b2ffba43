"""The servers that a benchmark asks: peers from `.peers`, ours as `skerry up` starts it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tests.platform_process import RunningPlatform, free_port, start_platform, wait_until

from skerry.catalog.collections import ensure_collection
from skerry.catalog.registration import insert_item
from skerry.core.digests import digest_tree
from skerry.models.versions import VersionStatus
from skerry.products import find_drawable
from skerry.storage.database import database_url, open_database
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects

ROOT = Path(__file__).parents[2]
PEERS_PYTHON = ROOT / ".peers/bin/python"
START_LIMIT_S = 120.0
COLLECTION, ITEM = "bench", "scene"


@dataclass(frozen=True)
class Load:
    """What the load client measured.

    Attributes
    ----------
    latencies_ms
        One a request, in the order of the answers.
    seconds
        From the first request to the last answer.
    """

    latencies_ms: list[float]
    seconds: float

    def percentile(self, share: float) -> float:
        """Return the latency in ms that `share` of the requests stay within."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies_ms) / self.seconds


def put_load(
    urls: list[str], headers: dict[str, str], *, clients: int, requests: int, limit_s: float
) -> Load:
    """Ask for `urls` in turn from a process of its own."""
    order = {"urls": urls, "headers": headers, "clients": clients, "requests": requests,
             "limit_s": limit_s}  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("load.py"))],
        input=json.dumps(order), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"The load client failed: {done.stderr[-1000:]}")
    answer = json.loads(done.stdout)
    return Load(answer["latencies_ms"], answer["seconds"])


@contextmanager
def run_peer(script: str, *arguments: str) -> Iterator[str]:
    """Run one of the scripts in `tests/peers` on a free port; give its address."""
    port = free_port()
    log = ROOT / "build/bench" / f"{script}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [PEERS_PYTHON, ROOT / "tests/peers" / f"{script}.py", str(port), *arguments],
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(address), START_LIMIT_S, f"{script} answers", log.read_text)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(address: str) -> bool:
    """Return whether a server answers HTTP, whatever it says."""
    try:
        httpx.get(address, trust_env=False)
    except httpx.HTTPError:
        return False
    return True


def join_loads(loads: list[Load]) -> Load:
    """Return what several turns measured as one."""
    latencies_ms = [latency for load in loads for latency in load.latencies_ms]
    return Load(latencies_ms, sum(load.seconds for load in loads))


@contextmanager
def run_platform(data: Path, variables: dict[str, str] | None = None) -> Iterator[RunningPlatform]:
    """Run hub, proxy and maps on a data folder of their own, with more variables if given."""
    platform = start_platform(data, parts=["maps", "hub"], extra_environment=variables)
    try:
        yield platform
    finally:
        platform.stop()


def add_product(
    platform: RunningPlatform, product: Path, variables: dict[str, str] | None = None
) -> None:
    """Put a product into the platform's store and its private catalogue.

    Parameters
    ----------
    variables
        The platform's own, which say where its store is.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (variables or {}).items():
            patch.setenv(name, value)
        _add_product(platform, product)


def _add_product(platform: RunningPlatform, product: Path) -> None:
    data = DataFolder(platform.data)
    prefix = "runs/bench/1/products/scene/"
    objects = open_objects(data)
    with objects.filling(prefix) as place:
        shutil.copytree(product, place / "product.zarr")
    item = {
        "type": "Feature",
        "id": ITEM,
        "geometry": None,
        "properties": {
            "datetime": "2026-05-01T10:00:00Z",
            "skerry:digest": digest_tree(product),
            "skerry:prefix": prefix,
            "skerry:simulated": True,
            "skerry:variables": find_drawable(product),
        },
        "assets": {"product": {"href": f"{prefix}product.zarr"}},
    }
    engine = open_database(database_url(data.database))
    with engine.begin() as connection:
        ensure_collection(connection, COLLECTION, "Benchmark")
        insert_item(
            connection,
            item,
            collection=COLLECTION,
            status=VersionStatus.PUBLISHED,
            owner=platform.user,
            objects=objects,
        )
    engine.dispose()


def find_part(platform: RunningPlatform, name: str) -> str:
    """Return a part's own loopback address, without the proxy in between."""
    part = next(item for item in platform.record["parts"] if item["name"] == name)
    address = urlsplit(part["url"])
    return f"{address.scheme}://{address.netloc}"
