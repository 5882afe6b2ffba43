"""Who sends a request, and what they may do: every route names its audience here, as data.

A route takes one of three guards as a dependency: `require` (a scope), `identify` (everybody, and
the route shows each person what they may see) or `anyone` (no check at all). `list_routes` in
`skerry.services.routes` reads the decision back, so a test can check it for every route.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from skerry.core.errors import (
    ForbiddenError,
    NotFoundError,
    SkerryError,
    UnauthenticatedError,
    UnavailableError,
)
from skerry.core.scopes import PROJECTS_GROUP, Scope

REQUESTED_WITH = "X-Skerry-Requested-With"
"""Header that a page must send with every method except GET: other origins cannot add it."""

HUB_COOKIE = "jupyterhub-session-id"
"""Cookie for the whole origin that the hub sets at login and deletes at logout."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_LOGIN_REMEDY = "Send a hub token in the header 'Authorization: Bearer <token>', or log in."


@dataclass(frozen=True)
class Identity:
    """The holder of a token, as the hub describes them.

    Attributes
    ----------
    name
        Hub user or service name.
    scopes
        The hub scopes of the token (not of the person).
    token
        The token itself, for calls on the holder's behalf. Never logged.
    token_id
        The hub's identifier of the token (``a12``), from the time when it was issued.
    kind
        ``user`` or ``service``.
    groups
        The hub groups of the holder, and the projects of the platform in which they work.
    reads
        Projects of the platform of which they are readers.
    """

    name: str
    scopes: frozenset[str]
    token: str | None = field(default=None, repr=False)
    token_id: str | None = None
    kind: str = "user"
    groups: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()

    @property
    def account(self) -> str:
        """The name of the holder in records: a user and a service never have the same.

        The hub allows a service and a user of the same name. Names of users have no colon.
        """
        if self.kind != "user":
            return f"{self.kind}:{self.name}"
        return f"user:{self.name}" if ":" in self.name else self.name

    @property
    def owner(self) -> str:
        """The owner that the holder is: a person, a project's account, or a service."""
        if self.kind != "user":
            return self.account
        kind = "project" if PROJECTS_GROUP in self.groups else "person"
        return f"{kind}:{self.name}"

    def may(self, *scopes: Scope) -> bool:
        """Return whether the token holds one of `scopes`."""
        return not self.scopes.isdisjoint(scopes)


class Verifier(Protocol):
    """Finds a token's holder: the hub, or a test's own table."""

    async def verify(self, token: str) -> Identity | None:
        """Return the token's holder, or None if the token is unknown, expired or revoked.

        Raises
        ------
        UnavailableError
            If the hub does not answer.
        """

    async def close(self) -> None:
        """Close the connections that it holds."""


class HubSight(Protocol):
    """Knows whether the hub answers."""

    async def find_fault(self) -> str | None:
        """Return why nobody can log in now; None when the hub answers."""


class SessionReader(Protocol):
    """Finds the token in a browser's session cookie."""

    def read_session(self, connection: HTTPConnection) -> str | None:
        """Return the token, or None."""


class AudienceKind(StrEnum):
    """How a route decides who may use it."""

    SCOPE = "scope"
    VISIBLE = "visible"
    ANYONE = "anyone"


@dataclass(frozen=True)
class Audience:
    """The people that a route is for.

    Attributes
    ----------
    kind
        `SCOPE`: holders of one of `scopes` (any logged-in holder when empty). `VISIBLE`: everyone,
        each sees what they may see. `ANYONE`: everyone sees the same.
    scopes
        The scopes; any one of them is enough.
    """

    kind: AudienceKind
    scopes: frozenset[Scope] = frozenset()


class Require:
    """Lets the holder of any of the scopes pass."""

    def __init__(self, audience: Audience) -> None:
        self.audience = audience

    async def __call__(self, connection: HTTPConnection) -> Identity:
        """Return who asks, or refuse."""
        identity = await _find_identity(connection)
        if identity is None:
            raise UnauthenticatedError("This address is not public.", remedy=_LOGIN_REMEDY)
        if self.audience.scopes and not identity.may(*self.audience.scopes):
            scopes = " or ".join(sorted(self.audience.scopes))
            raise ForbiddenError(
                f"The token of {identity.account!r} lacks the scope {scopes}.",
                remedy="Use a token with that scope, or ask the platform's administrator for it.",
            )
        return identity


class Identify:
    """Finds out who sends the request; it may be anonymous."""

    audience = Audience(AudienceKind.VISIBLE)

    async def __call__(self, connection: HTTPConnection) -> Identity | None:
        """Return who asks, None for an anonymous request; a bad token is refused, not ignored.

        A browser that is logged in at the hub, and not yet here, is first sent through the hub,
        which asks nothing: the person sees at once what they may see.

        While the hub is away nobody knows whose a browser's cookie is: it is shown what is public.
        A program with a token waits instead, as it would take a part for the whole.

        Raises
        ------
        UnauthenticatedError
            For such a browser.
        """
        try:
            identity = await _find_identity(connection)
        except UnavailableError:
            if "authorization" in connection.headers:
                raise
            identity = connection.state.identity = None
        is_known_there = HUB_COOKIE in connection.cookies and is_navigation(connection)
        if identity is None and is_known_there and await find_hub_fault(connection) is None:
            raise UnauthenticatedError("This browser's login begins.", remedy=_LOGIN_REMEDY)
        return identity


async def find_hub_fault(connection: HTTPConnection) -> str | None:
    """Return why nobody can log in now; None when the hub answers."""
    watch: HubSight = connection.app.state.hub_watch
    return await watch.find_fault()


def is_navigation(connection: HTTPConnection) -> bool:
    """Return whether a browser opens an address for a person to look at."""
    return (
        connection.scope.get("method") == "GET"
        and "authorization" not in connection.headers
        and "text/html" in connection.headers.get("accept", "")
    )


class Anyone:
    """Checks nothing."""

    audience = Audience(AudienceKind.ANYONE)

    async def __call__(self) -> None:
        """Let every request pass."""


def require(*scopes: Scope) -> Require:
    """Return a dependency that gives the `Identity` of a holder of one of `scopes`.

    Without scopes, anyone who is logged in passes.
    """
    return Require(Audience(AudienceKind.SCOPE, frozenset(scopes)))


def identify() -> Identify:
    """Return a dependency that gives the `Identity`, or None for an anonymous request.

    The route itself must then decide what each person may see.
    """
    return Identify()


def anyone() -> Anyone:
    """Return a dependency for routes that are the same for everybody (health, conformance)."""
    return Anyone()


def refuse_unseen(identity: Identity | None, scope: Scope, what: str) -> SkerryError:
    """Return the error for a thing that does not exist, or that the asker may not see.

    The answer is the same in both cases, so it does not tell which names exist.

    Parameters
    ----------
    identity
        Who sends the request.
    scope
        The scope that would show private things of this kind.
    what
        The thing in the asker's words, such as ``"item 'a' of collection 'b'"``.
    """
    if identity is None:
        return UnauthenticatedError(f"There is no public {what}.", remedy=_LOGIN_REMEDY)
    if not identity.may(scope):
        return ForbiddenError(
            f"There is no public {what}, and the token lacks the scope {scope}.",
            remedy="Use a token with that scope.",
        )
    return NotFoundError(f"There is no {what}.", remedy="Check the name; a search lists them.")


async def _find_identity(connection: HTTPConnection) -> Identity | None:
    if hasattr(connection.state, "identity"):  # one request, one answer
        cached: Identity | None = connection.state.identity
        return cached
    state = connection.app.state
    verifier: Verifier = state.verifier
    token = _read_header(connection)
    if token is not None:
        identity = await verifier.verify(token)
        if identity is None:
            raise UnauthenticatedError(
                "The token is unknown, expired or revoked.",
                remedy="Get a new one from the hub's token page, or restart the session.",
            )
    else:
        sessions: SessionReader = state.sessions
        token = sessions.read_session(connection)
        identity = await verifier.verify(token) if token else None
        if identity is not None:
            _check_same_origin(connection, state.settings.public_url)
    connection.state.identity = identity
    return identity


def _read_header(connection: HTTPConnection) -> str | None:
    header = connection.headers.get("authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() not in ("bearer", "token") or not token or not token.isascii():
        raise UnauthenticatedError(
            f"The Authorization header's scheme {scheme[:20]!r} is not understood.",
            remedy="Write 'Authorization: Bearer <token>'.",
        )
    return token


def _check_same_origin(connection: HTTPConnection, public_url: str) -> None:
    """Refuse a cookie on an unsafe request that the platform's own pages did not send."""
    socket = connection.scope["type"] == "websocket"
    if not socket and connection.scope["method"] in _SAFE_METHODS:
        return
    origin = connection.headers.get("origin")
    parts = urlsplit(public_url)
    foreign = origin is not None and origin != f"{parts.scheme}://{parts.netloc}"
    unmarked = origin is None if socket else not connection.headers.get(REQUESTED_WITH)
    if foreign or unmarked:
        raise ForbiddenError(
            f"A login cookie alone does not allow {connection.scope.get('method', 'a socket')}"
            f" from origin {origin!r}.",
            remedy=f"Send the header {REQUESTED_WITH} from a page of the platform, or a token.",
        )
