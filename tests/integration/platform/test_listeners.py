"""Every socket of a platform at work: on loopback alone, and deaf to strangers' names."""

import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass

import httpx
import psutil
import pytest
from tests.integration.platform.people import run_notebook
from tests.platform_process import RunningPlatform, wait_until

pytestmark = pytest.mark.long

LOOPBACK = {"127.0.0.1", "::1"}
PROGRAMS = {
    "api": r"skerry\.services\.api", "maps": r"skerry\.services\.maps",
    "dashboards": r"skerry\.dashboards", "hub": r"skerry\.hub\.program",
    "proxy": "configurable-http-proxy", "gateway": "dask_gateway_server -f",
    "gateway's proxy": "dask-gateway-proxy", "scheduler": "dask scheduler",
    "worker": "dask.worker|dask-worker|spawn_main", "server": r"jupyterhub\.singleuser",
    "kernel": "ipykernel_launcher",
}  # fmt: skip
"""What listens while somebody works, by its command line."""


@dataclass(frozen=True)
class Listener:
    """One bound socket."""

    program: str
    pid: int
    kind: str
    address: str
    port: int


@pytest.fixture(scope="module")
def listeners(
    running_platform: RunningPlatform, person: httpx.Client, lab: str
) -> Iterator[list[Listener]]:
    """Return every listener of the platform while a kernel and a cluster of two workers run."""
    marker = {"X-XSRFToken": _find_xsrf(person, lab)}
    kernel = person.post(f"{lab}/api/kernels", json={"name": "python3"}, headers=marker)
    assert kernel.status_code == 201, kernel.text
    with run_notebook(running_platform) as (_, result):
        assert result == "12"
        wait_until(
            lambda: set(PROGRAMS) <= {item.program for item in _list(running_platform.pid)},
            60,
            "everything listens",
            lambda: str(_list(running_platform.pid)),
        )
        yield _list(running_platform.pid)
    person.delete(f"{lab}/api/kernels/{kernel.json()['id']}", headers=marker)


def _find_xsrf(person: httpx.Client, lab: str) -> str:
    return next(
        str(cookie.value)
        for cookie in person.cookies.jar
        if cookie.name == "_xsrf" and cookie.path.startswith(lab)
    )


def _list(pid: int) -> list[Listener]:
    result = []
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        with suppress(psutil.Error):  # it ended meanwhile
            command = " ".join(process.cmdline())
            program = next(
                (name for name, words in PROGRAMS.items() if re.search(words, command)), command
            )
            for item in process.net_connections("inet"):
                bound = item.status == psutil.CONN_LISTEN or item.type == socket.SOCK_DGRAM
                if bound and item.laddr:
                    kind = "udp" if item.type == socket.SOCK_DGRAM else "tcp"
                    result.append(
                        Listener(program, process.pid, kind, item.laddr.ip, item.laddr.port)
                    )
    return result


def test_every_listener_is_on_loopback(listeners: list[Listener]) -> None:
    assert set(PROGRAMS) - {"kernel"} <= {item.program for item in listeners}
    assert [item for item in listeners if item.address not in LOOPBACK] == []


def test_no_listener_answers_to_a_stranger_s_name(listeners: list[Listener]) -> None:
    """A page whose name leads to this machine (DNS rebinding) is told nothing by any port."""
    answers = {item: _ask(item.port, "/", "evil.example") for item in listeners}
    spoke = {item: status for item, status in answers.items() if status}
    assert {item.program for item in spoke} >= {
        "api", "maps", "dashboards", "hub", "proxy", "gateway", "server", "scheduler", "worker",
    }  # fmt: skip
    assert [(item, status) for item, status in spoke.items() if not 400 <= status < 500] == []


@pytest.mark.parametrize(
    ("program", "path"),
    [
        ("hub", "/hub/login"),
        ("proxy", "/hub/login"),
        ("api", "/services/api/stac/collections"),
        ("maps", "/services/maps/health"),
        ("dashboards", "/services/dashboards/health"),
        ("gateway", "/services/dask-gateway/api/health"),
        ("gateway", "/api/health"),
        ("scheduler", "/info/main/workers.html"),
        ("scheduler", "/json/counts.json"),
        ("worker", "/health"),
    ],
)
def test_what_tells_something_tells_it_by_the_platform_s_names_only(
    listeners: list[Listener], program: str, path: str
) -> None:
    ports = [item.port for item in listeners if item.program == program and item.kind == "tcp"]
    open_ports = {
        port for port in ports for name in LOOPBACK - {"::1"} if _ask(port, path, name) == 200
    }
    assert open_ports
    for host in ("evil.example", "127.0.0.1.evil.example", "evil.example:80"):
        assert {_ask(port, path, host) for port in open_ports} == {400}


def test_a_user_server_answers_to_the_platform_s_names_only(
    running_platform: RunningPlatform, person: httpx.Client, lab: str
) -> None:
    assert person.get(f"{lab}/api/contents").status_code == 200
    assert person.get(f"{lab}/api/contents", headers={"Host": "evil.example"}).status_code == 403
    local = f"localhost:{running_platform.port}"
    assert person.get(f"{lab}/api", headers={"Host": local}).status_code == 200


def _ask(port: int, path: str, host: str) -> int:
    """Return the status that a port answers, over TLS too; 0 if it does not speak HTTP."""
    for kind in (http.client.HTTPConnection, _open_trusting):
        with closing(kind("127.0.0.1", port, timeout=5)) as connection:
            try:
                connection.request("GET", path, headers={"Host": host, "Connection": "close"})
                with closing(connection.getresponse()) as answer:
                    return answer.status
            except (OSError, http.client.HTTPException):
                continue
    return 0


def _open_trusting(host: str, port: int, timeout: float) -> http.client.HTTPSConnection:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
