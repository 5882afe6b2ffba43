"""Loopback ports: the public port, the internal ports, and the holder of a port in use."""

import ipaddress
import random
import socket
from dataclasses import dataclass, fields
from typing import Self

import psutil

from skerry.core.errors import ConflictError, InvalidInputError, UnavailableError

LOOPBACK = "127.0.0.1"

# Linux takes ports of outgoing connections from a higher range, so a port that was free at start
# stays free for a part that starts again.
_INTERNAL = range(20_000, 32_000)
_ATTEMPTS = 200
_HIGHEST = 65_535


@dataclass(frozen=True)
class InternalPorts:
    """One free loopback port for each listener behind the public one."""

    api: int
    maps: int
    dashboards: int
    worker: int
    gateway_api: int
    gateway_dashboards: int
    gateway_scheduler: int
    hub: int
    proxy_api: int

    @classmethod
    def choose(cls) -> Self:
        """Choose ports on which no program listens now."""
        names = [field.name for field in fields(cls)]
        return cls(**dict(zip(names, _find_free(len(names)), strict=True)))


def check_host(host: str) -> str:
    """Return the loopback address to bind.

    Raises
    ------
    InvalidInputError
        If `host` is not a loopback address: one machine means one person.
    """
    name = LOOPBACK if host == "localhost" else host
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        address = None
    if not isinstance(address, ipaddress.IPv4Address) or not address.is_loopback:
        raise InvalidInputError(
            f"The host {host!r} is not an IPv4 loopback address.",
            remedy="A platform on one machine is for one person: bind 127.0.0.1, and reach it"
            " from elsewhere through an SSH tunnel.",
        )
    return str(address)


def check_port(host: str, port: int) -> None:
    """Refuse a public port on which a program listens.

    Raises
    ------
    InvalidInputError
        If `port` is not a port number.
    ConflictError
        If a program uses it; the message names the process if this user may see it.
    """
    if not 0 < port <= _HIGHEST:
        raise InvalidInputError(f"{port} is not a port.", remedy="Use a number from 1024 to 65535.")
    try:
        _bind(host, port)
    except PermissionError:
        raise InvalidInputError(
            f"This user may not listen on port {port}.", remedy="Give --port a number above 1023."
        ) from None
    except OSError:
        raise ConflictError(
            f"Port {port} is taken by {_describe_listener(port)}.",
            remedy="End that program, or name another port with --port or SKERRY_PORT.",
        ) from None


def _describe_listener(port: int) -> str:
    """Return who listens on `port`, as far as this user may see."""
    try:
        listeners = [
            connection.pid
            for connection in psutil.net_connections(kind="tcp")
            if connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
        ]
        pid = next((pid for pid in listeners if pid is not None), None)
        if pid is not None:
            return f"process {pid} ({psutil.Process(pid).name()})"
    except psutil.Error:
        pass
    return "a process of another user"


def _find_free(count: int) -> list[int]:
    ports: list[int] = []
    for port in random.sample(_INTERNAL, _ATTEMPTS):
        try:
            _bind(LOOPBACK, port)
        except OSError:
            continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise UnavailableError(
        f"Fewer than {count} free ports were found between {_INTERNAL.start} and {_INTERNAL.stop}.",
        remedy="End programs that listen there.",
    )


def _bind(host: str, port: int) -> None:
    """Bind and close the port, as a server would."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
