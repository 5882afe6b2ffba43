"""Tiles of a product in a bucket beside the same product in a folder: two platforms, in turns."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
from tests.benchmarks.agreement import choose_tiles
from tests.benchmarks.product import VARIABLES, write_product
from tests.benchmarks.records import Record, compare
from tests.benchmarks.servers import (
    ROOT,
    Load,
    add_product,
    find_part,
    join_loads,
    put_load,
    run_platform,
)
from tests.benchmarks.tiles import COLORMAP, WAKE_ZOOM, address_ours
from tests.minio_server import serve_s3
from tests.pyramids import open_pyramid

from skerry.core.settings import OBJECTS_VARIABLE

FOLDER = "the folder"
BAR = 0.833  # at most 1.2 times as long
MANY, ROUNDS, REQUESTS, LIMIT_S = 4, 5, 200, 60.0


class Contender:
    """One platform's maps: the addresses of the tiles, and what was measured."""

    def __init__(self, base: str, token: str, tiles: list[tuple[int, int, int]]) -> None:
        address = address_ours(base, "palette")
        self.headers = {"Authorization": f"token {token}"}
        self.urls = [address("", VARIABLES[0], tile, COLORMAP) for tile in tiles]
        above = tiles[0][0] - WAKE_ZOOM
        wake = (WAKE_ZOOM, tiles[0][1] >> above, tiles[0][2] >> above)
        self.wake = address("", VARIABLES[0], wake, COLORMAP)
        self.warm: dict[int, list[Load]] = {1: [], MANY: []}

    def measure_cold(self) -> Load:
        """Ask for each tile once, after one that needs another level."""
        put_load([self.wake], self.headers, clients=1, requests=1, limit_s=LIMIT_S)
        return put_load(
            self.urls, self.headers, clients=1, requests=len(self.urls), limit_s=LIMIT_S
        )

    def measure_warm(self, clients: int) -> None:
        """Ask for all tiles again and again."""
        load = put_load(
            self.urls, self.headers, clients=clients, requests=REQUESTS, limit_s=LIMIT_S
        )
        self.warm[clients].append(load)

    def fetch_pictures(self) -> list[bytes]:
        """Return all tiles."""
        with httpx.Client(headers=self.headers, trust_env=False, timeout=LIMIT_S) as client:
            return [client.get(url).raise_for_status().content for url in self.urls]


def measure_bucket_tiles() -> list[Record]:
    """Draw the same tiles from both, in turns, so that what else the machine does hits both."""
    product = ROOT / "build/bench/product.zarr"
    if not product.exists():
        product.parent.mkdir(parents=True, exist_ok=True)
        write_product(product)
    tiles = choose_tiles(open_pyramid(product, VARIABLES[0], "bench"))
    with start_both(product, tiles) as (bucket, folder):
        cold = [contender.measure_cold() for contender in (bucket, folder)]
        for _ in range(ROUNDS):
            for clients in (1, MANY):
                for contender in (bucket, folder):
                    contender.measure_warm(clients)
        same = bucket.fetch_pictures() == folder.fetch_pictures()
    name = "state: tiles from a bucket"
    records = [compare(f"{name}, equal", "share", float(same), 1.0, beside=FOLDER, bar=1.0)]
    pair = [load.percentile(0.5) for load in cold]
    records.append(compare(f"{name}, cold, p50", "ms", *pair, beside=FOLDER))
    for clients in (1, MANY):
        loads = [join_loads(contender.warm[clients]) for contender in (bucket, folder)]
        for share in (0.5, 0.95):
            what = f"{name}, warm, {clients} at a time, p{share * 100:g}"
            pair = [load.percentile(share) for load in loads]
            bar = BAR if share == 0.5 else None
            records.append(compare(what, "ms", *pair, beside=FOLDER, bar=bar))
    return records


@contextmanager
def start_both(
    product: Path, tiles: list[tuple[int, int, int]]
) -> Iterator[tuple[Contender, Contender]]:
    """Start a platform on a bucket and one on a folder, each with the product."""
    with ExitStack() as stack:
        top = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="skerry-bench-")))
        server = stack.enter_context(serve_s3())
        bucket = stack.enter_context(server.bucket())
        in_bucket = {**server.variables(), OBJECTS_VARIABLE: f"s3://{bucket}/skerry"}
        contenders = []
        for name, variables in (("bucket", in_bucket), ("folder", {})):
            platform = stack.enter_context(run_platform(top / name, variables))
            add_product(platform, product, variables)
            maps = find_part(platform, "maps")
            contenders.append(Contender(maps, platform.token, tiles))
        yield contenders[0], contenders[1]
