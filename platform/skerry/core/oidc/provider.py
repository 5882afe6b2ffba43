"""What an OpenID provider says about itself, read from its own addresses and from no other.

Source: OpenID Connect Discovery 1.0, section 4; RFC 9207 for the issuer in answers to a browser.
"""

import asyncio
import ipaddress
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from skerry.core.certificates import NAME_AUTHORITY, find_distrust, read_authorities
from skerry.core.errors import UnavailableError, describe_first

_LARGEST = 1 << 20
_CONNECT_WITHIN_S = 5.0
_ANSWER_WITHIN_S = 10.0
_TIMES = httpx.Timeout(_ANSWER_WITHIN_S, connect=_CONNECT_WITHIN_S)
_FRESH_S = 3600.0
_LATER = (408, 429)

Fetch = Callable[[str], Awaitable[Any]]
"""Address to the JSON that it answers with; `fetch_json`, or a test's own."""


class ProviderAwayError(UnavailableError):
    """The provider does not answer, or answers what no provider should."""

    title = "Sign-on provider unavailable"


def is_trustworthy(url: str) -> bool:
    """Return whether nobody can change what an address answers: https, or this machine itself."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018  (it raises if it is not a number)
    except ValueError:
        return False
    if parts.username is not None or parts.fragment or not host:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine by its very name or number."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_trustworthy(url: str) -> str:
    """Return an address that nobody on the way can change.

    Raises
    ------
    ValueError
        If it is another.
    """
    if not is_trustworthy(url):
        raise ValueError("must be an https address (http only for this machine's own loopback)")
    return url


ProviderAddress = Annotated[str, AfterValidator(check_trustworthy)]


class ProviderDocument(BaseModel):
    """The part of a provider's metadata that Skerry uses; names are those of the standard."""

    model_config = ConfigDict(frozen=True)

    issuer: ProviderAddress
    jwks_uri: ProviderAddress
    authorization_endpoint: ProviderAddress | None = None
    token_endpoint: ProviderAddress | None = None
    userinfo_endpoint: ProviderAddress | None = None
    end_session_endpoint: ProviderAddress | None = None
    authorization_response_iss_parameter_supported: bool = False


_trusted = cache(read_authorities)
"""Reading them takes longer than most answers."""


async def fetch_json(url: str) -> Any:
    """Return the JSON that an address answers with.

    Raises
    ------
    ProviderAwayError
        If it does not.
    """
    status, answer = await ask_json("GET", url)
    if status != httpx.codes.OK:
        raise _away(url, f"it answers with status {status}")
    return answer


async def ask_json(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
) -> tuple[int, Any]:
    """Return status and JSON of an answer below 500: 10 s and 1 MiB at most, no redirects.

    Answers that are refusals have no JSON to speak of; None stands for theirs.

    Raises
    ------
    ProviderAwayError
        If there is no such answer, or the provider has too much to do.
    """
    # a proxy named in the environment cannot reach this machine's loopback
    trust_env = not is_loopback(urlsplit(url).hostname or "")
    sent = {"Accept": "application/json", **(headers or {})}
    try:
        async with (
            asyncio.timeout(_ANSWER_WITHIN_S),
            httpx.AsyncClient(timeout=_TIMES, trust_env=trust_env, verify=_trusted()) as client,
            client.stream(method, url, headers=sent, data=form) as answer,
        ):
            status = answer.status_code
            if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in _LATER:
                raise _away(url, f"it answers with status {status}")
            if not answer.is_success:
                return status, None
            body = b""
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _LARGEST:
                    raise _away(url, "its answer is larger than 1 MiB")
        return status, json.loads(body)
    except (httpx.HTTPError, TimeoutError) as error:
        if (distrust := find_distrust(error)) is not None:
            raise ProviderAwayError(
                f"The sign-on provider's certificate at {url} is not trusted here: {distrust}.",
                remedy=NAME_AUTHORITY,
            ) from None
        raise _away(url, f"it does not answer, {type(error).__name__}") from None
    except ValueError:
        raise _away(url, "its answer is no JSON") from None


def _away(url: str, why: str) -> ProviderAwayError:
    return ProviderAwayError(
        f"The sign-on provider cannot be asked at {url}: {why}.",
        remedy="Try again shortly; an administrator checks the address of the issuer in the "
        "settings, and whether this machine reaches it.",
    )


class Provider:
    """One provider; its metadata are read when they are needed, and again after an hour.

    Parameters
    ----------
    issuer
        The provider's identifier, which is also where its metadata stand.
    fetch, clock
        Others for tests.
    """

    def __init__(
        self,
        issuer: str,
        *,
        fetch: Fetch = fetch_json,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._read: tuple[float, ProviderDocument] | None = None

    async def describe(self) -> ProviderDocument:
        """Return the metadata; where they cannot be read again, those that were read before.

        Raises
        ------
        ProviderAwayError
            If they were never read, or name another issuer: then another server answers.
        """
        if self._read is not None and self._clock() - self._read[0] < _FRESH_S:
            return self._read[1]
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            document = _read_document(url, self.issuer, await self._fetch(url))
        except ProviderAwayError:
            if self._read is None:
                raise
            document = self._read[1]
        self._read = self._clock(), document
        return document


def _read_document(url: str, issuer: str, answer: Any) -> ProviderDocument:
    try:
        document = ProviderDocument.model_validate(answer)
    except ValidationError as error:
        raise _away(url, describe_first(error, "the answer")) from None
    if document.issuer != issuer:
        raise _away(url, f"it speaks for {document.issuer!r}, and the settings say {issuer!r}")
    return document
