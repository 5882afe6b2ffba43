"""Tiles over HTTP: XYZ, TileJSON, legends and the base map.

Every tile checks again who asks, whether they may see the item, and which content the item has
now; only then do caches count. Public answers may be stored and are revalidated, private ones are
``no-store``.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from skerry.core.digests import digest_bytes
from skerry.core.errors import SkerryError
from skerry.core.settings import MAPS_PREFIX
from skerry.maps.basemap import draw_basemap
from skerry.maps.colour import Category, Style
from skerry.maps.legend import describe_units, draw_legend
from skerry.maps.point import name_class, read_point
from skerry.maps.tiles import DRAWING, TileFormat, check_tile, draw_composite, draw_tile
from skerry.models.layers import PointValue, PointValues, TileJson
from skerry.services.guarded_route import create_router
from skerry.services.identity import Identity, anyone, identify
from skerry.services.layers import Layer, LayerBook
from skerry.services.media import sends, sends_json
from skerry.services.tilejson import describe_tiles
from skerry.storage.chunk_cache import ChunkCache

_PNG = "image/png"
_PRIVATE = {"Cache-Control": "private, no-store"}
_PUBLIC = {"Cache-Control": "public, no-cache", "Vary": "Authorization, Cookie"}
_BASEMAP = {"Cache-Control": "public, max-age=86400"}

Who = Annotated[Identity | None, Depends(identify())]


@dataclass(frozen=True)
class LayerName:
    """The layer that a request names."""

    collection: str
    item: str
    variable: str

    @property
    def parts(self) -> tuple[str, str, str]:
        """The name's parts in the order of the address."""
        return self.collection, self.item, self.variable


@dataclass(frozen=True)
class TileAddress:
    """Zoom, column and row of the XYZ scheme."""

    z: int
    x: int
    y: int


@dataclass(frozen=True)
class Look:
    """The parts of a layer's style that a request may change."""

    min: Annotated[float | None, Query(description="Value at the colormap's lower end")] = None
    max: Annotated[float | None, Query(description="Value at its upper end")] = None
    colormap: Annotated[str | None, Query(description="A matplotlib colormap's name")] = None

    def apply(self, style: Style) -> Style:
        """Return `style` with the changes; the same object when there are none."""
        if self.min is None and self.max is None and self.colormap is None:
            return style
        return style.change(minimum=self.min, maximum=self.max, colormap=self.colormap)

    def to_query(self) -> str:
        """Return the changes as the query of an address, with the question mark."""
        values = {"min": self.min, "max": self.max, "colormap": self.colormap}
        query = {name: value for name, value in values.items() if value is not None}
        return f"?{urlencode(query)}" if query else ""


@dataclass(frozen=True)
class Position:
    """A place on Earth, in degrees (WGS 84)."""

    longitude: Annotated[float, Query(ge=-180, le=180, alias="lon")]
    latitude: Annotated[float, Query(ge=-90, le=90, alias="lat")]


Positions = Annotated[Position, Depends()]
Names = Annotated[LayerName, Depends()]
Tiles = Annotated[TileAddress, Depends()]
Looks = Annotated[Look, Depends()]


class Drawer:
    """Draws in a pool of threads, so that many tiles do not block the event loop."""

    def __init__(self, book: LayerBook, chunks: ChunkCache, pool: Executor, url: str) -> None:
        self.book = book
        self.chunks = chunks
        self.pool = pool
        self.url = url

    async def answer(self, work: Callable[[], Response]) -> Response:
        """Run `work` in the pool."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, work)

    def send_tile(
        self, who: Identity | None, name: LayerName, tile: TileAddress, *,
        look: Look, tile_format: TileFormat, cached_etags: str | None,
    ) -> Response:  # fmt: skip
        """Return a tile, or 304 when the client has it."""
        place = (tile.z, tile.x, tile.y)
        check_tile(*place)
        layer = self.book.find(who, *name.parts)
        styles = [look.apply(part.style) for part in layer.parts]
        etag = name_picture(layer, styles, place, tile_format)
        headers = {**(_PUBLIC if who is None else _PRIVATE), "ETag": etag}
        if (
            cached_etags is not None and etag in cached_etags
        ):  # a list, or marked as weak by a proxy
            return Response(status_code=304, headers=headers)
        with naming(layer):
            pyramids = [part.open() for part in layer.parts]
            if layer.bands:
                png = draw_composite(pyramids, self.chunks, styles, place)
            else:
                png = draw_tile(pyramids[0], self.chunks, styles[0], place, tile_format)
        return Response(png, headers=headers, media_type=_PNG)

    def send_point(
        self, who: Identity | None, name: LayerName, longitude: float, latitude: float
    ) -> Response:
        """Return the values of a layer's variables at a place."""
        layer = self.book.find(who, *name.parts)
        with naming(layer):
            values = [
                (part, read_point(part.open(), self.chunks, longitude, latitude))
                for part in layer.parts
            ]
        document = PointValues(
            longitude=longitude,
            latitude=latitude,
            simulated=layer.simulated,
            values=[
                PointValue(
                    label=part.label,
                    units=describe_units(part.units),
                    value=value,
                    meaning=name_class(part.style, value),
                )
                for part, value in values
            ],
        )
        return _send_json(document, who)

    def send_legend(self, who: Identity | None, name: LayerName, look: Look) -> Response:
        """Return a legend with label, units and colours."""
        layer = self.book.find(who, *name.parts)
        style = describe_bands(layer, look) if layer.bands else look.apply(layer.style)
        png = draw_legend(layer.label, layer.units, style, simulated=layer.simulated)
        return Response(png, headers=_PUBLIC if who is None else _PRIVATE, media_type=_PNG)

    def send_tilejson(self, who: Identity | None, name: LayerName, look: Look) -> Response:
        """Return the TileJSON 3.0.0 document of a layer."""
        layer = self.book.find(who, *name.parts)
        place = "/".join(quote(part, safe="") for part in name.parts)
        address = f"{self.url}{MAPS_PREFIX}/tiles/{place}"
        with naming(layer):
            document = describe_tiles(layer, look.apply(layer.style), address, look.to_query())
        return _send_json(document, who)


def create_tiles_router(drawer: Drawer) -> APIRouter:
    """Return the routes, relative to the maps program's prefix."""
    router = create_router(tags=["maps"])
    layer_path = "/tiles/{collection}/{item}/{variable}"

    @router.get(layer_path + "/{z}/{x}/{y}.png", **sends(_PNG, unchanged=True))
    async def get_tile(
        *, request: Request, who: Who, name: Names, tile: Tiles, look: Looks,
        format: TileFormat = TileFormat.PALETTE,  # noqa: A002
    ) -> Response:  # fmt: skip
        """Return one XYZ tile of a variable as PNG, transparent where there is no data."""
        send = partial(
            drawer.send_tile, who, name, tile, look=look, tile_format=format,
            cached_etags=request.headers.get("if-none-match"),
        )  # fmt: skip
        return await drawer.answer(send)

    @router.get(layer_path + "/tilejson.json", **sends_json(TileJson))
    async def get_tilejson(who: Who, name: Names, look: Looks) -> Response:
        """Return the TileJSON of a variable."""
        return await drawer.answer(partial(drawer.send_tilejson, who, name, look))

    @router.get(layer_path + "/legend.png", **sends(_PNG))
    async def get_legend(who: Who, name: Names, look: Looks) -> Response:
        """Return the legend of a variable with its units."""
        return await drawer.answer(partial(drawer.send_legend, who, name, look))

    @router.get(layer_path + "/point.json", **sends_json(PointValues))
    async def get_point(who: Who, name: Names, place: Positions) -> Response:
        """Return the value of a variable at a place, with its units; null where there is none."""
        send = partial(drawer.send_point, who, name, place.longitude, place.latitude)
        return await drawer.answer(send)

    @router.get("/basemap/{z}/{x}/{y}.png", dependencies=[Depends(anyone())], **sends(_PNG))
    async def get_basemap_tile(tile: Tiles) -> Response:
        """Return a tile of the offline base map."""
        return await drawer.answer(partial(send_basemap, tile))

    return router


def _send_json(document: BaseModel, who: Identity | None) -> Response:
    return Response(
        document.model_dump_json(),
        headers=_PUBLIC if who is None else _PRIVATE,
        media_type="application/json",
    )


def send_basemap(tile: TileAddress) -> Response:
    """Return a tile of the base map."""
    png = draw_basemap(tile.z, tile.x, tile.y)
    return Response(png, headers=_BASEMAP, media_type=_PNG)


@contextmanager
def naming(layer: Layer) -> Iterator[None]:
    """Make errors inside the block name the item."""
    try:
        yield
    except SkerryError as error:
        raise type(error)(f"{layer.title}: {error.what}", remedy=error.remedy) from error


def describe_bands(layer: Layer, look: Look) -> Style:
    """Return classes for the legend of a composite: its three bands and their ranges."""
    colours = ("#ff0000", "#00ff00", "#0000ff")
    styles = [look.apply(part.style) for part in layer.bands]
    return Style(
        categories=tuple(
            Category(at, f"{part.label}, {style.minimum:g} to {style.maximum:g}", colour)
            for at, (part, style, colour) in enumerate(
                zip(layer.bands, styles, colours, strict=True)
            )
        )
    )


def name_picture(
    layer: Layer, styles: Sequence[Style], tile: tuple[int, int, int], tile_format: TileFormat
) -> str:
    """Return the ETag of a tile: it changes with content, style, place, format and drawing."""
    paths = [part.path for part in layer.parts]
    facts = (DRAWING, layer.version, paths, styles, tile, tile_format.value)
    return f'"{digest_bytes(repr(facts).encode())[4:28]}"'
