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
from tests.platform_process import RunningPlatform, free_port, start_platform, wait_until

from skerry.catalog.collections import ensure_collection
from skerry.catalog.registration import insert_item
from skerry.core.digests import digest_tree
from skerry.models.versions import VersionStatus
from skerry.products import find_drawable
from skerry.storage.database import database_url, open_database
from skerry.storage.layout import DataFolder
from skerry.storage.object_folder import ObjectFolder

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


@contextmanager
def run_platform(data: Path) -> Iterator[RunningPlatform]:
    """Run hub, proxy and maps on a data folder of their own."""
    platform = start_platform(data, parts=["maps", "hub"])
    try:
        yield platform
    finally:
        platform.stop()


def add_product(platform: RunningPlatform, product: Path) -> None:
    """Put a product into the platform's store and its private catalogue."""
    data = DataFolder(platform.data)
    prefix = "runs/bench/1/products/scene/"
    place = data.objects / prefix
    place.mkdir(parents=True)
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
            objects=ObjectFolder(data.objects),
        )
    engine.dispose()


def find_part(platform: RunningPlatform, name: str) -> str:
    """Return a part's own loopback address, without the proxy in between."""
    part = next(item for item in platform.record["parts"] if item["name"] == name)
    address = urlsplit(part["url"])
    return f"{address.scheme}://{address.netloc}"
