"""Writing holds what it was allowed: a product several times as large, measured in a child."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

BUDGET_BYTES = 300 * 10**6
VARIABLES = "abcdefgh"
PRODUCT_BYTES = len(VARIABLES) * 8000 * 8000 * 2
SCRIPT = """
import sys
from pathlib import Path

import dask.array as da
import numpy as np
import rioxarray
import xarray as xr
from skerry.products import open_product, write_product

def highest():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

def make(size, names):
    tile = np.random.default_rng(1).integers(1, 2000, (1000, 1000)).astype("uint16")
    data = da.tile(da.from_array(tile), (size // 1000, size // 1000)).rechunk(4000)
    axis = 10.0 * np.arange(size)
    product = xr.Dataset(
        {name: (("y", "x"), data) for name in names},
        coords={"x": 399960 + axis, "y": 5000000 - axis},
    ).rio.write_crs("EPSG:32633")
    return xr.DataTree.from_dict({"/measurements": product})

kind, form, memory, folder = *sys.argv[1:3], int(sys.argv[3]), Path(sys.argv[4])
options = {"form": form, "memory_bytes": memory} | ({"chunk": 512} if form != "cog" else {})
if form == "geozarr":
    options["shard"] = 2048
write_product(make(1000, ["b"]), folder / "small.zarr", form="eopf-zarr")
write_product(open_product(folder / "small.zarr"), folder / f"small.{form}", **options)
if kind == "stored":
    product = open_product(folder / "large.zarr")
elif kind == "make":
    write_product(make(8000, "abcdefgh"), folder / "large.zarr", form="eopf-zarr",
                  chunk=4000)
    sys.exit()
else:
    product = open_product(folder / "large.zarr")
    product = product.map_over_datasets(lambda data: data + 1 if "a" in data else data)
before = highest()
write_product(product, folder / f"large.{form}", **options)
print(highest() - before)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    run("make", "geozarr", folder)
    remove(folder, "small")
    return folder


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("eopf-zarr", "stored"), ("geozarr", "stored"), ("netcdf", "stored"), ("cog", "stored"),
        ("geozarr", "computed"),
    ],
)  # fmt: skip
def test_writing_stays_within_its_memory(form: str, kind: str, folder: Path) -> None:
    assert PRODUCT_BYTES > 3 * BUDGET_BYTES
    grown = int(run(kind, form, folder))
    remove(folder, "small")
    remove(folder, f"large.{form}")
    assert grown <= BUDGET_BYTES, f"{form} from {kind} numbers: {grown / 1e6:.0f} MB"


def run(kind: str, form: str, folder: Path) -> str:
    command = [sys.executable, "-c", SCRIPT, kind, form, str(BUDGET_BYTES), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def remove(folder: Path, start: str) -> None:
    import shutil

    for place in folder.iterdir():
        if place.name.startswith(start) and place.is_dir():
            shutil.rmtree(place)
        elif place.name.startswith(start):
            place.unlink()
