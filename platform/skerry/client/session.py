"""A session with a running platform: requests with a hub token, problems turned into errors."""

import atexit
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn, Self
from urllib.parse import quote, unquote, urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from skerry.client.login import Login, find_login
from skerry.core.errors import InvalidInputError, SkerryError, UnavailableError, describe_first
from skerry.core.patience import ask_patiently, find_patience
from skerry.core.problems import read_problem
from skerry.core.request_ids import send_request
from skerry.core.settings import API_PREFIX
from skerry.core.version import VERSION

_ANSWER_WITHIN_S = 60.0
_CONNECT_WITHIN_S = 5.0


class UnreadableAnswerError(SkerryError):
    """The platform answers in another form than this version of Skerry reads."""

    title = "Unreadable answer"


class Session:
    """Requests to one platform, as one account.

    It cannot be pickled: a token has no place in a Dask graph.

    Parameters
    ----------
    login
        Address and token, as `skerry.client.login.find_login` gives them.
    patience_s
        Seconds to ask again while the platform, or what it needs, is away.
    transport
        Another httpx transport, for tests.
    """

    def __init__(
        self,
        login: Login,
        *,
        patience_s: float = 0.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._login = login
        self._patience_s = patience_s
        self._user = login.user
        self._http = httpx.Client(
            base_url=login.address,
            headers={
                "Authorization": f"Bearer {login.token}",
                "Accept": "application/json",
                **send_request(),
            },
            transport=transport,
            # A proxy named in the environment cannot reach this machine's loopback.
            trust_env=urlsplit(login.address).hostname not in ("127.0.0.1", "localhost", "::1"),
        )

    @property
    def url(self) -> str:
        """The platform's public address, without a trailing slash."""
        return self._login.url

    @property
    def token(self) -> str:
        """The hub token that this session sends."""
        return self._login.token

    @property
    def user(self) -> str:
        """The account's name, from the environment or else from the hub."""
        if not self._user:
            self._user = str(self.request("GET", "/hub/api/user")["name"])
        return self._user

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        answer_within_s: float | None = None,
    ) -> Any:
        """Send a request and return what the platform answers.

        Parameters
        ----------
        method
            ``"GET"``, ``"POST"``, ...
        path
            With a leading slash a path of the platform (``/services/maps/health``), without one
            a path of the api (``stac/search`` is ``/services/api/stac/search``).
        json
            The body.
        params
            Query parameters; those that are None are left out.
        answer_within_s
            How long to wait for the answer, if longer than usual.

        Returns
        -------
        Any
            The decoded JSON, text when the answer is none, None when it is empty.

        Raises
        ------
        SkerryError
            `InvalidInputError`, `NotFoundError`, `ConflictError`, `UnauthenticatedError`,
            `ForbiddenError` or `UnavailableError`, with the platform's own words.
        """
        response = self.send(
            method, path, json=json, params=params, answer_within_s=answer_within_s
        )
        if not response.content:
            return None
        if "json" in response.headers.get("content-type", ""):
            return response.json()
        return response.text

    def fetch[Model: BaseModel](
        self,
        kind: type[Model],
        method: str,
        path: str,
        *,
        json: BaseModel | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> Model:
        """Send a request like `request`, and return the answer as a model.

        Parameters
        ----------
        kind
            The model of the answer.
        method, path, params
            As for `request`.
        json
            The body.

        Raises
        ------
        SkerryError
            As `request`; `UnreadableAnswerError` if the answer has not the form of the model.
        """
        body = None if json is None else json.model_dump(mode="json", by_alias=True)
        response = self.send(method, path, json=body, params=params)
        try:
            return kind.model_validate_json(response.content)
        except ValidationError as error:
            fault = describe_first(error, "the answer")
            raise UnreadableAnswerError(
                f"The platform at {self.url} answers {method} {path} in a form that Skerry "
                f"{VERSION} cannot read ({fault}).",
                remedy="Use the version of Skerry that the platform has.",
            ) from None

    def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        answer_within_s: float | None = None,
    ) -> httpx.Response:
        """Send a request like `request`, and return the whole successful response."""
        if any(unquote(part) in (".", "..") for part in path.split("/")):
            raise InvalidInputError(
                f"{path[:140]!r} would lead to another address.",
                remedy="Give the name or id itself; the command 'list' shows them.",
            )
        query = {key: value for key, value in (params or {}).items() if value is not None}
        request = self._http.build_request(
            method,
            path if path.startswith("/") else f"{API_PREFIX}/{path}",
            json=json,
            params=query or None,
            headers=dict(headers or {}),
            timeout=httpx.Timeout(answer_within_s or _ANSWER_WITHIN_S, connect=_CONNECT_WITHIN_S),
        )
        # what was removed already would be missed the second time
        patience_s = 0.0 if method == "DELETE" else self._patience_s
        return ask_patiently(lambda: self._send_once(request), patience_s)

    def _send_once(self, request: httpx.Request) -> httpx.Response:
        try:
            response = self._http.send(request)
        except httpx.TransportError as error:
            raise UnavailableError(
                f"The platform at {self._login.address} does not answer "
                f"({type(error).__name__}: {error}).",
                remedy="Start it with 'skerry up', or correct SKERRY_URL.",
            ) from None
        if not response.is_success:
            request_line = f"{request.method} {request.url.path}"
            raise read_problem(response.status_code, response.content, request=request_line)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Session({self.url!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A session holds a token and does not travel; connect() where it is used.")


def connect() -> Session:
    """Return the session of this process with the platform; in a run it is patient.

    Raises
    ------
    UnauthenticatedError
        If neither the environment nor the data folder names a platform.
    """
    return _open_session(find_login())


@lru_cache(maxsize=4)
def _open_session(login: Login) -> Session:
    session = Session(login, patience_s=find_patience())
    atexit.register(session.close)
    return session


def join_address(*words: str) -> str:
    """Return an api path of which each word is one segment.

    Raises
    ------
    InvalidInputError
        If a word is empty, has a slash or means a folder (``.`` or ``..``): it names nothing, and
        would lead to another address.
    """
    for word in words:
        if word in ("", ".", "..") or "/" in word:
            raise InvalidInputError(
                f"{word!r} is not a name.",
                remedy="Give the name or id itself; the command 'list' shows them.",
            )
    return "/".join(quote(word, safe="") for word in words)
