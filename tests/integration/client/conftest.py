"""A session with the running platform, and a small simulated scene."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.platform_process import RunningPlatform

from skerry.client.login import Login
from skerry.client.session import Session
from skerry.simulate import simulate_s2_l2a


@pytest.fixture(scope="session")
def session(running_platform: RunningPlatform) -> Iterator[Session]:
    login = Login(running_platform.url, running_platform.token, running_platform.user)
    with Session(login) as opened:
        yield opened


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_s2_l2a(tmp_path_factory.mktemp("scenes"), size=384, day="2026-06-01")


@pytest.fixture
def environment(running_platform: RunningPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let functions that find the platform by themselves find this one."""
    for name, value in running_platform.env.items():
        if name.startswith(("SKERRY_", "DASK_GATEWAY__", "JUPYTERHUB_")):
            monkeypatch.setenv(name, value)
