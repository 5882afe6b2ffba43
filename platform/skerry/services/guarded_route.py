"""A route that checks before it reads: first who asks, then the parameters, then the body.

FastAPI alone would read and parse a body before any dependency runs, so that a stranger could make
the program read and parse anything.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from skerry.core.errors import BusyError, InvalidInputError
from skerry.core.json_values import check_json
from skerry.core.settings import LARGEST_BODY
from skerry.services.identity import Anyone, Audience

Handler = Callable[[Request], Awaitable[Response]]
Guard = Callable[[Request], Awaitable[object]]

_SHOWN = 60
_MOST_VALUES = 5_000_000
"""Commas and opening brackets of a JSON body. Small values take 30 times as much memory as text."""

_MOST_LARGE = 2
"""Bodies larger than `LARGEST_BODY` that an account may send to a process at a time."""
_large: Counter[str] = Counter()
"""How many each account sends now; only the event loop reads and changes it."""


class UnknownParameterError(InvalidInputError):
    """The route has no such parameter: a typo would otherwise change the answer silently."""

    status = 400
    title = "Unknown parameter"


class GuardedRoute(APIRoute):
    """Asks the route's guard, then refuses unknown parameters, then reads the body.

    The guard runs again as a dependency, but the identity is looked up once for each request.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self._takes_large = options.get("max_body_size") is not None
        if options.get("status_code") == HTTPStatus.NO_CONTENT:
            options["response_class"] = Response  # no body has no media type either
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Any:
        """Return the handler, which runs after the checks."""
        handle: Handler = super().get_route_handler()
        guards = list(find_guards(self.dependant))
        parameters = sorted(set(_list_parameters(self.dependant)))
        reads_json = self.body_field is not None
        takes_large = self._takes_large

        async def check_and_handle(request: Request) -> Response:
            for guard in guards:
                await guard(request)
            refuse_unknown(request.query_params, parameters)
            is_large = takes_large and _is_large(request)
            with _taking_room(request) if is_large else nullcontext():
                if reads_json:
                    await _check_body(request)
                return await handle(request)

        return check_and_handle


def create_router(**options: Any) -> APIRouter:
    """Return a router whose routes are all guarded; `options` are those of `APIRouter`."""
    options.setdefault("generate_unique_id_function", name_operation)
    return APIRouter(route_class=GuardedRoute, **options)


def name_operation(route: APIRoute) -> str:
    """Return the operation id of a route: the name of its function, for methods of clients."""
    return route.name


def find_guards(dependant: Dependant) -> Iterator[Guard]:
    """Yield the guards (see `skerry.services.identity`) among a route's dependencies."""
    call: Any = dependant.call
    if isinstance(getattr(call, "audience", None), Audience) and not isinstance(call, Anyone):
        yield call
    for inner in dependant.dependencies:
        yield from find_guards(inner)


def refuse_unknown(parameters: Any, names: list[str]) -> None:
    """Refuse unknown names.

    Raises
    ------
    UnknownParameterError
        Names each of them, and the names that exist.
    """
    unknown = sorted(set(parameters) - set(names))
    if unknown:
        listing = ", ".join(repr(name[:_SHOWN]) for name in unknown[:5])
        raise UnknownParameterError(
            f"There is no parameter {listing} here.",
            remedy=f"Use only: {', '.join(names)}." if names else "Leave it out.",
        )


def _list_parameters(dependant: Dependant) -> Iterator[str]:
    for parameter in dependant.query_params:
        kind = parameter.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from kind.model_fields  # one parameter for each of its fields
        else:
            yield parameter.alias
    for inner in dependant.dependencies:
        yield from _list_parameters(inner)


def _is_large(request: Request) -> bool:
    """Return whether a body is larger than other routes take, or may be."""
    length = request.headers.get("content-length", "")
    return not length.isdecimal() or int(length) > LARGEST_BODY


@contextmanager
def _taking_room(request: Request) -> Iterator[None]:
    """Refuse another large body of an account that sends some already: each is kept whole."""
    identity = getattr(request.state, "identity", None)
    account = identity.account if identity is not None else ""
    if _large[account] >= _MOST_LARGE:
        raise BusyError(
            f"{account!r} sends {_MOST_LARGE} large requests already.",
            remedy="Send them one after the other.",
        )
    _large[account] += 1
    try:
        yield
    finally:
        _large[account] -= 1
        if not _large[account]:
            del _large[account]


async def _check_body(request: Request) -> None:
    """Refuse JSON that could not be sent again, or that would take too much memory.

    FastAPI refuses a body that is not JSON at all.

    The request keeps the parsed body, so it is parsed once.
    """
    if "json" not in request.headers.get("content-type", "").lower():
        return
    body = await request.body()
    if sum(body.count(sign) for sign in (b",", b"[", b"{")) > _MOST_VALUES:
        raise InvalidInputError(
            f"The body holds more than {_MOST_VALUES} values.",
            remedy="Send less of it, such as a notebook without its outputs.",
        )
    try:
        value = await request.json()
    except (ValueError, RecursionError):
        return
    check_json(value, what="body")
