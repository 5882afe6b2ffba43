"""How this machine reaches the platform's public names: without a name service, but with TLS."""

import socket
import ssl
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from tests.platform_process import NO_CERTIFICATES


@dataclass(frozen=True)
class Door:
    """The way to domains and to all names below them.

    Attributes
    ----------
    domains
        Which they are. Other names are reached as this machine reaches them.
    address
        Where the names lead.
    authority
        The certificate of those who sign the certificates of these names.
    """

    domains: tuple[str, ...] = ()
    address: str = ""
    authority: Path | None = None

    @cached_property
    def context(self) -> ssl.SSLContext:
        """What is believed about certificates."""
        if self.authority is None:
            return NO_CERTIFICATES
        return ssl.create_default_context(cafile=self.authority)

    def leads_to(self, host: str) -> bool:
        """Return whether a name is of these domains."""
        return any(f".{host}".endswith(f".{domain}") for domain in self.domains)

    def transport(self) -> httpx.HTTPTransport:
        """Return a transport that goes this way."""
        return _NamedTransport(self)

    def client(self) -> httpx.Client:
        """Return a client without cookies that goes this way."""
        return httpx.Client(transport=self.transport(), timeout=60)

    def connect(self, url: str) -> socket.socket | None:
        """Return an open connection to an address, where it needs this way."""
        host = urlsplit(url).hostname or ""
        if not self.leads_to(host):
            return None
        plain = socket.create_connection((self.address, 443), timeout=60)
        return self.context.wrap_socket(plain, server_hostname=host)


class _NamedTransport(httpx.HTTPTransport):
    def __init__(self, door: Door) -> None:
        super().__init__(verify=door.context, trust_env=False)
        self._door = door

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        if self._door.leads_to(host):
            extensions: dict[str, Any] = {**request.extensions, "sni_hostname": host}
            request = httpx.Request(
                request.method, request.url.copy_with(host=self._door.address),
                headers=request.headers,  # with the name as the host
                stream=request.stream, extensions=extensions,
            )  # fmt: skip
        return super().handle_request(request)
