"""A kernel at work is use of a real Jupyter server, and a kernel that waits is none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.serverapp import ServerApp
from tests.cluster_hub import make_hub

from skerry.hub.kubernetes.user_servers import choose_interval, user_environment
from skerry.hub.notices import activity


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Any]:
    """Give a Jupyter server with our extension."""
    server = ServerApp(
        root_dir=str(folder), ip="127.0.0.1", port=0, open_browser=False, allow_root=True,
        jpserver_extensions={"skerry.hub.notices": True}, runtime_dir=str(folder),
    )  # fmt: skip
    server.initialize(argv=[], new_httpserver=False)
    try:
        yield server
    finally:
        await server.kernel_manager.shutdown_all()
        await server._cleanup()


async def until(holds: Any) -> None:
    for _ in range(600):
        if holds():
            return
        await asyncio.sleep(0.05)
    pytest.fail("not after 30 s")


def test_a_quiet_cell_is_use_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "_LOOK_S", 0.05)

    async def follow() -> None:
        async with serving(tmp_path) as server:
            name = await server.kernel_manager.start_kernel()
            kernel = server.kernel_manager.get_kernel(name)
            client = kernel.client()
            client.start_channels()
            await client.wait_for_ready(timeout=60)
            await until(lambda: kernel.execution_state == "idle")
            client.execute("import time; time.sleep(600)")
            await until(lambda: kernel.execution_state == "busy")
            settings = server.web_app.settings
            early = datetime.min.replace(tzinfo=UTC)
            await until(lambda: settings.get(activity.SETTING, early) > kernel.last_activity)
            assert server.web_app.last_activity() >= settings[activity.SETTING]
            await kernel.interrupt_kernel()
            await until(lambda: kernel.execution_state == "idle")
            last = settings[activity.SETTING]
            activity.note_work(settings, server.kernel_manager)
            assert settings[activity.SETTING] == last
            client.stop_channels()

    asyncio.run(follow())


@pytest.mark.parametrize(("minutes", "seconds"), [(60, 300), (25, 300), (13, 156), (5, 60)])
def test_the_hub_hears_of_use_several_times_before_it_would_end_a_server(
    minutes: int, seconds: int
) -> None:
    settings = make_hub(idle={"endAfterMinutes": minutes, "warnMinutes": 1})
    assert choose_interval(settings.idle) == seconds
    assert user_environment(settings)["JUPYTERHUB_ACTIVITY_INTERVAL"] == str(seconds)
