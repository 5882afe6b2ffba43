"""rio-tiler behind the leanest server: arrays stay open, one plain Starlette route.

`/array/...` reads with its zarr `ArrayReader`, `/xarray/...` with its `XarrayReader`.

Usage: python serve_rio_tiler.py PORT STORE
"""

import sys
import warnings
from collections.abc import Callable
from functools import lru_cache

import uvicorn
import xarray as xr
import zarr
from affine import Affine
from rasterio.crs import CRS
from rio_tiler.colormap import cmap
from rio_tiler.models import ImageData
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

# rio-tiler says that its zarr readers are experimental
warnings.filterwarnings("ignore", message=".*experimental", module=r"rio_tiler\.")


class Store:
    """A GeoZarr whose root is the multiscale group."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.root = zarr.open_group(path, mode="r")
        self.crs = CRS.from_user_input(self.root.attrs["proj:code"])
        layout = self.root.attrs["multiscales"]["layout"]
        self.transforms = {level["asset"]: Affine(*level["spatial:transform"]) for level in layout}
        self.open_array = lru_cache(lambda level, name: self.root[f"{level}/{name}"])
        self.open_dataset = lru_cache(
            lambda level: xr.open_zarr(
                path, group=level, consolidated=False, chunks=None, decode_coords="all"
            )
        )

    def read_array(self, level: str, name: str, x: int, y: int, z: int) -> ImageData:
        """Return packed numbers made physical."""
        from rio_tiler.experimental.zarr import ArrayReader

        array = self.open_array(level, name)
        reader = ArrayReader(input=array, transform=self.transforms[level], crs=self.crs)
        image = reader.tile(x, y, z, nodata=array.attrs["_FillValue"])
        image.array = (
            image.array.astype("float32") * array.attrs["scale_factor"] + array.attrs["add_offset"]
        )
        return image

    def read_xarray(self, level: str, name: str, x: int, y: int, z: int) -> ImageData:
        """Return decoded numbers."""
        from rio_tiler.io.xarray import XarrayReader

        with XarrayReader(self.open_dataset(level)[name]) as reader:
            return reader.tile(x, y, z)


def make_route(path: str, read: Callable[..., ImageData]) -> Route:
    def draw(request: Request) -> bytes:
        where = request.path_params
        query = request.query_params
        image = read(where["level"], where["name"], where["x"], where["y"], where["z"])
        image.rescale(in_range=((float(query["min"]), float(query["max"])),))
        return image.render(img_format="PNG", colormap=cmap.get(query["colormap"]))

    async def answer(request: Request) -> Response:
        return Response(await run_in_threadpool(draw, request), media_type="image/png")

    return Route(f"/{path}/{{level}}/{{name}}/{{z:int}}/{{x:int}}/{{y:int}}.png", answer)


def main(port: int, path: str) -> None:
    store = Store(path)
    app = Starlette(
        routes=[make_route("array", store.read_array), make_route("xarray", store.read_xarray)]
    )
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
