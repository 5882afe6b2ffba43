"""The simulated product's place and the names of its files."""

from dataclasses import dataclass
from datetime import datetime, timedelta

LEFT_M = 399_960
TOP_M = 6_000_000
EPSG = 32633
BASELINE = "05.11"
RELATIVE_ORBIT = 22
ABSOLUTE_ORBIT = 50_000


@dataclass(frozen=True)
class SafeNames:
    """The names in a product, all from moment and tile."""

    moment: datetime
    tile: str

    @property
    def sensed(self) -> str:
        """The time of sensing as names write it."""
        return f"{self.moment:%Y%m%dT%H%M%S}"

    @property
    def generated(self) -> datetime:
        """A plausible time of processing; the real one would change the bytes."""
        return self.moment + timedelta(hours=3, minutes=38, seconds=59)

    @property
    def product(self) -> str:
        """The product's folder."""
        baseline = BASELINE.replace(".", "")
        return (
            f"S2A_MSIL2A_{self.sensed}_N{baseline}_R{RELATIVE_ORBIT:03d}_{self.tile}_"
            f"{self.generated:%Y%m%dT%H%M%S}_SIM.SAFE"
        )

    @property
    def granule(self) -> str:
        """The granule's folder."""
        return f"L2A_{self.tile}_A{ABSOLUTE_ORBIT:06d}_{self.sensed}"

    def image(self, what: str, resolution: int) -> str:
        """Return the path of one image below the product, without ``.jp2``."""
        folder = f"GRANULE/{self.granule}/IMG_DATA/R{resolution}m"
        return f"{folder}/{self.tile}_{self.sensed}_{what}_{resolution}m"

    def mask(self, what: str) -> str:
        """Return the path of one quality file below the product."""
        return f"GRANULE/{self.granule}/QI_DATA/MSK_{what}"
