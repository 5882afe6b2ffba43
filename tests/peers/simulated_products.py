"""Small simulated products, each made once and shared by all tests against peers."""

from datetime import date
from functools import cache
from pathlib import Path

import xarray as xr

from skerry.products import open_product, write_product
from skerry.simulate import simulate_product

DAY = date(2026, 5, 1)
SIZES = {
    # Two factor-2 levels below it and an odd number of 20 m pixels.
    "s2-l2a": 546,
    "s2-l1c": 240,
    # Four tie points across and more: satpy's spline is cubic.
    "olci-efr": 193,
    "olci-err": 65,
    "slstr-rbt": 160,
    "s1-iw-grd": 200,
}


class SimulatedProducts:
    """One of each kind, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.safe = cache(self._simulate)
        self.named_as_real = cache(self._link)
        self.tree = cache(self._open)
        self.cpm_zarr = cache(self._write)

    def _simulate(self, kind: str) -> Path:
        """Return the product as SAFE."""
        (self._folder / kind).mkdir()
        return simulate_product(kind, self._folder / kind, day=DAY, size=SIZES[kind])

    def _link(self, kind: str) -> Path:
        """Return the same under the name without ``_SIM``, which peers' patterns do not know."""
        safe = self.safe(kind)
        link = self._folder / kind / safe.name.replace("_SIM", "")
        link.symlink_to(safe, target_is_directory=True)
        return link

    def _open(self, kind: str) -> xr.DataTree:
        """Return it as our reader gives it."""
        return open_product(self.safe(kind))

    def _write(self, kind: str) -> Path:
        """Return the same as Zarr 2 of profile ``cpm-2.8``."""
        place = self._folder / f"{kind}.zarr"
        write_product(self.tree(kind), place, form="eopf-zarr-v2", profile="cpm-2.8")
        return place
