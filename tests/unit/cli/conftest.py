from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def safe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small simulated product's SAFE folder; tests must not change it."""
    from skerry.simulate import simulate_s2_l2a

    return simulate_s2_l2a(tmp_path_factory.mktemp("scenes"), size=120, seed=3)
