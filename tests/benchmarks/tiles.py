"""Tiles beside titiler-xarray, xpublish-tiles and rio-tiler: the same product, tiles and levels.

Ours is the maps program as `skerry up` starts it, with hub token, catalogue look-up and content
version checked on every tile. Peers check nothing.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from tests.benchmarks.agreement import (
    EQUAL,
    GREY,
    choose_tiles,
    compare_exactly,
    compare_pictures,
)
from tests.benchmarks.product import VARIABLES, write_product
from tests.benchmarks.records import Record, compare
from tests.benchmarks.servers import (
    COLLECTION,
    ITEM,
    ROOT,
    Load,
    add_product,
    find_part,
    put_load,
    run_peer,
    run_platform,
)
from tests.pyramids import open_pyramid

from skerry.maps.levels import Pyramid
from skerry.maps.warp import choose_level, locate_tile

Tile = tuple[int, int, int]
Address = Callable[[str, str, Tile, str], str]
"""Level, variable, tile and colormap to a URL."""

FIRST, SECOND = VARIABLES
COLORMAP = "viridis"
PALETTE, RGBA = "Skerry, palette", "Skerry, RGBA"
TITILER, RIO_XARRAY = "titiler-xarray", "rio-tiler XarrayReader"
RIO_ARRAY, XPUBLISH = "rio-tiler ArrayReader", "xpublish-tiles"
NEXT = (RIO_XARRAY, RIO_ARRAY, XPUBLISH)
WARM_REQUESTS, LIMIT_S = 200, 25.0
COLD_LIMIT_S = 120.0
MANY = 4
TITILER_BAR, NEXT_BAR, RATE_BAR = 6.0, 4.0, 4.0
WAKE_ZOOM = 7  # drawn from the coarsest level, which no measured tile needs


@dataclass(frozen=True)
class Contender:
    """One way of drawing: its addresses, its headers, the variable it is asked for."""

    name: str
    address: Address
    headers: dict[str, str]
    variable: str = FIRST

    def list_urls(self, asked: list[tuple[str, Tile]]) -> list[str]:
        """Return the addresses of tiles to measure."""
        return [self.address(level, self.variable, tile, COLORMAP) for level, tile in asked]

    def list_grey(self, asked: list[tuple[str, Tile]]) -> list[str]:
        """Return the addresses of the same tiles of the first variable in grey."""
        return [self.address(level, FIRST, tile, GREY) for level, tile in asked]


@dataclass(frozen=True)
class Measured:
    """First pass over the tiles, and further passes with one client and with four."""

    cold: Load
    warm: Load
    many: Load


def measure_tiles() -> list[Record]:
    """Start every server, measure one after the other, compare pictures, return the records."""
    product = ROOT / "build/bench/product.zarr"
    if not product.exists():
        product.parent.mkdir(parents=True, exist_ok=True)
        write_product(product)
    pyramid = open_pyramid(product, FIRST, "bench")
    tiles = choose_tiles(pyramid)
    requests = [(name_level(pyramid, tile), tile) for tile in tiles]
    above = tiles[0][0] - WAKE_ZOOM
    wake_tile = (WAKE_ZOOM, tiles[0][1] >> above, tiles[0][2] >> above)
    wake = [(name_level(pyramid, wake_tile), wake_tile)]
    with start_contenders(product) as contenders:
        results = {}
        for contender in contenders:
            print(f"measuring {contender.name} ...", flush=True)
            results[contender.name] = measure(contender, requests, wake)
        ours, *others = contenders
        grey = ours.list_grey(requests)
        shares = {
            other.name: compare_pictures(
                (grey, ours.headers), (other.list_grey(requests), other.headers)
            )
            for other in others
        }
        exact = compare_exactly(pyramid, tiles, grey, ours.headers)
    fastest = find_next(shares, results)
    return [*list_agreement(shares, exact, fastest), *list_speed(results, fastest)]


def measure(
    contender: Contender, asked: list[tuple[str, Tile]], wake: list[tuple[str, Tile]]
) -> Measured:
    """Measure one contender, whose server has drawn nothing of what is asked."""
    urls, headers = contender.list_urls(asked), contender.headers
    put_load(contender.list_urls(wake), headers, clients=1, requests=1, limit_s=COLD_LIMIT_S)
    cold = put_load(urls, headers, clients=1, requests=len(urls), limit_s=COLD_LIMIT_S)
    warm, many = (
        put_load(urls, headers, clients=clients, requests=WARM_REQUESTS, limit_s=LIMIT_S)
        for clients in (1, MANY)
    )
    return Measured(cold, warm, many)


def name_level(pyramid: Pyramid, tile: Tile) -> str:
    """Return the level that Skerry draws a tile from; peers are told to use it too."""
    return choose_level(pyramid, locate_tile(pyramid.crs, *tile)).path.split("/")[0]


@contextmanager
def start_contenders(product: Path) -> Iterator[list[Contender]]:
    """Start every server; ours first in the list, with palettes."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="skerry-bench-")))
        platform = stack.enter_context(run_platform(folder / "data"))
        add_product(platform, product)
        maps = find_part(platform, "maps")
        login = {"Authorization": f"token {platform.token}"}
        titiler = stack.enter_context(run_peer("serve_titiler"))
        rio_tiler = stack.enter_context(run_peer("serve_rio_tiler", str(product)))
        xpublish = stack.enter_context(run_peer("serve_xpublish", str(product)))
        yield [
            Contender(PALETTE, address_ours(maps, "palette"), login),
            Contender(RGBA, address_ours(maps, "rgba"), login, SECOND),
            Contender(TITILER, address_titiler(titiler, product), {}),
            Contender(RIO_XARRAY, address_rio_tiler(rio_tiler, "xarray"), {}),
            Contender(RIO_ARRAY, address_rio_tiler(rio_tiler, "array"), {}),
            Contender(XPUBLISH, address_xpublish(xpublish), {}),
        ]


def address_ours(base: str, picture: str) -> Address:
    """Return our addresses; the level is ours to choose."""
    return lambda _level, variable, tile, colormap: (
        f"{base}/services/maps/tiles/{COLLECTION}/{ITEM}/{variable}/"
        f"{tile[0]}/{tile[1]}/{tile[2]}.png?min=0&max=1&colormap={colormap}&format={picture}"
    )


def address_titiler(base: str, product: Path) -> Address:
    """Return titiler-xarray's addresses, the level as its ``group``."""
    return lambda level, variable, tile, colormap: (
        f"{base}/tiles/WebMercatorQuad/{tile[0]}/{tile[1]}/{tile[2]}.png"
        f"?url={quote(str(product), safe='')}&variable={variable}&group={level}"
        f"&rescale=0,1&colormap_name={colormap}"
    )


def address_rio_tiler(base: str, reader: str) -> Address:
    """Return the addresses of our server around rio-tiler."""
    return lambda level, variable, tile, colormap: (
        f"{base}/{reader}/{level}/{variable}/{tile[0]}/{tile[1]}/{tile[2]}.png"
        f"?min=0&max=1&colormap={colormap}"
    )


def address_xpublish(base: str) -> Address:
    """Return xpublish-tiles' addresses (row before column), each level a dataset."""
    return lambda level, variable, tile, colormap: (
        f"{base}/datasets/level-{level}/tiles/WebMercatorQuad/{tile[0]}/{tile[2]}/{tile[1]}"
        f"?variables={variable}&colorscalerange=0,1&style=raster/{colormap}"
        "&width=256&height=256&f=image/png"
    )


def find_next(shares: dict[str, float], results: dict[str, Measured]) -> str:
    """Return the fastest of the others that draw the same numbers as we do."""
    equal = [name for name in NEXT if shares[name] >= EQUAL] or list(NEXT)
    return min(equal, key=lambda name: results[name].warm.percentile(0.5))


def list_agreement(shares: dict[str, float], exact: float, fastest: str) -> list[Record]:
    """Return how far pictures agree; a bar for those whose speed meets a bar."""
    compared = {RGBA, TITILER, fastest}
    records = [
        compare("tiles: equal pixels", "share", exact, 1.0, beside="rasterio, exact", bar=EQUAL)
    ]
    for name, share in shares.items():
        bar = EQUAL if name in compared else None
        records.append(compare("tiles: equal pixels", "share", share, 1.0, beside=name, bar=bar))
    return records


def list_speed(results: dict[str, Measured], fastest: str) -> list[Record]:
    """Return latencies and rates of both our pictures beside every peer."""
    records = []
    for picture in (PALETTE, RGBA):
        own = results[picture]
        for name in (TITILER, *NEXT):
            bars = find_bars(picture, name, fastest)
            records += compare_speed(
                picture.removeprefix("Skerry, "), own, name, results[name], bars
            )
    return records


def find_bars(picture: str, peer: str, fastest: str) -> tuple[float | None, float | None]:
    """Return the bars of warm p50 and of the rate with four clients."""
    if picture != PALETTE or peer not in (TITILER, fastest):
        return None, None
    return (TITILER_BAR if peer == TITILER else NEXT_BAR), RATE_BAR


def compare_speed(
    picture: str, ours: Measured, name: str, theirs: Measured,
    bars: tuple[float | None, float | None],
) -> list[Record]:  # fmt: skip
    """Return the records of one picture kind beside one peer."""
    records = []
    for state, own, other in (("cold", ours.cold, theirs.cold), ("warm", ours.warm, theirs.warm)):
        for share in (0.5, 0.95):
            what = f"tiles: {picture}, {state}, p{share * 100:g}"
            bar = bars[0] if (state, share) == ("warm", 0.5) else None
            pair = own.percentile(share), other.percentile(share)
            records.append(compare(what, "ms", *pair, beside=name, bar=bar))
    for clients, own, other in ((1, ours.warm, theirs.warm), (MANY, ours.many, theirs.many)):
        what = f"tiles: {picture}, {clients} client{'s' * (clients > 1)}"
        bar = bars[1] if clients == MANY else None
        records.append(compare(what, "tiles/s", own.rate, other.rate, beside=name, bar=bar))
    return records
