"""COGs in a bucket under a grant, as stackstac reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rasterio.vrt import WarpedVRT
from stackstac.rio_reader import AutoParallelRioReader

from skerry.core.errors import SkerryError
from skerry.products.stores.raster_files import RasterFile, locate_raster
from skerry.storage.remote import parse_address

if TYPE_CHECKING:
    import numpy as np
    from rasterio.windows import Window


class GrantedReader(AutoParallelRioReader):  # type: ignore[misc]
    """Reads a COG through Skerry's readers, with what is granted to the process that it is in.

    GDAL's own reader of buckets takes credentials from the environment alone.
    """

    def _open(self) -> _Raster:
        place = parse_address(self.url)
        return _Raster(locate_raster(place, str(place)), self)

    def read(self, window: Window, **options: Any) -> np.ndarray[Any, Any]:
        """Read a window of the stack's grid.

        Raises
        ------
        SkerryError
            As `skerry.products.stores.raster_files.RasterFile.open`.
        """
        try:
            values: np.ndarray[Any, Any] = super().read(window, **options)
        except RuntimeError as error:
            if isinstance(error.__cause__, SkerryError):
                raise error.__cause__ from None
            raise
        return values


@dataclass(frozen=True)
class _Raster:
    """A file that is opened for every window, so that it can be read in threads."""

    file: RasterFile
    reader: GrantedReader

    def read(self, window: Window, **options: Any) -> Any:
        spec = self.reader.spec
        with self.file.open("GTiff") as source:
            grid = {
                "crs": source.crs.to_epsg(), "transform": source.transform,
                "height": source.height, "width": source.width,
            }  # fmt: skip
            if spec.vrt_params == grid:
                return source.read(window=window, **options)
            with WarpedVRT(
                source, resampling=self.reader.resampling, add_alpha=source.nodata is None,
                **spec.vrt_params,
            ) as warped:  # fmt: skip
                return warped.read(window=window, **options)

    def close(self) -> None:
        """Do nothing: it is closed after each window."""
