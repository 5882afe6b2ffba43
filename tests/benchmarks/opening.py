"""Opening products beside CPM: each kind as SAFE and as EOPF Zarr, first and again in a process;
and the NetCDF file of an SLSTR product (97 groups, 921 variables) beside xarray.

Small products: opening reads documents and headers, whose size does not depend on the image's.
"""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

from tests.benchmarks.records import Record, compare
from tests.peers.simulated_products import SIZES, SimulatedProducts

from skerry.products import open_product, write_product

ROUNDS = 3
EOPF = "eopf 2.8.1"


def measure_opening(folder: Path, reference_python: Path) -> list[Record]:
    """Measure each kind and form: ours the median of some processes, CPM's, which is slow, once."""
    (products := folder / "small").mkdir(exist_ok=True)
    simulated = SimulatedProducts(products)
    theirs = [str(reference_python), str(Path(__file__).with_name("open_eopf.py"))]
    records = []
    for kind in SIZES:
        for form, place in (
            ("SAFE", simulated.named_as_real(kind)),
            ("Zarr", simulated.cpm_zarr(kind)),
        ):
            result = [
                _ask([sys.executable, "-m", "tests.benchmarks.open_ours"], place)
                for _ in range(ROUNDS)
            ]
            (peer,) = _ask(theirs, place)
            for number, when in enumerate(("first", "again")):
                title = f"products: open {kind} {form}, {when} in a process"
                ours = median(item[number] for item in result)
                records.append(compare(title, "s", ours, peer, beside=f"{EOPF}, first"))
    return [*records, _measure_netcdf(simulated, products)]


def _measure_netcdf(simulated: SimulatedProducts, folder: Path) -> Record:
    """Measure opening many groups: ours decoded and healed, xarray's as it decodes them."""
    path = folder / "slstr.nc"
    if not path.exists():
        write_product(open_product(simulated.named_as_real("slstr-rbt")), path, form="netcdf")
    result = [
        _ask([sys.executable, "-m", "tests.benchmarks.open_ours"], path)[0] for _ in range(ROUNDS)
    ]
    (peer,) = _ask([sys.executable, "-m", "tests.benchmarks.open_xarray"], path)
    title = "products: open slstr-rbt NetCDF, first in a process"
    return compare(title, "s", median(result), peer, beside="xarray.open_datatree, h5netcdf")


def _ask(command: list[str], place: Path) -> list[float]:
    """Return the seconds of each opening in a new process."""
    done = subprocess.run([*command, place], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command} {place} failed:\n{done.stderr[-3000:]}")
    seconds: list[float] = json.loads(done.stdout.splitlines()[-1])
    return seconds
