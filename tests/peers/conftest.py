"""What the tests against peers share: the peers' environments, and one product of each kind."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.peers.reference_process import ReferenceProcess
from tests.peers.simulated_products import SimulatedProducts

ROOT = Path(__file__).parents[2]


def _find(python: Path) -> Path:
    if not python.exists():
        pytest.fail(f"There is no {python}. Run 'make peers' first.")
    return python


@pytest.fixture(scope="session")
def reference_python() -> Path:
    """Return the Python that has eopf 2.8.1 and satpy."""
    return _find(ROOT / ".reference/bin/python")


@pytest.fixture(scope="session")
def peers_python() -> Path:
    """Return the Python that has rio-tiler and odc-stac."""
    return _find(ROOT / ".peers/bin/python")


@pytest.fixture(scope="session")
def reference(
    reference_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ReferenceProcess]:
    """Return a process in which CPM and satpy answer."""
    process = ReferenceProcess(reference_python, tmp_path_factory.mktemp("reference"))
    yield process
    process.stop()


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> SimulatedProducts:
    """Return one simulated product of each kind, made when first asked for."""
    return SimulatedProducts(tmp_path_factory.mktemp("simulated"))
