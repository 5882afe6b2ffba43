"""`import skerry` stays light: the rooms are imported when they are used."""

import subprocess
import sys


def test_importing_skerry_imports_nothing_heavy() -> None:
    code = "import sys, skerry; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"numpy", "xarray", "dask", "zarr", "pydantic", "httpx", "sqlalchemy", "jupyterhub"}
    assert heavy.isdisjoint(loaded)
    assert [name for name in loaded if name.startswith("skerry")] == ["skerry"]


def test_a_session_with_the_platform_imports_no_science() -> None:
    """Commands that only ask the platform start at once."""
    code = (
        "import sys; from skerry.client import production;"
        " from skerry.client.session import Session; print(*sorted(sys.modules))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "httpx" in loaded
    assert {"numpy", "pandas", "xarray", "dask", "odc", "rich", "pygments"}.isdisjoint(loaded)


def test_a_product_is_written_and_drawn_without_looking_for_a_cluster() -> None:
    """A notebook that has no cluster does not import what clusters need."""
    code = """
import sys, tempfile
from pathlib import Path

import numpy as np
import rioxarray
import xarray as xr
from skerry.client.publishing import Draft

axis = np.arange(40.0)
field = xr.DataArray(np.ones((40, 40), "float32"), coords={"y": -axis, "x": axis}, name="field")
data = field.rio.write_crs("EPSG:32633").to_dataset()
facts = {"title": "Field", "skerry:simulated": False}
with tempfile.TemporaryDirectory() as folder:
    outline = Draft(data, "field", facts, None, [], "").write(Path(folder))
    print(outline["type"], *(path.name for path in Path(folder).iterdir()))
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    [outline, *names], loaded = (line.split() for line in done.stdout.splitlines())
    assert (outline, set(names)) == ("Polygon", {"product.zarr", "thumbnail.png"})
    assert "dask.threaded" in loaded
    assert "distributed" not in loaded
