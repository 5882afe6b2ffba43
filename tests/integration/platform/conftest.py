"""The owner at work on the session's platform: a browser that is logged in, and a JupyterLab."""

import httpx
import pytest
from tests.platform_process import RunningPlatform, wait_until


@pytest.fixture(scope="session")
def person(running_platform: RunningPlatform) -> httpx.Client:
    """Return the owner's browser session."""
    return running_platform.log_in(running_platform.user, running_platform.password)


@pytest.fixture(scope="session")
def lab(running_platform: RunningPlatform, person: httpx.Client) -> str:
    """Return the path of the owner's JupyterLab, which answers."""
    path = f"/user/{running_platform.user}"

    def answers() -> bool:
        page = person.get(f"{path}/lab")
        return page.url.path == f"{path}/lab" and "jupyter-config-data" in page.text

    person.get(f"/hub/spawn/{running_platform.user}")
    wait_until(
        answers,
        60,
        "JupyterLab answers",
        lambda: running_platform.log_text("hub")[-3000:],
        every_s=0.5,
    )
    return path
