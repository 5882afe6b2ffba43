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
    assert {"numpy", "pandas", "xarray", "dask", "odc"}.isdisjoint(loaded)
