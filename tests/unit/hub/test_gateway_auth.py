"""The gateway's guard while the hub, or who waits for an answer, is away."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from dask_gateway_server.utils import AccessLogger
from tests.platform_process import free_port

from skerry.core.gateway import CLUSTERS_PATH
from skerry.hub.gateway_auth import VERSION, HubTokenAuthenticator

HEADERS = {"Authorization": "jupyterhub some-token"}


async def answer_as_hub(_request: web.Request) -> web.Response:
    return web.json_response({"kind": "service", "name": "api", "scopes": ["access:services"]})


async def lose_client(_request: web.Request) -> web.Response:
    raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")


@asynccontextmanager
async def serve(app: web.Application, port: int, log: logging.Logger) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log_class=AccessLogger, access_log=log)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


def make_hub() -> web.Application:
    app = web.Application()
    app.router.add_get("/hub/api/user", answer_as_hub)
    return app


def test_credentials_of_an_odd_form_are_refused_without_a_trace(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "own")
    port = free_port()
    log = logging.getLogger("gateway-of-this-test")
    prefix = "/services/dask-gateway"
    authenticator = HubTokenAuthenticator(
        public_url=f"http://127.0.0.1:{port}", public_prefix=prefix, log=log,
        jupyterhub_api_url=f"http://127.0.0.1:{free_port()}/hub/api",
        jupyterhub_service_name="dask-gateway",
    )  # fmt: skip

    async def watch() -> list[int]:
        app = web.Application()
        await authenticator.setup(app)
        statuses = []
        try:
            async with serve(app, port, log), aiohttp.ClientSession() as client:
                for path in ("clusters/", "clusters/skerry.any", "clusters/skerry.any/heartbeat"):
                    for shown in ("jupyterhub", "token", "", "x\ty"):
                        async with client.request(
                            "POST" if path.endswith("heartbeat") else "GET",
                            f"http://127.0.0.1:{port}{prefix}/api/v1/{path}",
                            headers={"Authorization": shown},
                        ) as answer:
                            statuses.append(answer.status)
        finally:
            await authenticator.cleanup()
        return statuses

    assert set(asyncio.run(watch())) == {401}
    assert not [record for record in caplog.records if record.exc_info]


def test_a_hub_that_is_away_is_said_once_and_gives_no_trace(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "own")
    hub_port, port = free_port(), free_port()
    log = logging.getLogger("gateway-of-this-test")
    authenticator = HubTokenAuthenticator(
        public_url=f"http://127.0.0.1:{port}", public_prefix="/services/dask-gateway", log=log,
        jupyterhub_api_url=f"http://127.0.0.1:{hub_port}/hub/api",
        jupyterhub_service_name="dask-gateway",
    )  # fmt: skip

    async def ask(client: aiohttp.ClientSession, path: str) -> int:
        async with client.get(f"http://127.0.0.1:{port}{path}", headers=HEADERS) as answer:
            return answer.status

    async def watch() -> list[int]:
        app = web.Application()
        await authenticator.setup(app)
        app.router.add_get("/lost", lose_client)
        try:
            async with serve(app, port, log), aiohttp.ClientSession() as client:
                away = [await ask(client, path) for path in (CLUSTERS_PATH, VERSION, CLUSTERS_PATH)]
                async with serve(make_hub(), hub_port, log):
                    back = [await ask(client, path) for path in ("/nowhere", "/lost")]
        finally:
            await authenticator.cleanup()
        return away + back

    assert asyncio.run(watch()) == [503, 503, 503, 404, 200]
    lines = [record.getMessage() for record in caplog.records]
    assert not [record for record in caplog.records if record.exc_info]
    assert not [line for line in lines if CLUSTERS_PATH in line], "who polls fills no log"
    assert [line for line in lines if "hub" in line and "GET" not in line] == [
        "The hub does not answer: nobody can use the gateway meanwhile.",
        "The hub answers again.",
    ]
