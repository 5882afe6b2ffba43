"""What a Sentinel-2 SAFE product's metadata documents say.

Source: Sentinel-2 Products Specification Document, S2-PDGS-TAS-DI-PSD, sections 3.8 to 4.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyproj import CRS
from pyproj.exceptions import CRSError

from skerry.core.time import format_time
from skerry.products.safe.documents import Document
from skerry.products.safe.files import ProductFiles
from skerry.products.safe.sentinel_2_angles import Angles, read_angles

BANDS = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12",
)  # fmt: skip
"""Bands in the order of ``band_id`` 0 to 12."""
LEGAL_NOTICE = "https://sentinels.copernicus.eu/documents/247904/690755/Sentinel_Data_Legal_Notice"
"""Whoever shows the data must name them as this notice says."""
OFFSET_SINCE_BASELINE = (4, 0)
"""Processing baseline since which reflectances carry an offset (BOA_ADD_OFFSET)."""


@dataclass(frozen=True)
class TileGrid:
    """One resolution's grid: upper left corner of the upper left pixel, and shape."""

    left_m: float
    top_m: float
    height: int
    width: int


@dataclass(frozen=True)
class SafeMetadata:
    """One product's metadata.

    Attributes
    ----------
    product_id
        The product's name without ``.SAFE``.
    quantification
        Name of a quantification entry to its divisor.
    offsets
        Band (``B04``) to the number to add before dividing.
    grids
        Resolution in metres to grid.
    angles
        Names to arrays in degrees, as `read_angles` returns them.
    simulated
        Whether the product says that it was not measured.
    """

    product_id: str
    start: datetime
    stop: datetime
    generated: datetime
    baseline: tuple[int, int]
    platform: str
    orbit_relative: int
    orbit_state: str
    tile: str
    crs: str
    cloud_cover_percent: float | None
    ring: list[list[float]]
    quantification: dict[str, float]
    offsets: dict[str, float]
    grids: dict[int, TileGrid]
    angles: Angles
    simulated: bool

    def describe(self) -> dict[str, Any]:
        """Return the STAC item that EOPF keeps as ``stac_discovery``."""
        longitudes, latitudes = zip(*self.ring, strict=True)
        properties: dict[str, Any] = {
            "datetime": format_time(self.start),
            "start_datetime": format_time(self.start),
            "end_datetime": format_time(self.stop),
            "created": format_time(self.generated),
            "constellation": "sentinel-2",
            "platform": self.platform,
            "instruments": ["msi"],
            "product:type": "S02MSIL2A",
            "processing:level": "L2A",
            "eopf:baseline": f"{self.baseline[0]:02d}.{self.baseline[1]:02d}",
            "sat:relative_orbit": self.orbit_relative,
            "sat:orbit_state": self.orbit_state,
            "grid:code": f"MGRS-{self.tile.removeprefix('T')}",
            "proj:code": self.crs,
        }
        if not self.simulated:
            properties["providers"] = [
                {
                    "name": f"Copernicus Sentinel data {self.start.year}",
                    "roles": ["producer", "licensor"],
                    "url": LEGAL_NOTICE,
                }
            ]
        if self.cloud_cover_percent is not None:
            properties["eo:cloud_cover"] = self.cloud_cover_percent
        return {
            "type": "Feature",
            "stac_version": "1.1.0",
            "id": self.product_id,
            "geometry": {"type": "Polygon", "coordinates": [self.ring]},
            "bbox": [min(longitudes), min(latitudes), max(longitudes), max(latitudes)],
            "properties": properties,
            "links": [],
            "assets": {},
        }


def read_metadata(files: ProductFiles, product: str, tile: str) -> SafeMetadata:
    """Read the product's and the tile's metadata documents.

    Parameters
    ----------
    files
        The product's files.
    product, tile
        Names of the two documents.

    Raises
    ------
    InvalidInputError
        If a document is not well formed or lacks an entry that reading needs.
    """
    main = Document(files, product)
    granule = Document(files, tile)
    baseline = _read_baseline(main)
    return SafeMetadata(
        product_id=main.text("PRODUCT_URI").removesuffix(".SAFE"),
        start=main.time("PRODUCT_START_TIME"),
        stop=main.time("PRODUCT_STOP_TIME"),
        generated=main.time("GENERATION_TIME"),
        baseline=baseline,
        platform=main.text("SPACECRAFT_NAME").lower(),
        orbit_relative=int(main.number("SENSING_ORBIT_NUMBER")),
        orbit_state=main.text("SENSING_ORBIT_DIRECTION").lower(),
        tile=_read_tile(granule),
        crs=_read_crs(granule),
        cloud_cover_percent=main.optional_number("Cloud_Coverage_Assessment"),
        ring=_read_ring(main),
        quantification={
            str(one.tag): main.parse_number(one) for one in main.all("QUANTIFICATION_VALUES_LIST/*")
        },
        offsets=_read_offsets(main, baseline),
        grids=_read_grids(granule),
        angles=read_angles(granule, len(BANDS)),
        simulated=main.optional_text("SIMULATED") == "true",
    )


def _read_baseline(main: Document) -> tuple[int, int]:
    text = main.text("PROCESSING_BASELINE")
    major, _, minor = text.partition(".")
    if not (major.isdigit() and minor.isdigit()):
        raise main.refuse(f"has the processing baseline {text!r}, not like 05.11")
    return int(major), int(minor)


def _read_tile(granule: Document) -> str:
    parts = granule.text("TILE_ID").split("_")
    return next((one for one in parts if len(one) == 6 and one[0] == "T"), "T00AAA")  # noqa: PLR2004 -- T33UVV


def _read_ring(main: Document) -> list[list[float]]:
    text = main.text("EXT_POS_LIST")
    with main.reading("EXT_POS_LIST"):
        values = [float(one) for one in text.split()]
        ring = [[x, y] for y, x in zip(values[0::2], values[1::2], strict=True)]
    return ring if ring[0] == ring[-1] else [*ring, ring[0]]


def _read_crs(granule: Document) -> str:
    code = granule.text("HORIZONTAL_CS_CODE")
    try:
        CRS.from_user_input(code)
    except CRSError as error:
        raise granule.refuse(f"has the coordinate reference system {code!r}") from error
    return code


def _read_offsets(main: Document, baseline: tuple[int, int]) -> dict[str, float]:
    names = {
        one.get("bandId"): f"B{one.get('physicalBand', '').removeprefix('B').rjust(2, '0')}"
        for one in main.all("Spectral_Information[@physicalBand]")
    } or {str(number): band for number, band in enumerate(BANDS)}
    found = {
        names[one.get("band_id")]: main.parse_number(one)
        for one in main.all("BOA_ADD_OFFSET")
        if one.get("band_id") in names
    }
    if not found and baseline >= OFFSET_SINCE_BASELINE:
        raise main.refuse(
            f"lacks BOA_ADD_OFFSET, which every baseline since 04.00 has (this is {baseline})"
        )
    return {band: found.get(band, 0.0) for band in BANDS}


def _read_grids(granule: Document) -> dict[int, TileGrid]:
    corners = {one.get("resolution"): one for one in granule.all("Geoposition")}
    grids = {}
    with granule.reading("the tile's size and position"):
        for size in granule.all("Size"):
            corner = corners[size.get("resolution")]
            grids[int(size.get("resolution"))] = TileGrid(
                left_m=granule.parse_number(corner.find("ULX")),
                top_m=granule.parse_number(corner.find("ULY")),
                height=int(granule.parse_number(size.find("NROWS"))),
                width=int(granule.parse_number(size.find("NCOLS"))),
            )
    if not grids:
        raise granule.refuse("lacks the tile's size and position")
    return grids
