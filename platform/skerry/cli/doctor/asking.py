"""Asks an address, and says in words why there is no answer: name, port, certificate or silence."""

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from skerry.core.certificates import NAME_AUTHORITY, find_distrust, read_authorities
from skerry.core.errors import UnavailableError, list_causes
from skerry.core.oidc.provider import is_loopback

_ANSWER_WITHIN_S = 10.0
_CONNECT_WITHIN_S = 5.0


class SilentError(UnavailableError):
    """An address gives no answer."""


def ask(
    url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """Return what an address answers, whatever its status; redirects are not followed.

    Raises
    ------
    SilentError
        If there is no answer; it says why.
    """
    host = urlsplit(url).hostname or ""
    try:
        return httpx.request(
            method, url, headers=dict(headers or {}), follow_redirects=False,
            timeout=httpx.Timeout(_ANSWER_WITHIN_S, connect=_CONNECT_WITHIN_S),
            verify=read_authorities(),
            trust_env="." in host and not is_loopback(host),  # one word is a name of the cluster
        )  # fmt: skip
    except httpx.HTTPError as error:
        raise _explain(url, error) from None


def _explain(url: str, error: httpx.HTTPError) -> SilentError:
    parts = urlsplit(url)
    place = parts.netloc
    causes = list(list_causes(error))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return SilentError(
            f"The name {parts.hostname} leads nowhere.",
            remedy="Check the name; on Kubernetes see that its Service is there, and that this pod "
            "may ask the name server (network.dnsNamespace).",
        )
    if (distrust := find_distrust(error)) is not None:
        return SilentError(
            f"The certificate of {place} is not trusted here: {distrust}.", remedy=NAME_AUTHORITY
        )
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return SilentError(
            f"Nothing listens at {place}.",
            remedy="See that it runs and is ready: kubectl get pods; on one machine 'skerry "
            "status'.",
        )
    if isinstance(error, httpx.ConnectTimeout):
        return SilentError(
            f"{place} lets no connection in within {_CONNECT_WITHIN_S:.0f} s.",
            remedy="A firewall or a NetworkPolicy stands between, or the machine is away.",
        )
    if isinstance(error, httpx.TimeoutException):
        return SilentError(
            f"{place} did not answer within {_ANSWER_WITHIN_S:.0f} s.",
            remedy="Read its log: it hangs, or has too much to do.",
        )
    return SilentError(
        f"{place} does not answer ({type(error).__name__}).", remedy="Read its log, and try again."
    )
