"""The front proxy, as the supervisor starts it, without a hub behind it."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.platform_process import free_port, wait_until

from skerry.cli.supervisor.proxy_program import find_proxy_command


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Start the proxy; return a client of its public port."""
    log = tmp_path_factory.mktemp("proxy") / "proxy.log"
    port, api_port = free_port(), free_port()
    command = [*find_proxy_command(), "--ip", "127.0.0.1", "--port", str(port), "--api-ip",
               "127.0.0.1", "--api-port", str(api_port)]  # fmt: skip
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=os.environ | {"CONFIGPROXY_AUTH_TOKEN": "secret"}, stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
        try:
            wait_until(lambda: answers(client), 60, "the proxy answers", Path(log).read_text)
            yield client
        finally:
            process.terminate()
            process.wait(timeout=30)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/_chp_healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize(
    "path", [b"/%ED%A0%80", b"/100%", b"/services/api/%C3%28", b"/a%zz?q=1", b"//"]
)
def test_an_address_that_cannot_be_decoded_is_the_visitor_s_mistake(
    proxy: httpx.Client, path: bytes
):
    address = proxy.base_url.copy_with(raw_path=path)
    assert proxy.get(address).status_code == 400


@pytest.mark.parametrize("path", [b"/nowhere", b"/%C3%A9", b"/?q=%ED%A0%80"])
def test_an_address_without_a_program_is_not_found(proxy: httpx.Client, path: bytes):
    assert proxy.get(proxy.base_url.copy_with(raw_path=path)).status_code == 404
