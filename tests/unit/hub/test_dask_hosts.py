"""The pages of Dask schedulers and workers answer to their own names alone."""

import asyncio
import socket
from types import SimpleNamespace

import httpx
import pytest
from tests.platform_process import NO_CERTIFICATES
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from skerry.hub.dask_hosts import dask_setup


class _Page(RequestHandler):
    def get(self) -> None:
        self.write("tasks")


async def _ask(*hosts: str) -> list[int]:
    """Return what a worker at an address in a cluster answers to requests by these names."""
    application = Application([("/status", _Page)])
    dask_setup(SimpleNamespace(http_application=application, address="tls://10.244.0.7:40000"))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.setblocking(False)
        server = HTTPServer(application)
        server.add_socket(listening)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/status"
        async with httpx.AsyncClient(trust_env=False, verify=NO_CERTIFICATES) as client:
            answers = [await client.get(url, headers={"Host": host}) for host in hosts]
        server.stop()
        await server.close_all_connections()
    return [answer.status_code for answer in answers]


def test_names_of_strangers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_PUBLIC_URL", "https://skerry.example")
    monkeypatch.setenv("SKERRY_ALLOWED_HOSTS", "traefik-dask-gateway")
    good = ("127.0.0.1", "skerry.example", "traefik-dask-gateway:80", "10.244.0.7:8787")
    assert asyncio.run(_ask(*good)) == [200] * len(good)
    assert asyncio.run(_ask("evil.example", "10.244.0.8:8787")) == [400, 400]
