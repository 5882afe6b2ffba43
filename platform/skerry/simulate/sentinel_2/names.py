"""The names of a simulated Sentinel-2 product and of its files, and the position of its picture."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from affine import Affine
from odc.geo.geobox import GeoBox

from skerry.core.errors import InvalidInputError

LEFT_M = 399_960
TOP_M = 6_000_000
CRS = "EPSG:32633"
BASELINE = "05.11"
RELATIVE_ORBIT = 22
ABSOLUTE_ORBIT = 50_000
_TILE_LETTERS = 5


@dataclass(frozen=True)
class Names:
    """The names in a product.

    Attributes
    ----------
    level
        ``L1C`` or ``L2A``.
    moment
        Start of sensing.
    tile
        MGRS tile, ``T33UVV``.
    """

    level: str
    moment: datetime
    tile: str

    @property
    def sensed(self) -> str:
        """The time of sensing as names write it."""
        return f"{self.moment:%Y%m%dT%H%M%S}"

    @property
    def generated(self) -> datetime:
        """A plausible time of processing: the real time would change the bytes."""
        hours = 3 if self.level == "L2A" else 1
        return self.moment + timedelta(hours=hours, minutes=38, seconds=59)

    @property
    def product(self) -> str:
        """The product's name, without ``.SAFE``."""
        baseline = BASELINE.replace(".", "")
        return (
            f"S2A_MSI{self.level}_{self.sensed}_N{baseline}_R{RELATIVE_ORBIT:03d}_{self.tile}_"
            f"{self.generated:%Y%m%dT%H%M%S}_SIM"
        )

    @property
    def granule(self) -> str:
        """The granule's folder."""
        return f"{self.level}_{self.tile}_A{ABSOLUTE_ORBIT:06d}_{self.sensed}"

    @property
    def datastrip(self) -> str:
        """The datastrip's folder."""
        return f"DS_SIMU_{self.generated:%Y%m%dT%H%M%S}_S{self.sensed}"

    @property
    def datatake(self) -> str:
        """The datatake's identifier."""
        return f"GS2A_{self.sensed}_{ABSOLUTE_ORBIT:06d}_N{BASELINE}"

    def identify(self, kind: str) -> str:
        """Return the identifier of the tile (``TL``) or the datastrip (``DS``)."""
        where = self.tile if kind == "TL" else f"S{self.sensed}"
        stem = f"S2A_OPER_MSI_{self.level}_{kind}_SIMU_{self.generated:%Y%m%dT%H%M%S}"
        orbit = f"_A{ABSOLUTE_ORBIT:06d}" if kind == "TL" else ""
        return f"{stem}{orbit}_{where}_N{BASELINE}"

    def stars(self) -> dict[str, str]:
        """Return the texts that replace the stars in the mapping's file patterns."""
        image = f"{self.tile}_{self.sensed}_{{source}}"
        return {
            "GRANULE/*": self.granule,
            "DATASTRIP/*": self.datastrip,
            "*_{source}.jp2": f"{image}.jp2",
            **{f"*_{{source}}_{item}m.jp2": f"{image}_{item}m.jp2" for item in (10, 20, 60)},
            "AUX_ECMWF?": "AUX_ECMWFT",
            "AUX_CAMS??": "AUX_CAMSFO",
        }


def check_tile(tile: str) -> str:
    """Return a tile's name with its T.

    Raises
    ------
    InvalidInputError
        If it is not an MGRS tile name.
    """
    name = tile.upper().removeprefix("T")
    digits, letters = name[:2], name[2:]
    if len(name) != _TILE_LETTERS or not (
        digits.isdigit() and letters.isalpha() and name.isascii()
    ):
        raise InvalidInputError(
            f"{tile!r} is not an MGRS tile name.", remedy="Write it as T33UVV or 33UVV."
        )
    return f"T{name}"


def grid_at(resolution_m: int, size: int) -> GeoBox:
    """Return the picture's grid at a resolution.

    Parameters
    ----------
    resolution_m
        10, 20 or 60.
    size
        Pixels of the 10 m grid.
    """
    edge = size * 10 // resolution_m
    affine = Affine(resolution_m, 0.0, LEFT_M, 0.0, -resolution_m, TOP_M)
    return GeoBox((edge, edge), affine, CRS)
