"""The reference environment: ESA's CPM and satpy, in a Python of their own."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def reference_python() -> Path:
    """Return the Python that has eopf 2.8.1 and satpy; `make peers` makes it."""
    python = ROOT / ".reference/bin/python"
    if not python.exists():
        pytest.fail(f"There is no {python}. Run 'make peers' first.")
    return python
